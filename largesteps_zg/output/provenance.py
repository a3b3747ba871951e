"""What made a result: versions, device, memory."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import torch

from .._version import __version__

PACKAGES = ("torch", "warp-lang", "cholespy", "gpytoolbox", "trimesh", "pycolmap", "xatlas", "numpy", "scipy")


def versions() -> dict[str, str]:
    """Of this package, Python and what the result depends on."""
    found = {"largesteps_zg": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def device_name(device: torch.device) -> str:
    """The GPU's, or how many threads of the CPU are used."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({torch.get_num_threads()} threads)"


def peak_cuda_memory_mib(device: torch.device) -> int | None:
    """Most that PyTorch has held on the GPU so far; None on the CPU."""
    return round(torch.cuda.max_memory_allocated(device) / 2**20) if device.type == "cuda" else None


def peak_memory_mib() -> int | None:
    """Largest resident set of this process so far; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB on Linux, bytes on macOS
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))
