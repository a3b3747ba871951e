"""What was read of a scene, in words; in a picture: `overview`."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..cameras.model import Cameras
from ..images.masks import on_object
from .carving.bounds import bounding_sphere
from .up import up_direction
from .views import Scene, Views

_AXES = ("x", "y", "z")


def describe(scene: Scene) -> list[str]:
    """What a scene holds, in lines for a terminal: a word, and what there is to say.

    Returns
    -------
    list of str
        Where the masks and cameras do not agree on a place for the object, one line says so; nothing is raised.
    """
    sphere, fault = sphere_or_fault(scene.train)
    rows = [("scene", f"{scene.path}, {scene.format}" if scene.path is not None else scene.format)]
    held_out = "none held out" if scene.test is None else f"{len(scene.test)} held out"
    rows += [("views", f"{len(scene.train)} to reconstruct from, {held_out}; {_sizes(scene.train)}")]
    rows += [(note.about, note.text) for note in scene.provenance]
    rows += [("masks", _masks(scene.train))] if scene.masked else []
    rows += [("cameras", _cameras(scene.train.cameras, sphere))]
    if sphere is None:
        rows += [("object", f"NOT FOUND: {fault}")]
    else:
        around = _point(sphere[0], sphere[1])
        rows += [("object", f"inside a sphere of radius {sphere[1]:.4g} around {around}")]
    up, source = up_direction(scene)
    known = "as the format has it" if source == "format" else "estimated from the cameras"
    rows += [("up", f"{_direction(up)}, {known}")]
    rows += [("light", "known" if scene.light is not None else "not known; it is estimated")]
    if scene.mesh is not None:
        low, high = scene.mesh.vertices.aminmax(dim=0)
        size = " x ".join(f"{x:.3g}" for x in (high - low).tolist())
        rows += [
            (
                "surface",
                f"known: {len(scene.mesh.vertices):,} vertices, {len(scene.mesh.faces):,} faces, {size}",
            )
        ]
    names = [name for name, _ in rows]
    names = [name if index == 0 or name != names[index - 1] else "" for index, name in enumerate(names)]
    return [f"{name:9} {text}" for name, (_, text) in zip(names, rows, strict=True)]


def _sizes(views: Views) -> str:
    """The canvas, and where the photographs are smaller, the smallest and the largest."""
    canvas = f"{views.cameras.width} x {views.cameras.height} pixels"
    if views.known is None:
        return canvas
    rows, columns = views.known.any(dim=2).sum(dim=1), views.known.any(dim=1).sum(dim=1)
    if bool((rows == rows[0]).all() and (columns == columns[0]).all()):
        return canvas
    order = (rows * columns).argsort()
    small, large = (f"{columns[i]} x {rows[i]}" for i in (order[0], order[-1]))
    return f"{small} to {large} pixels"


def _masks(views: Views) -> str:
    """How much of the photographs the object covers, and how often it is cut off by their borders."""
    masks = on_object(views.images[..., 3])
    share = 100 * masks.flatten(1).float().mean(dim=1)
    if views.known is not None:
        share /= views.known.flatten(1).float().mean(dim=1).clamp(min=1e-6)
    text = f"the object covers {share.min():.2g} to {share.max():.2g} % of a photograph"
    border = torch.cat([masks[:, [0, -1]].flatten(1), masks[:, :, [0, -1]].flatten(1)], dim=1).any(dim=1)
    cut = [name for name, touches in zip(views.names, border.tolist(), strict=True) if touches]
    if cut:
        first = ", ".join(cut[:3]) + ", ..." * (len(cut) > 3)
        text += f"; cut off by the border in {len(cut)} of {len(views)} ({first})"
    return text


def _cameras(cameras: Cameras, sphere: tuple[Tensor, float] | None) -> str:
    """Fields of view, distances and how widely they are spread."""
    focal = cameras.intrinsics[:, 0, 0].double().cpu()
    angles = 2 * torch.rad2deg(torch.atan(0.5 * cameras.width / focal))
    parts = [f"{_span(angles, '.3g')}° wide"]
    centers = cameras.centers.detach().double().cpu()
    if sphere is None:
        sides = centers.amax(dim=0) - centers.amin(dim=0)
        spread, size = float(sides.max()), " x ".join(f"{x:.3g}" for x in sides.tolist())
        return ", ".join([*parts, f"within {size} around {_point(centers.mean(dim=0), spread)}"])
    offsets = centers - sphere[0]
    distances = offsets.norm(dim=1)
    parts += [f"{_span(distances, '.3g')} from the object's middle"]
    if len(cameras) > 1:
        cosines = torch.nn.functional.normalize(offsets, dim=1)
        cosines = cosines @ cosines.T
        farthest = math.degrees(math.acos(max(-1.0, min(1.0, float(cosines.min())))))
        nearest = (cosines - 2 * torch.eye(len(cosines), dtype=cosines.dtype)).amax(dim=1).clamp(-1, 1)
        step = float(torch.rad2deg(torch.acos(nearest)).median())
        parts += [f"up to {farthest:.0f}° apart, neighbours {step:.0f}°"]
    return ", ".join(parts)


def _span(values: Tensor, form: str) -> str:
    low, high = (f"{float(x):{form}}" for x in values.aminmax())
    return low if low == high else f"{low} to {high}"


def _point(point: Tensor, size: float) -> str:
    """Coordinates, far from the origin with so many digits that they are right to a thousandth of a size."""

    def shown(x: float) -> str:
        decimals = max(0, 3 - math.floor(math.log10(size))) if size > 0 else 0
        return f"{x:.{decimals}f}" if abs(x) > 1e3 * size else f"{x:.4g}"

    return f"({', '.join(shown(x) for x in (point + 0.0).tolist())})"


def _direction(up: Tensor) -> str:
    """ "+z", or the three numbers where it is no axis."""
    largest = int(up.abs().argmax())
    if abs(float(up[largest])) > 1 - 1e-6:
        return ("+" if up[largest] > 0 else "-") + _AXES[largest]
    return f"({', '.join(f'{x:.3f}' for x in up.tolist())})"


def sphere_or_fault(views: Views) -> tuple[tuple[Tensor, float] | None, str]:
    """The sphere around the object, or None and why masks and cameras do not give one."""
    try:
        return bounding_sphere(views), ""
    except ValueError as error:
        return None, str(error)
