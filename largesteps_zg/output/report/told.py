"""What a run's numbers mean, and what to do where they warn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

HELD_OUT = {
    "held_out": "with their cameras as given",
    "held_out_predicted": "with their cameras corrected as their neighbours were",
    "held_out_exposed": "with their exposures too, each half by the other half",
    "held_out_blended": "by the nearest photographs, blended over the surface",
    "held_out_aligned": "with their cameras aligned to the photographs",
}


@dataclass(frozen=True)
class Number:
    """A number for a reader.

    Attributes
    ----------
    name, value, meaning : str
    """

    name: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Warned:
    """Something that may be wrong.

    Attributes
    ----------
    text : str
        What was found.
    cure : str
        What to do.
    page : str
        Where to read on in the documentation, with the heading, or "".
    """

    text: str
    cure: str
    page: str = ""


def numbers(content: dict[str, Any]) -> list[Number]:
    """Of ``run.json``: how good the result is, each number with its meaning."""
    mesh = content["mesh"]
    made = [Number("Mesh", f"{mesh['vertices']:,} vertices, {mesh['faces']:,} faces", _soundness(mesh))]
    for name, cameras in HELD_OUT.items():
        if name in content:
            found, first = content[name], name == "held_out"
            scale = "; 20 dB is an error of a tenth of the range, 40 dB of a hundredth" * first
            made.append(
                Number(
                    "Held-out PSNR" if first else "", f"{found['psnr_db']:.1f} dB",
                    f"of photographs that the run did not see, {cameras}; {found['psnr_srgb_db']:.1f} dB in "
                    f"sRGB{scale}",
                )
            )  # fmt: skip
    if "held_out" in content:
        made.append(
            Number(
                "Held-out mask IoU", f"{content['held_out']['mask_iou']:.4f}",
                "what masks and outlines share, over what either covers. 1 is the same",
            )
        )  # fmt: skip
    if truth := mesh.get("distance_to_truth"):
        made += [
            Number(
                "Chamfer distance", f"{truth['chamfer_permille']:.2f} ‰",
                "mean distance to the true surface and back, in thousandths of its bounding box's diagonal",
            ),
            Number("F-score", f"{truth['f_score']:.3f}", "how much of both surfaces lies within 0.5 % of the diagonal"),
        ]  # fmt: skip
    if patches := content.get("patches"):
        made.append(
            Number(
                "Photographs agree", f"{patches['agreement']:.2f}",
                f"correlation (ZNCC) of neighbouring photographs, carried over the surface, on the "
                f"{patches['share']:.0%} of the object that have texture. 1 is the same picture",
            )
        )  # fmt: skip
    off = content["cameras_off_pixels"]
    if off is not None:
        done = "corrected" if content["cameras"] else "kept as given"
        made.append(Number("Cameras", f"{off:.2g} px", f"by which corrections moved the pictures; {done}"))
    if gloss := content["appearance"].get("gloss"):
        made.append(
            Number(
                "Gloss", f"{gloss['mean']:.3f}",
                "mean brightness of what the surface mirrors, where white paper is 1",
            )
        )  # fmt: skip
    return made


def _soundness(mesh: dict[str, Any]) -> str:
    """Of a mesh, in words."""
    kind = "watertight" if mesh["watertight"] else "open"
    parts = f"{mesh['components']} part{'s' * (mesh['components'] != 1)}"
    genus = mesh.get("genus")
    handles = "" if genus is None else f", {genus} handle{'s' * (genus != 1)}"
    return (
        f"{kind}, {parts}{handles}; {mesh['flipped_faces']} faces flipped, "
        f"{mesh['self_intersecting_faces']} passing through others"
    )


def warnings(content: dict[str, Any], outlines: Sequence[tuple[str, float]] = ()) -> list[Warned]:
    """What a reader of ``run.json`` should know before trusting the mesh.

    Parameters
    ----------
    content : dict
        Of ``run.json``.
    outlines : sequence of (str, float)
        Names of shown photographs, and by how many pixels their outlines are off (`pictures.outline_error`).
    """
    return [*_of_the_run(content), *_of_the_mesh(content), *_of_the_photographs(content, outlines)]


def _of_the_run(content: dict[str, Any]) -> Iterator[Warned]:
    """Whether it ended, wrote, and read everything."""
    if content["stopped"] == "interrupted":
        yield Warned(
            f"The run was stopped at step {content['steps']}.", "The same command with --resume goes on."
        )
    elif content["stopped"]:
        yield Warned(
            f"The run ended early: {content['stopped']}.", "Take a third of the step size, or four times the λ.",
            "docs/looks-wrong.md#crumpled",
        )  # fmt: skip
    for file, cause in content["not_written"].items():
        yield Warned(
            f"{file} could not be written: {cause}.", "Make room, then run the same command with --resume."
        )
    for note in content["scene"]["provenance"]:
        if note["about"] == "not used":
            yield Warned(f"Not used: {note['text']}.", "If it matters, give it in a form that is read.",
                         "docs/formats/README.md")  # fmt: skip


def _of_the_mesh(content: dict[str, Any]) -> Iterator[Warned]:
    """Whether it is sound, and seen from all sides."""
    mesh, unseen = content["mesh"], content["views_seeing"]["unseen"]
    if unseen:
        share = unseen / max(sum(content["views_seeing"]["histogram"]), 1)
        yield Warned(
            f"{share:.0%} of the vertices are seen by no photograph.",
            "The surface is only smooth there: add photographs from that side, or leave it out with --unseen open.",
            "docs/looks-wrong.md#good-in-front-vague-behind",
        )  # fmt: skip
    crumpled = "docs/looks-wrong.md#crumpled"
    if wrong := mesh["flipped_faces"] + mesh["self_intersecting_faces"]:
        yield Warned(
            f"{wrong:,} of {mesh['faces']:,} faces are folded over or pass through others.",
            "A few are harmless; many come from too large steps, wrong masks or wrong cameras.", crumpled,
        )  # fmt: skip
    if content["not_remeshed"]:
        yield Warned(
            f"The triangles were not renewed at {len(content['not_remeshed'])} of "
            f"{len(content['not_remeshed']) + len(content['remeshed'])} occasions: the surface was too tangled.",
            "Take a third of the step size, or four times the λ.", crumpled,
        )  # fmt: skip


def _of_the_photographs(content: dict[str, Any], outlines: Sequence[tuple[str, float]]) -> Iterator[Warned]:
    """Whether they fit each other, and the surface."""
    for name, pixels in outlines:
        if pixels > 1:
            yield Warned(
                f"The outline of {name} is off by {pixels:.1f} pixels.",
                "Its mask or camera is wrong, or a part of the object is missing or too much.",
                "docs/looks-wrong.md#dents-holes-or-a-surface-inside-out",
            )
    off = content["cameras_off_pixels"]
    if content["cameras"] and off and off > 1:
        yield Warned(
            f"Cameras were off by {off:.2g} pixels; they were corrected.",
            "Other photographs of this calibration are off as much: calibrate anew where that matters.",
            "docs/looks-wrong.md#everything-is-soft",
        )
