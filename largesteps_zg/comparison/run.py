"""One run of a comparison: a gradient source on a target until its budget is spent, and what is measured of it."""

from __future__ import annotations

import math
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..images.losses import image_loss
from ..mesh.distances import surface_distances
from ..mesh.mesh import Mesh
from ..output.provenance import peak_memory_mib
from ..reconstruct.faults import NonFiniteError
from ..reconstruct.gradients.rasterized import Rasterized
from ..reconstruct.gradients.registry import make_source
from ..reconstruct.gradients.source import GradientSource
from ..reconstruct.loop import Reconstruction
from ..renderers.black_box import BlackBox
from ..renderers.registry import load_renderer
from .budget import Spent
from .plan import VIEWS_PER_STEP
from .records import FINISHED, Curves, Job, Progress, Result

POINTS = 40  # of a curve
DIAGNOSED = 12  # of them, at which the gradient is looked at as well
ESTIMATES = 4  # of the gradient at one point
SAMPLES = 5_000  # points on each surface for a distance along a run; it is good to 2 %


def run_job(job: Job) -> Iterator[Progress]:
    """Take steps until the budget is spent, then measure: first what there is of progress, last the result.

    A run that fails ends with a result that says why. States along the run go to disk and are measured when it is over,
    so that neither times nor memory nor random numbers know of the measurements.

    Raises
    ------
    ValueError, ImportError, OSError
        For what cannot work, before the first step.
    """
    plan = job.plan
    renderer = load_renderer(plan.renderer) if isinstance(plan.renderer, str) else plan.renderer
    run = _reconstruction(job, renderer)
    spent, step, share, loss = Spent(), Spent(), 0.0, math.nan
    result: Result | None = None
    with tempfile.TemporaryDirectory(prefix="largesteps-") as folder:
        track = _Track(Path(folder), run, plan.diagnostics)
        try:
            _rehearse(_reconstruction(job, renderer))
            while plan.budget.allows(spent, step):
                share = plan.budget.share(spent)
                track.pass_by(spent, share)
                before, begin = spent, time.perf_counter()
                loss = run.advance(share).loss
                if run.device.type == "cuda":
                    torch.cuda.synchronize(run.device)
                seconds = spent.seconds + time.perf_counter() - begin
                spent = Spent(run.step, run.source.renders, seconds)
                step = Spent(1, spent.renders - before.renders, 0.0)
                yield Progress(job.gradient, job.seed, plan.budget.share(spent), loss)
        except Exception as error:  # a renderer may raise anything; the other runs go on
            result = replace(failed(job, error), spent=spent)
        memory = peak_memory_mib()
        try:
            if result is None:
                track.keep(spent, share, look=plan.diagnostics)
                result = _measured(job, run, spent, memory, track, renderer)
            else:
                result = replace(result, curves=track.curves(job, renderer), memory_mib=memory)
        except Exception as error:  # measuring calls the renderer as well
            result = replace(result or failed(job, error), spent=spent, memory_mib=memory)
    yield Progress(job.gradient, job.seed, 1.0, loss, result)


def failed(job: Job, error: Exception) -> Result:
    """The result of a run that an error ended."""
    # What a renderer or its package raises often says little without its type: KeyError: 'light'.
    kind = "" if isinstance(error, NonFiniteError) else f"{type(error).__name__}: "
    text = " ".join(str(error).split()) or "no message"
    trace = "".join(traceback.format_exception(error))
    return Result(job.gradient, job.seed, f"failed: {kind}{text}", traceback=trace)


def _reconstruction(job: Job, renderer: BlackBox) -> Reconstruction:
    target, settings = job.target, job.plan.settings(job.gradient, job.seed)
    source = make_source(job.gradient, renderer, job.seed)
    return Reconstruction(
        target.views, settings, start=target.start, light=target.light, colors_known=target.colors_known,
        source=source,
    )  # fmt: skip


def _rehearse(run: Reconstruction) -> None:
    """A step with one view that is thrown away: kernels are loaded and threads started before time is taken."""
    run.fit.step(run.targets.batch(torch.tensor([0])), number=1, factor=1.0, progress=0.0)


def _measured(
    job: Job, run: Reconstruction, spent: Spent, memory: int | None, track: _Track, renderer: BlackBox
) -> Result:
    """The result of a run that took all its steps."""
    mesh, light = run.mesh(), run.fit.light.tolist()
    curves = track.curves(job, renderer)
    chamfer = f_score = normals = math.nan
    if job.target.truth is not None:
        found = surface_distances(mesh, job.target.truth)
        chamfer, f_score, normals = found.chamfer_permille, found.f_score, found.normal_consistency
        curves.chamfer[-1] = chamfer
    loss = curves.image_loss[-1]
    return Result(
        job.gradient, job.seed, FINISHED, spent, loss, chamfer, f_score, normals, curves, mesh, light, memory
    )


