"""Spherical harmonics by their orthonormality, environment maps against the integral they stand for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scene_files import deep_png

from largesteps_zg.renderers import SphericalHarmonicsLight, load_light
from largesteps_zg.renderers.light import MAX_ORDER, from_environment_map, spherical_harmonics


def quadrature() -> tuple[torch.Tensor, torch.Tensor]:
    """(N, 3) directions and (N,) weights that integrate polynomials of degree 19 over the sphere exactly."""
    nodes, weights = np.polynomial.legendre.leggauss(10)
    azimuth = (np.arange(20) + 0.5) * 2 * math.pi / 20
    z, a = (part.ravel() for part in np.meshgrid(nodes, azimuth, indexing="ij"))
    ring = np.sqrt(1 - z**2)
    directions = np.stack([ring * np.cos(a), ring * np.sin(a), z], axis=1)
    return torch.from_numpy(directions), torch.from_numpy(np.repeat(weights, 20) * 2 * math.pi / 20)


@pytest.mark.parametrize("order", range(MAX_ORDER + 1))
def test_harmonics_are_orthonormal(order):
    directions, weights = quadrature()
    basis = spherical_harmonics(directions, order)
    gram = basis.T @ (weights[:, None] * basis)
    assert basis.shape[1] == (order + 1) ** 2
    assert torch.allclose(gram, torch.eye(len(gram), dtype=torch.float64), atol=1e-12)


def test_harmonics_of_degree_one_are_the_coordinates():
    directions, _ = quadrature()
    basis = spherical_harmonics(directions, 1)
    assert torch.allclose(basis[:, 0], torch.full((200,), math.sqrt(1 / (4 * math.pi)), dtype=torch.float64))
    # m = -1, 0, 1: y, z, x.
    assert torch.allclose(basis[:, 1:], math.sqrt(3 / (4 * math.pi)) * directions[:, [1, 2, 0]])


def test_harmonics_are_differentiable(generator):
    directions = torch.randn(5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda d: spherical_harmonics(d, 4), (directions,))


def test_ambient_light_shades_white_with_one(generator):
    normals = torch.nn.functional.normalize(torch.randn(7, 3, generator=generator), dim=1)
    for order in range(MAX_ORDER + 1):
        assert torch.allclose(SphericalHarmonicsLight.ambient(order)(normals), torch.ones(7, 3), atol=1e-6)


def lamps(height: int = 96) -> torch.Tensor:
    """A smooth map with a lamp of each primary colour: red at +X, green at +Y, blue at +Z, per the stated layout."""
    polar = (torch.arange(height, dtype=torch.float64) + 0.5) * math.pi / height
    # Middle column +X; the left quarter +Y; the top row +Z.
    azimuth = math.pi - (torch.arange(2 * height, dtype=torch.float64) + 0.5) * math.pi / height
    z, ring = polar.cos()[:, None].expand(-1, 2 * height), polar.sin()[:, None]
    directions = torch.stack([ring * azimuth.cos(), ring * azimuth.sin(), z], dim=-1)
    return torch.exp(4 * (directions - 1)), directions


def test_shading_is_the_cosine_integral_of_the_map(generator):
    radiance, directions = lamps()
    height = len(radiance)
    weights = directions[..., :2].norm(dim=-1) * (math.pi / height) ** 2
    normals = torch.nn.functional.normalize(
        torch.randn(40, 3, generator=generator, dtype=torch.float64), dim=1
    )
    cosine = (directions.reshape(-1, 3) @ normals.T).clamp(min=0)
    expected = torch.einsum("pn,pc,p->nc", cosine, radiance.reshape(-1, 3), weights.reshape(-1)) / math.pi
    errors = [
        (from_environment_map(radiance, order=order)(normals) - expected).abs().max() for order in (1, 2, 4)
    ]
    assert errors[0] > 0.02 and errors[1] < 0.01 and errors[2] < 0.002


def test_orientation_of_the_map():
    # A single bright pixel: the side that it is on is lit, the other is not.
    for row, column, axis in ((16, 32, (1, 0, 0)), (16, 16, (0, 1, 0)), (0, 5, (0, 0, 1))):
        radiance = torch.zeros(32, 64, 3, dtype=torch.float64)
        radiance[row, column] = 1
        normal = torch.tensor([axis], dtype=torch.float64)
        light = from_environment_map(radiance)
        ratio = light(normal) / light(torch.nn.functional.normalize(torch.ones(1, 3), dim=1).double())
        others = [light(torch.tensor([n], dtype=torch.float64)) for n in ((-axis[0], -axis[1], -axis[2]),)]
        assert (ratio > 1.2).all() and all((light(normal) > 5 * other.abs()).all() for other in others)


def test_lights_are_read_from_files(tmp_path):
    radiance, _ = lamps(16)
    np.save(tmp_path / "map.npy", radiance.numpy())
    found = load_light(tmp_path / "map.npy").coefficients
    assert torch.allclose(found.double(), from_environment_map(radiance).coefficients, atol=1e-5)
    from PIL import Image

    # sRGB 188 is 0.503 in linear light.
    Image.new("RGB", (128, 64), (188, 188, 188)).save(tmp_path / "grey.png")
    shading = load_light(tmp_path / "grey.png")(torch.tensor([[0.0, 0.0, 1.0]]))
    assert torch.allclose(shading, torch.full((1, 3), 0.503), atol=1e-3)


@pytest.mark.parametrize("mode", ["grey", "colour"])
def test_lights_of_sixteen_bits_keep_their_brightness(mode: str, tmp_path):
    values = np.full((64, 128, 3) if mode == "colour" else (64, 128), 188 * 257)  # sRGB 188 as above
    deep_png(tmp_path / "deep.png", values)
    shading = load_light(tmp_path / "deep.png")(torch.tensor([[0.0, 0.0, 1.0]]))
    assert torch.allclose(shading, torch.full((1, 3), 0.503), atol=1e-3)


def test_lights_in_floating_point_are_not_guessed_at(tmp_path):
    from PIL import Image

    Image.new("F", (16, 8), 0.5).save(tmp_path / "float.tif")
    with pytest.raises(
        ValueError, match=r"float\.tif: image cannot be read \(floating-point pixels; expected 8-bit"
    ):
        load_light(tmp_path / "float.tif")


def test_bad_lights_are_refused_in_one_line(unchecked, tmp_path):
    with pytest.raises(ValueError, match=r"^order: expected 0 to 4, got 5$"):
        spherical_harmonics(torch.ones(1, 3), 5)
    with pytest.raises(ValueError, match=r"^coefficients: expected \(1, 4, 9, 16 or 25, 3\), got \(5, 3\)$"):
        SphericalHarmonicsLight(torch.ones(5, 3))
    with pytest.raises(ValueError, match=r"^radiance: expected \(H, W, 3\), got \(4,\)$"):
        from_environment_map(torch.ones(4))
    with pytest.raises(ValueError, match=r"^radiance: expected finite numbers"):
        from_environment_map(torch.full((4, 8, 3), float("inf")))
    with pytest.raises(FileNotFoundError, match=r"^light: expected an environment map, there is no file"):
        load_light(tmp_path / "none.npy")
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(ValueError, match=r"^light: .*text.npy: not a readable"):
        load_light(tmp_path / "text.npy")
    np.save(tmp_path / "flat.npy", np.ones((4, 4)))
    with pytest.raises(ValueError, match=r"^light: .*flat.npy: expected an array \(H, W, 3\), got \(4, 4\)$"):
        load_light(tmp_path / "flat.npy")
