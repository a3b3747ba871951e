"""Textures: values against an oracle that is written out, derivatives against differences, laws, errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import texture_oracle as oracle
import torch
from torch import Tensor

from largesteps_zg._support import warp_launch as launching
from largesteps_zg.rasterizer import build_mipmaps, sample_texture

FILTERS = ("nearest", "linear", "linear-mipmap-nearest", "linear-mipmap-linear")
MIPMAPPED = FILTERS[2:]


@pytest.fixture(params=["chunks", "items"])
def work(request, monkeypatch):
    """Both ways in which the work is handed out; one thread an item is what CUDA does, and runs here too."""
    if request.param == "items":
        monkeypatch.setattr(launching, "in_chunks", lambda device: False)


@pytest.fixture
def two_threads():
    """Chunks on two threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def problem(seed: int, shape: tuple[int, ...], places: tuple[int, ...], dtype=torch.float64):
    """A texture, coordinates in and outside of it, footprints of a half to eight texels, biases."""
    generator = torch.Generator().manual_seed(seed)
    cube = shape[-4:-3] == (6,) and shape[-3] == shape[-2]

    def normal(*size: int) -> Tensor:
        return torch.randn(size, generator=generator).to(dtype)

    size = 3 if cube else 2
    uv = normal(*places, size) if cube else 1.2 * normal(*places, size) + 0.5
    length = 2 ** (4 * torch.rand(*places, 1, generator=generator) - 1).to(dtype)
    footprints = (
        length / shape[-2] * normal(*places, 2 * size) * (uv.norm(dim=-1, keepdim=True) if cube else 1)
    )
    return normal(*shape), uv, footprints, normal(*places)


def expected(texture, uv, filter, boundary, footprints=None, bias=None, most=99) -> np.ndarray:
    """The oracle at all places, of one texture or one for each image."""
    one = 4 if boundary == "cube" else 3
    texture, uv = texture.double().numpy(), uv.double().numpy()
    found = np.empty((*uv.shape[:-1], texture.shape[-1]))
    for at in np.ndindex(uv.shape[:-1]):
        textures = texture if texture.ndim == one else texture[at[0] if len(texture) > 1 else 0]
        footprint = None if footprints is None else footprints[at].double().numpy().reshape(-1, 2)
        given = 0.0 if bias is None else float(bias[at])
        found[at] = oracle.sample(textures, uv[at], filter, boundary, footprint, given, most)
    return found


def test_values_by_hand():
    # 2 x 2 texels 1 2 / 3 4 with centres at 1/4 and 3/4; the corner (0, 0) lies between four of them.
    texture = torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]])
    places = torch.tensor([[0.25, 0.25], [0.5, 0.5], [0.0, 0.25], [0.0, 0.0], [1.75, 0.75]])
    wrapped = [1, 2.5, 1.5, 2.5, 4]
    clamped = [1, 2.5, 1, 1, 4]
    zero = [1, 2.5, 0.5, 0.25, 0]
    for boundary, values in (("wrap", wrapped), ("clamp", clamped), ("zero", zero)):
        assert sample_texture(texture, places, boundary=boundary)[:, 0].tolist() == values
    # Level 1 is the mean, 2.5; level 0.5 lies halfway.
    level = torch.tensor([0.5, 1.0, 9.0])
    assert sample_texture(texture, places[:1].expand(3, 2), bias=level)[:, 0].tolist() == [1.75, 2.5, 2.5]


@pytest.mark.parametrize("boundary", ["wrap", "clamp", "zero"])
@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("shape", [(4, 8, 3), (2, 8, 2, 4), (1, 4, 4, 5)])
def test_flat_textures_are_the_oracles(work, filter, boundary, shape):
    texture, uv, footprints, bias = problem(1, shape, (2, 5, 7))
    for given in ({"footprints": footprints}, {"bias": bias + 1}, {"footprints": footprints, "bias": bias}):
        options = given if "mipmap" in filter else {}
        found = sample_texture(texture, uv, filter=filter, boundary=boundary, **options)
        np.testing.assert_allclose(found, expected(texture, uv, filter, boundary, **options), atol=1e-12)


