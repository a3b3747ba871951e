"""Kernels of Warp around bodies in C++, each from one table of its arguments.

The bodies are C++ in Warp's native functions, because the code that Warp makes of Python is half as fast on the CPU.
Warp reads the source text of whatever calls them, so a kernel by hand would name all arguments three times.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any

import torch
import warp as wp

from .warp_launch import load


def arrays(kind: Any) -> Any:
    """The type of an argument that is an array of a kind of numbers."""
    return wp.array(dtype=kind)


BYTES, INTS, INT64S, KEYS = arrays(wp.uint8), arrays(int), arrays(wp.int64), arrays(wp.uint64)
FLOATS, TRIPLES = arrays(wp.float32), arrays(wp.vec3i)


FUSED = "\n#if !defined(__CUDA_ARCH__)\n#pragma clang fp contract(fast)\n#endif\n    "


class KernelModule:
    """Kernels without derivatives for one floating-point type, which Warp compiles together.

    Parameters
    ----------
    name : str
        Of the module; the type's name is added to it.
    dtype : torch.dtype
        float32 or float64: `real` in the bodies, where `vec3` is three of them.
    contract : bool
        Whether the compiler may make one operation of a product and a sum.
    """

    def __init__(self, name: str, dtype: torch.dtype, *, contract: bool = True) -> None:
        self._contract = contract
        self.real: Any = {torch.float32: wp.float32, torch.float64: wp.float64}[dtype]
        self.vec3: Any = wp.types.vector(3, self.real)
        self.reals, self.vec3s = arrays(self.real), arrays(self.vec3)
        self.name = f"{name}.{self.real.__name__}"
        self.module = wp.get_module(self.name)
        if not contract:
            self.module.options["fuse_fp"] = False
        self._kernels: dict[str, Any] = {}

    def native(self, name: str, body: str, **arguments: Any) -> Any:
        """A function for kernels, of a body in C++ and the types of its arguments."""
        # Warp's compiler for the CPU makes no such operation unless it is told to, and only at a body's start.
        types = FUSED if self._contract else ""
        types += f"using real = wp::{self.real.__name__};\n    using vec3 = wp::vec_t<3, real>;"
        return wp.func_native(types + body)(self._written(name, "...", arguments, {}))

    def kernel(self, function: Any) -> Any:
        """Add a kernel, of a function in Warp's own language; a decorator."""
        made = wp.kernel(function, module=self.module, enable_backward=False)
        self._kernels[function.__name__] = made
        return made

    def items(self, name: str, body: str, **arguments: Any) -> Any:
        """Add a kernel for `launch_items`, whose body in C++ takes the items [first, last)."""
        take = "first = begin + wp.tid() * block\n    takes(first, first + block, {})"
        return self._taking(name, body, take, arguments, arguments)

    def items_of_views(self, name: str, body: str, **arguments: Any) -> Any:
        """Likewise, but its thread (v, i) takes block i of the items of a view, which is number `begin` + v."""
        take = "v, i = wp.tid()\n    takes(i * block, i * block + block, begin + v, {})"
        return self._taking(name, body, take, {"view": int, **arguments}, arguments)

    def finished(self) -> SimpleNamespace:
        """The kernels by their names, beside `module`, `real` and `vec3`."""
        return SimpleNamespace(module=self.module, real=self.real, vec3=self.vec3, **self._kernels)

    def _taking(
        self, name: str, body: str, take: str, inner: Mapping[str, Any], outer: Mapping[str, Any]
    ) -> Any:
        """A kernel that hands its own arguments on to a function of a body in C++."""
        known = {"wp": wp, "takes": self.native(f"{name}_items", body, first=int, last=int, **inner)}
        arguments = {"begin": int, "block": int, **outer}
        return self.kernel(self._written(name, take.format(", ".join(outer)), arguments, known))

    def _written(self, name: str, code: str, arguments: Mapping[str, Any], known: dict[str, Any]) -> Any:
        """A Python function whose source text is found where Warp looks for it."""
        source = f"def {name}({', '.join(arguments)}):\n    {code}\n"
        file = f"<{self.name}.{name}>"
        linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
        scope = {"__name__": self.name, **known}
        exec(compile(source, file, "exec"), scope)
        scope[name].__annotations__ = dict(arguments)
        return scope[name]


def compiled(
    build: Callable[[torch.dtype], SimpleNamespace],
) -> Callable[[torch.dtype, torch.device], SimpleNamespace]:
    """What finds the kernels of a type, ready for a device before several threads would compile them at once.

    To compile takes a few seconds; later processes find the result in Warp's cache on disk.
    """
    built = cache(build)

    @cache
    def kernels_for(dtype: torch.dtype, device: torch.device) -> SimpleNamespace:
        kernels = built(dtype)
        load(kernels.module, device)
        return kernels

    return kernels_for
