"""Masks in photographs of any size, drawn by a solid and by colours; and what each pixel says by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import binary_erosion, distance_transform_edt

from ....constants import Outlining
from ....images.color import srgb_to_linear
from ....scenes.photographs.matting import matted
from ....scenes.views import Views
from ..hull import Hull
from .edges import at_edges
from .likelihood import Likelihood, gains_of
from .plane_look import logarithms
from .silhouettes import coverages, known_of
from .volume import smallest


def drawn(views: Views, likelihood: Likelihood, solid: Hull) -> Views:
    """Views with soft masks of the object, and evidence: what each pixel says by itself, moved to the edges.

    The solid's outline is known to a cell. What is farther from it has the solid's say, too.
    """
    numbers, known = likelihood.constants, known_of(views)
    masks = np.zeros_like(known)
    evidence = np.zeros(known.shape, dtype=np.int8)
    for index, place in enumerate(_places(views, likelihood, solid)):
        ratio = likelihood.ratio(views, index, place.gain)
        masks[index] = _labelled(ratio, place, numbers) & known[index]
        cells = place.away / place.cell
        said = numbers.slope * (cells - np.clip(cells, -1, 1)) + np.clip(ratio, -numbers.doubt, numbers.doubt)
        evidence[index] = np.rint(127 * np.clip(said / numbers.doubt, -1, 1))
    soft = _softly(views, masks)
    for index, image in enumerate(views.images):
        light = srgb_to_linear(image[..., :3].cpu() / 255).numpy()
        alpha = soft.images[index, ..., 3].cpu().numpy() / 255
        evidence[index] = np.rint(127 * at_edges(evidence[index] / 127, alpha, light, known[index], numbers))
    found = torch.from_numpy(evidence).to(views.images.device)
    return replace(soft, evidence=found)


def masks_of(views: Views, likelihood: Likelihood, solid: Hull) -> np.ndarray:
    """(B, H, W) bool: where the object is, by each photograph's colours near the solid's outline."""
    return known_of(views) & np.stack([
        _labelled(likelihood.ratio(views, index, place.gain), place, likelihood.constants)
        for index, place in enumerate(_places(views, likelihood, solid))
    ])  # fmt: skip


@dataclass(frozen=True)
class _Place:
    """A solid in a photograph.

    Attributes
    ----------
    logs : (H, W, 3) array
        Of the photograph's colours, less its gain.
    gain : (3,) array
    away : (H, W) array
        Pixels from the solid's outline, positive inside; -inf where there is none.
    cell : float
        Of the solid's grid, in pixels.
    """

    logs: np.ndarray
    gain: np.ndarray
    away: np.ndarray
    cell: float


def _places(views: Views, likelihood: Likelihood, solid: Hull) -> Iterator[_Place]:
    """The solid in each view."""
    gains, numbers = np.zeros((len(views), 3)), likelihood.constants
    covers = [cover > 0.5 for cover in coverages(views, solid.vertices, solid.faces)]
    if likelihood.around:
        outside = np.stack([binary_erosion(~cover, iterations=numbers.beside) for cover in covers])
        gains = gains_of(views, likelihood.around[0].look, outside & known_of(views), numbers)
    middle = solid.vertices.mean(dim=0)
    for index, (cover, gain) in enumerate(zip(covers, gains, strict=True)):
        camera = views.cameras[index]
        depth = float((camera.centers[0].double().cpu() - middle).norm())
        padded = np.pad(cover, 1)  # the border of a photograph is an outline
        away = (distance_transform_edt(padded) - distance_transform_edt(~padded))[1:-1, 1:-1]
        logs = logarithms(views.images[index].cpu().numpy(), numbers.dark) - gain
        cell = float(camera.intrinsics[0, 0, 0]) * solid.grid.cell / depth
        yield _Place(logs, gain, away if cover.any() else np.full(cover.shape, -np.inf), cell)


def _labelled(ratio: np.ndarray, place: _Place, constants: Outlining) -> np.ndarray:
    """(H, W) bool: the pixels of the object by their colours and a solid.

    Its outline is short, and lies where colours change.
    """
    covered = place.away > 0
    result = np.zeros(covered.shape, dtype=bool)
    if not covered.any():
        return result
    wide = int(8 * place.cell) + 2
    doubt, edge = constants.doubt, constants.edge
    rows, columns = (np.flatnonzero(covered.any(axis=axis)) for axis in (1, 0))
    box = tuple(slice(max(part[0] - wide, 0), part[-1] + wide + 1) for part in (rows, columns))
    gain = np.clip(ratio[box], -doubt, doubt) + constants.slope * place.away[box] / place.cell
    squares = [np.square(np.diff(place.logs[box], axis=axis)).sum(axis=-1) for axis in (0, 1)]
    usual = max(float(np.mean([part.mean() for part in squares])), 1e-12)
    weights = [(edge * np.exp(-part / (2.0 * usual))).astype(np.float32) for part in squares]
    result[box] = smallest(gain / doubt, [part / doubt for part in weights]) > 0.5
    return result


def _softly(views: Views, masks: np.ndarray) -> Views:
    """Views with masks (B, H, W) bool that become soft by the photographs' light."""
    images = views.images.cpu().clone()
    for index, mask in enumerate(masks):
        images[index, ..., 3] = torch.from_numpy(np.where(mask, 255, 0).astype(np.uint8))
        images[index] = torch.from_numpy(matted(images[index].numpy()))
    if views.known is not None:
        images[..., 3] *= views.known.cpu().to(images)
    return replace(views, images=images.to(views.images.device))
