"""Means of neighbours, against loops."""

from __future__ import annotations

import torch

from largesteps_zg.geometry import edges
from largesteps_zg.geometry.neighbors import neighbors
from largesteps_zg.mesh import icosphere


def test_sums_and_means_agree_with_loops(generator: torch.Generator) -> None:
    ball = icosphere(1)
    count = len(ball.vertices) + 1  # the last has no neighbours
    beside: list[set[int]] = [set() for _ in range(count)]
    for face in ball.faces.tolist():
        for vertex in face:
            beside[vertex] |= set(face) - {vertex}
    found = neighbors(edges(ball.faces), count)
    assert found.degree.tolist() == [len(others) for others in beside]
    for shape in ((), (3,), (2, 2)):
        values = torch.randn(count, *shape, generator=generator, dtype=torch.float64)
        total, mean = found.sum(values), found.mean(values)
        some = torch.rand(count, generator=generator) < 0.5
        part = found.of(some)
        for vertex, others in enumerate(beside):
            expected = sum((values[other] for other in others), torch.zeros(shape, dtype=torch.float64))
            torch.testing.assert_close(total[vertex], expected)
            torch.testing.assert_close(mean[vertex], expected / max(len(others), 1))
            torch.testing.assert_close(part.mean(values)[vertex], mean[vertex] * some[vertex])
            assert int(part.degree[vertex]) == len(others) * bool(some[vertex])


def test_means_are_differentiable(generator: torch.Generator) -> None:
    ball = icosphere(0)
    found = neighbors(edges(ball.faces), len(ball.vertices))
    assert torch.autograd.gradcheck(found.mean, ball.vertices.double().requires_grad_())
