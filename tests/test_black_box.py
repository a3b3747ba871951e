"""Renderers without derivatives: all of them against rays cast one by one, and against each other's conventions."""

from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import torch
import warp as wp
from raster_oracle import cast_rays, rotation, soup_faces

from largesteps_zg.cameras import Cameras, pinhole, sphere_of_cameras
from largesteps_zg.mesh import icosphere
from largesteps_zg.rasterizer import warp_backend
from largesteps_zg.rasterizer.triangles import room_to_wait
from largesteps_zg.renderers import FunctionRenderer, HardRasterizer, OpenGL, hard, load_renderer, render
from largesteps_zg.renderers.hard_kernels import build
from largesteps_zg.renderers.registry import RENDERERS


def painted(vertices, faces, colors, cameras):
    """A picture made by other means: the differentiable renderer's."""
    return render(vertices, faces, colors, cameras)


MADE = {
    **RENDERERS,
    "rasterizer with depth": lambda: HardRasterizer(depth=True),
    "rasterizer, antialiased": lambda: HardRasterizer(antialias=True, depth=True),
    "function": lambda: FunctionRenderer(painted),
}
SHARP = [name for name in MADE if name not in ("antialiased", "rasterizer, antialiased", "function")]
# OpenGL rounds vertices to 1/256 of a pixel: a pixel whose centre is that near to an edge may go to either side.
EDGE_SHARE = {"opengl": 4e-3}


def made(name):
    renderer = MADE[name]()
    if isinstance(renderer, OpenGL):
        try:
            _ = renderer.device
        except (ImportError, RuntimeError) as error:
            pytest.skip(str(error))
    return renderer


@pytest.fixture(params=MADE)
def renderer(request):
    return made(request.param)


def skewed_camera(height=37, width=53):
    """One camera at the origin that looks along z, with nothing in its middle and no two numbers alike."""
    k = torch.tensor([[[40.0, 3.0, 21.0], [0.0, 55.0, 23.5], [0.0, 0.0, 1.0]]])
    return Cameras(torch.eye(4)[None], k, height, width)


def soup(seed, triangles, depths, camera):
    """Vertices, faces and colours of random triangles in front of a camera, and across its plane if depths say so."""
    generator = torch.Generator().manual_seed(seed)
    size = torch.tensor([camera.width, camera.height])
    pixels = torch.rand(triangles, 1, 2, generator=generator) * size
    pixels = pixels + 0.4 * size * torch.randn(triangles, 3, 2, generator=generator)
    depth = depths[0] + (depths[1] - depths[0]) * torch.rand(triangles, 3, 1, generator=generator)
    points = torch.cat([pixels * depth.abs(), depth], dim=-1).reshape(-1, 3)
    vertices = points @ torch.linalg.inv(camera.intrinsics[0]).T
    return vertices, soup_faces(triangles), torch.rand(3 * triangles, 3, generator=generator)


def ball(count=3, level=3, height=30, width=44, seed=0):
    mesh = icosphere(level)
    generator = torch.Generator().manual_seed(seed)
    colors = torch.rand(len(mesh.vertices), 3, generator=generator)
    cameras = sphere_of_cameras(count, distance=3.0, fov_y_degrees=45.0, height=height, width=width)
    return mesh.vertices @ rotation(seed).T.float(), mesh.faces, colors, cameras


@pytest.mark.parametrize("name", SHARP)
@pytest.mark.parametrize("depths", [(1.0, 5.0), (-1.0, 3.0)], ids=["in front", "crossing the camera"])
@pytest.mark.parametrize("seed", [3, 4])
def test_pixels_show_what_rays_hit(name, depths, seed):
    renderer, camera = made(name), skewed_camera()
    vertices, faces, colors = soup(seed, 24, depths, camera)
    pictures = renderer(vertices, faces, colors, camera)
    points = (vertices.double() @ camera.intrinsics[0].double().T).numpy()
    expected, clear = cast_rays(points, faces.numpy(), (camera.height, camera.width), near=1e-3)
    found = pictures.triangles[0].numpy()
    assert clear.mean() > 0.95 and (expected[clear] >= 0).mean() > 0.2
    assert (found[clear] != expected[clear]).mean() <= EDGE_SHARE.get(name, 0)
    same = (found == expected) & clear & (found >= 0)
    # Weights of the corners along each ray, from the linear system of the ray and the triangle.
    rows, columns = np.nonzero(same)
    rays = np.stack([columns + 0.5, rows + 0.5, np.ones(len(rows))], axis=1)
    corners = faces.numpy()[found[same]]
    weights = np.linalg.solve(points[corners].transpose(0, 2, 1), rays[..., None])[..., 0]
    z = 1 / weights.sum(1)
    shade = (weights[..., None] * colors.double().numpy()[corners]).sum(1) * z[:, None]
    image = pictures.images[0].numpy()[same]
    # OpenGL: colours change by up to 1/10 a pixel here, and 1/256 of a pixel is what it rounds to.
    assert np.quantile(np.abs(image[:, :3] - shade), 0.99) < (2e-3 if name == "opengl" else 1e-5)
    assert (image[:, 3] == 1).all() and (pictures.images[0][pictures.triangles[0] < 0] == 0).all()
    if pictures.depth is not None:
        error = np.abs(pictures.depth[0].numpy()[same] - z) / z
        assert np.quantile(error, 0.99) < (1e-2 if name == "opengl" else 1e-5)
        assert (pictures.depth[0][pictures.triangles[0] < 0] == torch.inf).all()


