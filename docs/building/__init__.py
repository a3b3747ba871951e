"""How the documentation site is put together; `docs/conf.py` uses it."""
