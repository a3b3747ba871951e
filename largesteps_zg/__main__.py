"""`python -m largesteps_zg` is the command `largesteps-zg`."""

from .cli.main import command

command()
