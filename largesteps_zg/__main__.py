"""`python -m largesteps_zg` is the command `largesteps-zg`."""

import sys

from .cli import main

sys.exit(main())
