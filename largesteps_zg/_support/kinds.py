"""What a value from a JSON file is, in words for messages."""

from __future__ import annotations


def kind(value: object) -> str:
    """What a value is, in few words, however large it is."""
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if isinstance(value, (list, dict)):
        return f"{'a list' if isinstance(value, list) else 'an object'} of length {len(value)}"
    return "null" if value is None else str(value).lower()[:40]