@pytest.mark.parametrize("filter", ["linear", "linear-mipmap-linear"])
def test_float32_is_as_exact_as_it_can(work, filter):
    for shape, boundary in (((8, 8, 3), "wrap"), ((6, 4, 4, 3), "cube")):
        texture, uv, footprints, bias = problem(2, shape, (40,), torch.float32)
        options = {"footprints": footprints, "bias": bias} if "mipmap" in filter else {}
        found = sample_texture(texture, uv, filter=filter, boundary=boundary, **options)
        assert found.dtype == torch.float32
        np.testing.assert_allclose(found, expected(texture, uv, filter, boundary, **options), atol=2e-5)


def near_edges(side: int) -> Tensor:
    """Directions at edges and corners of a cube, within a texel and on both sides; and in the middle of faces."""
    signs = torch.cartesian_prod(*3 * [torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)])[1:]
    generator = torch.Generator().manual_seed(side)
    nudges = torch.rand(12, len(signs), 3, generator=generator, dtype=torch.float64) - 0.5
    return (signs + 1.7 / side * nudges).reshape(-1, 3)


@pytest.mark.slow
@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("side", [1, 2, 8])
def test_cube_maps_are_the_oracles(work, filter, side):
    uv = near_edges(side)[::3]
    texture, _, footprints, bias = problem(side, (6, side, side, 3), (len(uv),))
    options = {"footprints": footprints, "bias": bias} if "mipmap" in filter else {}
    found = sample_texture(texture, uv, filter=filter, boundary="cube", **options)
    np.testing.assert_allclose(found, expected(texture, uv, filter, "cube", **options), atol=1e-8)


def test_faces_are_oriented_as_in_opengl():
    texture = torch.arange(6 * 3 * 3, dtype=torch.float32).view(6, 3, 3, 1)
    for face, (along_s, along_t, forward) in oracle.FACES.items():
        axes = torch.tensor([along_s, along_t, forward], dtype=torch.float32)
        for row, column in np.ndindex(3, 3):
            p = torch.tensor([(2 * column - 2) / 3, (2 * row - 2) / 3, 1.0]) @ axes
            for filter in ("nearest", "linear"):
                found = sample_texture(texture, 7 * p[None], filter=filter, boundary="cube")
                assert abs(found.item() - texture[face, row, column].item()) < 1e-5


@pytest.mark.parametrize("side", [1, 2, 5, 16])
def test_cube_maps_have_no_seams(side):
    texture, *_ = problem(3, (6, side, side, 2), (1,))
    signs = torch.cartesian_prod(*3 * [torch.tensor([-1.0, 1.0], dtype=torch.float64)])
    along = torch.linspace(-1, 1, 101, dtype=torch.float64)
    for axis in range(3):  # edges along it, seen from both of their faces
        points = signs[:, None].repeat(1, 101, 1)
        points[..., axis] = along
        other = [(axis + 1) % 3, (axis + 2) % 3]
        sides = [points.clone(), points.clone()]
        for one, inside in zip(sides, other, strict=True):
            one[..., inside] *= 1 - 1e-9
        first, second = (sample_texture(texture, one, boundary="cube") for one in sides)
        assert torch.allclose(first, second, atol=1e-6)
    at_corners = sample_texture(texture, signs, boundary="cube")
    three = [
        texture[tuple(zip(*[corner_texel(p, f, side) for f in facing(p)], strict=True))].mean(0)
        for p in signs
    ]
    assert torch.allclose(at_corners, torch.stack(three))


def facing(p: Tensor) -> list[int]:
    """The three faces at a corner."""
    return [f for f, axes in oracle.FACES.items() if np.dot(axes[2], p.numpy()) > 0]


