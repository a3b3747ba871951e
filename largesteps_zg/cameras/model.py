"""Cameras: a batch of pinhole cameras, and the checks that keep wrong ones out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

# Largest entry of |R^T R - I|. Files that print three decimals stay below it, a scale or a shear does not.
ROTATION_TOLERANCE = 2e-3
# Distances are squared, and in 32 bits on the way to an image.
_FARTHEST = float(torch.finfo(torch.float32).max) ** 0.5


@dataclass(frozen=True)
class Cameras:
    """Pinhole cameras, OpenCV inside: x right, y down, z forward; all of one image size.

    A point X of the world lies at `x = R X + t` in camera space and at `(u, v, 1) ~ K x` in the image, in pixels
    from the top left corner of the image, so that the centre of the first pixel is (0.5, 0.5).

    Attributes
    ----------
    world_to_camera : (B, 4, 4) float tensor
        [R t; 0 1] with R a rotation; the world's units.
    intrinsics : (B, 3, 3) float tensor
        K = [fx s cx; 0 fy cy; 0 0 1] in pixels; s, the skew, is nearly always 0.
    height, width : int
        Size of the images in pixels.

    Raises
    ------
    ValueError
        Wrong shapes, non-finite numbers, a matrix that is not a rotation (how far, and which camera), a mirrored
        one, a focal length or an image size that is not positive. Say `cameras[i]` and what to do about it.

    Notes
    -----
    Differentiable in `world_to_camera` and `intrinsics`. The checks run where a user builds cameras, not where
    methods derive new ones from them.
    """

    world_to_camera: Tensor
    intrinsics: Tensor
    height: int
    width: int

    def __post_init__(self) -> None:
        check_cameras(self.world_to_camera, self.intrinsics, self.height, self.width)

    def __len__(self) -> int:
        return len(self.world_to_camera)

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> Cameras:
        """Some of the cameras, always as a batch: `cameras[3]` holds one camera."""
        if isinstance(index, int):
            if not -len(self) <= index < len(self):
                raise IndexError(f"index: expected a camera in [{-len(self)}, {len(self)}), got {index}")
            index = [index]
        return self.unchecked(self.world_to_camera[index], self.intrinsics[index])

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Cameras:
        """The same cameras on another device, or with another type of floats."""
        return self.unchecked(
            self.world_to_camera.to(device=device, dtype=dtype),
            self.intrinsics.to(device=device, dtype=dtype),
        )

    @property
    def centers(self) -> Float[Tensor, "B 3"]:
        """Centres of projection in the world, -R^-1 t."""
        # The inverse and not the transpose: files round, and the transpose of a rounded rotation misses by |t|.
        inverse = torch.linalg.inv(self.world_to_camera[:, :3, :3])
        return -(inverse @ self.world_to_camera[:, :3, 3:])[..., 0]

    @property
    def forward(self) -> Float[Tensor, "B 3"]:
        """Viewing directions in the world, of unit length."""
        return torch.nn.functional.normalize(self.world_to_camera[:, 2, :3], dim=-1)

    def project(
        self, points: Float[Tensor, "V 3"] | Float[Tensor, "B V 3"]
    ) -> tuple[Float[Tensor, "B V 2"], Float[Tensor, "B V"]]:
        """Pixels and depths of points of the world.

        Parameters
        ----------
        points : (V, 3) or (B, V, 3) float tensor
            Seen by all cameras, or a set for each.

        Returns
        -------
        pixels : (B, V, 2)
            (u, v) from the top left corner. Only meaningful where the depth is positive: a point behind the camera
            is imaged upside down, and one at depth 0 is infinite.
        depth : (B, V)
            Along the viewing direction (not along the ray), in the world's units.
        """
        rotation = self.world_to_camera[:, :3, :3]
        x = points @ rotation.mT + self.world_to_camera[:, None, :3, 3]  # (B, V, 3)
        image = x @ self.intrinsics.mT
        return image[..., :2] / image[..., 2:], x[..., 2]

    def clip_from_world(self, near: float = 0.01, far: float = 100.0) -> Float[Tensor, "B 4 4"]:
        """Clip-space matrices for a rasterizer: OpenGL's, except that y points down, so that row 0 is the top.

        After the division by w, x = -1 and 1 are the left and right borders of the image, y = -1 and 1 its *top* and
        bottom, z = -1 and 1 the near and far planes; w is the depth.

        Parameters
        ----------
        near, far : float
            Distances of the planes, 0 < near < far, in the world's units.
        """
        if not 0 < near < far:
            raise ValueError(f"near, far: expected 0 < near < far, got {near} and {far}")
        k = self.intrinsics
        # u = (x + 1) / 2 * width, so x * depth = 2 / width * (first row of K) . point - depth; y likewise.
        clip = torch.zeros_like(self.world_to_camera)
        depth_row = torch.tensor([0.0, 0.0, 1.0], device=k.device, dtype=k.dtype)
        clip[:, 0, :3] = 2 / self.width * k[:, 0] - depth_row
        clip[:, 1, :3] = 2 / self.height * k[:, 1] - depth_row
        clip[:, 2, 2] = (far + near) / (far - near)
        clip[:, 2, 3] = -2 * far * near / (far - near)
        clip[:, 3, 2] = 1
        return clip @ self.world_to_camera

    def resized(self, height: int, width: int) -> Cameras:
        """Cameras of the same images at another size; the borders of the image stay where they are."""
        _check_size(height, width)
        # Pixels are counted from the corner of the image, so a resize is a plain scaling, without half-pixel terms.
        factors = self.intrinsics.new_tensor([width / self.width, height / self.height, 1.0])
        return self.unchecked(self.world_to_camera, factors[:, None] * self.intrinsics, height, width)

    def halved(self) -> Cameras:
        """Cameras of the same images at half the size; the last row or column of an odd number is left out."""
        # Pixels are counted from the corner, so this is a plain scaling, whatever was left out at the end.
        factors = self.intrinsics.new_tensor([0.5, 0.5, 1.0])[:, None]
        return self.unchecked(
            self.world_to_camera, factors * self.intrinsics, self.height // 2, self.width // 2
        )

    def transformed(self, scale: float, shift: Float[Tensor, " 3"] | Sequence[float]) -> Cameras:
        """Cameras of the world x' = scale (x - shift), which take the same images of it.

        Depths are multiplied by `scale` too. Used to bring a scene into the unit sphere, and, with `1 / scale` and
        `-scale * shift`, back.
        """
        if not scale > 0 or scale == float("inf"):
            raise ValueError(f"scale: expected a finite number > 0, got {scale}")
        rotation, translation = self.world_to_camera[:, :3, :3], self.world_to_camera[:, :3, 3]
        offset = torch.as_tensor(shift, device=translation.device, dtype=translation.dtype)
        # R (x' / scale + shift) + t, times scale
        return self.unchecked(rigid(rotation, scale * (rotation @ offset + translation)), self.intrinsics)

    def unchecked(
        self, world_to_camera: Tensor, intrinsics: Tensor, height: int | None = None, width: int | None = None
    ) -> Cameras:
        """New cameras from valid ones, without the checks: those make a GPU wait, and batches are taken every step."""
        cameras = object.__new__(Cameras)
        object.__setattr__(cameras, "world_to_camera", world_to_camera)
        object.__setattr__(cameras, "intrinsics", intrinsics)
        object.__setattr__(cameras, "height", self.height if height is None else height)
        object.__setattr__(cameras, "width", self.width if width is None else width)
        return cameras


def rigid(rotation: Float[Tensor, "*B 3 3"], translation: Float[Tensor, "*B 3"]) -> Float[Tensor, "*B 4 4"]:
    """[R t; 0 1], differentiable in both."""
    last = rotation.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*rotation.shape[:-2], 1, 4)
    return torch.cat([torch.cat([rotation, translation[..., None]], dim=-1), last], dim=-2)


def rotation_fault(rotation: Tensor) -> tuple[int, str] | None:
    """The first of the (B, 3, 3) matrices that is not a rotation, and what it is instead; None where all are."""
    rotation = rotation.detach().to(device="cpu", dtype=torch.float64)
    bad = ~torch.isfinite(rotation).flatten(1).all(dim=1)
    if bad.any():
        return int(bad.nonzero()[0]), "has numbers that are not finite"
    gram = rotation.mT @ rotation
    deviation = (gram - torch.eye(3, dtype=gram.dtype)).abs().amax(dim=(1, 2))  # (B,)
    off = ~(deviation <= ROTATION_TOLERANCE)  # also where products of huge numbers are not numbers any more
    if off.any():
        index = int(off.nonzero()[0])
        size = float(gram[index].diagonal().mean().sqrt())
        scaled = (gram[index] / max(size, 1e-30) ** 2 - torch.eye(3, dtype=gram.dtype)).abs().max()
        remedy = f"it is a rotation times {size:.4g}; divide by that" if scaled <= ROTATION_TOLERANCE else ""
        remedy = remedy or "are rows and columns, or other numbers, mixed up?"
        return (
            index,
            f"is not a rotation (R^T R differs from the identity by {deviation[index]:.3g}): {remedy}",
        )
    mirrored = torch.linalg.det(rotation) < 0
    if mirrored.any():
        remedy = "one axis is flipped; name the convention with from_opengl, from_mitsuba or from_pytorch3d"
        return int(mirrored.nonzero()[0]), f"mirrors the world (determinant -1, expected 1): {remedy}"
    return None


def check_cameras(world_to_camera: Tensor, intrinsics: Tensor, height: int, width: int) -> None:
    """ValueError, in one line, for what is no batch of cameras."""
    count = len(world_to_camera) if world_to_camera.ndim else 0
    for name, matrix, shape in (
        ("world_to_camera", world_to_camera, (4, 4)),
        ("intrinsics", intrinsics, (3, 3)),
    ):
        if matrix.ndim != 3 or tuple(matrix.shape[1:]) != shape or not matrix.is_floating_point():
            got = f"{matrix.dtype} of shape {tuple(matrix.shape)}"
            raise ValueError(f"{name}: expected floats of shape (B, {shape[0]}, {shape[1]}), got {got}")
    if len(intrinsics) != count:
        raise ValueError(
            f"intrinsics: expected one matrix per camera ({count}), got {len(intrinsics)}; use .expand(B, 3, 3)"
        )
    _check_size(height, width)
    matrices = world_to_camera.detach().to(device="cpu", dtype=torch.float64)
    for index in (~torch.isfinite(matrices).flatten(1).all(dim=1)).nonzero()[:1, 0].tolist():
        raise ValueError(f"cameras[{index}]: world_to_camera has numbers that are not finite")
    fault = rotation_fault(matrices[:, :3, :3])
    if fault is not None:
        raise ValueError(f"cameras[{fault[0]}]: world_to_camera {fault[1]}")
    last = matrices.new_tensor([0.0, 0.0, 0.0, 1.0])
    for index in ((matrices[:, 3] - last).abs().amax(dim=1) > 1e-6).nonzero()[:1, 0].tolist():
        raise ValueError(
            f"cameras[{index}]: expected the last row of world_to_camera to be 0 0 0 1, got "
            f"{matrices[index, 3].tolist()}; is the matrix transposed?"
        )
    for index in (matrices[:, :3, 3].abs().amax(dim=1) > _FARTHEST).nonzero()[:1, 0].tolist():
        raise ValueError(
            f"cameras[{index}]: world_to_camera has the translation {matrices[index, :3, 3].tolist()}, "
            f"expected less than {_FARTHEST:.2g}, whose square a 32-bit number holds; is the file damaged?"
        )
    _check_intrinsics(intrinsics.detach().to(device="cpu", dtype=torch.float64))


def _check_size(height: int, width: int) -> None:
    for name, value in (("height", height), ("width", width)):
        if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
            raise ValueError(f"{name}: expected a whole number of pixels > 0, got {value!r}")


def _check_intrinsics(k: Tensor) -> None:
    """ValueError for (B, 3, 3) matrices that are not upper triangular with positive focal lengths and a last 1."""
    for index in (~torch.isfinite(k).flatten(1).all(dim=1)).nonzero()[:1, 0].tolist():
        raise ValueError(f"cameras[{index}]: intrinsics have numbers that are not finite")
    for index in ((k[:, 0, 0] <= 0) | (k[:, 1, 1] <= 0)).nonzero()[:1, 0].tolist():
        focal = f"{k[index, 0, 0]:.6g} and {k[index, 1, 1]:.6g}"
        raise ValueError(
            f"cameras[{index}]: expected focal lengths > 0 pixels, got {focal}; "
            "flipped axes belong in the rotation (from_opengl and the other conversions do that)"
        )
    below = torch.stack([k[:, 1, 0], k[:, 2, 0], k[:, 2, 1], k[:, 2, 2] - 1], dim=1)
    for index in (below.abs().amax(dim=1) > 1e-6).nonzero()[:1, 0].tolist():
        raise ValueError(
            f"cameras[{index}]: expected intrinsics [fx s cx; 0 fy cy; 0 0 1], got "
            f"{[[round(entry, 6) for entry in row] for row in k[index].tolist()]}; divide by the last entry?"
        )
