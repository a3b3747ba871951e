"""Warp launches on torch tensors: a thread for each item on CUDA, one chunk of views for each core on the CPU."""

from __future__ import annotations

import itertools
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
    """Compile a module of kernels, or a module of that name: once, before two threads would."""
    initialize()
    module = wp.get_module(module) if isinstance(module, str) else module
    block = 1 if in_chunks(device) else 256  # as a launch: a module for another number would not be the one
    if not Path(wp.config.kernel_cache_dir or "", module.get_module_identifier(block)).exists():
        tell(module.name)
    with quiet:
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


def chunks_of(count: int, device: torch.device) -> list[range]:
    """Consecutive items for each core: torch's number of threads on the CPU, all in one on CUDA.

    Fixed by the number of threads alone, so that sums over chunks come out the same in every run.
    """
    parts = max(1, min(count, torch.get_num_threads())) if in_chunks(device) else 1
    bounds = [count * i // parts for i in range(parts + 1)]
    return [range(first, last) for first, last in itertools.pairwise(bounds)]


def run_chunks(work: Callable[[int, range], None], chunks: list[range]) -> None:
    """Call ``work(index, chunk)`` side by side, the first one in this thread: launches release the GIL on the CPU."""
    others = [_pool(len(chunks)).submit(work, i, chunk) for i, chunk in enumerate(chunks) if i > 0]
    work(0, chunks[0])
    for other in others:
        other.result()


def as_warp(tensor: Tensor, dtype=None) -> Any:
    """A contiguous tensor's memory as a kernel's argument; keep the tensor alive while it is used."""
    initialize()
    return wp.from_torch(tensor.detach(), dtype=dtype, requires_grad=False, return_ctype=True)


def as_array(tensor: Tensor, dtype=None) -> Any:
    """A contiguous tensor as Warp's own array, for its meshes and trees."""
    initialize()
    return wp.from_torch(tensor, dtype=dtype)


def as_flat(tensor: Tensor) -> Any:
    """One-dimensional: index arithmetic by hand is quicker than strides."""
    return as_warp(tensor.reshape(-1))


def launch(
    kernel: wp.Kernel, dim: int | tuple[int, ...], inputs: Sequence[Any], device: torch.device
) -> None:
    """Launch on the tensor's device, on torch's current stream."""
    initialize()
    stream = wp.stream_from_torch(torch.cuda.current_stream(device)) if device.type == "cuda" else None
    with quiet:  # a first launch compiles
        wp.launch(kernel, dim=dim, inputs=inputs, device=wp.device_from_torch(device), stream=stream)


def launch_items(
    kernel: wp.Kernel, first: int, last: int, inputs: Sequence[Any], device: torch.device
) -> None:
    """Launch a kernel whose threads take the items [begin + i block, begin + (i + 1) block)."""
    if first < last:
        block = last - first if in_chunks(device) else 1
        launch(kernel, (last - first) // block, [first, block, *inputs], device)


def run_items(kernel: wp.Kernel, count: int, inputs: Sequence[Any], device: torch.device) -> None:
    """`launch_items` for so many of them, side by side on the CPU's cores."""

    def work(_: int, chunk: range) -> None:
        launch_items(kernel, chunk.start, chunk.stop, inputs, device)

    run_chunks(work, chunks_of(count, device))
