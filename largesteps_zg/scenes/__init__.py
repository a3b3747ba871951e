"""Images, masks and cameras, read from files of many formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._support.lazy import face

if TYPE_CHECKING:
    from .carving.bounds import bounding_sphere as bounding_sphere
    from .carving.inscribed import inscribed_sphere as inscribed_sphere
    from .reading import Reading as Reading
    from .registry import FORMATS as FORMATS
    from .registry import load_scene as load_scene
    from .save import save_scene as save_scene
    from .views import Scene as Scene
    from .views import Views as Views

__getattr__, __dir__ = face(
    __name__,
    {
        "carving.bounds": ("bounding_sphere",),
        "carving.inscribed": ("inscribed_sphere",),
        "reading": ("Reading",),
        "registry": ("FORMATS", "load_scene"),
        "save": ("save_scene",),
        "views": ("Scene", "Views"),
    },
)
