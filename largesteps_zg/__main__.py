"""`python -m largesteps_zg` is the command `largesteps-zg`."""

import sys

from .cli.main import main

sys.exit(main())
