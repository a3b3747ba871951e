"""`texture` and `texture_construct_mip` as nvdiffrast's documentation describes them."""

from __future__ import annotations

import inspect

import pytest
import torch

from largesteps_zg.nvdiffrast.texturing import texture, texture_construct_mip
from largesteps_zg.rasterizer import sample_texture

LEVEL = torch.zeros(1, 2, 2)
PLACES = torch.zeros(1, 2, 2, 2)


def test_arguments_are_the_documented_ones():
    names = list(inspect.signature(texture).parameters)
    assert names == [
        "tex", "uv", "uv_da", "mip_level_bias", "mip", "filter_mode", "boundary_mode", "max_mip_level",
    ]  # fmt: skip
    given = {
        name: p.default
        for name, p in inspect.signature(texture).parameters.items()
        if p.default is not p.empty
    }
    assert given.pop("filter_mode") == "auto" and given.pop("boundary_mode") == "wrap"
    assert set(given.values()) == {None} and len(given) == 4
    stack = inspect.signature(texture_construct_mip).parameters
    assert [(p.name, p.default) for p in stack.values()][1:] == [
        ("max_mip_level", None),
        ("cube_mode", False),
    ]


@pytest.mark.parametrize("boundary", ["wrap", "clamp", "zero", "cube"])
def test_results_are_those_of_the_rasterizer(boundary):
    generator = torch.Generator().manual_seed(1)
    cube = boundary == "cube"
    tex = torch.rand(*((1, 6) if cube else (3,)), 8, 8, 2, generator=generator)
    uv = torch.randn(3, 4, 5, 3 if cube else 2, generator=generator)
    uv_da, bias = 0.2 * torch.randn(3, 4, 5, 6 if cube else 4, generator=generator), torch.rand(3, 4, 5)
    found = texture(tex, uv, uv_da, bias, boundary_mode=boundary, max_mip_level=2)
    wanted = sample_texture(tex, uv, footprints=uv_da, bias=bias, boundary=boundary, max_level=2)
    assert torch.equal(found, wanted) and found.is_contiguous()
    auto = {"linear": texture(tex, uv, boundary_mode=boundary)}
    auto["linear-mipmap-linear"] = texture(tex, uv, mip_level_bias=bias, boundary_mode=boundary)
    for mode, values in auto.items():
        options = {"mip_level_bias": bias, "filter_mode": mode, "boundary_mode": boundary}
        assert torch.equal(values, texture(tex, uv, **options))


def test_a_stack_built_before_hands_its_gradient_to_the_texture():
    generator = torch.Generator().manual_seed(2)
    start = torch.rand(1, 16, 16, 3, generator=generator)
    uv, bias = torch.rand(1, 9, 9, 2, generator=generator), 3 * torch.rand(1, 9, 9, generator=generator)
    grads = []
    for before in (False, True):
        tex = start.clone().requires_grad_()
        mip = texture_construct_mip(tex) if before else None
        for _ in range(2):  # one stack serves many calls
            texture(tex, uv, mip_level_bias=bias, mip=mip).square().sum().backward()
        grads.append(tex.grad)
    assert torch.equal(*grads)


def test_a_stack_of_ones_own_gets_gradients_of_its_own():
    tex = torch.rand(1, 4, 4, 1, requires_grad=True)
    mip = [torch.rand(1, 2, 2, 1, requires_grad=True), torch.rand(1, 1, 1, 1, requires_grad=True)]
    values = texture(tex, PLACES, mip_level_bias=LEVEL + 1.25, mip=mip)
    values.sum().backward()
    # Four places at the corner of four texels: three quarters are level 1, one quarter level 2.
    assert (tex.grad == 0).all()
    assert torch.allclose(mip[0].grad, torch.full((1, 2, 2, 1), 0.75))
    assert torch.allclose(mip[1].grad, torch.ones(1, 1, 1, 1))


def test_sizes_are_those_of_the_documentation():
    sizes = {
        (32, 32): [(16, 16), (8, 8), (4, 4), (2, 2), (1, 1)],
        (8, 32): [(4, 16), (2, 8), (1, 4), (1, 2), (1, 1)],
    }
    for (height, width), levels in sizes.items():
        assert list(texture_construct_mip(torch.ones(1, height, width, 3)).sizes[1:]) == levels
    atlas = torch.ones(1, 32, 160, 3)
    with pytest.raises(
        ValueError, match=r"^tex: expected sides that can be halved .* pass max_mip_level=5, or"
    ):
        texture_construct_mip(atlas)
    assert texture_construct_mip(atlas, max_mip_level=5).sizes[-1] == (1, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tex": torch.ones(8, 8, 3)}, r"^tex: expected \(T, H, W, C\), got \(8, 8, 3\); cube maps take bound"),
        ({"tex": torch.ones(1, 6, 8, 8, 3)}, r"^tex: expected \(T, H, W, C\), got \(1, 6, 8, 8, 3\); cube maps take"),
        ({"boundary_mode": "cube"}, r"^tex: expected \(T, 6, S, S, C\), got \(1, 8, 8, 3\); cube maps"),
        ({"uv": torch.zeros(4, 2)}, r"^uv: expected \(B, H, W, D\), got \(4, 2\)$"),
        ({"uv_da": torch.zeros(1, 2, 2, 2)}, r"^uv_da: expected \(1, 2, 2, 4\) beside uv, got \(1, 2, 2, 2\)$"),
        ({"mip_level_bias": PLACES}, r"^mip_level_bias: expected \(1, 2, 2\) beside uv, got \(1, 2, 2, 2\)$"),
        ({"mip_level_bias": LEVEL, "mip": [torch.ones(1, 8, 8, 3)]}, r"^mip\[0\]: expected \(1, 4, 4, 3\) torch.floa"),
        ({"filter_mode": "trilinear"}, r"^filter_mode: expected one of auto, nearest, linear"),
        ({"filter_mode": "linear-mipmap-linear"}, r"pass uv_da= or mip_level_bias=, or take 'linear'$"),
        ({"boundary_mode": "mirror"}, r"^boundary_mode: expected one of wrap, clamp, zero, cube, got 'mirror'$"),
        ({"max_mip_level": -1}, r"^max_mip_level: expected an integer >= 0, got -1$"),
    ],
)  # fmt: skip
def test_errors_name_the_arguments_of_this_interface(unchecked, change, message):
    with pytest.raises(ValueError, match=message):
        texture(**{"tex": torch.ones(1, 8, 8, 3), "uv": PLACES} | change)
