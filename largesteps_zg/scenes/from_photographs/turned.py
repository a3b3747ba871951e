"""Cameras of photographs of what turned before one camera at rest: one place for all, and an angle for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import bsr_array, coo_array, csc_array, diags
from scipy.spatial.transform import Rotation

from ...cameras.model import Cameras
from ...cameras.turning import axis_of, see_an_axis_alike
from ...constants import Structure

_ROUNDS, _SETTLED = 60, 1e-6
_SHARED = 8  # the logarithm of the focal length, the distortion, and the camera's rotation and place


@dataclass(frozen=True)
class _Seen:
    """What photographs show: photographs and points by number (N,), and pixels (N, 2) from the principal point."""

    photograph: np.ndarray
    point: np.ndarray
    pixels: np.ndarray

    def cost(self, off: np.ndarray) -> float:
        """Cauchy's loss with a scale of a pixel, as in `mapping.settled`."""
        return float(np.log1p((off**2).sum(axis=1)).sum()) / 2


@dataclass(frozen=True)
class _Turntable:
    """A camera, and points that turn about the y axis; as arrays to which a step can be added.

    Attributes
    ----------
    lens : (2,) array
        Logarithm of the focal length, and radial distortion.
    rotation, place : (3, 3) and (3,) arrays
        From the turntable to the camera.
    angles, points : (B,) and (N, 3) arrays
    """

    lens: np.ndarray
    rotation: np.ndarray
    place: np.ndarray
    angles: np.ndarray
    points: np.ndarray

    def turns(self) -> np.ndarray:
        """(B, 3, 3) rotations about the axis."""
        return np.asarray(Rotation.from_rotvec(self.angles[:, None] * np.array([0.0, 1.0, 0.0])).as_matrix())

    def moved(self, step: np.ndarray) -> _Turntable:
        count = len(self.angles)
        return _Turntable(
            self.lens + step[:2],
            Rotation.from_rotvec(step[2:5]).as_matrix() @ self.rotation,
            self.place + step[5:_SHARED],
            self.angles + step[_SHARED : _SHARED + count],
            self.points + step[_SHARED + count :].reshape(-1, 3),
        )

    def off(self, seen: _Seen) -> tuple[np.ndarray, csc_array]:
        """(N, 2) how far points are from where they are seen, and derivatives of that by a step."""
        turns = self.turns()[seen.photograph]
        turned = (turns @ self.points[seen.point, :, None])[..., 0]
        before = turned @ self.rotation.T
        at = before + self.place
        flat = at[:, :2] / at[:, 2:]
        focal, square = np.exp(self.lens[0]), (flat**2).sum(axis=1)
        bent = (1.0 + self.lens[1] * square)[:, None]
        by_flat = focal * (
            bent[..., None] * np.eye(2) + 2.0 * self.lens[1] * flat[:, :, None] * flat[:, None, :]
        )
        by_at = by_flat @ np.concatenate(
            [np.broadcast_to(np.eye(2), (len(at), 2, 2)), -flat[..., None]], axis=2
        )
        by_at /= at[:, 2, None, None]
        x, y, z = before.T
        none = np.zeros_like(x)
        by_rotation = by_at @ np.array([[none, z, -y], [-z, none, x], [y, -x, none]]).transpose(2, 0, 1)
        by_turned = by_at @ self.rotation
        along = np.stack([turned[:, 2], none, -turned[:, 0]], axis=1)
        shared = [
            focal * (bent * flat)[..., None],
            focal * (square[:, None] * flat)[..., None],
            by_rotation,
            by_at,
        ]
        values = np.concatenate([*shared, by_turned @ along[..., None], by_turned @ turns], axis=2)
        first = _SHARED + len(self.angles)
        columns = np.concatenate([
            np.broadcast_to(np.arange(_SHARED), (len(at), _SHARED)), _SHARED + seen.photograph[:, None],
            first + 3 * seen.point[:, None] + np.arange(3),
        ], axis=1)  # fmt: skip
        rows = np.arange(values[..., 0].size).reshape(-1, 2)
        where = (
            np.broadcast_to(rows[..., None], values.shape),
            np.broadcast_to(columns[:, None], values.shape),
        )
        shape = rows.size, first + self.points.size
        matrix = coo_array((values.ravel(), (where[0].ravel(), where[1].ravel())), shape=shape)
        return focal * bent * flat - seen.pixels, csc_array(matrix)


