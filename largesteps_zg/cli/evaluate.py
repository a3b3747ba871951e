"""``largesteps-zg evaluate``: what papers report of a mesh."""

from __future__ import annotations

import argparse
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._support.values import check_count
from ..scenes.reading import Reading
from .faults import inputs
from .inputs import MAX_SIDE, add_reading
from .options import given

if TYPE_CHECKING:
    from ..cameras.model import Cameras
    from ..evaluation.evaluate import Evaluation
    from ..evaluation.reference import Reference
    from ..mesh.mesh import Mesh
    from ..scenes.views import Views

VIEWS = ("all", "train", "held-out")
ROWS = 3  # of the picture, where the reference has cameras


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    made = commands.add_parser("evaluate", help="what papers report of a mesh: DTU, F-score, Chamfer, ...")
    made.set_defaults(command=command)
    add = made.add_argument
    add("mesh", metavar="MESH", help="the result: PLY, OBJ, STL, GLB or OFF, in the reference's coordinates")
    add(
        "--reference", required=True, metavar="POINTS|MESH|SCENE",
        help="a scan (.ply, .npz, .npy, .xyz, .txt), a mesh, COLMAP's points3D, or a scene as for reconstruct: points "
        "are then triangulated from its photographs",
    )  # fmt: skip
    add(
        "--output",
        metavar="DIR",
        help="folder for evaluation.json, evaluation.png and the triangulated points",
    )
    add(
        "--tau", type=float, metavar="D",
        help="threshold of the F-score and of the share within (default 0.5 %% of the reference's diagonal)",
    )  # fmt: skip
    add("--unit", choices=("mm", "cm", "m"), help="of the coordinates; completeness then is within 1.25 mm")
    add(
        "--dtu", metavar="DIR|none",
        help="DTU's protocol, with ObsMask{scan}_10.mat and Plane{scan}.mat from DIR, or without them",
    )  # fmt: skip
    add(
        "--scan",
        type=int,
        metavar="N",
        help="number of the DTU scan (default: the one in the reference's name)",
    )
    add(
        "--one-sided", action="store_true",
        help="the points are here and there, as features: measure from them to the mesh alone",
    )  # fmt: skip
    add(
        "--views", choices=VIEWS, default="all", help="photographs of SCENE to triangulate from (default all)"
    )
    add("--seed", type=int, default=0, metavar="N", help="of the points that are drawn (default 0)")
    add_reading(made, max_size=MAX_SIDE)


def command(arguments: argparse.Namespace) -> int:
    """Measure, print, write; 0."""
    import torch

    from ..evaluation.evaluate import evaluate
    from ..mesh.files import load_mesh
    from ..output.destination import refuse_scene, writable_folder

    with inputs():
        folder = None
        if arguments.output is not None:
            folder = writable_folder(arguments.output)
            refuse_scene(folder)
        _check(arguments)
        # In float64 a result far from the origin keeps its digits.
        mesh = _surface(load_mesh(arguments.mesh, dtype=torch.float64))
        observation = _observation(arguments)
        reference, cameras, told = _reference(arguments, folder)
        found = evaluate(
            mesh, reference, tau=arguments.tau, unit=arguments.unit, dtu=arguments.dtu is not None,
            observation=observation, seed=arguments.seed,
        )  # fmt: skip
    unit = arguments.unit or ("mm" if found.dtu else "")
    told = [
        _line("mesh", f"{arguments.mesh}: {len(mesh.vertices):,} vertices, {len(mesh.faces):,} faces"),
        *told,
    ]
    print("\n".join([*told, *_table(found, unit)]))
    if folder is not None:
        _write(folder, arguments, mesh, reference, cameras, found, unit)
        print(f"numbers:  {folder / 'evaluation.json'}\npicture:  {folder / 'evaluation.png'}")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Cheap mistakes first."""
    if arguments.tau is not None and not 0 < arguments.tau < float("inf"):
        raise ValueError(f"tau: expected a distance > 0, got {arguments.tau}")
    check_count("seed", arguments.seed, least=0, most=2**63 - 1)
    if arguments.scan is not None and arguments.dtu in (None, "none"):
        raise ValueError("scan: expected --dtu DIR beside it, the folder of DTU's ObsMask files")


def _surface(mesh: Mesh) -> Mesh:
    """The mesh, which has to have an area."""
    from ..geometry.solids import surface_area

    if not surface_area(mesh.vertices, mesh.faces) > 0:
        raise ValueError("mesh: expected a surface with an area, got 0; all triangles are degenerate")
    return mesh


def _observation(arguments: argparse.Namespace) -> Any:
    """DTU's mask and plane, where they were asked for."""
    from ..evaluation.dtu import read_observation

    if arguments.dtu in (None, "none"):
        return None
    scan = arguments.scan
    if scan is None:
        numbers = re.findall(r"\d+", Path(arguments.reference).stem)
        if len(numbers) != 1:
            raise ValueError(f"scan: {Path(arguments.reference).name} does not name one; give --scan N")
        scan = int(numbers[0])
    return read_observation(Path(arguments.dtu), scan)