def test_pictures_have_the_agreed_form(renderer):
    vertices, faces, colors, cameras = ball()
    pictures = renderer(vertices, faces, colors, cameras)
    assert pictures.images.shape == (3, 30, 44, 4) and pictures.images.dtype == torch.float32
    assert pictures.triangles.shape == (3, 30, 44) and pictures.triangles.dtype == torch.int32
    assert pictures.images.is_contiguous() and pictures.triangles.is_contiguous()
    assert -1 == pictures.triangles.min() and pictures.triangles.max() < len(faces)
    if pictures.depth is not None:
        assert pictures.depth.shape == (3, 30, 44) and pictures.depth.dtype == torch.float32
        seen = pictures.triangles >= 0
        assert ((pictures.depth[seen] > 1.99) & (pictures.depth[seen] < 3)).all()
        assert (pictures.depth[~seen] == torch.inf).all()


def test_all_show_what_the_differentiable_renderer_shows(renderer):
    vertices, faces, colors, cameras = ball(height=60, width=80)
    pictures = renderer(vertices, faces, colors, cameras)
    expected = render(vertices, faces, colors, cameras)
    inside = expected[..., 3] == 1  # where nothing was blended, which is nearly all
    inside &= (pictures.triangles >= 0) & (pictures.images[..., 3] == 1)
    assert inside.float().mean() > 0.3
    assert np.quantile((pictures.images - expected)[inside].abs(), 0.99) < 1e-3
    # Silhouette pixels take part of a neighbour; the area agrees.
    assert pictures.images[..., 3].sum() == pytest.approx(float(expected[..., 3].sum()), rel=2e-3)


def test_row_zero_is_on_top(renderer):
    camera = skewed_camera(20, 30)
    # K maps y = -0.3 z to row 55 (-0.3) + 23.5 = 7: above it.
    vertices = torch.tensor([[-0.2, -0.3, 1.0], [0.2, -0.3, 1.0], [0.0, -0.42, 1.0]])
    pictures = renderer(vertices, torch.tensor([[0, 1, 2]]), torch.ones(3, 3), camera)
    rows = (pictures.triangles[0] >= 0).nonzero()[:, 0]
    assert len(rows) > 20 and rows.max() == 6 and rows.min() <= 1


@pytest.mark.slow
def test_a_set_for_each_view_is_drawn_as_if_alone(renderer):
    vertices, faces, colors, cameras = ball(count=4)
    generator = torch.Generator().manual_seed(8)
    moved = vertices + 0.05 * torch.randn(4, len(vertices), 3, generator=generator)
    paints = torch.rand(4, len(vertices), 3, generator=generator)
    for points, paint in ((moved, paints), (moved, colors), (vertices, paints), (vertices, colors)):
        together = renderer(points, faces, paint, cameras)
        for view in range(4):
            one = [x[view] if x.dim() == 3 else x for x in (points, paint)]
            alone = renderer(one[0], faces, one[1], cameras[view])
            same = alone.triangles[0] == together.triangles[view]
            if isinstance(renderer, (OpenGL, FunctionRenderer)):
                # A view's place in the framebuffer, or in a product of matrices, changes the last digit of its pixels.
                assert same.float().mean() > 0.998
                assert torch.allclose(alone.images[0][same], together.images[view][same], atol=2e-3)
            else:
                assert same.all() and torch.equal(alone.images[0], together.images[view])


def test_sizes_and_numbers_of_views_may_change_between_calls(renderer):
    for count, height, width in ((2, 20, 33), (5, 40, 33), (1, 7, 9), (2, 20, 33)):
        vertices, faces, colors, cameras = ball(count=count, level=2, height=height, width=width)
        pictures = renderer(vertices, faces, colors, cameras)
        fresh = HardRasterizer()(vertices, faces, colors, cameras)
        assert (pictures.triangles != fresh.triangles).float().mean() < 5e-3


