"""Cameras that are slightly off: a correction for each view, found along with the shape."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .._support.trial import Trial
from ..constants import DEFAULTS, Correcting
from ..mesh.shapes import icosphere
from ..optimize import RowAdam
from .alignment import carried
from .evidence import Evidence
from .model import Cameras


class CameraCorrections:
    """Corrections of the run's cameras: for each a rotation and a shift, and a factor of all focal lengths.

    With R and t as given, in a world whose origin is the object's centre::

        R' = C R        t' = t + |t| s        K' = diag(f, f, 1) K about the principal point

    C turns the camera around the object, not around itself, so that it leaves the object where it is in the image, and
    s alone moves it there: the two do not fight. A step of f moves the cameras away by the same factor, so that the
    object keeps its size in the image and only the perspective changes. What moves all cameras alike (rotation, shift
    and scale of the world) no image tells; `step` takes it out, so that the result stays where the given cameras see
    it, and returns it, since the surface has to follow.

    Parameters
    ----------
    cameras : Cameras
        As given, all of the run's, the object's centre at the origin.
    focal : bool
        Correct the focal length too.
    always : bool
        Move cameras whatever the evidence says.
    constants : Correcting, optional

    Attributes
    ----------
    trial : Trial
        Cameras move while it is running.
    evidence : Evidence
        What speaks for them that had no part in finding them.
    found : float or None
        `pixels` when it was decided about them; None if they never moved.

    Raises
    ------
    ValueError
        Fewer than 3 cameras, or a camera at the object's centre.
    """

    def __init__(
        self,
        cameras: Cameras,
        *,
        focal: bool = True,
        always: bool = False,
        constants: Correcting = DEFAULTS.correcting,
    ) -> None:
        self.constants, least = constants, constants.least_views
        if len(cameras) < least:
            raise ValueError(
                f"refine cameras: expected at least {least} views, got {len(cameras)}; leave it off"
            )
        self.given = cameras.to(dtype=torch.float64)
        self.distance = self.given.world_to_camera[:, :3, 3].norm(dim=1)  # (N,)
        if not bool((self.distance > 0).all()):
            raise ValueError("refine cameras: a camera is at the object's centre; leave it off")
        like = self.given.world_to_camera
        self.turns = torch.eye(3).to(like).repeat(len(cameras), 1, 1)  # (N, 3, 3)
        self.shifts, self.log_focal = like.new_zeros(len(cameras), 3), like.new_zeros(1)
        self._ball = constants.ball * icosphere(0, dtype=torch.float64).vertices.to(like.device)
        self.refines_focal, self._always = focal, always
        self._adams = {
            name: RowAdam(rows, size, device=like.device)
            for name, rows, size in (("turns", len(cameras), 3), ("shifts", len(cameras), 3), ("focal", 1, 1))
        }
        self.trial = Trial(constants.start, constants.decide)
        self.evidence = Evidence()
        self.found: float | None = None
        self._tangent: tuple[Tensor, Tensor, Tensor] | None = None
        self._index: Tensor | None = None

    @classmethod
    def between(
        cls, given: Cameras, found: Cameras, constants: Correcting = DEFAULTS.correcting
    ) -> CameraCorrections:
        """Those that lead from given cameras, the object's centre at the origin, to others of theirs; kept."""
        made = cls(given, constants=constants)
        made._become(found.to(dtype=torch.float64))
        made.log_focal += (found.intrinsics[:, 0, 0] / given.intrinsics[:, 0, 0]).double().log().mean()
        made.found = made.pixels()
        made.trial.settle(keep=True)
        return made

    def __len__(self) -> int:
        return len(self.given)

    @property
    def wanted(self) -> bool:
        """Whether evidence favours them, or nobody asks for it."""
        return self._always or self.evidence.favours

    def judge(self) -> None:
        """Keep the corrections, or drop them where evidence speaks against them or they come to nothing."""
        self.found = self.pixels()
        if self.wanted and self.found >= self.constants.least:
            self.trial.settle(keep=True)
        else:
            self.drop()

    def drop(self) -> None:
        """All cameras are as they were given, for good."""
        self.trial.settle(keep=False)
        self.turns.copy_(torch.eye(3))
        self.shifts.zero_()
        self.log_focal.zero_()

    def proposed(self, moves: Float[Tensor, "N 6"]) -> Cameras:
        """All given cameras turned (radians) and shifted (distances), less what moves all of them alike."""
        return self._in_place(displaced(self.given, moves))[0]

    def apply(self, cameras: Cameras, index: Int[Tensor, " B"]) -> Cameras:
        """The corrected cameras of some views, differentiable for `step`.

        Parameters
        ----------
        cameras : Cameras
            The given ones of these views; they decide the type and the size.
        index : (B,)
            Which of the run's views they are.
        """
        like = cameras.world_to_camera
        turn, shift = (like.new_zeros(len(index), 3).requires_grad_() for _ in range(2))
        focal = like.new_zeros(1).requires_grad_(self.refines_focal)
        self._tangent, self._index = (turn, shift, focal), index
        made = self.moved(cameras, index)
        x = made.world_to_camera
        # (1 + [w]) R: exact to first order, which is all that a derivative at w = 0 takes.
        rotation = x[:, :3, :3] + _cross(turn) @ x[:, :3, :3]
        # The derivative of a zoom that is made up for by the distance.
        away = 1 + focal - focal.detach()
        translation = away * x[:, :3, 3] + self.distance[index].to(like)[:, None] * shift
        moved = torch.cat([torch.cat([rotation, translation[..., None]], dim=-1), x[:, 3:]], dim=1)
        return made.unchecked(moved, _zoomed(made.intrinsics, focal))

    def moved(self, cameras: Cameras, index: Int[Tensor, " B"]) -> Cameras:
        """As `apply`, without derivatives."""
        like = cameras.world_to_camera
        made = self._corrected(index).to(like.device, like.dtype)
        while made.height > cameras.height:  # those of smaller images
            made = made.halved()
        return made

    @torch.no_grad()
    def step(self, factor: float) -> tuple[Float[Tensor, "3 3"], float, Float[Tensor, " 3"]]:
        """Follow the gradient that the last `apply` got, and take out what moves all cameras alike.

        Parameters
        ----------
        factor : float
            On the step sizes, in (0, 1].

        Returns
        -------
        Q, s, q
            What was taken out: a point X of the surface has become ``s Q X + q``.
        """
        assert self._tangent is not None and self._index is not None
        index, (turn, shift, focal) = self._index, self._tangent
        assert turn.grad is not None and shift.grad is not None
        w = -factor * self.constants.step * self._adams["turns"].direction(turn.grad, index)
        self.turns[index] = torch.linalg.matrix_exp(_cross(w)) @ self.turns[index]
        self.shifts[index] -= (
            factor * self.constants.step * self._adams["shifts"].direction(shift.grad, index)
        )
        if focal.grad is not None:
            only = torch.zeros(1, dtype=torch.long, device=focal.device)
            zoom = (
                -factor
                * self.constants.focal_step
                * self._adams["focal"].direction(focal.grad[None], only)[0]
            )
            self.log_focal += zoom
            away = zoom.exp() * (self.given.world_to_camera[:, :3, 3] + self.distance[:, None] * self.shifts)
            self.shifts = (away - self.given.world_to_camera[:, :3, 3]) / self.distance[:, None]
        self._tangent = None
        return self._fix_gauge()

    def gradients(self) -> list[Tensor]:
        """What the last `apply` got, for those who look for numbers that are not finite."""
        return [part.grad for part in self._tangent or () if part.grad is not None]

    def cameras(self) -> Cameras:
        """All cameras, corrected, float64."""
        return self._corrected(torch.arange(len(self), device=self.turns.device))

    def pixels(self) -> float:
        """By how much the corrections move the object's image: root mean square over views and points of a ball.

        In the unit of the intrinsics; the ball has 0.6 times the radius of the scene.
        """
        return self.pixels_from(self.given)

    def pixels_from(self, cameras: Cameras) -> float:
        """By how much the run's cameras see the object elsewhere than others in their places; see `pixels`."""
        moved = self.cameras().project(self._ball)[0] - cameras.project(self._ball)[0]  # (N, 12, 2)
        return float(moved.square().sum(-1).mean().sqrt())

    def mean(self, cameras: Cameras, weights: Float[Tensor, "B N"]) -> Cameras:
        """Other cameras, float64, each with a weighted mean of the corrections; each row of the weights comes to 1."""
        u, _, vt = torch.linalg.svd(torch.einsum("bn,nij->bij", weights, self.turns))
        return _moved(cameras, u @ vt, weights @ self.shifts, self.log_focal)

    def report(self) -> list[dict[str, float]]:
        """For each view: by how much it turned, its centre moved, and its focal length changed.

        Returns
        -------
        list of dict
            ``rotation_degrees``, of the viewing directions; ``shift_percent``, of the distance to the object;
            ``focal_percent``.
        """
        moved = self.cameras().centers - self.given.centers
        shifts = 100 * moved.norm(dim=1) / self.distance
        # From the antisymmetric part: the cosine would lose small angles to rounding.
        sines = (
            torch.stack([self.turns[:, i, j] - self.turns[:, j, i] for i, j in ((2, 1), (0, 2), (1, 0))], 1)
            / 2
        )
        cosines = (self.turns.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
        degrees = torch.rad2deg(torch.atan2(sines.norm(dim=1), cosines))
        focal = 100 * (math.exp(float(self.log_focal)) - 1)
        return [
            {"rotation_degrees": turn, "shift_percent": shift, "focal_percent": focal}
            for turn, shift in zip(degrees.tolist(), shifts.tolist(), strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        """All that later steps depend on."""
        adams = {name: adam.state_dict() for name, adam in self._adams.items()}
        return {
            "turns": self.turns,
            "shifts": self.shifts,
            "log_focal": self.log_focal,
            "adams": adams,
            "trial": self.trial.state_dict(),
            "evidence": self.evidence.as_rows(),
            "found": self.found,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        for name in ("turns", "shifts", "log_focal"):
            getattr(self, name).copy_(state[name])
        self.trial.load_state_dict(state["trial"])
        self.evidence = Evidence.of_rows(state["evidence"])
        self.found = None if state["found"] is None else float(state["found"])
        for name, adam in self._adams.items():
            adam.load_state_dict(state["adams"][name])

    def _corrected(self, index: Tensor) -> Cameras:
        return _moved(self.given[index], self.turns[index], self.shifts[index], self.log_focal)

    def _fix_gauge(self) -> tuple[Tensor, float, Tensor]:
        """Move all corrected cameras alike, so that a ball in the middle is seen where the given ones see it."""
        moved, turn, scale, shift = self._in_place(self.cameras())
        self._become(moved)
        return turn, scale, shift

    def _become(self, cameras: Cameras) -> None:
        """Take the turns and shifts that lead there."""
        x, given = cameras.world_to_camera, self.given.world_to_camera
        # The inverse, since rotations read from files are rounded: what their transposes leave would add up.
        self.turns = x[:, :3, :3] @ torch.linalg.inv(given[:, :3, :3])
        self.shifts = (x[:, :3, 3] - given[:, :3, 3]) / self.distance[:, None]

    def _in_place(self, now: Cameras) -> tuple[Cameras, Tensor, float, Tensor]:
        """Cameras moved alike, so that they see a ball in the middle where the given ones do; and by which motion."""
        turn, scale, shift = motion_in_images(now, self.given, self._ball)
        return carried(now, turn, scale, shift), turn, scale, shift


def corrections_of(
    cameras: Cameras, choice: str, *, reached: bool, constants: Correcting = DEFAULTS.correcting
) -> CameraCorrections | None:
    """Of a run's cameras, or none.

    Parameters
    ----------
    cameras : Cameras
    choice : {"auto", "on", "off"}
        "auto" has none where they cannot be found.
    reached : bool
        Whether gradients reach cameras.
    constants : Correcting, optional

    Raises
    ------
    ValueError
        For "on" where cameras are too few, or at the object's centre.
    """
    if choice == "off" or (choice == "auto" and not (reached and len(cameras) >= constants.least_views)):
        return None
    return CameraCorrections(cameras, always=choice == "on", constants=constants)


def motion_in_images(
    cameras: Cameras, given: Cameras, points: Float[Tensor, "P 3"]
) -> tuple[Float[Tensor, "3 3"], float, Float[Tensor, " 3"]]:
    """Q, s, q: cameras that see ``s Q X + q`` as `cameras` see X see the points where `given` do, as well as they can.

    Least squares over pixels, by a few steps of Gauss and Newton: the world moves little.
    """
    turn, scale, shift = torch.eye(3).to(points), 1.0, torch.zeros(3).to(points)
    wanted = given.project(points)[0]  # (N, P, 2)
    for _ in range(3):
        moved = (points - shift) @ turn / scale  # what `cameras` see there
        seen, depth = cameras.project(moved)
        homogeneous = cameras.intrinsics @ cameras.world_to_camera[:, :3, :3]  # (N, 3, 3)
        top, low = homogeneous[:, None, :2], homogeneous[:, None, 2:]
        slopes = (top - seen[..., None] * low) / depth[..., None, None]  # (N, P, 2, 3), of pixels by `moved`
        turning = slopes @ -_cross(moved)
        growing = slopes @ moved[..., None]
        columns = torch.cat([turning, growing, slopes], dim=-1).flatten(0, 2)  # (2NP, 7)
        step = torch.linalg.solve(columns.T @ columns, columns.T @ (wanted - seen).flatten())
        # moved -> (1 + step) moved, so that the world takes the inverse first.
        own_turn, own_scale = torch.linalg.matrix_exp(_cross(step[:3])), float(step[3].exp())
        shift = shift - scale * turn @ own_turn.T @ step[4:] / own_scale
        turn, scale = turn @ own_turn.T, scale / own_scale
    return turn, scale, shift


def displaced(cameras: Cameras, moves: Float[Tensor, "B 6"]) -> Cameras:
    """Cameras, each turned about the object (radians) and shifted (distances to it)."""
    turns = torch.linalg.matrix_exp(_cross(moves[:, :3]))
    return _moved(cameras, turns, moves[:, 3:], moves.new_zeros(1))


def _moved(cameras: Cameras, turns: Tensor, shifts: Tensor, log_focal: Tensor) -> Cameras:
    """Cameras with a correction each; shifts in distances to the object."""
    made = cameras.world_to_camera.clone()
    made[:, :3, :3] = turns @ made[:, :3, :3]
    made[:, :3, 3] += made[:, :3, 3].norm(dim=1, keepdim=True) * shifts
    return cameras.unchecked(made, _zoomed(cameras.intrinsics, log_focal))


def _cross(vectors: Tensor) -> Tensor:
    """(B, 3, 3): the matrices of the cross products with (B, 3) vectors."""
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))


def _zoomed(intrinsics: Tensor, log_factor: Tensor) -> Tensor:
    """Intrinsics with the focal lengths times a factor; principal points stay."""
    factor = torch.ones_like(intrinsics)
    factor[:, :2, :2] = log_factor.to(intrinsics).exp()
    return intrinsics * factor
