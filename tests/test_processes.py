"""Forked and spawned processes render, solve and take gradients as their parent does; ids don't depend on threads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from raster_oracle import sphere

from largesteps_zg._support.while_inside import WhileInside
from largesteps_zg.rasterizer import interpolate, rasterize

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

# What processes do, on a small ball: an image, the gradient of its sum, and a solve.
WORK = """
import faulthandler, multiprocessing, os, sys, threading, warnings
import torch
from largesteps_zg import LargeSteps, icosphere, sphere_of_cameras
from largesteps_zg.renderers import render
warnings.simplefilter("ignore", DeprecationWarning)

def work():
    ball, cameras = icosphere(2), sphere_of_cameras(2, distance=3.0, fov_y_degrees=45.0, height=40, width=48)
    steps = LargeSteps(ball.faces, ball.vertices, lambda_=5)
    u = steps.to_differential(ball.vertices).requires_grad_()
    image = render(steps.from_differential(u), ball.faces, torch.ones_like(ball.vertices), cameras)
    image.sum().backward()
    return [image.detach(), u.grad]

def same(found, expected):
    return all(torch.allclose(a, b, atol=1e-5) for a, b in zip(found, expected, strict=True))

def in_child(expected):
    faulthandler.dump_traceback_later(60, exit=True)  # a process that waits for ever fails here
    os._exit(0 if same(work(), expected) else 3)
"""

AFTER_IMPORT = """
child = os.fork()
if not child:
    faulthandler.dump_traceback_later(60, exit=True)
    torch.save(work(), "found.pt")
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert same(torch.load("found.pt"), work())
"""

AFTER_USE = """
torch.set_num_threads(2)
expected = work()
children = []
for _ in range(4):
    if not (child := os.fork()):
        in_child(expected)
    children.append(child)
assert same(work(), expected)
assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
"""

# Locks that a thread of the parent holds at that moment are held in the child, for ever.
WHILE_ANOTHER_THREAD_RENDERS = """
torch.set_num_threads(1)
expected, done = work(), threading.Event()
def render_on():
    while not done.is_set():
        assert same(work(), expected)
others = [threading.Thread(target=render_on) for _ in range(2)]
for other in others: other.start()
statuses = []
for _ in range(20):
    if not (child := os.fork()):
        in_child(expected)
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
done.set()
for other in others: other.join()
assert statuses == [0] * 20, statuses
"""

SPAWNED = """
if __name__ == "__main__":
    expected = work()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for found in [pool.apply_async(work) for _ in range(4)]:
            assert same(found.get(timeout=120), expected)
"""


def ends_well(program: str, folder: Path) -> None:
    script = folder / "program.py"
    script.write_text(WORK + program, encoding="utf-8")
    made = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, cwd=folder, timeout=280, check=False
    )
    assert (made.returncode, made.stdout) == (0, ""), made.stderr[-3000:]


@pytest.mark.slow
@needs_fork
@pytest.mark.parametrize(
    "program",
    [
        pytest.param(AFTER_IMPORT, id="after the import"),
        pytest.param(AFTER_USE, id="after use"),
        pytest.param(WHILE_ANOTHER_THREAD_RENDERS, id="while another thread renders"),
    ],
)
def test_a_forked_process_does_what_its_parent_does(program: str, tmp_path: Path) -> None:
    ends_well(program, tmp_path)


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_neither_waits_for_threads_that_it_does_not_have_nor_keeps_their_changes() -> None:
    level, changing = [0], threading.Event()

    def change() -> Callable[[], object]:
        changing.set()
        time.sleep(0.3)  # the lock is held
        level[0] += 1
        return lambda: level.__setitem__(0, level[0] - 1)

    def stay() -> None:
        with inside:
            leave.wait()

    inside, leave = WhileInside(change), threading.Event()
    other = threading.Thread(target=stay)
    other.start()
    changing.wait()
    if not (child := os.fork()):
        signal.alarm(20)
        before = level[0]
        with inside:
            during = level[0]
        os._exit(0 if (before, during, level[0]) == (0, 1, 0) else 3)
    leave.set()
    other.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 and level == [0]


@pytest.mark.slow
def test_a_spawned_process_does_what_its_parent_does(tmp_path: Path) -> None:
    ends_well(SPAWNED, tmp_path)


@pytest.mark.slow
def test_ids_and_images_are_the_same_bits_with_any_number_of_threads() -> None:
    vertices, faces = sphere(3, seed=0)
    depth = vertices[:, 2:] + 3
    ahead = torch.cat([(vertices[:, :2] * 40 + 24 * depth), depth], dim=1).float()
    points = torch.stack([ahead + torch.tensor([0.3 * k, 0.0, 0.0]) for k in range(8)])
    twice = torch.cat([faces, faces])  # each triangle lies in another one: neither is nearer
    before = torch.get_num_threads()

    def drawn() -> list[torch.Tensor]:
        fragments = rasterize(points, twice, (48, 48))
        return [fragments.triangles, fragments.pixels, interpolate(points[0], fragments)]

    try:
        torch.set_num_threads(1)
        expected = drawn()
        for run in range(100):
            torch.set_num_threads(1 + run % 8)
            assert all(torch.equal(a, b) for a, b in zip(drawn(), expected, strict=True)), run
    finally:
        torch.set_num_threads(before)