def turned(model: Any, constants: Structure, pycolmap: Any) -> bool:
    """Adjust a model in place to one camera at rest before what turns, if that is likelier; whether it is.

    A camera for each photograph has six numbers, and an angle is one. So weak points do not pull the lens, and the
    focal length, which a turntable tells worse than a walk, comes right. It is likelier by Schwarz's criterion: the
    loss grows by less than half the logarithm of how many numbers were seen, for each that is not needed.

    References
    ----------
    Schwarz: Estimating the dimension of a model. Annals of Statistics 6(2), 1978. Triggs, McLauchlan, Hartley,
    Fitzgibbon: Bundle adjustment, a modern synthesis. Vision Algorithms, 2000.
    """
    cameras = {model.images[image].camera_id for image in model.reg_image_ids()}
    images = [model.images[image] for image in sorted(model.reg_image_ids())]
    if len(cameras) != 1 or model.cameras[min(cameras)].model_name != "SIMPLE_RADIAL":
        return False
    camera = model.cameras[min(cameras)]
    poses = np.array([image.cam_from_world().matrix() for image in images])
    if not _alike(poses, constants):
        return False
    numbers = {image.image_id: index for index, image in enumerate(images)}
    places = list(model.points3D)
    rows = [
        (numbers[element.image_id], index, *model.images[element.image_id].points2D[element.point2D_idx].xy)
        for index, place in enumerate(places)
        for element in model.points3D[place].track.elements
    ]
    observed = np.array(rows)
    focal, *middle, bent = camera.params
    seen = _Seen(observed[:, 0].astype(np.int64), observed[:, 1].astype(np.int64), observed[:, 2:] - middle)
    points = np.array([model.points3D[place].xyz for place in places])
    at = (poses[seen.photograph, :, :3] @ points[seen.point, :, None])[..., 0] + poses[seen.photograph, :, 3]
    flat = at[:, :2] / at[:, 2:]
    free = focal * (1.0 + bent * (flat**2).sum(axis=1))[:, None] * flat - seen.pixels
    start, frame, foot, size = _start(poses, points, np.array([np.log(focal), bent]))
    found = _adjusted(start, seen)
    more = seen.cost(found.off(seen)[0]) - seen.cost(free)
    noise = (1.4826 * np.median(np.abs(free))) ** 2
    if more / noise > 0.5 * (5 * len(images) - 10) * np.log(free.size):
        return False
    camera.params = np.array([np.exp(found.lens[0]), *middle, found.lens[1]])
    for image, turn in zip(images, found.rotation @ found.turns() @ frame, strict=True):
        pose = pycolmap.Rigid3d(pycolmap.Rotation3d(turn), size * found.place - turn @ foot)
        image.frame.set_cam_from_world(camera.camera_id, pose)
    for place, point in zip(places, size * found.points @ frame + foot, strict=True):
        model.points3D[place].xyz = point
    model.update_point_3d_errors()
    return True


def _alike(poses: np.ndarray, constants: Structure) -> bool:
    matrices = torch.eye(4, dtype=torch.float64).repeat(len(poses), 1, 1)
    matrices[:, :3] = torch.from_numpy(poses)
    intrinsics = torch.eye(3, dtype=torch.float64).expand(len(poses), 3, 3)
    return see_an_axis_alike(Cameras(matrices, intrinsics, 1, 1), constants)


def _start(
    poses: np.ndarray, points: np.ndarray, lens: np.ndarray
) -> tuple[_Turntable, np.ndarray, np.ndarray, float]:
    """The turntable nearest to poses (B, 3, 4); its axes in the world (3, 3), its foot (3,), and its unit."""
    turns = poses[:, :, :3]
    axis, foot, places = axis_of(turns, poses[:, :, 3])
    place = np.median(places, axis=0)
    size = float(np.linalg.norm(place))
    side = np.cross(axis, np.eye(3)[np.abs(axis).argmin()])
    side /= np.linalg.norm(side)
    frame = np.stack([side, axis, np.cross(side, axis)])
    own = turns @ frame.T
    relative = own[0].T @ own
    angles = np.arctan2(relative[:, 0, 2], relative[:, 0, 0])
    back = Rotation.from_rotvec(-angles[:, None] * np.array([0.0, 1.0, 0.0])).as_matrix()
    rotation = Rotation.from_matrix(own @ back).mean().as_matrix()
    made = _Turntable(lens, rotation, place / size, angles, (points - foot) @ frame.T / size)
    return made, frame, foot, size


def _adjusted(table: _Turntable, seen: _Seen) -> _Turntable:
    """By Levenberg's and Marquardt's steps."""
    off, matrix = table.off(seen)
    cost, damping = seen.cost(off), 1e-3
    for _ in range(_ROUNDS):
        weight = np.repeat(1.0 / (1.0 + (off**2).sum(axis=1)), 2)
        weighed = csc_array(diags(weight)) @ matrix
        normal, slope = csc_array(matrix.T @ weighed), weighed.T @ off.reshape(-1)
        while True:
            damped = normal + csc_array(diags(damping * normal.diagonal() + 1e-9))
            new = table.moved(_solved(csc_array(damped), -slope, _SHARED + len(table.angles)))
            off, matrix = new.off(seen)
            after = seen.cost(off)
            if after <= cost or damping > 1e6:
                break
            damping *= 4.0
        if after > cost:
            return table
        table, gained, cost, damping = new, cost - after, after, max(damping / 5.0, 1e-9)
        if gained < _SETTLED * cost:
            break
    return table


def _solved(normal: csc_array, right: np.ndarray, first: int) -> np.ndarray:
    """The solution of normal equations in which, after the first unknowns, each three are a point that meets no other.

    So points are eliminated, three by three, and what is left is small and dense.
    """
    border, corner = normal[:first, first:], normal[first:, first:].tocoo()
    blocks = np.zeros((corner.shape[0] // 3, 3, 3))
    blocks[corner.row // 3, corner.row % 3, corner.col % 3] = corner.data
    every = np.arange(len(blocks) + 1)
    inverse = bsr_array((np.linalg.inv(blocks), every[:-1], every), shape=corner.shape)
    through = csc_array(border @ inverse)
    left = normal[:first, :first].toarray() - (through @ border.T).toarray()
    shared = np.linalg.solve(left, right[:first] - through @ right[first:])
    found: np.ndarray = np.concatenate([shared, inverse @ (right[first:] - border.T @ shared)])
    return found
