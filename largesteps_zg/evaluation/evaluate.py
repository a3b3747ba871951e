"""Every figure that a reference allows, of one mesh."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree

from ..mesh.closest import closest_points
from ..mesh.distances import f_score, two_way_distances
from ..mesh.mesh import Mesh
from .dtu import DtuDistances, Observation, dtu_distances
from .figures_of_merit import Spread, accuracy, completeness, spread
from .reference import Reference
from .thinning import sampled, samples_for

UNITS = {"mm": 1.0, "cm": 10.0, "m": 1000.0}  # millimetres
TAU = 0.005  # of the reference's diagonal, as in `mesh.distances.surface_distances`
MIDDLEBURY = 1.25  # mm


@dataclass(frozen=True)
class Evaluation:
    """How far a mesh is from a reference; lengths in the coordinates' unit, but for `dtu`, which is in mm.

    Attributes
    ----------
    from_reference : Spread
        Of the distances from the reference's points to the mesh, exact.
    distances : (N,) float64 array
        Those themselves, one for each of the points where the reference has points.
    to_reference : Spread or None
        Of the distances from points on the mesh to the reference; None where that is sparse.
    spacing : float or None
        Side of the squares that have one point each on the mesh.
    chamfer : float or None
        The mean of both means.
    f_score, precision, recall : float or None
        At `tau`, as Tanks and Temples has them.
    tau : float
    accuracy, completeness : float or None
        Middlebury's: the distance within which 90 % of the mesh lie, the share of the reference within
        `completeness_within` of the mesh.
    completeness_within : float
    normal_consistency : float or None
        See `mesh.distances.SurfaceDistances`; where the reference is a mesh.
    dtu : DtuDistances or None
        Where it was asked for.
    """

    from_reference: Spread
    distances: np.ndarray
    to_reference: Spread | None
    spacing: float | None
    chamfer: float | None
    f_score: float | None
    precision: float | None
    recall: float | None
    tau: float
    accuracy: float | None
    completeness: float | None
    completeness_within: float
    normal_consistency: float | None
    dtu: DtuDistances | None


def evaluate(
    mesh: Mesh,
    reference: Reference,
    *,
    tau: float | None = None,
    unit: str | None = None,
    dtu: bool = False,
    observation: Observation | None = None,
    seed: int = 0,
) -> Evaluation:
    """Measure a mesh against a reference. Nothing is aligned, scaled or cropped.

    Parameters
    ----------
    mesh : Mesh
        In the reference's coordinates.
    reference : Reference
    tau : float, optional
        Threshold of precision, recall and F-score, and of the share within; by default half a per cent of the diagonal
        of the reference's bounding box.
    unit : {"mm", "cm", "m"}, optional
        Of the coordinates; DTU's are mm. Middlebury's completeness then is within 1.25 mm, else within `tau`.
    dtu : bool
        Also DTU's protocol, with an `observation` where there is one. It takes points, not a mesh.
    seed : int
        Of the points that are drawn.

    Raises
    ------
    ValueError
        A threshold that is not positive, an unknown unit, DTU's protocol with a sparse reference or a mesh, or a
        surface that is far too large for the threshold.
    """
    tau = TAU * _diagonal(reference) if tau is None else tau
    _check(reference, tau, unit, dtu)
    unit = "mm" if dtu else unit
    spacing = min(tau, TAU * _diagonal(reference)) / 2
    to, back, normals = _distances(mesh, reference, spacing, seed)
    within = MIDDLEBURY / UNITS[unit] if unit else tau
    precision = None if to is None else completeness(to, tau)
    recall = None if to is None else completeness(back, tau)
    generator = torch.Generator().manual_seed(seed)
    measured = (
        dtu_distances(mesh, reference.points, observation, generator=generator)
        if dtu and reference.points is not None
        else None
    )
    return Evaluation(
        from_reference=spread(back, tau),
        distances=back,
        to_reference=None if to is None else spread(to, tau),
        spacing=None if to is None else spacing,
        chamfer=None if to is None else float(to.mean() + back.mean()) / 2,
        f_score=None if precision is None or recall is None else f_score(precision, recall),
        precision=precision,
        recall=recall,
        tau=tau,
        accuracy=None if to is None else accuracy(to),
        completeness=None if to is None else completeness(back, within),
        completeness_within=within,
        normal_consistency=normals,
        dtu=measured,
    )


def _check(reference: Reference, tau: float, unit: str | None, dtu: bool) -> None:
    """ValueError for what cannot be measured so."""
    if not 0 < tau < math.inf:
        raise ValueError(f"tau: expected a distance > 0, got {tau}")
    if unit is not None and unit not in UNITS:
        raise ValueError(f"unit: expected one of {', '.join(UNITS)}, got {unit!r}")
    if dtu and (reference.points is None or reference.sparse):
        kind = "triangulated points" if reference.sparse else "a mesh"
        raise ValueError(
            f"dtu: expected the points of a scan (stl{{scan}}_total.ply) as reference, got {kind}: {reference.name}"
        )
    if dtu and unit not in (None, "mm"):
        raise ValueError(f"unit: expected mm for DTU, whose scans are in millimetres, got {unit}")


def _distances(
    mesh: Mesh, reference: Reference, spacing: float, seed: int
) -> tuple[np.ndarray | None, np.ndarray, float | None]:
    """From the mesh to the reference, from the reference to the mesh, and the likeness of their normals."""
    generator = torch.Generator().manual_seed(seed)
    if reference.mesh is not None:
        counts = samples_for(mesh, spacing), samples_for(reference.mesh, spacing, "reference")
        found = two_way_distances(mesh, reference.mesh, *counts, generator=generator)
        return found.to_reference.numpy(), found.from_reference.numpy(), found.normal_consistency
    assert reference.points is not None
    back = points_to_mesh(reference.points, mesh)
    if reference.sparse:
        return None, back, None
    to, _ = cKDTree(reference.points).query(sampled(mesh, spacing, generator=generator))
    return to, back, None


def points_to_mesh(points: np.ndarray, mesh: Mesh) -> np.ndarray:
    """(N,) exact distances of points (N, 3) to the nearest triangle of a mesh."""
    vertices = mesh.vertices.detach().double().cpu()
    found = closest_points(
        torch.from_numpy(np.ascontiguousarray(points)).double(), vertices, mesh.faces.cpu()
    )
    distances: np.ndarray = found.distances.numpy()
    return distances


def _diagonal(reference: Reference) -> float:
    points = (
        reference.points
        if reference.mesh is None
        else reference.mesh.vertices.detach().double().cpu().numpy()
    )
    assert points is not None
    length = float(np.linalg.norm(np.ptp(points, axis=0)))
    if not length > 0:
        raise ValueError(
            f"{reference.name}: expected a reference with an extent, all its points are in one place"
        )
    return length
