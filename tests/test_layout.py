"""Texture coordinates of a start mesh: from its file through mending and a run into the files that the run writes."""

from __future__ import annotations

import itertools
import json
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from test_condition import boxes, joined

from largesteps_zg.cli.main import main
from largesteps_zg.mesh import Mesh, icosphere, load_mesh, save_mesh
from largesteps_zg.mesh.mending.condition import conditioned
from largesteps_zg.mesh.texture_layout import Layout
from largesteps_zg.output import evaluate
from largesteps_zg.output.evaluate import mesh_report
from largesteps_zg.output.export import TexturedMesh, bake
from largesteps_zg.output.export.layout_use import overlap
from largesteps_zg.output.export.texture_choice import TextureChoice, choose_texture
from largesteps_zg.output.run_files import RunFiles
from largesteps_zg.output.run_folder import RunFolder
from largesteps_zg.reconstruct.starts import start_from_file
from largesteps_zg.scenes import load_scene, save_scene
from largesteps_zg.scenes.synthetic import scene_from_mesh

N = 4  # squares along a side of the ball's six charts
RADIUS = 3.0
SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"
PLACES = "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
FACES = "f 1/1 2/2 3/3\nf 1/1 3/3 4/4\n"


def ball_in_charts() -> tuple[np.ndarray, np.ndarray]:
    """A cube blown up to a ball: corners (F, 3, 3) and their places (F, 3, 2), six charts side by side."""
    corners, places = [], []
    ticks = np.linspace(-1, 1, N + 1)
    for side, (axis, sign) in enumerate(itertools.product(range(3), (1.0, -1.0))):
        for i, j in itertools.product(range(N), range(N)):
            square = np.zeros((4, 3))
            cells = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)]
            square[:, axis] = sign
            square[:, (axis + 1) % 3] = [ticks[a] for a, _ in cells]
            square[:, (axis + 2) % 3] = [ticks[b] for _, b in cells]
            place = np.array(cells) / N * 0.3 + [side % 3 / 3 + 0.015, side // 3 / 2 + 0.1]
            for triangle in ([0, 1, 2], [0, 2, 3]):
                triangle = triangle if sign > 0 else triangle[::-1]
                corners.append(square[triangle])
                places.append(place[triangle])
    points = np.array(corners)
    return RADIUS * points / np.linalg.norm(points, axis=2, keepdims=True), np.array(places)


def write_obj(path: Path, corners: np.ndarray, places: np.ndarray, image: int | None = None) -> None:
    """Positions and places numbered by themselves, as modelling programs write them."""
    lines, triples = [], []
    if image is not None:
        Image.new("RGB", (image, image), (200, 100, 50)).save(path.with_suffix(".jpg"))
        path.with_suffix(".mtl").write_text(f"newmtl skin\nmap_Kd {path.with_suffix('.jpg').name}\n")
        lines += [f"mtllib {path.with_suffix('.mtl').name}", "usemtl skin"]
    for kind, rows in (("v", corners.reshape(-1, 3)), ("vt", places.reshape(-1, 2))):
        unique, index = np.unique(rows.round(6), axis=0, return_inverse=True)
        lines += [" ".join([kind, *(f"{x:.6f}" for x in row)]) for row in unique]
        triples.append(index.reshape(-1, 3) + 1)
    lines += [
        "f " + " ".join(f"{a}/{b}" for a, b in zip(*face, strict=True)) for face in zip(*triples, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")


def write_glb(path: Path, corners: np.ndarray, places: np.ndarray, image: int) -> None:
    """By trimesh, each corner a vertex of its own."""
    material = trimesh.visual.material.PBRMaterial(
        baseColorTexture=Image.new("RGB", (image, image), (9, 99, 200))
    )
    visual = trimesh.visual.TextureVisuals(uv=places.reshape(-1, 2), material=material)
    faces = np.arange(3 * len(corners)).reshape(-1, 3)
    trimesh.Trimesh(corners.reshape(-1, 3), faces, visual=visual, process=False).export(path)


def read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, int]:
    """Corners, their places, and how many rows of places there are."""
    lines = [line.split() for line in path.read_text().splitlines()]
    points = np.array([line[1:] for line in lines if line[0] == "v"], dtype=float)
    places = np.array([line[1:] for line in lines if line[0] == "vt"], dtype=float)
    triples = [[corner.split("/") for corner in line[1:]] for line in lines if line[0] == "f"]
    index = np.array([[[int(v), int(vt)] for v, vt, _ in face] for face in triples]) - 1
    return points[index[..., 0]], places[index[..., 1]], len(places)


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["obj", "glb"])
def test_each_corner_keeps_its_place(tmp_path: Path, suffix: str) -> None:
    corners, places = ball_in_charts()
    {"obj": write_obj, "glb": write_glb}[suffix](tmp_path / f"a.{suffix}", corners, places, 64)
    start = start_from_file(tmp_path / f"a.{suffix}")
    # An OBJ's vertices are whole already; a GLB's are split at seams, here everywhere.
    assert start.done == ([] if suffix == "obj" else ["welded 478 coincident vertices"])
    assert len(start.mesh.vertices) == 6 * N * N + 2 and start.fault == ""
    np.testing.assert_allclose(start.mesh.vertices[start.mesh.faces], corners, atol=2e-6)
    np.testing.assert_allclose(start.layout.corners, places, atol=2e-6)
    assert start.layout.size == 64 and start.layout.obstacle == "" and overlap(start.layout) < 0.01


def test_a_ply_has_places_at_its_vertices_or_faces(tmp_path: Path) -> None:
    head = "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    index, end = "element face 2\nproperty list uchar int vertex_indices\n", "end_header\n"
    (tmp_path / "a.ply").write_text(
        f"{head}property float s\nproperty float t\n{index}{end}"
        "0 0 0 0 0\n1 0 0 .5 0\n1 1 0 .5 .5\n0 1 0 0 .5\n3 0 1 2\n3 0 2 3\n"
    )
    (tmp_path / "b.ply").write_text(
        f"{head}{index}property list uchar float texcoord\n{end}"
        "0 0 0\n1 0 0\n1 1 0\n0 1 0\n3 0 1 2 6 0 0 .5 0 .5 .5\n3 0 2 3 6 0 0 .5 .5 0 .5\n"
    )
    expected = torch.tensor([[[0, 0], [0.5, 0], [0.5, 0.5]], [[0, 0], [0.5, 0.5], [0, 0.5]]])
    for name in ("a.ply", "b.ply"):
        assert torch.equal(start_from_file(tmp_path / name).layout.corners, expected)


def test_colours_on_a_seam_are_those_of_its_two_sides(tmp_path: Path) -> None:
    # Red left, green in the middle, blue right; the edge 1 3 is red in one triangle and blue in the other.
    Image.fromarray(np.eye(3, dtype=np.uint8)[None].repeat(3, axis=0) * 255).save(tmp_path / "a.png")
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd a.png\n")
    seam = "vt 0 0\nvt .5 .5\nvt .5 .5\nvt .5 .5\nvt 1 1\nf 1/1 2/1 3/1\nf 1/5 3/5 4/5\n"
    (tmp_path / "a.obj").write_text("mtllib a.mtl\nusemtl m\n" + SQUARE + seam)
    mesh = load_mesh(tmp_path / "a.obj")
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert mesh.colors.tolist() == [[0.5, 0, 0.5], [1, 0, 0], [0.5, 0, 0.5], [0, 0, 1]]


def test_two_vertices_of_an_obj_in_one_place_stay_two(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text(
        SQUARE + "v 0 1 0\n" + PLACES + "f 1/1 2/2 3/3\nf 3/3 4/4 5/4\nf 1/1 3/3 5/4\n"
    )
    assert load_mesh(tmp_path / "a.obj").faces.tolist() == [[0, 1, 2], [2, 3, 4], [0, 2, 4]]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (PLACES.replace("1 0", "nan 0") + FACES, "those at 1 of 6 corners are not finite"),
        (PLACES + FACES.replace("4/4", "4/7"), "not all corners of its faces have them"),
        (PLACES + FACES.replace("1/1 3/3 4/4", "1 3 4"), "not all corners of its faces have them"),
        ("vt 0\nvt 1\nvt 0\nvt 1\n" + FACES, "not all corners of its faces have them"),
        ("vt .5 .5\n" * 4 + FACES, "the faces have no area in the image"),
        (FACES.replace("/1", "").replace("/2", "").replace("/3", "").replace("/4", ""), ""),
    ],
    ids=["nan", "range", "some", "one number", "one point", "none"],
)
def test_unusable_coordinates_are_a_note(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "a.obj").write_text(SQUARE + text)
    start = start_from_file(tmp_path / "a.obj")
    assert start.layout is None and start.fault == fault and len(start.mesh.faces) == 2
    choice, notes = choose_texture(None, start.layout, keeps_faces=True, fault=start.fault)
    assert not choice.wanted and notes == ([f"texture coordinates left out: {fault}"] if fault else [])
    assert choose_texture(64, None, keeps_faces=True)[0] == TextureChoice(True, 64)


