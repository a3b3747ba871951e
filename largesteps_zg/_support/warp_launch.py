"""Warp launches on torch tensors: a thread for each item on CUDA, one chunk of views for each core on the CPU."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import torch
import warp as wp
from torch import Tensor


@contextlib.contextmanager
def _without_driver_warning() -> Iterator[None]:
    """Warp's native library tells standard error that there is no CUDA driver, which here is no fault."""
    saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)


wp.config.log_level = wp.LOG_ERROR
if torch.cuda.is_available():
    wp.init()
else:
    with _without_driver_warning():
        wp.init()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="rasterizer")


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
    return wp.from_torch(tensor.detach(), dtype=dtype, requires_grad=False, return_ctype=True)


def as_flat(tensor: Tensor) -> Any:
    """One-dimensional: index arithmetic by hand is quicker than strides."""
    return as_warp(tensor.reshape(-1))


def launch(
    kernel: wp.Kernel, dim: int | tuple[int, ...], inputs: Sequence[Any], device: torch.device
) -> None:
    """Launch on the tensor's device, on torch's current stream."""
    stream = wp.stream_from_torch(torch.cuda.current_stream(device)) if device.type == "cuda" else None
    wp.launch(kernel, dim=dim, inputs=inputs, device=wp.device_from_torch(device), stream=stream)


def launch_items(
    kernel: wp.Kernel, first: int, last: int, inputs: Sequence[Any], device: torch.device
) -> None:
    """Launch a kernel whose threads take the items [begin + i block, begin + (i + 1) block)."""
    if first < last:
        block = last - first if in_chunks(device) else 1
        launch(kernel, (last - first) // block, [first, block, *inputs], device)