def corner_texel(p: Tensor, face: int, side: int) -> tuple[int, int, int]:
    """Face, row and column of a face's texel at a corner."""
    s, t = (int(np.dot(axis, p.numpy()) > 0) * (side - 1) for axis in oracle.FACES[face][:2])
    return face, t, s


# --- derivatives ---------------------------------------------------------------------------------------------------


def clear_of_kinks(side: int, values: Tensor) -> Tensor:
    """Coordinates moved away from where a filter's weights have a kink: texel centres of all levels."""
    step = 1 / (2 * side)
    cell = (values / step).floor()
    return (cell + 0.25 + 0.5 * (values / step - cell)) * step


@pytest.mark.slow
@pytest.mark.parametrize("boundary", ["wrap", "clamp", "zero"])
@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("textures", [1, 2])
def test_derivatives_of_flat_textures_are_those_of_differences(work, filter, boundary, textures):
    texture, uv, footprints, bias = problem(5, (textures, 2, 4, 2), (2, 5))
    uv = torch.stack([clear_of_kinks(4, uv[..., 0]), clear_of_kinks(2, uv[..., 1])], -1)

    def values(texture, uv, footprints, bias):
        options = {"footprints": footprints, "bias": bias} if "mipmap" in filter else {}
        return sample_texture(texture, uv, filter=filter, boundary=boundary, **options)

    given = tuple(t.requires_grad_() for t in (texture, uv, footprints, bias))
    used = given if "mipmap" in filter else given[:2]
    assert torch.autograd.gradcheck(lambda *some: values(*some, *given[len(some) :]), used, fast_mode=True)


@pytest.mark.slow
@pytest.mark.parametrize("filter", FILTERS[1:])
def test_derivatives_of_cube_maps_hold_across_edges(work, filter):
    side = 2
    uv = near_edges(side)[::17]
    texture, _, footprints, bias = problem(6, (6, side, side, 1), (len(uv),))
    options = {"filter": filter, "boundary": "cube"}

    def values(texture, uv, footprints, bias):
        level = {"footprints": footprints, "bias": bias} if "mipmap" in filter else {}
        return sample_texture(texture, uv, **level, **options)

    given = tuple(t.requires_grad_() for t in (texture, uv, footprints, bias))
    used = given if "mipmap" in filter else given[:2]
    assert torch.autograd.gradcheck(
        lambda *some: values(*some, *given[len(some) :]), used, rtol=1e-3, fast_mode=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 8, 4, 3), (2, 8, 4, 3), (1, 6, 4, 4, 3)])
def test_levels_of_ones_own_get_gradients_of_their_own(work, shape):
    boundary = "cube" if len(shape) == 5 else "wrap"
    texture, uv, footprints, bias = problem(7, shape, (2, 9))
    levels = [torch.randn(oracle.halved(texture.numpy()).shape, dtype=torch.float64)]
    levels.append(torch.randn(oracle.halved(levels[0].numpy()).shape, dtype=torch.float64))

    def values(texture, *levels):
        return sample_texture(
            texture, uv, footprints=footprints, bias=bias, mipmaps=list(levels), boundary=boundary
        )

    given = tuple(t.requires_grad_() for t in (texture, *levels))
    assert torch.autograd.gradcheck(values, given, fast_mode=True)
    # They are these levels and no others, and the last one is the coarsest.
    at = sample_texture(texture, uv, bias=torch.full_like(bias, 9), mipmaps=levels, boundary=boundary)
    single = sample_texture(levels[-1], uv, boundary=boundary)
    assert torch.allclose(at, single)


