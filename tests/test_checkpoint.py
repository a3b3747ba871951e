"""The file from which a run goes on: a damaged one is refused in one line, whatever was damaged in it."""

from __future__ import annotations

import copy
import dataclasses
import os
import random
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from largesteps_zg.mesh import icosphere
from largesteps_zg.output import checkpoint
from largesteps_zg.reconstruct import Reconstruction, Settings
from largesteps_zg.reconstruct.resume import go_on
from largesteps_zg.scenes import Scene
from largesteps_zg.scenes.synthetic import scene_from_mesh

SETTINGS = Settings(steps=6, views_per_step=2, remesh=(1,), max_vertices=300)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return scene_from_mesh(icosphere(2, radius=5.0), views=4, test_views=0, height=24, width=32)


@pytest.fixture(scope="module")
def state(scene: Scene) -> dict[str, Any]:
    run = Reconstruction(scene.train, SETTINGS)
    for _ in range(3):
        run.advance()
    return run.state_dict()


def leaves(value: Any, *path: Any):
    """Paths to everything in a nested state."""
    yield path
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from leaves(entry, *path, key)
    elif isinstance(value, (list, tuple)):
        for number, entry in enumerate(value):
            yield from leaves(entry, *path, number)


@pytest.mark.slow
def test_what_is_saved_is_loaded(state: dict[str, Any], tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "c.pt", {"run": state, "b": [1, (True, None, "λ")]})
    back = checkpoint.load(tmp_path / "c.pt")
    assert checkpoint.digest(back["run"]) == checkpoint.digest(state) and back["b"] == [1, (True, None, "λ")]
    assert torch.equal(*(run["fit"]["triangles"]["shape"]["latent"] for run in (back["run"], state)))
    assert [file.name for file in tmp_path.iterdir()] == ["c.pt"]


@pytest.mark.slow
def test_a_byte_that_changed_is_seen_or_changes_nothing(state: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "c.pt"
    checkpoint.save(file, {"run": state})
    whole, digest = file.read_bytes(), checkpoint.digest(state)
    draw, refused = random.Random(1), 0
    latent = state["fit"]["triangles"]["shape"]["latent"].numpy().tobytes()
    places = [draw.randrange(len(whole)) for _ in range(150)] + [whole.index(latent) + 5]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << draw.randrange(8)
        file.write_bytes(damaged)
        try:
            back = checkpoint.load(file)
        except ValueError as error:
            assert "is not a readable checkpoint" in str(error) and "\n" not in str(error)
            refused += 1
        else:
            assert checkpoint.digest(back["run"]) == digest  # padding, say
    assert refused > len(places) / 3


def packed(content: Any, file: Path, *, smaller: bool) -> None:
    """As `save` writes it, but without a sum, and with its parts compressed if that is asked for."""
    torch.save(content, file)
    if smaller:
        with zipfile.ZipFile(file) as archive:
            parts = {part.filename: archive.read(part) for part in archive.infolist()}
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in parts.items():
                archive.writestr(name, data)


def bomb(kind: str, file: Path) -> None:
    """A small file that asks for terabytes of memory or for years."""
    lists: Any = [0]
    for _ in range(60):
        lists = [lists] * 10
    contents = {
        "zeros": {"run": torch.zeros(2**25)},
        "shown": {"run": torch.zeros(1).expand(2**40)},
        "named": {"run": lists},
        "text": {"run": ["a" * 10**6] * 10**5},
        "tensor": {"run": [torch.zeros(10**6, dtype=torch.uint8)] * 10**5},
    }
    packed({**contents[kind], checkpoint.SUM: "0" * 64}, file, smaller=kind == "zeros")
    assert file.stat().st_size < 2e6


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
@pytest.mark.parametrize("kind", ["zeros", "shown", "named", "text", "tensor"])
def test_a_file_that_asks_for_more_than_it_holds_is_refused(kind: str, tmp_path: Path) -> None:
    import resource

    file = tmp_path / "c.pt"
    bomb(kind, file)
    pages = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    old = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages + 2**26, old[1]))
    begin = time.monotonic()
    try:
        with pytest.raises(
            ValueError, match=r"c\.pt is not a readable checkpoint of this version$"
        ) as caught:
            checkpoint.load(file)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, old)
    assert time.monotonic() - begin < 5
    # By what it asks for, and not by a lack of memory.
    assert str(caught.value.__cause__).startswith("expected ")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "c.pt")
    with pytest.raises(ValueError, match="is not a readable checkpoint"):
        checkpoint.load(tmp_path / "c.pt")


