"""Every gradient on one target: same start, same optimiser, same budget. A generator of small records."""

from __future__ import annotations

import hashlib
import math
import multiprocessing
import pickle
import signal
import sys
import threading
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection

import torch
from torch import Tensor

from .._support.errors import hush_others, hushed
from ..geometry.connectivity import check_start_mesh
from ..images.masks import on_object
from ..mesh.mesh import Mesh
from ..output.pictures.bare import bare_images
from ..reconstruct.starts.sphere import START_LEVEL, starting_sphere
from ..renderers.black_box import BlackBox
from ..renderers.light import SphericalHarmonicsLight
from ..renderers.rasterized import render, shade
from ..scenes.carving.bounds import bounding_sphere
from ..scenes.synthetic import CLAY, scene_from_mesh, studio_light
from ..scenes.views import Scene
from .budget import Budget
from .plan import SIDE, VIEWS, Plan
from .records import Job, Progress, Result, Target
from .run import failed, run_job

PLAN = Plan()
SHOWN = 3  # views of a report
PATIENCE = 5.0  # seconds for a process to end by itself


def mesh_target(
    mesh: Mesh,
    *,
    name: str = "mesh",
    views: int = VIEWS,
    height: int = SIDE,
    width: int = SIDE,
    start: Mesh | None = None,
    light: SphericalHarmonicsLight | None = None,
    level: int | None = None,
) -> Target:
    """A mesh in clay under a known light, its shape to be found.

    Parameters
    ----------
    mesh : Mesh
        Its y axis is up; the scene's is z (see `Target.given`). Its colours are not looked at.
    name : str
    views, height, width : int
        Evenly around it, and pixels.
    start : Mesh, optional
        In the scene's coordinates; by default the starting sphere of a reconstruction.
    light : SphericalHarmonicsLight, optional
        A studio by default.
    level : int
        Of the starting sphere, which has ``10 * 4**level + 2`` vertices; 4 by default.
    """
    light = studio_light() if light is None else light
    bare = Mesh(mesh.vertices, mesh.faces)
    scene = scene_from_mesh(bare, views=views, test_views=0, height=height, width=width, light=light)
    shape = _start(scene, start, level)
    clay = Mesh(shape.vertices, shape.faces, torch.full_like(shape.vertices, CLAY))
    return Target(name, scene.train, clay, scene.mesh, light, colors_known=True, up="y")


def scene_target(
    scene: Scene,
    *,
    name: str = "scene",
    start: Mesh | None = None,
    light: SphericalHarmonicsLight | None = None,
    level: int | None = None,
) -> Target:
    """A scene's training views; colours are estimated along with the shape, and the light unless it is known."""
    return Target(name, scene.train, _start(scene, start, level), scene.mesh, light)


def _start(scene: Scene, start: Mesh | None, level: int | None) -> Mesh:
    if start is None:
        level = START_LEVEL if level is None else level
        return starting_sphere(scene.train, *bounding_sphere(scene.train), level=level)
    check_start_mesh(start.vertices, start.faces)
    return start


def compare(
    target: Target,
    *,
    gradients: Sequence[str] = PLAN.gradients,
    seeds: Sequence[int] | int = PLAN.seeds,
    budget: Budget = PLAN.budget,
    renderer: str | BlackBox = PLAN.renderer,
    lambda_: float = PLAN.lambda_,
    device: str = PLAN.device,
    diagnostics: bool = PLAN.diagnostics,
    isolated: bool = False,
    skip: Collection[tuple[str, int]] = (),
) -> Generator[Progress, None, None]:
    """Run every gradient with every seed on a target, one after the other.

    Parameters
    ----------
    target : Target
        `mesh_target` or `scene_target` make one.
    gradients, seeds, budget, renderer, lambda_, device, diagnostics
        See `plan.Plan`.
    isolated, skip
        See `carry_out`.

    Yields
    ------
    Progress
        After every step, and with its result at the end of a run. A run that fails ends with a result that says why.

    Raises
    ------
    ValueError
        At once, for an argument that cannot work.

    Examples
    --------
    >>> target = mesh_target(load_mesh(meshes.path("pebble")))  # doctest: +SKIP
    >>> for progress in compare(target, gradients=("rasterizer", "per-pixel")):  # doctest: +SKIP
    ...     if progress.result:
    ...         print(progress.gradient, progress.result.chamfer)
    """
    plan = Plan(gradients, seeds, budget, renderer, lambda_, device, diagnostics)
    return carry_out(target, plan, isolated=isolated, skip=skip)


