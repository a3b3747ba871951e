"""OpenGL against our rasterizer on the same scenes, its limits, and what it says where it cannot be used."""

from __future__ import annotations

import builtins
import gc
import multiprocessing
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from test_black_box import ball, skewed_camera, soup

from largesteps_zg.cameras import look_at, sphere_of_cameras
from largesteps_zg.cli.capabilities import capabilities
from largesteps_zg.mesh import icosphere
from largesteps_zg.renderers import HardRasterizer, OpenGL, opengl

try:
    with OpenGL() as _tried:
        DRIVER = _tried.device
    FAULT = ""
except (ImportError, RuntimeError) as error:
    FAULT = str(error)
needs_opengl = pytest.mark.skipif(bool(FAULT), reason=FAULT or "usable")


def compared(vertices, faces, colors, cameras, **options):
    """Both renderers' pictures, and where they show the same triangle."""
    with OpenGL(**options) as renderer:
        found = renderer(vertices, faces, colors, cameras)
    expected = HardRasterizer(depth=True, **options)(vertices, faces, colors, cameras)
    return found, expected, found.triangles == expected.triangles


@needs_opengl
@pytest.mark.parametrize("level, share", [(2, 4e-4), (4, 1e-3), (5, 2e-3)])
def test_only_pixels_on_an_edge_show_another_triangle(level, share):
    mesh = icosphere(level)
    cameras = sphere_of_cameras(4, distance=3.0, fov_y_degrees=45.0, height=160, width=200)
    colors = 0.5 + 0.5 * mesh.vertices  # smooth: what is left of rounding the vertices is small
    found, expected, same = compared(mesh.vertices, mesh.faces, colors, cameras)
    seen = expected.triangles >= 0
    assert seen.float().mean() > 0.3
    # Measured on llvmpipe: a quarter of the bound. 1/256 of a pixel beside each edge is what it comes from.
    assert (~same).sum() < share * seen.sum()
    assert ((found.triangles < 0) != ~seen).sum() < 1e-3 * seen.sum()
    inside = same & seen
    difference = (found.images - expected.images)[inside].abs().amax(-1)
    assert difference.mean() < 1e-5 and (difference > 1e-4).float().mean() < 0.01
    deep = (found.depth - expected.depth)[inside].abs()
    assert deep.mean() < 1e-5 and (deep > 1e-4).float().mean() < 0.02


@needs_opengl
@pytest.mark.parametrize("depths", [(2.0, 2.5), (-1.0, 3.0), (-3.0, 0.5)])
def test_triangles_of_any_size_across_the_near_plane(depths):
    camera = skewed_camera(75, 90)
    vertices, faces, colors = soup(11, 40, depths, camera)
    found, expected, same = compared(vertices, faces, colors, camera, near=0.05)
    assert (expected.triangles >= 0).float().mean() > 0.3
    assert same.float().mean() > 0.995
    seen = same & (expected.triangles >= 0)
    assert found.depth[seen].min() >= 0.0499
    difference = (found.images - expected.images)[seen].abs().amax(-1)
    # The largest colour steps here are of one in 20 pixels.
    assert difference.quantile(0.95) < 3e-4


@needs_opengl
def test_colours_out_of_range_and_both_sides():
    vertices, faces, colors, cameras = ball(count=2)
    bright = 100 * colors - 20  # an engine with 8 bits, or a clamp, would cut these off
    for turn in (faces, faces.flip(1)):
        found, expected, same = compared(vertices, turn, bright, cameras)
        assert same.float().mean() > 0.998
        assert (found.images - expected.images)[same].abs().mean() < 1e-2
    assert found.images[..., :3].min() < -10 and found.images[..., :3].max() > 70


@needs_opengl
def test_surfaces_close_together_far_from_the_camera_keep_their_order():
    # Two squares 1e-4 apart at depth 5, and something near the camera that would take all bits of a usual buffer.
    square = torch.tensor([[-1.0, -1.0, 5.0], [1.0, -1.0, 5.0], [1.0, 1.0, 5.0], [-1.0, 1.0, 5.0]])
    near = torch.tensor([[0.0, 0.0, 0.01], [0.0001, 0.0, 0.01], [0.0, 0.0001, 0.01]])
    vertices = torch.cat([square + torch.tensor([0.0, 0.0, 1e-4]), square, near])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7], [8, 9, 10]])
    camera = skewed_camera()
    found, _, same = compared(vertices, faces, torch.ones(11, 3), camera)
    assert same.float().mean() > 0.99 and not ((found.triangles == 0) | (found.triangles == 1)).any()


@needs_opengl
def test_equal_depth_goes_to_the_lowest_face():
    vertices, faces, colors, cameras = ball(count=1)
    found, _, same = compared(vertices, faces.repeat(3, 1), colors, cameras)
    assert found.triangles.max() < len(faces) and same.float().mean() > 0.998


