"""Depths by sweeping photographs, who confirms them, and the hull that they carve."""

from __future__ import annotations

import functools
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from largesteps_zg.constants import DEFAULTS
from largesteps_zg.geometry import topology
from largesteps_zg.mesh import Mesh, icosphere, surface_distances
from largesteps_zg.rasterizer import edge_table, interpolate, rasterize
from largesteps_zg.reconstruct.frame import Frame
from largesteps_zg.reconstruct.photo_consistency import DepthMap, PhotoConsistency, depth_maps
from largesteps_zg.reconstruct.starts import choose_start, depths_start, visual_hull
from largesteps_zg.reconstruct.starts import fused as carving
from largesteps_zg.reconstruct.starts.fused import _as_simple, _closed, fused
from largesteps_zg.reconstruct.starts.hull import surface_of
from largesteps_zg.renderers.rasterized import depth_images, homogeneous_pixels
from largesteps_zg.scenes import Scene, bounding_sphere
from largesteps_zg.scenes.carving.grid import Grid
from largesteps_zg.scenes.synthetic import scene_from_mesh

CELLS = 48


def bowl(hollow: float = 0.5) -> Mesh:
    """A painted ball with a hollow that no outline shows: so many radii deep, and as wide as a radius."""
    ball = icosphere(6)
    toward = torch.tensor([0.0, 0.0, 1.0])
    depth = hollow * torch.exp(-(1 - ball.vertices @ toward) / 0.08)
    vertices = ball.vertices * (1 - depth)[:, None]
    waves = 10 * torch.randn(16, 3, generator=torch.Generator().manual_seed(0))
    paint = torch.sin(vertices @ waves.T + torch.arange(16)).sum(1, keepdim=True)
    return Mesh(vertices, ball.faces, (0.45 + 0.1 * paint).clamp(0.05, 0.95).expand(-1, 3).contiguous())


@functools.cache
def scene(painted: bool = True) -> Scene:
    mesh = bowl()
    if not painted:
        assert mesh.colors is not None
        mesh = Mesh(mesh.vertices, mesh.faces, torch.full_like(mesh.colors, 0.5))
    return scene_from_mesh(mesh, views=40, test_views=0, height=128, width=128, up="z")


@functools.cache
def compared() -> tuple[PhotoConsistency, Frame]:
    views = scene().train
    center, radius = bounding_sphere(views)
    frame = Frame(center.double(), radius, torch.device("cpu"))
    return PhotoConsistency(views, frame.normalized(views.cameras)), frame


@functools.cache
def swept() -> tuple[PhotoConsistency, dict[int, DepthMap], Frame]:
    term, frame = compared()
    hull = visual_hull(scene().train, *bounding_sphere(scene().train), cells=32)
    return term, depth_maps(term, frame.inside(hull.vertices)), frame


def true_depths(index: int) -> Tensor:
    """(H, W), by the rasterizer; 0 outside."""
    term, maps, frame = swept()
    camera, mesh = term.cameras([index], maps[index].level), scene().mesh
    assert mesh is not None
    vertices, faces = frame.inside(mesh.vertices), mesh.faces.int()
    size = camera.height, camera.width
    fragments = rasterize(homogeneous_pixels(vertices, camera), faces, size, edges=edge_table(faces))
    return depth_images(interpolate(vertices, fragments), fragments, camera)[0]


@pytest.mark.slow
def test_what_others_confirm_is_right() -> None:
    """By a pixel's shift; what nobody confirms is wrong more often, or it would say nothing."""
    _, maps, _ = swept()
    sure, unsure = [], []
    for index in range(0, 40, 8):
        made, truth = maps[index], true_depths(index)
        both = (made.inverse > 0) & (truth > 0)
        # Neighbours are some 20 degrees apart: a pixel's shift is near 1 / (focal length * baseline).
        off = (made.inverse[both] - 1 / truth[both]).abs() * made.focal
        sure.append(off[made.confirmed[both] >= 3])
        unsure.append(off[made.confirmed[both] == 0])
    assert len(torch.cat(sure)) > 3 * len(torch.cat(unsure))
    assert float((torch.cat(sure) < 1.5).float().mean()) > 0.95
    assert float((torch.cat(unsure) < 1.5).float().mean()) < 0.7


@pytest.mark.slow
def test_depths_are_zero_where_the_object_is_not() -> None:
    term, maps, _ = swept()
    for index in (0, 7):
        outside = ~(term.photograph(index, maps[index].level).weight > 0.5)
        for plane in (maps[index].inverse, maps[index].score, maps[index].confirmed):
            assert not plane[outside].any()


