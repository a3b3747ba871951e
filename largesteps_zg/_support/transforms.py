"""Whether a tensor's numbers are in memory, or it stands for something that only torch's own operations can follow."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import forward_ad


def is_plain(*tensors: Tensor) -> bool:
    """False inside `torch.func` (vmap, jvp, hessian), forward derivatives, batched gradients and `torch.compile`."""
    if torch.compiler.is_compiling():
        return False
    kinds = torch._C._functorch
    if any(kinds.is_functorch_wrapped_tensor(t) or kinds.is_legacy_batchedtensor(t) for t in tensors):
        return False
    return not any(forward_ad.unpack_dual(t).tangent is not None for t in tensors)
