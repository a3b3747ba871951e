"""One evaluation of a function that is only called: what it gives, or what went wrong, in words."""

from __future__ import annotations

import math
import pickle
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, SupportsFloat

import numpy as np
import torch
from torch import Tensor

Point = tuple[Tensor, ...]


class EvaluationError(RuntimeError):
    """A function that raised, gave no finite number, or was lost with its workers.

    What the function raised is the ``__cause__``; from another process it brings the text of its traceback along.

    Attributes
    ----------
    index : int or None
        Which evaluation, counted from 0 within the call; None where a batch failed as a whole.
    parameters : tuple of tensors
        What the function was called with, so that it can be called again.
    """

    def __init__(self, message: str, index: int | None = None, parameters: Point = ()) -> None:
        super().__init__(message)
        self.index = index
        self.parameters = parameters

    @classmethod
    def of(cls, what: str, index: int | None, count: int, parameters: Point) -> EvaluationError:
        """The error of one evaluation among `count`, or of all of them, with the parameters in words."""
        which = f"a batch of {count} evaluations" if index is None else f"evaluation {index} of {count}"
        ranges = " and ".join(_range(parameter) for parameter in parameters)
        message = f"{which} {what}; parameters {ranges}, in error.parameters"
        return cls(message, index, tuple(parameter.detach() for parameter in parameters))


def _range(tensor: Tensor) -> str:
    """Shape and extreme values."""
    shape = str(tuple(tensor.shape))
    return f"{shape} from {tensor.min():.4g} to {tensor.max():.4g}" if tensor.numel() else shape


class UnusableResult(Exception):
    """What a function returned is no loss; the message continues the word "returned"."""


@dataclass(frozen=True)
class Failure:
    """What stands in the place of a result where the function raised or its result is of no use.

    Attributes
    ----------
    what : str
        One line that continues "evaluation 3 of 20".
    exception : Exception
        What was raised, if `trace` is empty with its own traceback.
    trace : str
        The traceback as text, once it has left its process.
    """

    what: str
    exception: Exception
    trace: str = ""

    @classmethod
    def of(cls, exception: Exception) -> Failure:
        """What this exception says."""
        if isinstance(exception, UnusableResult):
            return cls(f"returned {exception}", exception)
        first, *_ = str(exception).splitlines() or [""]
        return cls(f"raised {type(exception).__name__}" + (f": {first}" if first else ""), exception)

    def portable(self) -> Failure:
        """The same, for sure fit to be sent: not every exception survives being pickled."""
        trace = "".join(traceback.format_exception(self.exception))
        try:
            pickle.loads(pickle.dumps(self.exception))
        except Exception:
            return Failure(self.what, RuntimeError(self.what), trace)
        return Failure(self.what, self.exception, trace)

    def error(self, index: int | None, count: int, parameters: Point) -> EvaluationError:
        """The error to raise, with its cause."""
        error = EvaluationError.of(self.what, index, count, parameters)
        if self.trace and self.exception.__cause__ is None:
            self.exception.__cause__ = RuntimeError(f"in a worker:\n{self.trace}")
        error.__cause__ = None if isinstance(self.exception, UnusableResult) else self.exception
        return error


def evaluate(function: Callable[..., Any], point: Point, as_loss: bool) -> Any:
    """What the function gives at one point (as a float if `as_loss`), or a `Failure`; never with autograd."""
    try:
        with torch.no_grad():
            value = function(*point)
            return number(value) if as_loss else value
    except Exception as error:
        return Failure.of(error)


def number(value: Any) -> float:
    """A loss as a float: of a number, or of a tensor or array with one element; exact for every type up to float64."""
    if isinstance(value, Tensor | np.ndarray | np.generic):
        dtype = str(value.dtype).removeprefix("torch.")
        if math.prod(value.shape) != 1 or dtype.startswith(("bool", "complex")):
            raise UnusableResult(f"{dtype} of shape {tuple(value.shape)} instead of a number")
        value = value.item()
    if not isinstance(value, SupportsFloat) or isinstance(value, bool):
        raise UnusableResult(f"{type(value).__name__} instead of a number")
    if not math.isfinite(value):
        raise UnusableResult(f"{float(value)} instead of a finite number")
    return float(value)


def numbers(values: Any, count: int) -> list[Any]:
    """The results of a batch, one for each point: the rows of a tensor or an array, the items of a sequence."""
    if isinstance(values, Tensor | np.ndarray | np.generic):
        shape = tuple(values.shape)
        if shape[:1] != (count,):
            raise UnusableResult(f"shape {shape} instead of one loss for each of {count} parameter sets")
    elif not isinstance(values, Sequence) or isinstance(values, str):
        raise UnusableResult(
            f"{type(values).__name__} instead of one loss for each of {count} parameter sets"
        )
    elif len(values) != count:
        raise UnusableResult(f"{len(values)} losses for {count} parameter sets")
    return list(values)