def test_float64_and_views_without_the_object(renderer):
    vertices, faces, colors, cameras = ball(count=2)
    shift = torch.tensor([0.0, 0.0, 50.0])
    far = torch.stack([vertices + shift, vertices]).double()
    pictures = renderer(far, faces, colors.double(), cameras.to(dtype=torch.float64))
    assert pictures.images.dtype == torch.float32
    assert (pictures.triangles[0] == -1).all() and not pictures.images[0].any()
    assert (pictures.triangles[1] >= 0).any()


def test_gradients_are_refused_and_not_dropped(renderer):
    vertices, faces, colors, cameras = ball(count=1, level=1)
    with pytest.raises(ValueError, match=r"^vertices: .* wrap the loss: differentiable\(f, estimator\)$"):
        renderer(vertices.requires_grad_(), faces, colors, cameras)
    with torch.no_grad():
        assert not renderer(vertices, faces, colors, cameras).images.requires_grad
    with pytest.raises(ValueError, match=r"^colors: .* has no derivatives"):
        renderer(vertices.detach(), faces, colors.requires_grad_(), cameras)
    moved = Cameras(cameras.world_to_camera, cameras.intrinsics.requires_grad_(), 30, 44)
    with pytest.raises(ValueError, match=r"^cameras: .* has no derivatives"):
        renderer(vertices.detach(), faces, colors.detach(), moved)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"vertices": torch.zeros(5)}, r"^vertices: expected shape \(V, 3\) or \(B, V, 3\), got \(5,\)$"),
        (
            {"vertices": torch.zeros(3, 42, 3)},
            r"^vertices: expected one set for each of 2 views, got 3 sets$",
        ),
        (
            {"vertices": torch.zeros(42, 3).half()},
            r"^vertices: expected float32 or float64, got torch.float16",
        ),
        (
            {"vertices": torch.full((42, 3), torch.nan)},
            r"^vertices: expected finite coordinates, got 126 that",
        ),
        ({"colors": torch.zeros(41, 3)}, r"^colors: expected 42, one a vertex, got 41$"),
        ({"colors": torch.zeros(42, 4)}, r"^colors: expected shape \(V, 3\) or \(B, V, 3\), got \(42, 4\)$"),
        (
            {"colors": torch.zeros(42, 3).double()},
            r"^colors: expected torch.float32 as the vertices, got torch.fl",
        ),
        (
            {"faces": torch.zeros(4, 3)},
            r"^faces: expected \(F, 3\) whole numbers with F > 0, got torch.float32",
        ),
        (
            {"faces": torch.zeros(0, 3, dtype=torch.long)},
            r"^faces: expected \(F, 3\) whole numbers with F > 0",
        ),
        ({"faces": torch.tensor([[0, 1, 42]])}, r"^faces: expected indices in \[0, 42\), got 42 at face 0"),
        ({"cameras": ball(count=2)[3][:0]}, r"^cameras: expected at least one view, got 0$"),
    ],
)
def test_bad_scenes_are_refused(unchecked, renderer, change, message):
    names = ("vertices", "faces", "colors", "cameras")
    given = dict(zip(names, ball(count=2, level=1), strict=True)) | change
    with pytest.raises(ValueError, match=message):
        renderer(**given)


def triangles_of(renderer, scene):
    """In another process; as an array, which every way of starting one can send back."""
    return renderer(*scene).triangles.numpy()


@pytest.mark.slow
def test_renderers_work_in_other_processes():
    names = ["rasterizer", "function"]
    try:
        _ = OpenGL().device
        names.append("opengl")
    except (ImportError, RuntimeError):
        pass  # says so where it is asked for by name
    scene = ball(count=2)
    renderers = [MADE[name]() for name in names]
    expected = [triangles_of(renderer, scene) for renderer in renderers]  # what was used can be sent as well
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(triangles_of, renderers, [scene] * len(renderers), timeout=60))
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_copies_are_of_their_own(renderer):
    scene = ball(count=1)
    before = renderer(*scene)
    copy = pickle.loads(pickle.dumps(renderer))
    assert torch.equal(copy(*scene).images, before.images)
    assert torch.equal(renderer(*scene).images, before.images)


# The rasterizer alone


