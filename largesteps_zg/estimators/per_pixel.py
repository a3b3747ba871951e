"""Per-pixel stochastic gradients: each pixel speaks only of the parameters that made it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from numbers import Integral, Real
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from .antithetic import check_pairs, random_signs
from .coherent import coherent_signs, weighed
from .estimate import GradientEstimate, Parameters
from .evaluation.evaluate import EvaluationError
from .evaluation.objective import Objective, as_objective
from .packing import NUMBERS_AT_ONCE, check_parameters
from .pixels import PixelLosses, check_pair, ready
from .scattering import scatter
from .schedules import Width, Widths

Table = Int[Tensor, "_ _"] | None
Shape = tuple[int, ...]
Units = Callable[..., Tensor | float | tuple[Tensor | float, ...]]
Directions = Callable[..., Tensor | tuple[Tensor | None, ...] | None]

# Pairs that are evaluated at one time: enough for the workers of an executor, without keeping the pixels of all.
PAIRS_AT_ONCE = 8


class PerPixel:
    """Per-pixel stochastic gradient estimation (Deliot, Heitz, Belcour 2024).

    All parameters move at once, by +e s and by -e s with random signs s, as in SPSA; but the difference of each pixel's
    loss goes only to the parameters that made the pixel in either of the two pictures:

        g_i = sum over pixels that i touches in + or - of (f_p(x + e s) - f_p(x - e s)) / (2 e_i s_i)

    Parameters
    ----------
    epsilon : float, callable, or tuple of these
        Size of the perturbation, > 0: one for all parameter tensors or one for each; a callable (`geometric`) gets the
        number of calls so far.
    primitives : (F, C) integer tensor, None, or a tuple of these
        Which rows of the parameters make up each primitive: `faces`, for vertices and what is stored at them. Without
        it a primitive is a row itself: a texel, a patch, a splat. A tuple has one for each parameter tensor.
    pairs : int
        Pairs of perturbations that are averaged, >= 1.
    views : int, optional
        Draw another perturbation for each of so many views: f then gets every parameter with a leading axis of B (those
        that are held fixed as they are), and its values lead with B too. As many evaluations, and less noise where
        views see the same parameters: 1.8 times less variance with 16 views around a sphere, up to B times where they
        are all alike. Where no gradient is asked for, f gets the parameters as they are.
    per_view : bool, or tuple of these
        With `views`: tensors that lead with B already, a set of rows for each view. f gets them as they are, moved, and
        each view's rows have a gradient of their own.
    units : callable, optional
        From the parameters to what epsilon counts for each of them, a tensor that broadcasts to what f gets:
        ``lambda vertices: pixel_size(vertices, cameras)`` makes it pixels. 1 by default.
    directions : callable, optional
        From the parameters to unit vectors along which their rows move, shaped as what f gets, or None for a tensor
        whose entries move each on its own. Fewer unknowns make a pixel then, and what lies across a direction gets no
        gradient from that view.
    coherence : float, or tuple of these
        c, in [0, 1): the mean product of the signs of two rows of a view. Rows that lie side by side mostly move
        together then, as a surface does. The sums allow for it; see the notes.

    Raises
    ------
    ValueError
        Arguments out of range; later, pixels and primitives that do not fit each other or the parameters.

    Notes
    -----
    f returns `PixelLosses`, whose ids are those of one primitive a pixel, of K, or lists (`Contributors`). Parameters
    have shape (R, ...), R rows; all entries of a row belong to the same primitives.

    Bias: (1) that of any difference over a finite step, O(e^2) where f is smooth; at silhouettes it is the gradient of
    the loss smoothed over +-e, which is what makes them visible at all. (2) A pixel tells nothing to what is hidden in
    both pictures, though a hidden layer can matter where another one moves away. Where many silhouettes lie within e of
    each other, as on a fine mesh with e above a third of a pixel, this takes away up to half of the length of the
    gradient and little of its direction (cosine 0.97 measured at the built-in fennec). The step size of an optimiser
    such as Adam or UniformAdam makes up for it.

    Variance: of an entry, about the sum over the *other* entries that touch its pixels of their squared shares; it does
    not grow with the number of parameters, as that of SPSA does (a sphere of 2,562 vertices and colours, 16 views:
    some 900 times less). By 1 / pairs.

    Coherence: of a pixel that m rows made, a row gets ``(s_i - c S / (1 + (m - 1) c)) / (1 - c)`` in place of s_i;
    S is the sum of the rows' signs. The mean stays that of c = 0 to the first order. Noise moves from what neighbours
    have in common to what tells them apart, so that it pays where gradients are smoothed, as Large Steps does: of the
    sum over the three rows of a pixel, of one column, a c of 0.6 takes away three quarters of the variance. What a
    pixel owes to rows that made it in neither picture goes to those that did, which lessens bias (2). Columns and
    tensors are independent. Lists of ids (`Contributors`) are filled up to the longest one for it.

    Cost: 2 `pairs` evaluations, whatever the number of parameters, and a pass over the pixels; up to 8 pairs at a time.
    Memory: some ten numbers for each that f gets, and the losses and ids of the pictures under way.

    Sums are of the losses' type, float32 or float64; those of several threads are added in a fixed order.

    References
    ----------
    Deliot, Heitz, Belcour. Transforming a Non-Differentiable Rasterizer into a Differentiable One with Stochastic
    Gradient Estimation. Proc. ACM Comput. Graph. Interact. Tech. 7(1), 2024. Equations 1 to 5, Algorithms 1 and 2; an
    own perturbation for each view and units are additions.

    Examples
    --------
    A row of four pixels, each painted by a parameter of its own:

    >>> import torch
    >>> from largesteps_zg.estimators import differentiable
    >>> paint = torch.tensor([0.1, 0.2, 0.3, 0.4], requires_grad=True)
    >>> f = lambda x: PixelLosses((x - 1.0).square(), torch.arange(4))
    >>> differentiable(f, PerPixel(epsilon=0.01))(paint).backward()
    >>> paint.grad
    tensor([-1.8000, -1.6000, -1.4000, -1.2000])
    """

    def __init__(
        self,
        epsilon: Width = 0.01,
        *,
        primitives: Table | tuple[Table, ...] = None,
        pairs: int = 1,
        views: int | None = None,
        per_view: bool | tuple[bool, ...] = False,
        units: Units | None = None,
        directions: Directions | None = None,
        coherence: float | tuple[float, ...] = 0.0,
    ) -> None:
        self._widths = Widths("epsilon", epsilon)
        self.pairs = check_pairs(pairs)
        if views is not None and (isinstance(views, bool) or not isinstance(views, Integral) or views < 1):
            raise ValueError(f"views: expected an integer >= 1 or None, got {views!r}")
        self.views = views if views is None else int(views)
        self._per_view = per_view if isinstance(per_view, tuple) else (per_view,)
        if any(self._per_view) and views is None:
            raise ValueError("per_view: expected a number of views beside it, got None")
        self.units, self.directions = units, directions
        self._coherences = tuple(map(_coherence, coherence if isinstance(coherence, tuple) else (coherence,)))
        self._tables = tuple(map(_table, primitives if isinstance(primitives, tuple) else (primitives,)))

    def estimate(
        self,
        f: Callable[..., PixelLosses] | Objective,
        parameters: Parameters,
        *,
        generator: torch.Generator | None = None,
    ) -> GradientEstimate:
        """The gradient at the parameters; see `Estimator`."""
        objective = as_objective(f)
        single = isinstance(parameters, Tensor)
        tensors = tuple(t.detach() for t in check_parameters(parameters))
        shapes = self._shapes(tensors)
        steps, directions = self._steps(tensors, shapes), self._along(tensors, shapes)
        # Parameters that ask for no gradient are held fixed, but f still speaks of all its arguments.
        moving = getattr(objective, "moving", [True] * len(tensors))
        numbers = 2 * (self.views or 1) * sum(t.numel() for t in tensors)
        at_once = max(1, min(PAIRS_AT_ONCE, NUMBERS_AT_ONCE // numbers))
        loss = 0.0
        mean: list[Tensor] = []
        squares: list[Tensor] = []
        for first in range(0, self.pairs, at_once):
            draws = [
                self._drawn(tensors, shapes, steps, directions, generator)
                for _ in range(min(at_once, self.pairs - first))
            ]
            points = [
                tuple(torch.add(t, one.offset, alpha=side) for t, one in zip(tensors, drawn, strict=True))
                for drawn in draws
                for side in (1, -1)
            ]
            results = objective.results(points)
            for k, drawn in enumerate(draws):
                pair = results[2 * k], results[2 * k + 1]
                check_pair(*pair, len(moving), self.views)
                loss += 0.5 / self.pairs * sum(_total(pair, side, 2 * k, points) for side in (0, 1))
                gradients = self._gradients(pair, tensors, shapes, drawn, steps, moving)
                _update(mean, squares, gradients, first + k + 1)
        self._widths.advance()
        if self.pairs == 1:
            errors = [torch.full_like(t, torch.nan) for t in tensors]
        else:
            errors = [square.div_(self.pairs * (self.pairs - 1)).sqrt_() for square in squares]
        return GradientEstimate(
            loss=torch.tensor(loss, dtype=tensors[0].dtype, device=tensors[0].device),
            gradient=mean[0] if single else tuple(mean),
            standard_error=errors[0] if single else tuple(errors),
            evaluations=2 * self.pairs,
        )

    def state_dict(self) -> dict[str, Any]:
        """The number of calls."""
        return self._widths.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a number of calls."""
        self._widths.load_state_dict(state)

    def _shapes(self, tensors: tuple[Tensor, ...]) -> list[Shape]:
        """Of each tensor, or of a view's share of it."""
        apart = _each("per_view", self._per_view, len(tensors))
        for tensor, own in zip(tensors, apart, strict=True):
            if own and tuple(tensor.shape[:1]) != (self.views,):
                raise ValueError(
                    f"per_view: expected parameters of {self.views} views, leading, got shape {tuple(tensor.shape)}"
                )
        return [tuple(t.shape[1:] if own else t.shape) for t, own in zip(tensors, apart, strict=True)]

    def _steps(self, tensors: tuple[Tensor, ...], shapes: list[Shape]) -> list[Tensor]:
        """What each entry moves by, broadcastable to what f gets."""
        sizes = self._widths.now(len(tensors))
        units = (1.0,) * len(tensors) if self.units is None else self.units(*tensors)
        units = units if isinstance(units, tuple) else (units,)
        if len(units) != len(tensors):
            raise ValueError(f"units: expected one for each of {len(tensors)} tensors, got {len(units)}")
        _each("primitives", self._tables, len(tensors))
        steps = []
        for tensor, shape, unit, size in zip(tensors, shapes, units, sizes, strict=True):
            step = torch.as_tensor(unit).to(tensor) * size
            _check_step(tensor, step, size, self._whole(shape))
            steps.append(step)
        return steps

    def _whole(self, shape: Shape) -> Shape:
        """Of what f gets in a tensor's place."""
        return shape if self.views is None else (self.views, *shape)

    def _along(self, tensors: tuple[Tensor, ...], shapes: list[Shape]) -> tuple[Tensor | None, ...]:
        """The direction of each row of each tensor, shaped as what f gets; None where entries move on their own."""
        found = None if self.directions is None else self.directions(*tensors)
        found = found if isinstance(found, tuple) else (found,) * (1 if found is not None else len(tensors))
        if len(found) != len(tensors):
            raise ValueError(
                f"directions: expected one or None for each of {len(tensors)} tensors, got {len(found)}"
            )
        for shape, along in zip(map(self._whole, shapes), found, strict=True):
            if along is not None and tuple(along.shape) != shape:
                raise ValueError(
                    f"directions: expected shape {shape}, that of what f gets, got {tuple(along.shape)}"
                )
        return tuple(None if along is None else along.to(t) for along, t in zip(found, tensors, strict=True))

    def _drawn(
        self,
        tensors: tuple[Tensor, ...],
        shapes: list[Shape],
        steps: list[Tensor],
        directions: tuple[Tensor | None, ...],
        generator: torch.Generator | None,
    ) -> list[_Drawn]:
        """One perturbation of each tensor."""
        coherences = _each("coherence", self._coherences, len(tensors))
        drawn = []
        for tensor, shape, step, along, coherence in zip(
            tensors, shapes, steps, directions, coherences, strict=True
        ):
            sets, rows = self.views or 1, shape[0] if shape else 1
            if along is not None:  # one sign a row
                shape = shape[:1] + (1,) * len(shape[1:])
            columns = math.prod(shape[1:])
            if coherence:
                signs = coherent_signs((sets, rows, columns), coherence, generator)
            else:
                signs = random_signs(sets, rows * columns, generator).view(sets, rows, columns)
            signs = signs.to(tensor.device).to(tensor.dtype)
            units = step if along is None else step * along
            kept = signs if coherence else None
            drawn.append(_Drawn(signs.reshape(self._whole(shape)) * units, kept, units, coherence))
        return drawn

    def _gradients(
        self,
        pair: tuple[PixelLosses, PixelLosses],
        tensors: tuple[Tensor, ...],
        shapes: list[Shape],
        drawn: list[_Drawn],
        steps: list[Tensor],
        moving: list[bool],
    ) -> list[Tensor]:
        """One pair's gradient of each tensor; overwrites the offsets."""
        device = tensors[0].device
        plus, minus = (ready(made.values, device) for made in pair)
        arguments = [i for i, moves in enumerate(moving) if moves]
        found: dict[tuple[int, int, int], Tensor] = {}  # tensors at the same primitives share the sums
        gradients = []
        for i, (tensor, own, one, step) in enumerate(zip(tensors, shapes, drawn, steps, strict=True)):
            which = i if len(self._tables) > 1 else 0
            rows = own[0] if own else 1
            table = self._tables[which]
            key = arguments[i] if isinstance(pair[0].primitives, tuple) else 0, which, rows
            before, after = (made.on(device, arguments[i]) for made in pair)
            table = None if table is None else table.to(device)
            made: dict[str, Any] = {"made_plus": before, "made_minus": after, "table": table, "rows": rows}
            sums: Callable[..., Tensor] = partial(scatter, separate=self.views is not None, **made)
            found[key] = found[key] if key in found else sums(plus, minus)
            shape = (-1,) * bool(self.views) + own[:1] + (1,) * len(own[1:])
            # s / (2 e) = e s / (2 e^2); the quotients first: a step for each row has fewer entries than the signs.
            gradient = one.offset.mul_(found[key].to(tensor.dtype).view(shape) / (2 * step) / step)
            if one.signs is not None:
                shared = []
                for column in one.signs.unbind(-1):
                    values = weighed(plus, minus, before, after, table, column, one.coherence)
                    shared.append(sums(values, torch.zeros_like(values)))
                taken = torch.stack(shared, dim=-1).to(tensor.dtype)
                taken = taken.view(shape if len(shared) == 1 else gradient.shape)
                gradient.sub_(taken * one.units / (2 * step) / step).div_(1.0 - one.coherence)
            gradients.append(gradient if gradient.shape == tensor.shape else gradient.sum(0))
        return gradients


