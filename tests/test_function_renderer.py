"""Functions as renderers: 8 bits, sRGB, alpha of both kinds, noise; what is refused; files and modules by name."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from test_black_box import ball

from largesteps_zg.images import linear_to_srgb
from largesteps_zg.renderers import FunctionRenderer, HardRasterizer, load_renderer

HARD = HardRasterizer()


def rgba(vertices, faces, colors, cameras):
    return HARD(vertices, faces, colors, cameras).images


def constant(value, dtype=torch.float32, shape=None):
    """A function that returns one colour everywhere."""
    value = torch.as_tensor(value, dtype=dtype)

    def same(vertices, faces, colors, cameras):
        return value.expand(shape or (len(cameras), cameras.height, cameras.width, len(value))).clone()

    return same


def test_eight_bits_differ_by_half_a_step_and_noise_by_its_mean():
    scene = ball(count=2)
    expected = HARD(*scene)

    def eight_bits(*arguments):
        straight = rgba(*arguments)
        return (255 * linear_to_srgb(straight)).round().to(torch.uint8).numpy()[..., :3]

    # In sRGB a step is 1/255, and the slope of the decoding at white is 2.275 at most.
    found = FunctionRenderer(eight_bits, encoding="srgb")(*scene)
    assert torch.equal(found.triangles, expected.triangles) and found.depth is None
    assert torch.equal(found.images[..., 3], expected.images[..., 3])
    error = (found.images - expected.images).abs().max()
    assert 0.002 < error < 0.5 / 255 * 2.3

    generator = torch.Generator().manual_seed(3)

    def noisy(*arguments):
        images = rgba(*arguments)[..., :3]
        return images + 0.1 * torch.randn(images.shape, generator=generator)

    renderer = FunctionRenderer(noisy)
    mean = torch.stack([renderer(*scene).images for _ in range(64)]).mean(0)
    error = (mean - expected.images)[..., :3]
    # 64 of them: a standard deviation of 0.1 / 8 in each of n numbers, and of that over sqrt(n) in their mean.
    assert abs(error.mean()) < 4.5 * 0.0125 / error.numel() ** 0.5
    assert error.std() == pytest.approx(0.0125, rel=0.05)


@pytest.mark.parametrize(
    "given, options, expected",
    [
        # 188/255 in sRGB is 0.5029 in linear light; half covered.
        ([0.5, 0.25, 0.0, 0.5], {}, [0.5, 0.25, 0.0, 0.5]),
        ([0.5, 0.25, 0.0, 0.5], {"alpha": "straight"}, [0.25, 0.125, 0.0, 0.5]),
        ([188 / 255, 1.0, 0.0, 0.5], {"encoding": "srgb"}, [0.5029, 1.0, 0.0, 0.5]),
        ([188 / 255, 1.0, 0.0, 0.5], {"encoding": "srgb", "alpha": "straight"}, [0.25145, 0.5, 0.0, 0.5]),
    ],
)
def test_colours_by_hand(given, options, expected):
    scene = ball(count=1, level=1, height=4, width=6)
    for dtype in (torch.float32, torch.float64, torch.uint8):
        values = (torch.tensor(given) * 255).round() if dtype == torch.uint8 else given
        found = FunctionRenderer(constant(values, dtype), **options)(*scene).images
        assert found.dtype == torch.float32 and found.shape == (1, 4, 6, 4)
        tolerance = 5e-3 if dtype == torch.uint8 else 1e-4
        assert torch.allclose(found, torch.tensor(expected).expand_as(found), atol=tolerance)


def test_arrays_that_run_backwards_or_are_read_only():
    scene = ball(count=2)

    def upside_down(*arguments):
        images = np.flip(rgba(*arguments).numpy(), axis=1).copy()[:, ::-1]
        images.flags.writeable = False
        return images

    assert torch.equal(FunctionRenderer(upside_down)(*scene).images, HARD(*scene).images)


def test_a_simple_function_sees_one_set_of_vertices_and_a_batched_one_all():
    vertices, faces, colors, cameras = ball(count=3)
    shapes = []

    def watched(points, triangles, paint, views):
        assert not points.requires_grad and not torch.is_grad_enabled()
        shapes.append((tuple(points.shape), tuple(paint.shape), len(views)))
        return rgba(points, triangles, paint, views)

    moved = vertices.expand(3, -1, -1) + torch.tensor([0.0, 0.1, 0.2]).view(3, 1, 1)
    simple = FunctionRenderer(watched)(moved, faces, colors, cameras)
    assert shapes == [((642, 3), (642, 3), 1)] * 3
    shapes.clear()
    batched = FunctionRenderer(watched, batched=True)(moved, faces, colors, cameras)
    assert shapes == [((3, 642, 3), (642, 3), 3)]
    assert torch.equal(simple.images, batched.images) and torch.equal(simple.triangles, batched.triangles)


def painter(vertices, faces, colors, cameras):
    raise NotImplementedError


SIZE = r"\(2, 30, 44, 3 or 4\)"


@pytest.mark.parametrize(
    "result, message",
    [
        (None, rf"expected a tensor or an array {SIZE}, got NoneType; use numpy.stack$"),
        (torch.zeros(2, 3, 30, 44), rf"expected images {SIZE}, got \(2, 3, 30, 44\); channels come last"),
        (
            torch.zeros(2, 44, 30, 3),
            rf"expected images {SIZE}, got \(2, 44, 30, 3\); rows come before columns",
        ),
        (
            torch.zeros(2, 30, 44),
            rf"expected images {SIZE}, got \(2, 30, 44\); repeat grey values three times$",
        ),
        (torch.zeros(1, 30, 44, 3), rf"expected images {SIZE}, got \(1, 30, 44, 3\)$"),
        (
            torch.zeros(2, 30, 44, 3, dtype=torch.int32),
            r"expected uint8 or floats, got torch.int32; convert them$",
        ),
        (np.zeros((2, 30, 44, 3), dtype=np.uint16), r"expected uint8 or floats, got uint16; convert them$"),
        (torch.full((2, 30, 44, 3), torch.nan), r"expected finite colours, got 7920 numbers that are not$"),
        (
            torch.full((2, 30, 44, 3), 200.0),
            r"expected floats of which 1 is white, got whole numbers up to 200; divide",
        ),
        (torch.full((2, 30, 44, 4), 1.5), r"expected alpha in \[0, 1\], got 1.5 to 1.5$"),
    ],
)
def test_what_is_no_image_is_refused_by_name(result, message):
    def engine(*_):
        return result

    with pytest.raises(ValueError, match=r"^function test_what.*\.engine: " + message):
        FunctionRenderer(engine)(*ball(count=2))


def test_bright_colours_are_no_bytes():
    found = FunctionRenderer(constant([3.5, 200.0, 0.0]))(*ball(count=1))
    assert found.images[0, 0, 0, :3].tolist() == [3.5, 200.0, 0.0]


def test_what_the_function_raises_comes_through():
    with pytest.raises(NotImplementedError):
        FunctionRenderer(painter)(*ball(count=1))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"function": 3}, r"^function: expected something that can be called, got int$"),
        ({"encoding": "gamma"}, r"^encoding: expected one of linear, srgb, got 'gamma'$"),
        ({"alpha": "none"}, r"^alpha: expected one of premultiplied, straight, got 'none'$"),
    ],
)
def test_wrong_arguments(unchecked, arguments, message):
    with pytest.raises(ValueError, match=message):
        FunctionRenderer(**({"function": painter} | arguments))


# By name

ENGINE = """
    import colours_beside_it

    from largesteps_zg.renderers import BlackBox, FunctionRenderer, HardRasterizer

    hard = HardRasterizer()
    number = 3

    def draw(vertices, faces, colors, cameras):
        return hard(vertices, faces, colors_of(colors), cameras).images

    def colors_of(colors):
        return colours_beside_it.FACTOR * colors

    class Half(BlackBox):
        def __call__(self, vertices, faces, colors, cameras):
            return hard(vertices, faces, colors / 2, cameras)

    encoded = FunctionRenderer(draw, encoding="srgb")