def test_levels_built_before_are_those_built_in_the_call(work):
    for shape, cube in (((1, 8, 4, 3), False), ((2, 8, 8, 3), False), ((1, 6, 4, 4, 3), True)):
        texture, uv, footprints, _ = problem(8, shape, (2, 30))
        results = []
        for mipmaps in (None, build_mipmaps(texture, cube=cube)):
            mine = texture.clone().requires_grad_()
            values = sample_texture(
                mine, uv, footprints=footprints, mipmaps=mipmaps, boundary="cube" if cube else "wrap"
            )
            values.square().sum().backward()
            results.append((values, mine.grad))
        for one, other in zip(*results, strict=True):
            assert torch.equal(one, other)


def test_mipmaps_are_means_of_two_by_two():
    for shape, cube in (((16, 4, 3), False), ((2, 1, 8, 1), False), ((6, 8, 8, 2), True)):
        texture, *_ = problem(9, shape, (1,))
        made = build_mipmaps(texture, cube=cube)
        wanted = oracle.stack_of(texture.numpy())
        assert [level.shape[-3:-1] for level in wanted] == list(made.sizes)
        rows = [level.reshape(len(made.values), -1, shape[-1]) for level in wanted[1:]]
        np.testing.assert_allclose(made.values, np.concatenate(rows, axis=1), atol=1e-14)


def test_only_what_is_asked_for_gets_a_gradient(work):
    texture, uv, footprints, bias = problem(10, (1, 8, 8, 3), (2, 40))
    given = [texture, uv, footprints, bias]

    def gradients(wanted: list[int]) -> list[Tensor | None]:
        mine = [t.clone().requires_grad_(i in wanted) for i, t in enumerate(given)]
        sample_texture(mine[0], mine[1], footprints=mine[2], bias=mine[3]).square().sum().backward()
        return [t.grad for t in mine]

    everything = gradients([0, 1, 2, 3])
    for wanted in ([0], [1], [2], [3], [0, 3]):
        for i, (found, full) in enumerate(zip(gradients(wanted), everything, strict=True)):
            assert found is None if i not in wanted else torch.equal(found, full)


def test_sums_come_out_the_same_in_every_run(two_threads):
    texture, uv, footprints, _ = problem(11, (64, 64, 3), (4, 64, 64), torch.float32)

    def gradient() -> Tensor:
        mine = texture.clone().requires_grad_()
        sample_texture(mine, uv, footprints=footprints).square().sum().backward()
        return mine.grad

    first = gradient()
    assert all(torch.equal(first, gradient()) for _ in range(5))
    torch.set_num_threads(1)
    assert torch.allclose(first, gradient(), rtol=1e-4, atol=1e-4 * float(first.abs().max()))


# --- laws ----------------------------------------------------------------------------------------------------------


def test_a_footprint_twice_as_wide_is_a_level_higher_and_turning_the_picture_changes_nothing():
    texture, uv, footprints, bias = problem(12, (64, 64, 3), (200,))
    plain = sample_texture(texture, uv, footprints=footprints, bias=bias + 1)
    assert torch.allclose(sample_texture(texture, uv, footprints=2 * footprints, bias=bias), plain)
    turn = torch.tensor(
        [[math.cos(0.7), -math.sin(0.7)], [math.sin(0.7), math.cos(0.7)]], dtype=torch.float64
    )
    turned = (footprints.view(200, 2, 2) @ turn).view(200, 4)
    assert torch.allclose(sample_texture(texture, uv, footprints=turned, bias=bias + 1), plain)


def test_a_constant_stays_constant():
    for shape, boundary in (((8, 8, 1), "wrap"), ((8, 8, 1), "clamp"), ((6, 8, 8, 1), "cube")):
        _, uv, footprints, bias = problem(13, shape, (500,))
        for filter in FILTERS:
            level = {"footprints": footprints, "bias": bias} if "mipmap" in filter else {}
            values = sample_texture(
                torch.full(shape, 0.25, dtype=torch.float64), uv, filter=filter, boundary=boundary, **level
            )
            assert torch.allclose(values, torch.full_like(values, 0.25), atol=1e-14)


