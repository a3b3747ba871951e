"""Small repairs that leave everything else where it is."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..constants import DEFAULTS, Mending
from ..geometry.connectivity import vertex_components
from ..geometry.half_edges import edges, mean_edge_length
from ..geometry.neighbors import Neighbors, neighbors
from .intersections import self_intersections
from .quality import flipped


def unfold(
    vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], *, constants: Mending = DEFAULTS.mending
) -> Float[Tensor, "V 3"]:
    """Positions without folded-over triangles: their corners move to the middle of their neighbours until none is left.

    Parameters
    ----------
    vertices : (V, 3) float
    faces : (F, 3) int
    constants : Mending, optional
        Among them the largest number of smoothing steps. Folds over a large region stay.

    Returns
    -------
    (V, 3) float
        The given tensor itself where nothing is folded. Corners of flipped faces move, and their neighbours where that
        is not enough. A patch that moved by more than four mean edges, and is still folded, goes back.

    Notes
    -----
    Meant for results: the choice of faces is not differentiable. `mesh.quality.flipped` finds the flipped faces.
    """
    given, around = vertices, None
    for number in range(constants.unfold_rounds):
        folded = flipped(vertices, faces)
        if not bool(folded.any()):
            break
        if around is None:
            around = neighbors(edges(faces), len(vertices))
        moved = torch.zeros(len(vertices), dtype=torch.bool, device=vertices.device)
        moved[faces[folded].reshape(-1)] = True
        for _ in range(
            number // constants.grow_every
        ):  # a fold that does not give way is held by its surroundings
            moved[faces[moved[faces].any(dim=1)].reshape(-1)] = True
        vertices = torch.where(moved[:, None], around.mean(vertices), vertices)
    return _where_worth_it(given, vertices, faces, flipped(vertices, faces), constants.farthest)


def without_self_intersections(
    vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], *, constants: Mending = DEFAULTS.mending
) -> Float[Tensor, "V 3"]:
    """Positions with fewer faces that pass through others: patches around these are smoothed where that helps.

    Parameters
    ----------
    vertices : (V, 3) float
    faces : (F, 3) int
    constants : Mending, optional
        Among them the number of rounds. Each round smooths every patch that is left, its rim held. It keeps a smoothed
        patch that has fewer faces passing through others, and no more folded ones. Any other patch grows by a ring of
        vertices.

    Returns
    -------
    (V, 3) float
        The given tensor itself where no face passes through another, or nothing helps. The number of
        `self_intersections` never grows. Parts that lie deep inside each other stay so. A patch that moved by more than
        four mean edges, and still cuts itself, goes back.

    Raises
    ------
    ValueError
        If the mesh is not sound.

    Notes
    -----
    Meant for results: the choice of patches is not differentiable. A round costs two counts of the self-intersections.
    """
    met = self_intersections(vertices, faces)
    if not bool(met.any()):
        return vertices
    around = neighbors(edges(faces), len(vertices))
    given, given_met = vertices, met
    rings = torch.ones(len(vertices), dtype=torch.int64, device=vertices.device)
    for _ in range(constants.rounds):
        moved = _within_rings(met, faces, around, rings)
        patch = vertex_components(faces[moved[faces].any(dim=1)], len(vertices))
        trial = _smoothed(vertices, around.of(moved), moved, constants.sweeps)
        met_trial = self_intersections(trial, faces)
        before, after = (_counts(found, faces, patch) for found in (met, met_trial))
        folded, folded_trial = (_counts(flipped(v, faces), faces, patch) for v in (vertices, trial))
        better = (after < before) & (folded_trial <= folded)
        trial = torch.where((moved & better[patch])[:, None], trial, vertices)
        met_trial = self_intersections(trial, faces)
        # A patch can also run into its surroundings, or into a patch that went back.
        if int(met_trial.sum()) < int(met.sum()):
            vertices, met = trial, met_trial
            rings = rings + (~better[patch]).long()
        else:
            rings = rings + 1
        if not bool(met.any()):
            break
    vertices = _where_worth_it(given, vertices, faces, met, constants.farthest)
    return vertices if int(self_intersections(vertices, faces).sum()) < int(given_met.sum()) else given


def _where_worth_it(given: Tensor, moved: Tensor, faces: Tensor, left: Tensor, most: float) -> Tensor:
    """The new positions of patches that moved at most so many mean edges, or in which no face is `left`."""
    ways = (moved - given).norm(dim=1)
    if not bool((ways > 0).any()):
        return given
    patch = vertex_components(faces[(ways > 0)[faces].any(dim=1)], len(given))
    farthest = torch.zeros_like(ways).scatter_reduce(0, patch, ways, "amax")
    kept = (farthest <= most * mean_edge_length(given, faces)) | (
        _counts(left, faces, patch, len(given)) == 0
    )
    return torch.where(kept[patch][:, None], moved, given)


def _within_rings(met: Tensor, faces: Tensor, around: Neighbors, rings: Tensor) -> Tensor:
    """(V,) bool: at most `rings` edges away from a corner of a face that is met."""
    left = torch.full_like(rings, -1)
    corners = faces[met].reshape(-1).long()
    left[corners] = rings[corners]
    for _ in range(int(left.max())):
        left = left.scatter_reduce(0, around.start, left[around.end] - 1, "amax")
    return left >= 0


def _smoothed(vertices: Tensor, around: Neighbors, moved: Tensor, sweeps: int) -> Tensor:
    """Some of the vertices moved to the mean of their neighbours, again and again."""
    for _ in range(sweeps):
        vertices = torch.where(moved[:, None], around.mean(vertices), vertices)
    return vertices


def _counts(found: Tensor, faces: Tensor, patch: Tensor, size: int = 0) -> Tensor:
    """The number of found faces in each patch."""
    return torch.bincount(patch[faces[found][:, 0]], minlength=max(size, int(patch.max()) + 1))
