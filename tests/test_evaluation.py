"""Figures of merit against loops, SciPy, spheres and planes whose distances are known."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from scipy.io import savemat
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from largesteps_zg.cli.main import main
from largesteps_zg.evaluation import (
    Observation,
    Reference,
    accuracy,
    completeness,
    dtu_distances,
    evaluate,
    mean_below,
    points_to_mesh,
    read_observation,
    read_reference,
    spread,
    thinned,
)
from largesteps_zg.evaluation.reference import is_scene
from largesteps_zg.mesh import Mesh, icosphere, save_mesh


def plate(side: float = 10.0, z: float = 0.0) -> Mesh:
    """A horizontal square around the z axis."""
    h = side / 2
    corners = torch.tensor([[-h, -h, z], [h, -h, z], [h, h, z], [-h, h, z]], dtype=torch.float64)
    return Mesh(corners, torch.tensor([[0, 1, 2], [0, 2, 3]]))


def grid(side: float, step: float, z: float = 0.0) -> np.ndarray:
    """Points of a scan of a plate."""
    line = np.arange(-side / 2 + step / 2, side / 2, step)
    x, y = np.meshgrid(line, line)
    return np.stack([x.ravel(), y.ravel(), np.full(x.size, z)], axis=1)


def test_thinning_is_that_of_one_point_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(1).random((400, 3)) * (1, 1, 0.1)
    order = torch.randperm(400, generator=torch.Generator().manual_seed(3)).tolist()
    apart = cdist(points, points)
    wanted = np.zeros(400, dtype=bool)
    for index in order:  # the rule itself, in a loop
        if not (wanted & (apart[index] <= 0.15)).any():
            wanted[index] = True
    for block in (1_000_000, 64):  # in one go, and in blocks
        monkeypatch.setattr("largesteps_zg.evaluation.thinning.BLOCK", block)
        found = thinned(points, 0.15, generator=torch.Generator().manual_seed(3))
        np.testing.assert_array_equal(found, wanted)
    assert 20 < wanted.sum() < 200


def test_figures_by_hand() -> None:
    distances = np.array([0.0, 1.0, 2.0, 3.0, 30.0])
    assert accuracy(distances, 0.8) == 3.0 and accuracy(distances, 0.81) == 30.0
    assert completeness(distances, 2.0) == 0.6
    assert mean_below(distances, 20.0) == 1.5 and math.isnan(mean_below(distances, 0.0))
    found = spread(distances, 1.0)
    assert (found.count, found.mean, found.median, found.within) == (5, 7.2, 2.0, 0.4)


def test_spheres_that_are_a_tenth_apart() -> None:
    ball, larger = icosphere(5), icosphere(5, radius=1.1)
    found = evaluate(larger, Reference("ball", mesh=ball), tau=0.2)
    assert found.chamfer == pytest.approx(0.1, rel=1e-2)
    assert found.accuracy == pytest.approx(0.1, rel=1e-2)
    assert (found.precision, found.recall, found.f_score) == (1, 1, 1)
    assert found.normal_consistency is not None and found.normal_consistency > 0.999
    nothing = evaluate(larger, Reference("ball", mesh=ball), tau=0.09)
    assert (nothing.f_score, nothing.completeness) == (0, 0)


def test_a_plate_above_half_a_scan() -> None:
    # The scan is [-5, 5]^2 at z = 0, every 0.1; the mesh covers [-2.5, 2.5]^2 at z = 0.3.
    scan = grid(10, 0.1)
    found = evaluate(plate(5, 0.3), Reference("scan", points=scan), tau=0.5, unit="mm")
    outside = np.maximum(np.abs(scan[:, :2]) - 2.5, 0)
    exact = np.sqrt(0.09 + (outside**2).sum(1))  # point to rectangle, by hand
    np.testing.assert_allclose(found.distances, exact, atol=1e-9)
    assert found.recall == pytest.approx((exact <= 0.5).mean())
    assert found.completeness == pytest.approx((exact <= 1.25).mean())
    assert found.to_reference is not None and 0.3 <= found.to_reference.mean < math.hypot(0.3, 0.071)
    metres = evaluate(plate(5, 0.3), Reference("scan", points=scan), tau=0.5, unit="m")
    assert metres.completeness == 0 and metres.completeness_within == pytest.approx(0.00125)


def test_dtu_is_in_millimetres() -> None:
    found = evaluate(plate(5, 0.3), Reference("scan", points=grid(10, 0.1)), tau=0.5, dtu=True)
    assert found.completeness_within == 1.25 and found.dtu is not None
    for unit, reference in (("m", Reference("s", points=grid(10, 1))), (None, Reference("m", mesh=plate()))):
        with pytest.raises(ValueError, match=r"DTU|dtu"):
            evaluate(plate(), reference, unit=unit, dtu=True)


def test_sparse_points_are_measured_one_way() -> None:
    points = grid(4, 0.5, z=1.0)
    found = evaluate(plate(), Reference("features", points=points, sparse=True), tau=0.5)
    assert found.from_reference.median == pytest.approx(1.0) and found.from_reference.within == 0
    assert found.to_reference is None and found.chamfer is None and found.f_score is None


def test_the_same_seed_gives_the_same_numbers() -> None:
    reference = Reference("scan", points=grid(10, 0.2))
    first, again, other = (evaluate(plate(9, 0.1), reference, seed=seed) for seed in (0, 0, 1))
    assert first.to_reference == again.to_reference != other.to_reference


@pytest.mark.parametrize("masked", [False, True])
def test_dtu_by_a_loop(masked: bool) -> None:
    # A plate at 1 mm, and a far one, 25 mm away and half of the surface, that the cut leaves out.
    near, far = plate(6, 1.0), plate(6, 25.0)
    mesh = Mesh(torch.cat([near.vertices, far.vertices]), torch.cat([near.faces, far.faces + 4]))
    scan = np.concatenate([grid(6, 0.25), grid(6, 0.25, z=-40.0)])
    # Voxels of 1 mm: x from -3 to 3, of which the mask has those up to -1; the plane leaves out what is below z = -10.
    mask = np.zeros((7, 7, 40), dtype=bool)
    mask[:3] = True
    seen = Observation(mask, np.array([[-3.0, -3, -3], [3, 3, 36]]), 1.0, np.array([0.0, 0, 1, 10]))
    found = dtu_distances(mesh, scan, seen if masked else None)
    # 0.2 mm apart: sqrt(1 + 0.1^2) at most but for gaps.
    assert found.completeness == pytest.approx(1.0, abs=0.02)
    assert found.missing == (0 if masked else 0.5)
    assert found.outliers == pytest.approx(0.5, abs=0.02)
    line = np.linspace(-3, -0.5, 800) if masked else np.linspace(-3, 3, 800)
    x, y = np.meshgrid(line, np.linspace(-3, 3, 800))
    rest = [np.abs(v - (np.round((v + 2.875) / 0.25) * 0.25 - 2.875)) for v in (x.clip(-3, 3), y)]
    exact = np.sqrt(1 + rest[0] ** 2 + rest[1] ** 2).mean()
    assert found.accuracy == pytest.approx(exact, abs=2e-3)
    assert found.chamfer == (found.accuracy + found.completeness) / 2


def test_official_files_as_documented(tmp_path: Path, unchecked) -> None:
    mask = np.zeros((3, 4, 5), dtype=np.uint8)
    mask[1, 2, 3] = 1
    folder = tmp_path / "ObsMask"
    folder.mkdir()
    box = np.array([[10.0, 20, 30], [30, 50, 70]])
    savemat(folder / "ObsMask24_10.mat", {"ObsMask": mask, "BB": box, "Res": 10.0, "Margin": 10})
    savemat(folder / "Plane24.mat", {"P": np.array([[0.0], [0], [1], [-35]])})
    found = read_observation(tmp_path, 24)
    # The voxel's middle is (20, 40, 60): 10 + 1 * 10, 20 + 2 * 10, 30 + 3 * 10.
    points = np.array([[20.0, 40, 60], [24.9, 44.9, 55.1], [25.1, 40, 60], [-100, 0, 0], [90, 0, 0.0]])
    assert found.observed(points).tolist() == [True, True, False, False, False]
    assert found.above_table(points).tolist() == [True, True, True, False, False]
    assert found.nearby(np.array([[-50.0, 20, 30], [-50.1, 20, 30], [149, 20, 30], [150, 20, 30]])).tolist() == [
        True, False, True, False
    ]  # fmt: skip
    with pytest.raises(FileNotFoundError, match="ObsMask65_10"):
        read_observation(tmp_path, 65)
    savemat(folder / "Plane24.mat", {"Q": np.zeros(4)})
    with pytest.raises(ValueError, match="it has no P"):
        read_observation(tmp_path, 24)
    (folder / "ObsMask24_10.mat").write_bytes(b"MATLAB 5.0 and no more")
    with pytest.raises(ValueError, match="not a readable"):
        read_observation(tmp_path, 24)


def colmap_binary(points: np.ndarray) -> bytes:
    rows = [
        struct.pack("<Q3d3BdQ", i, *p, 1, 2, 3, 0.5, 2) + struct.pack("<4i", 1, 2, 3, 4)
        for i, p in enumerate(points.tolist())
    ]
    return struct.pack("<Q", len(points)) + b"".join(rows)


def test_points_of_all_kinds_are_the_same_points(tmp_path: Path) -> None:
    points = np.random.default_rng(0).random((5, 3)).astype(np.float32).astype(np.float64)
    lines = [" ".join(map(repr, p)) for p in points.tolist()]
    np.savez(tmp_path / "a.npz", xyz=points)
    np.savez(tmp_path / "t.npz", xyz=points, track=np.ones(5))
    np.save(tmp_path / "a.npy", points)
    (tmp_path / "a.xyz").write_text("# made by hand\n" + "\n".join(f"{line} 255 0 0" for line in lines))
    (tmp_path / "a.csv").write_text("x,y,z\n" + "\n".join(line.replace(" ", ",") for line in lines))
    (tmp_path / "a.pts").write_text("5\n" + "\n".join(lines) + "\n")
    header = "ply\nformat ascii 1.0\nelement vertex 5\n" + "".join(f"property double {a}\n" for a in "xyz")
    (tmp_path / "a.ply").write_text(header + "end_header\n" + "\n".join(lines) + "\n")
    (tmp_path / "points3D.bin").write_bytes(colmap_binary(points))
    (tmp_path / "points3D.txt").write_text(
        "# id\n" + "\n".join(f"{i} {p} 1 2 3 0.5 1 2" for i, p in enumerate(lines))
    )
    for file in sorted(tmp_path.iterdir()):
        found = read_reference(file)
        np.testing.assert_array_equal(found.points, points, err_msg=file.name)
        assert found.sparse == (file.stem in ("points3D", "t")), file.name
        assert not is_scene(file)
    save_mesh(tmp_path / "ball.ply", icosphere(1))
    assert read_reference(tmp_path / "ball.ply").mesh is not None


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.xyz", b"1 2\n", "expected x y z in each line"),
        ("a.xyz", b"", "at least one point"),
        ("a.xyz", b"1 2 3\n1 nan 3\n", "finite"),
        ("a.npy", b"no numpy", "not readable"),
        ("a.npz", b"PK", "not readable"),
        ("points3D.bin", struct.pack("<Q", 9) + b"123", "announces"),
        ("points3D.bin", colmap_binary(np.ones((2, 3)))[:-3], "expected"),
        ("a.ply", b"ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nend_header\n1\n2\n", "x, y and z"),
        ("a.laz", b"?", "suffix '.laz'"),
    ],
)  # fmt: skip
def test_what_holds_no_points_is_one_line_and_two(
    name: str, content: bytes, says: str, tmp_path, capsys
) -> None:
    (tmp_path / name).write_bytes(content)
    save_mesh(tmp_path / "ball.ply", icosphere(1))
    status = main(["evaluate", str(tmp_path / "ball.ply"), "--reference", str(tmp_path / name)])
    told = capsys.readouterr().err
    assert status == 2 and told.count("\n") == 1 and says in told and name in told


@pytest.mark.slow
def test_the_command_prints_and_writes(tmp_path: Path, capsys) -> None:
    save_mesh(tmp_path / "ball.ply", icosphere(4, radius=101.0))
    points = icosphere(5, radius=100.0).vertices.double().numpy()
    np.save(tmp_path / "stl024_total.npy", points)
    out = tmp_path / "out"
    command = ["evaluate", str(tmp_path / "ball.ply"), "--reference", str(tmp_path / "stl024_total.npy")]
    assert main([*command, "--tau", "5", "--unit", "mm", "--output", str(out)]) == 0
    told = capsys.readouterr().out
    assert "F-score   1.0000 at 5 mm" in told and "Chamfer" in told
    content = json.loads((out / "evaluation.json").read_text())
    ball = icosphere(4, radius=101.0)
    some = trimesh.sample.sample_surface(trimesh.Trimesh(ball.vertices, ball.faces), 20_000, seed=1)[0]
    exact = cKDTree(points).query(some)[0]
    assert content["to_reference"]["mean"] == pytest.approx(exact.mean(), rel=0.02)
    assert content["from_reference"]["mean"] == pytest.approx(1.0, abs=0.15)
    assert Image.open(out / "evaluation.png").width > 900
    assert main([*command, "--output", str(out)]) == 0  # what it left is no scene's photograph
    assert main([*command, "--dtu", str(tmp_path)]) == 2
    assert "ObsMask24_10.mat" in capsys.readouterr().err


def test_points_to_a_mesh_is_exact() -> None:
    ball, points = icosphere(3), np.random.default_rng(2).normal(size=(50, 3))
    _, oracle, _ = trimesh.proximity.closest_point_naive(trimesh.Trimesh(ball.vertices, ball.faces), points)
    np.testing.assert_allclose(points_to_mesh(points, ball), oracle, atol=1e-6)