def test_the_coarsest_level_is_a_limit():
    texture, uv, footprints, _ = problem(14, (32, 32, 2), (50,))
    for most in (0, 1, 3):
        found = sample_texture(texture, uv, footprints=footprints, max_level=most)
        wanted = expected(texture, uv, "linear-mipmap-linear", "wrap", footprints, most=most)
        np.testing.assert_allclose(found, wanted, atol=1e-12)
        before = sample_texture(
            texture, uv, footprints=footprints, mipmaps=build_mipmaps(texture), max_level=most
        )
        assert torch.equal(found, before)


@pytest.mark.parametrize("boundary", ["wrap", "clamp", "zero", "cube"])
def test_places_that_are_none_are_zero_and_have_no_derivative(boundary):
    cube = boundary == "cube"
    texture = torch.ones((6, 4, 4, 2) if cube else (4, 4, 2), requires_grad=True)
    size = 3 if cube else 2
    wrong = [[math.nan] * size, [math.inf] * size] + (
        [[0.0] * 3, [1.0, 0.0, math.nan]] if cube else [[0.5, -math.inf]]
    )
    uv = torch.tensor(wrong).requires_grad_()
    footprints = torch.full((len(wrong), 2 * size), 0.3, requires_grad=True)
    bias = torch.ones(len(wrong), requires_grad=True)
    values = sample_texture(texture, uv, footprints=footprints, bias=bias, boundary=boundary)
    assert (values == 0).all()
    values.sum().backward()
    assert all((t.grad == 0).all() for t in (texture, uv, footprints, bias))


def test_numbers_too_large_end_at_the_last_level_and_inside_the_texture():
    texture, *_ = problem(15, (8, 8, 1), (1,), torch.float32)
    uv = torch.tensor([[1e30, -1e30], [3e9, 0.5], [-3e9, 0.5]])
    for boundary in ("wrap", "clamp", "zero"):
        for filter in ("nearest", "linear"):
            assert torch.isfinite(sample_texture(texture, uv, filter=filter, boundary=boundary)).all()
    for width in (math.inf, 1e30):
        wide = torch.full((3, 4), width, requires_grad=True)
        found = sample_texture(texture, uv, footprints=wide)
        assert torch.allclose(found, texture.mean().expand(3, 1), atol=1e-6)
        found.sum().backward()
        assert (wide.grad == 0).all()
    wide, rays = torch.full((1, 6), math.inf), torch.tensor([[1.0, 0.3, 0.2]], requires_grad=True)
    sample_texture(torch.rand(6, 4, 4, 1), rays, footprints=wide, boundary="cube").sum().backward()
    assert torch.isfinite(rays.grad).all()
    still = torch.zeros(3, 4, requires_grad=True)
    found = sample_texture(texture, uv, footprints=still)
    assert torch.equal(found, sample_texture(texture, uv))
    found.sum().backward()
    assert (still.grad == 0).all()


@pytest.mark.parametrize("textures", [1, 2])
def test_no_place_at_all(work, textures):
    texture = torch.ones(textures, 4, 4, 3, requires_grad=True)
    values = sample_texture(texture, torch.empty(2, 0, 2), footprints=torch.empty(2, 0, 4))
    assert values.shape == (2, 0, 3)
    values.sum().backward()
    assert (texture.grad == 0).all()


def test_second_derivatives_are_refused():
    uv = torch.rand(5, 2, requires_grad=True)
    (grad,) = torch.autograd.grad(
        sample_texture(torch.rand(4, 4, 1), uv).square().sum(), uv, create_graph=True
    )
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


# --- errors --------------------------------------------------------------------------------------------------------

