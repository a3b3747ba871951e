"""The version, in one place: pyproject.toml reads it from here."""

__version__ = "0.2.0"
__author__ = "the largesteps_zg authors"
