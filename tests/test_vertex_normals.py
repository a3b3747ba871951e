"""Vertex normals by kernels are those by torch's operations, with all their derivatives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from largesteps_zg.geometry import vertex_normals
from largesteps_zg.geometry.normal_operations import normals_by_operations


@pytest.fixture(params=[1, 3])
def threads(request, monkeypatch) -> int:
    monkeypatch.setattr(torch, "get_num_threads", lambda: request.param)
    return request.param


def soup(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Faces that share vertices at random; the last two vertices have none."""
    vertices = torch.randn(32, 3, generator=generator, dtype=torch.float64)
    return vertices, torch.randint(30, (100, 3), generator=generator)


@pytest.mark.parametrize("kind", [torch.int64, torch.int32])
def test_values_and_gradients_are_those_of_operations(threads, kind, generator) -> None:
    vertices, faces = soup(generator)
    weights, found = torch.randn(32, 3, generator=generator, dtype=torch.float64), []
    for way in (vertex_normals, normals_by_operations):
        moved = vertices.clone().requires_grad_()
        normals = way(moved, faces.to(kind))
        (normals * weights).sum().backward()
        found.append((normals.detach(), moved.grad))
    torch.testing.assert_close(found[0], found[1], rtol=1e-12, atol=1e-12)
    assert not found[0][0][30:].any()


def test_second_derivatives_are_those_of_finite_differences(generator) -> None:
    vertices = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    faces = torch.tensor([[0, 1, 2], [0, 3, 1], [2, 1, 3]])
    assert torch.autograd.gradgradcheck(lambda v: vertex_normals(v, faces), vertices.requires_grad_())


def test_transforms_find_the_same_derivatives(generator) -> None:
    vertices, faces = soup(generator)
    direction = torch.randn(vertices.shape, generator=generator, dtype=torch.float64)

    def normals(v: Tensor) -> Tensor:
        return vertex_normals(v, faces)

    expected = torch.autograd.functional.jvp(normals, vertices, direction)[1]
    torch.testing.assert_close(torch.func.jvp(normals, (vertices,), (direction,))[1], expected)
    jacobian = torch.autograd.functional.jacobian(normals, vertices, vectorize=True)
    torch.testing.assert_close(torch.einsum("abcd,cd->ab", jacobian, direction), expected)


def test_faces_out_of_range_are_refused(generator) -> None:
    vertices, faces = soup(generator)
    with pytest.raises(ValueError, match=r"faces: expected indices in \[0, 29\)"):
        vertex_normals(vertices[:29], faces)