def test_parts_share_an_image_or_have_no_common_layout(tmp_path: Path) -> None:
    for name, color in (("a", (255, 0, 0)), ("b", (0, 0, 255))):
        Image.new("RGB", (32, 32), color).save(tmp_path / f"{name}.png")
    (tmp_path / "m.mtl").write_text(
        "newmtl a\nmap_Kd a.png\nnewmtl b\nmap_Kd b.png\nnewmtl c\nmap_Kd a.png\n"
    )
    first, second = FACES.splitlines(keepends=True)
    for other, obstacle in (("b", "its parts do not share one image"), ("c", "")):
        text = "mtllib m.mtl\n" + SQUARE + PLACES + "usemtl a\n" + first + f"usemtl {other}\n" + second
        (tmp_path / "a.obj").write_text(text)
        layout = start_from_file(tmp_path / "a.obj").layout
        assert layout.obstacle == obstacle
        assert layout.size == (None if obstacle else 32)


# --- mending ---------------------------------------------------------------------------------------------------------

BALL = icosphere(1, dtype=torch.float64)
TWICE = Mesh(  # in the midst of the others, so that these move up
    BALL.vertices,
    torch.cat([torch.tensor([[3, 3, 4]]), BALL.faces[:9], BALL.faces[7:9].roll(1, 1), BALL.faces[9:]]),
)
PILLARS = [*itertools.product((0, 1), (0, 1), (0, 2)), (0, 0, 1), (1, 1, 1)]