class _Track:
    """States along a run, on disk until it is over.

    Close together first, when most happens: at the squares of even shares of the budget.
    """

    def __init__(self, folder: Path, run: Reconstruction, diagnostics: bool) -> None:
        self.folder, self.run = folder, run
        self.moments: list[tuple[Spent, float]] = []
        self.points = [(i / POINTS) ** 2 for i in range(POINTS)]
        self.diagnosed = [(i / DIAGNOSED) ** 2 for i in range(DIAGNOSED)] if diagnostics else []

    def pass_by(self, spent: Spent, share: float) -> None:
        """Keep the state if a point lies here, or has been passed since the last one that was kept."""
        if self.points and share >= self.points[0]:
            self.points = [point for point in self.points if point > share]
            look = bool(self.diagnosed) and share >= self.diagnosed[0]
            self.diagnosed = [point for point in self.diagnosed if point > share]
            self.keep(spent, share, look=look)

    def keep(self, spent: Spent, share: float, *, look: bool) -> None:
        """Keep the state, and that of the gradient source where the gradient is to be looked at."""
        source = self.run.source.state_dict() if look else None
        state = {"parts": self.run.fit.snapshot(), "source": source}
        torch.save(state, self.folder / f"{len(self.moments)}.pt")
        self.moments.append((spent, share))

    def curves(self, job: Job, renderer: BlackBox) -> Curves:
        """Go through the states and measure. The run is left at the last of them."""
        made = Curves()
        for number, (spent, share) in enumerate(self.moments):
            state = torch.load(self.folder / f"{number}.pt", weights_only=True)
            self.run.fit.restore(state["parts"])
            variance = cosine = math.nan
            if state["source"] is not None:
                variance, cosine = _gradient_quality(job, self.run, renderer, state["source"], share)
            made.renders.append(spent.renders)
            made.seconds.append(spent.seconds)
            made.image_loss.append(whole_image_loss(self.run))
            made.chamfer.append(_distance(self.run, job.target.truth))
            made.variance.append(variance)
            made.cosine.append(cosine)
        return made


def whole_image_loss(run: Reconstruction) -> float:
    """L1 difference of all views, by the antialiased rasterizer; a view at a time, as there may be many."""
    total = 0.0
    for index in range(len(run.views)):
        view = run.views[[index]]
        total += float(image_loss(run.images(view.cameras), view.linear().cpu()))
    return total / len(run.views)


def _distance(run: Reconstruction, truth: Mesh | None) -> float:
    """Of the present surface to the true one, in thousandths of its diagonal; NaN where that is not known."""
    if truth is None:
        return math.nan
    return surface_distances(run.mesh(), truth, samples=SAMPLES).chamfer_permille


def _gradient_quality(
    job: Job, run: Reconstruction, renderer: BlackBox, state: dict[str, Any], share: float
) -> tuple[float, float]:
    """Variance and cosine of the source's estimates at the present state; see `Curves`."""
    few = torch.linspace(0, len(run.views) - 1, min(len(run.views), VIEWS_PER_STEP)).round().long()
    true = _gradient(run, Rasterized(), few, share)
    estimates = []
    for number in range(ESTIMATES):
        source = make_source(job.gradient, renderer, job.seed)
        if "generator" in state:  # other random numbers than the run's own
            fresh = torch.Generator().manual_seed(1_000_003 * (job.seed + 1) + number)
            state = {**state, "generator": fresh.get_state()}
        source.load_state_dict(state)
        try:
            estimates.append(_gradient(run, source, few, share))
        except (ArithmeticError, RuntimeError):  # the renderer's; where the run itself got through
            return math.nan, math.nan
    return spread(torch.stack(estimates), true)


def _gradient(run: Reconstruction, source: GradientSource, views: Tensor, share: float) -> Tensor:
    """(P,) float64: what the source gives for the latent."""
    return run.fit.latent_gradient(source, run.targets.batch(views), share).double().flatten().cpu()


def spread(estimates: Tensor, true: Tensor) -> tuple[float, float]:
    """Variance of estimates (K, P) over the squared length of their expectation; their mean cosine to the true (P,).

    The squared length of the estimates' own mean would say little: where noise is nearly all there is, that mean is
    noise too, and the ratio K - 1 however much there is of it. The mean product of two different estimates has no such
    bias; where it is no more than chance makes of independent noise, the expectation's component along the true
    gradient stands in for it.
    """
    length, (count, size) = true.norm(), estimates.shape
    if not float(length) > 0:
        return math.nan, math.nan
    variance = (estimates - estimates.mean(0)).square().sum() / (count - 1)
    products = (estimates.sum(0).square().sum() - estimates.square().sum()) / (count * (count - 1))
    chance = variance * math.sqrt(2.0 / (count * (count - 1) * size))
    component = (estimates.mean(0) @ true / length).square()
    signal = torch.maximum(products, component) if products > 3.0 * chance else component
    cosine = torch.nn.functional.cosine_similarity(estimates, true[None], dim=1, eps=1e-300)
    return float(variance / signal) if signal > 0 else math.nan, float(cosine.mean())
