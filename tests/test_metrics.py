"""Distances between surfaces whose values are known by hand, and the soundness of triangles."""

from __future__ import annotations

import math

import pytest
import torch
import trimesh

from largesteps_zg.images import mask_iou, psnr
from largesteps_zg.mesh import (
    Mesh,
    closest_points,
    degenerate_faces,
    flipped,
    flipped_faces,
    icosphere,
    sample_surface,
    surface_distances,
    triangle_quality,
)

QUAD = torch.tensor([[0, 1, 2], [0, 2, 3]])


def square(z: float = 0.0, side: float = 1.0) -> Mesh:
    """A horizontal square from the origin, looking up."""
    return Mesh(torch.tensor([[0.0, 0, z], [side, 0, z], [side, side, z], [0, side, z]]), QUAD)


def test_parallel_squares():
    found = surface_distances(square(0.25), square(), samples=2000)
    for value in (found.chamfer, found.to_reference, found.from_reference, found.hausdorff):
        assert value == pytest.approx(0.25, abs=1e-12)
    assert found.diagonal == pytest.approx(math.sqrt(2))
    assert found.chamfer_permille == pytest.approx(250 / math.sqrt(2))
    assert (found.precision, found.recall, found.f_score) == (0, 0, 0)
    assert found.normal_consistency == pytest.approx(1)


def test_half_a_square_is_precise_but_not_complete():
    # The reference is [0, 2] x [0, 1]; the mesh covers [0, 1] x [0, 1] of it. From the other half the distance
    # is x - 1, on average 1/2, so 1/4 over all; and 1/2 + threshold / 2 of the points are near enough.
    reference = square()
    reference.vertices[1:3, 0] = 2.0
    found = surface_distances(square(), reference, samples=20_000, threshold_fraction=0.01)
    assert found.to_reference == pytest.approx(0, abs=1e-12)
    assert found.from_reference == pytest.approx(0.25, rel=1e-2)
    assert found.chamfer == pytest.approx(0.125, rel=1e-2)
    assert found.hausdorff == pytest.approx(1, abs=2e-2)
    assert found.threshold == pytest.approx(0.01 * math.sqrt(5))
    assert found.precision == 1
    recall = 0.5 + 0.01 * math.sqrt(5) / 2
    assert found.recall == pytest.approx(recall, abs=5e-3)
    assert found.f_score == pytest.approx(2 * recall / (1 + recall), abs=5e-3)


def test_concentric_balls_are_apart_by_the_difference_of_their_radii():
    found = surface_distances(icosphere(4, radius=1.02), icosphere(4), samples=5000)
    assert found.chamfer == pytest.approx(0.02, rel=1e-2)
    # Vertices of an icosphere reach 1 along x, y and z only nearly: the box is 2 wide to a few thousandths.
    assert found.chamfer_permille == pytest.approx(1000 * 0.02 / (2 * math.sqrt(3)), rel=2e-2)
    assert found.normal_consistency > 0.999
    assert (
        found.f_score == 0
        and surface_distances(icosphere(4, radius=1.01), icosphere(4), samples=500).f_score == 1
    )


def test_a_cube_in_a_cube():
    # Centred cubes of sides 1 and 3. From the small one the large is 1 away everywhere. The other way round the
    # distance at (u, v) on a face is |(1, max(|u| - 1/2, 0), max(|v| - 1/2, 0))|, integrated here on a grid.
    small, large = (trimesh.creation.box(extents=[side] * 3) for side in (1.0, 3.0))
    small, large = (Mesh(torch.tensor(m.vertices), torch.tensor(m.faces)) for m in (small, large))
    found = surface_distances(small, large, samples=20_000)
    line = ((torch.arange(1000) + 0.5) / 1000 * 3 - 1.5).abs().sub(0.5).clamp(min=0)
    mean = (1 + line[:, None] ** 2 + line[None, :] ** 2).sqrt().mean().item()
    assert found.to_reference == pytest.approx(1, abs=1e-9)
    assert found.from_reference == pytest.approx(mean, rel=5e-3)
    assert found.hausdorff == pytest.approx(math.sqrt(3), rel=2e-2)


def test_a_surface_against_itself_and_inside_out():
    ball = icosphere(2)
    same = surface_distances(ball, ball, samples=1000)
    assert same.chamfer < 1e-12 and same.f_score == 1 and same.normal_consistency == pytest.approx(1)
    turned = Mesh(ball.vertices, ball.faces.flip(1))
    assert surface_distances(turned, ball, samples=1000).normal_consistency == pytest.approx(-1)


