"""Optimisers for latents and positions: Adam with one step size for everything, or for each vertex."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import unwrap
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ._support.checks import as_number

Transfer = Callable[[Tensor], Tensor] | Tensor

# Names, in torch's optimisers and ours, of states that are means of squares.
_SECOND_MOMENTS = frozenset({"g2", "exp_avg_sq", "max_exp_avg_sq"})


class _UniformlyScaledAdam(torch.optim.Optimizer):
    """What the optimisers here share: Adam but for the second moment, which two functions define."""

    # torch hides these from its compiler, and loads it to do so: a second of every program that optimises.
    add_param_group = unwrap(torch.optim.Optimizer.add_param_group)
    zero_grad = unwrap(torch.optim.Optimizer.zero_grad)
    state_dict = unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = unwrap(torch.optim.Optimizer.load_state_dict)

    _squares: Callable[[Tensor], Tensor]
    _scale: Callable[[Tensor], Tensor]

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 0.1,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        # NumPy's numbers as Python's own: torch.load reads nothing else from a state that was saved.
        lr = lr if isinstance(lr, Tensor) else as_number("lr", lr, "a number >= 0")
        memory = tuple(as_number("betas", beta, "two numbers in [0, 1)") for beta in betas)
        eps = as_number("eps", eps, "a number >= 0")
        if not lr >= 0:
            raise ValueError(f"lr: expected a number >= 0, got {lr}")
        if len(memory) != 2 or not all(0 <= beta < 1 for beta in memory):
            raise ValueError(f"betas: expected two numbers in [0, 1), got {betas}")
        if not eps >= 0:
            raise ValueError(f"eps: expected a number >= 0, got {eps}")
        super().__init__(params, {"lr": lr, "betas": memory, "eps": eps})

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Also of a state that the published ``largesteps`` package saved, whose groups have no eps."""
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("eps", 1e-8)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of all parameters that have a gradient.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss anew, with its gradients.

        Returns
        -------
        What the closure returned, or None.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and parameter.numel():
                    self._update(parameter, group)
        return loss

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        """One step of one parameter."""
        gradient = parameter.grad
        assert gradient is not None
        if gradient.is_sparse:
            raise ValueError(
                f"{type(self).__name__}: expected dense gradients, got a sparse one; call to_dense() first"
            )
        state = self.state[parameter]
        if not state:
            state["step"] = 0
            state["g1"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
            state["g2"] = torch.zeros_like(type(self)._squares(gradient))
        first, second = group["betas"]
        state["step"] += 1
        state["g1"].mul_(first).add_(gradient, alpha=1 - first)
        state["g2"].mul_(second).add_(type(self)._squares(gradient), alpha=1 - second)
        scale = type(self)._scale(state["g2"]).div(1 - second ** state["step"]).sqrt_().add_(group["eps"])
        parameter.sub_((state["g1"] / scale).mul_(group["lr"] / (1 - first ** state["step"])))


class UniformAdam(_UniformlyScaledAdam):
    """Adam with the same step size for all entries of a parameter tensor: the optimiser of Large Steps.

    ::

        m <- b1 m + (1 - b1) g            M = m / (1 - b1^t)
        s <- b2 s + (1 - b2) g^2          S = max(s) / (1 - b2^t), over all entries of the tensor
        p <- p - lr M / (sqrt(S) + eps)

    Plain Adam divides each entry by its own sqrt(s), which undoes the smoothness of a diffused gradient. The
    second moment is kept for each entry and the maximum taken after, as in the published ``largesteps``
    package, whose steps these are, number for number.

    Parameters
    ----------
    params : iterable of tensors, of parameter groups, or of named tensors
        Each tensor has a maximum of its own.
    lr : float
        Step size; about the largest change of an entry in a step.
    betas : (float, float)
        Memory of the two moments, in [0, 1).
    eps : float
        Keeps the division finite.

    Raises
    ------
    ValueError
        A parameter of the optimiser out of its range; a sparse gradient (at the step).

    References
    ----------
    Nicolet, Jacobson, Jakob. Large Steps in Inverse Rendering of Geometry. ACM Transactions on Graphics
    40(6), 2021.
    """

    _squares = staticmethod(torch.square)
    _scale = staticmethod(torch.amax)


AdamUniform = UniformAdam


class VectorAdam(_UniformlyScaledAdam):
    """Adam whose second moment is the squared length of each row, so that its steps turn with the coordinates.

    As `UniformAdam`, with ``s <- b2 s + (1 - b2) |g|^2`` per row (the last axis) and ``S = s / (1 - b2^t)``
    per row: each vertex has its own step size, all its coordinates the same.

    Parameters
    ----------
    params, lr, betas, eps
        As in `UniformAdam`; the parameters are (..., k) tensors of k-vectors.

    References
    ----------
    Ling, Sharp, Jacobson. VectorAdam for Rotation Equivariant Geometry Optimization. NeurIPS 2022.
    """

    @staticmethod
    def _squares(gradient: Tensor) -> Tensor:
        """Squared lengths of the rows, with a last axis of one."""
        return gradient.square().sum(dim=-1, keepdim=True) if gradient.ndim else gradient.square()

    @staticmethod
    def _scale(second: Tensor) -> Tensor:
        """A copy: what follows works in place."""
        return second.clone()


class PlainAdam(_UniformlyScaledAdam):
    """Adam, to within rounding; `torch.optim.Adam` loads torch's compiler at its first step, which takes a second.

    Parameters
    ----------
    params, lr, betas, eps
        As in `UniformAdam`.
    """

    _squares = staticmethod(torch.square)
    _scale = staticmethod(torch.clone)


@torch.no_grad()
def carry_state(optimizer: torch.optim.Optimizer, old: Tensor, new: Tensor, transfer: Transfer) -> None:
    """Put `new` in the place of the parameter `old`, with the optimiser's state carried over to its vertices.

    For remeshing: momentum and step sizes go on rather than start from nothing. Works with any torch
    optimiser whose state for a parameter of V rows consists of tensors of V rows (these are carried) and of
    others (kept).

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Changed in place; the parameter's group keeps its settings.
    old : (V, ...) tensor
        One of its parameters.
    new : (N, ...) tensor
        A leaf; becomes one that requires gradients.
    transfer : (N, V) sparse or dense float tensor, (N,) integer tensor, or callable
        Weights of interpolation, or the old vertex of each new one, or a function from (V, ...) to (N, ...).

    Raises
    ------
    ValueError
        `old` is not a parameter of the optimiser, `new` is not a leaf, or the transfer gives another number
        of rows.
    """
    place = next(
        (
            (group["params"], i)
            for group in optimizer.param_groups
            for i, p in enumerate(group["params"])
            if p is old
        ),
        None,
    )
    if place is None:
        raise ValueError("old: expected a parameter of the optimizer, got a tensor that it does not hold")
    if not new.is_leaf:
        raise ValueError("new: expected a leaf tensor, got the result of an operation; detach it first")
    state = optimizer.state.get(old, {})
    carried = {name: _carry(name, value, old, new, transfer) for name, value in state.items()}
    optimizer.state.pop(old, None)  # only now, when nothing can fail any more
    if carried:
        optimizer.state[new] = carried
    place[0][place[1]] = new.requires_grad_()


def _carry(name: str, value: Any, old: Tensor, new: Tensor, transfer: Transfer) -> Any:
    """One entry of the state: carried over if it has a row per vertex, else as it is."""
    if not isinstance(value, Tensor) or value.ndim == 0 or value.shape[0] != old.shape[0]:
        return value
    if not isinstance(transfer, Tensor):
        result = transfer(value)
    elif not transfer.is_floating_point():
        result = value[transfer.long()]
    else:
        result = (transfer.to(value.dtype) @ value.reshape(len(value), -1)).reshape(-1, *value.shape[1:])
    if result.shape != (new.shape[0], *value.shape[1:]):
        raise ValueError(
            f"transfer: expected {name} of shape {(len(new), *value.shape[1:])} from {tuple(value.shape)}, "
            f"got {tuple(result.shape)}"
        )
    result = result.to(dtype=value.dtype, device=new.device)
    # Interpolation with negative weights may make a mean of squares negative, and its root not a number.
    return result.clamp(min=0) if name in _SECOND_MOMENTS else result.clone()


# A view is seen at every fifth step or so: a shorter memory than that of what every step sees.
BETAS = 0.9, 0.99


class RowAdam:
    """Moments of each row, which grow older only in steps that see the row; one step size for all entries of a row.

    ::

        m <- b1 m + (1 - b1) g        s <- b2 s + (1 - b2) |g|²        direction = M / sqrt(S)

    with M and S corrected for the row's own number of steps. Plain Adam would go on moving the rows that a step does
    not see.

    Parameters
    ----------
    rows, size : int
        Of the table.
    device : torch.device, optional
    """

    def __init__(self, rows: int, size: int, *, device: torch.device | str | None = None) -> None:
        self.first = torch.zeros(rows, size, device=device, dtype=torch.float64)
        self.second = torch.zeros(rows, device=device, dtype=torch.float64)
        self.steps = torch.zeros(rows, device=device, dtype=torch.float64)

    @torch.no_grad()
    def direction(self, gradient: Float[Tensor, "B K"], index: Int[Tensor, " B"]) -> Float[Tensor, "B K"]:
        """Where to go from some rows, each of them once; about of length 1 where gradients agree from step to step."""
        gradient = gradient.to(self.first)
        steps = self.steps[index] + 1
        first = BETAS[0] * self.first[index] + (1 - BETAS[0]) * gradient
        second = BETAS[1] * self.second[index] + (1 - BETAS[1]) * gradient.square().sum(1)
        self.steps[index], self.first[index], self.second[index] = steps, first, second
        scale = (second / (1 - BETAS[1] ** steps)).sqrt() + 1e-30
        return first / ((1 - BETAS[0] ** steps) * scale)[:, None]

    def state_dict(self) -> dict[str, Any]:
        """The moments."""
        return {"first": self.first, "second": self.second, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        for name in ("first", "second", "steps"):
            getattr(self, name).copy_(state[name])
