"""Good manners in a Python process: copies and files, transforms, threads, forks, and nothing changed by an import."""

from __future__ import annotations

import copy
import gc
import io
import os
import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import torch.fx.experimental.proxy_tensor
from PIL import Image
from torch import Tensor

from largesteps_zg._support.while_inside import WhileInside
from largesteps_zg.geometry import compute_matrix, laplacian_uniform
from largesteps_zg.images.files import read_image
from largesteps_zg.mesh import icosphere
from largesteps_zg.parameterize import LargeSteps, from_differential, to_differential
from largesteps_zg.solvers import CholeskySolver, ConjugateGradientSolver, solve

BALL = icosphere(1)
SOLVERS = ["cholesky", "cg"]


class Shape(torch.nn.Module):
    """A module that owns a parametrization, as a checkpoint or a moving average copies it."""

    def __init__(self, solver: str) -> None:
        super().__init__()
        self.steps = LargeSteps(BALL.faces, BALL.vertices, solver=solver)
        self.latent = torch.nn.Parameter(self.steps.to_differential(BALL.vertices))

    def forward(self) -> Tensor:
        return self.steps.from_differential(self.latent)


def saved(value):
    """Through a file of torch."""
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


WAYS = {
    "copy": copy.deepcopy,
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "save": saved,
    "average": lambda value: torch.optim.swa_utils.AveragedModel(value).module,
}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("way", WAYS)
def test_what_holds_a_parametrization_is_copied_and_saved(way: str, solver: str) -> None:
    shape = Shape(solver)
    other = WAYS[way](shape)
    assert other.steps.solver is not shape.steps.solver
    del shape
    torch.testing.assert_close(other(), BALL.vertices, atol=2e-5, rtol=0)
    other().sum().backward()  # row sums of the inverse are one
    torch.testing.assert_close(other.latent.grad, torch.ones_like(BALL.vertices), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", [CholeskySolver, ConjugateGradientSolver])
def test_a_copied_solver_is_that_of_the_matrix_it_was_made_from(kind: type) -> None:
    matrix = compute_matrix(BALL.vertices, BALL.faces, 5.0)
    solver = kind(matrix)
    solver.note = "mine"
    expected = solver.solve(BALL.vertices)
    matrix.values().mul_(2)  # the owner goes on
    for way in ("copy", "pickle", "save"):
        other = WAYS[way](solver)
        torch.testing.assert_close(other.solve(BALL.vertices), expected, atol=1e-5, rtol=0)
        assert other.note == "mine"


@pytest.mark.parametrize("solver", SOLVERS)
def test_transforms_of_functions(solver: str) -> None:
    mesh = icosphere(0, dtype=torch.float64)
    p = LargeSteps(mesh.faces, mesh.vertices, 3.0, solver=solver)
    inverse = torch.linalg.inv(p.matrix.to_dense())
    u = torch.randn(4, 12, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    close = {"atol": 1e-7, "rtol": 0.0}

    def energy(x: Tensor) -> Tensor:
        return p.from_differential(x).square().sum()

    for function, matrix in ((p.from_differential, inverse), (p.to_differential, p.matrix.to_dense())):
        every = torch.func.vmap(function)(u)
        torch.testing.assert_close(every, matrix @ u, **close)
        columns = torch.func.vmap(function, in_dims=-1, out_dims=-1)(u[0])
        torch.testing.assert_close(columns, matrix @ u[0], **close)
        twice = torch.func.vmap(torch.func.vmap(function), in_dims=1, out_dims=1)(u[:, None])
        torch.testing.assert_close(twice, (matrix @ u)[:, None], **close)
        _, tangent = torch.func.jvp(function, (u[0],), (u[1],))
        torch.testing.assert_close(tangent, matrix @ u[1], **close)
        _, back = torch.func.vjp(function, u[0])
        torch.testing.assert_close(back(u[1])[0], matrix.T @ u[1], **close)
    torch.testing.assert_close(torch.func.grad(energy)(u[0]), 2 * inverse @ inverse @ u[0], **close)
    grads = torch.func.vmap(torch.func.grad(energy))(u)
    torch.testing.assert_close(grads, 2 * inverse @ inverse @ u, **close)
    hessian = torch.func.hessian(energy)(u[0, :, 0])
    torch.testing.assert_close(hessian, 2 * inverse @ inverse, **close)


def every_jacobian(f, x: Tensor) -> dict[str, Tensor]:
    """Of f at x, by each way that torch has."""
    plain, func = torch.autograd.functional.jacobian, torch.func
    basis = torch.eye(x.numel(), dtype=x.dtype).reshape(-1, *x.shape)

    def by_backward() -> Tensor:
        leaf = x.clone().requires_grad_()
        rows = torch.autograd.grad(f(leaf), leaf, basis, is_grads_batched=True)[0]
        return rows.reshape(*x.shape, *x.shape)

    def as_last(columns: Tensor) -> Tensor:
        return columns.movedim(0, -1).reshape(*columns.shape[1:], *x.shape)

    ways = {
        "functional": lambda: plain(f, x),
        "vectorized": lambda: plain(f, x, vectorize=True),
        "vectorized forward": lambda: plain(f, x, vectorize=True, strategy="forward-mode"),
        "batched gradients": by_backward,
        "jacrev": lambda: func.jacrev(f)(x),
        "jacrev in chunks": lambda: func.jacrev(f, chunk_size=5)(x),
        "jacfwd": lambda: func.jacfwd(f)(x),
        "traced": lambda: plain(torch.fx.experimental.proxy_tensor.make_fx(lambda y: f(y))(x + 1), x),
    }
    if hasattr(func, "linearize"):  # from torch 2.6 on
        straight = func.linearize(f, x)[1]
        ways["linearized"] = lambda: as_last(torch.stack([straight(b) for b in basis]))
        ways["linearized at once"] = lambda: as_last(func.vmap(straight)(basis))
    return {name: way() for name, way in ways.items()}


@pytest.mark.slow
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node")  # linearize's own, for any function
def test_jacobians_by_every_way(solver: str) -> None:
    mesh = icosphere(0, dtype=torch.float64)
    p = LargeSteps(mesh.faces, mesh.vertices, 3.0, solver=solver)
    matrix = p.matrix.to_dense()
    for function, linear in ((p.from_differential, torch.linalg.inv(matrix)), (p.to_differential, matrix)):
        expected = torch.einsum("ij,kl->ikjl", linear, torch.eye(3, dtype=torch.float64))
        for name, found in every_jacobian(function, mesh.vertices).items():
            torch.testing.assert_close(found, expected, atol=1e-7, rtol=0, msg=name)

    def energy(x: Tensor) -> Tensor:
        return p.from_differential(x).square().sum() / 2

    inverse = torch.linalg.inv(matrix)
    hessian = torch.autograd.functional.hessian(energy, mesh.vertices[:, 0], vectorize=True)
    torch.testing.assert_close(hessian, inverse.T @ inverse, atol=1e-7, rtol=0)


def test_a_traced_function_whose_solver_is_gone_says_so() -> None:
    mesh = icosphere(0)
    p = LargeSteps(mesh.faces, mesh.vertices)
    latent = p.to_differential(mesh.vertices)
    traced = torch.fx.experimental.proxy_tensor.make_fx(lambda x: p.from_differential(x))(latent)
    torch.testing.assert_close(traced(2 * latent), 2 * mesh.vertices, atol=1e-5, rtol=0)
    p = LargeSteps(mesh.faces, mesh.vertices, 1.0)  # may lie at the place of the other
    gc.collect()
    with pytest.raises(RuntimeError, match="is gone; keep it as long as the function"):
        traced(latent)


def test_a_solver_that_nothing_can_refer_to_weakly() -> None:
    class Halves:
        __slots__ = ()

        def solve(self, b: Tensor, backward: bool = False) -> Tensor:
            return b / 2

    right = torch.ones(4, 3, requires_grad=True)
    solve(Halves(), right).sum().backward()
    assert torch.equal(right.grad, torch.full((4, 3), 0.5))


COMPILED = """
import torch
from largesteps_zg import LargeSteps, icosphere, compute_matrix, from_differential, to_differential
ball = icosphere(1)
p = LargeSteps(ball.faces, ball.vertices)
M = compute_matrix(ball.vertices, ball.faces, 19)
for f in (p.from_differential, p.to_differential, lambda x: from_differential(M, x), lambda x: to_differential(M, x)):
    def step(x):
        return (2 * f(x + 1) - 3).square().sum()
    plain, compiled = (ball.vertices.clone().requires_grad_() for _ in range(2))
    step(plain).backward()
    torch.compile(step, backend="eager")(compiled).backward()
    torch.testing.assert_close(compiled.grad, plain.grad)
print("all")
"""


def run(program: str, **options) -> subprocess.CompletedProcess[str]:
    """A program of its own, where no shapes are checked."""
    command = [sys.executable, "-W", "ignore", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


@pytest.mark.slow
def test_a_compiled_function_breaks_its_graph_at_the_solve() -> None:
    made = run(COMPILED)
    assert (made.returncode, made.stdout) == (0, "all\n"), made.stderr[-2000:]


THREADS = """
import os, sys, threading
from concurrent.futures import ThreadPoolExecutor
from largesteps_zg import LargeSteps, icosphere
ball = icosphere(2)
done = threading.Event()
def job(k):
    LargeSteps(ball.faces, ball.vertices, lambda_=5 + k)
def talk():
    while not done.is_set():
        print("said", flush=True); said.append(1)
said = []
before = os.readlink("/proc/self/fd/1")
talker = threading.Thread(target=talk); talker.start()
with ThreadPoolExecutor(6) as pool:
    list(pool.map(job, range(60)))
done.set(); talker.join()
assert os.readlink("/proc/self/fd/1") == before
print("after", len(said))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not tell descriptors")
def test_factoring_in_threads_loses_nothing_that_is_printed() -> None:
    made = run(THREADS)
    *said, last = made.stdout.splitlines()
    assert made.returncode == 0, made.stderr[-2000:]
    assert set(said) == {"said"} and last == f"after {len(said)}"


FORKED = """
import os, faulthandler, torch
from largesteps_zg import icosphere, sphere_of_cameras
from largesteps_zg.renderers import render
torch.set_num_threads(2)
ball, cameras = icosphere(2), sphere_of_cameras(2, distance=3.0, fov_y_degrees=45.0, height=40, width=48)
images = lambda: render(ball.vertices, ball.faces, torch.ones_like(ball.vertices), cameras)
expected = images()
child = os.fork()
if child == 0:
    faulthandler.dump_traceback_later(30, exit=True)
    os._exit(0 if torch.allclose(images(), expected, atol=1e-6) else 3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_renders() -> None:
    made = run(FORKED)
    assert (made.returncode, made.stdout) == (0, "0\n"), made.stderr[-2000:]


def test_reading_images_in_threads_leaves_the_filters_of_warnings_as_they_were(tmp_path: Path) -> None:
    """`warnings.catch_warnings` in each thread leaves what one of them had set, in most of these rounds."""
    file = tmp_path / "a.png"
    Image.new("RGB", (64, 64)).save(file)
    before = list(warnings.filters)
    for _ in range(10):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(read_image, [file] * 64))
        assert warnings.filters == before


def test_a_change_of_the_process_lasts_until_the_last_thread_leaves() -> None:
    level = [0]

    def change():
        before, level[0] = level[0], 4
        return lambda: level.__setitem__(0, before)

    inside = WhileInside(change)
    for _ in range(2):
        inside.__enter__()  # one thread, and another
        inside.__enter__()
        inside.__exit__()
        assert level == [4]
        inside.__exit__()
        assert level == [0]


IMPORTED = """
import os, sys, logging, signal, warnings
import torch, numpy, scipy, warp
def state():
    streams = [os.fstat(k)[:3] for k in (0, 1, 2)]
    level = warp.config.log_level, warp._src.context.runtime if hasattr(warp, "_src") else None
    return streams, level, torch.get_num_threads(), sys.stdout, sys.stderr, dict(os.environ), logging.root.handlers[:]
before = state()
filters = list(warnings.filters)
import largesteps_zg, largesteps_zg.renderers, largesteps_zg.estimators
import largesteps_zg.images.losses, largesteps_zg.reconstruct.priors.contact
assert state() == before
ball = largesteps_zg.icosphere(1)
from largesteps_zg.images.losses import image_loss
image_loss(torch.ones(1, 2, 2, 3), torch.zeros(1, 2, 2, 3))
after = state()
assert (after[0], after[1][0], after[2:]) == (before[0], before[1][0], before[2:])
print("same")
"""


@pytest.mark.slow
def test_an_import_changes_nothing_for_the_process_and_first_use_is_silent() -> None:
    made = run(IMPORTED)
    assert (made.returncode, made.stdout, made.stderr) == (0, "same\n", "")


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    "options", [{"lambda_": 1e7}, {"lambda_": 1e8 + 0.3}, {"lambda_": 1e12}, {"alpha": 1 - 1e-9}]
)
@pytest.mark.parametrize("cotangent", [False, True])
def test_smoothing_that_float32_cannot_hold_is_refused(options: dict, cotangent: bool, solver: str) -> None:
    mesh = icosphere(3)
    with pytest.raises(
        ValueError, match=r"^M: expected a condition below .*lower lambda .*float64"
    ) as caught:
        LargeSteps(mesh.faces, mesh.vertices, cotangent=cotangent, solver=solver, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("lambda_", [1e3, 123456.7, 5e5, 6e5 + 0.3])
def test_smoothing_that_is_taken_is_right(lambda_: float) -> None:
    mesh = icosphere(3)
    p = LargeSteps(mesh.faces, mesh.vertices, lambda_)
    found = p.from_differential(p.to_differential(mesh.vertices))
    assert (found - mesh.vertices).abs().max() < 0.01
    double = mesh.vertices.double()
    p = LargeSteps(mesh.faces, double, 1e3 * lambda_)
    assert (p.from_differential(p.to_differential(double)) - double).abs().max() < 1e-4


def test_a_constant_that_no_float_can_tell_from_zero() -> None:
    laplacian = laplacian_uniform(BALL.vertices.double(), BALL.faces)
    with pytest.raises(ValueError, match=r"got one that is .*add a multiple of the identity"):
        CholeskySolver(laplacian)


def test_a_solver_is_asked_for_by_name(unchecked: None) -> None:
    matrix = compute_matrix(BALL.vertices, BALL.faces, 1.0)
    with pytest.raises(
        ValueError, match=r"^solver: expected an object with a method solve, got Tensor; make"
    ):
        solve(matrix, BALL.vertices)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^method: expected 'Cholesky' or 'CG', got None"):
        from_differential(matrix, to_differential(matrix, BALL.vertices), None)  # type: ignore[arg-type]
