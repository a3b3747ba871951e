"""Nothing that was given is passed over in silence: where masks, names, lenses, splits and models came from."""

from __future__ import annotations

import json
import struct
import unicodedata
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from format_files import COUNT, draw, save, truths, worst_miss, write_colmap, write_idr, write_transforms
from PIL import Image, ImageFile
from scene_files import deep_png, write_scene
from test_scene_errors import refused

from largesteps_zg.cli.main import main
from largesteps_zg.images.files import image_header, read_image
from largesteps_zg.output.run_files import RunFiles
from largesteps_zg.scenes import Reading, Scene, load_scene
from largesteps_zg.scenes.describe import describe
from largesteps_zg.scenes.provenance import share

WHOLE = Reading(hold_out=0)


def said(scene: Scene, about: str) -> str:
    return "\n".join(note.text for note in scene.provenance if note.about == about)


def opaque(
    folder: Path, mask: str, *, image: str = "images/{}.png", part: slice = slice(None)
) -> list[np.ndarray]:
    """The scene of three discs on white, each image with a mask file; the mask holds some of the discs (by channel)."""
    write_transforms(folder)
    content = json.loads((folder / "transforms.json").read_text())
    masks = []
    for i, (frame, truth) in enumerate(zip(content["frames"], truths(), strict=True)):
        pixels = draw(truth)
        inside = pixels[..., 3:] > 0
        (folder / "images" / f"{i}.png").unlink()
        save(folder / image.format(i), np.where(inside, pixels[..., :3], 255).astype(np.uint8))
        frame["file_path"] = image.format(i)
        masks.append(np.where(pixels[..., :3][..., part].max(axis=-1) > 0, 255, 0).astype(np.uint8))
        save(folder / mask.format(i), masks[-1])
    (folder / "transforms.json").write_text(json.dumps(content))
    return masks