FLAT, PLACES = torch.ones(8, 8, 3), torch.zeros(2, 5, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"texture": FLAT.numpy()}, r"^texture: expected a tensor, got a NumPy array"),
        ({"texture": FLAT[0]}, r"^texture: expected \(H, W, C\) or \(T, H, W, C\), no side 0, got \(8, 3\)$"),
        ({"texture": FLAT[:, :0]}, r"no side 0, got \(8, 0, 3\)$"),
        ({"boundary": "cube"}, r"^texture: expected \(6, S, S, C\) or \(T, 6, S, S, C\), no side 0, got \(8, 8, 3\)$"),
        ({"texture": torch.ones(6, 8, 4, 3), "boundary": "cube"}, r"got \(6, 8, 4, 3\)$"),
        ({"texture": torch.ones(6, 8, 8, 3), "boundary": "cube"}, r"^uv: expected \(..., 3\), got \(2, 5, 2\); bound"),
        ({"texture": FLAT.to(torch.uint8)}, r"^texture: expected float32 or float64, got torch.uint8; convert"),
        ({"texture": torch.ones(3, 8, 8, 3)}, r"^texture: expected 1 or 2 of them, as many as uv has images, got 3$"),
        ({"uv": torch.zeros(5, 3)}, r"^uv: expected \(..., 2\), got \(5, 3\)$"),
        ({"uv": PLACES.double()}, r"^uv: expected torch.float32 on cpu as the texture, got torch.float64 on cpu$"),
        ({"footprints": torch.zeros(2, 5, 2)}, r"^footprints: expected \(2, 5, 4\) beside uv, got \(2, 5, 2\)$"),
        ({"bias": torch.zeros(2, 5, 1)}, r"^bias: expected \(2, 5\) beside uv, got \(2, 5, 1\)$"),
        ({"bias": 1.0}, r"^bias: expected a tensor, got float; use torch.as_tensor\(bias\)$"),
        ({"filter": "cubic"}, r"^filter: expected one of auto, nearest, linear, linear-mipmap-nearest, "),
        ({"boundary": "mirror"}, r"^boundary: expected one of wrap, clamp, zero, cube, got 'mirror'$"),
        ({"filter": "linear-mipmap-linear"}, r"^filter: linear-mipmap-linear needs the pixels' level; pass footpri"),
        ({"max_level": -1}, r"^max_level: expected an integer >= 0, got -1$"),
        ({"mipmaps": FLAT, "bias": PLACES[..., 0]}, r"^mipmaps: expected Mipmaps or a list of tensors, got Tensor$"),
        ({"mipmaps": [FLAT], "bias": PLACES[..., 0]}, r"^mipmaps\[0\]: expected \(1, 4, 4, 3\) torch.float32 on cpu, "),
        ({"mipmaps": [4], "bias": PLACES[..., 0]}, r"^mipmaps\[0\]: expected a tensor, got int"),
        (
            {"mipmaps": build_mipmaps(torch.ones(4, 4, 3)), "bias": PLACES[..., 0]},
            r"^mipmaps: expected those of a texture \(1, 8, 8, 3\) torch.float32 on cpu; build them from this texture$",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_one_line(unchecked, change, message):
    given = {"texture": FLAT, "uv": PLACES} | change
    with pytest.raises(ValueError, match=message) as error:
        sample_texture(given.pop("texture"), given.pop("uv"), **given)
    assert "\n" not in str(error.value)


def test_sides_that_cannot_be_halved_are_refused_with_the_level_that_works():
    texture = torch.ones(32, 160, 3)
    with pytest.raises(
        ValueError,
        match=r"got 32 x 160 texels, at level 5 1 x 5; pass max_level=5, or scale it to powers of two$",
    ):
        build_mipmaps(texture)
    assert build_mipmaps(texture, max_level=5).sizes[-1] == (1, 5)
    with pytest.raises(ValueError, match=r"^mipmaps: expected at most 0 levels of a texture of 3 x 3 texels"):
        sample_texture(torch.ones(3, 3, 1), PLACES, bias=PLACES[..., 0], mipmaps=[torch.ones(1, 1, 1)])