def turned(mesh: Mesh, which: slice) -> Mesh:
    faces = mesh.faces.clone()
    faces[which] = faces[which].flip(1)
    return Mesh(mesh.vertices, faces)


@pytest.mark.parametrize(
    ("mesh", "phrases"),
    [
        (BALL, []),
        (Mesh(BALL.vertices[BALL.faces].reshape(-1, 3), torch.arange(240).view(-1, 3)), ["welded"]),
        (turned(BALL, slice(20, 50)), ["turned 30 faces"]),
        (turned(BALL, slice(None)), ["turned it inside out"]),
        (TWICE, ["dropped 1 face of no area", "dropped 2 duplicate faces"]),
        (boxes((0, 0, 0), (1, 1, 0)), ["welded", "split 1 edge"]),
        (boxes((0, 0, 0), (1, 1, 1)), ["welded", "split 1 vertex"]),
        (boxes(*PILLARS), ["welded", "split 1 edge"]),  # which cuts faces in two
        (joined(turned(boxes((0, 0, 0)), slice(None)), boxes((3, 0, 0))), ["welded", "turned 1 of 2 parts"]),
    ],
    ids=["sound", "seams", "wound", "inside out", "dropped", "edge", "corner", "pillars", "parts"],
)
def test_values_at_corners_go_where_their_faces_go(mesh: Mesh, phrases: list[str]) -> None:
    """A linear function of the position stays one, and the number of a face stays at all its corners."""
    slope = torch.tensor([[1.0, 0.2], [-0.3, 1.0], [0.5, 0.7]], dtype=torch.float64)
    numbers = torch.arange(len(mesh.faces)).double()[:, None, None].expand(-1, 3, 1)
    corners = torch.cat([mesh.vertices[mesh.faces] @ slope, numbers], dim=2)
    whole, after, done = conditioned(mesh, corners)
    assert len(done) == len(phrases) and all(d.startswith(p) for d, p in zip(done, phrases, strict=True)), (
        done
    )
    torch.testing.assert_close(after[..., :2], whole.vertices[whole.faces] @ slope)
    assert torch.equal(after[..., 2].amin(1), after[..., 2].amax(1))
    old = mesh.vertices[mesh.faces[after[:, 0, 2].long()]]
    # In the plane of that face, and inside it.
    shares = torch.linalg.lstsq(
        torch.cat([old, torch.ones_like(old[..., :1])], dim=2).mT,
        torch.cat([whole.vertices[whole.faces], torch.ones(len(whole.faces), 3, 1)], dim=2).mT,
    ).solution
    assert float(shares.min()) > -1e-9 and float(shares.max()) < 1 + 1e-9


