"""Masks by a segmentation network: a tiny one whose answer is known, written here byte by byte."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from photograph_files import HEIGHT, WIDTH, around, save_photographs, things
from PIL import Image

from largesteps_zg.mesh import Mesh
from largesteps_zg.renderers.rasterized import render
from largesteps_zg.scenes import Reading, load_scene, save_scene
from largesteps_zg.scenes.photographs import network
from largesteps_zg.scenes.photographs.network import Network, masks_by_network, model_of
from largesteps_zg.scenes.views import Scene, Views

IMAGENET = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
ISNET = np.array([[0.5, 0.5, 0.5], [1.0, 1.0, 1.0]])

# --- ONNX by hand: https://onnx.ai, onnx.proto3 ----------------------------------------------------------------------


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _value(name: str, sides: tuple[int, ...]) -> bytes:
    shape = b"".join(_field(1, _field(1, side)) for side in sides)
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, shape)))


def _node(kind: str, inputs: tuple[str, ...], output: str) -> bytes:
    return b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, kind)


def _tensor(name: str, array: np.ndarray) -> bytes:
    sides = b"".join(_field(1, side) for side in array.shape)
    return sides + _field(2, 1) + _field(8, name) + _field(9, struct.pack(f"<{array.size}f", *array.ravel()))


def save_network(
    path: Path,
    size: int,
    normal: np.ndarray,
    *,
    weights: tuple[float, ...] = (1.0, -1.0, 0.0),
    logits: bool = False,
) -> Path:
    """A network that says "object" where weights @ (r, g, b) > 0.1, from colours normalised by mean and deviation."""
    steep = 200.0
    weight = steep * normal[1] * np.array(weights)
    bias = steep * (float(normal[0] @ np.array(weights)) - 0.1)
    last = "y" if logits else "z"
    nodes = [_node("Conv", ("x", "w", "b"), "y")]
    nodes += [] if logits else [_node("Sigmoid", ("y",), "z")]
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, "g")
    graph += _field(5, _tensor("w", weight.reshape(1, 3, 1, 1))) + _field(5, _tensor("b", np.array([bias])))
    graph += _field(11, _value("x", (1, 3, size, size))) + _field(12, _value(last, (1, 1, size, size)))
    path.write_bytes(_field(1, 8) + _field(7, graph) + _field(8, _field(2, 13)))
    return path


@pytest.fixture
def runtime() -> None:
    pytest.importorskip("onnxruntime")


def picture(side: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Many colours, one of them white so that nothing is stretched, and where red exceeds green by a tenth."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    pixels[:8, :8] = 255
    light = pixels.astype(np.float64) / 255
    return pixels, light[..., 0] - light[..., 1] > 0.1


# --- one photograph --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind, size, normal, logits",
    [("u2net", 64, IMAGENET, False), ("isnet", 1024, ISNET, False), ("birefnet", 1024, IMAGENET, True)],
)
def test_each_kind_gets_colours_as_it_was_taught(
    runtime: None, tmp_path: Path, kind: str, size: int, normal: np.ndarray, logits: bool
) -> None:
    file = save_network(tmp_path / f"{kind}.onnx", size, normal, logits=logits)
    pixels, truth = picture()
    (mask,) = masks_by_network(file, [pixels])
    inner = np.zeros((8, 8), bool)
    inner[3:5, 3:5] = True  # the middles of squares: their borders are smoothed
    inner = np.tile(inner, (8, 8))
    assert mask.shape == (64, 64) and np.array_equal(mask[inner], truth[inner])


def test_what_was_found_is_kept(runtime: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = save_network(tmp_path / "a.onnx", 64, IMAGENET)
    pixels, _ = picture()
    told: list[str] = []
    first = masks_by_network(
        file, [pixels, pixels[::-1]], tmp_path / "kept", lambda _, text: told.append(text)
    )
    assert told[-1] == "masks of 2 of 2 photographs, by a.onnx"
    monkeypatch.setattr(network, "Network", None)
    again = masks_by_network(file, [pixels, pixels[::-1]], tmp_path / "kept")
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    with pytest.raises(TypeError):  # another network is asked anew
        masks_by_network(save_network(tmp_path / "b.onnx", 32, IMAGENET), [pixels], tmp_path / "kept")


@pytest.mark.parametrize("data", [b"", b"nonsense" * 9])
def test_a_file_that_is_no_network(runtime: None, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.onnx").write_bytes(data)
    with pytest.raises(
        ValueError, match=r"a\.onnx: the network cannot be loaded \(.*is it a whole ONNX file\?"
    ) as caught:
        Network(tmp_path / "a.onnx")
    assert "\n" not in str(caught.value)


def test_a_network_of_something_else(runtime: None, tmp_path: Path) -> None:
    graph = _field(1, _node("Sigmoid", ("x",), "y")) + _field(2, "g")
    graph += _field(11, _value("x", (1, 7))) + _field(12, _value("y", (1, 7)))
    (tmp_path / "a.onnx").write_bytes(_field(1, 8) + _field(7, graph) + _field(8, _field(2, 13)))
    with pytest.raises(ValueError, match=r"expected a network of one image \(1, 3, height, width\)"):
        Network(tmp_path / "a.onnx")


# --- what is at hand -------------------------------------------------------------------------------------------------


def nothing_downloaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "U2NET_HOME", "REMBG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(folder))


def test_nothing_is_asked_for_and_nothing_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing_downloaded(tmp_path, monkeypatch)
    assert model_of(Reading()) is None


def test_what_rembg_has_downloaded_is_found(
    runtime: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_downloaded(tmp_path, monkeypatch)
    old, new = (
        tmp_path / ".u2net" / "u2net.onnx",
        tmp_path / "models" / "isnet-general-use" / "isnet-general-use.onnx",
    )
    for file in (old, new):
        file.parent.mkdir(parents=True)
        file.write_bytes(b"")
        assert model_of(Reading()) == file
    assert model_of(Reading(mask_model=old)) == old


@pytest.mark.parametrize(
    "missing, cure", [("onnxruntime", "run by onnxruntime"), ("rembg.sessions", "downloaded by rembg")]
)
def test_what_is_not_installed_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, cure: str
) -> None:
    nothing_downloaded(tmp_path, monkeypatch)
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace())
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=cure + r'.*pip install "largesteps_zg\[masks\]"'):
        load_scene(tmp_path, reading=Reading(masks="rembg"))


def test_without_a_network_to_the_world_the_cure_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download_models() -> str:
        raise ConnectionError("Failed to resolve\nHTTPSConnectionPool")

    kind = SimpleNamespace(name=lambda: "isnet-general-use", download_models=download_models)
    nothing_downloaded(tmp_path, monkeypatch)
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "rembg", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "rembg.sessions", SimpleNamespace(sessions_class=[kind]))
    with pytest.raises(
        OSError, match=r"cannot be downloaded \(ConnectionError\); .* --mask-model FILE.onnx"
    ) as caught:
        load_scene(tmp_path, reading=Reading(masks="rembg"))
    assert "\n" not in str(caught.value)


def test_a_model_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError, match=r"mask model: a\.onnx: no such file"):
        Reading(mask_model=Path("a.onnx"))


# --- a scene ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten photographs of a red ball on a blue table, both textured, with given cameras and without masks."""
    folder = tmp_path_factory.mktemp("red")
    mesh, ball = things(), len(things(table=False).vertices)
    assert mesh.colors is not None
    colors = mesh.colors.clone()
    colors[:ball, 0] = 0.5 + 0.5 * colors[:ball, 0]
    colors[:ball, 1:] *= 0.3
    colors[ball:, :2] *= 0.1
    mesh = Mesh(mesh.vertices, mesh.faces, colors)
    cameras = around([36.0 * i for i in range(10)])
    files = save_photographs(folder / "files", mesh, cameras)
    images = np.stack([np.asarray(Image.open(file).convert("RGBA")) for file in files])
    images[3, 5:25, 5:25, :3] = (250, 10, 10)  # something red in one photograph alone
    views = Views(torch.from_numpy(images), cameras, tuple(file.stem for file in files))
    save_scene(folder / "scene", Scene(None, "transforms", views))
    return folder / "scene"