@dataclass(frozen=True)
class _Drawn:
    """How a tensor moves: by the offset, which is signs (B, R, columns) times units; signs only where they agree."""

    offset: Tensor
    signs: Tensor | None
    units: Tensor
    coherence: float


def _each(name: str, given: tuple[Any, ...], tensors: int) -> tuple[Any, ...]:
    """One for each tensor, or ValueError."""
    if len(given) not in (1, tensors):
        raise ValueError(
            f"{name}: expected one for all, or one for each of {tensors} tensors, got {len(given)}"
        )
    return given if len(given) == tensors else given * tensors


def _coherence(value: float) -> float:
    """As a float, or ValueError."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value < 1:
        raise ValueError(f"coherence: expected a number in [0, 1), got {value!r}")
    return float(value)


def _table(table: Table) -> Table:
    """As the sums take it, or ValueError."""
    if table is None:
        return None
    if table.dim() != 2 or table.is_floating_point() or table.dtype == torch.bool or not table.shape[1]:
        raise ValueError(
            f"primitives: expected (F, C) rows of the parameters, such as faces, got {table.dtype} of shape "
            f"{tuple(table.shape)}"
        )
    return table.to(torch.int32).contiguous()


def _check_step(tensor: Tensor, step: Tensor, size: float, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless every entry moves by a finite distance, in its own type."""
    try:
        fits = torch.broadcast_shapes(step.shape, shape) == shape
    except RuntimeError:
        fits = False
    if not fits:
        raise ValueError(
            f"units: expected a number, or a tensor that broadcasts to {shape}, got shape {tuple(step.shape)}"
        )
    least, most = (bound.item() for bound in step.aminmax())
    if not (least > 0 and math.isfinite(most)):
        raise ValueError(f"units: expected finite numbers > 0, got steps from {least:.3g} to {most:.3g}")
    # Seldom: all entries are looked at only where the largest would not notice the smallest step.
    if least <= torch.finfo(tensor.dtype).eps * max(abs(bound.item()) for bound in tensor.aminmax()):
        lost = (tensor + step == tensor) | (tensor - step == tensor)
        if lost.any():
            entry = tensor.expand(shape)[lost.expand(shape)][0].item()
            raise ValueError(
                f"epsilon: expected a size that {str(tensor.dtype)[6:]} can add to the parameters, got {size:.3g} for "
                f"an entry of {entry:.6g}; make it larger, or use float64"
            )


def _total(
    pair: tuple[PixelLosses, PixelLosses], side: int, before: int, points: list[tuple[Tensor, ...]]
) -> float:
    """The loss of one picture, or EvaluationError."""
    total = float(pair[side].values.sum())
    if not math.isfinite(total):
        what = f"returned pixels whose losses sum up to {total} instead of a finite number"
        raise EvaluationError.of(what, before + side, len(points), points[before + side])
    return total


def _update(mean: list[Tensor], squares: list[Tensor], gradients: list[Tensor], count: int) -> None:
    """Mean and sum of squared deviations from it, with one sample more (Welford)."""
    if count == 1:
        mean[:] = gradients
        return
    squares[:] = squares or [torch.zeros_like(average) for average in mean]
    for average, square, gradient in zip(mean, squares, gradients, strict=True):
        deviation = gradient - average
        average.add_(deviation, alpha=1 / count)
        square.addcmul_(deviation, gradient - average)