def test_a_sheet_has_no_outside_but_a_ball_with_a_hole_has():
    """A thin plate around a square, both of whose sides are right; and the square turned over."""
    corners = torch.tensor([[x, y, z] for z in (-0.001, 0.001) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))])
    sides = [[0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7]]
    rims = [face for i in range(4) for j in [(i + 1) % 4] for face in ([i, j, j + 4], [i, j + 4, i + 4])]
    plate = Mesh(corners.double(), torch.tensor(sides + rims))
    sheet = Mesh(corners[:4].double(), torch.tensor([[0, 1, 2], [0, 2, 3]]))
    assert surface_distances(plate, sheet, samples=2000).normal_consistency > 0.99
    turned = Mesh(sheet.vertices, sheet.faces.flip(1))
    assert surface_distances(turned, sheet, samples=1000).normal_consistency == pytest.approx(1)
    assert surface_distances(sheet, plate, samples=2000).normal_consistency < 0.6  # a plate has one
    ball = icosphere(2)
    bowl = Mesh(ball.vertices, ball.faces[ball.vertices[ball.faces, 2].mean(1) < 0.5])
    turned = Mesh(bowl.vertices, bowl.faces.flip(1))
    assert surface_distances(turned, bowl, samples=1000).normal_consistency == pytest.approx(-1)


def test_distances_do_not_depend_on_the_tessellation_and_scale_with_the_scene():
    coarse = square()
    fine = (
        trimesh.Trimesh(coarse.vertices.numpy(), coarse.faces.numpy(), process=False).subdivide().subdivide()
    )
    fine = Mesh(torch.tensor(fine.vertices), torch.tensor(fine.faces))
    reference = square(0.1, side=1.5)
    a, b = (surface_distances(m, reference, samples=20_000) for m in (coarse, fine))
    assert a.chamfer == pytest.approx(b.chamfer, rel=5e-3)
    big = [Mesh(m.vertices * 100, m.faces) for m in (coarse, reference)]
    c = surface_distances(*big, samples=20_000)
    assert (c.chamfer, c.chamfer_permille) == pytest.approx((100 * a.chamfer, a.chamfer_permille), rel=1e-5)


def test_the_generator_decides_the_samples():
    pair = (icosphere(1), icosphere(2))
    seeds = [
        surface_distances(*pair, samples=50, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2)
    ]
    assert seeds[0] == seeds[1] != seeds[2]
    assert surface_distances(*pair, samples=50) == surface_distances(*pair, samples=50)


def test_samples_are_spread_by_area(generator):
    # A face of area 3/4, one of no area, one of area 1/4.
    vertices = torch.tensor([[0.0, 0, 0], [1.5, 0, 0], [0, 1, 0], [0, 0, 5], [0.5, 0, 5], [0, 1, 5]])
    faces = torch.tensor([[0, 1, 2], [0, 1, 1], [3, 4, 5]])
    points, of = sample_surface(vertices, faces, 4000, generator=generator)
    assert torch.bincount(of, minlength=3).tolist() == pytest.approx([3000, 0, 1000], abs=1)
    # The mean of a triangle's points is its centroid (0.5, 1/3); one coordinate spreads by 0.35 / sqrt(3000).
    assert points[of == 0].mean(dim=0).tolist() == pytest.approx([0.5, 1 / 3, 0], abs=0.03)


def test_closest_points_agree_with_brute_force(generator):
    ball = icosphere(1, dtype=torch.float64)
    points = 1.5 * torch.randn(200, 3, generator=generator, dtype=torch.float64)
    found = closest_points(points, ball.vertices, ball.faces)
    # Brute force: the nearest of a dense grid of points on each face, never nearer than the exact one.
    steps = torch.linspace(0, 1, 41, dtype=torch.float64)
    u, v = torch.meshgrid(steps, steps, indexing="ij")
    inside = u + v <= 1
    weights = torch.stack([1 - u - v, u, v], dim=-1)[inside]  # (K, 3)
    grid = torch.einsum("kc,fcd->fkd", weights, ball.vertices[ball.faces]).reshape(-1, 3)
    nearest = torch.cdist(points, grid).amin(dim=1)
    assert ((nearest - found.distances) > -1e-9).all() and ((nearest - found.distances) < 0.02).all()
    there = (found.weights[:, :, None] * ball.vertices[ball.faces[found.faces]]).sum(dim=1)
    torch.testing.assert_close((there - points).norm(dim=1), found.distances)


