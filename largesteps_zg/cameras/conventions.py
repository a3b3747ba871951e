"""Cameras of other programs, converted by name; docs/conventions.md draws the axes of each.

Every function takes one camera or a batch of them and is differentiable in its tensors. All raise ValueError for
matrices that are not rotations, with the number of the camera.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from .model import Cameras, rigid, rotation_fault


def pinhole(
    fx: float,
    fy: float,
    cx: float,
    cy: float,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "3 3"]:
    """K = [fx 0 cx; 0 fy cy; 0 0 1], in pixels from the top left corner of the image."""
    return torch.tensor([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]], device=device, dtype=dtype)


def from_opengl(
    camera_to_world: Float[Tensor, "*B 4 4"], intrinsics: Float[Tensor, "*K 3 3"], *, height: int, width: int
) -> Cameras:
    """Cameras of OpenGL, Blender, NeRF-synthetic and nerfstudio: x right, y up, looking along -z.

    Parameters
    ----------
    camera_to_world : (4, 4) or (B, 4, 4)
        Columns: right, up and backward axis and centre of the camera, in the world.
    intrinsics : (3, 3) or (B, 3, 3)
        In pixels, y down, the first pixel's centre at (0.5, 0.5), as nerfstudio has them.
    """
    return _from_camera_to_world(
        "camera_to_world", camera_to_world, (1.0, -1.0, -1.0), intrinsics, height, width
    )


def from_colmap(
    quaternion: Float[Tensor, "*B 4"],
    translation: Float[Tensor, "*B 3"],
    intrinsics: Float[Tensor, "*K 3 3"],
    *,
    height: int,
    width: int,
) -> Cameras:
    """Cameras of COLMAP: world to camera, x right, y down, z forward, the first pixel's centre at (0.5, 0.5).

    Parameters
    ----------
    quaternion : (4,) or (B, 4)
        QW QX QY QZ, Hamilton's, of any length but 0.
    translation : (3,) or (B, 3)
        TX TY TZ; not the centre of the camera.
    intrinsics : (3, 3) or (B, 3, 3)
        Of a camera without distortion (PINHOLE or SIMPLE_PINHOLE).
    """
    quaternion = quaternion.reshape(-1, 4)
    length = quaternion.norm(dim=1, keepdim=True)
    for index in (~(length[:, 0] > 0)).nonzero()[:1, 0].tolist():
        raise ValueError(
            f"quaternion: expected four finite numbers, not all 0, got {quaternion[index].tolist()} at camera {index}"
        )
    w, x, y, z = (quaternion / length).unbind(dim=1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], dim=1),
        torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], dim=1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], dim=1),
    ]
    matrices = rigid(torch.stack(rows, dim=1), translation.reshape(-1, 3))
    return Cameras(matrices, _per_camera(intrinsics, len(matrices)), height, width)


def from_opencv(
    rotation: Float[Tensor, "*B N N"] | Float[Tensor, "*B 3 4"],
    translation: Float[Tensor, "*B 3"] | Float[Tensor, "*B 3 1"] | None,
    intrinsics: Float[Tensor, "*K 3 3"],
    *,
    height: int,
    width: int,
) -> Cameras:
    """Cameras of OpenCV: world to camera, x right, y down, z forward, the first pixel's centre at (0, 0).

    The principal point moves by half a pixel, because here that centre is (0.5, 0.5).

    Parameters
    ----------
    rotation : (3, 3) or (B, 3, 3)
        A matrix; `cv2.Rodrigues` makes one of a rotation vector. Or, with `translation=None`, the whole [R t] as
        (3, 4), (B, 3, 4), (4, 4) or (B, 4, 4).
    translation : (3,) or (B, 3), optional
        Not the centre of the camera.
    intrinsics : (3, 3) or (B, 3, 3)
        As calibrated by OpenCV, without distortion.
    """
    if translation is None:
        if rotation.shape[-1] != 4:
            raise ValueError(f"translation: needed with rotations of shape {tuple(rotation.shape)}, got None")
        rotation, translation = rotation[..., :3, :3], rotation[..., :3, 3]
    elif tuple(rotation.shape[-2:]) != (3, 3):
        raise ValueError(
            f"rotation: expected (3, 3) matrices beside a translation, got {tuple(rotation.shape)}; pass None for it?"
        )
    matrices = rigid(rotation.reshape(-1, 3, 3), translation.reshape(-1, 3))
    return Cameras(matrices, _per_camera(_half_pixel(intrinsics), len(matrices)), height, width)


def from_mitsuba(
    to_world: Float[Tensor, "*B 4 4"],
    *,
    fov_degrees: float,
    fov_axis: str = "x",
    principal_point_offset: tuple[float, float] = (0.0, 0.0),
    height: int,
    width: int,
) -> Cameras:
    """Cameras of Mitsuba's `perspective` sensor: x left, y up, looking along +z.

    Parameters
    ----------
    to_world : (4, 4) or (B, 4, 4)
        Columns: left, up and forward axis and centre of the camera, in the world.
    fov_degrees : float
        In (0, 180).
    fov_axis : {"x", "y", "diagonal", "smaller", "larger"}
        The side of the image that `fov_degrees` spans.
    principal_point_offset : two floats
        Mitsuba's `principal_point_offset_x` and `_y`, as fractions of width and height.
    """
    if not 0 < fov_degrees < 180:
        raise ValueError(f"fov_degrees: expected an angle in (0, 180), got {fov_degrees}")
    sides = {
        "x": width,
        "y": height,
        "diagonal": math.hypot(width, height),
        "smaller": min(width, height),
        "larger": max(width, height),
    }
    if fov_axis not in sides:
        raise ValueError(f"fov_axis: expected one of {', '.join(sides)}, got {fov_axis!r}")
    focal = 0.5 * sides[fov_axis] / math.tan(math.radians(fov_degrees) / 2)
    # The offset moves the window over the film, so the principal point moves the other way within the image.
    cx, cy = (0.5 - principal_point_offset[0]) * width, (0.5 - principal_point_offset[1]) * height
    k = pinhole(focal, focal, cx, cy, device=to_world.device, dtype=to_world.dtype)
    return _from_camera_to_world("to_world", to_world, (-1.0, -1.0, 1.0), k, height, width)


def from_pytorch3d(
    rotation: Float[Tensor, "*B 3 3"],
    translation: Float[Tensor, "*B 3"],
    *,
    focal_length: float | Float[Tensor, "..."],
    principal_point: Sequence[float] | Float[Tensor, "*P 2"] = (0.0, 0.0),
    in_ndc: bool = True,
    height: int,
    width: int,
) -> Cameras:
    """Cameras of PyTorch3D's `PerspectiveCameras`: x left, y up, z forward, and row vectors, X_cam = X R + T.

    Parameters
    ----------
    rotation : (3, 3) or (B, 3, 3)
        R, which multiplies from the right.
    translation : (3,) or (B, 3)
        T.
    focal_length : float, (B,) or (B, 2)
        One number for both axes, or (fx, fy).
    principal_point : (2,) or (B, 2)
    in_ndc : bool
        True: focal length and principal point in normalised coordinates, x left and y up, in which the *shorter*
        side of the image spans [-1, 1]. False: in pixels, x right and y down from the top left corner.
    """
    rotation, translation = rotation.reshape(-1, 3, 3), translation.reshape(-1, 3)
    flip = rotation.new_tensor([-1.0, -1.0, 1.0])
    matrices = rigid(flip[:, None] * rotation.mT, flip * translation)
    count = len(matrices)
    focal = torch.as_tensor(focal_length, device=rotation.device, dtype=rotation.dtype)
    focal = focal[:, None] if focal.ndim == 1 else focal
    focal = focal.expand(count, 2)
    point = torch.as_tensor(principal_point, device=rotation.device, dtype=rotation.dtype).expand(count, 2)
    if in_ndc:
        half = min(height, width) / 2
        focal = half * focal
        point = rotation.new_tensor([width / 2, height / 2]) - half * point
    k = torch.diag_embed(torch.cat([focal, torch.ones_like(focal[:, :1])], dim=1))
    middle = torch.cat([point, torch.zeros_like(point[:, :1])], dim=1)
    k = k + middle[..., None] * rotation.new_tensor([0.0, 0.0, 1.0])
    return Cameras(matrices, k, height, width)


def from_idr(
    world_mat: Float[Tensor, "*B M 4"],
    scale_mat: Float[Tensor, "*S 4 4"] | None = None,
    *,
    height: int,
    width: int,
) -> Cameras:
    """Cameras of IDR, VolSDF and NeuS (`cameras*.npz`), in the coordinates in which the object fills the unit sphere.

    P = world_mat @ scale_mat is cut into K [R t] by an RQ decomposition with a positive diagonal. Axes are OpenCV's;
    those programs cast their rays through whole-numbered pixels, so the principal point moves by half a pixel.

    Parameters
    ----------
    world_mat : (4, 4), (3, 4) or a batch
        Projection matrices of the world, up to a factor of either sign.
    scale_mat : (4, 4) or (B, 4, 4), optional
        From the unit sphere to the world. Without it the cameras are the world's.
    """
    projection = world_mat.reshape(-1, *world_mat.shape[-2:])[:, :3]
    if scale_mat is not None:
        projection = projection @ scale_mat.reshape(-1, 4, 4)
    determinant = torch.linalg.det(projection[:, :, :3])
    for index in (~(determinant.abs() > 0)).nonzero()[:1, 0].tolist():
        raise ValueError(
            f"world_mat: expected a camera with a centre, got a singular matrix at camera {index}"
        )
    # Both P and -P take the same image, but only one of them has a rotation in it.
    projection = projection * determinant.sign()[:, None, None]
    k, rotation = _rq(projection[:, :, :3])
    translation = torch.linalg.solve(k, projection[:, :, 3:])[..., 0]
    # What is left of K's factor belongs to the translation: K [R t] = (K / k33) [R t] k33, and P is homogeneous.
    return Cameras(rigid(rotation, translation), _half_pixel(k / k[:, 2:, 2:]), height, width)


def _rq(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 3, 3) matrices as upper triangular with a positive diagonal times rotation."""
    # Reversed rows turn Q R, which there is a routine for, into R Q: J A = (Q R)^T, so A = (J R^T J) (J Q^T).
    q, r = torch.linalg.qr(matrix.flip(1).mT)
    upper, rotation = r.mT.flip(1, 2), q.mT.flip(1)
    sign = torch.diagonal(upper, dim1=1, dim2=2).sign()
    return upper * sign[:, None, :], rotation * sign[:, :, None]


