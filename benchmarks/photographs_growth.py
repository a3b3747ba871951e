"""How time and memory grow with the number of photographs that have no cameras and no masks.

The fennec, painted in patches, stands on a patterned table. The rasterizer makes photographs of 480 x 360 of it, as a
person takes them who walks round it twice, at two heights. Cameras are found, and a mesh is made in a few steps, each
in a process of its own.

Claim: from row to row, no part's processor time grows faster than the number of photographs to the power of 1.5; all
pairs are matched of no more than 24.

    python benchmarks/photographs_growth.py --output out/growth                  # an hour
    python benchmarks/photographs_growth.py --output out/growth --counts 25 50   # ten minutes
    python benchmarks/photographs_growth.py --output out/growth --cameras        # without meshes
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from turntable import noise, sheet, toy

from largesteps_zg.cameras.placement import look_at
from largesteps_zg.renderers.rasterized import render
from largesteps_zg.scenes.formats.files_beside import images_in
from largesteps_zg.scenes.from_photographs.find import cameras_from_photographs

WIDTH, HEIGHT, FINE = 480, 360, 2
COUNTS = 25, 50, 100, 200
STAGES = "features", "matches", "placed", "adjusted"
FASTEST = 1.5  # power


def write_photographs(folder: Path, count: int) -> None:
    """What a camera sees that is carried round the fennec twice, with a sensor's noise and JPEG's."""
    folder.mkdir(parents=True)
    _, mesh = toy()
    assert mesh.colors is not None
    low = float(mesh.vertices[:, 1].min())
    x, z = np.meshgrid(np.linspace(-4, 4, 321), np.linspace(-4, 4, 321), indexing="ij")
    table, faces = sheet(np.stack([x, np.full_like(x, low), z], axis=-1))
    vertices = torch.cat([mesh.vertices, torch.from_numpy(table).float()])
    colors = torch.cat([mesh.colors, torch.from_numpy(noise(2 * table + 5, 9)).float()])
    all_faces = torch.cat([mesh.faces, torch.from_numpy(faces + len(mesh.vertices)).int()])
    random = np.random.default_rng(count)
    for number in range(count):
        around = 4 * math.pi * number / count + random.normal(0, 0.02)
        rise = math.radians((20, 45)[2 * number >= count]) + random.normal(0, 0.03)
        place = 3.2 * np.array(
            [math.cos(around) * math.cos(rise), math.sin(rise), math.sin(around) * math.cos(rise)]
        )
        camera = look_at(
            torch.from_numpy(place)[None], tuple(random.normal(0, 0.06, 3)), up=(0.0, 1.0, 0.0), fov_y_degrees=42.0,
            height=FINE * HEIGHT, width=FINE * WIDTH,
        )  # fmt: skip
        picture = render(vertices, all_faces, colors, camera.to(dtype=torch.float32))[0]
        light = picture.view(HEIGHT, FINE, WIDTH, FINE, 4).mean((1, 3)).numpy()[..., :3]
        pixels = 255 * light.clip(0, 1) ** (1 / 2.2) + random.normal(0, 1.2, light.shape)
        Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8)).save(
            folder / f"IMG_{number:04d}.jpg", quality=92
        )


def find_cameras(photographs: Path, work: Path) -> None:
    """Print what each part of finding the cameras takes, in this process."""
    spent, last = dict.fromkeys(STAGES, 0.0), time.process_time()
    pairs = 0

    def watch(_: float, text: str) -> None:
        nonlocal last, pairs
        now = time.process_time()
        stage = next(name for name in STAGES if name in text)
        spent[stage] += now - last
        last = now
        told = re.search(r"of ([\d,]+) pairs", text)
        pairs = int(told[1].replace(",", "")) if told else pairs

    found = cameras_from_photographs(images_in(photographs), photographs, work, watch=watch)
    spent["adjusted"] += time.process_time() - last
    print(json.dumps({**spent, "pairs": pairs, "found": len(found.placed), "memory": _peak()}))


def _peak() -> float:
    """GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measured(command: list[str]) -> tuple[str, float, float]:
    """What a command says, its seconds of processor time, and its peak of memory in GiB."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return said, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20


def row(folder: Path, count: int, steps: int, *, cameras_only: bool) -> dict[str, Any]:
    """Of so many photographs."""
    photographs = folder / "photographs"
    if len(images_in(photographs)) < count:
        write_photographs(photographs, count)
    own = [sys.executable, str(Path(__file__).resolve())]
    said, _, _ = measured([*own, "--find", str(photographs), str(folder / "cameras")])
    found: dict[str, Any] = json.loads(said[said.rindex("{") :])
    if not cameras_only:
        run = [sys.executable, "-m", "largesteps_zg", "reconstruct", str(photographs)]
        run += ["--cameras", str(folder / "cameras"), "--output", str(folder / "run"), "--steps", str(steps)]
        _, found["mesh"], found["mesh memory"] = measured(run)
    return found


def main() -> int:
    """Print a row for each number of photographs, and the powers that parts grow with."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("out/growth"))
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--cameras", action="store_true", help="find these, and make no mesh")
    parser.add_argument("--find", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.find is not None:
        find_cameras(*options.find)
        return 0
    print("python benchmarks/photographs_growth.py", *sys.argv[1:])
    parts = (*STAGES, "memory", *(() if options.cameras else ("mesh", "mesh memory")))
    print(
        f"| photographs | placed | pairs | {' | '.join(parts)} |\n| ---: | ---: | ---: |{' ---: |' * len(parts)}"
    )
    rows = {}
    for count in options.counts:
        rows[count] = found = row(
            options.output / str(count), count, options.steps, cameras_only=options.cameras
        )
        numbers = [f"{found[part]:.{2 * ('memory' in part)}f}" for part in parts]
        print(f"| {count} | {found['found']} | {found['pairs']} | {' | '.join(numbers)} |", flush=True)
    fastest = 0.0
    for (few, less), (many, more) in zip(list(rows.items()), list(rows.items())[1:], strict=False):
        powers = {part: math.log(more[part] / max(less[part], 1e-9)) / math.log(many / few) for part in parts}
        fastest = max(fastest, *(power for part, power in powers.items() if more[part] > 1))
        print(f"{few} to {many}:", ", ".join(f"{part} {power:.2f}" for part, power in powers.items()))
    print(f"the fastest part grows with the power of {fastest:.2f}; {FASTEST} claimed")
    return int(fastest > FASTEST)


if __name__ == "__main__":
    raise SystemExit(main())
