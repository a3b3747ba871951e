"""Depth maps of all photographs, and how many of them confirm one another."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...renderers.rasterized import homogeneous_pixels
from .sweep import DepthMap, centers_of, swept
from .term import PhotoConsistency


def depth_maps(term: PhotoConsistency, points: Float[Tensor, "N 3"]) -> dict[int, DepthMap]:
    """Of each photograph that has neighbours, with what confirms it; see `swept`.

    Parameters
    ----------
    term : PhotoConsistency
        With the photographs and their cameras.
    points : (N, 3) tensor
        Between the nearest and the farthest of them lies the object, as between the vertices of its hull.
    """
    found = {index: swept(term, index, points) for index in range(len(term.neighbors))}
    maps = {index: made for index, made in found.items() if made is not None}
    for index, made in maps.items():
        made.confirmed.copy_(_confirmations(made, index, maps, term))
    return maps


def _confirmations(
    made: DepthMap, index: int, maps: dict[int, DepthMap], term: PhotoConsistency
) -> Float[Tensor, "H W"]:
    """How many neighbours put what a pixel shows to the same depth, up to what a shift by a pixel makes of it."""
    (height, width), camera = made.inverse.shape, term.cameras([index], made.level)
    pixels = made.inverse.reshape(-1).nonzero()[:, 0]
    rays = centers_of(pixels, width).to(made.inverse)
    inverse_matrix = torch.linalg.inv(camera.intrinsics[0] @ camera.world_to_camera[0, :3, :3])
    points = rays @ inverse_matrix.T / made.inverse.reshape(-1)[pixels, None] + camera.centers
    count = torch.zeros_like(made.inverse)
    for other in term.neighbors[index]:
        if other not in maps:
            continue
        seen = term.cameras([other], made.level)
        there = homogeneous_pixels(points, seen)[0]
        columns, rows = (there[:, :2] / there[:, 2:]).floor().long().unbind(1)
        inside = (there[:, 2] > 0) & (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        columns, rows = columns.clamp(0, width - 1), rows.clamp(0, height - 1)
        inverse = maps[other].inverse[rows, columns]
        step = 1.0 / (maps[other].focal * float((camera.centers - seen.centers).norm()))
        agree = inside & (inverse > 0) & ((1.0 / there[:, 2] - inverse).abs() < step)
        count.view(-1)[pixels] += agree.to(count)
    return count
