"""Photographs of an object that turns before a camera at rest, and what stands still in photographs otherwise."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from photograph_files import HEIGHT, WIDTH, around, noise, save_photographs, things

from largesteps_zg.cameras import Cameras
from largesteps_zg.cameras.alignment import similarity
from largesteps_zg.constants import DEFAULTS
from largesteps_zg.mesh import Mesh
from largesteps_zg.scenes import Reading, Views, load_scene
from largesteps_zg.scenes.formats.photographs import _reaches_across
from largesteps_zg.scenes.from_photographs.collection import Photograph
from largesteps_zg.scenes.from_photographs.find import cameras_from_photographs
from largesteps_zg.scenes.from_photographs.mapping import settled
from largesteps_zg.scenes.from_photographs.pairs import pairs_to_match
from largesteps_zg.scenes.from_photographs.still import (
    STILL,
    forget_still_matches,
    forget_still_points,
    stand_still,
    still_by_matches,
)
from largesteps_zg.scenes.from_photographs.work import unwatched

TURNED = around([14.0 * i for i in range(9)], wave=0.0)


def room() -> np.ndarray:
    """(HEIGHT, WIDTH, 3) light of a wall with a pattern."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] / WIDTH
    return noise(np.stack([4 * x, 4 * y, 0 * x + 0.3], axis=-1).reshape(-1, 3), 11).reshape(HEIGHT, WIDTH, 3)


def on_a_disc() -> Mesh:
    """The ball, and of its table what is near it."""
    mesh = things()
    near = mesh.vertices[:, [0, 2]].norm(dim=1) < 1.8
    return Mesh(mesh.vertices, mesh.faces[near[mesh.faces.long()].all(dim=1)], mesh.colors)