def test_a_place_that_vertices_share_becomes_one_for_each() -> None:
    """Six sides of a box over the whole image: 4 places for 8 vertices."""
    box = boxes((0, 0, 0))
    square = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    layout = Layout(square[box.faces % 4])
    whole, corners, _ = conditioned(box, layout.corners)
    layout = Layout(corners)
    faces_uv, uv = layout.indexed(whole.faces)
    points, places = whole.faces.reshape(-1).tolist(), corners.reshape(-1, 2).tolist()
    pairs = {(v, *place) for v, place in zip(points, places, strict=True)}
    assert len(uv) == len(pairs) and len(whole.vertices) == 8
    assert torch.equal(uv[faces_uv], corners)
    TexturedMesh(whole, uv, faces_uv, torch.zeros(4, 4, 3, dtype=torch.uint8))  # refuses shared ones
    assert overlap(layout) == pytest.approx(5 / 6, abs=0.01)
    choice, (note,) = choose_texture(None, layout, keeps_faces=True)
    assert choice.layout is layout and "83% of it lies on other parts of it" in note


# --- the choice ------------------------------------------------------------------------------------------------------


def test_what_is_asked_for_and_what_the_file_has_decide_the_texture() -> None:
    layout = Layout(torch.tensor([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]]), size=512)
    tiled, huge = Layout(3 * layout.corners, size=512), Layout(layout.corners, size=16384)
    kept, lost = ["texture layout kept"], ["texture layout lost in remeshing; --remesh off keeps it"]
    new = ["texture layout not kept: it is tiled, with coordinates from 0 to 3; a new one is made"]
    for asked, given, keeps_faces, expected, notes in (
        (None, None, True, TextureChoice(), []),
        ("auto", None, True, TextureChoice(True), []),
        (None, layout, True, TextureChoice(True, 512, layout), kept),
        ("auto", layout, True, TextureChoice(True, 512, layout), kept),
        (64, layout, True, TextureChoice(True, 64, layout), kept),
        (None, huge, True, TextureChoice(True, 4096, huge), kept),
        ("off", layout, True, TextureChoice(), []),
        (None, layout, False, TextureChoice(), lost),
        (64, layout, False, TextureChoice(True, 64), lost),
        ("off", layout, False, TextureChoice(), []),
        (None, tiled, True, TextureChoice(True), new),
        (64, tiled, True, TextureChoice(True, 64), new),
        ("off", tiled, True, TextureChoice(), []),
        (None, tiled, False, TextureChoice(), []),
    ):
        assert choose_texture(asked, given, keeps_faces=keeps_faces) == (expected, notes)
    fewer = ["texture layout not kept: fewer faces get a new one"]
    for asked, given, keeps_faces, size, notes in (
        (None, None, False, None, []),
        ("auto", layout, False, None, []),
        (64, layout, True, 64, fewer),
        (None, layout, True, None, fewer),
        (None, tiled, True, None, []),
    ):
        found = choose_texture(asked, given, keeps_faces=keeps_faces, faces=500)
        assert found == (TextureChoice(True, size, faces=500), notes)