@pytest.mark.slow
def test_hollow_that_no_outline_shows_is_carved() -> None:
    views, truth = scene().train, scene().mesh
    assert truth is not None
    start = choose_start(views, *bounding_sphere(views), cells=CELLS)
    hull = visual_hull(views, *bounding_sphere(views), cells=CELLS)
    assert start.kind == "depths"
    counts = topology(start.mesh.faces)
    assert counts.watertight and (counts.genus, counts.components) == (0, 1)
    carved, filled = (surface_distances(mesh, truth, samples=4000) for mesh in (start.mesh, hull))
    assert carved.chamfer < 0.6 * filled.chamfer
    # Its deepest point lies at half a radius; a hull has it at the rim.
    rays = start.mesh.vertices[start.mesh.vertices[:, :2].norm(dim=1) < 0.1]
    assert abs(float(rays[rays[:, 2] > 0, 2].min()) - 0.5) < 0.12


@pytest.mark.slow
def test_depths_that_carve_nothing_leave_the_start_to_the_masks() -> None:
    views = scene_from_mesh(bowl(0.0), views=40, test_views=0, height=128, width=128, up="z").train
    where = bounding_sphere(views)
    carved, hull = depths_start(views, *where, cells=32), visual_hull(views, *where, cells=32)
    cell = 2.0 * where[1] / 31
    assert surface_distances(carved, hull, samples=4000).to_reference < cell / 4
    assert choose_start(views, *where, cells=32).kind == "sphere"


@pytest.mark.slow
def test_photographs_that_say_nothing_leave_the_masks_alone() -> None:
    """Without paint, and with noise in every photograph."""
    views = scene(painted=False).train
    noise = 12 * torch.randn(views.images[..., :3].shape, generator=torch.Generator().manual_seed(3))
    images = views.images.clone()
    images[..., :3] = (128 + noise).clamp(0, 255).byte()
    views = replace(views, images=images)
    where = bounding_sphere(views)
    assert choose_start(views, *where, cells=32).kind == "sphere"
    with pytest.raises(ValueError, match="init: photographs confirm no depths"):
        depths_start(views, *where, cells=32)


def test_without_patches_the_masks_decide() -> None:
    views = scene().train
    assert choose_start(views, *bounding_sphere(views), cells=32, patches=None).kind == "sphere"


def flat_maps(term: PhotoConsistency, depth: float, score: float, confirmed: float) -> dict[int, DepthMap]:
    """A plane in front of each camera, seen all over."""
    made = {}
    for index in (0, 1):
        camera = term.cameras([index])
        plane = torch.ones(camera.height, camera.width)
        focal = float(camera.intrinsics[0, 0, 0])
        made[index] = DepthMap(plane / depth, score * plane, confirmed * plane, focal, 0)
    return made


@pytest.mark.parametrize(
    ("score", "confirmed", "carves"), [(1.0, 8.0, True), (1.0, 1.0, False), (0.0, 8.0, False)]
)
def test_votes_count_by_confirmation_and_texture(score: float, confirmed: float, carves: bool) -> None:
    """Depths far behind a full cube empty it, but for those that one other confirms, and those without texture."""
    term, _ = compared()
    grid = Grid(np.array([-0.5, -0.5, -0.5]), 0.1, (11, 11, 11))
    fine, outer, field = fused(grid, np.full(grid.shape, 0.3), flat_maps(term, 100.0, score, confirmed), term)
    assert fine.shape == (21, 21, 21) and fine.cell == 0.05 and (outer > 0).all()
    assert (field < 0).all() if carves else (field > 0).all()


def test_closing_keeps_gaps_that_the_masks_show() -> None:
    """Two slits in a block, of which the hull has one: the other one is closed, though both are as narrow."""
    outer = np.full((20, 20, 20), 3.0)
    outer[:, 9] = -1.0
    field = outer.copy()
    field[:, 5] = -1.0
    first, *wider = _closed(field, outer)
    assert len(wider) == 3  # 2, 4 and 8 cells of 20; one is too little: from node to node it is two
    assert (first == field).all()
    for closed in wider:
        assert (closed[8:-8, 5, 8:-8] > 0).all() and (closed[:, 9] < 0).all()


def test_handles_of_the_hull_between_its_nodes_are_closed_before_it_is_a_bound(monkeypatch) -> None:
    """A tunnel through a block that is said to have none; a bound with the tunnel would never let it be closed."""
    field = np.full((20, 20, 20), -1.0)
    field[3:17, 3:17, 3:17] = 1.0
    grid = Grid(np.zeros(3), 1.0, field.shape)
    block = surface_of(grid, field, DEFAULTS.carving)
    field[:, 9:11, 9:11] = -1.0
    assert block is not None and block.genus == 0
    assert _as_simple(field, field, block, grid, DEFAULTS.carving) is None
    term, _ = compared()
    monkeypatch.setattr(carving, "PhotoConsistency", lambda *_, **__: term)
    monkeypatch.setattr(carving, "depth_maps", lambda *_: {0: None})
    monkeypatch.setattr(carving, "fused", lambda *_: (grid, field, field))
    monkeypatch.setattr(carving, "_Vote", lambda *_: SimpleNamespace(for_=lambda _: True))
    frame = Frame(torch.zeros(3, dtype=torch.float64), 1.0, torch.device("cpu"))
    found = carving.carved_by_photographs(block, scene().train, frame)
    assert found is not None and found.genus == 0 and found.parts == 1


