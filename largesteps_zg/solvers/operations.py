"""Solves and products as operations of torch's dispatcher.

`torch.func.linearize` writes down which operations a function calls, and ``jacobian(vectorize=True)`` calls them for
many right-hand sides at once. Native code is none of torch's operations: the first would keep memory that nothing has
filled, the second fails. So each is one operation, which knows its solver or matrix by a number.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch import library as registry
from torch.utils.weak import WeakIdKeyDictionary

_numbers = itertools.count()
_keys: WeakIdKeyDictionary = WeakIdKeyDictionary()
_owners: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


def _key(owner: Any) -> int:
    """The number of a solver or a matrix, as long as that is alive; no other gets the same later."""
    if owner not in _keys:
        _keys[owner] = next(_numbers)
        _owners[_keys[owner]] = owner
    return _keys[owner]


def _owner(key: int) -> Any:
    owner = _owners.get(key)
    if owner is None:
        raise RuntimeError(
            "the matrix or solver of a traced function is gone; keep it as long as the function"
        )
    return owner


def _solve(key: int, b: Tensor, backward: bool) -> Tensor:
    return _result(_owner(key), b, backward)


def _result(solver: Any, b: Tensor, backward: bool) -> Tensor:
    x: Tensor = solver.solve(b, backward=backward)
    # Nobody may write into a view that an operation returns, and it may not return what it was given.
    return x.clone() if x is b or x._is_view() else x


def _product(key: int, v: Tensor, transposed: bool) -> Tensor:
    matrix = _owner(key)
    matrix = matrix.t() if transposed else matrix
    if v.ndim <= 2:
        return matrix @ v
    columns = matrix @ v.movedim(-2, 0).reshape(matrix.shape[1], -1)
    return columns.reshape(v.shape[-2], *v.shape[:-2], v.shape[-1]).movedim(0, -2).contiguous()


def _shape(key: int, given: Tensor, flag: bool) -> Tensor:
    """What tracers ask for: a result without values."""
    return torch.empty_like(given, memory_format=torch.contiguous_format)


def batched_axis(given: Tensor, axis: int) -> tuple[Tensor, int]:
    """A batch of right-hand sides as one, and its axis: vectors become columns, others get an axis in front."""
    to = -1 if given.ndim == 2 else 0
    return given.movedim(axis, to), to % given.ndim


def _register(
    name: str, work: Callable[[int, Tensor, bool], Tensor], opposite: Callable[[bool], bool]
) -> None:
    """Make an operation; `opposite` gives the flag of its adjoint."""
    _operations.define(f"{name}(int key, Tensor given, bool flag) -> Tensor")
    _operations.impl(name, work, "CompositeExplicitAutograd")
    _operations.impl(name, _shape, "Meta")
    operation, full = getattr(torch.ops.largesteps_zg, name), f"largesteps_zg::{name}"

    def together(info: Any, axes: tuple[Any, ...], key: int, given: Tensor, flag: bool) -> tuple[Tensor, int]:
        right, axis = batched_axis(given, axes[1])
        return operation(key, right, flag), axis

    # PyTorch 2.5 has it; before, torch takes one right-hand side after the other.
    if hasattr(registry, "register_vmap"):
        registry.register_vmap(full, together, lib=_operations)

    # Traced functions have the operation alone, without the autograd.Function around it.
    def kept(ctx: Any, inputs: tuple[int, Tensor, bool], output: Tensor) -> None:
        ctx.key, _, ctx.flag = inputs

    def adjoint(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, None]:
        return None, operation(ctx.key, gradient, opposite(ctx.flag)), None

    if hasattr(registry, "register_autograd"):  # from 2.4 on
        registry.register_autograd(full, adjoint, setup_context=kept, lib=_operations)


_operations = registry.Library("largesteps_zg", "DEF")  # alive as long as the module
_register("solve", _solve, lambda backward: True)
_register("product", _product, lambda transposed: not transposed)


def solved(solver: Any, b: Tensor, backward: bool) -> Tensor:
    """``solver.solve(b, backward)`` as an operation; not recorded by autograd."""
    if not hasattr(solver, "__weakref__"):  # somebody's own, with __slots__: called as it is
        return _result(solver, b, backward)
    return torch.ops.largesteps_zg.solve(_key(solver), b, backward)


def multiplied(matrix: Tensor, v: Tensor, transposed: bool) -> Tensor:
    """``matrix @ v`` for all shapes of v, or with the transpose, as an operation; not recorded by autograd."""
    return torch.ops.largesteps_zg.product(_key(matrix), v, transposed)
