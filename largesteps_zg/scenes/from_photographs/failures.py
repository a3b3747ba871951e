"""Why no cameras were found, in a line that says what to photograph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...constants import Structure
from ..provenance import counted, some
from .collection import Photograph
from .mapping import one_plane

_STEPS = "walk around the object and take a photograph every 10 to 15 degrees, each much like the last one"
LEAST = 3  # photographs


def check_photographs(photographs: Sequence[Photograph], root: Path) -> None:
    """ValueError where there are too few that differ."""
    different = {photograph.digest for photograph in photographs}
    if len(different) < LEAST:
        same = " different" if len(different) < len(photographs) else ""
        raise ValueError(
            f"{root}: expected photographs from many places, got {counted(len(different), 'photograph')}{same}; "
            f"{_STEPS}"
        )


def check_matches(
    file: Path, photographs: Sequence[Photograph], still: float, constants: Structure, pycolmap: Any
) -> None:
    """ValueError where most photographs show nothing to recognise, or no two show the same.

    `still` is the share of the features that were dropped, since they stand still in the photographs.
    """
    database = pycolmap.Database.open(file)
    try:
        counts = [database.num_keypoints_for_image(i + 1) for i in range(len(photographs))]
        matches = database.num_inlier_matches()
    finally:
        database.close()
    folder = photographs[0].file.parent
    empty = [
        photograph.name
        for photograph, count in zip(photographs, counts, strict=True)
        if count < constants.fewest
    ]
    if 2 * len(empty) > len(photographs) or matches == 0:
        _check_moves(folder, still)
    if 2 * len(empty) > len(photographs):
        raise ValueError(
            f"{folder}: {len(empty)} of {len(photographs)} photographs show nothing to recognise ({some(empty)}: "
            f"{int(np.median(counts))} features in the median, expected {constants.fewest} and more); put the object "
            "on a newspaper or a patterned cloth, and take sharp photographs that show it, too"
        )
    if matches == 0:
        raise ValueError(
            f"{folder}: no two of the {len(photographs)} photographs show enough of the same; {_STEPS}"
        )


def check_models(
    file: Path, models: Sequence[Any], photographs: Sequence[Photograph], still: float, pycolmap: Any
) -> None:
    """ValueError where fewer than half of the photographs hang together, or half and the others do, too.

    `still` as of `check_matches`.
    """
    folder, total = photographs[0].file.parent, len(photographs)
    most, second = ([model.num_reg_images() for model in models] + [0, 0])[:2]
    if most >= LEAST and (2 * most > total or (2 * most == total and most > second)):
        return
    _check_moves(folder, still)
    if one_plane(file, pycolmap):
        raise ValueError(
            f"{folder}: the photographs were all taken from one place, where the camera only turned, or show one "
            f"flat thing; depth shows only from different places: {_STEPS}"
        )
    if second >= LEAST:
        parts = [_names(model, photographs) for model in models]
        sizes = ", ".join(str(len(names)) for names in parts)
        raise ValueError(
            f"{folder}: the photographs fall into {len(models)} groups of {sizes} with nothing in common (one begins "
            f"with {parts[0][0]}, one with {parts[1][0]}); take photographs on the way from one to the other, or give "
            "a folder of each"
        )
    raise ValueError(
        f"{folder}: only {most} of {total} photographs could be placed, for too few show the same; {_STEPS}"
    )


def check_span(model: Any, photographs: Sequence[Photograph], constants: Structure) -> None:
    """ValueError where all cameras see the same side, as where sides that look alike were taken for one another."""
    points = np.array([point.xyz for point in model.points3D.values()]).reshape(-1, 3)
    centers = [image.projection_center() for image in model.images.values() if image.has_pose]
    directions = np.array(centers) - np.median(points, axis=0)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    span = float(np.degrees(np.arccos((directions @ directions.T).clip(-1, 1).min())))
    if span < constants.span:
        raise ValueError(
            f"{photographs[0].file.parent}: the {len(centers)} photographs that could be placed all see the same side, "
            f"within {span:.0f} degrees. If you walked around the object, a pattern repeats itself, and its sides were "
            "taken for one another: put the object on a newspaper, whose every part looks different. Else walk around "
            "it, 10 to 15 degrees from one photograph to the next"
        )


def _check_moves(folder: Path, still: float) -> None:
    """ValueError where cameras cannot be found because most of what is seen stands still."""
    if still > 0.5:
        raise ValueError(
            f"{folder}: {still:.0%} of the features stand still from photograph to photograph, and what moves shows "
            f"too little to recognise; {_STEPS}, or, where the object turns before the camera, let a newspaper turn "
            "with it"
        )


def _names(model: Any, photographs: Sequence[Photograph]) -> list[str]:
    return sorted(photographs[number - 1].name for number in model.reg_image_ids())
