"""What a run came to, in a few lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

HELD_OUT_CAMERAS = {
    "held_out_predicted": "with their cameras corrected as their neighbours'",
    "held_out_exposed": "with their exposures too, each half by the other half",
    "held_out_blended": "by the nearest photographs, blended over the surface",
    "held_out_aligned": "with their cameras aligned to the photographs",
}


def summary(path: Path, result: dict[str, Any]) -> str:
    """Of what ``run.json`` holds, with the files to look at."""
    mesh = result["mesh"]
    lines = [
        f"{result['steps']} step{'s' * (result['steps'] > 1)} in {result['seconds']:.0f} s, "
        f"loss {result['loss'][0]:.4g} -> {result['loss'][-1]:.4g}",
        *(f"start     {line}" for line in result["start"]),
        f"mesh      {mesh['vertices']:,} vertices, {mesh['faces']:,} faces, "
        f"{'watertight' if mesh['watertight'] else 'open'}, {mesh['flipped_faces']} flipped, "
        f"{mesh['self_intersecting_faces']} self-intersecting",
    ]
    if unseen := result.get("views_seeing", {}).get("unseen"):
        told = (
            "left out"
            if result["options"].get("unseen") == "open"
            else "marked in mesh.ply by views_seeing = 0"
        )
        lines.append(f"unseen    {unseen:,} vertices, which no photograph sees, {told}")
    if "held_out" in result:
        lines.append(f"held out  {_quality(result['held_out'])}")
    for name, note in HELD_OUT_CAMERAS.items():
        if name in result:
            lines.append(f"          {_quality(result[name])} {note}")
    if "distance_to_truth" in mesh:
        truth = mesh["distance_to_truth"]
        lines.append(
            f"truth     Chamfer {truth['chamfer_permille']:.2f} permille of the diagonal, "
            f"F-score {truth['f_score']:.3f} at 0.5 %, normals {truth['normal_consistency']:.3f}"
        )
    if patches := result.get("patches"):
        lines.append(
            f"patches   photographs agree by {patches['agreement']:.2f} (ZNCC) where they have texture, on "
            f"{patches['share']:.0%} of the object"
        )
    lines += [*cameras_lines(result), *_exported_lines(result["exported"])]
    if handed := result.get("handed_on"):
        lines.append(f"mesh.glb  upright, {handed['size']:.3g} long; unit: {handed['unit']}")
    meshes, pictures = (
        [name for name in names if str(path / name) not in result["not_written"]]
        for names in (("mesh.ply", "mesh.obj", "mesh.glb"), ("comparison.png", "progression.gif"))
    )
    if meshes:
        lines.append(f"mesh:     {', '.join([str(path / meshes[0]), *meshes[1:]])}")
    if pictures:
        lines.append(f"pictures: {', '.join(str(path / name) for name in pictures)}")
    if str(path / "report.html") not in result["not_written"]:
        lines.append(f"report:   {path / 'report.html'}")
    return "\n".join(lines)


def _exported_lines(exported: dict[str, Any]) -> list[str]:
    """What mesh.obj and mesh.glb hold beside mesh.ply."""
    lines = []
    if made := exported["material"]:
        metal = f"metalness {made['metalness']:.2f}" if made["metalness"] else "no metal"
        lines.append(f"material  roughness {made['roughness']:.2f}, index {made['index']:.2f}, {metal}")
    if fewer := exported["fewer_faces"]:
        wrong = f", {fewer['wrong']:,} of them flipped or self-intersecting" if fewer["wrong"] else ""
        lines.append(
            f"faces     {fewer['faces']:,} of {fewer['of']:,} in mesh.obj and mesh.glb{wrong}, the detail in a normal "
            f"map; all in mesh.ply; off by {fewer['farthest']:.2g} at most"
        )
    return lines


def _quality(measured: dict[str, float]) -> str:
    linear, shown = measured["psnr_db"], measured["psnr_srgb_db"]
    return f"PSNR {linear:.1f} dB ({shown:.1f} in sRGB), mask IoU {measured['mask_iou']:.4f}"


def cameras_lines(result: dict[str, Any]) -> list[str]:
    """Whether cameras were corrected, and what speaks for it or against it."""
    off, evidence = result["cameras_off_pixels"], result["camera_evidence"] or {}
    if result["cameras"]:
        turns = [found["rotation_degrees"] for found in result["cameras"].values()]
        shifts = [found["shift_percent"] for found in result["cameras"].values()]
        said = (
            f"corrected{f' by {off:.2g} pixels' if off else ''}: turned by up to {max(turns):.2f} degrees, "
            f"shifted by up to {max(shifts):.2f} % of the distance"
        )
    elif off is not None:
        said = f"kept as given: corrections came to {off:.2g} pixels, which is nothing or no better"
    elif evidence.get("pixels"):
        said = "kept as given, to the last bit: corrections do not suit what was held out"
    else:
        return []
    return [f"cameras   {said}", *(f"          {line}" for line in _compared(evidence))]


def _compared(evidence: dict[str, Any]) -> list[str]:
    """Of given and corrected cameras."""
    lines = []
    pixels, matches = evidence.get("pixels"), evidence.get("matches")
    if pixels:
        lines.append(
            f"held-out halves of {pixels['count']} photographs: loss {pixels['given']:.4g} as given, "
            f"{pixels['corrected']:.4g} with first corrections ({pixels['errors']:+.1f} standard errors)"
        )
    if matches:
        lines.append(
            f"{matches['count']:,} matches between photographs, wrong ones among them: median {matches['given']:.2f} "
            f"pixels as given, {matches['corrected']:.2f} corrected ({matches['errors']:+.1f} standard errors)"
        )
    return lines
