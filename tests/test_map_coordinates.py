"""Scenes on a map (UTM): a million times farther from the origin than they are large; nothing is rounded to 32 bits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from format_files import MIDDLE, worst_miss, write_transforms
from scene_files import ring, views_of_spheres

from largesteps_zg.mesh import Mesh, icosphere, load_mesh, save_mesh
from largesteps_zg.mesh.file_parts import Attributes
from largesteps_zg.mesh.mesh import lies_far
from largesteps_zg.output.export import save_glb, save_obj
from largesteps_zg.reconstruct.starts import silhouette_overlap, start_from_file
from largesteps_zg.scenes import Reading, Scene, Views, bounding_sphere, load_scene, save_scene
from largesteps_zg.scenes.describe import describe
from largesteps_zg.scenes.sanity import check_views

UTM = torch.tensor([412345.25, 4980765.75, 312.5], dtype=torch.float64)
BALL = icosphere(3, radius=0.5, dtype=torch.float64)
FAR = Mesh(BALL.vertices + UTM, BALL.faces, torch.rand(642, 3, generator=torch.Generator().manual_seed(1)))


def corners(mesh: Mesh) -> torch.Tensor:
    """Positions of the triangles' corners: writers may reorder vertices."""
    return mesh.vertices[mesh.faces]


@pytest.mark.parametrize("name", ["a.ply", "a.obj", "a.glb", "a.stl", "export.obj", "export.glb"])
def test_every_file_holds_positions_to_a_millionth_of_the_mesh(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "export.obj":
        save_obj(path, FAR)
    elif name == "export.glb":
        save_glb(path, FAR, up=torch.tensor([0.0, 1.0, 0.0]))
    else:
        save_mesh(path, FAR)
    back = load_mesh(path, dtype=torch.float64)
    assert float((corners(back) - corners(FAR)).abs().max()) < 1e-6
    if not name.endswith(".stl"):
        assert back.colors is not None and float((back.colors - FAR.colors).abs().max()) < 0.01


def test_a_mesh_near_the_origin_is_written_in_32_bits(tmp_path: Path) -> None:
    labels = np.arange(642, dtype=np.uint8) % 7
    pairs = np.stack([np.arange(1280), np.arange(1280)], axis=1).astype(np.float64)
    save_mesh(tmp_path / "near.ply", BALL, attributes=Attributes({"label": labels}, {"pair": pairs}))
    header = (tmp_path / "near.ply").read_bytes().split(b"end_header")[0]
    assert b"property float x" in header and b"double x" not in header and b"list uchar double pair" in header
    part = trimesh.load(tmp_path / "near.ply", process=False)  # an independent reader
    np.testing.assert_allclose(part.vertices, BALL.vertices.numpy(), atol=1e-7)
    raw = part.metadata["_ply_raw"]
    np.testing.assert_array_equal(raw["vertex"]["data"]["label"], labels)
    save_mesh(tmp_path / "far.ply", FAR)
    assert b"property double x" in (tmp_path / "far.ply").read_bytes()
    assert lies_far(FAR.vertices) and not lies_far(BALL.vertices)
    assert not lies_far(BALL.vertices + torch.tensor([30.0, 0, 0]))


def test_cameras_on_a_map_are_not_in_one_place() -> None:
    """Within 2 m of each other and 5,000 km from the origin. What rounding makes of one place is one place still."""
    near = views_of_spheres(ring(8, distance=2.0), ((0.1, 0.0, 0.0), 0.4))
    cameras = near.cameras.transformed(1.0, -UTM)
    views = Views(near.images, cameras, near.names)
    check_views(views)
    center, radius = bounding_sphere(views)
    expected, size = bounding_sphere(near)
    assert float((center - UTM - expected).norm()) < 1e-6 and abs(radius - size) < 1e-6
    matrices = cameras.world_to_camera.clone()
    matrices[:, :3, 3] = -(matrices[:, :3, :3] @ UTM)
    generator = torch.Generator().manual_seed(3)
    for digits in (0.0, 1e-9, 1e-8):  # all in one place, with the noise of so many digits
        noise = 1 + digits * torch.randn(8, 3, generator=generator, dtype=torch.float64)
        rounded = matrices.clone()
        rounded[:, :3, 3] *= noise
        same = type(cameras)(rounded, cameras.intrinsics, cameras.height, cameras.width)
        with pytest.raises(ValueError, match=r"are in one place|look away"):
            check_views(Views(near.images, same, near.names))


def test_a_scene_on_a_map_is_read_described_and_saved(tmp_path: Path) -> None:
    write_transforms(tmp_path)
    content = json.loads((tmp_path / "transforms.json").read_text())
    away = UTM.numpy() - MIDDLE
    for frame in content["frames"]:
        matrix = np.array(frame["transform_matrix"])
        matrix[:3, 3] += away
        frame["transform_matrix"] = matrix.tolist()
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    save_mesh(tmp_path / "mesh.ply", FAR)
    scene = load_scene(tmp_path, reading=Reading(hold_out=0))
    assert scene.mesh is not None and float((scene.mesh.vertices - FAR.vertices).abs().max()) < 1e-9
    near = scene.train.cameras.transformed(1.0, torch.from_numpy(away))
    assert worst_miss(Views(scene.train.images, near, scene.train.names)) < 0.1
    (line,) = (line for line in describe(scene) if line.startswith("object"))
    numbers = line.split("(")[1].rstrip(")").split(", ")
    assert max(abs(float(x) - y) for x, y in zip(numbers, UTM.tolist(), strict=True)) < 0.2, line
    save_scene(tmp_path / "again", Scene(None, "made", scene.train, None, scene.mesh))
    again = load_scene(tmp_path / "again", reading=Reading(hold_out=0))
    centers = again.train.cameras.centers - scene.train.cameras.centers
    assert float(centers.abs().max()) < 1e-6
    assert again.mesh is not None and torch.equal(again.mesh.vertices, scene.mesh.vertices)


def test_a_mesh_to_start_from_keeps_its_positions(tmp_path: Path) -> None:
    save_mesh(tmp_path / "start.ply", FAR)
    start = start_from_file(tmp_path / "start.ply")
    assert float((corners(start.mesh) - corners(FAR)).abs().max()) < 1e-9
    near = views_of_spheres(ring(6), ((0.0, 0.0, 0.0), 0.5))
    views = Views(near.images, near.cameras.transformed(1.0, -UTM), near.names)
    assert silhouette_overlap(start.mesh, views) > 0.95
