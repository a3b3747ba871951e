"""The report of a run: what it packs is unpacked again, what it warns of is true, what can be clicked is clicked."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from browser import CHROMIUM, Page, browsing
from test_compare_report import Reader, disc

from largesteps_zg.cameras import look_at
from largesteps_zg.images import linear_to_srgb, srgb_to_linear
from largesteps_zg.mesh import Mesh, icosphere
from largesteps_zg.output.export import Material, TexturedMesh
from largesteps_zg.output.pictures.bare import LIGHTS
from largesteps_zg.output.report.page import write_run_report
from largesteps_zg.output.report.pictures import outline_error
from largesteps_zg.output.report.surface import packed_surface, thinned
from largesteps_zg.output.report.told import numbers, warnings
from largesteps_zg.output.run_folder import RunFolder
from largesteps_zg.reconstruct import Settings, reconstruct
from largesteps_zg.scenes.synthetic import scene_from_mesh

Z_UP = torch.tensor([0.0, 0.0, 1.0])


def camera_at(x: float, y: float, z: float):
    return look_at(torch.tensor([[x, y, z]]), torch.zeros(3), fov_y_degrees=45.0, height=8, width=8)


def unpacked(surface: dict[str, Any], name: str, kind: str, width: int) -> np.ndarray:
    return np.frombuffer(base64.b64decode(surface[name]), dtype=kind).reshape(-1, width)


# --- the surface -----------------------------------------------------------------------------------------------------


def test_a_surface_stands_upright_in_the_unit_sphere() -> None:
    """Of a box 4 x 2 x 4 around (10, 0, 2) with z up: its half diagonal is 3, and (x, y, z) is (x, z, -y)."""
    points = torch.tensor([[8.0, -1, 0], [12, -1, 0], [12, 1, 4], [8, 1, 0]])
    mesh = Mesh(points, torch.tensor([[0, 1, 2], [0, 2, 3]]), torch.tensor([[0.0, 0.5, 1.0]] * 4))
    made = packed_surface(mesh, up=Z_UP, camera=camera_at(10.0, -5.0, 2.0))
    places = unpacked(made, "positions", "<u2", 3) / 65535 * 2 - 1
    expected = np.array([[-2, -2, 1], [2, -2, 1], [2, 2, -1], [-2, -2, -1]]) / 3
    np.testing.assert_allclose(places, expected, atol=2e-5)
    assert unpacked(made, "faces", "<u4", 3).tolist() == mesh.faces.tolist()
    srgb = (255 * linear_to_srgb(torch.tensor([0.0, 0.5, 1.0]))).round().tolist()
    assert unpacked(made, "colors", "u1", 3).tolist() == [srgb] * 4
    np.testing.assert_allclose(made["from"], [0, 0, 5], atol=1e-5)  # from -y, which is the page's front
    assert (made["given"], made["shown"], made["vertices"], made["image"]) == (2, 2, 4, None)


def test_a_texture_is_cut_open_and_counts_from_above() -> None:
    square = Mesh(
        torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]), torch.tensor([[0, 1, 2], [0, 2, 3]])
    )
    uv = torch.tensor([[0, 0], [0.5, 0], [0.5, 1], [0.5, 0], [1, 1], [0.5, 1.0]])
    textured = TexturedMesh(
        square, uv, torch.tensor([[0, 1, 2], [3, 4, 5]]), torch.zeros(8, 8, 3, dtype=torch.uint8)
    )
    made = packed_surface(textured, up=Z_UP, camera=camera_at(0.0, 0.0, 5.0))
    assert made["image"].startswith("data:image/jpeg;base64,") and made["vertices"] == 6
    places = unpacked(made, "places", "<u2", 2) / 65535
    np.testing.assert_allclose(places, np.stack([uv[:, 0], 1 - uv[:, 1]], 1), atol=1e-5)
    faces = unpacked(made, "faces", "<u4", 3)
    corners = unpacked(made, "positions", "<u2", 3)[faces] / 65535 * 2 - 1
    turned = (
        (square.vertices[square.faces].numpy() - [0.5, 0.5, 0])[..., [0, 2, 1]] * [1, 1, -1] / math.sqrt(0.5)
    )
    np.testing.assert_allclose(corners, turned, atol=2e-5)


def test_faces_that_diverged_are_left_out() -> None:
    points = icosphere(0).vertices
    points[3, 1] = math.nan
    made = packed_surface(Mesh(points, icosphere(0).faces), up=Z_UP, camera=camera_at(0.0, -5.0, 0.0))
    assert (made["given"], made["shown"]) == (15, 15)  # five meet at each corner of twenty
    assert 3 not in unpacked(made, "faces", "<u4", 3)


def test_a_large_mesh_is_thinned_where_it_is() -> None:
    ball = icosphere(4, dtype=torch.float64)  # 2,562 vertices
    vertices, faces = ball.vertices.numpy(), ball.faces.numpy()
    slope = np.array([[0.3, 0.1, 0.0], [0.0, 0.2, 0.3], [0.1, 0.0, 0.2]])
    fewer, left, colors = thinned(vertices, faces, vertices @ slope, 700)
    assert 350 < len(fewer) <= 700 and 700 < len(left) < 1400
    np.testing.assert_allclose(colors, fewer @ slope, atol=1e-12)  # linear in the place before and after
    # Euler: a closed sphere still, and of nearly its volume.
    edges = {
        tuple(sorted(edge)) for face in left.tolist() for edge in zip(face, face[1:] + face[:1], strict=True)
    }
    assert len(np.unique(left)) - len(edges) + len(left) == 2
    volume = np.einsum("ij,ij->", fewer[left[:, 0]], np.cross(fewer[left[:, 1]], fewer[left[:, 2]])) / 6
    assert 0.9 < volume / (4 / 3 * math.pi) < 1
    made = packed_surface(ball, up=Z_UP, camera=camera_at(0.0, -5.0, 0.0), most=700)
    assert made["vertices"] == len(fewer) and (made["given"], made["shown"]) == (5120, len(left))


# --- what it says ----------------------------------------------------------------------------------------------------


def test_an_outline_that_is_off_by_a_pixel() -> None:
    """A square of 10 pixels moved by one: 2 x 10 pixels differ, 36 lie along its outline."""
    mask, moved, grown = (np.zeros((20, 20), dtype=bool) for _ in range(3))
    mask[5:15, 5:15], moved[5:15, 6:16], grown[4:16, 4:16] = True, True, True
    assert outline_error(mask, mask) == 0 and outline_error(mask, moved) == pytest.approx(20 / 36)
    assert outline_error(mask, grown) == pytest.approx(44 / 36)  # a ring of 12 x 12 - 10 x 10
    # Cut off by the border of the picture: that side is no outline, 10 + 2 x 8 pixels are.
    assert outline_error(mask[:, 6:], grown[:, 6:]) == pytest.approx((12 * 10 - 9 * 10) / 26)
    assert math.isnan(outline_error(np.zeros_like(mask), mask))


CONTENT: dict[str, Any] = {
    "finished": True, "stopped": None, "steps": 4, "settings": {"steps": 4, "lambda_": 19.0}, "device": "cpu",
    "versions": {"python": "3"}, "appearance": {}, "patches": None, "cameras": {}, "cameras_off_pixels": None,
    "scene": {"path": "a/scene", "format": "idr", "views": 4, "size": [24, 32], "provenance": []},
    "remeshed": [2], "not_remeshed": [], "loss": [0.5, 0.25, None, 0.125], "options": {"scene": "<b>"},
    "start": ["hull: a"],
    "mesh": {"vertices": 2562, "faces": 5120, "watertight": True, "components": 1, "genus": 0, "flipped_faces": 0,
             "degenerate_faces": 0, "self_intersecting_faces": 0},
    "held_out": {"psnr_db": 31.25, "psnr_srgb_db": 30.0, "mask_iou": 0.9},
    "views_seeing": {"unseen": 0, "histogram": [0, 2562]}, "seconds": 8.0,
    "seconds_by_phase": {"render": 6.0, "solve": 1.5},
    "peak_memory_mib_after": {"load": 100.0, "pictures": 200.0}, "not_written": {},
}  # fmt: skip


@pytest.fixture
def content() -> dict[str, Any]:
    return json.loads(json.dumps(CONTENT))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the report of a grey ball, seen from the front."""
    path = tmp_path_factory.mktemp("run")
    (path / "mesh.ply").touch()
    ball = packed_surface(icosphere(4), up=Z_UP, camera=camera_at(0.0, -5.0, 0.0))
    views = {"targets": disc((1, 0, 0)), "results": disc((0, 0, 1)), "surfaces": disc((0.5, 0.5, 0.5))}
    write_run_report(
        path / "report.html",
        CONTENT,
        surface=ball,
        **views,
        names=["a", "b"],
        links=[("mesh.ply", "the mesh")],
    )
    return path