NAMES = [
    ("masks/{}.png", "masks/NAME.png"),
    ("mask/{}.png", "mask/NAME.png"),  # IDR
    ("Masks/{}.PNG", "Masks/NAME.PNG"),
    ("masks/{}.png.png", "masks/NAME.EXT.png"),  # COLMAP
    ("masks/{}_mask.png", "masks/NAME_mask.png"),  # Metashape
    ("images/{}_mask.png", "images/NAME_mask.png"),  # 3dgrut
    ("images/{}.mask.png", "images/NAME.mask.png"),  # OpenMVS
    ("images/{}.png.mask.png", "images/NAME.EXT.mask.png"),  # RealityScan
    ("images/.mask/{}.png", "images/.mask/NAME.png"),
    ("masks/mask_{}.png", "masks/mask_NAME.png"),
    ("images/mask-{}.png", "images/mask-NAME.png"),
    ("images/{} mask.png", "images/NAME mask.png"),
    ("mask/00{}.png", "mask/ by number"),
    ("masks/images/{}.png", "masks/images/NAME.png"),
    ("silhouettes/{}.png", "silhouettes/NAME.png"),
    ("silhouette/00{}.png", "silhouette/ by number"),
    ("Silhouettes/{}_mask.png", "Silhouettes/NAME_mask.png"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("mask", "rule"), NAMES)
def test_masks_under_the_names_that_other_programs_give_them(tmp_path: Path, mask: str, rule: str) -> None:
    masks = opaque(tmp_path, mask, part=slice(0, 2))  # the background alone would give all three discs
    scene = load_scene(tmp_path, reading=WHOLE)
    np.testing.assert_array_equal(scene.train.images[..., 3].numpy(), np.stack(masks))
    assert said(scene, "masks") == f"{rule}, in all {COUNT} photographs"
    assert "mask" not in said(scene, "not used")


def test_masks_of_images_at_half_their_size(tmp_path: Path) -> None:
    """nerfstudio's images_2 and masks_2; masks/ has another size."""
    masks = opaque(tmp_path, "masks_2/{}.png", image="images_2/{}.png", part=slice(0, 2))
    for i in range(COUNT):
        save(tmp_path / "masks" / f"{i}.png", np.kron(masks[i], np.ones((2, 2), np.uint8)))
    scene = load_scene(tmp_path, reading=WHOLE)
    np.testing.assert_array_equal(scene.train.images[..., 3].numpy(), np.stack(masks))
    assert "masks_2/NAME.png" in said(scene, "masks") and f"masks/: {COUNT} masks" in said(scene, "not used")


@pytest.mark.slow
@pytest.mark.parametrize(
    "place", ["masks/{}_object.png", "my masks/{}.png", "mattes/{}.png", "images/{}_x_mask.png"]
)
def test_masks_whose_names_fit_nothing_are_told(tmp_path: Path, place: str) -> None:
    opaque(tmp_path, place, part=slice(0, 2))
    scene = load_scene(tmp_path, reading=WHOLE)
    assert "background's colour 255, 255, 255" in said(scene, "masks")
    folder = place.split("/")[0]
    assert f"{folder}/: {COUNT} masks that no photograph goes with" in said(scene, "not used")
    assert any(line.startswith("not used") and "--masks" in line for line in describe(scene))


@pytest.mark.parametrize("name", ["m{}.png", "mask-{}.png", "IMG_{}_seg.png"])
def test_images_beside_the_scene_that_fit_nothing_are_told(tmp_path: Path, name: str) -> None:
    opaque(tmp_path, name, part=slice(0, 2))
    told = said(load_scene(tmp_path, reading=WHOLE), "not used")
    assert f"beside the scene's files: {COUNT} " in told and name.format(0) in told


def test_masks_in_a_folder_that_the_user_names(tmp_path: Path) -> None:
    masks = opaque(tmp_path, "else where/{}_mask.png", part=slice(0, 2))
    scene = load_scene(tmp_path, reading=Reading(masks=tmp_path / "else where", hold_out=0))
    np.testing.assert_array_equal(scene.train.images[..., 3].numpy(), np.stack(masks))
    assert said(scene, "masks") == f"--masks, else where/NAME_mask.png, in all {COUNT} photographs"


def test_masks_for_some_of_the_photographs(tmp_path: Path) -> None:
    opaque(tmp_path, "masks/{}.png")
    (tmp_path / "masks" / "3.png").unlink()
    (tmp_path / "masks" / "5.png").unlink()
    told = said(load_scene(tmp_path, reading=WHOLE), "masks")
    assert f"masks/NAME.png, in {COUNT - 2} of {COUNT} photographs" in told
    assert (
        f"what differs from the background's colour 255, 255, 255, found at the borders, in 2 of {COUNT}"
        in told
    )


def test_masks_beside_photographs_that_have_alpha_are_told(tmp_path: Path) -> None:
    write_transforms(tmp_path)
    for i in range(COUNT):
        save(tmp_path / "masks" / f"{i}.png", np.eye(44, 56, dtype=np.uint8) * 255)
    scene = load_scene(tmp_path, reading=WHOLE)
    assert said(scene, "masks") == f"alpha, in all {COUNT} photographs"
    assert f"masks/NAME.png: {COUNT} masks, because alpha goes before" in said(scene, "not used")


def test_masks_among_the_images_of_a_format_are_no_photographs(tmp_path: Path) -> None:
    write_idr(tmp_path)
    for i in range(COUNT):
        (tmp_path / "mask" / f"{i:03d}.png").rename(tmp_path / "image" / f"{i:06d}_mask.png")
    scene = load_scene(tmp_path, reading=WHOLE)
    assert len(scene.train) == COUNT and worst_miss(scene.train) < 0.1
    assert "image/NAME_mask.png" in said(scene, "masks")


# --- splits, fields, models ------------------------------------------------------------------------------------------


def split(folder: Path, name: str, image: str, content: dict) -> None:
    frames = [{**frame, "file_path": f"./{image}/r_{i}"} for i, frame in enumerate(content["frames"])]
    (folder / f"transforms_{name}.json").write_text(json.dumps({**content, "frames": frames}))


def test_a_split_of_which_no_image_is_there(tmp_path: Path) -> None:
    """As BlenderNeRF leaves its test split; the next one is held out."""
    content = write_scene(tmp_path)
    split(tmp_path, "test", "test", content)
    scene = load_scene(tmp_path, reading=WHOLE)
    assert scene.test is None and len(scene.train) == 4
    assert "transforms_test.json: 4 frames, of which no image is there (./test/r_0)" in said(
        scene, "not used"
    )
    split(tmp_path, "val", "train", content)
    scene = load_scene(tmp_path)
    assert scene.test is not None and len(scene.test) == 4
    assert said(scene, "split") == (
        "transforms_train.json, 4 views to reconstruct from; transforms_val.json, 4 views held out"
    )
    split(tmp_path, "test", "train", content)
    assert "transforms_val.json: 4 frames, because another split" in said(load_scene(tmp_path), "not used")


def test_lists_of_files_that_name_a_split_without_images(tmp_path: Path) -> None:
    content = write_scene(tmp_path, name="transforms.json")
    lost = [{**frame, "file_path": f"eval/{i}.png"} for i, frame in enumerate(content["frames"])]
    lists = {"test_filenames": [frame["file_path"] for frame in lost], "frames": [*content["frames"], *lost]}
    (tmp_path / "transforms.json").write_text(json.dumps({**content, **lists}))
    scene = load_scene(tmp_path, reading=WHOLE)
    assert scene.test is None and len(scene.train) == 4
    assert "test_filenames: 4 frames, of which no image is there" in said(scene, "not used")


def test_views_that_are_held_out_here_are_told(tmp_path: Path) -> None:
    write_transforms(tmp_path)
    assert "none held out (--hold-out 0)" not in said(load_scene(tmp_path), "split")
    assert "one view in 3 is held out (2)" in said(load_scene(tmp_path, reading=Reading(hold_out=3)), "split")


def test_fields_that_mean_nothing_here_and_other_files_are_told(tmp_path: Path) -> None:
    content = write_scene(tmp_path, aabb_scale=4, applied_transform=[[1, 0, 0, 0]], k1=0.0)
    content["frames"][2]["depth_file_path"] = "d.png"
    (tmp_path / "transforms_train.json").write_text(json.dumps(content))
    (tmp_path / "transforms.json").write_text("{}")
    save(tmp_path / "train" / "r_0_normal.png", np.zeros((24, 32, 3), np.uint8))
    told = said(load_scene(tmp_path, reading=WHOLE), "not used").splitlines()
    assert "fields of the JSON file: aabb_scale, applied_transform, depth_file_path" in told
    assert "transforms.json, because transforms_train.json goes before" in told
    assert "train/: 1 image without a camera (r_0_normal.png)" in told


def test_photographs_that_the_model_does_not_have_and_other_models(tmp_path: Path) -> None:
    write_colmap(tmp_path)
    (tmp_path / "images" / "left").mkdir()
    for name in ("lost.png", "left/a.png"):
        save(tmp_path / "images" / name, draw(truths()[0]))
    lines = (tmp_path / "sparse/0/images.txt").read_text().splitlines()
    for place, keep in (("sparse/1", 2), ("dense/sparse", COUNT)):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "cameras.txt").write_bytes((tmp_path / "sparse/0/cameras.txt").read_bytes())
        points = " ".join(f"{k}.5 {k}.25 -1" for k in range(3000))  # many bytes, few images
        text = "".join(f"{line}\n{points}\n" for line in lines[::2][:keep])
        (tmp_path / place / "images.txt").write_text(text)
    scene = load_scene(tmp_path, reading=WHOLE)
    assert said(scene, "model") == f"sparse/0, {COUNT} images"
    told = said(scene, "not used")
    assert "model sparse/1, 2 images: one model is taken" in told
    assert f"model dense/sparse, {COUNT} images" in told
    assert "images/: 1 image without a camera (lost.png)" in told


