"""DTU's protocol: thinned points of the result, the observation mask, the plane of the table, a cut at 20 mm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.io import loadmat
from scipy.spatial import cKDTree

from .._support.errors import first_line
from .._support.regular_files import check_regular
from ..mesh.mesh import Mesh
from .figures_of_merit import mean_below
from .thinning import sampled, thinned

THINNING = 0.2  # mm
CUT = 20.0  # mm: what is farther is an outlier and is not averaged
MARGIN = 60.0  # mm: how far below the mask's box points of the result still count; above it, twice as far
DRAWN = 2.0  # points for each square of THINNING, before they are thinned


@dataclass(frozen=True)
class Observation:
    """What the scanner of a DTU scan saw: DTU's official ``ObsMask{scan}_10.mat`` and ``Plane{scan}.mat``.

    Attributes
    ----------
    mask : (X, Y, Z) bool
        Voxels in which the scanner's points are to be trusted.
    box : (2, 3) float
        Centres of the first and the last voxel, mm.
    resolution : float
        Side of a voxel, mm.
    plane : (4,) float
        The table: points p of the reference with ``plane @ (p, 1) > 0`` are above it and count.
    """

    mask: np.ndarray
    box: np.ndarray
    resolution: float
    plane: np.ndarray

    def nearby(self, points: Float[np.ndarray, "N 3"]) -> Bool[np.ndarray, " N"]:
        """Which points lie in the mask's box with its margins; others are no part of the scan."""
        inside: np.ndarray = ((points >= self.box[0] - MARGIN) & (points < self.box[1] + 2 * MARGIN)).all(
            axis=1
        )
        return inside

    def observed(self, points: Float[np.ndarray, "N 3"]) -> Bool[np.ndarray, " N"]:
        """Which points lie in a voxel of the mask."""
        voxel = np.around((points - self.box[0]) / self.resolution)
        seen = ((voxel >= 0) & (voxel < self.mask.shape)).all(axis=1)
        x, y, z = voxel[seen].astype(np.int64).T
        seen[seen] = self.mask[x, y, z]
        return seen

    def above_table(self, points: Float[np.ndarray, "N 3"]) -> Bool[np.ndarray, " N"]:
        """Which points count as the object's."""
        above: np.ndarray = points @ self.plane[:3] + self.plane[3] > 0
        return above


def read_observation(folder: Path, scan: int) -> Observation:
    """DTU's official files of a scan, ``ObsMask{scan}_10.mat`` and ``Plane{scan}.mat``, in a folder or its ``ObsMask``.

    Raises
    ------
    FileNotFoundError
        One of them is not there.
    ValueError
        One of them can't be read, or holds something else.
    """
    names = f"ObsMask{scan}_10.mat", f"Plane{scan}.mat"
    places = [place for place in (folder, folder / "ObsMask") if (place / names[0]).is_file()]
    if not places:
        raise FileNotFoundError(f"{folder}: expected DTU's {names[0]} and {names[1]}, found no {names[0]}")
    mask = _variables(places[0] / names[0], ("ObsMask", "BB", "Res"))
    table = _variables(places[0] / names[1], ("P",))
    grid, box, resolution = mask["ObsMask"], mask["BB"], mask["Res"]
    if grid.ndim != 3 or box.shape != (2, 3) or resolution.size != 1 or not float(resolution.ravel()[0]) > 0:
        raise ValueError(
            f"{places[0] / names[0]}: expected ObsMask (X, Y, Z), BB (2, 3) and Res > 0, got {grid.shape}, {box.shape} "
            f"and {resolution.ravel()[:3].tolist()}"
        )
    if table["P"].size != 4:
        raise ValueError(
            f"{places[0] / names[1]}: expected P, the four numbers of a plane, got {table['P'].shape}"
        )
    return Observation(
        grid.astype(bool),
        box.astype(np.float64),
        float(resolution.ravel()[0]),
        table["P"].astype(np.float64).ravel(),
    )


def _variables(file: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Arrays of a MATLAB file."""
    if not file.exists():
        raise FileNotFoundError(f"{file}: no such file; DTU's ObsMask folder has it beside the others")
    check_regular(file)
    try:
        found = loadmat(file, variable_names=names)
    except Exception as error:  # the reader raises whatever a damaged file leads it to
        reason = first_line(error, 100)
        raise ValueError(f"{file}: not a readable .mat file ({reason}); is it complete?") from error
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(f"{file}: expected the variables {', '.join(names)}, it has no {', '.join(missing)}")
    arrays = {name: np.asarray(found[name]) for name in names}
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
            raise ValueError(f"{file}: {name}: expected finite numbers, got {array.dtype}")
    return arrays


@dataclass(frozen=True)
class DtuDistances:
    """The three numbers of DTU's tables, mm; smaller is better.

    Attributes
    ----------
    accuracy : float
        Mean distance of the result's points, thinned and inside the observation mask, to the nearest reference point.
    completeness : float
        Mean distance of the reference's points above the table to the nearest of the result's.
    chamfer : float
        The mean of both.
    outliers, missing : float
        Shares of the points that are farther than the cut, and so count for nothing above.
    points, reference_points : int
        How many were measured.
    masked : bool
        Whether the mask and the plane were used.
    """

    accuracy: float
    completeness: float
    chamfer: float
    outliers: float
    missing: float
    points: int
    reference_points: int
    masked: bool


def dtu_distances(
    mesh: Mesh,
    reference: Float[np.ndarray, "N 3"],
    observation: Observation | None = None,
    *,
    generator: torch.Generator | None = None,
) -> DtuDistances:
    """Accuracy, completeness and their mean, as DTU's tables have them.

    Parameters
    ----------
    mesh : Mesh
        In DTU's coordinates, mm.
    reference : (N, 3) float
        Points of the structured-light scan (``stl{scan}_total.ply``), taken as they are.
    observation : Observation, optional
        The scan's mask and plane; without, all points count.
    generator : torch.Generator, optional
        Draws points and their order. By default a new one with seed 0.

    Returns
    -------
    DtuDistances

    Raises
    ------
    ValueError
        A surface without an area, no reference points, or no point left to measure.

    References
    ----------
    Aanæs, Jensen, Vogiatzis, Tola, Dahl: Large-Scale Data for Multiple-View Stereopsis. IJCV 2016.
    """
    if len(reference) == 0:
        raise ValueError("reference: expected at least one point, got none")
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    points = sampled(mesh, THINNING / math.sqrt(DRAWN), generator=generator)
    if observation is not None:
        points = points[observation.nearby(points)]
    points = points[thinned(points, THINNING, generator=generator)]
    judged, wanted = points, reference
    if observation is not None:
        judged = points[observation.observed(points)]
        wanted = reference[observation.above_table(reference)]
    if len(judged) == 0 or len(wanted) == 0:
        what = "result inside the observation mask" if len(judged) == 0 else "reference above the plane"
        raise ValueError(
            f"mesh: expected a surface in DTU's coordinates (mm, those of world_mat), got no point of the {what}"
        )
    to, _ = cKDTree(reference).query(judged, distance_upper_bound=CUT)  # inf where farther
    back, _ = cKDTree(points).query(wanted, distance_upper_bound=CUT)
    accuracy, completeness = mean_below(to, CUT), mean_below(back, CUT)
    return DtuDistances(
        accuracy,
        completeness,
        (accuracy + completeness) / 2,
        outliers=float(np.mean(~(to < CUT))),
        missing=float(np.mean(~(back < CUT))),
        points=len(judged),
        reference_points=len(wanted),
        masked=observation is not None,
    )
