"""Distant light as spherical harmonics: what diffuse surfaces see of their surroundings."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..images.environment_maps import read_array_map, read_image_map

# Eigenvalues of convolution with the clamped cosine, divided by pi, for the degrees 0 to 4 (Ramamoorthi and
# Hanrahan 2001, eq. 8: pi, 2 pi/3, pi/4, 0, -pi/24).
COSINE_LOBE = (1.0, 2.0 / 3.0, 1.0 / 4.0, 0.0, -1.0 / 24.0)
MAX_ORDER = 4
_BAND = 2**18  # pixels of a map at a time: the harmonics of each take nine numbers and more


def spherical_harmonics(directions: Float[Tensor, "N 3"], order: int) -> Float[Tensor, "N K"]:
    """Real orthonormal spherical harmonics up to a degree, K = (order + 1)².

    Parameters
    ----------
    directions : (N, 3) float
        Unit vectors.
    order : int
        Highest degree, 0 to 4.

    Returns
    -------
    (N, K) float
        Ordered by degree l, then by m = -l..l. Differentiable, polynomials in the components.
    """
    if not 0 <= order <= MAX_ORDER:
        raise ValueError(f"order: expected 0 to {MAX_ORDER}, got {order}")
    x, y, z = directions.unbind(-1)
    # P(l, m): associated Legendre functions without sin^m, which the polynomials c_m and s_m in x, y carry.
    cos_part, sin_part = [torch.ones_like(x)], [torch.zeros_like(x)]
    for _ in range(order):
        cos_part.append(x * cos_part[-1] - y * sin_part[-1])
        sin_part.append(x * sin_part[-1] + y * cos_part[-2])
    legendre: dict[tuple[int, int], Tensor] = {(0, 0): torch.ones_like(z)}
    for m in range(order + 1):
        if m > 0:
            legendre[m, m] = (2 * m - 1) * legendre[m - 1, m - 1]
        if m < order:
            legendre[m + 1, m] = (2 * m + 1) * z * legendre[m, m]
        for degree in range(m + 2, order + 1):
            last, before = legendre[degree - 1, m], legendre[degree - 2, m]
            legendre[degree, m] = ((2 * degree - 1) * z * last - (degree + m - 1) * before) / (degree - m)
    columns = []
    for degree in range(order + 1):
        for m in range(-degree, degree + 1):
            a = abs(m)
            ratio = math.factorial(degree - a) / math.factorial(degree + a)
            norm = math.sqrt((2 * degree + 1) / (4 * math.pi) * ratio * (1 if m == 0 else 2))
            columns.append(norm * legendre[degree, a] * (cos_part[a] if m >= 0 else sin_part[a]))
    return torch.stack(columns, dim=-1)


@dataclass(frozen=True)
class SphericalHarmonicsLight:
    """Distant light on diffuse surfaces, without shadows.

    Attributes
    ----------
    coefficients : (K, 3) float
        Of the *shading*, irradiance / pi, linear RGB: light of radiance 1 from everywhere shades a white
        surface with 1. K = (order + 1)².

    References
    ----------
    Ramamoorthi, Hanrahan: An Efficient Representation for Irradiance Environment Maps. SIGGRAPH 2001.
    """

    coefficients: Tensor

    def __post_init__(self) -> None:
        k = self.coefficients.shape[0]
        if self.coefficients.dim() != 2 or math.isqrt(k) ** 2 != k or self.coefficients.shape[1] != 3:
            raise ValueError(
                f"coefficients: expected (1, 4, 9, 16 or 25, 3), got {tuple(self.coefficients.shape)}"
            )

    @property
    def order(self) -> int:
        """Highest degree."""
        return math.isqrt(len(self.coefficients)) - 1

    @classmethod
    def ambient(cls, order: int = 2, *, device: torch.device | str | None = None) -> SphericalHarmonicsLight:
        """White light of radiance 1 from everywhere."""
        coefficients = torch.zeros((order + 1) ** 2, 3, device=device)
        coefficients[0] = math.sqrt(4 * math.pi)
        return cls(coefficients)

    def __call__(self, normals: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
        """Shading at unit normals; may fall below zero a little where a strong light turns away."""
        return spherical_harmonics(normals, self.order) @ self.coefficients.to(normals.dtype)


def from_environment_map(radiance: Float[Tensor, "H W 3"], *, order: int = 2) -> SphericalHarmonicsLight:
    """The light of an environment map, convolved with the cosine of diffuse reflection.

    Parameters
    ----------
    radiance : (H, W, 3) float
        Linear RGB, latitude-longitude: the top row is +Z (up), the middle column +X, and columns run towards +Y
        on the left (counter-clockwise seen from above is leftwards, as one who stands inside sees it).
    order : int
        Highest degree kept, 0 to 4. Degree 2 holds 99 % of a diffuse surface's shading.

    Examples
    --------
    >>> light = from_environment_map(torch.ones(128, 256, 3, dtype=torch.float64))
    >>> normal = torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64)
    >>> [round(float(x), 3) for x in light(normal)[0]]
    [1.0, 1.0, 1.0]
    """
    if radiance.dim() != 3 or radiance.shape[2] != 3 or 0 in radiance.shape:
        raise ValueError(f"radiance: expected (H, W, 3), got {tuple(radiance.shape)}")
    height, width, _ = radiance.shape
    like: dict[str, Any] = {"dtype": radiance.dtype, "device": radiance.device}
    polar = (torch.arange(height, **like) + 0.5) * math.pi / height
    azimuth = math.pi - (torch.arange(width, **like) + 0.5) * 2 * math.pi / width
    ring = polar.sin()[:, None]
    weight = ring * (4 * math.pi / (ring.sum() * width))  # exact for a constant map at any size
    coefficients = torch.zeros((order + 1) ** 2, 3, **like)
    rows = max(1, _BAND // width)
    for band in (slice(top, top + rows) for top in range(0, height, rows)):
        if not bool(torch.isfinite(radiance[band]).all()):
            raise ValueError(
                "radiance: expected finite numbers, got some that are not; clip the map's brightest pixels?"
            )
        parts = [
            ring[band] * azimuth.cos(),
            ring[band] * azimuth.sin(),
            polar[band].cos()[:, None].expand(-1, width),
        ]
        basis = spherical_harmonics(torch.stack(parts, dim=-1).reshape(-1, 3), order)
        coefficients += basis.T @ (radiance[band] * weight[band, :, None]).reshape(-1, 3)
    lobe = [COSINE_LOBE[degree] for degree in range(order + 1) for _ in range(2 * degree + 1)]
    return SphericalHarmonicsLight(coefficients * torch.tensor(lobe, **like)[:, None])


def load_light(path: str | os.PathLike[str], *, order: int = 2) -> SphericalHarmonicsLight:
    """Known light from a file: ``.npy`` (linear float radiance, (H, W, 3)) or an 8-bit image (sRGB).

    Raises
    ------
    ValueError, OSError
        If the file is missing, unreadable, or of another shape.
    """
    file = Path(path)
    if not file.exists():
        raise FileNotFoundError(f"light: expected an environment map, there is no file {file}")
    try:
        radiance = read_array_map(file) if file.suffix == ".npy" else read_image_map(file)
    except ValueError as error:
        raise ValueError(f"light: {error}") from error
    return from_environment_map(torch.from_numpy(radiance), order=order)