def test_tensors_that_share_memory_are_saved_and_loaded(tmp_path: Path) -> None:
    base = torch.arange(1000.0)
    content = {"row": base.expand(50, 1000), "again": base, "part": base[::2], "none": [base[:0], base[:0]]}
    checkpoint.save(tmp_path / "c.pt", content)
    back = checkpoint.load(tmp_path / "c.pt")
    assert all(torch.equal(back[name], content[name]) for name in ("row", "again", "part"))
    assert len(back["none"]) == 2


@pytest.mark.slow
def test_any_field_of_another_kind_is_refused(scene: Scene, state: dict[str, Any]) -> None:
    """Also where the sum was made anew: what is missing, of another type or shape, or out of range."""
    run = Reconstruction(scene.train, SETTINGS)
    skipped = ("seconds", "settings")  # free, and compared one by one
    paths = [path for path in leaves(state) if path and path[0] not in skipped and "param_groups" not in path]
    assert len(paths) > 60
    for path in paths:
        for change in ("missing", object(), torch.zeros(2, 2, 7)):
            broken: Any = copy.deepcopy(state)
            place = broken
            for key in path[:-1]:
                place = place[key]
            if isinstance(change, str) and path[-2:] in (("state", 0), ("events", 0)):
                continue  # as of an optimiser that starts afresh, and of a run in which nothing happened
            if isinstance(change, str):
                del place[path[-1]]
            else:
                place[path[-1]] = change
            try:
                go_on(run, broken)
            except ValueError as error:
                assert str(error).startswith("resume: ") and "\n" not in str(error), path
            else:
                pytest.fail(f"{path}: {change} was taken")
    fresh = Reconstruction(scene.train, SETTINGS)  # what was refused may have changed the other one
    go_on(fresh, state)
    assert fresh.step == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("fit", "triangles", "faces"), lambda x: x + 10_000),
        (("fit", "triangles", "shape", "latent"), lambda x: x * float("nan")),
        (("fit", "triangles", "rest"), lambda x: x[:-1]),
        (("losses",), lambda x: x[:-1]),
        (("events", 0, "reason"), lambda x: 3),
        (("order",), lambda x: torch.tensor([0, 99])),
        (("step",), lambda x: 7),
        (("fit", "triangles", "shape", "lambda_"), lambda x: "5"),
        (("fit", "paint", "optimizer", "state", 0, "g1"), lambda x: x[:3]),
        (("fit", "appearance", "light"), lambda x: x[:1]),
    ],
)
def test_numbers_out_of_range_are_refused(
    scene: Scene, state: dict[str, Any], path: tuple, value: Any
) -> None:
    broken: Any = copy.deepcopy(state)
    place = broken
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value(place[path[-1]])
    with pytest.raises(ValueError, match=r"^resume: the checkpoint is damaged \(.*run without --resume"):
        go_on(Reconstruction(scene.train, SETTINGS), broken)


def test_other_settings_are_named_before_anything_else(scene: Scene, state: dict[str, Any]) -> None:
    other = dataclasses.replace(SETTINGS, gloss="off")
    with pytest.raises(ValueError, match=r"started with gloss = auto, now it is off"):
        go_on(Reconstruction(scene.train, other), state)


def test_pytorch_s_own_words_about_a_full_disk_are_not_passed_on(tmp_path: Path, monkeypatch) -> None:
    save, calls = torch.save, []

    def fails_first(content: object, file: object) -> None:
        calls.append(file)
        if len(calls) == 1:
            raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 196928 vs 196840")
        save(content, file)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")  # as write() does, which names no file

    monkeypatch.setattr(torch, "save", fails_first)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError) as caught:
            checkpoint.save(tmp_path / "c.pt", {"a": 1})
    assert (caught.value.filename, caught.value.errno) == (str(tmp_path / "c.pt"), 28)
    assert not list(tmp_path.iterdir())