# --- runs ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ball, red to the right, green behind, blue above."""
    folder = tmp_path_factory.mktemp("scenes") / "ball"
    ball = icosphere(3, radius=RADIUS)
    ball = Mesh(ball.vertices, ball.faces, 0.5 + 0.45 * ball.vertices / RADIUS)
    save_scene(folder, scene_from_mesh(ball, views=8, test_views=0, height=48, width=48, up="z"))
    return folder


@pytest.fixture
def run(scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    """Two steps without pictures; the folder and what was printed."""
    monkeypatch.setattr(RunFiles, "draw", lambda *_: None)
    monkeypatch.setattr(evaluate, "mesh_report", lambda mesh, _: mesh_report(mesh, None))

    def made(start: Path, *options: object, status: int = 0) -> tuple[Path, str]:
        given = ["--init", start, "--output", tmp_path / "out", "--remesh", "off", *options]
        given += ["--steps", "2", "--views-per-step", "2"]
        assert main(["reconstruct", *map(str, (scene, *given))]) == status
        return tmp_path / "out", "".join(capsys.readouterr())

    return made


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["obj", "glb"])
def test_a_run_keeps_triangles_and_texture_layout(run, tmp_path: Path, suffix: str) -> None:
    corners, places = ball_in_charts()
    {"obj": write_obj, "glb": write_glb}[suffix](tmp_path / f"a.{suffix}", corners, places, 128)
    out, printed = run(tmp_path / f"a.{suffix}")
    assert f"start     {tmp_path / f'a.{suffix}'}: texture layout kept\n" in printed
    made, made_places, rows = read_obj(out / "mesh.obj")
    assert rows == 6 * (N + 1) ** 2  # seams alone have more than one place
    np.testing.assert_allclose(made_places, places, atol=2e-6)
    assert 0 < np.abs(made - corners).max() < 0.3 * RADIUS
    part = trimesh.load(out / "mesh.glb", force="mesh", process=False)
    assert len(part.vertices) == rows
    np.testing.assert_allclose(part.visual.uv[part.faces], places, atol=2e-6)
    # The right way round: the middles of triangles have the colours of their sides; without light, after two steps.
    with Image.open(out / "mesh.png") as image:
        assert image.size == (128, 128)  # the file's
        pixels = np.asarray(image) / 255.0
    column, row = (places.mean(axis=1) * [128, -128] + [0, 128]).astype(int).T
    expected = corners.mean(axis=1)
    for channel in range(3):
        assert np.corrcoef(pixels[row, column, channel], expected[:, channel])[0, 1] > 0.7