def test_the_lens_that_was_undone_is_told(tmp_path: Path) -> None:
    write_scene(tmp_path, k1=0.05, camera_model="SIMPLE_RADIAL")
    assert said(load_scene(tmp_path, reading=WHOLE), "lens") == "SIMPLE_RADIAL undone, in all 4 photographs"
    write_scene(tmp_path)
    assert said(load_scene(tmp_path, reading=WHOLE), "lens") == "none that distorts"


# --- images under other names, of other depths -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("disk", "record"),
    [
        ("images/{}.png", "images/{}.jpg"),
        ("images/{}.PNG", "images/{}.png"),
        ("Images/{}.png", "images/{}.PNG"),
        (
            unicodedata.normalize("NFD", "images/Krüge {}.png"),
            unicodedata.normalize("NFC", "images/Krüge {}.png"),
        ),
        (unicodedata.normalize("NFC", "Höfe/Ä{}.PNG"), unicodedata.normalize("NFD", "höfe/ä{}.tif")),
        ("images/{}.png", "images/{}.HEIC"),
        ("images/a b+{}.png", "images/a%20b%2B{}.png"),  # as in a URL
        ("images/{}.png", "../data/images/{}.png"),  # as seen from another folder
    ],
)
def test_names_that_differ_from_the_record(tmp_path: Path, disk: str, record: str) -> None:
    write_transforms(tmp_path)
    content = json.loads((tmp_path / "transforms.json").read_text())
    for i, frame in enumerate(content["frames"]):
        (tmp_path / disk.format(i)).parent.mkdir(exist_ok=True)
        (tmp_path / "images" / f"{i}.png").rename(tmp_path / disk.format(i))
        frame["file_path"] = record.format(i)
    if not any((tmp_path / "images").iterdir()):
        (tmp_path / "images").rmdir()
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    scene = load_scene(tmp_path, reading=WHOLE)
    assert worst_miss(scene.train) < 0.1
    assert f"in all {COUNT} photographs: {disk.format(0)} is read for {record.format(0)}" in said(
        scene, "images"
    )


