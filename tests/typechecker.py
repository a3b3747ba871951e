"""Checks annotations at run time; conftest.py hands it to jaxtyping for every module of the library."""

from beartype import BeartypeConf, beartype

# An int where a float is asked for is right, as type checkers have it (PEP 484).
typechecker = beartype(conf=BeartypeConf(is_pep484_tower=True))
