"""Depths, hull or sphere: which start is nearest to the object, with its holes and parts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...constants import DEFAULTS, Carving, Patches
from ...mesh.mesh import Mesh
from ...scenes.carving.cones import cones_of
from ...scenes.carving.evidence import views_with_holes
from ...scenes.carving.inscribed import inscribed_sphere
from ...scenes.from_photographs.object import Support
from ...scenes.views import Views
from ..frame import Frame
from .fused import carved_by_photographs
from .hull import CELLS, Hull, carved_hull, cut_off, remeshed
from .sphere import sphere_within


@dataclass(frozen=True)
class Start:
    """Where a reconstruction starts.

    Attributes
    ----------
    mesh : Mesh
        In the scene's coordinates.
    kind : {"sphere", "hull", "depths"}
    reason : str
        Why, in half a sentence with numbers.
    """

    mesh: Mesh
    kind: str
    reason: str


def choose_start(
    views: Views,
    center: Tensor,
    radius: float,
    *,
    cells: int = CELLS,
    sphere: bool = True,
    constants: Carving = DEFAULTS.carving,
    patches: Patches | None = DEFAULTS.patches,
    support: Support | None = None,
) -> Start:
    """The masks' hull, carved by depths that photographs confirm to one another; else the hull itself, or a sphere.

    Where most photographs agree better over the carved hull than over the hull, it is the start: it has the object's
    cavities. The two have to differ by more than rounding to the hull's grid makes of them (squared, a twelfth of a
    squared cell in the mean); else the carved one has only sharper creases, which no object has. Without that it is a
    sphere where the object is one piece without holes, else the hull, because a surface keeps its topology. Where most
    photographs cut the object off, too, it is the hull: few outlines are left to pull a sphere into shape. And where
    masks were found by colours, for a sphere leaves a web where they join what stands apart.

    Where few views look between two parts of the object, the carved hull may have handles that the object does not
    have. `visual_hull` breaks them: it takes off the parts that no view confirms. A hole counts only if some mask
    shows background inside the object.

    Parameters
    ----------
    views : Views
    center, radius
        ``bounding_sphere(views)``.
    cells : int
        Cells along each side of the carved grid; see `visual_hull`.
    sphere : bool
        Whether it may be a sphere.
    constants : Carving, optional
    patches : Patches, optional
        None for a start by the masks alone.
    support : Support, optional
        The hull ends there. It goes on below a table where no photograph shows the side.

    Raises
    ------
    ValueError
        As `visual_hull`.

    Notes
    -----
    For 40 views on one core the sphere takes about 3 seconds, a hull with handles or several parts about 8, depths 5 to
    20 more.
    """
    hull = carved_hull(views, center, radius, cells=cells, constants=constants)
    if support is not None:
        hull = cut_off(hull, support.above(hull.grid.points()), constants)
    if patches is not None:
        carved = _carved(hull, views, center, radius, constants, patches, finer=False)
        if carved is not None:
            reason = "inside the masks, at depths that photographs confirm to one another"
            return Start(remeshed(carved, patches.detailed), "depths", reason)
    if not sphere:
        return Start(remeshed(hull), "hull", "masks that were found by colours may join what stands apart")
    return _by_masks(hull, views, center, radius, constants)


def depths_start(
    views: Views,
    center: Tensor,
    radius: float,
    *,
    cells: int = CELLS,
    constants: Carving = DEFAULTS.carving,
    patches: Patches = DEFAULTS.patches,
) -> Mesh:
    """The masks' hull, carved by depths that photographs confirm to one another; arguments as for `choose_start`.

    Raises
    ------
    ValueError
        Where most photographs don't agree better over it than over the hull; and as `visual_hull`.
    """
    hull = carved_hull(views, center, radius, cells=cells, constants=constants)
    found = _carved(hull, views, center, radius, constants, patches)
    if found is None:
        raise ValueError(
            "init: photographs confirm no depths over which most of them agree better than over the masks' hull; "
            "start from auto, hull or sphere"
        )
    return remeshed(found, patches.detailed)


def _carved(
    hull: Hull,
    views: Views,
    center: Tensor,
    radius: float,
    constants: Carving,
    patches: Patches,
    *,
    finer: bool = True,
) -> Hull | None:
    """See `carved_by_photographs`."""
    frame = Frame(center.double().cpu(), radius, torch.device("cpu"))
    return carved_by_photographs(hull, views, frame, finer=finer, constants=constants, patches=patches)


def _by_masks(hull: Hull, views: Views, center: Tensor, radius: float, constants: Carving) -> Start:
    """Sphere or hull."""
    holes = views_with_holes(views, constants)
    seen = f"{holes} of {len(views)} masks show background inside the object"
    cones = cones_of(views)
    cut = sum(cone.open for cone in cones)
    if 2 * cut >= len(views):
        reason = f"{cut} of {len(views)} photographs cut the object off: their outlines would not pull a sphere to it"
        return Start(remeshed(hull), "hull", reason)
    if hull.parts == 1 and (hull.genus == 0 or holes == 0):
        middle, inside = inscribed_sphere(views, center, radius, constants, cones=cones)
        # A mean thickness would be no help: the carved hull of a sheet is as thick as its cells and the masks' errors.
        if inside < constants.sheet * radius:
            reason = f"the largest sphere inside the masks is {inside / radius:.0%} of the object: a sheet"
            return Start(remeshed(hull), "hull", reason)
        sphere = sphere_within(middle, inside, constants=constants)
        if holes == 0:
            return Start(
                sphere, "sphere", f"none of {len(views)} masks has a hole, and they carve out one piece"
            )
        return Start(sphere, "sphere", f"{seen}, but what they carve out is one piece without handles")
    shape = "one piece" if hull.parts == 1 else f"{hull.parts} pieces"
    shape += f" with {hull.genus} handle{'s' * (hull.genus != 1)}" if hull.genus else " without handles"
    return Start(remeshed(hull), "hull", f"{seen}, and they carve out {shape}")
