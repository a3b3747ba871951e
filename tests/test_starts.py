"""Starts: the hull of the masks has the object's holes and parts and no others, and the choice follows from it."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
import torch

from largesteps_zg import meshes
from largesteps_zg.cameras import Cameras, look_at
from largesteps_zg.constants import Carving
from largesteps_zg.geometry import topology
from largesteps_zg.mesh import Mesh, icosphere, load_mesh, surface_distances
from largesteps_zg.reconstruct.starts import choose_start, starting_sphere, visual_hull
from largesteps_zg.reconstruct.starts.hull import carved_hull
from largesteps_zg.scenes import Views, bounding_sphere
from largesteps_zg.scenes.carving.evidence import views_with_holes
from largesteps_zg.scenes.from_photographs.object import Support
from largesteps_zg.scenes.synthetic import scene_from_mesh

CELLS = 48


def views_of(mesh: Mesh, count: int = 12, size: int = 96) -> Views:
    return scene_from_mesh(mesh, views=count, test_views=0, height=size, width=size, up="z").train


@functools.cache
def views_named(name: str, count: int = 12) -> Views:
    return scene_from_mesh(load_mesh(meshes.path(name)), views=count, test_views=0, height=96, width=96).train


def hull_of(views: Views, cells: int = CELLS) -> Mesh:
    return visual_hull(views, *bounding_sphere(views), cells=cells)


def torus(ring: float = 1.0, tube: float = 0.35, count: int = 40) -> Mesh:
    """A ring around the z axis."""
    turn = torch.arange(count) * 2 * math.pi / count
    u, v = torch.meshgrid(turn, turn, indexing="ij")
    out = ring + tube * v.cos()
    vertices = torch.stack([out * u.cos(), out * u.sin(), tube * v.sin()], dim=-1).reshape(-1, 3)
    i, j = torch.meshgrid(torch.arange(count), torch.arange(count), indexing="ij")
    a, b = count * i + j, count * ((i + 1) % count) + j
    c, d = count * ((i + 1) % count) + (j + 1) % count, count * i + (j + 1) % count
    return Mesh(
        vertices, torch.stack([torch.stack([a, b, c], -1), torch.stack([a, c, d], -1)]).reshape(-1, 3)
    )


def two_balls(gap: float) -> Mesh:
    ball = icosphere(3)
    vertices = torch.cat([ball.vertices, ball.vertices + torch.tensor([2.0 + gap, 0.0, 0.0])])
    return Mesh(vertices, torch.cat([ball.faces, ball.faces + len(ball.vertices)]))


@pytest.mark.slow
def test_hull_of_a_ball_is_the_ball():
    """Cones leave a little more than the ball; the error of a grid without distances would be half a cell."""
    ball = icosphere(3)
    views = views_of(ball, 24)
    hull = hull_of(views)
    counts = topology(hull.faces, len(hull.vertices))
    assert (
        counts.watertight and counts.genus == 0 and counts.components == 1 and counts.isolated_vertices == 0
    )
    cell = 2 * 1.06 * bounding_sphere(views)[1] / CELLS
    radii = hull.vertices.norm(dim=1)
    assert abs(float(radii.median()) - 1) < 0.15 * cell
    assert float(radii.min()) > 0.988 - 0.25 * cell  # the middles of the faces are that far in
    assert float(radii.max()) < 1.06


@pytest.mark.slow
@pytest.mark.parametrize(("height", "lowest"), [(-0.5, -0.5), (5.0, -1.0)])
def test_a_hull_ends_at_what_the_object_stands_on(height: float, lowest: float):
    """Where that leaves nothing, it is no such thing."""
    views = views_of(icosphere(4))
    support = Support(np.array([0.0, 0.0, 1.0]), height, 1.0)
    start = choose_start(
        views, *bounding_sphere(views), cells=48, sphere=False, patches=None, support=support
    )
    assert start.kind == "hull" and topology(start.mesh.faces).genus == 0
    low, high = (float(part) for part in torch.aminmax(start.mesh.vertices[:, 2]))
    assert low == pytest.approx(lowest, abs=0.03) and high == pytest.approx(1.0, abs=0.03)
    flat = start.mesh.vertices[:, 2] < low + 0.02
    if height == -0.5:  # a disc, as wide as the ball is there
        assert float(start.mesh.vertices[flat][:, :2].norm(dim=1).max()) == pytest.approx(0.75**0.5, abs=0.05)


def test_hull_moves_and_grows_with_the_scene():
    views = views_named("gear")
    hull = hull_of(views)
    shift = torch.tensor([100.0, -20.0, 3.0], dtype=torch.float64)
    cameras = views.cameras.to(dtype=torch.float64).transformed(1e-3, shift)
    small = hull_of(Views(views.images, cameras, views.names))
    counts = [topology(mesh.faces) for mesh in (hull, small)]
    assert counts[0].genus == counts[1].genus == 1
    back = Mesh(small.vertices * 1e3 + shift, small.faces)
    assert surface_distances(back, hull, samples=2000).chamfer_permille < 1


@pytest.mark.slow
@pytest.mark.parametrize("count", [8, 24])
def test_ring_keeps_its_hole(count: int):
    ring = torus()
    hull = hull_of(views_of(ring, count))
    assert topology(hull.faces).watertight and topology(hull.faces).genus == 1
    assert surface_distances(hull, ring, samples=2000).to_reference < 0.06


@pytest.mark.slow
def test_parts_stay_apart_and_specks_go():
    views = views_of(two_balls(0.5))
    images = views.images.clone()
    # Dust that all views see in one place, two pixels wide.
    pixels, _ = views.cameras.project(torch.tensor([[-0.6, 1.2, 0.9]], dtype=torch.float64))
    for image, (u, v) in zip(images, pixels[:, 0].round().long().tolist(), strict=True):
        image[v - 1 : v + 1, u - 1 : u + 1, 3] = 255
    hull = hull_of(Views(images, views.cameras, views.names))
    assert topology(hull.faces).watertight and topology(hull.faces).components == 2
    start = choose_start(views, *bounding_sphere(views), cells=CELLS)
    assert start.kind == "hull" and "2 pieces without handles" in start.reason
    assert topology(start.mesh.faces).components == 2


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("mug", 8), ("gear", 8), ("gear", 12), ("knot", 40)])
def test_a_hole_through_the_object_chooses_the_hull(name: str, count: int):
    views = views_named(name, count)
    start = choose_start(views, *bounding_sphere(views), cells=64)
    assert start.kind == "hull"
    counts = topology(start.mesh.faces)
    assert counts.watertight and (counts.genus, counts.components) == (1, 1)
    assert f"{views_with_holes(views)} of {count} masks show background inside the object" in start.reason
    assert start.reason.endswith("one piece with 1 handle")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("pebble", 8), ("fennec", 8), ("fennec", 16), ("urchin", 8)])
def test_without_a_hole_it_is_the_sphere(name: str, count: int):
    """Legs, ears and spikes enclose background in some views, and few views leave bridges between them."""
    views = views_named(name, count)
    center, radius = bounding_sphere(views)
    start = choose_start(views, center, radius, cells=64)
    assert start.kind == "sphere"
    assert torch.equal(start.mesh.vertices, starting_sphere(views, center, radius).vertices)
    start = choose_start(views, center, radius, cells=64, sphere=False)
    assert start.kind == "hull" and "found by colours" in start.reason


@pytest.mark.slow
def test_holes_that_a_grid_tears_into_a_sheet_are_closed(monkeypatch):
    """A leaf much thinner than a cell: what no mask shows is no hole, and what one shows stays."""
    views = views_named("leaf")
    where = bounding_sphere(views)
    assert carved_hull(views, *where, cells=64).genus == 0
    assert topology(choose_start(views, *where, cells=64).mesh.faces).genus == 0
    assert carved_hull(views, *where, cells=64, constants=Carving(thickenings=(0.0,))).genus > 0
    monkeypatch.setattr("largesteps_zg.reconstruct.starts.hull.views_with_holes", lambda *_: 1)
    assert carved_hull(views, *where, cells=64).genus > 0


@pytest.mark.slow
def test_masks_that_disagree_are_outvoted():
    """One view of twenty-four that is moved by a tenth of the image would cut the ring in two."""
    views = views_of(torus(), 24)
    images = views.images.clone()
    images[5] = images[5].roll(16, dims=0)
    images[17] = images[17].roll(1, dims=1)
    hull = hull_of(Views(images, views.cameras, views.names))
    assert topology(hull.faces).genus == 1 and topology(hull.faces).components == 1


@pytest.mark.slow
def test_what_a_view_does_not_know_it_does_not_carve():
    ball = icosphere(3)
    views = views_of(ball, 16)
    images, known = views.images.clone(), torch.ones(views.images.shape[:3], dtype=torch.bool)
    known[::2, 48:] = False  # every other photograph ends in the middle of the ball
    images[~known] = 0
    with_known = hull_of(Views(images, views.cameras, views.names, known))
    assert surface_distances(with_known, ball, samples=2000).hausdorff < 0.25
    assert float(with_known.vertices.norm(dim=1).min()) > 0.95


def test_holes_in_masks_are_counted():
    alpha = torch.zeros(4, 40, 40, dtype=torch.uint8)
    alpha[:, 10:30, 10:30] = 255
    alpha[1, 15:20, 15:20] = 0  # a hole
    alpha[2, 15:16, 15:16] = 0  # noise
    alpha[3, 15:20, 10:20] = 0  # a bay
    images = alpha[..., None].repeat(1, 1, 1, 4)
    eye = torch.tensor([[3.0, 0, 0], [0, 3, 0], [-3, 0, 0], [0, -3, 0]])
    cameras: Cameras = look_at(eye, fov_y_degrees=40, height=40, width=40)
    assert views_with_holes(Views(images, cameras, ("a", "b", "c", "d"))) == 1


def test_cells_out_of_range_are_refused():
    views = views_named("pebble", 8)
    with pytest.raises(ValueError, match="cells: expected at least 16"):
        hull_of(views, cells=8)
