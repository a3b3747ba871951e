"""Photographs that contradict the places of others, as where walls that look alike were taken for one another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...constants import Structure
from .collection import Photograph
from .database import names_in
from .mapping import FAR, NARROW, mapped, match
from .still import forget_still_matches
from .work import Watch, unwatched

_Pair = tuple[int, int]


def without_contradictions(
    file: Path,
    model: Any,
    photographs: Sequence[Photograph],
    root: Path,
    constants: Structure,
    watch: Watch,
    pycolmap: Any,
) -> Any:
    """A model whose photographs agree with one another's places.

    Matches vote, for and against. The largest group of photographs that agree stays; the others are compared with all,
    and placed anew by what that group shows, as long as it grows. Who still contradicts it is left out.

    Parameters
    ----------
    file : Path
        The database with the matches.
    model : pycolmap.Reconstruction
        Its images are named as in the database, as are those of what is returned.
    photographs, root, constants, watch, pycolmap
        See `cameras_from_photographs`.

    Raises
    ------
    ValueError
        Where half of the photographs or fewer are left.
    """
    names, core = names_in(photographs), set[int]()
    while True:
        found = groups(model.reg_image_ids(), votes(file, model, pycolmap))
        if len(found) == 1:
            return model
        grown = len(found[0]) > len(core)
        core = found[0] if grown else core
        keep(model, core, pycolmap)
        if not grown:
            break
        everyone = range(1, len(names) + 1)
        others = [i for i in everyone if i not in core]
        pairs = sorted({(min(i, j) - 1, max(i, j) - 1) for i in others for j in everyone if i != j})
        watch(0.0, f"matches of {len(others)} photographs that contradict the others, with all")
        match(file, names, pairs, constants, unwatched, pycolmap)
        forget_still_matches(file, photographs, pairs, constants, pycolmap)
        models = mapped(file, root, len(names), watch, pycolmap, start=model)
        if not models:
            break
        model = models[0]
    if 2 * len(core) <= len(names):
        raise ValueError(
            f"{photographs[0].file.parent}: {len(names) - len(core)} of {len(names)} photographs contradict the places "
            "of the others, as where walls or sides that look alike are taken for one another; put the object on a "
            "newspaper, whose every part looks different, and let it fill the photographs"
        )
    return model


def votes(file: Path, model: Any, pycolmap: Any) -> dict[_Pair, int]:
    """How many more matches of two photographs agree with their places in a model than do not.

    A match agrees if it lies on both epipolar lines, within what COLMAP grants (Sampson's distance).
    """
    images = {number: model.images[number] for number in model.reg_image_ids()}
    rays = {
        number: np.pad(
            image.camera.cam_from_img(np.array([point.xy for point in image.points2D]).reshape(-1, 2)),
            ((0, 0), (0, 1)),
            constant_values=1.0,
        )
        for number, image in images.items()
    }
    database = pycolmap.Database.open(file)
    try:
        numbers, pairs = database.read_two_view_geometries()
    finally:
        database.close()
    found = {}
    for number, pair in zip(numbers, pairs, strict=True):
        i, j = pycolmap.pair_id_to_image_pair(number)
        matches = np.asarray(pair.inlier_matches, dtype=np.int64).reshape(-1, 2)
        if len(matches) and i in images and j in images:
            one, other = rays[i][matches[:, 0]], rays[j][matches[:, 1]]
            moved = images[j].cam_from_world() * images[i].cam_from_world().inverse()
            essential = pycolmap.essential_matrix_from_pose(moved)
            here, there = one @ essential.T, other @ essential
            slope = np.square(here[:, :2]).sum(axis=1) + np.square(there[:, :2]).sum(axis=1)
            off = np.abs((other * here).sum(axis=1)) / np.sqrt(np.maximum(slope, 1e-30))
            focal = (images[i].camera.mean_focal_length() + images[j].camera.mean_focal_length()) / 2
            agree = int((off * focal < FAR).sum())
            found[i, j] = 2 * agree - len(matches)
    return found


def groups(numbers: Iterable[int], votes: Mapping[_Pair, int]) -> list[set[int]]:
    """Photographs in groups that agree among themselves, the largest first.

    The two groups with most votes for one another are joined, until no two have more for than against.

    References
    ----------
    Keuper, Levinkov, Bonneel, Lavoue, Brox, Andres: Efficient Decomposition of Image and Mesh Graphs by Lifted
    Multicuts. ICCV 2015 (greedy additive edge contraction).
    """
    found: dict[int, set[int]] = {number: {number} for number in numbers}
    links: dict[int, dict[int, int]] = {number: {} for number in found}
    for (i, j), vote in votes.items():
        links[i][j] = links[j][i] = vote
    while True:
        pairs = ((vote, -i, -j) for i, row in links.items() for j, vote in row.items() if i < j)
        vote, i, j = max(pairs, default=(0, 0, 0))
        if vote <= 0:
            return sorted(found.values(), key=lambda group: (-len(group), min(group)))
        i, j = -i, -j
        for other, more in links.pop(j).items():
            del links[other][j]
            if other != i:
                links[i][other] = links[other][i] = links[i].get(other, 0) + more
        found[i] |= found.pop(j)


def keep(model: Any, kept: set[int], pycolmap: Any) -> None:
    """Take all photographs but these out of a model, in place, and the points that no two are left to see."""
    observations = pycolmap.ObservationManager(model)
    for number in set(model.reg_image_ids()) - kept:
        observations.deregister_frame(model.images[number].frame_id)
    observations.filter_all_points3D(FAR, NARROW)
