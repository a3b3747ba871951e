"""Cameras from photographs alone: a dozen that the test renders, and others from which no cameras can be found."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from photograph_files import HEIGHT, WIDTH, around, save_photographs, things
from PIL import Image

from largesteps_zg.cameras import Cameras
from largesteps_zg.cameras.alignment import similarity
from largesteps_zg.cli.main import main
from largesteps_zg.mesh import Mesh
from largesteps_zg.mesh.closest import closest_points
from largesteps_zg.reconstruct.starts.unmasked import unmasked
from largesteps_zg.scenes import Reading, load_scene
from largesteps_zg.scenes.from_photographs import find
from largesteps_zg.scenes.from_photographs.collection import collection, faults_of
from largesteps_zg.scenes.from_photographs.find import FoundCameras, cameras_from_photographs
from largesteps_zg.scenes.from_photographs.object import support_plane
from largesteps_zg.scenes.from_photographs.pairs import likeness

STEP = 14.0  # degrees between photographs
GIVEN = around([STEP * i for i in range(12)])


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve photographs of 320 x 240."""
    folder = tmp_path_factory.mktemp("capture") / "photos"
    save_photographs(folder, things(), GIVEN)
    return folder


@pytest.fixture(scope="module")
def found(capture: Path, tmp_path_factory: pytest.TempPathFactory) -> FoundCameras:
    return cameras_of(capture, tmp_path_factory.mktemp("cameras"))