"""


@pytest.fixture
def engine(tmp_path):
    file = tmp_path / "engine.py"
    file.write_text(textwrap.dedent(ENGINE))
    (tmp_path / "colours_beside_it.py").write_text("FACTOR = 0.5\n")
    yield file
    sys.modules.pop("colours_beside_it", None)


def test_a_function_a_class_and_a_renderer_from_a_file(engine):
    vertices, faces, colors, cameras = scene = ball(count=1)
    expected = HARD(vertices, faces, colors / 2, cameras)
    path = list(sys.path)
    for name in ("draw", "Half"):
        found = load_renderer(f"{engine}:{name}")(*scene)
        assert torch.equal(found.images, expected.images) and torch.equal(found.triangles, expected.triangles)
    assert load_renderer(f"{engine}:encoded").encoding == "srgb"
    assert sys.path == path


@pytest.mark.slow
def test_what_comes_from_a_file_goes_to_other_processes(engine, tmp_path):
    scene = ball(count=1)
    renderer = load_renderer(f"{engine}:draw")
    (tmp_path / "sent").write_bytes(pickle.dumps((renderer, scene)))
    code = f"""
        import pickle
        renderer, scene = pickle.load(open({str(tmp_path / "sent")!r}, "rb"))
        print(float(renderer(*scene).images.sum()))
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    assert float(run.stdout) == pytest.approx(float(renderer(*scene).images.sum()), rel=1e-6)