def carry_out(
    target: Target, plan: Plan, *, isolated: bool = False, skip: Collection[tuple[str, int]] = ()
) -> Generator[Progress, None, None]:
    """The runs of a plan, as `compare` yields them.

    Parameters
    ----------
    target : Target
    plan : Plan
    isolated : bool
        Each run in a process of its own: its memory can be told, and if it is killed the others go on. A script that
        asks for it must start its work under ``if __name__ == "__main__":``.
    skip : collection of (gradient, seed)
        Runs that are not needed.
    """
    jobs = [Job(target, *run, plan) for run in plan.runs if run not in skip]
    return (progress for job in jobs for progress in (_in_process(job) if isolated else run_job(job)))


def _in_process(job: Job) -> Iterator[Progress]:
    """`run_job` in a process of its own, which ends with this generator."""
    context = multiprocessing.get_context("spawn")  # threads of torch and Warp do not survive a fork
    receiver, sender = context.Pipe(duplex=False)
    # Bytes: torch would send tensors by handles of shared memory, which containers are short of.
    process = context.Process(target=_work, args=(sender, pickle.dumps(job), hushed()))
    with _deaf():
        process.start()
    sender.close()
    over = False
    try:
        while not over:
            message: Progress | Exception = pickle.loads(receiver.recv_bytes())
            if isinstance(message, Exception):
                raise message
            over = message.result is not None
            yield message
    except EOFError:
        process.join(PATIENCE)
        state = f"failed: its process {_end(process.exitcode)}"
        yield Progress(job.gradient, job.seed, 1.0, math.nan, Result(job.gradient, job.seed, state))
    finally:
        receiver.close()
        if not over:
            process.terminate()
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()


def _end(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was ended by signal {-code}; out of memory?"
    return f"ended with status {code}"


def _work(sender: Connection, job: bytes, hush: bool) -> None:
    """What the process does: everything goes through the pipe, what cannot work as the error itself."""
    # An exception, not the end at once: folders and children are cleared away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if hush:
        hush_others()
    work: Job = pickle.loads(job)
    try:
        for progress in run_job(work):
            sender.send_bytes(pickle.dumps(progress))
    except (BrokenPipeError, ConnectionResetError):
        pass  # nobody listens any more
    except (ValueError, ImportError, OSError) as error:
        kind = next(kind for kind in (ValueError, ImportError, OSError) if isinstance(error, kind))
        sender.send_bytes(pickle.dumps(kind(str(error))))
    except Exception as error:  # a fault before the first step
        over = Progress(work.gradient, work.seed, 1.0, math.nan, failed(work, error))
        sender.send_bytes(pickle.dumps(over))


@contextmanager
def _deaf() -> Iterator[None]:
    """A process that is started in here never hears of Ctrl-C: the one that started it does, and ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def digest(target: Target) -> str:
    """A short name for all that decides the runs: images, cameras, start and light."""
    found = hashlib.sha256()
    cameras, start = target.views.cameras, target.start
    light = None if target.light is None else target.light.coefficients
    for part in (
        target.views.images,
        cameras.intrinsics,
        cameras.world_to_camera,
        start.vertices,
        start.faces,
        start.colors,
        light,
    ):
        found.update(b"-" if part is None else part.contiguous().cpu().numpy().tobytes())
    return found.hexdigest()[:12]


def pictures(target: Target, mesh: Mesh, light: SphericalHarmonicsLight, views: Sequence[int]) -> Tensor:
    """(B, H, W, 4) linear, premultiplied: a mesh of the scene with its colours, seen by some of the views."""
    center, radius = bounding_sphere(target.views)
    cameras = (
        target.views.cameras[list(views)].to(dtype=torch.float64).transformed(1.0 / radius, center.double())
    )
    # Around the origin: 32 bits are too few for a scene far away from it.
    vertices = ((mesh.vertices.double() - center.double()) / radius).float()
    albedo = torch.full_like(vertices, CLAY) if mesh.colors is None else mesh.colors.float()
    colors = shade(vertices, mesh.faces, albedo, light)
    return render(vertices, mesh.faces, colors, cameras.to(dtype=torch.float32)).clamp(0.0, 1.0)


def surfaces(target: Target, mesh: Mesh, views: Sequence[int]) -> Tensor:
    """(B, H, W, 4) linear, premultiplied: the bare surface of a mesh of the scene, seen by some of the views."""
    return bare_images(mesh.vertices, mesh.faces, target.views.cameras[list(views)])


def shown_views(target: Target) -> list[int]:
    """The view that shows most of the object, and others from directions as different as can be."""
    areas = on_object(target.views.images[..., 3]).sum((1, 2))
    axes = target.views.cameras.world_to_camera[:, 2, :3].float()  # (B, 3)
    chosen = [int(areas.argmax())]
    while len(chosen) < min(SHOWN, len(target.views)):
        likeness = (axes @ axes[chosen].T).abs().amax(1)
        likeness[chosen] = 2.0
        chosen.append(int(likeness.argmin()))
    return chosen