def true_masks() -> np.ndarray:
    mesh, cameras = things(table=False), around([36.0 * i for i in range(10)]).to(dtype=torch.float32)
    return np.stack([
        render(mesh.vertices, mesh.faces, torch.ones(len(mesh.vertices), 1), cameras[i])[0, ..., 1].numpy() > 0.5
        for i in range(10)
    ])  # fmt: skip


@pytest.mark.slow
def test_a_scene_without_masks_gets_those_of_the_network(
    runtime: None, capture: Path, tmp_path: Path
) -> None:
    file = save_network(tmp_path / "red.onnx", 320, IMAGENET, weights=(1.0, 0.0, -1.0))
    scene = load_scene(capture, reading=Reading(mask_model=file, hold_out=0, cameras=tmp_path))
    assert scene.masked and scene.train.images.shape[1:3] == (HEIGHT, WIDTH)
    assert "the network red.onnx, and what the views agree on, in all 10 photographs" in " ".join(scene.notes)
    masks, truth = scene.train.images[..., 3].numpy() >= 128, true_masks()
    assert not masks[3, :30, :30].any()  # no other view has it
    overlap = (masks & truth).sum(axis=(1, 2)) / (masks | truth).sum(axis=(1, 2))
    assert overlap.min() > 0.97
    assert len(list((tmp_path / "network").glob("*.png"))) == 10


def test_a_network_that_finds_nothing_is_said(runtime: None, capture: Path, tmp_path: Path) -> None:
    file = save_network(tmp_path / "blind.onnx", 64, IMAGENET, weights=(0.0, 0.0, 0.0))
    with pytest.raises(
        ValueError, match=r"blind\.onnx finds no object in 10 photographs of 10 .*--masks none"
    ):
        load_scene(capture, reading=Reading(mask_model=file))


@pytest.mark.slow
def test_the_background_goes_before_the_network_unless_it_is_asked_for(runtime: None, tmp_path: Path) -> None:
    cameras = around([36.0 * i for i in range(10)])
    mesh = things(table=False)
    files = save_photographs(tmp_path / "files", mesh, cameras)
    images = np.stack([np.asarray(Image.open(file).convert("RGBA")) for file in files])
    views = Views(torch.from_numpy(images), cameras, tuple(file.stem for file in files))
    save_scene(tmp_path / "scene", Scene(None, "transforms", views))
    file = save_network(tmp_path / "bright.onnx", 320, IMAGENET, weights=(1.0, 1.0, 1.0))
    first = load_scene(tmp_path / "scene", reading=Reading(mask_model=file))
    assert "the background's colour" in " ".join(first.notes)
    assert f"{file}: the background is of one colour" in first.notes[-1]
    asked = load_scene(tmp_path / "scene", reading=Reading(mask_model=file, masks="rembg"))
    assert "the network bright.onnx" in " ".join(asked.notes)
