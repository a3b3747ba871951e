"""From views to a mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._support.lazy import face

if TYPE_CHECKING:
    from .camera_bundle import Bundled as Bundled
    from .camera_bundle import bundled as bundled
    from .devices import resolve_device as resolve_device
    from .faults import NonFiniteError as NonFiniteError
    from .loop import Reconstruction as Reconstruction
    from .loop import State as State
    from .loop import reconstruct as reconstruct
    from .result import Event as Event
    from .result import Result as Result
    from .settings import Settings as Settings

__getattr__, __dir__ = face(
    __name__,
    {
        "camera_bundle": ("Bundled", "bundled"),
        "devices": ("resolve_device",),
        "faults": ("NonFiniteError",),
        "loop": ("Reconstruction", "State", "reconstruct"),
        "result": ("Event", "Result"),
        "settings": ("Settings",),
    },
)
