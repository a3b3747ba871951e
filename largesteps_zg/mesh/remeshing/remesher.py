"""Isotropic remeshing to an edge length, or one for each vertex; attributes are carried over to the new vertices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...constants import DEFAULTS, Remeshing
from ...geometry.connectivity import check_start_mesh, nonmanifold_vertices, topology
from ...geometry.half_edges import edges, half_edge_table
from ...geometry.neighbors import neighbors
from ...geometry.solids import signed_volume
from ..quality import flipped, triangle_quality
from ..triangle_tree import triangle_tree
from .backends import BACKENDS, VARYING
from .facing import facing_points
from .seams import seams, vertices_of
from .sized_mesh import area_normals, edge_sides
from .sizing import check_field, expected_vertices, graded

_MAX_FACES = 4_000_000


@dataclass(frozen=True)
class BarycentricMap:
    """Each new vertex as a weighted mean of the three old vertices around it.

    Attributes
    ----------
    corners : (W, 3) int64 tensor
        Old vertices.
    weights : (W, 3) float tensor
        In [0, 1]; they add up to 1.
    """

    corners: Tensor
    weights: Tensor

    def __call__(self, values: Tensor) -> Tensor:
        """Carry values at the V old vertices, (V, ...), to the W new ones, (W, ...). Linear, differentiable."""
        weights = self.weights.to(values).reshape(*self.weights.shape, *[1] * (values.ndim - 1))
        return (weights * values[self.corners.to(values.device)]).sum(dim=1)


@dataclass(frozen=True)
class RemeshResult:
    """A remeshed surface, and where its vertices come from.

    Attributes
    ----------
    vertices : (W, 3) float tensor
    faces : (G, 3) int64 tensor
    attributes : dict
        The given attributes at the new vertices.
    source : BarycentricMap
        Carries any other value per vertex, such as the moments of an optimiser, in the same way.
    backend : str
        The one that did it.
    """

    vertices: Tensor
    faces: Tensor
    attributes: dict[str, Tensor]
    source: BarycentricMap
    backend: str


class RemeshError(RuntimeError):
    """No backend made a sound mesh: the surface is too tangled; the message says what each of them made."""


def remesh(
    vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    target_length: float | Tensor,
    *,
    iterations: int = 5,
    backend: str = "auto",
    attributes: Mapping[str, Tensor] | None = None,
    rules: Remeshing = DEFAULTS.remeshing,
) -> RemeshResult:
    """Replace the triangles of a surface by nearly equilateral ones, of one edge length or of lengths that vary.

    Edges are split, collapsed and flipped; vertices are relaxed and put back on the old surface [1]_.

    Parameters
    ----------
    vertices : (V, 3) float tensor
    faces : (F, 3) integer tensor
        A manifold, closed or with borders, of consistent winding. Vertices that no face uses are left out.
    target_length : float or (V,) float tensor
        Edge length to reach, > 0, in the unit of the vertices; or one at each vertex, which is shortened where it grows
        by more than half over an edge (see `sizing.graded`).
    iterations : int
        Rounds of split, collapse, flip and relax, at least 1.
    backend : {"auto", "adaptive", "gpytoolbox", "pymeshlab"}
        "adaptive" is ours. It alone takes lengths that vary and leaves thin sheets as large as they were; the others
        cut back their rims. "auto" takes it, and where its result is not sound the others, if they are installed.
    attributes : mapping of name to (V, ...) float tensor, optional
        Interpolated at the closest point of the old surface.
    rules : Remeshing, optional
        What the edits keep.

    Returns
    -------
    RemeshResult
        On the device and with the type of `vertices`.

    Raises
    ------
    ValueError, ImportError, RemeshError
        An argument out of its range, a mesh that is not manifold, lengths that give more than 4 million faces; a
        backend that is not installed; none gave a sound mesh: as closed as before, manifold, no side turned.

    Notes
    -----
    Not differentiable in the positions; `source` is linear in what it carries. At borders and rims adaptive keeps
    corners and slides other vertices along; gpytoolbox keeps the vertices of borders and adds some; pymeshlab resamples
    borders and joins coincident vertices. On the CPU: 10,000 vertices take about 1 s, 0.6 s with gpytoolbox.

    References
    ----------
    .. [1] M. Botsch and L. Kobbelt, "A remeshing approach to multiresolution modeling", SGP 2004.

    Examples
    --------
    >>> from largesteps_zg.geometry import topology
    >>> from largesteps_zg.mesh import icosphere
    >>> ball = icosphere(2)
    >>> topology(remesh(ball.vertices, ball.faces, 0.1).faces).watertight
    True
    """
    attributes = attributes or {}
    names = _check_arguments(vertices, faces, target_length, iterations, backend, attributes)
    center = vertices.detach().double().mean(dim=0)
    unit, sizes = _in_units(target_length, len(vertices))
    old = ((vertices.detach().double() - center) / unit).cpu()
    start, triangles, sizes = _drop_unused(old, faces.long().cpu(), sizes)
    sizes = graded(sizes, start, triangles)
    _check_count(start, triangles, sizes, unit)
    made = _first_sound(names, start, triangles, sizes, unit, iterations, rules)
    return _result(vertices, old, faces, *made, center, unit, attributes)


def _first_sound(
    names: list[str],
    vertices: Tensor,
    faces: Tensor,
    sizes: Tensor,
    unit: float,
    iterations: int,
    rules: Remeshing,
) -> tuple[str, Tensor, Tensor]:
    """The first backend whose mesh is sound, and that mesh, its poor triangles relaxed."""
    reasons = []
    for name in names:
        try:
            new, new_faces = BACKENDS[name](vertices, faces, sizes, iterations, rules)
        except ImportError as error:
            # One of several can be done without, unless none is left.
            if len(names) == 1:
                raise
            reasons.append(str(error))
            continue
        new, new_faces = _drop_unused(new, new_faces)
        fault = _fault(vertices, faces, sizes, new, new_faces)
        if fault is None:
            return name, _relax_poor(new, new_faces, rules), new_faces
        reasons.append(f"{name} gave {fault}")
    raise RemeshError(f"remesh: no sound result at target length {unit:g}: {'; '.join(reasons)}")


def _check_arguments(
    vertices: Tensor,
    faces: Tensor,
    target_length: float | Tensor,
    iterations: int,
    backend: str,
    attributes: Mapping[str, Tensor],
) -> list[str]:
    """Refuse what the backends would crash on or silently get wrong; the backends to try."""
    if backend != "auto" and backend not in BACKENDS:
        raise ValueError(f"backend: expected one of auto, {', '.join(BACKENDS)}, got {backend!r}")
    check_start_mesh(vertices, faces, name="remesh")
    names = list(BACKENDS) if backend == "auto" else [backend]
    if isinstance(target_length, Tensor) and target_length.ndim > 0:
        check_field(target_length, vertices, faces, name="target_length")
        names = [name for name in names if name in VARYING]
        if not names:
            raise ValueError(
                f"target_length: expected one length for backend {backend!r}, got a tensor of shape "
                f"{tuple(target_length.shape)}; use backend {VARYING[0]!r} or auto for lengths that vary"
            )
    elif not (target_length > 0 and math.isfinite(target_length)):
        raise ValueError(f"target_length: expected a finite length > 0, got {float(target_length)}")
    if iterations < 1:
        raise ValueError(f"iterations: expected at least 1, got {iterations}")
    for name, values in attributes.items():
        if values.ndim < 1 or values.shape[0] != vertices.shape[0] or not values.is_floating_point():
            raise ValueError(
                f"attributes[{name!r}]: expected floats with {vertices.shape[0]} rows, one per vertex, "
                f"got {tuple(values.shape)} {values.dtype}"
            )
    return names


def _in_units(target_length: float | Tensor, count: int) -> tuple[float, Tensor]:
    """A typical length, and the length at each vertex over it: backends' tolerances don't follow the scene's scale."""
    if not isinstance(target_length, Tensor) or target_length.ndim == 0:
        return float(target_length), torch.ones(count, dtype=torch.float64)
    lengths = target_length.detach().double().cpu()
    unit = float(lengths.log().mean().exp())
    return unit, lengths / unit