def test_fields_that_are_null_are_as_if_they_were_not_there(tmp_path: Path) -> None:
    write_transforms(tmp_path)
    content = json.loads((tmp_path / "transforms.json").read_text())
    for frame in content["frames"]:
        frame["camera_angle_x"] = 2 * float(np.arctan(frame["w"] / 2 / frame["fl_x"]))
        frame.update(fl_x=None, fl_y=None, camera_angle_y=None, k1=None, camera_model=None)
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    assert worst_miss(load_scene(tmp_path, reading=WHOLE).train) < 0.1


def test_arrays_of_another_name_in_a_file_of_cameras_are_told(tmp_path: Path) -> None:
    write_idr(tmp_path)
    file = tmp_path / "cameras_sphere.npz"
    arrays = dict(np.load(file))
    assert said(load_scene(tmp_path, reading=WHOLE), "not used") == ""
    inverse = np.linalg.inv(arrays["world_mat_0"])
    np.savez(file, **arrays, world_mat_inv_0=inverse, exposure=np.ones(3), depth_range=np.ones(2))
    told = said(load_scene(tmp_path, reading=WHOLE), "not used")
    assert told == "cameras_sphere.npz: arrays exposure, depth_range"


def test_masks_of_a_kind_that_is_not_read_are_told(tmp_path: Path) -> None:
    opaque(tmp_path, "masks/{}.png")
    for file in (tmp_path / "masks").iterdir():
        Image.open(file).save(file.with_suffix(".gif"))
        file.unlink()
    (tmp_path / "masks" / "readme.txt").write_text("made by hand")
    scene = load_scene(tmp_path, reading=WHOLE)
    told = said(scene, "not used")
    assert (
        f"masks/: {COUNT} files of a kind that is not read (0.gif" in told and "convert masks to PNG" in told
    )
    assert "readme" not in told


def test_a_mask_of_small_values_says_which(tmp_path: Path) -> None:
    opaque(tmp_path, "masks/{}.png")
    file = tmp_path / "masks" / "0.png"
    save(file, np.array(Image.open(file)) // 2)
    refused(tmp_path, "masks/0.png: mask is empty (its largest value is 127, expected 255 on the object)")


def test_a_name_that_fits_several_files_or_none_says_what_lies_there(tmp_path: Path) -> None:
    content = write_scene(tmp_path)
    content["frames"][0]["file_path"] = "train/r_0.jpg"
    (tmp_path / "transforms_train.json").write_text(json.dumps(content))
    (tmp_path / "train" / "r_0.webp").write_bytes(b"")
    refused(tmp_path, "image not found; looked for", "r_0.png, r_0.webp lie there")
    (tmp_path / "train" / "r_0.webp").unlink()
    (tmp_path / "train" / "r_0.png").rename(tmp_path / "train" / "r_0.CR2")
    refused(tmp_path, "image not found", "r_0.CR2 lies there")
    content["frames"][0]["file_path"] = "pictures/r_0.jpg"
    (tmp_path / "transforms_train.json").write_text(json.dumps(content))
    refused(tmp_path, "image not found", "there is no folder", "pictures")


@pytest.mark.parametrize("name", ["r_0.HEIC", "r_0.jpg"])
def test_heic_is_refused_with_the_cure_and_the_cure_works(tmp_path: Path, name: str) -> None:
    content = write_scene(tmp_path)
    content["frames"][0]["file_path"] = f"train/{name}"
    (tmp_path / "transforms_train.json").write_text(json.dumps(content))
    pixels = Image.open(tmp_path / "train" / "r_0.png").copy()
    (tmp_path / "train" / "r_0.png").unlink()
    (tmp_path / "train" / name).write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(300))
    refused(tmp_path, f"{name}: a HEIC (HEIF) photograph", "convert it to JPEG")
    if name.endswith("HEIC"):  # and leave the new one beside it
        pixels.save(tmp_path / "train" / "r_0.png")
        assert len(load_scene(tmp_path, reading=WHOLE).train) == 4