def _reference(
    arguments: argparse.Namespace, folder: Path | None
) -> tuple[Reference, Cameras | None, list[str]]:
    """What to compare with, cameras to look from, and what there is to say."""
    from dataclasses import replace

    from ..evaluation.reference import is_scene, read_reference

    if is_scene(arguments.reference):
        return _triangulated(arguments, folder)
    reference = read_reference(arguments.reference)
    if arguments.one_sided:
        if reference.points is None:
            raise ValueError(f"one-sided: expected points as reference, {reference.name} is a mesh")
        reference = replace(reference, sparse=True)
    if reference.points is None:
        assert reference.mesh is not None
        return reference, None, [_line("reference", f"{reference.name}: {len(reference.mesh.faces):,} faces")]
    kind = "points here and there" if reference.sparse else "points of a scan"
    return reference, None, [_line("reference", f"{reference.name}: {len(reference.points):,} {kind}")]


def _triangulated(arguments: argparse.Namespace, folder: Path | None) -> tuple[Reference, Cameras, list[str]]:
    """Points from a scene's photographs."""
    from ..evaluation.kept_points import NAME, kept_points
    from ..evaluation.reference import Reference
    from ..evaluation.triangulation import triangulated_points
    from ..output.pictures.overview import spread_views
    from ..scenes.registry import load_scene

    scene = load_scene(arguments.reference, format=arguments.format, reading=given(arguments, Reading))
    groups = [("train", scene.train), ("held-out", scene.test)]
    chosen = [of for name, of in groups if of is not None and arguments.views in ("all", name)]
    if not chosen:
        raise ValueError(
            f"views: {arguments.reference} holds out no views; --hold-out N makes every N-th one of them"
        )
    views = _joined(chosen)
    points, kept = (triangulated_points(views), False) if folder is None else kept_points(folder, views)
    if len(points.xyz) == 0:
        raise ValueError(
            f"reference: nothing on the object of {arguments.reference} is found in three of {len(views)} photographs; "
            "has it no texture? give a scan or a mesh"
        )
    where = f", kept in {NAME}" if folder is not None else "; --output DIR would keep them"
    where = f", taken from {NAME}" if kept else where
    told = _line("reference", f"{len(points.xyz):,} points triangulated from {len(views)} photographs{where}")
    cameras = views.cameras[spread_views(views.cameras, None, ROWS)]
    return Reference(str(arguments.reference), points=points.xyz, sparse=True), cameras, [told]