def test_a_sound_run_has_no_warnings(content: dict[str, Any]) -> None:
    assert warnings(content, [("a", 1.0)]) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"stopped": "interrupted"}, "stopped at step 4"),
        ({"stopped": "loss is nan"}, "ended early: loss is nan"),
        ({"not_written": {"a/mesh.obj": "disk full"}}, "a/mesh.obj could not be written: disk full"),
        ({"scene": {"provenance": [{"about": "not used", "text": "b.txt"}]}}, "Not used: b.txt"),
        ({"mesh": {"flipped_faces": 2, "self_intersecting_faces": 3, "faces": 40}}, "5 of 40 faces"),
        ({"views_seeing": {"unseen": 5, "histogram": [5, 15]}}, "25% of the vertices"),
        ({"not_remeshed": [3], "remeshed": [1, 2]}, "at 1 of 3 occasions"),
        ({"cameras": {"a": {}}, "cameras_off_pixels": 1.5}, "off by 1.5 pixels"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_what_is_wrong_is_said_once(content: dict[str, Any], change: dict[str, Any], text: str) -> None:
    [found] = warnings({**content, **change})
    assert text in found.text and found.cure


def test_an_outline_that_is_off_is_a_warning(content: dict[str, Any]) -> None:
    found = warnings(content, [("a.png", 1.04), ("b.png", 0.9)])
    assert [warning.text for warning in found if "outline" in warning.text] == [
        "The outline of a.png is off by 1.0 pixels."
    ]


def test_numbers_say_what_they_mean(content: dict[str, Any]) -> None:
    content["mesh"]["distance_to_truth"] = {"chamfer_permille": 0.3, "f_score": 0.99}
    content |= {"patches": {"agreement": 0.5, "share": 0.25}, "cameras_off_pixels": 0.5, "cameras": {}}
    content["appearance"] = {"gloss": {"mean": 0.1}}
    found = {number.name: number for number in numbers(content)}
    assert found["Held-out PSNR"].value == "31.2 dB"
    assert found["Chamfer distance"].value == "0.30 ‰" and "25%" in found["Photographs agree"].meaning
    assert found["Cameras"].meaning.endswith("kept as given") and "Gloss" in found


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_needs_nothing_else(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Reader(text)
    assert len(page.all("img")) == 2 * 4
    for tag, attributes, _ in page.elements:
        assert tag not in ("link", "iframe", "object", "embed"), tag
        assert (attributes.get("src") or "data:").startswith("data:"), (tag, attributes)
        address = attributes.get("href") or "mesh.ply"
        assert address.startswith("file:") or (folder / address).is_file(), address
    [(policy, _)] = [found for found in page.all("meta") if "Content-Security-Policy" in str(found[0])]
    assert str(policy["content"]).startswith("default-src 'none'; img-src data:;")
    assert not re.search(r"https?:|@import|url\(", text)


def test_the_page_holds_the_mesh_and_escapes_what_it_is_told(folder: Path) -> None:
    page = Reader((folder / "report.html").read_text(encoding="utf-8"))
    [(_, packed)] = [found for found in page.all("script") if found[0].get("id") == "surface"]
    surface = json.loads(packed)
    assert surface["vertices"] == 2562 == len(unpacked(surface, "positions", "<u2", 3))
    assert "<b>" in [text for _, text in page.all("dd")]  # the option, not an element


def test_a_name_cannot_end_the_script(content: dict[str, Any], tmp_path: Path) -> None:
    picture = np.ones((1, 4, 4, 4), dtype=np.float32)
    write_run_report(
        tmp_path / "r.html", content, surface={"given": 1, "shown": 1, "text": "</script><i>"}, targets=picture,
        results=picture, surfaces=picture, names=["</figure>"],
    )  # fmt: skip
    page = Reader((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert [json.loads(text)["text"] for attributes, text in page.all("script") if "id" in attributes] == [
        "</script><i>"
    ]


@pytest.mark.slow
def test_a_run_leaves_its_report_or_says_why_not(tmp_path: Path) -> None:
    made = scene_from_mesh(icosphere(1), views=6, test_views=1, height=16, width=16)
    scene = dataclasses.replace(made, mesh=None)
    watching = RunFolder(tmp_path, scene, {})
    (tmp_path / "report.html" / "in the way").mkdir(parents=True)
    state = next(reconstruct(scene.train, Settings(steps=1, views_per_step=1, remesh="off")))
    found = watching.finish(state, stopped="interrupted")
    assert str(tmp_path / "report.html") in found["not_written"] and found["finished"] is False
    stored = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert stored["not_written"] == found["not_written"]
    os.rename(tmp_path / "report.html", tmp_path / "moved")
    again = RunFolder(tmp_path, scene, {}).finish(state, stopped="interrupted")
    assert again["not_written"] == {}
    page = Reader((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert any("stopped at step 1" in text for _, text in page.all("li"))
    [(_, packed)] = [found for found in page.all("script") if found[0].get("id") == "surface"]
    assert json.loads(packed)["vertices"] == again["mesh"]["vertices"]
    assert {attributes["href"] for attributes, _ in page.all("a")} >= {
        "mesh.ply",
        "mesh.glb",
        "progression.gif",
    }
    assert len(page.all("img")) == 4  # of one held-out view: the photograph, and three to lie over it


PICTURE = """(async () => {
await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
const made = document.createElement("canvas"), pen = made.getContext("2d");
made.width = made.height = 64; pen.drawImage(document.querySelector("canvas"), 0, 0, 64, 64);
return [...pen.getImageData(0, 0, 64, 64).data]; })()"""
LAYERS = """[...document.querySelectorAll(".pair")].map(pair => [...pair.querySelectorAll(".over")].filter(
image => getComputedStyle(image).display !== "none").map(image => image.alt.split(" ")[0]).join())"""
STRAY = """new Promise(done => { addEventListener("securitypolicyviolation", () => done(true));
new Image().src = "http://127.0.0.1:9/"; setTimeout(() => done(false), 3000); })"""


def drawn(page: Page) -> np.ndarray:
    """(64, 64, 4): the object as it is drawn."""
    return np.array(page.run(PICTURE)).reshape(64, 64, 4)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browsing(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def page(folder: Path, browser: Page) -> Iterator[Page]:
    browser.requests.clear()
    browser.open((folder / "report.html").as_uri())
    yield browser
    assert browser.errors == []


def in_browser(test: Any) -> Any:
    return pytest.mark.slow(pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")(test))


@in_browser
def test_the_object_is_shown_in_four_ways(page: Page) -> None:
    found = []
    for number in range(4):
        page.run(f"document.querySelectorAll('input[name=mode]')[{number}].click()")
        found.append(drawn(page))
    covered = [(picture[..., 3] > 127).mean() for picture in found]
    # A ball of radius 1 seen from 2.8 through a lens of 2.6: half as high as 2.6 tan(asin(1 / 2.8)), as wide as high.
    wide, high = page.run("[document.querySelector('canvas').width, document.querySelector('canvas').height]")
    expected = math.pi / 4 * (2.6 / math.sqrt(2.8**2 - 1)) ** 2 * high / wide
    np.testing.assert_allclose(covered, expected, rtol=0.04)
    middle = [picture[28:36, 28:36, :3].mean(axis=(0, 1)) for picture in found]
    # A grey ball; clay; a normal towards the eye is blue; dark wires over clay, of which this small picture has few.
    assert np.ptp(middle[0]) < 10 and np.ptp(middle[1]) < 15
    np.testing.assert_allclose(middle[2], [127, 127, 255], atol=12)
    assert (found[3] < found[1] - 20).any(axis=-1).mean() > 0.02


@in_browser
def test_a_texture_lies_as_in_its_image(page: Page, content: dict[str, Any], tmp_path: Path) -> None:
    """A square that stands upright before the eye, its image in four colours."""
    points = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    image = torch.zeros(64, 64, 3, dtype=torch.uint8)
    image[:32, :32, 0], image[:32, 32:, 1], image[32:, :32, 2], image[32:, 32:] = 255, 255, 255, 255
    textured = TexturedMesh(Mesh(points, faces), points[:, [0, 2]], faces, image)
    surface = packed_surface(textured, up=Z_UP, camera=camera_at(0.5, -5.0, 0.5))
    picture = {name: disc((1, 0, 0)) for name in ("targets", "results", "surfaces")}
    write_run_report(tmp_path / "r.html", content, surface=surface, names=["a", "b"], **picture)
    page.open((tmp_path / "r.html").as_uri(), width=600, height=600)
    page.until(f"({PICTURE}).then(p => p[4 * (24 * 64 + 26)] > 150 && p[4 * (24 * 64 + 26) + 1] < 60)")
    shown = drawn(page)
    assert (shown[24, 38, :3] > 150).tolist() == [False, True, False]
    assert (shown[40, 26, :3] > 150).tolist() == [False, False, True]
    assert (shown[40, 38, :3] > 150).all()


@in_browser
@pytest.mark.parametrize("metal", [0, 1])
def test_gloss_is_shown_under_the_lamps(
    page: Page, content: dict[str, Any], tmp_path: Path, metal: int
) -> None:
    """The middle of a ball faces the eye: n.v = 1, and half-way to a lamp at angle t lies t / 2. alpha = 0.6² here."""
    rough, base = 0.6, 0.3
    material = Material(
        torch.full((1, 1), round(255 * rough), dtype=torch.uint8),
        torch.full((1, 1), 255 * metal, dtype=torch.uint8),
    )
    ball = icosphere(4)
    surface = packed_surface(
        Mesh(ball.vertices, ball.faces, torch.full_like(ball.vertices, base)),
        up=Z_UP,
        camera=camera_at(0.0, -5.0, 0.0),
        material=material,
    )
    assert surface["gloss"] == [rough, metal, 0.04]
    picture = {name: disc((1, 0, 0)) for name in ("targets", "results", "surfaces")}
    write_run_report(tmp_path / "r.html", content, surface=surface, names=["a", "b"], **picture)
    page.open((tmp_path / "r.html").as_uri(), width=600, height=600)
    straight = base if metal else 0.04
    light, mirrored = 0.06, straight * 0.435  # half of the room, half of its floor
    for (x, y, z), strength in LIGHTS:
        cosine = -z / math.sqrt(x * x + y * y + z * z)
        half, alpha = math.acos(cosine) / 2, rough**2
        d = alpha**2 / (
            math.pi * (math.cos(half) ** 4) * (alpha**2 + math.tan(half) ** 2) ** 2
        )  # Walter, eq. 33
        g = 2 / (
            1 + math.sqrt(1 + alpha**2 * math.tan(2 * half) ** 2)
        )  # eq. 34, towards the lamp; 1 to the eye
        fresnel = straight + (1 - straight) * (1 - math.cos(half)) ** 5
        light += strength * cosine
        # Joint masking is more than the product; here they differ by a few per cent.
        mirrored += strength * math.pi * fresnel * d * g / 4
    expected = mirrored + (0 if metal else base * (0.45 + 0.75 * light))
    shown = srgb_to_linear(torch.from_numpy(drawn(page)[30:34, 30:34, :3].mean(axis=(0, 1)) / 255))
    np.testing.assert_allclose(shown, expected, rtol=0.04)


@in_browser
def test_it_turns_comes_closer_and_goes_back(page: Page) -> None:
    page.run("document.querySelectorAll('input[name=mode]')[3].click()")
    before = drawn(page)
    x, y = page.run(
        "(b => [b.x + b.width / 2, b.y + b.height / 2])(document.querySelector('canvas').getBoundingClientRect())"
    )
    for kind, shift in (("mousePressed", 0), ("mouseMoved", 60), ("mouseReleased", 60)):
        page.ask(
            "Input.dispatchMouseEvent", type=kind, x=x + shift, y=y, button="left", buttons=1, clickCount=1
        )
    turned = drawn(page)
    assert (turned != before).any() and abs((turned[..., 3] > 127).sum() - (before[..., 3] > 127).sum()) < 40
    page.run("document.querySelector('canvas').focus()")
    for _ in range(3):
        page.ask("Input.dispatchKeyEvent", type="keyDown", key="+", text="+")
    assert (drawn(page)[..., 3] > 127).sum() > 1.2 * (before[..., 3] > 127).sum()
    page.run("document.querySelector('#stage button').click()")
    assert (drawn(page) == before).all()


@in_browser
def test_pictures_lie_over_photographs_up_to_the_line(page: Page) -> None:
    for number, name in enumerate(("result", "surface", "error")):
        page.run(f"document.querySelectorAll('input[name=layer]')[{number}].click()")
        assert page.run(LAYERS) == [name, name]
    page.run("document.querySelectorAll('input[name=layer]')[0].click()")
    page.run("document.querySelector('.pair').scrollIntoView()")
    box = page.run(
        "(b => [b.x, b.y, b.width, b.height])(document.querySelector('.pair').getBoundingClientRect())"
    )
    shown = []
    for share in (0.01, 0.99, 0.2):  # where the line goes
        for kind in ("mousePressed", "mouseReleased"):
            at = {"x": box[0] + share * box[2], "y": box[1] + box[3] / 2}
            page.ask("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)
        shown.append(page.picture().astype(int))
    cut = page.run("getComputedStyle(document.querySelector('.pair .below')).clipPath")
    assert abs(float(re.fullmatch(r"inset\(0px ([\d.]+)% 0px 0px\)", cut)[1]) - 80) < 4  # type: ignore[index]
    first, last, between = shown
    x, y, width, height = map(round, box)
    rows = slice(y + 3, y + height - 3)
    left, right, beside = (
        slice(x + width // 20, x + width // 6),
        slice(x + width // 4, x + width - 9),
        x + width + 3,
    )
    np.testing.assert_allclose(between[rows, left], last[rows, left], atol=4)  # the photograph, which is red
    np.testing.assert_allclose(between[rows, right], first[rows, right], atol=4)  # the result, which is blue
    assert np.abs(first - last)[rows, right].mean() > 50
    np.testing.assert_allclose(first[:, beside:], last[:, beside:], atol=4)  # nothing else has moved


@in_browser
def test_no_request_leaves_the_page(page: Page, folder: Path) -> None:
    assert page.requests == [(folder / "report.html").as_uri()]
    assert page.run("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert page.run(STRAY) is True  # not even one that somebody smuggled in


@in_browser
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_in_light_and_dark(page: Page, folder: Path, dark: bool) -> None:
    page.open((folder / "report.html").as_uri(), width=360, height=700, dark=dark)
    assert page.run("document.documentElement.scrollWidth") <= 360
    paper = page.run("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", paper))) < 60) is dark, paper
    assert bool(page.picture().mean() < 128) is dark
    assert (drawn(page)[..., 3] > 127).any()