def test_a_function_from_a_module():
    found = load_renderer("test_function_renderer:rgba")
    scene = ball(count=1)
    assert torch.equal(found(*scene).images, HARD(*scene).images)
    with pytest.raises(
        ValueError, match=r"^function painted_grey: expected images \(1, 30, 44, 3 or 4\), got \(2, 2\)$"
    ):
        load_renderer("test_function_renderer:painted_grey")(*scene)


def painted_grey(vertices, faces, colors, cameras):
    return np.zeros((2, 2))


@pytest.mark.parametrize(
    "name, error, message",
    [
        (
            "raster",
            ValueError,
            r"^renderer: expected rasterizer, antialiased, opengl, FILE.py:NAME or package.module:NAME, got 'ra",
        ),
        (
            "FILE",
            ValueError,
            r"^renderer: expected rasterizer, antialiased, opengl, FILE.py:NAME or package.module:NAME, got",
        ),
        ("FILE:", ValueError, r"^renderer: expected rasterizer"),
        ("nowhere.py:draw", FileNotFoundError, r"^nowhere.py: no such file; expected FILE.py:NAME$"),
        ("FILE:paint", ValueError, r"engine.py: expected a function 'paint', found draw, colors_of, Half$"),
        ("FILE:number", ValueError, r"engine.py: expected 'number' to be a function, got int$"),
        (
            "nowhere.at_all:draw",
            ImportError,
            r"^renderer: no module named nowhere; is it installed\? for a file",
        ),
        ("math:tau", ValueError, r"^math: expected 'tau' to be a function, got float$"),
    ],
)
def test_names_that_are_none(engine, name, error, message):
    with pytest.raises(error, match=message):
        load_renderer(name.replace("FILE", str(engine)))


@pytest.mark.parametrize(
    "source, message",
    [
        ("import math\n\nratio = 1 / 0\n", r"broken.py: line 3: ZeroDivisionError: division by zero$"),
        ("import math\ndef draw(:\n    pass\n", r"broken.py: line 2: SyntaxError: "),
        (
            "import missing_engine\n",
            r"broken.py: line 1: ModuleNotFoundError: No module named 'missing_engine'$",
        ),
        ("def f():\n    raise OSError('no licence')\n\nf()\n", r"broken.py: line 2: OSError: no licence$"),
    ],
)
def test_a_file_that_cannot_be_imported_names_the_line(tmp_path, source, message):
    file = tmp_path / "broken.py"
    file.write_text(source)
    before = set(sys.modules)
    with pytest.raises(ImportError, match=message):
        load_renderer(f"{file}:draw")
    assert not [name for name in set(sys.modules) - before if name.startswith("largesteps_zg_renderer")]