@pytest.mark.parametrize("seed", range(40))
def test_a_vote_is_what_all_photographs_say_and_ends_when_it_is_decided(seed: int, unchecked: None) -> None:
    chance = np.random.default_rng(seed)
    # What each photograph loses over the two surfaces; some say nothing of one.
    losses = chance.random((9, 2))
    losses[:, 1] += chance.uniform(-1, 1)
    losses[chance.random((9, 2)) < 0.1] = np.nan
    heard = [pair for pair in losses if np.isfinite(pair).all()]
    fewer = sum(first < second for first, second in heard)
    asked = []

    def evidence(vertices: Tensor, faces: Tensor, edges: Tensor, group: list[int], *, level: int) -> Any:
        asked.append(group[0])
        loss = losses[group[0], int(vertices[0, 0] > 1)]
        return None if np.isnan(loss) else SimpleNamespace(loss=torch.tensor(loss))

    term = SimpleNamespace(levels=1, neighbors=[()] * 9, group=lambda i, _: [i], evidence=evidence)
    ball = icosphere(0, dtype=torch.float64)
    hulls = [SimpleNamespace(vertices=ball.vertices + shift, faces=ball.faces) for shift in (0.0, 9.0)]
    frame = Frame(torch.zeros(3, dtype=torch.float64), 1.0, torch.device("cpu"))
    vote = carving._Vote(hulls[1], term, frame)  # type: ignore[arg-type]
    assert vote.for_(hulls[0]) == (2 * fewer > len(heard))  # type: ignore[arg-type]
    if fewer in (0, 9) and len(heard) == 9:
        assert max(asked) == 4  # five of nine
    over_hull = len(asked) // 2
    assert vote.for_(hulls[0]) == (2 * fewer > len(heard))  # type: ignore[arg-type]
    assert len(asked) == 3 * over_hull  # what they say of the hull is known by now


def test_what_differs_by_less_than_a_grid_can_show_is_not_put_to_the_vote(monkeypatch) -> None:
    grid = Grid(np.full(3, -10.0), 1.0, (21, 21, 21))
    distance = 7.3 - np.linalg.norm(grid.points(), axis=1).reshape(grid.shape)
    hull, carved = (surface_of(grid, distance - depth, DEFAULTS.carving) for depth in (0.0, 0.2))
    term, _ = compared()
    monkeypatch.setattr(carving, "PhotoConsistency", lambda *_, **__: term)
    monkeypatch.setattr(carving, "depth_maps", lambda *_: {0: None})
    monkeypatch.setattr(carving, "fused", lambda *_: (grid, distance, carved.field))
    voted = []
    monkeypatch.setattr(carving, "_Vote", lambda *_: SimpleNamespace(for_=lambda _: not voted.append(1)))
    frame = Frame(torch.zeros(3, dtype=torch.float64), 1.0, torch.device("cpu"))
    # A fifth of a cell apart: 12 / 25 of what rounding makes.
    assert carving.carved_by_photographs(hull, scene().train, frame, finer=False) is None and not voted
    assert carving.carved_by_photographs(hull, scene().train, frame) is not None and voted


def test_gaps_are_not_closed_where_photographs_are_against_what_was_carved(monkeypatch) -> None:
    """A slit through a block makes two parts of it; closing it takes time, and would only bring the hull back."""
    field = np.full((20, 20, 20), -1.0)
    field[3:17, 3:17, 3:17] = 1.0
    grid = Grid(np.zeros(3), 1.0, field.shape)
    block = surface_of(grid, field, DEFAULTS.carving)
    cut = field.copy()
    cut[:, 10] = -1.0
    term, _, _ = swept()
    monkeypatch.setattr(carving, "PhotoConsistency", lambda *_, **__: term)
    monkeypatch.setattr(carving, "depth_maps", lambda *_: {0: None})
    monkeypatch.setattr(carving, "fused", lambda *_: (grid, field, cut))
    asked, answers, closed = [], [False, True, False, True, True], []
    vote = SimpleNamespace(for_=lambda carved: asked.append(carved) or answers.pop(0))
    monkeypatch.setattr(carving, "_Vote", lambda *_: vote)
    close = carving._as_simple
    monkeypatch.setattr(carving, "_as_simple", lambda *given: closed.append(1) or close(*given))
    frame = Frame(torch.zeros(3, dtype=torch.float64), 1.0, torch.device("cpu"))
    assert carving.carved_by_photographs(block, scene().train, frame) is None and not closed
    assert [part.parts for part in asked] == [2]
    assert (
        carving.carved_by_photographs(block, scene().train, frame) is None
    )  # for the cut block, not for a whole one
    found = carving.carved_by_photographs(block, scene().train, frame)
    assert found is not None and found.parts == 1 and [part.parts for part in asked] == [2, 2, 1, 2, 1]
