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