def test_orientation_in_exif_is_left_alone_and_told(tmp_path: Path) -> None:
    opaque(tmp_path, "masks/{}.png")
    before = load_scene(tmp_path, reading=WHOLE).train.images
    image = Image.open(tmp_path / "images" / "2.png")
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "images" / "2.png", exif=exif)
    scene = load_scene(tmp_path, reading=WHOLE)
    assert torch.equal(scene.train.images, before)
    assert f"EXIF orientation of 1 of {COUNT} photographs (2)" in said(scene, "not used")


@pytest.mark.parametrize("kind", ["eXIf", "zTXt"])
def test_exif_data_behind_the_pixels_of_a_png_are_found_without_reading_those(
    tmp_path: Path, monkeypatch, kind: str
) -> None:
    """Pillow and ImageMagick write them there; ImageMagick as hexadecimal text as well."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = exif.tobytes()
    if kind == "zTXt":
        data = f"\nexif\n{len(data):8}\n{data.hex()}\n".encode()
        data = b"Raw profile type exif\0\0" + zlib.compress(data)
    content = BytesIO()
    Image.new("RGB", (40, 30), (9, 8, 7)).save(content, "PNG")
    end = content.getvalue().index(b"IEND") - 4
    chunk = struct.pack(">I", len(data)) + kind.encode() + data
    chunk += struct.pack(">I", zlib.crc32(chunk[4:]))
    file = tmp_path / "late.png"
    file.write_bytes(content.getvalue()[:end] + chunk + content.getvalue()[end:])
    assert Image.open(file).getexif()[0x0112] == 6  # by Pillow, which reads the pixels first
    pixels, _ = read_image(file)
    assert (pixels[..., :3] == (9, 8, 7)).all()
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)
    header = image_header(file)
    assert (header.width, header.height, header.orientation) == (40, 30, 6)
    whole = file.read_bytes()
    for cut in range(end - 9, len(whole)):  # one that ends early still has its size
        file.write_bytes(whole[:cut])
        assert image_header(file).width == 40


@pytest.mark.parametrize("kind", ["gif", "webp", "tif", "png"])
def test_further_pictures_of_a_file_are_not_used_and_that_is_said(tmp_path: Path, kind: str) -> None:
    opaque(tmp_path, "masks/{}.png", image=f"images/{{}}.{kind}")
    before = load_scene(tmp_path, reading=WHOLE)
    assert "more pictures" not in said(before, "not used")
    file = tmp_path / "images" / f"2.{kind}"
    first = Image.open(file)
    first.load()
    options = {"lossless": True} if kind == "webp" else {}
    first.save(file, save_all=True, append_images=[Image.new(first.mode, first.size)], **options)
    scene = load_scene(tmp_path, reading=WHOLE)
    inside = before.train.images[..., 3:].expand(-1, -1, -1, 4) > 0
    shown, expected = (views.images[inside].int() for views in (scene.train, before.train))
    assert (shown - expected).abs().max() <= 1
    assert f"more pictures than the first in the files of 1 of {COUNT} photographs (2)" in said(
        scene, "not used"
    )


@pytest.mark.parametrize("kind", ["tif", "png", "webp"])
def test_further_pictures_of_a_mask_are_not_used_and_that_is_said(tmp_path: Path, kind: str) -> None:
    opaque(tmp_path, f"masks/{{}}.{kind}", image="images/{}.png")
    file = tmp_path / "masks" / f"2.{kind}"
    first = Image.open(file)
    first.load()
    first.save(file, save_all=True, append_images=[Image.new(first.mode, first.size, 9)])
    told = said(load_scene(tmp_path, reading=WHOLE), "not used")
    assert f"more pictures than the first in the files of 1 mask (2.{kind})" in told


@pytest.mark.slow
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("colour", [False, True])
def test_fewer_bits_than_the_sixteen_they_are_stored_in(tmp_path: Path, bits: int, colour: bool) -> None:
    masks = opaque(tmp_path, "masks/{}.png", image="images/{}.png")
    for i in range(COUNT):
        pixels = np.asarray(Image.open(tmp_path / "images" / f"{i}.png"))
        pixels = pixels if colour else pixels[..., 0]
        values = np.round(pixels / 255 * (2**bits - 1)).astype(np.uint16)
        deep_png(tmp_path / "images" / f"{i}.png", values)
    scene = load_scene(tmp_path, reading=WHOLE)
    shown, expected = scene.train.images[-1].numpy().astype(int), pixels.astype(int)
    assert np.abs(shown[..., :3] - (expected if colour else expected[..., None])).max() <= 1
    np.testing.assert_array_equal(scene.train.images[..., 3].numpy(), np.stack(masks))
    assert (f"{bits} bits in the 16 of all {COUNT} photographs" in said(scene, "images")) == (bits < 16)


# --- where it is said ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_info_and_a_run_say_it(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch) -> None:
    """The same notes in `info`, before a run's first step, and in its run.json."""
    monkeypatch.setattr(RunFiles, "draw", lambda *_: None)
    opaque(tmp_path / "scene", "masks/{}_mask.png")
    save(tmp_path / "scene" / "mask_old" / "0.png", np.zeros((44, 56), np.uint8))
    notes = load_scene(tmp_path / "scene").notes
    assert {note.split(":")[0] for note in notes} == {"split", "masks", "lens", "not used"}
    place = str(tmp_path / "scene")
    assert main(["info", place, "--init", "none", "--output", str(tmp_path / "info.png")]) == 0
    printed = capsys.readouterr().out
    run = [place, "--output", str(tmp_path / "out"), "--steps", "1", "--quiet", "--init", "sphere"]
    assert main(["reconstruct", *run]) == 0
    first = capsys.readouterr().out.split(" step")[0]
    for note in notes:
        assert note.split(": ", 1)[1] in printed and note.split(": ", 1)[1] in first
    told = json.loads((tmp_path / "out" / "run.json").read_text())["scene"]
    assert told["notes"] == list(notes)
    assert [f"{note['about']}: {note['text']}" for note in told["provenance"]] == list(notes)


