"""The papers that this project stands on, their experiments in small: `python -m examples.papers --help`."""
