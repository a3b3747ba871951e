"""Folds and self-intersections of a surface go away, and as little as that takes moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from ..constants import DEFAULTS, Mending
from ..geometry.connectivity import check_mesh
from ..geometry.half_edges import half_edge_table, mean_edge_length
from .fairing import Array, LocalSurface, diffused, faired, lifted, merged, wrong_around, wrong_faces
from .quality import flipped
from .threads import thread_cut


@dataclass(frozen=True)
class Untangled:
    """A surface without wrong faces, or with fewer, and what became of the given one.

    Attributes
    ----------
    vertices : (W, 3) float tensor
    faces : (G, 3) int64 tensor
    kept : (W,) int64 tensor
        The given vertex that each of them is.
    moved : int
        How many of them moved.
    farthest : float
        By how much at most, in mean edges.
    gone : int
        How many of the given ones were merged with others.
    threads : int
        How many handles without a thickness were cut.
    """

    vertices: Tensor
    faces: Tensor
    kept: Tensor
    moved: int
    farthest: float
    gone: int = 0
    threads: int = 0

    def report(self) -> dict[str, float]:
        """For ``run.json``."""
        return {
            "moved_vertices": self.moved,
            "farthest_mean_edges": self.farthest,
            "merged_vertices": self.gone,
            "cut_threads": self.threads,
        }


def untangled(
    vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    *,
    keep_faces: bool = False,
    constants: Mending = DEFAULTS.mending,
) -> Untangled:
    """A surface of which no face is folded over, passes through another, or has hardly an area.

    Where faces are wrong the surface is lifted off what it passes through, by a part of an edge, or else smoothed, over
    as few edges as helps. Around what is still wrong it is faired, in regions that grow: as a thin plate, or as a
    membrane that loses triangles where it shrinks. A handle that is then wrong, and three edges around, is a thread
    without a thickness: it is cut, where that leaves fewer wrong faces. What still passes through another is lifted.

    Parameters
    ----------
    vertices : (V, 3) float
    faces : (F, 3) int
    keep_faces : bool
        Only vertices move; a finger of three edges around may then stay wrong.
    constants : Mending, optional

    Returns
    -------
    Untangled
        The given tensors themselves where nothing is wrong. What no region mends, as parts that lie deep inside each
        other, is left as it is or with fewer wrong faces.

    Raises
    ------
    ValueError
        If the mesh is not sound.

    Notes
    -----
    Meant for results: not differentiable. Where a region loses triangles, the surface keeps its topology; a cut
    takes a handle away.
    """
    check_mesh(vertices, faces)
    given, place = _joined(vertices.detach().double().cpu().numpy(), faces.long().cpu().numpy())
    wrong = wrong_faces(given.vertices, given.faces, constants.needle)
    if not wrong.any():
        return Untangled(vertices, faces, torch.arange(len(vertices), device=vertices.device), 0, 0.0)
    keep_faces |= len(given.vertices) < len(vertices)
    edge = float(mean_edge_length(vertices.detach(), faces))
    surface, wrong = _mended(given, wrong, edge, keep_faces, constants)
    origin = np.arange(len(given.vertices))
    if not keep_faces:
        surface, wrong, origin = _without_threads(surface, wrong, edge, constants)
    surface, _ = _lifted_all(surface, wrong, edge, constants)
    threads = (len(origin) - len(given.vertices)) // 3
    ways = np.linalg.norm(surface.vertices - given.vertices[origin], axis=1)
    rows = place
    if not np.array_equal(surface.faces, given.faces):  # then no vertices were joined
        rows = np.union1d(surface.faces, np.setdiff1d(place, given.faces))
        number = np.zeros(len(origin), dtype=np.int64)
        number[rows] = np.arange(len(rows))
        faces = torch.from_numpy(number[surface.faces]).to(faces.device)
    kept = np.arange(len(vertices)) if rows is place else origin[rows]
    stayed = vertices.detach().double().cpu().numpy()[kept]
    return Untangled(
        torch.from_numpy(np.where((ways[rows] > 0)[:, None], surface.vertices[rows], stayed)).to(vertices),
        faces,
        torch.from_numpy(kept).to(vertices.device),
        int((ways[rows] > 0).sum()),
        float(ways[rows].max()) / edge,
        len(vertices) - len(np.unique(kept)),
        threads,
    )


def _mended(
    given: LocalSurface, wrong: Array, edge: float, keep_faces: bool, constants: Mending
) -> tuple[LocalSurface, Array]:
    """Lifted, smoothed and faired, and these two again while fewer faces are wrong; what moves far has to end sound."""
    lifted_off = _lifted_all(given, wrong, edge, constants)
    surface, left = _faired_all(*_smoothed(*lifted_off, constants), edge, keep_faces, constants)
    while left.any():
        other, fewer = _faired_all(*_smoothed(surface, left, constants), edge, keep_faces, constants)
        far = np.linalg.norm(other.vertices - given.vertices, axis=1).max() >= constants.farthest * edge
        if fewer.sum() >= left.sum() or (far and fewer.any()):
            break
        surface, left = other, fewer
    return surface, left


def _without_threads(
    surface: LocalSurface, wrong: Array, edge: float, constants: Mending
) -> tuple[LocalSurface, Array, Array]:
    """With threads cut and faired while wrong faces become fewer; those; and the vertex that each vertex was."""
    origin = np.arange(len(surface.vertices))
    while wrong.any() and (found := thread_cut(surface, np.unique(surface.faces[wrong]))) is not None:
        cut, doubled = found
        left = wrong_faces(cut.vertices, cut.faces, constants.needle)
        cut, left = _faired_all(cut, left, edge, False, constants)
        if left.sum() >= wrong.sum():
            break
        surface, wrong, origin = cut, left, np.r_[origin, origin[doubled]]
    return surface, wrong, origin


def _faired_all(
    surface: LocalSurface, wrong: Array, edge: float, keep_faces: bool, constants: Mending
) -> tuple[LocalSurface, Array]:
    """Faired around all wrong faces, again and again while there are fewer of them; and the faces still wrong."""
    for _ in range(constants.rounds):
        if not wrong.any():
            break
        before = int(wrong.sum())
        for places in _clusters(surface, wrong):
            surface = _faired(surface, places, edge, keep_faces, constants)
        wrong = wrong_faces(surface.vertices, surface.faces, constants.needle)
        if wrong.sum() >= before:
            break
    return surface, wrong


def _lifted_all(
    surface: LocalSurface, wrong: Array, edge: float, constants: Mending
) -> tuple[LocalSurface, Array]:
    """Each place that has no fold lifted off what it passes through, by as little as helps; and what is wrong then."""
    if not wrong.any():
        return surface, wrong
    folded = flipped(torch.from_numpy(surface.vertices), torch.from_numpy(surface.faces)).numpy()
    for places in _clusters(surface, wrong):
        if folded[surface.faces_at(places)].any():
            continue
        rim = surface.grown(places, 2)
        for way in (side * lift * edge for lift in constants.lifts for side in (1, -1)):
            trial = surface.moved(lifted(surface, places, 1, way))
            if not len(wrong_around(trial, rim, constants.needle)):
                surface = trial
                break
    return surface, wrong_faces(surface.vertices, surface.faces, constants.needle)


def _joined(vertices: Array, faces: Array) -> tuple[LocalSurface, Array]:
    """The surface with vertices in one place as one, as along the seams of a texture, and which of them each is."""
    places, place = np.unique(vertices, axis=0, return_inverse=True)
    joined = place.reshape(-1)[faces]
    apart = len(places) == len(vertices) or (joined == np.roll(joined, 1, axis=1)).any()
    if apart or int(half_edge_table(torch.from_numpy(joined)).count.max()) > 2:
        return LocalSurface(vertices, faces), np.arange(len(vertices))
    return LocalSurface(places, joined), place.reshape(-1)


def _smoothed(given: LocalSurface, wrong: Array, constants: Mending) -> tuple[LocalSurface, Array]:
    """Each place with wrong faces smoothed until it has none; over more edges from round to round."""
    reach = np.zeros(len(given.vertices))
    surface, best, fewest = given, given, int(wrong.sum())
    reached = constants.least_reach
    while wrong.any() and reached <= constants.largest_reach:
        corners = np.unique(surface.faces[wrong])
        reach[corners] = np.maximum(reach[corners] * constants.reach_growth, constants.least_reach)
        reach = _graded(given, reach)
        surface = given.moved(diffused(given, reach))
        wrong = wrong_faces(surface.vertices, surface.faces, constants.needle)
        if wrong.sum() < fewest:
            best, fewest = surface, int(wrong.sum())
        reached *= constants.reach_growth
    return best, wrong if best is surface else wrong_faces(best.vertices, best.faces, constants.needle)


def _graded(surface: LocalSurface, reach: Array) -> Array:
    """The least field above the given one that falls by no more than 1 over an edge."""
    ends = torch.from_numpy(surface.faces)
    pairs = torch.cat([ends[:, [0, 1]], ends[:, [1, 2]], ends[:, [2, 0]]])
    start, end = torch.cat([pairs, pairs.flip(1)]).T
    field = torch.from_numpy(reach)
    for _ in range(int(reach.max())):
        field = field.scatter_reduce(0, start, field[end] - 1, "amax")
    return field.clamp(min=0).numpy()


def _clusters(surface: LocalSurface, wrong: Array) -> list[Array]:
    """The corners of wrong faces, in groups: of faces that are two edges apart at most, or whose boxes meet."""
    corners = np.unique(surface.faces[wrong])
    faces = surface.faces[surface.faces_at(corners)]
    used, place = np.unique(faces, return_inverse=True)
    place = place.reshape(-1, 3)
    graph = _graph(place[:, 0], place[:, 1], len(used)) + _graph(place[:, 0], place[:, 2], len(used))
    count, part = connected_components(graph, directed=False)
    part = part[np.searchsorted(used, corners)]
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(low, part, surface.vertices[corners])
    np.maximum.at(high, part, surface.vertices[corners])
    meet = [np.flatnonzero((low <= high[i]).all(axis=1) & (high >= low[i]).all(axis=1)) for i in range(count)]
    first = np.repeat(np.arange(count), [len(some) for some in meet])
    label = connected_components(_graph(first, np.concatenate(meet), count), directed=False)[1][part]
    return [corners[label == number] for number in np.unique(label)]


def _graph(start: Array, end: Array, count: int) -> csr_array:
    return coo_array((np.ones(len(start), dtype=bool), (start, end)), shape=(count, count)).tocsr()


def _faired(
    surface: LocalSurface, places: Array, edge: float, keep_faces: bool, constants: Mending
) -> LocalSurface:
    """With a region around some vertices faired: the first that leaves no wrong face, or the one with the fewest."""
    best, most = surface, 0
    if not len(surface.faces_at(places)):
        return surface  # another region has done without these vertices
    for rings in constants.rings:
        inner = surface.grown(places, rings)
        rim = surface.grown(inner, 1)
        before = len(wrong_around(surface, rim, constants.needle))
        if not before:
            return surface
        for trial in _trials(surface, inner, edge, keep_faces, constants):
            after = len(wrong_around(trial, np.intersect1d(rim, trial.faces), constants.needle))
            if not after:
                return trial
            way = np.linalg.norm(trial.vertices - surface.vertices, axis=1)[inner].max()
            if before - after > most and way < constants.farthest * edge:
                best, most = trial, before - after
    return best


def _trials(
    surface: LocalSurface, inner: Array, edge: float, keep_faces: bool, constants: Mending
) -> Iterator[LocalSurface]:
    """A region as a thin plate, and as a membrane, in which what shrinks to nearly nothing is merged."""
    plate, membrane = (faired(surface, inner, order) for order in (2, 1))
    if plate is None or membrane is None:
        return
    yield surface.moved(plate)
    flat = surface.moved(membrane)
    fewer = merged(flat, inner, 0.0 if keep_faces else constants.shortest * edge)
    if len(fewer.faces) == len(flat.faces):
        yield flat
        return
    there, left = LocalSurface(surface.vertices, fewer.faces), np.intersect1d(inner, fewer.faces)
    positions = faired(there, left, 1) if len(left) else None
    if positions is not None:
        yield there.moved(positions)