def test_the_pictures_are_those_of_one_thread_an_item(monkeypatch):
    """As CUDA hands out the work, and it runs here too."""
    vertices, faces, colors, cameras = ball(count=3)
    chunks = HardRasterizer(depth=True)(vertices, faces, colors, cameras)
    monkeypatch.setattr(hard, "in_chunks", lambda device: False)
    items = HardRasterizer(depth=True)(vertices, faces, colors, cameras)
    assert torch.equal(chunks.triangles, items.triangles)
    assert torch.allclose(chunks.images, items.images, atol=2e-5)
    assert torch.allclose(chunks.depth, items.depth, rtol=1e-4)


def test_the_number_of_threads_changes_nothing():
    scene, threads = ball(count=5), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = HardRasterizer()(*scene)
        torch.set_num_threads(3)
        three = HardRasterizer()(*scene)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(one.images, three.images) and torch.equal(one.triangles, three.triangles)


def test_antialiased_pictures_are_those_of_render():
    vertices, faces, colors, cameras = ball()
    vertices, colors, cameras = vertices.double(), colors.double(), cameras.to(dtype=torch.float64)
    renderer, sharp = HardRasterizer(antialias=True), HardRasterizer()
    for turn in (faces, faces.flip(0)):  # another mesh, another edge table
        found = renderer(vertices, turn, colors, cameras)
        assert torch.allclose(found.images, render(vertices, turn, colors, cameras).float(), atol=1e-6)
        assert torch.equal(found.triangles, sharp(vertices, turn, colors, cameras).triangles)


def test_triangles_seen_edge_on_keep_their_colours():
    """Their area is rounding: without care some pixels would be NaN or brighter than any corner."""
    generator = torch.Generator().manual_seed(5)
    k = pinhole(100.0, 100.0, 32.0, 32.0)
    camera = Cameras(torch.eye(4)[None], k.view(1, 3, 3), 64, 64)
    # Planes through the camera that meet the image in diagonals through the centres of pixels.
    start = torch.randint(2, 40, (4000, 1, 2), generator=generator) + 0.5
    along = 20 * torch.rand(4000, 3, 1, generator=generator)
    depth = 1 + torch.rand(4000, 3, 1, generator=generator)
    corners = torch.cat([((start + along) - 32) / 100 * depth, depth], dim=-1)
    colors = 0.25 + 0.5 * torch.rand(12000, 3, generator=generator)
    pictures = HardRasterizer(depth=True)(corners.reshape(-1, 3), soup_faces(4000), colors, camera)
    seen = pictures.triangles >= 0
    assert seen.sum() > 30
    assert pictures.images[seen][:, :3].min() > 0.24 and pictures.images[seen][:, :3].max() < 0.76
    assert ((pictures.depth[seen] > 0.9) & (pictures.depth[seen] < 2.2)).all()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_kernels_compile_for_cuda_without_a_device(dtype, tmp_path):
    wp.compile_aot_module(build(dtype).module, arch=[75, 90], use_ptx=True, module_dir=tmp_path)
    texts = [file.read_text() for file in tmp_path.glob("*.ptx")]
    assert len(texts) == 2 and all(text.count(".visible .entry") > 0 for text in texts)


def test_nothing_is_too_near_and_near_is_checked():
    with pytest.raises(ValueError, match=r"^near: expected a positive depth, got 0$"):
        HardRasterizer(near=0)
    vertices, faces, colors, cameras = ball(count=1)
    near = HardRasterizer(near=2.5, depth=True)(vertices, faces, colors, cameras)
    assert near.depth.min() >= 2.5 and near.depth[near.depth < torch.inf].numel() > 50


# By name


def test_every_entry_of_the_registry_loads():
    for name in RENDERERS:
        assert type(load_renderer(name)) is type(RENDERERS[name]())


@pytest.mark.parametrize("module", [hard, warp_backend])
def test_triangles_that_wait_stay_in_their_room(monkeypatch, module):
    rooms = []

    def larger(chunks: int, faces: int) -> torch.Tensor:
        size = room_to_wait(chunks, faces).shape[1]
        rooms.append(torch.full((chunks, size + 5000), -7, dtype=torch.int32))
        return rooms[-1][:, :size]

    monkeypatch.setattr(module, "room_to_wait", larger)
    ball, cameras = icosphere(3), sphere_of_cameras(3, distance=3.0, fov_y_degrees=45.0, height=64, width=64)
    inside_out = ball.faces.flip(1)  # all that would be drawn first waits
    for faces in (ball.faces, inside_out):
        HardRasterizer()(ball.vertices, faces, ball.vertices.abs(), cameras)
        render(ball.vertices, faces, ball.vertices.abs(), cameras)
    assert rooms and all(bool((room[:, -5000:] == -7).all()) for room in rooms)
    assert any(bool((room[:, :-5000] != -7).any()) for room in rooms)  # some waited
