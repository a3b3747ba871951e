"""Where the object is that photographs without masks show, and what it stands on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.special import bdtrc
from torch import Tensor

from ...cameras.model import Cameras
from ...cameras.upright import up_of_cameras
from ...constants import DEFAULTS, Structure
from ..carving.bounds import meeting_point
from ..views import Ball, Views

_TRIALS = 1000


@dataclass(frozen=True)
class Support:
    """The plane that an object stands on: points x with ``normal @ x = height``, the object above.

    Attributes
    ----------
    normal : (3,) float64 array
        Up, of unit length.
    height : float
    share : float
        Of the points near the object, so many lie in the plane.
    """

    normal: np.ndarray
    height: float
    share: float

    def above(self, points: np.ndarray) -> np.ndarray:
        """(N,) how far points (N, 3) are above the plane."""
        far: np.ndarray = points @ self.normal - self.height
        return far


def object_ball(views: Views, points: Tensor | None, constants: Structure = DEFAULTS.structure) -> Ball:
    """A ball around what the cameras look at.

    Its middle is the point that is nearest to the middles of all photographs, and it fits into most of them. Where
    points of surfaces stand above the plane of a table in it, it becomes as small as these allow.

    Parameters
    ----------
    views : Views
        Every pixel may show the object.
    points : (N, 3) tensor, optional
        Of surfaces, in the scene's coordinates.
    constants : Structure, optional

    Raises
    ------
    ValueError
        Where the cameras do not look at one place.
    """
    middle = meeting_point(views)
    if middle is None:
        raise ValueError(
            "views: all cameras look the same way, so no place is what they look at; walk around the object, or give "
            "masks"
        )
    first = Ball(torch.from_numpy(middle), _half_of(views.cameras, middle))
    if points is None:
        return first
    support = support_plane(views, points, first, constants)
    inside = points.numpy()[first.depth(points.numpy()) > 0]
    if support is not None:
        inside = inside[support.above(inside) > constants.flat * first.radius]
    if len(inside) < constants.fewest:
        return first
    reach = np.quantile(np.linalg.norm(inside - middle, axis=1), constants.held)
    return replace(first, radius=min(float(reach) * constants.spare, first.radius))


def _half_of(cameras: Cameras, middle: np.ndarray) -> float:
    """The radius of a ball that fits between the borders of half of the photographs."""
    k = cameras.intrinsics.detach().double().cpu().numpy()
    distance = np.linalg.norm(cameras.centers.detach().double().cpu().numpy() - middle, axis=1)
    tangents = np.minimum(cameras.width / k[:, 0, 0], cameras.height / k[:, 1, 1]) / 2
    return float(np.median(distance * np.sin(np.arctan(tangents))))


def support_plane(
    views: Views, points: Tensor, ball: Ball, constants: Structure = DEFAULTS.structure
) -> Support | None:
    """The plane below an object that holds most points around it; None where there is none.

    Of the planes through three of the points it is the one that most points in the ball lie in, if it lies roughly
    level, and hardly any point lies below it: a table hides what is under it. More points lie in it than if they were
    as dense at all heights above it, to the highest point or a radius, as those of a sphere are: less than one plane
    would hold so many by chance.

    Parameters
    ----------
    views : Views
        Their cameras tell which way is up, roughly.
    points : (N, 3) tensor
    ball : Ball
        Around the object.
    constants : Structure, optional

    Notes
    -----
    Deterministic: 1,000 trials of one seed.

    References
    ----------
    Fischler, Bolles: Random sample consensus. Communications of the ACM 24(6), 1981. Desolneux, Moisan, Morel:
    Meaningful Alignments. IJCV 40(1), 2000.
    """
    xyz = points.numpy()
    near = xyz[ball.depth(xyz) > -ball.radius]  # a table reaches beyond the object
    if len(near) < constants.fewest:
        return None
    up = up_of_cameras(views.cameras).numpy()
    # Low points more often: a table may hold few of all.
    chance = np.random.default_rng(0).random((_TRIALS, 3)) ** 2
    drawn = (near @ up).argsort()[(chance * len(near)).astype(np.int64)]
    a, b, c = near[drawn].transpose(1, 0, 2)
    normals = np.cross(b - a, c - a)
    length = np.linalg.norm(normals, axis=1)
    normals = normals[length > 0] / length[length > 0, None]
    heights = (normals * a[length > 0]).sum(axis=1)
    sign = np.where(normals @ up < 0, -1.0, 1.0)
    normals, heights = sign[:, None] * normals, sign * heights
    level = normals @ up > np.cos(np.radians(constants.level))
    normals, heights = normals[level], heights[level]
    thick = constants.flat * ball.radius
    far = near @ normals.T - heights  # (N, trials)
    held = (np.abs(far) < thick).mean(axis=0)
    below = (far < -2 * thick).mean(axis=0)
    score = np.where(below <= constants.below, held, 0.0)
    if not len(score):
        return None
    best = int(score.argmax())
    slab = 2 * thick / max(float(far[:, best].max()), ball.radius)
    if _TRIALS * bdtrc(round(score[best] * len(near)) - 1, len(near), slab) >= 1:
        return None
    plane = near[np.abs(far[:, best]) < thick]
    normal = np.linalg.svd(plane - plane.mean(axis=0))[2][2]
    normal = normal if normal @ up > 0 else -normal
    return Support(normal, float(normal @ plane.mean(axis=0)), float(score.max()))
