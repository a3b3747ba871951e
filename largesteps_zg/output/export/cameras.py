"""A run's cameras as they were corrected, for other programs."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from ..._support.atomic import atomic_path
from ..._support.errors import one_line
from ..._support.regular_files import read_regular
from ...cameras.upright import upright_rotation
from ...scenes.save import transforms
from ...scenes.views import Views

PICTURES = "photographs"  # the folder beside the file, where the add-on for Blender looks for them
_LENS = ("fl_x", "fl_y", "cx", "cy", "w", "h")
# What Blender makes of glTF's axes: y up becomes z up.
_BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def save_cameras(
    path: str | os.PathLike[str], views: Views, *, up: Float[Tensor, " 3"], scale: float = 1.0
) -> None:
    """Write cameras in the form of ``transforms.json``, and how to turn them so that they stand as ``mesh.glb`` does.

    Parameters
    ----------
    path
        The file, which appears whole or not at all.
    views : Views
        Names, sizes and cameras; intrinsics are for the pictures as they were compared. ``file_path`` says
        ``photographs/NAME``, where `PICTURES` may lie.
    up : (3,) float tensor
        The direction of up in the scene's coordinates. ``upright``, 3 x 3, turns these to Blender's, z up.
    scale : float
        By which ``mesh.glb`` is larger than the scene's coordinates; kept as ``scale``.

    Raises
    ------
    OSError
        If the file can't be written.
    """
    content = transforms(PICTURES, views)
    content["upright"] = (_BLENDER @ upright_rotation(up).numpy()).tolist()
    content["scale"] = scale
    with atomic_path(Path(path)) as part:
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def compared_pictures(path: Path, views: Views) -> Views:
    """The views that a run's ``cameras.json`` names, opaque, as pictures to look at.

    Parameters
    ----------
    path : Path
        What `save_cameras` wrote.
    views : Views
        Of the run's scene, read again.

    Raises
    ------
    ValueError
        The file is not readable, or the scene has not these pictures any more.
    """
    try:
        content = json.loads(read_regular(path))
        frames = [{**content, **frame} for frame in content["frames"]]
        lenses = {
            frame["file_path"].removeprefix(f"./{PICTURES}/"): [frame[key] for key in _LENS]
            for frame in frames
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: cannot be read: {one_line(error)}") from error
    chosen = [i for i, name in enumerate(views.names) if name in lenses]
    views = views[chosen]
    expected = np.array([lenses[name] for name in views.names])
    lens = transforms(PICTURES, views)
    found = np.array([[{**lens, **frame}[key] for key in _LENS] for frame in lens["frames"]])
    if len(chosen) != len(lenses) or not np.allclose(found, expected, atol=1e-6 * views.cameras.width):
        raise ValueError(f"{path}: the scene's pictures are not those of the run any more; repeat the run")
    images = views.images.clone()
    images[..., 3] = 255
    return replace(views, images=images)