def test_closest_points_on_faces_without_area():
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [5, 5, 5]])
    points = torch.tensor([[1.5, 1, 0], [5.0, 5, 6], [-3.0, 0, 4]])
    found = closest_points(points, vertices, torch.tensor([[0, 1, 2], [3, 3, 3]]))
    assert found.faces.tolist() == [0, 1, 0]
    assert found.distances.tolist() == pytest.approx([1, 1, 5])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: surface_distances(square(), square(), samples=0), "samples: expected at least 1"),
        (
            lambda: surface_distances(square(), square(), threshold_fraction=0.0),
            "threshold_fraction: expected",
        ),
        (lambda: surface_distances(square(side=0.0), square()), "expected a surface with an area"),
        (
            lambda: surface_distances(square(), Mesh(square().vertices, QUAD + 9)),
            "reference: faces: expected indices",
        ),
    ],
)
def test_distances_refuse_in_one_line(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Triangles


def test_quality_of_known_triangles():
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0.5, math.sqrt(3) / 2, 0], [0, 1, 0], [2, 0, 0]])
    quality = triangle_quality(vertices, torch.tensor([[0, 1, 2], [0, 1, 3], [0, 1, 4]]))
    # Right and isosceles: 4 sqrt(3) * 0.5 / (1 + 1 + 2).
    assert quality.tolist() == pytest.approx([1, math.sqrt(3) / 2, 0], abs=1e-6)
    assert degenerate_faces(vertices, torch.tensor([[0, 1, 2], [0, 1, 4], [0, 0, 1]])) == 2


def test_a_face_turned_over_in_a_ball_is_found():
    ball = icosphere(2)
    assert flipped_faces(ball.vertices, ball.faces) == 0
    faces = ball.faces.clone()
    faces[[5, 170]] = faces[[5, 170]].flip(1)
    assert flipped(ball.vertices, faces).nonzero()[:, 0].tolist() == [5, 170]


def test_a_vertex_pushed_across_its_ring_folds_the_sheet():
    # A sheet of 5 x 5 vertices, its middle pushed beyond the ring of six faces around it.
    x, y = torch.meshgrid(torch.arange(5.0), torch.arange(5.0), indexing="ij")
    sheet = torch.stack([x, y, torch.zeros(5, 5)], dim=-1).reshape(-1, 3)
    low = torch.tensor([5 * i + j for i in range(4) for j in range(4)])
    faces = torch.cat([torch.stack([low, low + 5, low + 6], 1), torch.stack([low, low + 6, low + 1], 1)])
    assert flipped_faces(sheet, faces) == 0
    sheet[12] += torch.tensor([1.2, 0.4, 0.0])
    a, b, c = sheet[faces].unbind(dim=1)
    downward = torch.linalg.cross(b - a, c - a)[:, 2] < 0
    assert downward.sum() == 1
    assert torch.equal(flipped(sheet, faces), downward)


def test_sharp_edges_and_borders_are_not_flips():
    box = trimesh.creation.box()
    assert flipped_faces(torch.tensor(box.vertices), torch.tensor(box.faces)) == 0
    assert flipped_faces(square().vertices, QUAD) == 0


# Images


def test_psnr_of_known_differences():
    image = torch.full((2, 4, 4, 3), 0.5)
    assert psnr(image + 0.1, image) == pytest.approx(20, abs=1e-5)
    assert psnr(image, image) == math.inf
    spoiled = image.clone()
    spoiled[:, 0] = 1.5
    mask = torch.ones(2, 4, 4)
    assert psnr(spoiled, image) == pytest.approx(10 * math.log10(4))  # a quarter of the pixels is off by one
    mask[:, 0] = 0
    assert psnr(spoiled, image, mask) == math.inf
    mask[:, 0] = 1 / 3  # weights 4/3 and 12 in 4x4: one part in ten
    assert psnr(spoiled, image, mask) == pytest.approx(10)


def test_mask_iou_of_known_overlaps():
    a, b = torch.zeros(4, 4), torch.zeros(4, 4, dtype=torch.bool)
    assert mask_iou(a, b) == 1
    a[:2], b[1:3] = 0.9, True
    assert mask_iou(a, b) == pytest.approx(4 / 12)
    a[0] = 0.4
    assert mask_iou(a, b) == pytest.approx(4 / 8)


def test_image_metrics_refuse_what_does_not_match():
    with pytest.raises(ValueError, match="image: expected shape"):
        psnr(torch.zeros(2, 2, 3), torch.zeros(2, 3, 3))
    with pytest.raises(ValueError, match="mask: expected shape"):
        psnr(torch.zeros(2, 2, 3), torch.zeros(2, 2, 3), torch.ones(3, 2))
    with pytest.raises(ValueError, match="empty mask"):
        psnr(torch.zeros(2, 2, 3), torch.zeros(2, 2, 3), torch.zeros(2, 2))
    with pytest.raises(ValueError, match="mask: expected shape"):
        mask_iou(torch.zeros(2, 2), torch.zeros(2, 3))
