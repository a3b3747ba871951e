"""Kernels made from a table of their arguments take every item once, however a launch cuts them into blocks."""

from __future__ import annotations

import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import warp as wp

from largesteps_zg._support.compiling import telling
from largesteps_zg._support.warp_kernels import INTS, KernelModule, compiled
from largesteps_zg._support.warp_launch import launch, load

ADD = "for (int i = first; i < last; ++i) sums.data[i] += (real)scale * (real)values.data[i];"
ADD_IN_VIEW = "for (int i = first; i < last; ++i) sums.data[view * count + i] += (real)values.data[i] / 3;"
WEIGH = "for (int i = first; i < last; ++i) sums.data[i] += (real)(some.data[i] - others.data[i]) * points.data[i][2];"
FILL = "for (int i = first; i < last; ++i) images.data[view * height + i] = value[1];"
CPU = torch.device("cpu")


def build(dtype):
    make = KernelModule("largesteps_zg.tests", dtype)
    make.items("add", ADD, values=INTS, scale=int, sums=make.reals)
    make.items_of_views("add_in_view", ADD_IN_VIEW, values=INTS, count=int, sums=make.reals)
    return make.finished()


kernels_for = compiled(build)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("block", [1, 3, 6])
def test_each_item_is_taken_once(dtype, block):
    values = torch.arange(8, dtype=torch.int32)
    sums = torch.zeros(8, dtype=dtype)
    launch(kernels_for(dtype, CPU).add, 6 // block, [2, block, values, 10, sums], CPU)
    assert sums.tolist() == [0, 0, 20, 30, 40, 50, 60, 70]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("block", [1, 2])
def test_each_item_of_some_views_is_taken_once(dtype, block):
    values = torch.arange(2, dtype=torch.int32) + 1
    sums = torch.zeros(5, 2, dtype=dtype)
    inputs = [3, block, values, 2, sums]
    launch(kernels_for(dtype, CPU).add_in_view, (2, 2 // block), inputs, CPU)
    thirds = torch.tensor([1.0, 2.0], dtype=dtype) / 3  # in the type of the module, not in another
    assert torch.equal(sums, torch.cat([torch.zeros(3, 2, dtype=dtype), thirds.expand(2, 2)]))


@pytest.mark.slow
def test_a_module_is_compiled_once_and_that_is_told(tmp_path, monkeypatch):
    load(kernels_for(torch.float32, CPU).module, CPU)  # Warp is started, and so has its cache
    monkeypatch.setattr(wp.config, "kernel_cache_dir", str(tmp_path))
    make, heard = KernelModule("largesteps_zg.tests.once", torch.float64), []
    make.items("add", ADD, values=INTS, scale=int, sums=make.reals)
    with telling(heard.append):
        for _ in range(2):
            load(make.module, CPU)
    sums = torch.zeros(1, dtype=torch.float64)
    launch(make.finished().add, 1, [0, 1, torch.ones(1, dtype=torch.int32), 4, sums], CPU)
    assert sums.tolist() == [4]
    assert heard == ["compiling tests.once"]
    assert len(list(tmp_path.iterdir())) == 1


def build_various(dtype):
    make = KernelModule("largesteps_zg.tests.various", dtype)
    make.items("weigh", WEIGH, some=INTS, others=INTS, points=make.vec3s, sums=make.reals)
    make.items_of_views("fill", FILL, height=int, value=make.vec3, images=make.reals)
    return make.finished()


various = compiled(build_various)


def weighed(some, others, points, sums):
    launch(various(points.dtype, CPU).weigh, 1, [0, len(some), some, others, points, sums], CPU)
    return sums


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_each_launch_has_arguments_of_its_own(dtype, generator):
    for count in (5, 2, 9, 5):
        some, others = torch.randint(99, (2, count), generator=generator, dtype=torch.int32)
        points = torch.randn(count, 3, generator=generator, dtype=dtype)
        expected = (some - others).to(dtype) * points[:, 2]
        assert torch.equal(weighed(some, others, points, torch.zeros(count, dtype=dtype)), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_number_of_threads_changes_from_launch_to_launch(dtype):
    kernels = various(dtype, CPU)
    for views, height in ((2, 3), (4, 1), (0, 7), (1, 5)):
        images = torch.zeros(views, height, dtype=dtype)
        launch(kernels.fill, (views, height), [0, 1, height, kernels.vec3(1, views, 3), images], CPU)
        assert torch.equal(images, torch.full_like(images, views))


def test_a_launch_keeps_no_tensor():
    some, points = torch.ones(3, dtype=torch.int32), torch.ones(3, 3)
    gone = [weakref.ref(points), weakref.ref(weighed(some, some, points, torch.zeros(3)))]
    del points
    assert [tensor() for tensor in gone] == [None, None]


@pytest.mark.parametrize(
    "points", [torch.ones(3, 3).double(), torch.ones(3, 6)[:, :3]], ids=["type", "strides"]
)
def test_what_a_kernel_would_misread_is_refused(points):
    some, kernel = torch.ones(3, dtype=torch.int32), various(torch.float32, CPU).weigh
    with pytest.raises(AssertionError):
        launch(kernel, 1, [0, 3, some, some, points, torch.zeros(3)], CPU)


@pytest.fixture
def restless():
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_another_number_of_arguments_is_refused():
    some, kernel = torch.ones(3, dtype=torch.int32), various(torch.float32, CPU).weigh
    with pytest.raises(AssertionError):
        launch(kernel, 1, [0, 3, some, some, torch.ones(3, 3), torch.zeros(3), 1], CPU)


def test_threads_launch_the_same_kernel_at_once(restless):
    def work(number):
        some, others = torch.full((9,), number, dtype=torch.int32), torch.zeros(9, dtype=torch.int32)
        sums, points = torch.zeros(9), torch.ones(9, 3)
        for _ in range(200):
            weighed(some, others, points, sums)
        return bool((sums == 200 * number).all())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(16)))