def _half_pixel(intrinsics: Tensor) -> Tensor:
    """The same K, counted from the corner of the first pixel instead of its centre."""
    return intrinsics + intrinsics.new_tensor([[0.0, 0.0, 0.5], [0.0, 0.0, 0.5], [0.0, 0.0, 0.0]])


def _per_camera(intrinsics: Tensor, count: int) -> Tensor:
    """(3, 3) or (1, 3, 3) repeated; a batch as it is, for Cameras to check."""
    return intrinsics.expand(count, 3, 3) if intrinsics.numel() == 9 else intrinsics


def _from_camera_to_world(
    name: str, matrix: Tensor, flip: tuple[float, float, float], intrinsics: Tensor, height: int, width: int
) -> Cameras:
    """Inverts (B, 4, 4) poses whose axes are `flip` times right, down and forward."""
    matrix = matrix.reshape(-1, 4, 4)
    rotation, center = matrix[:, :3, :3], matrix[:, :3, 3:]
    fault = rotation_fault(rotation)  # before the inverse, which would hide or break on it
    if fault is not None:
        raise ValueError(f"cameras[{fault[0]}]: {name} {fault[1]}")
    inverse = matrix.new_tensor(flip)[:, None] * torch.linalg.inv(rotation)
    world_to_camera = rigid(inverse, -(inverse @ center)[..., 0])
    return Cameras(world_to_camera, _per_camera(intrinsics, len(matrix)), height, width)