@pytest.fixture(scope="module")
def turntable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The disc turns, and the wall stands still."""
    folder = tmp_path_factory.mktemp("turntable") / "photos"
    save_photographs(folder, on_a_disc(), TURNED, behind=room())
    return folder


@pytest.mark.slow
def test_an_object_that_turns_is_as_good_as_a_camera_that_walks(turntable: Path, tmp_path: Path) -> None:
    reading = Reading(masks="none", cameras=tmp_path, hold_out=0)
    scene = load_scene(turntable, reading=reading)
    assert len(scene.train) == len(TURNED)
    found = scene.train.cameras.to(dtype=torch.float64)
    turn, scale, move = similarity(found, TURNED)
    off = (scale * found.centers @ turn.T + move - TURNED.centers).norm(dim=1)
    assert float(off.median()) < 0.01 * 5.0  # of the distance
    assert scene.points is not None  # none of the wall, which is matched here and there
    assert float((scale * scene.points @ turn.T + move).norm(dim=1).max()) < 2.5
    told = [note for note in scene.notes if "stand still" in note]
    assert len(told) == 1 and "of the features" in told[0]
    again = load_scene(turntable, reading=reading)  # from what was kept
    assert [note for note in again.notes if "stand still" in note] == told
    (tmp_path / "photographs.json").write_text("of others")
    (tmp_path / STILL).write_text('{"share": 0.0}')
    assert [note for note in load_scene(turntable, reading=reading).notes if "stand still" in note] == told


@pytest.mark.parametrize(("rows", "columns", "across"), [
    (slice(0, 15), slice(0, 60), True), (slice(0, 40), slice(10, 20), True), (slice(0, 30), slice(5, 60), False),
])  # fmt: skip
def test_a_wall_reaches_across_the_photographs_and_an_object_does_not(
    rows: slice, columns: slice, across: bool
) -> None:
    cameras = around([14.0 * i for i in range(5)]).resized(40, 60)
    images = torch.zeros(5, 40, 60, 4, dtype=torch.uint8)
    images[1:4, rows, columns, 3] = 255
    images[[0, 4], 10:20, 10:20, 3] = 255
    views = Views(images, cameras, tuple("abcde"))
    assert _reaches_across(views) is across
    assert not _reaches_across(views[[0, 1, 4]])


@pytest.mark.slow
def test_nothing_moves(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    same = around([0.0])
    cameras = Cameras(same.world_to_camera.expand(6, 4, 4), same.intrinsics.expand(6, 3, 3), HEIGHT, WIDTH)
    files = save_photographs(photos, things(), cameras)
    with pytest.raises(
        ValueError, match=r"stand still from photograph to photograph.*newspaper turn with it"
    ):
        cameras_from_photographs(files, photos, tmp_path / "c")


def test_only_what_most_photographs_have_at_one_place_stands_still() -> None:
    generator = np.random.default_rng(0)
    fixed = generator.uniform(0, 300, (200, 2))

    def photograph(rows: int) -> np.ndarray:
        jitter = generator.normal(0, 0.2, (rows, 2))
        return np.concatenate([fixed[:rows] + jitter, generator.uniform(0, 300, (300, 2))])

    # Of ten photographs six have all fixed places, and four half of them.
    found = stand_still([photograph(200 if i < 6 else 100) for i in range(10)])
    assert all(still[:100].mean() > 0.95 for still in found)
    assert all(still[100:200].mean() > 0.9 for still in found[:6])
    assert all(still[200:].mean() < 0.05 for still in found[:6])  # some lie near a fixed place
    # Four of ten are no majority.
    found = stand_still([photograph(200 if i < 4 else 0) for i in range(10)])
    assert all(still.mean() < 0.01 for still in found)


def test_features_so_dense_that_they_meet_by_chance_stay() -> None:
    generator = np.random.default_rng(0)
    for count in (3, 12):
        found = stand_still([generator.uniform(0, 60, (1500, 2)) for _ in range(count)])
        assert sum(still.sum() for still in found) == 0
    assert [len(still) for still in stand_still([np.zeros((0, 2)), np.zeros((0, 2))])] == [0, 0]


def matched_database(file: Path, places: list[np.ndarray], agreed: int) -> list[Photograph]:
    """A database of photographs of one lens, all of whose features match, row by row; the first of these agree."""
    import pycolmap

    database = pycolmap.Database.open(file)
    camera = pycolmap.Camera.create_from_model_name(1, "SIMPLE_RADIAL", 600.0, 640, 480)
    lens = database.write_camera(camera, use_camera_id=True)
    matches = np.repeat(np.arange(len(places[0]), dtype=np.uint32)[:, None], 2, axis=1)
    geometry = pycolmap.TwoViewGeometry()
    geometry.config = pycolmap.TwoViewGeometryConfiguration.UNCALIBRATED
    geometry.inlier_matches = matches[:agreed]
    for number, found in enumerate(places, 1):
        image = pycolmap.Image(name=f"{number}.png", camera_id=lens, image_id=number)
        database.write_image(image, use_image_id=True)
        database.write_keypoints(number, found.astype(np.float32))
        for earlier in range(1, number):
            database.write_matches(earlier, number, matches)
            database.write_two_view_geometry(earlier, number, geometry)
    database.close()
    return [
        Photograph(Path(f"{i}.png"), f"{i}.png", 640, 480, 1, "", None, str(i))
        for i in range(1, len(places) + 1)
    ]


def kept_matches(file: Path, photographs: list[Photograph], i: int, j: int) -> np.ndarray:
    """What is left of the matches of two photographs, numbered from 1."""
    import pycolmap

    pairs = list(itertools.combinations(range(len(photographs)), 2))
    forget_still_matches(file, photographs, pairs, DEFAULTS.structure, pycolmap)
    database = pycolmap.Database.open(file)
    try:
        return database.read_two_view_geometry(i, j).inlier_matches
    finally:
        database.close()


def turned_by(angle: float) -> np.ndarray:
    """The rotation (3, 3) of a disc."""
    return np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])


def pixels_of(points: np.ndarray) -> np.ndarray:
    """(N, 2) where a camera 4 before them sees points."""
    return 600 * points[:, :2] / (points[:, 2:] + 4) + (320, 240)


def test_of_a_pair_only_what_moved_is_kept(tmp_path: Path) -> None:
    """120 matches of a room at rest and 60 of an object that turned; the room alone has the larger agreement."""
    generator = np.random.default_rng(0)
    body = generator.uniform(-1, 1, (60, 3))
    room = generator.uniform((0, 0), (640, 480), (120, 2))
    places = [np.concatenate([room, pixels_of(points)]) for points in (body, body @ turned_by(0.2).T)]
    photographs = matched_database(tmp_path / "database.db", places, 130)
    kept = kept_matches(tmp_path / "database.db", photographs, 1, 2)
    assert len(kept) > 50 and kept.min() >= 120


def test_a_room_tells_nothing_after_the_camera_was_moved_either(tmp_path: Path) -> None:
    """A camera at rest, and the same moved: from one to the other the room moves, and yet the object turned in it."""
    import pycolmap

    generator = np.random.default_rng(0)
    body, room = generator.uniform(-1, 1, (60, 3)), generator.uniform((-2, -2, 1), (2, 2, 3), (120, 3))
    sideways = turned_by(0.0), turned_by(0.4)  # where the camera stands
    places = [
        pixels_of(np.concatenate([room, body @ turned_by(0.3 * number).T]) @ sideways[number >= 3].T)
        for number in range(5)
    ]
    file = tmp_path / "database.db"
    photographs = matched_database(file, places[:4], 120)
    still = still_by_matches(file, photographs, DEFAULTS.structure, pycolmap)
    assert all(rest[:120].all() and not rest[120:].any() for rest in still[:3])
    kept = kept_matches(file, photographs, 3, 4)
    assert len(kept) > 50 and kept.min() >= 120
    # Where it moved in as many matches as it stood still, there is no majority.
    file = tmp_path / "five.db"
    still = still_by_matches(file, matched_database(file, places, 120), DEFAULTS.structure, pycolmap)
    assert not any(rest.any() for rest in still[:3])


def test_pairs_are_chosen_by_what_does_not_stand_still(tmp_path: Path) -> None:
    """Two rounds of an object, before a room that looks alike within a round: its partners are in the other round."""
    import pycolmap

    generator, count = np.random.default_rng(0), 60
    rooms, sides = generator.random((2, 100, 128)), generator.random((count // 2, 50, 128))
    file = tmp_path / "database.db"
    database = pycolmap.Database.open(file)
    camera = pycolmap.Camera.create_from_model_name(1, "SIMPLE_RADIAL", 600.0, 640, 480)
    lens = database.write_camera(camera, use_camera_id=True)
    for index in range(count):
        image = pycolmap.Image(name=f"{index}.png", camera_id=lens, image_id=index + 1)
        database.write_image(image, use_image_id=True)
        own = np.concatenate([rooms[2 * index // count], sides[index % (count // 2)]])
        noisy = np.rint(200 * own + generator.uniform(0, 20, own.shape)).clip(0, 255).astype(np.uint8)
        database.write_keypoints(index + 1, generator.uniform(0, 400, (150, 6)).astype(np.float32))
        kind = pycolmap.FeatureExtractorType.SIFT
        database.write_descriptors(index + 1, pycolmap.FeatureDescriptors(type=kind, data=noisy))
    database.close()
    constants = replace(DEFAULTS.structure, partners=4, next=1)
    wanted = {(index, index + count // 2) for index in range(count // 2)}
    assert not wanted & {*pairs_to_match(file, count, constants, pycolmap)}
    rest = [np.arange(150) < 100] * count
    assert wanted <= {*pairs_to_match(file, count, constants, pycolmap, without=rest)}


def with_wrong_matches():
    """A model of eight photographs, a sixth of whose observations are three pixels off; and its true lens."""
    import pycolmap

    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_frames_per_rig, options.num_points3D = 1, 8, 120
    pycolmap.set_random_seed(0)
    model = pycolmap.synthesize_dataset(options)
    generator = np.random.default_rng(0)
    for image in model.images.values():
        for point in image.points2D:
            if point.has_point3D():
                wrong = generator.random() < 0.15
                point.xy = point.xy + generator.normal(0, 0.2, 2) + wrong * np.array([3.0, 1.0])
    return model, np.array(options.camera_params)


def test_wrong_matches_do_not_pull_the_lens() -> None:
    import pycolmap

    model, true = with_wrong_matches()
    squares = pycolmap.Reconstruction(model)
    pycolmap.bundle_adjustment(squares, pycolmap.BundleAdjustmentOptions())
    settled(model, unwatched, pycolmap)
    off = [np.abs(next(iter(of.cameras.values())).params - true)[0] for of in (model, squares)]
    assert off[0] < 0.5 * off[1], off
    assert model.compute_mean_reprojection_error() < 1.0


def test_adjusting_ends_where_further_steps_change_nothing() -> None:
    import pycolmap

    given, _ = with_wrong_matches()
    lenses = []
    for least in (1e-12, DEFAULTS.structure.adjusted, 1e9):
        model = pycolmap.Reconstruction(given)
        settled(model, unwatched, pycolmap, replace(DEFAULTS.structure, adjusted=least))
        lenses.append(next(iter(model.cameras.values())).params)
    exact, default, hasty = lenses
    assert np.abs(default - exact)[0] < 1e-4 * exact[0]
    assert np.abs(hasty - exact)[0] > 10 * np.abs(default - exact)[0]


@pytest.mark.parametrize(("way", "error", "kept"), [
    (0.3, 0.1, False), (3.0, 2.5, False), (3.0, 0.2, True), (20.0, 2.5, True),
])  # fmt: skip
def test_points_that_stand_still_are_none_of_what_turns(way: float, error: float, kept: bool) -> None:
    """Features that went some way between photographs, and how far they are from where the model has their point."""
    images = {
        i: SimpleNamespace(points2D=[SimpleNamespace(xy=np.array([50.0 + i * way, 40.0]))]) for i in (1, 2)
    }
    track = SimpleNamespace(elements=[SimpleNamespace(image_id=i, point2D_idx=0) for i in images])
    points = {7: SimpleNamespace(track=track, error=error)}
    model = SimpleNamespace(images=images, points3D=points, delete_point3D=points.pop)
    photographs = [Photograph(Path("a.jpg"), "a.jpg", WIDTH, HEIGHT, 1, "", None, "")] * 2
    forget_still_points(model, photographs, DEFAULTS.structure)
    assert bool(points) is kept