@needs_opengl
def test_a_million_triangles():
    side = 710
    x, y = torch.meshgrid(torch.linspace(-1, 1, side), torch.linspace(-1, 1, side), indexing="ij")
    vertices = torch.stack([x, y, 0.1 * torch.sin(9 * x) * torch.cos(7 * y)], dim=-1).reshape(-1, 3)
    corner = (torch.arange(side - 1)[:, None] * side + torch.arange(side - 1)).reshape(-1)
    quads = [
        torch.stack([corner, corner + a, corner + b], dim=1) for a, b in ((side, side + 1), (side + 1, 1))
    ]
    faces = torch.cat(quads)
    assert len(faces) > 1_000_000
    cameras = look_at(torch.tensor([[0.5, 0.4, 2.5]]), fov_y_degrees=40.0, height=64, width=96)
    found, expected, _ = compared(vertices, faces, 0.5 + 0.5 * vertices, cameras)
    assert found.triangles.max() > 900_000
    # Triangles are smaller than a hundredth of a pixel: which one is at the centre is rounding, what it shows is not.
    assert (found.images - expected.images).abs().mean() < 1e-3


@needs_opengl
def test_more_views_than_fit_in_one_framebuffer():
    vertices, faces, colors, cameras = ball(count=64, level=2, height=50, width=36)
    moved = vertices + 0.01 * torch.randn(64, *vertices.shape, generator=torch.Generator().manual_seed(1))
    with OpenGL() as renderer:
        whole = renderer(moved, faces, colors, cameras)
        renderer._canvas.largest = 512  # ten views at a time, and four in the end
        parts = renderer(moved, faces, colors, cameras)
    assert (whole.triangles == parts.triangles).float().mean() > 0.999
    assert (whole.images - parts.images).abs().mean() < 1e-4


@needs_opengl
def test_threads_take_turns():
    scene = ball(count=2)
    with OpenGL() as renderer, ThreadPoolExecutor(3) as pool:
        expected = renderer(*scene).triangles
        found = list(pool.map(lambda _: renderer(*scene).triangles, range(9)))
        assert all(torch.equal(one, expected) for one in found)
        # And a second context beside it, in this thread.
        with OpenGL() as other:
            assert torch.equal(other(*scene).triangles, expected)
        assert torch.equal(renderer(*scene).triangles, expected)


@needs_opengl
def test_it_draws_again_after_release_and_frees_with_the_object():
    scene = ball(count=1)
    renderer = OpenGL()
    expected = renderer(*scene).triangles
    context = renderer._canvas.context
    renderer.release()
    assert not hasattr(context.mglo, "release")  # moderngl's sign of what is released
    renderer.release()
    assert torch.equal(renderer(*scene).triangles, expected)
    context = renderer._canvas.context
    del renderer
    gc.collect()
    assert not hasattr(context.mglo, "release")


@needs_opengl
def test_images_larger_than_the_driver_allows_are_refused():
    vertices, faces, colors, cameras = ball(count=1)
    with OpenGL() as renderer:
        _ = renderer.device
        renderer._canvas.largest = 40
        with pytest.raises(
            ValueError, match=r"^cameras: expected images of at most 40 pixels a side on this driver"
        ):
            renderer(vertices, faces, colors, cameras)


@needs_opengl
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_is_told_what_to_do():
    renderer = OpenGL()
    _ = renderer.device
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()

    def told():
        try:
            queue.put(renderer.device)
        except RuntimeError as error:
            queue.put(str(error))

    process = context.Process(target=told)
    process.start()
    message = queue.get()
    process.join(20)
    assert "forked from one that had already used OpenGL" in message and "spawn" in message
    assert renderer.device == DRIVER  # the child's end took nothing with it


def test_without_moderngl_it_says_how_to_install_it(monkeypatch):
    real = builtins.__import__

    def absent(name, *rest, **options):
        if name == "moderngl":
            raise ModuleNotFoundError("No module named 'moderngl'")
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    message = r"^renderer: opengl needs moderngl \(No module named 'moderngl'\); pip install moderngl$"
    with pytest.raises(ImportError, match=message):
        OpenGL()(*ball(count=1))


def test_without_a_driver_it_gives_the_cause_and_the_packages(monkeypatch):
    moderngl = pytest.importorskip("moderngl")

    def fails(**options):
        raise Exception("libEGL.so.1 not\nloaded")

    monkeypatch.setattr(moderngl, "create_context", fails)
    monkeypatch.setattr(opengl.sys, "platform", "linux")
    message = r"^renderer: no OpenGL 3.3 through EGL here \(libEGL.so.1 not loaded\); Debian: apt-get install libegl1 "
    with pytest.raises(RuntimeError, match=message):
        OpenGL()(*ball(count=1))


def test_info_says_what_draws_or_why_nothing_does(monkeypatch):
    if not FAULT:
        assert capabilities()["renderers"] == [("opengl", True, f"without derivatives; {DRIVER}")]

    def missing():
        raise ImportError("renderer: opengl needs moderngl (none); pip install moderngl")

    monkeypatch.setattr(opengl, "make_context", missing)
    row = ("opengl", False, "needs moderngl (none); pip install moderngl")
    assert capabilities()["renderers"] == [row]


def test_near_is_checked():
    with pytest.raises(ValueError, match=r"^near: expected a positive depth, got -1$"):
        OpenGL(near=-1)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Mesa's driver is Linux's")
def test_the_llvm_in_triton_is_loaded_before_that_of_the_driver(tmp_path, monkeypatch):
    """The other way round the process dies: seen with triton 3.7.1 and the LLVM 15 of Mesa 22."""
    moderngl = pytest.importorskip("moderngl")
    (tmp_path / "triton.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    before = []
    monkeypatch.setattr(moderngl, "create_context", lambda **_: before.append("triton" in sys.modules))
    opengl.make_context()
    assert before == [True]