def _joined(groups: list[Views]) -> Views:
    """Views of one scene as one batch."""
    import torch

    from ..cameras.model import Cameras
    from ..scenes.views import Views

    if len(groups) == 1:
        return groups[0]
    sizes = {group.images.shape[1:3] for group in groups}
    if len(sizes) > 1:
        raise ValueError(
            "views: the held-out photographs have another size than the others; give --views train"
        )
    first = groups[0].cameras
    cameras = Cameras(
        torch.cat([group.cameras.world_to_camera for group in groups]),
        torch.cat([group.cameras.intrinsics for group in groups]),
        first.height,
        first.width,
    )
    known = None
    if any(group.known is not None for group in groups):
        whole = (torch.ones(group.images.shape[:3], dtype=torch.bool) for group in groups)
        known = torch.cat(
            [every if g.known is None else g.known for g, every in zip(groups, whole, strict=True)]
        )
    images = torch.cat([group.images for group in groups])
    return Views(images, cameras, tuple(name for group in groups for name in group.names), known)


def _line(about: str, text: str) -> str:
    return f"{about:9} {text}"


def _table(found: Evaluation, unit: str) -> list[str]:
    """The figures as lines: distances both ways, then what papers make of them."""
    after = f" {unit}" if unit else ""
    lines = [f"{'':24}{'points':>10} {'mean':>9} {'median':>9} {'90 %':>9} {f'within {found.tau:.3g}':>14}"]
    for name, row in (
        ("result to reference", found.to_reference),
        ("reference to result", found.from_reference),
    ):
        if row is not None:
            numbers = f"{row.mean:9.4g} {row.median:9.4g} {row.p90:9.4g}"
            lines.append(f"{name:24}{row.count:10,} {numbers} {100 * row.within:12.1f} %")
    if found.chamfer is not None:
        normals = "" if found.normal_consistency is None else f", normals {found.normal_consistency:.4f}"
        lines.append(_line("Chamfer", f"{found.chamfer:.4g}{after}, the mean of both{normals}"))
        assert found.f_score is not None and found.precision is not None and found.recall is not None
        shares = f"precision {100 * found.precision:.1f} %, recall {100 * found.recall:.1f} %"
        lines.append(_line("F-score", f"{found.f_score:.4f} at {found.tau:.4g}{after} ({shares})"))
        assert found.accuracy is not None and found.completeness is not None
        within = f"{found.completeness_within:.4g}{after}"
        lines.append(
            _line(
                "90 %",
                f"accuracy {found.accuracy:.4g}{after}, completeness {100 * found.completeness:.1f} % within {within}",
            )
        )
    if found.dtu is not None:
        dtu = found.dtu
        masks = "mask and plane" if dtu.masked else "no mask, no plane"
        lines.append(
            _line(
                "DTU",
                f"accuracy {dtu.accuracy:.3f} mm, completeness {dtu.completeness:.3f} mm, Chamfer {dtu.chamfer:.3f} mm "
                f"({masks}; {100 * dtu.outliers:.1f} % and {100 * dtu.missing:.1f} % beyond 20 mm)",
            )
        )
    return lines


def _write(
    folder: Path,
    arguments: argparse.Namespace,
    mesh: Mesh,
    reference: Reference,
    cameras: Cameras | None,
    found: Evaluation,
    unit: str,
) -> None:
    """evaluation.json and evaluation.png."""
    from .._support.atomic import atomic_path
    from ..evaluation.picture import save_error_picture
    from ..output.provenance import versions
    from ..output.run_json import json_text

    folder.mkdir(parents=True, exist_ok=True)
    options = {key: value for key, value in vars(arguments).items() if key not in ("command", "debug")}
    figures = asdict(found)
    del figures["distances"]
    content = {"mesh": arguments.mesh, "reference": arguments.reference, "unit": unit or None, **figures}
    content |= {"options": options, "versions": versions()}
    with atomic_path(folder / "evaluation.json") as part:
        part.write_text(json_text(content), encoding="utf-8")
    save_error_picture(
        folder / "evaluation.png", mesh, reference, found.distances, cameras=cameras, unit=unit
    )
