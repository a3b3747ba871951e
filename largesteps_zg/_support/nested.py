"""Nested dicts and lists with tensors in them: what checkpoints are made of."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def moved(value: Any, device: torch.device) -> Any:
    """The same with its tensors on a device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: moved(item, device) for key, item in value.items()}
    return [moved(item, device) for item in value] if isinstance(value, list) else value


def flat(value: dict[str, Any], before: str = "") -> dict[str, Any]:
    """The entries of dicts within dicts, by names such as "outer.inner"."""
    found: dict[str, Any] = {}
    for key, item in value.items():
        found |= flat(item, f"{before}{key}.") if isinstance(item, dict) else {f"{before}{key}": item}
    return found
