"""The same spot in two photographs: SIFT features on the object, pairs of them, and how far cameras put them apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...cameras.model import Cameras
from ...constants import DEFAULTS, Matching
from ...images.masks import on_object
from ..pycolmap_quietly import quiet_pycolmap
from ..views import Views

DIMENSIONS = 128  # of a descriptor of SIFT


@dataclass(frozen=True)
class Features:
    """Of one photograph.

    Attributes
    ----------
    pixels : (N, 2) float64
        The first pixel's centre is (0.5, 0.5).
    descriptors : (N, 128) float32 tensor
        Of unit length.
    """

    pixels: np.ndarray
    descriptors: Tensor


def halvings(views: Views, pixels: int) -> int:
    """How often photographs are halved until they have no more pixels than that, or a side of one."""
    (height, width), level = views.images.shape[1:3], 0
    while (height >> level) * (width >> level) > pixels and min(height, width) >> level > 1:
        level += 1
    return level


def features(
    views: Views,
    constants: Matching = DEFAULTS.matching,
    *,
    level: int = 0,
    coarsest: int | None = None,
    asked: Sequence[int] | None = None,
) -> list[Features]:
    """SIFT features inside the masks, by pycolmap on the CPU.

    Of more than `Matching.features` the largest are kept, and smaller photographs have most of them, too.

    Parameters
    ----------
    views : Views
    constants : Matching, optional
    level : int
        Photographs are halved so often.
    coarsest : int, optional
        They are halved so often at first, and less where that leaves too few features. By default `level`.
    asked : sequence of int, optional
        Numbers of photographs, by default all: a part of the views would be a copy.
    """
    with quiet_pycolmap() as pycolmap:
        options = pycolmap.FeatureExtractionOptions()
        options.use_gpu = False
        options.num_threads = torch.get_num_threads()
        options.sift.max_num_features = constants.features
        sift = pycolmap.FeatureExtractor.create(options, pycolmap.Device.cpu)
        levels = range(level if coarsest is None else max(coarsest, level), level - 1, -1)
        numbers = range(len(views)) if asked is None else asked
        return [_of_view(sift, views.images[i].cpu().numpy(), levels, constants) for i in numbers]


def _of_view(sift: Any, image: np.ndarray, levels: range, constants: Matching) -> Features:
    """Features of a photograph (H, W, 4), in its own pixels; only the part around its mask is looked at."""
    mask = on_object(image[..., 3])
    if not mask.any():
        return Features(np.zeros((0, 2)), torch.zeros(0, DIMENSIONS))
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    border = constants.surroundings
    top, left = max(rows[0] - border, 0), max(columns[0] - border, 0)
    part = image[top : rows[-1] + 1 + border, left : columns[-1] + 1 + border, :3].astype(np.float32)
    grey = part @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    whole = Image.fromarray(grey.round().astype(np.uint8))
    for level in levels:
        keys, descriptors = sift.extract_from_uint8_array(np.array(whole.reduce(2**level)))
        if len(keys) >= constants.features:
            break
    found = np.array([(key.x, key.y) for key in keys], dtype=np.float64).reshape(-1, 2)
    pixels = 2**level * found + (left, top)
    at = np.floor(pixels).astype(np.int64)
    x, y = at[:, 0].clip(0, mask.shape[1] - 1), at[:, 1].clip(0, mask.shape[0] - 1)
    inside = mask[y, x]
    kept = np.asarray(descriptors.data, dtype=np.float32).reshape(len(pixels), DIMENSIONS)[inside]
    return Features(pixels[inside], torch.nn.functional.normalize(torch.from_numpy(kept), dim=1))


def matches(
    found: list[Features], cameras: Cameras, constants: Matching = DEFAULTS.matching
) -> Iterator[tuple[int, int, np.ndarray]]:
    """`alike`, less the features that do not lie on the lines that the cameras draw for their partners."""
    for i, j, pairs in alike(found, cameras, constants):
        off = epipolar_distances(
            cameras[i], cameras[j], found[i].pixels[pairs[:, 0]], found[j].pixels[pairs[:, 1]]
        )
        yield i, j, pairs[off <= constants.found]


def alike(
    found: list[Features],
    cameras: Cameras,
    constants: Matching = DEFAULTS.matching,
    *,
    most: int | None = None,
) -> Iterator[tuple[int, int, np.ndarray]]:
    """For each pair of views that may match: the two, and (M, 2) indices of features that look alike.

    Each is the other's nearest, clearly nearer than the second nearest. The cameras only tell which views look the same
    way; with `most`, those that are among so many of the nearest to one another.
    """
    forward = cameras.forward.double().cpu()
    cosines = forward @ forward.T
    near = cosines >= np.cos(np.radians(constants.angle))
    if most is not None and most < len(found) - 1:
        near &= cosines >= cosines.topk(most + 1, dim=1).values[:, -1:]  # a view is its own nearest
        near |= near.clone().T
    for i in range(len(found)):
        for j in range(i + 1, len(found)):
            if near[i, j] and min(len(found[i].pixels), len(found[j].pixels)) >= 2:
                yield i, j, _mutual(found[i].descriptors, found[j].descriptors, constants.ratio)


def _mutual(first: Tensor, second: Tensor, ratio: float) -> np.ndarray:
    """(M, 2) nearest neighbours of each other that pass the ratio test."""
    likeness = first @ second.T
    best, at = likeness.topk(2, dim=1)
    nearest, back = at[:, 0], likeness.argmax(dim=0)
    here = torch.arange(len(first))
    distance = (2 - 2 * best).clamp(min=0).sqrt()
    good = (back[nearest] == here) & (distance[:, 0] < ratio * distance[:, 1])
    return torch.stack([here[good], nearest[good]], dim=1).numpy()


def epipolar_distances(first: Cameras, second: Cameras, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(M,) pixels: how far pixels (M, 2) of two cameras are from each other's epipolar lines, the larger of both."""
    (p, k), (q, m) = (
        (c.world_to_camera[0].double().cpu().numpy(), c.intrinsics[0].double().cpu().numpy())
        for c in (first, second)
    )
    step = q @ np.linalg.inv(p)  # from one camera's coordinates to the other's
    x, y, z = step[:3, 3]
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    fundamental = np.linalg.inv(m).T @ cross @ step[:3, :3] @ np.linalg.inv(k)
    a, b = (np.concatenate([of, np.ones((len(of), 1))], axis=1) for of in (a, b))
    of_a, of_b = a @ fundamental.T, b @ fundamental  # lines in the second image, and in the first
    off = np.abs((of_a * b).sum(axis=1))
    width = np.minimum(np.hypot(of_a[:, 0], of_a[:, 1]), np.hypot(of_b[:, 0], of_b[:, 1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(width > 0, off / width, np.inf))
