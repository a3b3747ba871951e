"""Coverage, occlusion and interpolation, against rays cast one by one and against geometry worked out by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from raster_oracle import cast_rays, seen_at, soup_faces, sphere, triangle_soup

from largesteps_zg._support import warp_launch as launching
from largesteps_zg.rasterizer import antialias, edge_table, interpolate, rasterize, warp_backend

FLOATS = (torch.float32, torch.float64)
# Points here are (u z, v z, z); at depth 1 they are pixels.
SQUARE = torch.tensor([[[1.0, 1.0, 1.0], [3.0, 1.0, 1.0], [1.0, 3.0, 1.0], [3.0, 3.0, 1.0]]])
SQUARE_FACES = torch.tensor([[0, 1, 2], [2, 1, 3]])


def ids_of(points, faces, resolution, **options):
    return rasterize(points, faces, resolution, **options).triangle_ids()


@pytest.fixture(params=["chunks", "items"])
def work(request, monkeypatch):
    """Both ways in which the work is handed out; one thread an item is what CUDA does, and runs here too."""
    if request.param == "items":
        for module in (launching, warp_backend):
            monkeypatch.setattr(module, "in_chunks", lambda device: False)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize(
    "depths", [(1.0, 5.0), (-1.0, 3.0), (-3.0, 0.5)], ids=["in front", "crossing the camera", "mostly behind"]
)
def test_triangles_are_those_that_rays_hit(work, dtype, depths):
    resolution = (37, 53)
    points = triangle_soup(3, 24, resolution, depths).to(dtype)
    expected, clear = cast_rays(points[0].double().numpy(), soup_faces(24).numpy(), resolution, near=1e-3)
    found = ids_of(points, soup_faces(24), resolution)[0].numpy()
    assert clear.mean() > 0.95 and (expected[clear] >= 0).mean() > 0.2
    assert np.array_equal(found[clear], expected[clear])


def test_nothing_nearer_than_near_is_drawn(work):
    # One triangle from depth 1 (left) to depth 3 (right): depth 1 + 2 t is perspective in t.
    points = torch.tensor([[[0.0, -9.0, 1.0], [60.0, -90.0, 3.0], [60.0, 90.0, 3.0], [0.0, 9.0, 1.0]]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    covered = ids_of(points, faces, (4, 20), near=2.0)[0] >= 0
    # 1/depth falls linearly from 1 at column 0 to 1/3 at column 20: it passes 1/2 at column 15.
    assert not covered[:, :15].any() and covered[:, 15:].all()


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("nearer", [1 - 1e-4, 1 - 1e-2, 0.5])
def test_what_is_turned_away_hides_what_is_behind_it_and_no_more(work, dtype, nearer):
    # Two planes of triangles smaller than a pixel, one of them turned away: in an order of their own on the CPU.
    step = torch.arange(0, 12.1, 0.8, dtype=dtype)
    plane = torch.stack(
        [*torch.meshgrid(step, step, indexing="xy"), torch.ones(16, 16, dtype=dtype)], -1
    ).view(-1, 3)
    corner = (16 * torch.arange(15)[:, None] + torch.arange(15)).reshape(-1, 1)
    squares = torch.cat([corner + torch.tensor([0, 1, 16]), corner + torch.tensor([17, 16, 1])])
    faces = torch.cat([squares.flip(1), squares + len(plane)])
    for away, towards in ((nearer, 1.0), (1.0, nearer)):
        points = torch.cat([away * plane, towards * plane])[None]
        ids = ids_of(points, faces, (12, 12))
        assert ((ids < len(squares)) == (away < towards)).all() and (ids >= 0).all()


def test_equal_depth_goes_to_the_lowest_face(work):
    copies = SQUARE_FACES.repeat(3, 1)
    assert ids_of(SQUARE, copies, (4, 4)).unique().tolist() == [-1, 0, 1]
    assert ids_of(SQUARE, copies.flip(0).contiguous(), (4, 4)).unique().tolist() == [-1, 0, 1]


def test_a_pixel_is_covered_where_its_centre_is(work):
    ids = ids_of(SQUARE, SQUARE_FACES, (4, 5))[0]
    # The square spans [1, 3]²: centres 1.5 and 2.5. Its diagonal u + v = 4 passes through the centres (2.5, 1.5) and
    # (1.5, 2.5), which belong to both triangles: the lower face has them.
    expected = [[-1, -1, -1, -1, -1], [-1, 0, 0, -1, -1], [-1, 0, 1, -1, -1], [-1, -1, -1, -1, -1]]
    assert ids.tolist() == expected


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("size, shift", list(itertools.product((7, 64, 131), (0.0, 0.37, 0.5))))
def test_closed_surfaces_have_no_holes(dtype, size, shift):
    vertices, faces = sphere(4, seed=size)
    points = seen_at(vertices, size, shift=(shift, -shift)).to(dtype)
    covered = (ids_of(points, faces, (size, size))[0] >= 0).numpy()
    middle = np.array([size / 2 + shift, size / 2 - shift])
    rows, columns = np.mgrid[:size, :size] + 0.5
    distance = np.hypot(columns - middle[0], rows - middle[1])
    # The polyhedron lies between spheres of radius 0.996 and 1.
    outer, inner = (1.25 * size * r / (3.5**2 - r**2) ** 0.5 for r in (1.0, 0.995))
    assert covered[distance < inner].all() and not covered[distance > outer].any()


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_all_is_covered_from_inside(work, dtype):
    # Triangles on all sides of the camera; 88 degrees off the axis are in view, so many seen ones cross its plane.
    vertices, faces = sphere(2, seed=5)
    points = seen_at(vertices, 40, focal=0.02, distance=0.2).to(dtype)
    fragments = rasterize(points, faces, (40, 40))
    assert (fragments.triangle_ids() >= 0).all()
    seen = faces[fragments.triangles.long()]
    assert (points[0, seen, 2] < 0).any(dim=1).sum() > 50
    assert not fragments.sides[0, fragments.triangles.long()].any()  # all from the back


def test_sides_follow_the_winding(work):
    vertices, faces = sphere(2, seed=1)
    points = seen_at(vertices, 32)
    counter = rasterize(points, faces, (32, 32))
    clockwise = rasterize(points, faces.flip(1), (32, 32))
    assert counter.sides[0, counter.triangles.long()].all()
    assert torch.equal(counter.triangle_ids(), clockwise.triangle_ids())
    assert torch.equal(counter.sides, 1 - clockwise.sides)


def test_views_without_the_object(work):
    vertices, faces = sphere(1)
    seen = seen_at(vertices, 16)
    away, behind = seen + torch.tensor([500.0, 0.0, 0.0]), seen_at(vertices, 16, distance=-3.5)
    points = torch.cat([away, seen, behind, away])
    fragments = rasterize(points, faces, (16, 16))
    assert fragments.view_ends.diff().tolist() == [0, len(fragments.pixels), 0, 0]
    image = antialias(interpolate(torch.ones(len(vertices), 2, dtype=torch.float64), fragments), fragments)
    assert image[1].max() == pytest.approx(1) and not image[[0, 2, 3]].any()
    nothing = rasterize(away, faces, (16, 16))
    assert not antialias(interpolate(vertices, nothing), nothing).any()


def test_fragments_list_the_covered_pixels_in_order(work):
    vertices, faces = sphere(2)
    points = torch.cat([seen_at(vertices, 24, shift=(s, 0)) for s in (-9.0, 0.0, 5.0)])
    f = rasterize(points, faces, (24, 24))
    ids = f.triangle_ids().flatten()
    assert torch.equal(f.pixels, (ids >= 0).nonzero()[:, 0].int()) and torch.equal(f.triangles, ids[ids >= 0])
    views = f.pixels // 24**2
    assert torch.equal(f.slots[f.pixels.long()] + f.view_ends[views.long()], torch.arange(len(ids[ids >= 0])))
    assert (f.slots[ids < 0] == -1).all()


def test_two_components_hide_each_other(work):
    # The square at depth 2 behind the one at depth 1, as one mesh; and the other way round.
    far = 2 * SQUARE + torch.tensor([2.0, 0.0, 0.0])  # pixels [2, 4] x [1, 3] at depth 2
    faces = torch.cat([SQUARE_FACES, SQUARE_FACES + 4])
    ids = ids_of(torch.cat([SQUARE, far], dim=1), faces, (4, 5))[0]
    assert ids[1].tolist() == [-1, 0, 0, 2, -1]
    ids = ids_of(torch.cat([far, SQUARE], dim=1), faces, (4, 5))[0]
    assert ids[1].tolist() == [-1, 2, 2, 0, -1]


def test_degenerate_triangles_draw_nothing(work):
    nan, inf = float("nan"), float("inf")
    bad = torch.tensor(
        [
            [[nan, 1.0, 1.0], [3.0, 1.0, 1.0], [1.0, 3.0, 1.0], [2.0, 2.0, 1.0]],
            [[1.0, 1.0, nan], [3.0, 1.0, 1.0], [1.0, 3.0, 1.0], [2.0, 2.0, 1.0]],
            [[0.0, inf, 1.0], [3.0, 1.0, 1.0], [1.0, 3.0, 1.0], [2.0, 2.0, 1.0]],
            [[1.0, 1.0, 0.0], [3.0, 1.0, 0.0], [1.0, 3.0, 0.0], [2.0, 2.0, 0.0]],
            [[0.5, 0.5, 1.0], [1.5, 1.5, 1.0], [2.5, 2.5, 1.0], [0.5, 0.5, 1.0]],
        ]
    )
    faces = torch.tensor([[0, 1, 2], [0, 3, 3]])
    f = rasterize(bad, faces, (4, 4))
    assert (f.triangle_ids()[0] == -1).all() and (f.triangle_ids()[3:] == -1).all()
    assert torch.isfinite(antialias(torch.ones(len(f.pixels), 1), f)).all()


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_colours_are_between_those_of_the_corners_where_triangles_are_seen_edge_on(work, dtype):
    """A visual hull is full of planes through a camera and the centres of a row of its pixels."""
    generator = torch.Generator().manual_seed(0)
    depths = 3.5 + 0.2 * torch.rand(1, 900, 1, generator=generator, dtype=dtype)
    columns = 60 * torch.rand(1, 900, 1, generator=generator, dtype=dtype)
    rows = (torch.arange(900) // 3 % 30 + 0.5)[None, :, None].to(dtype)
    points = torch.cat([columns * depths, rows * depths, depths], dim=2).requires_grad_()
    seen = rasterize(points, soup_faces(300), (30, 60))
    assert len(seen.pixels) > 100
    values = interpolate(torch.rand(900, 2, generator=generator, dtype=dtype), seen)
    assert 0 <= float(values.detach().min()) and float(values.detach().max()) <= 1
    values.sum().backward()
    assert bool(torch.isfinite(points.grad).all())


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_repeats_are_the_same_and_threads_change_no_id(dtype):
    vertices, faces = sphere(4, seed=2)
    points = torch.cat([seen_at(vertices, 48, shift=(s, s)) for s in (0.0, 3.3, 7.7)]).to(dtype)
    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2, 2):
            torch.set_num_threads(count)
            p = points.clone().requires_grad_()
            f = rasterize(p, faces, (48, 48))
            image = antialias(interpolate(vertices.to(dtype), f), f)
            (image**2).sum().backward()
            found.append((f.triangle_ids(), image.detach(), p.grad))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])
    assert all(torch.equal(a, b) for a, b in zip(found[1], found[2], strict=True))


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 2e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("per_view", [False, True])
def test_interpolation_gives_the_point_that_the_ray_hits(work, dtype, tolerance, per_view):
    # Homogeneous points as their own attributes: what comes back lies on the ray, s (px, py, 1), and in the plane.
    height, width = 31, 43
    points = torch.cat([triangle_soup(seed, 12, (height, width), (-0.5, 3.0)) for seed in (0, 1)]).to(dtype)
    faces = soup_faces(12)
    f = rasterize(points, faces, (height, width), near=0.1)
    attributes = points if per_view else points[0]
    values = interpolate(attributes, f)
    views = torch.bucketize(torch.arange(len(f.pixels)), f.view_ends[1:], right=True)
    keep = torch.ones_like(views, dtype=torch.bool) if per_view else views == 0
    pixels = (f.pixels.long() % (height * width))[keep]
    ray = torch.stack([pixels % width + 0.5, pixels // width + 0.5, torch.ones(len(pixels))], dim=-1).to(
        dtype
    )
    values, views = values[keep], views[keep]
    assert len(values) > 500
    scale = points.abs().max()
    assert (values - values[:, 2:] * ray).abs().max() < tolerance * scale
    corners = points[views[:, None], faces[f.triangles[keep].long()]].double()
    normal = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    distance = ((values.double() - corners[:, 0]) * normal).sum(-1) / normal.norm(dim=-1)
    assert distance.abs().max() < 20 * tolerance * scale


def test_interpolation_at_a_hand_drawn_edge():
    # From depth 1 (value 0) to depth 3 (value 1): halfway on the screen, 1/depth is (1 + 1/3) / 2 = 2/3 and the value
    # is its share of 1/depth, (1/2 x 1/3) / (2/3) = 1/4.
    points = torch.tensor([[[0.0, 0.0, 1.0], [3.0, 0.0, 3.0], [0.0, 9.0, 1.0], [3.0, 27.0, 3.0]]])
    f = rasterize(points, torch.tensor([[0, 1, 2], [2, 1, 3]]), (1, 1))
    assert interpolate(torch.tensor([[0.0], [1.0], [0.0], [1.0]]), f).item() == pytest.approx(0.25, abs=1e-6)


def test_edge_table_by_hand():
    #   2---3
    #   | \ |    faces (0, 1, 2), (2, 1, 3); border edges have no second face
    #   0---1
    table = edge_table(SQUARE_FACES).tolist()
    assert table[0] == [0, 1, 0, -1, 2, 0] and table[2] == [1, 2, 0, 1, 0, 0] and len(table) == 5
    flipped = edge_table(torch.tensor([[0, 1, 2], [1, 2, 3]])).tolist()
    assert flipped[2] == [1, 2, 0, 1, 0, 1]
    three = edge_table(torch.tensor([[0, 1, 2], [2, 1, 3], [4, 1, 2]])).tolist()
    assert [row[:4] for row in three if row[:2] == [1, 2]] == [[1, 2, 0, -1], [1, 2, 1, -1], [1, 2, 2, -1]]


def test_edge_table_closes_seams_of_coincident_vertices():
    vertices, faces = sphere(2)
    apart = torch.arange(3 * len(faces)).view(-1, 3)
    table, whole = edge_table(apart, vertices[faces.reshape(-1)]), edge_table(faces)
    table, whole = (t[(t[:, 2] * len(faces) + t[:, 3]).argsort()] for t in (table, whole))  # by its two faces
    names = faces.reshape(-1)[table[:, [0, 1, 4]].long()]  # back to the vertices of the closed sphere
    assert torch.equal(names[:, :2].sort(dim=1).values, whole[:, :2].long())
    assert torch.equal(names[:, 2], whole[:, 4].long()) and torch.equal(
        table[:, [2, 3, 5]], whole[:, [2, 3, 5]]
    )
    assert (edge_table(apart)[:, 3] == -1).all()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"points": SQUARE[0]}, r"^points: expected shape \(B, V, 3\) or \(B, V, 4\), got \(4, 3\)$"),
        (
            {"points": SQUARE.half()},
            r"^points: expected float32 or float64, got torch.float16; convert them first$",
        ),
        (
            {"points": SQUARE[:0]},
            r"^points, faces: expected at least one view and one face, got 0 views, 2 faces$",
        ),
        ({"faces": SQUARE_FACES[:0]}, r"expected at least one view and one face, got 1 views, 0 faces$"),
        (
            {"faces": SQUARE_FACES + 1},
            r"^faces: expected indices in \[0, 4\), got 4 at face 1; is the file 1-indexed\?$",
        ),
        ({"faces": SQUARE_FACES - 1}, r"^faces: expected indices in \[0, 4\), got -1 at face 0$"),
        ({"resolution": (0, 4)}, r"^resolution: expected a positive height and width, got 0 x 4$"),
        ({"near": 0.0}, r"^near: expected a positive depth, got 0.0$"),
        (
            {"edges": torch.zeros(3, 5)},
            r"^edges: expected edge_table\(faces\), \(E, 6\) int32 on cpu, got \(3, 5\)",
        ),
        ({"backend": "gl"}, r"^backend: expected one of auto, warp, nvdiffrast, got 'gl'$"),
        (
            {"resolution": (2**15, 2**15)},
            r"^points: expected fewer than \d+ pixels in a batch, got 1 views of 32768 x",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line(unchecked, change, message):
    given = {"points": SQUARE, "faces": SQUARE_FACES, "resolution": (4, 4)} | change
    with pytest.raises(ValueError, match=message) as error:
        rasterize(given.pop("points"), given.pop("faces"), given.pop("resolution"), **given)
    assert "\n" not in str(error.value)


def test_bad_values_are_refused_in_one_line(unchecked):
    f = rasterize(SQUARE, SQUARE_FACES, (4, 4))
    for attributes in (torch.ones(3, 2), torch.ones(2, 4, 2)):
        with pytest.raises(ValueError, match=r"^attributes: expected \(4, C\) or \(1, 4, C\), got"):
            interpolate(attributes, f)
    with pytest.raises(
        ValueError, match=r"^attributes: expected torch.float32 as the points, got torch.float64"
    ):
        interpolate(torch.ones(4, 2).double(), f)
    with pytest.raises(ValueError, match=r"^values: expected \(4, C\), one row a fragment, got \(3, 2\)"):
        antialias(torch.ones(3, 2), f)
    with pytest.raises(ValueError, match=r"^values: expected torch.float32 as the points"):
        antialias(torch.ones(4, 2).double(), f)


def test_channels_of_any_number(work):
    f = rasterize(SQUARE, SQUARE_FACES, (4, 4))
    for channels in (1, 5, 17):
        values = interpolate(torch.arange(4 * channels, dtype=torch.float32).view(4, channels), f)
        # Columns differ by their number alone.
        assert torch.allclose(values - values[:, :1], torch.arange(channels, dtype=torch.float32))
        assert antialias(values, f).shape == (1, 4, 4, channels + 1)
