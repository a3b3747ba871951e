"""Kernels made from a table of their arguments take every item once, however a launch cuts them into blocks."""

from __future__ import annotations

import pytest
import torch
import warp as wp

from largesteps_zg._support.compiling import telling
from largesteps_zg._support.warp_kernels import INTS, KernelModule, compiled
from largesteps_zg._support.warp_launch import as_flat, launch, load

ADD = "for (int i = first; i < last; ++i) sums.data[i] += (real)scale * (real)values.data[i];"
ADD_IN_VIEW = "for (int i = first; i < last; ++i) sums.data[view * count + i] += (real)values.data[i] / 3;"
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
    launch(kernels_for(dtype, CPU).add, 6 // block, [2, block, as_flat(values), 10, as_flat(sums)], CPU)
    assert sums.tolist() == [0, 0, 20, 30, 40, 50, 60, 70]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("block", [1, 2])
def test_each_item_of_some_views_is_taken_once(dtype, block):
    values = torch.arange(2, dtype=torch.int32) + 1
    sums = torch.zeros(5, 2, dtype=dtype)
    inputs = [3, block, as_flat(values), 2, as_flat(sums)]
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
    launch(make.finished().add, 1, [0, 1, as_flat(torch.ones(1, dtype=torch.int32)), 4, as_flat(sums)], CPU)
    assert sums.tolist() == [4]
    assert heard == ["compiling tests.once"]
    assert len(list(tmp_path.iterdir())) == 1
