"""A start mesh's other numbers, and whether it lies where the masks are: through a run into what it writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from largesteps_zg.cli.main import main
from largesteps_zg.mesh import Mesh, icosphere, save_mesh
from largesteps_zg.output import evaluate
from largesteps_zg.output.evaluate import mesh_report
from largesteps_zg.output.run_files import RunFiles
from largesteps_zg.scenes import save_scene
from largesteps_zg.scenes.synthetic import scene_from_mesh

RADIUS = 3.0


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a ball."""
    folder = tmp_path_factory.mktemp("scenes") / "ball"
    save_scene(
        folder, scene_from_mesh(icosphere(3, radius=RADIUS), views=5, test_views=0, height=40, width=40)
    )
    return folder


def run_on(scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> Path:
    """Two steps from ball.ply, without pictures; the folder."""
    monkeypatch.setattr(RunFiles, "draw", lambda *_: None)
    monkeypatch.setattr(evaluate, "mesh_report", lambda mesh, _: mesh_report(mesh, None))
    given = [
        "--init",
        tmp_path / "ball.ply",
        "--output",
        tmp_path / "out",
        "--steps",
        2,
        "--views-per-step",
        2,
    ]
    assert main(["reconstruct", *map(str, (scene, *given, *options))]) == 0
    return tmp_path / "out"


def notes_of(out: Path) -> list[str]:
    return json.loads((out / "run.json").read_text())["start"]


def labelled(path: Path, *, split: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """A PLY of a ball with a number at each vertex and each face; with `split`, one vertex of it stands there twice."""
    ball = icosphere(3, radius=0.8 * RADIUS)
    vertices, faces = ball.vertices.double().numpy(), ball.faces.numpy().copy()
    if split:
        vertices = np.concatenate([vertices, vertices[:1]])
        faces[np.flatnonzero((faces == 0).any(1))[0]] = np.where(
            (row := faces[(faces == 0).any(1)][0]) == 0, len(vertices) - 1, row
        )
    part = trimesh.Trimesh(vertices, faces, process=False)
    label, material = (
        np.arange(len(vertices), dtype=np.int32) % 7,
        np.arange(len(faces), dtype=np.float32) / 8,
    )
    part.vertex_attributes["label"], part.face_attributes["material"] = label, material
    part.export(path)
    return label, material


def attributes_of(path: Path) -> dict[str, np.ndarray]:
    raw = trimesh.load(path, process=False).metadata["_ply_raw"]
    return {name: raw[of]["data"][name] for of in ("vertex", "face") for name in raw[of]["data"].dtype.names}


@pytest.mark.slow
def test_attributes_of_vertices_and_faces_are_kept_where_those_are(
    scene: Path, tmp_path: Path, monkeypatch
) -> None:
    label, material = labelled(tmp_path / "ball.ply")
    out = run_on(scene, tmp_path, monkeypatch, "--remesh", "off")
    found = attributes_of(out / "mesh.ply")
    assert (found["label"] == label).all() and (found["material"] == material).all()
    assert not any("label" in note for note in notes_of(out))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("split", "reason"), [(False, "lost in remeshing; --remesh off keeps"), (True, "left out")]
)
def test_attributes_that_cannot_be_kept_are_named(
    scene: Path, tmp_path: Path, monkeypatch, split: bool, reason: str
) -> None:
    labelled(tmp_path / "ball.ply", split=split)
    out = run_on(scene, tmp_path, monkeypatch, "--remesh", "off" if split else "1")
    notes = notes_of(out)
    assert any(reason in note and "label, material" in note for note in notes), notes
    assert not {"label", "material"} & set(attributes_of(out / "mesh.ply"))


@pytest.mark.slow
def test_a_start_beside_the_masks_is_told(scene: Path, tmp_path: Path, monkeypatch) -> None:
    stick = icosphere(3)
    for turned in (False, True):
        size = torch.tensor([0.25, 0.25, 2.5] if turned else [0.8, 0.8, 0.8])
        save_mesh(tmp_path / "ball.ply", Mesh(RADIUS * size * stick.vertices, stick.faces))
        out = run_on(scene, tmp_path, monkeypatch, "--remesh", "off")
        notes = notes_of(out)
        assert any("outlines and the masks overlap by" in note for note in notes) == turned
        shutil.rmtree(out)