def _check_count(vertices: Tensor, faces: Tensor, sizes: Tensor, unit: float) -> None:
    """Refuse lengths that make more triangles than fit."""
    expected = 2 * expected_vertices(sizes, vertices, faces)
    if expected > _MAX_FACES:
        what = "a length that gives" if bool((sizes == 1).all()) else "lengths that give"
        raise ValueError(
            f"target_length: expected {what} at most {_MAX_FACES:,} faces, got {unit:g} on average, "
            f"which gives {expected:,.0f}; use at least {unit * math.sqrt(expected / _MAX_FACES):.3g}"
        )


def _drop_unused(vertices: Tensor, faces: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
    """The mesh, and what else there is at its vertices, without vertices that no face uses."""
    used = torch.zeros(len(vertices), dtype=torch.bool)
    used[faces.reshape(-1)] = True
    return vertices[used], (used.cumsum(dim=0) - 1)[faces], *(value[used] for value in values)


def _fault(old: Tensor, old_faces: Tensor, sizes: Tensor, new: Tensor, new_faces: Tensor) -> str | None:
    """What is wrong with a backend's result, or None."""
    if len(new_faces) == 0:
        return "no faces"
    if not bool(torch.isfinite(new).all()):
        return "positions that are not finite"
    limit = 8 * expected_vertices(sizes, old, old_faces) + 4 * len(old_faces)
    if len(new_faces) > limit:
        return f"{len(new_faces):,} faces where at most {limit:,.0f} were expected"
    after = topology(new_faces)
    if after.nonmanifold_edges or after.misoriented_edges:
        return f"{after.nonmanifold_edges} non-manifold and {after.misoriented_edges} misoriented edges"
    closed = bool((half_edge_table(old_faces).count == 2).all())
    if closed and not after.watertight:
        return f"a surface with {after.boundary_edges} border edges from a closed one"
    touching = len(nonmanifold_vertices(new_faces, len(new)))
    if touching and touching > len(nonmanifold_vertices(old_faces, len(old))):
        return f"{touching} vertices where the surface touches itself"
    volumes = [signed_volume(old, old_faces), signed_volume(new, new_faces)]
    # Below one cubic edge length a component may legitimately collapse to a sliver of either sign.
    if closed and abs(volumes[0]) > 1 and volumes[0] * volumes[1] < 0:
        return "a surface turned inside out"
    return None


def _relax_poor(vertices: Tensor, faces: Tensor, rules: Remeshing, rounds: int = 10) -> Tensor:
    """Move the corners of folded or needle-like faces to the mean of their neighbours, where that helps."""
    best, fewest = vertices, math.inf
    around = neighbors(edges(faces), len(vertices))
    sides = edge_sides(faces.numpy(), len(vertices))
    kept = seams(vertices.numpy(), faces.numpy(), sides, rules)  # faces at the rim of a sheet look folded
    movable = torch.from_numpy(~vertices_of(kept, len(vertices)))
    for _ in range(rounds):
        poor = flipped(vertices, faces) | (triangle_quality(vertices, faces) < rules.poor)
        if int(poor.sum()) < fewest:
            best, fewest = vertices, int(poor.sum())
        if fewest == 0:
            break
        move = torch.zeros_like(movable)
        move[faces[poor].reshape(-1)] = True
        vertices = torch.where((move & movable)[:, None], around.mean(vertices), vertices)
    return best


def _result(
    vertices: Tensor,
    old: Tensor,
    faces: Tensor,
    backend: str,
    new: Tensor,
    new_faces: Tensor,
    center: Tensor,
    length: float,
    attributes: Mapping[str, Tensor],
) -> RemeshResult:
    """Back to the scene's own units, device and type, with the attributes."""
    triangles = faces.long().cpu()
    points, normals = new.numpy(), area_normals(new.numpy(), new_faces.numpy())
    found, weights, _ = facing_points(points, normals, np.ones(len(new)), triangle_tree(old, triangles))
    source = BarycentricMap(
        triangles[torch.from_numpy(found)].to(vertices.device),
        torch.from_numpy(weights).to(vertices.device, vertices.dtype),
    )
    return RemeshResult(
        vertices=(new.to(vertices.device) * length + center).to(vertices.dtype),
        faces=new_faces.to(vertices.device),
        attributes={name: source(values) for name, values in attributes.items()},
        source=source,
        backend=backend,
    )
