"""Warp launches on torch tensors: a thread for each item on CUDA, one chunk of views for each core on the CPU."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import torch
import warp as wp
from torch import Tensor

from .caches import use_temporary_cache
from .compiling import tell
from .errors import OwnWarning
from .native_output import caught, hand_on
from .while_inside import WhileInside

_starting = threading.Lock()


@cache
def initialize() -> None:
    """Start Warp, once: before its first use and not at import, which leaves the process as it was."""
    if told := use_temporary_cache():  # Warp is not to be had without one
        warnings.warn(told, OwnWarning, stacklevel=2)
    with _starting, caught("stderr") as lines, quiet:
        wp.init()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)
    # That there is no driver is no fault on a machine without a GPU.
    expected = "driver" if not torch.cuda.is_available() else None
    hand_on([line for line in lines if expected is None or expected not in line], "stderr")


def _errors_only() -> Callable[[], object]:
    before = wp.config.log_level
    wp.config.log_level = wp.LOG_ERROR
    return lambda: setattr(wp.config, "log_level", before)


# Warp doesn't tell standard output what it starts and compiles.
quiet = WhileInside(_errors_only)


def load(module: Any, device: torch.device) -> None:
    """Compile a module of kernels, or a module of that name, if it is not yet."""
    initialize()
    module = wp.get_module(module) if isinstance(module, str) else module
    block = 1 if in_chunks(device) else 256  # as a launch: a module for another number would not be the one
    if not Path(wp.config.kernel_cache_dir or "", module.get_module_identifier(block)).exists():
        tell(module.name)
    with _starting, quiet:
        module.load(wp.device_from_torch(device), block_dim=block)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="rasterizer")


def _after_fork() -> None:
    """A forked process has pools without threads: ours is made anew, and torch would wait for its own for ever."""
    _pool.cache_clear()
    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)


def in_chunks(device: torch.device) -> bool:
    """Whether a thread takes a whole chunk of the work here, and not one item of it."""
    return device.type == "cpu"


# Steps of a loop, a vertex or a face each, that take about as long as to wake another thread.
_FEW = 2**15


def chunks_of(count: int, device: torch.device, steps: int | None = None) -> list[range]:
    """Consecutive items for each core: torch's number of threads on the CPU, all in one on CUDA.

    Fewer where the items are so many small `steps` together. Fixed by these numbers alone, so that sums over chunks
    come out the same in every run.
    """
    parts = min(count, torch.get_num_threads()) if in_chunks(device) else 1
    parts = max(1, parts if steps is None else min(parts, steps // _FEW))
    return [range(count * i // parts, count * (i + 1) // parts) for i in range(parts)]


def run_chunks(work: Callable[[int, range], None], chunks: list[range]) -> None:
    """Call ``work(index, chunk)`` side by side, the first one in this thread: launches release the GIL on the CPU."""
    others = [_pool(len(chunks)).submit(work, i, chunk) for i, chunk in enumerate(chunks) if i > 0]
    work(0, chunks[0])
    for other in others:
        other.result()


def as_array(tensor: Tensor, dtype=None) -> Any:
    """A contiguous tensor as Warp's own array, for its meshes and trees."""
    initialize()
    return wp.from_torch(tensor, dtype=dtype)


class _Launches(threading.local):
    """What this thread launches: a launch is made once, and then only its arguments change."""

    def __init__(self) -> None:
        self.made: dict[tuple[wp.Kernel, torch.device], _Launch] = {}


_launches = _Launches()


class _Launch:
    """A launch of a kernel on a device, without what Warp asks of each argument each time.

    Arrays are one-dimensional for kernels, whatever tensors are: index arithmetic by hand is quicker than strides.
    """

    def __init__(self, kernel: wp.Kernel, device: torch.device) -> None:
        load(kernel.module, device)
        self._launch = wp.Launch(kernel, wp.device_from_torch(device))
        self._dim: int | tuple[int, ...] | None = None
        self._arrays: list[tuple[int, Any, Any, torch.dtype, int]] = []
        self._numbers: list[tuple[int, Any]] = []
        self._others: list[int] = []
        for index, argument in enumerate(kernel.adj.args):
            place, kind = self._launch.params[index + 1], argument.type
            if isinstance(kind, wp.array):
                number = getattr(kind.dtype, "_wp_scalar_type_", kind.dtype)
                width = getattr(kind.dtype, "_length_", 1)  # numbers in an item: three in a vec3
                place = type(place)()  # arguments of one type would share theirs
                place.ndim, place.strides[0] = 1, wp.types.type_size_in_bytes(kind.dtype)
                self._launch.set_param_at_index_from_ctype(index, place)
                self._arrays.append((index, place, place.shape, wp.dtype_to_torch(number), width))
            elif hasattr(place, "value"):
                self._numbers.append((index, place))
            else:
                self._others.append(index)

    def __call__(self, dim: int | tuple[int, ...], inputs: Sequence[Any], stream: Any) -> None:
        assert len(inputs) == len(self._launch.params) - 1, (len(inputs), self._launch.kernel.key)
        for index, place, shape, dtype, width in self._arrays:
            tensor = inputs[index]
            assert tensor.dtype is dtype and tensor.is_contiguous(), (index, tensor.dtype, tensor.stride())
            place.data, shape[0] = tensor.data_ptr(), tensor.numel() // width
        for index, place in self._numbers:
            place.value = inputs[index]
        for index in self._others:
            self._launch.set_param_at_index(index, inputs[index])
        if dim != self._dim:
            self._launch.set_dim(dim)
            self._dim = dim
        self._launch.launch(stream)


def launch(
    kernel: wp.Kernel, dim: int | tuple[int, ...], inputs: Sequence[Any], device: torch.device
) -> None:
    """Launch on the tensors' device, on torch's current stream; `inputs` are contiguous tensors and numbers."""
    if 0 in (dim if isinstance(dim, tuple) else (dim,)):
        return
    made = _launches.made.get((kernel, device))
    if made is None:
        made = _launches.made[kernel, device] = _Launch(kernel, device)
    stream = wp.stream_from_torch(torch.cuda.current_stream(device)) if device.type == "cuda" else None
    made(dim, inputs, stream)


def launch_items(
    kernel: wp.Kernel, first: int, last: int, inputs: Sequence[Any], device: torch.device
) -> None:
    """Launch a kernel whose threads take the items [begin + i block, begin + (i + 1) block)."""
    if first < last:
        block = last - first if in_chunks(device) else 1
        launch(kernel, (last - first) // block, [first, block, *inputs], device)


def run_items(
    kernel: wp.Kernel, count: int, inputs: Sequence[Any], device: torch.device, steps: int | None = None
) -> None:
    """`launch_items` for so many of them, side by side on the CPU's cores, in `chunks_of` them."""

    def work(_: int, chunk: range) -> None:
        launch_items(kernel, chunk.start, chunk.stop, inputs, device)

    run_chunks(work, chunks_of(count, device, steps))