def test_one_photograph_of_one_is_not_all_of_them() -> None:
    assert [share(1, 1), share(1, 2), share(2, 2)] == [
        "1 of 1 photographs", "1 of 2 photographs", "all 2 photographs",
    ]  # fmt: skip


@pytest.mark.parametrize("root", ["/home/somebody/scan", "C:\\Users\\me\\scan", "//server/share/scan"])
def test_absolute_paths_of_another_machine_are_found_by_their_ends(tmp_path: Path, root: str) -> None:
    write_transforms(tmp_path)
    content = json.loads((tmp_path / "transforms.json").read_text())
    for frame in content["frames"]:
        frame["file_path"] = f"{root}/{frame['file_path']}".replace("/", "\\" if "\\" in root else "/")
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    scene = load_scene(tmp_path, reading=WHOLE)
    assert worst_miss(scene.train) < 0.1
    told = f"paths of another place in all {COUNT} photographs: images/0.png is read for {root[:2]}"
    assert told in said(scene, "images")
    (tmp_path / "images" / "3.png").unlink()
    with pytest.raises(FileNotFoundError, match="frame 3"):
        load_scene(tmp_path, reading=WHOLE)


def profile(name: str, version: int) -> bytes:
    """An ICC profile with nothing but its name."""
    if version == 2:
        text = b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name.encode() + b"\0"
    else:
        word = name.encode("utf-16-be")
        text = b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(word), 28) + word
    return bytes(128) + struct.pack(">I4sII", 1, b"desc", 144, len(text)) + text


@pytest.mark.parametrize("version", [2, 4])
def test_colour_profiles_that_are_not_applied_are_said(tmp_path: Path, version: int) -> None:
    folder = write_transforms(tmp_path)
    for number, name in enumerate(["sRGB IEC61966-2.1", "Display P3", "Display P3", "Adobe RGB (1998)"]):
        file = folder / "images" / f"{number}.png"
        Image.open(file).save(file, icc_profile=profile(name, version))
    told = said(load_scene(folder, reading=WHOLE), "not used")
    assert f"colour profile Display P3 of 2 of {COUNT} photographs: colours are read as those of sRGB" in told
    assert f"colour profile Adobe RGB (1998) of 1 of {COUNT} photographs" in told and "IEC61966" not in told


def test_what_begins_with_the_name_of_a_photograph_is_said(tmp_path: Path) -> None:
    opaque(tmp_path, "{}_seg.png")
    scene = load_scene(tmp_path, reading=WHOLE)
    assert "images under the names of photographs" in "\n".join(scene.notes)
