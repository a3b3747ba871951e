"""Pictures of digits: scikit-learn's, which come with the package, or the user's MNIST."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

VARIABLE = "MNIST"  # a folder with train-images-idx3-ubyte, or t10k-images-idx3-ubyte, with .gz or without


def digits(size: int) -> Tensor:
    """Pictures (N, size, size) in [0, 1], bright on dark.

    Raises
    ------
    ImportError
        scikit-learn is not installed.
    ValueError
        The folder named by the variable MNIST has no images.
    """
    folder = os.environ.get(VARIABLE)
    pictures = _packaged() if folder is None else _idx(Path(folder).expanduser())
    return functional.interpolate(pictures[:, None], (size, size), mode="bilinear", antialias=True)[:, 0]


def _packaged() -> Tensor:
    """1,797 pictures of 8 x 8."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(f'digits: {error}; run: pip install "largesteps_zg[papers]"') from error
    return torch.from_numpy(load_digits().images).float() / 16


def _idx(folder: Path) -> Tensor:
    """MNIST's own files: a header of four big-endian numbers, then bytes."""
    found = sorted(folder.glob("*-images-idx3-ubyte*"), key=lambda path: "train" not in path.name)
    if not found:
        raise ValueError(f"{VARIABLE}: expected a folder with train-images-idx3-ubyte[.gz], got {folder}")
    data = found[0].read_bytes()
    if found[0].suffix == ".gz":
        data = gzip.decompress(data)
    _, count, height, width = np.frombuffer(data, ">i4", 4)
    pixels = np.frombuffer(data, np.uint8, offset=16).reshape(count, height, width)
    return torch.from_numpy(pixels.astype(np.float32) / 255)