@pytest.mark.slow
def test_a_size_of_its_own_no_texture_and_remeshing(run, tmp_path: Path) -> None:
    write_obj(tmp_path / "a.obj", *ball_in_charts())
    out, _ = run(tmp_path / "a.obj", "--texture", "64")
    with Image.open(out / "mesh.png") as image:
        assert image.size == (64, 64)
    out, printed = run(tmp_path / "a.obj", "--texture", "off", "--output", tmp_path / "plain")
    assert "vt" not in (tmp_path / "plain" / "mesh.obj").read_text() and "start " not in printed
    _, printed = run(tmp_path / "a.obj", "--remesh", "1", "--output", tmp_path / "remeshed")
    assert "vt" not in (tmp_path / "remeshed" / "mesh.obj").read_text()
    notes = json.loads((tmp_path / "remeshed" / "run.json").read_text())["start"]
    assert notes == [f"{tmp_path / 'a.obj'}: texture layout lost in remeshing; --remesh off keeps it"]
    assert f"start     {notes[0]}\n" in printed


@pytest.mark.slow
def test_a_tiled_layout_is_replaced(run, tmp_path: Path) -> None:
    corners, places = ball_in_charts()
    write_obj(tmp_path / "a.obj", corners, 4 * places - 1)
    out, printed = run(tmp_path / "a.obj", "--texture", "64")
    assert "texture layout not kept: it is tiled, with coordinates from " in printed
    _, made, _ = read_obj(out / "mesh.obj")
    assert made.min() >= 0 and made.max() <= 1


@pytest.mark.slow
def test_an_interrupted_run_has_its_layout_and_goes_on_with_it(run, tmp_path: Path, monkeypatch) -> None:
    corners, places = ball_in_charts()
    write_obj(tmp_path / "a.obj", corners, places)
    watch = RunFolder.watch

    def interrupted(self, state) -> None:
        watch(self, state)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "watch", interrupted)
        out, _ = run(tmp_path / "a.obj", "--texture", "64", status=130)
    np.testing.assert_allclose(read_obj(out / "mesh.obj")[1], places, atol=2e-6)
    (out / "mesh.obj").unlink()
    write_obj(tmp_path / "a.obj", corners[::-1], places[::-1])
    _, printed = run(tmp_path / "a.obj", "--texture", "64", "--resume", status=2)
    assert "resume: the run was started from another" in printed and printed.count("\n") == 1
    write_obj(tmp_path / "a.obj", corners, places)
    run(tmp_path / "a.obj", "--texture", "64", "--resume")
    np.testing.assert_allclose(read_obj(out / "mesh.obj")[1], places, atol=2e-6)


@pytest.mark.parametrize(
    ("scale", "shift", "message"),
    [
        (1000.0, 0.0, "times the size of what the masks and cameras show (radius 5.2e+03, expected about 4."),
        (0.001, 0.0, "different units, millimetres and metres?"),
        (1.0, 500.0, "away from where the masks and cameras show the object"),
    ],
)
def test_a_start_in_other_units_or_elsewhere_is_refused(
    run, tmp_path: Path, scale: float, shift: float, message: str
) -> None:
    ball = icosphere(1, radius=RADIUS)
    save_mesh(tmp_path / "ball.ply", Mesh(scale * ball.vertices + shift, ball.faces))
    out, printed = run(tmp_path / "ball.ply", status=2)
    assert message in printed and printed.count("\n") == 1 and not out.exists()


def test_a_layout_between_the_texels_is_not_kept(scene: Path) -> None:
    ball = icosphere(1, radius=RADIUS)
    uv = 0.51 + 0.01 * torch.rand(len(ball.faces), 3, 2, generator=torch.Generator().manual_seed(1))
    layout = Layout(uv)
    views = load_scene(scene).train
    with pytest.raises(ValueError, match="layout: expected faces that cover texels, got none of 16 x 16"):
        bake(ball, views, size=16, layout=layout.indexed(ball.faces))
    notes = ["texture layout not kept: it lies between 16 x 16 texels; a new one is made"]
    assert choose_texture(16, layout, keeps_faces=True) == (TextureChoice(True, 16), notes)
    textured = bake(ball, views, size=256, layout=layout.indexed(ball.faces))
    assert bool(torch.isfinite(textured.mesh.colors).all())
