"""A start and step sizes for a family of tasks, by gradient descent through gradient descent."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from .._support.values import check_choice, check_count, check_number
from .descent import RULES
from .learned import Learned

Parameters = dict[str, Tensor]
ORDERS = (1, 2)
MOST, MEMORY = 5.0, 0.98  # times the usual length of a gradient, which is a mean over 50 steps


@dataclass(frozen=True)
class Task:
    """What has to be found, and how well it was found.

    Attributes
    ----------
    loss : callable
        ``loss(parameters, step)``: what step 0, 1, ... follows the gradient of. Each step may look at other samples.
    score : callable
        ``score(parameters)``: the loss after the last step, best on samples that no step has seen.
    together : int
        Tasks that are computed at once. Parameters then have a first axis of that length, and losses may be sums over
        the tasks or have that shape. 0 is one task without that axis.
    """

    loss: Callable[[Parameters, int], Tensor]
    score: Callable[[Parameters], Tensor]
    together: int = 0


def adapt(
    task: Task,
    start: Mapping[str, Tensor],
    rates: Mapping[str, Tensor],
    *,
    steps: int,
    rule: str = "gradient",
    order: int = 1,
) -> Iterator[Parameters]:
    """The parameters of a task after each step, ``p <- p - rate * direction``, differentiable in start and rates.

    Parameters
    ----------
    task : Task
    start, rates : mappings of tensors
        With the same names; rates broadcast to the start.
    steps : int
    rule : {"gradient", "uniform-adam"}
    order : {1, 2}
        2 differentiates the gradients too. 1 takes them for constants: the derivative by the start is that of the last
        loss, the derivative by a rate is minus the product of that with the directions.

    Yields
    ------
    dict of tensors
        After 1, 2, ... steps.
    """
    check_choice("rule", rule, tuple(RULES))
    direction = RULES[rule](task.together)
    parameters = dict(start)
    if task.together:
        parameters = {name: value.expand(task.together, *value.shape) for name, value in start.items()}
    for step in range(steps):
        if order == 1 or not any(value.requires_grad for value in parameters.values()):
            at = {name: value.detach().requires_grad_() for name, value in parameters.items()}
        else:
            at = parameters
        with torch.enable_grad():
            loss = task.loss(at, step).sum()
            gradients = torch.autograd.grad(loss, list(at.values()), create_graph=order == 2)
        found = dict(zip(at, gradients, strict=True))
        parameters = {
            name: value - rates[name] * direction(name, found[name]) for name, value in parameters.items()
        }
        yield parameters


def meta_learn(
    tasks: Iterable[Task],
    start: Mapping[str, Tensor],
    *,
    rates: float | Mapping[str, Tensor] = 1e-2,
    steps: int,
    inner_steps: int = 10,
    tasks_per_step: int = 1,
    rule: str = "gradient",
    order: int = 2,
    start_step: float = 1e-3,
    rate_step: float = 1e-2,
    watch: Callable[[int, float], None] | None = None,
) -> Learned:
    """A start and rates from which few steps solve the tasks of a family.

    ::

        score(p_K)  with  p_0 = start,  p_k+1 = p_k - rates * direction_k

    falls on average over the tasks: Adam follows its gradient by the start and by the rates' logarithms.

    Parameters
    ----------
    tasks : iterable of Task
        As many as `steps` times `tasks_per_step`, or endless; a generator that draws them is best.
    start : mapping of tensors
        To begin with. Of one type and device.
    rates : float or mapping of tensors, > 0
        To begin with. A float gives each entry a rate of its own, which is then learned. A tensor that broadcasts to
        its parameter gives one rate to a row, or to all of it.
    steps : int
        Of the learning.
    inner_steps : int
        Of each task.
    tasks_per_step : int
        Their gradients are averaged.
    rule : {"gradient", "uniform-adam"}
        Which optimiser the rates are for.
    order : {1, 2}
        2 differentiates twice, which the losses have to allow. 1 takes gradients for constants: for losses through a
        renderer, a compiled kernel or an estimator.
    start_step, rate_step : float
        Adam's step sizes, of the start and of the rates' logarithms; 0 leaves them as they are. They fall to zero along
        half a cosine. A gradient's norm is cut at five times its running mean, and of tasks that diverge nothing is
        learned.
    watch : callable, optional
        ``watch(step, loss)`` after each step.

    Returns
    -------
    Learned

    Raises
    ------
    ValueError
        An argument out of range, names that differ, too few tasks, tasks that diverge in most steps so far.

    Notes
    -----
    The rasterizer and `images.losses.image_loss` have first derivatives alone and do not refuse a second one: take
    order 1 with them. Memory and time of second order grow with `inner_steps`. Learned rates are positive; published
    ones [1]_ may be of either sign.

    References
    ----------
    .. [1] Li, Zhou, Chen, Li. Meta-SGD: Learning to Learn Quickly for Few-Shot Learning. arXiv 1707.09835, 2017.
    .. [2] Finn, Abbeel, Levine. Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks. ICML 2017.
    .. [3] Fischer, Ritschel. Metappearance: Meta-Learning for Visual Appearance Reproduction. ACM Transactions on
       Graphics 41(6), 2022.

    Examples
    --------
    Quadratics that share their axes and the mean of their minima: one step is enough.

    >>> generator = torch.Generator().manual_seed(0)
    >>> curvature = torch.tensor([1.0, 10.0])
    >>> def task():
    ...     minimum = torch.tensor([2.0, 3.0]) + torch.randn(2, generator=generator)
    ...     def loss(parameters, step=0):
    ...         return (0.5 * curvature * (parameters["x"] - minimum).square()).sum()
    ...     return Task(loss, loss)
    >>> learned = meta_learn(iter(task, None), {"x": torch.zeros(2)}, steps=300, inner_steps=1, rate_step=0.1)
    >>> [round(rate, 2) for rate in learned.rates["x"].tolist()]
    [1.0, 0.1]
    """
    check_count("steps", steps)
    check_count("inner steps", inner_steps)
    check_count("tasks per step", tasks_per_step)
    check_choice("rule", rule, tuple(RULES))
    if order not in ORDERS:
        raise ValueError(f"order: expected 1 or 2, got {order!r}")
    for name, size in (("start step", start_step), ("rate step", rate_step)):
        check_number(name, size, ">= 0", lambda value: value >= 0)
    values = {name: value.detach().clone().requires_grad_() for name, value in start.items()}
    logs = {name: rate.log().requires_grad_() for name, rate in _rates(values, rates).items()}
    parts, sizes = [list(values.values()), list(logs.values())], (start_step, rate_step)
    optimizer, cuts = torch.optim.Adam([{"params": part} for part in parts]), [_Cut(part) for part in parts]
    supply, losses, diverged = iter(tasks), [], 0
    for step in range(steps):
        optimizer.zero_grad()
        drawn = list(islice(supply, tasks_per_step))
        if len(drawn) < tasks_per_step:
            raise ValueError(
                f"tasks: expected {steps * tasks_per_step}, got {step * tasks_per_step + len(drawn)}"
            )
        total = 0.0
        for task in drawn:
            rates_now = {name: log.exp() for name, log in logs.items()}
            *_, last = adapt(task, values, rates_now, steps=inner_steps, rule=rule, order=order)
            score = task.score(last).mean() / tasks_per_step
            total += float(score.detach())
            score.backward()
        losses.append(total)
        if math.isfinite(total) and all(math.isfinite(cut.length()) for cut in cuts):
            for group, size, cut in zip(optimizer.param_groups, sizes, cuts, strict=True):
                group["lr"] = size * 0.5 * (1 + math.cos(math.pi * step / steps))
                cut()
            optimizer.step()
        else:
            diverged += 1
            if 2 * diverged > step + 1:
                raise ValueError(f"tasks: the score is {total} in step {step + 1}; begin with smaller rates")
        if watch is not None:
            watch(step + 1, total)
    found = {name: log.detach().exp() for name, log in logs.items()}
    return Learned({name: value.detach() for name, value in values.items()}, found, rule, tuple(losses))


def _rates(start: Parameters, rates: float | Mapping[str, Tensor]) -> Parameters:
    """The first rates, a tensor for each of the start's."""
    if not isinstance(rates, Mapping):
        value = check_number("rates", rates, "> 0", lambda value: value > 0)
        return {name: torch.full_like(part, value, requires_grad=False) for name, part in start.items()}
    if rates.keys() != start.keys():
        raise ValueError(f"rates: expected the names {', '.join(start)}, got {', '.join(rates)}")
    for name, rate in rates.items():
        if not (rate > 0).all():
            raise ValueError(f"rates: expected numbers > 0, got {float(rate.min())} in {name}")
        shape, own = tuple(start[name].shape), tuple(rate.shape)
        pairs = zip(own[::-1], shape[::-1], strict=False)
        if len(own) > len(shape) or any(size not in (1, wanted) for size, wanted in pairs):
            raise ValueError(f"rates: expected a shape that broadcasts to {shape} in {name}, got {own}")
    return {name: rates[name].detach().clone() for name in start}


class _Cut:
    """Shortens gradients far longer than usual, which a task that nearly diverges brings and Adam long remembers."""

    def __init__(self, parts: list[Tensor]) -> None:
        self.parts, self.usual = parts, math.inf

    def _gradients(self) -> list[Tensor]:
        return [part.grad for part in self.parts if part.grad is not None]

    def length(self) -> float:
        """Of the gradients together."""
        return float(torch.stack([gradient.norm() for gradient in self._gradients()]).norm())

    def __call__(self) -> None:
        gradients, length = self._gradients(), self.length()
        if length > MOST * self.usual:
            for gradient in gradients:
                gradient.mul_(MOST * self.usual / length)
        kept = min(length, MOST * self.usual)
        self.usual = kept if math.isinf(self.usual) else MEMORY * self.usual + (1 - MEMORY) * kept
