"""What is of NumPy or of another type is taken, or named in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from largesteps_zg.estimators import SPSA, Smoothed
from largesteps_zg.mesh import Mesh, icosphere, save_mesh
from largesteps_zg.mesh.remeshing import remesh


def test_arrays_in_place_of_tensors_are_named(tmp_path: Path, unchecked: None) -> None:
    """The cure names the argument alone, not the file or the function before it."""
    ball = icosphere(1)
    vertices, faces = ball.vertices.numpy(), ball.faces.numpy()
    for call, start, cure in (
        (lambda: remesh(vertices, ball.faces, 0.3), "remesh: vertices", "torch.from_numpy(vertices)"),
        (lambda: remesh(ball.vertices, faces, 0.3), "remesh: faces", "torch.from_numpy(faces)"),
        (
            lambda: save_mesh(tmp_path / "a.ply", Mesh(vertices, faces)),
            f"{tmp_path / 'a.ply'}: vertices",
            "(vertices)",
        ),
        (lambda: SPSA().estimate(torch.sum, np.ones(3)), "parameters", "torch.from_numpy(parameters)"),
        (lambda: Smoothed().estimate(torch.sum, (torch.ones(2), np.ones(3))), "parameters", "(parameters)"),
        (lambda: Smoothed().estimate(torch.sum, [1.0]), "parameters", "torch.as_tensor(parameters)"),
    ):
        with pytest.raises(ValueError) as caught:
            call()
        message = str(caught.value)
        assert message.startswith(f"{start}: expected a tensor, got "), message
        assert message.endswith(f"{cure}") and "\n" not in message, message


def test_subdivisions_of_other_types(unchecked: None) -> None:
    for one in (1, 1.0, np.int64(1), np.float32(1), np.array(1), torch.tensor(1)):
        assert icosphere(one).faces.shape == (80, 3)
    for wrong in (1.5, "1", None, -1, 10, float("nan"), True, np.ones(2)):
        with pytest.raises(ValueError, match=r"^subdivisions: expected an integer in"):
            icosphere(wrong)