@pytest.fixture(scope="module")
def few(capture: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first seven of them, where it does not matter how many there are."""
    folder = tmp_path_factory.mktemp("few") / "photos"
    folder.mkdir()
    for file in sorted(capture.glob("*.png"))[:7]:
        shutil.copy(file, folder)
    return folder


@pytest.fixture(scope="module")
def found_few(few: Path, tmp_path_factory: pytest.TempPathFactory) -> FoundCameras:
    return cameras_of(few, tmp_path_factory.mktemp("cameras"))


def cameras_of(photos: Path, folder: Path, **options: object) -> FoundCameras:
    return cameras_from_photographs(sorted(photos.glob("*.png")), photos, folder, **options)  # type: ignore[arg-type]


def poses(model: Path) -> dict[str, np.ndarray]:
    """World-to-camera (3, 4) of each photograph, as pycolmap reads the model."""
    import pycolmap

    images = pycolmap.Reconstruction(model).images.values()
    return {image.name: image.cam_from_world().matrix() for image in images if image.has_pose}


def same_cameras(first: FoundCameras, second: FoundCameras) -> bool:
    """Whether the same photographs have the same cameras, but for what rounding does in the libraries."""
    one, other = poses(first.model), poses(second.model)
    return one.keys() == other.keys() and all(np.abs(one[name] - other[name]).max() < 1e-3 for name in one)


def refused(photos: Path, folder: Path, *parts: str) -> None:
    """One line that says all of this."""
    with pytest.raises(ValueError) as caught:
        cameras_of(photos, folder)
    message = str(caught.value)
    assert "\n" not in message and all(part in message for part in parts), message


# --- cameras ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_cameras_are_those_that_took_the_photographs(found: FoundCameras) -> None:
    assert found.placed == tuple(f"{i:03}.png" for i in range(12)) and found.unplaced == ()
    assert found.error < 0.5 and not found.reused
    made = poses(found.model)
    matrices = torch.eye(4, dtype=torch.float64).repeat(12, 1, 1)
    matrices[:, :3] = torch.from_numpy(np.stack([made[name] for name in found.placed]))
    cameras = Cameras(matrices, GIVEN.intrinsics, HEIGHT, WIDTH)
    turn, scale, move = similarity(cameras, GIVEN)
    off = (scale * cameras.centers @ turn.T + move - GIVEN.centers).norm(dim=1)
    assert float(off.median()) < 0.01 * 5.0  # of the distance
    axes = GIVEN.world_to_camera[:, :3, :3] @ (turn @ matrices[:, :3, :3].mT)
    cosine = (axes.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    assert float(torch.rad2deg(torch.acos(cosine.clamp(-1, 1))).median()) < 0.5


@pytest.mark.slow
def test_the_same_photographs_give_the_same_cameras_and_are_asked_once(
    few: Path, found_few: FoundCameras, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = cameras_of(few, tmp_path)
    assert same_cameras(found_few, again)
    monkeypatch.setattr(find, "extract", None)
    assert cameras_of(few, tmp_path).reused  # nothing is extracted


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["features", "matches", "placed"])
def test_interrupted_work_goes_on_where_it_was(
    few: Path, found_few: FoundCameras, tmp_path: Path, stage: str
) -> None:
    def interrupted(share: float, text: str) -> None:
        if stage in text and share > 0.05:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cameras_of(few, tmp_path, watch=interrupted)
    told: list[str] = []
    again = cameras_of(few, tmp_path, watch=lambda _, text: told.append(text))
    features = sum("features" in text for text in told)
    assert features < 7 if stage == "features" else features == 0
    assert same_cameras(found_few, again)


@pytest.mark.slow
def test_other_photographs_are_found_anew_and_strangers_are_named(capture: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(capture, photos)
    save_photographs(photos, things(seed=50), around([0.0]), first=99)
    upright = Image.open(photos / "003.png").rotate(90, expand=True)  # one camera was held so
    (photos / "003.png").unlink()
    upright.save(photos / "IMG 003.png")
    upright.save(photos / "100.jpg")
    (photos / "100.jpg").write_bytes((photos / "100.jpg").read_bytes()[:4000])
    (photos / "101.jpg").touch()
    shutil.copy(photos / "005.png", photos / "005 (1).png")
    scene = load_scene(photos, reading=Reading(masks="none", cameras=tmp_path / "cameras", hold_out=0))
    assert scene.format == "photographs" and len(scene.train) == 12 and not scene.masked
    notes = " ".join(scene.notes)
    assert "IMG 003" in scene.train.names
    assert "12 of 14 placed" in notes and "1 photograph that could not be placed (099.png)" in notes
    assert "2 files, of which the first is" in notes and "100.jpg: image cannot be read" in notes
    assert "copies of other photographs (005 (1).png)" in notes
    assert scene.points is not None and len(scene.points) > 300
    ball = scene.train.ball
    assert ball is not None
    pixels, _ = scene.train.cameras.project(ball.center[None])
    assert float((pixels[:, 0] - torch.tensor([WIDTH / 2, HEIGHT / 2])).norm(dim=1).median()) < 40
    # The ball around the object, on the scale of the distance of the cameras.
    distance = (scene.train.cameras.centers - ball.center).norm(dim=1).median()
    assert 0.15 < ball.radius / float(distance) < 0.35


def over(cameras: Cameras) -> tuple[torch.Tensor, float, torch.Tensor]:
    """From the world of cameras that were found to that of the given ones."""
    return similarity(cameras.to(dtype=torch.float64), GIVEN)


@pytest.mark.slow
@pytest.mark.parametrize("by", ["colours", "depths"])
def test_without_masks_the_object_is_what_stands_on_the_table(
    capture: Path, found: FoundCameras, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by == "depths":  # as where colours leave nothing
        monkeypatch.setattr("largesteps_zg.reconstruct.starts.unmasked.outlines", lambda *_: None)
    folder = found.model.parents[1]
    size = {"colours": 320, "depths": 160}[by]
    scene = load_scene(capture, reading=Reading(cameras=folder, hold_out=0, max_size=size))
    assert not scene.masked  # no masks, and no background of one colour
    ball, points = scene.train.ball, scene.points
    assert ball is not None and points is not None
    turn, scale, move = over(scene.train.cameras)
    support = support_plane(scene.train, points, ball)
    assert support is not None
    normal = turn @ torch.from_numpy(support.normal)
    assert float(normal[1]) > 0.999  # the table is y = 0
    height = scale * support.height + float(normal @ move)
    assert abs(height) < 0.02
    made = unmasked(scene)
    assert made.scene.masked and ("by colours" in made.notes[0]) == (by == "colours")
    vertices = scale * made.mesh.vertices.double() @ turn.T + move
    assert height - 0.02 < float(vertices[:, 1].min()) < 0.15
    # The side of the ball that photographs show lies on the surface that was found.
    truth = things(table=False)
    middle = GIVEN[[6]].centers[0] - torch.tensor([0.0, 0.9, 0.0])
    out = truth.vertices.double() - torch.tensor([0.0, 0.9, 0.0])
    shown = truth.vertices.double()[(out @ middle) / middle.norm() > 0.6]
    off = closest_points(shown, vertices, made.mesh.faces.long()).distances
    assert float(off.median()) < 0.03 and float(off.quantile(0.9)) < 0.1
    if by == "depths":  # nothing is compared near its outlines
        known, inside = made.scene.train.known, made.scene.train.images[..., 3] > 127
        assert known is not None and bool(known[inside].all())
        assert 0.02 < float((~known).float().mean()) < 0.5


# --- failures --------------------------------------------------------------------------------------------------------


def test_one_photograph_and_copies_of_it(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    save_photographs(photos, things(), around([0.0]))
    refused(photos, tmp_path / "c", "expected photographs from many places, got 1 photograph;", "walk around")
    for i in range(1, 4):
        shutil.copy(photos / "000.png", photos / f"00{i}.png")
    refused(photos, tmp_path / "c", "got 1 photograph different")


@pytest.mark.slow
def test_nothing_to_recognise(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(4):
        pixels = generator.normal(128, 0.6, (HEIGHT, WIDTH, 3)).round().astype(np.uint8)
        Image.fromarray(pixels).save(photos / f"{i}.png")
    refused(photos, tmp_path / "c", "4 of 4 photographs show nothing to recognise", "patterned cloth")


@pytest.mark.slow
def test_no_two_show_the_same(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    generator = np.random.default_rng(0)
    for i in range(4):
        pixels = generator.integers(0, 255, (HEIGHT // 4, WIDTH // 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((WIDTH, HEIGHT)).save(photos / f"{i}.png")
    refused(
        photos,
        tmp_path / "c",
        "no two of the 4 photographs show enough of the same",
        "every 10 to 15 degrees",
    )


@pytest.mark.slow
def test_all_from_one_place(tmp_path: Path) -> None:
    camera = around([0.0])
    turned = []
    for degrees in np.linspace(-12, 12, 6):
        a = np.radians(degrees)
        turn = torch.eye(4, dtype=torch.float64)
        turn[[0, 0, 2, 2], [0, 2, 0, 2]] = torch.tensor([np.cos(a), np.sin(a), -np.sin(a), np.cos(a)])
        turned.append(turn @ camera.world_to_camera[0].double())
    cameras = Cameras(torch.stack(turned), camera.intrinsics.expand(6, 3, 3), HEIGHT, WIDTH)
    save_photographs(tmp_path / "photos", things(), cameras)
    refused(
        tmp_path / "photos",
        tmp_path / "c",
        "all taken from one place",
        "depth shows only from different places",
    )


@pytest.mark.slow
def test_two_captures_in_one_folder(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    angles = [STEP * i for i in range(4)]
    for i in range(3):
        save_photographs(photos, things(seed=20 * i), around(angles), first=100 * i)
    refused(
        photos,
        tmp_path / "c",
        "the photographs fall into 3 groups of 4, 4, 4",
        "on the way from one to the other",
    )


def wheel(parts: int) -> Mesh:
    """A ball on a table, of which all parts of a turn look alike."""
    from photograph_files import noise

    made, ball = things(), len(things(table=False).vertices)
    xyz = made.vertices.double().numpy() - (0, 0.9, 0)
    xyz[:ball] /= np.linalg.norm(xyz[:ball], axis=1, keepdims=True)
    angle = np.arctan2(xyz[:, 0], xyz[:, 2]) % (2 * np.pi / parts)
    out = np.hypot(xyz[:, 0], xyz[:, 2])
    first = np.stack([out * np.sin(angle), xyz[:, 1], out * np.cos(angle)], axis=1)
    return Mesh(
        torch.from_numpy(xyz + np.array([0, 0.9, 0])).float(),
        made.faces,
        torch.from_numpy(noise(first + 7, 0)).float(),
    )


@pytest.mark.slow
def test_sides_that_look_alike(tmp_path: Path) -> None:
    """A pattern that repeats itself ten times in a turn, in photographs a tenth of a turn apart: it seems one place."""
    save_photographs(tmp_path / "photos", wheel(10), around([36.0 * i for i in range(6)]))
    refused(
        tmp_path / "photos",
        tmp_path / "c",
        "the 6 photographs that could be placed all see the same side",
        "a pattern repeats itself",
        "newspaper",
    )


# --- parts -----------------------------------------------------------------------------------------------------------


def test_exif_tells_lens_and_focal_length(tmp_path: Path) -> None:
    image = Image.new("RGB", (360, 240), (90, 90, 90))
    for name, model, focal in (
        ("a.jpg", "X1", 36),
        ("b.jpg", "X1", 36),
        ("c.jpg", "X2", 36),
        ("d.jpg", "X1", 72),
    ):
        exif = Image.Exif()
        exif[0x0110], exif[0x0112] = model, 6
        exif.get_ifd(0x8769)[0xA405] = focal
        image.save(tmp_path / name, exif=exif)
    a, b, c, d = collection(sorted(tmp_path.glob("*.jpg")), tmp_path)
    assert a.focal == pytest.approx(360.0)  # 36 mm where the film is 36 mm wide and the image 360 pixels
    assert d.focal == pytest.approx(720.0) and a.orientation == 6
    assert a.camera == b.camera and len({a.camera, c.camera, d.camera}) == 3


def test_damaged_files_are_left_out_unless_they_are_half(tmp_path: Path) -> None:
    for name in "abcd":
        Image.new("RGB", (64, 48)).save(tmp_path / f"{name}.png")
    files = sorted(tmp_path.glob("*.png"))
    files[2].write_bytes(b"")
    assert [photograph.name for photograph in collection(files, tmp_path)] == ["a.png", "b.png", "d.png"]
    assert [file.name for file in faults_of(files)] == ["c.png"]
    files[3].write_bytes(b"text")
    with pytest.raises(ValueError, match=r"c\.png: image cannot be read .* is the file complete"):
        collection(files, tmp_path)


def test_photographs_that_share_features_look_alike() -> None:
    generator = np.random.default_rng(0)
    one, two = generator.random((2, 300, 128))
    alike = likeness([one, one[:200] + 0.01, two, two[100:]])
    assert alike[0, 1] > alike[0, 2] and alike[2, 3] > alike[1, 3]
    np.testing.assert_allclose(np.diag(alike), 1)


# --- commands --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_info_finds_the_cameras_and_keeps_them(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["info", str(few), "--init", "none"]
    assert main(command) == 0
    first = capsys.readouterr()
    assert "the object covers" not in first.out  # nothing tells that yet
    assert "7 of 7 placed" in first.out and (tmp_path / "info.png").is_file()
    assert len(poses(tmp_path / "cameras" / "sparse" / "0")) == 7
    assert "incremental" not in first.out + first.err  # none of COLMAP's own lines
    assert main(command) == 0
    assert "found from the photographs by an earlier run" in capsys.readouterr().out
