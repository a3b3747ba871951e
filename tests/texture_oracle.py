"""What textures are compared with: texel by texel, in NumPy and float64; cube maps as points on a cube."""

from __future__ import annotations

import math

import numpy as np

# OpenGL 4.6, table 8.19: what runs along s and t on each face, and the axis that it looks along.
FACES = {
    0: ((0, 0, -1), (0, -1, 0), (1, 0, 0)),
    1: ((0, 0, 1), (0, -1, 0), (-1, 0, 0)),
    2: ((1, 0, 0), (0, 0, 1), (0, 1, 0)),
    3: ((1, 0, 0), (0, 0, -1), (0, -1, 0)),
    4: ((1, 0, 0), (0, -1, 0), (0, 0, 1)),
    5: ((-1, 0, 0), (0, -1, 0), (0, 0, -1)),
}


def halved(texture: np.ndarray) -> np.ndarray:
    """The next level of (..., H, W, C)."""
    if texture.shape[-3] > 1:
        texture = (texture[..., 0::2, :, :] + texture[..., 1::2, :, :]) / 2
    if texture.shape[-2] > 1:
        texture = (texture[..., 0::2, :] + texture[..., 1::2, :]) / 2
    return texture


def stack_of(texture: np.ndarray, most: int = 99) -> list[np.ndarray]:
    """The texture and its levels down to 1 x 1, or to the level `most`."""
    stack = [texture]
    while stack[-1].shape[-3:-1] != (1, 1) and len(stack) <= most:
        stack.append(halved(stack[-1]))
    return stack


def texel_of(texture: np.ndarray, row: int, column: int, boundary: str) -> np.ndarray:
    """A texel that may lie outside."""
    height, width, channels = texture.shape
    if boundary == "wrap":
        return texture[row % height, column % width]
    if boundary == "clamp":
        return texture[min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
    inside = 0 <= row < height and 0 <= column < width
    return texture[row, column] if inside else np.zeros(channels)


def flat(texture: np.ndarray, uv: np.ndarray, filter_mode: str, boundary: str) -> np.ndarray:
    """One place of (H, W, C), on one level."""
    x, y = uv[0] * texture.shape[1], uv[1] * texture.shape[0]
    if filter_mode == "nearest":
        return texel_of(texture, math.floor(y), math.floor(x), boundary)
    column, row = math.floor(x - 0.5), math.floor(y - 0.5)
    value = np.zeros(texture.shape[2])
    for j in (row, row + 1):
        for i in (column, column + 1):
            share = (1 - abs(x - 0.5 - i)) * (1 - abs(y - 0.5 - j))
            value += share * texel_of(texture, j, i, boundary)
    return value


def face_and_place(p: np.ndarray) -> tuple[int, np.ndarray]:
    """The face that a direction meets, and where: (s, t)."""
    face = max(FACES, key=lambda f: np.dot(FACES[f][2], p))
    along_s, along_t, forward = map(np.array, FACES[face])
    return face, (np.array([along_s @ p, along_t @ p]) / (forward @ p) + 1) / 2


def point_on_cube(face: int, side: int, row: int, column: int) -> np.ndarray:
    """A texel's centre on [-1, 1]³; a step beyond an edge lies on the face that follows, beyond two at the corner."""
    along_s, along_t, forward = map(np.array, FACES[face])
    place = (2 * np.array([column, row]) + 1) / side - 1
    flat_place = np.clip(place, -1, 1)
    beyond = np.sum(np.abs(place) > 1) == 1
    return flat_place[0] * along_s + flat_place[1] * along_t + forward * (1 - beyond / side)


def cube(texture: np.ndarray, p: np.ndarray, filter_mode: str) -> np.ndarray:
    """One direction of (6, S, S, C), on one level."""
    side = texture.shape[1]
    face, (s, t) = face_and_place(p)
    if filter_mode == "nearest":
        return texture[face, min(int(t * side), side - 1), min(int(s * side), side - 1)]
    texels = [(f, j, i) for f in range(6) for j in range(side) for i in range(side)]
    centres = np.array([point_on_cube(f, side, j, i) for f, j, i in texels])
    column, row = math.floor(s * side - 0.5), math.floor(t * side - 0.5)
    value = np.zeros(texture.shape[3])
    for j in (row, row + 1):
        for i in (column, column + 1):
            share = (1 - abs(s * side - 0.5 - i)) * (1 - abs(t * side - 0.5 - j))
            away = np.linalg.norm(centres - point_on_cube(face, side, j, i), axis=1)
            corner = not 0 <= i < side and not 0 <= j < side
            near = np.argsort(away)[: 3 if corner else 1]
            assert corner or away[near[0]] < 1e-9
            value += share * np.mean([texture[texels[n]] for n in near], axis=0)
    return value


def level_of(footprint: np.ndarray, width: int, height: int) -> float:
    """log2 of the longest axis of the image of the unit circle, in texels."""
    longest = np.linalg.svd(np.diag([width, height]) @ footprint, compute_uv=False)[0]
    return math.log2(longest) if longest > 0 else -math.inf


def sample(
    texture, place, filter_mode, boundary, footprint=None, bias=0.0, most=99, stack=None
) -> np.ndarray:
    """One place of a texture, all filters; `footprint` (2, 2) or (3, 2), the derivatives by the pixel."""
    on_cube = boundary == "cube"

    def on(level: np.ndarray, name: str) -> np.ndarray:
        return cube(level, place, name) if on_cube else flat(level, place, name, boundary)

    if "mipmap" not in filter_mode:
        return on(texture, filter_mode)
    stack = stack_of(texture, most) if stack is None else [texture, *stack][: most + 1]
    level = 0.0 if footprint is not None else None
    if footprint is not None:
        if on_cube:  # as seen on the face: by differences
            face, _ = face_and_place(place)
            along_s, along_t, forward = map(np.array, FACES[face])

            def on_face(p: np.ndarray) -> np.ndarray:
                return np.array([along_s @ p, along_t @ p]) / (2 * (forward @ p))

            steps = [on_face(place + 1e-6 * d) - on_face(place - 1e-6 * d) for d in footprint.T]
            footprint = np.array(steps).T / 2e-6
        level = level_of(footprint, texture.shape[-2], texture.shape[-3])
    level = min(max((level or 0.0) + bias, 0.0), len(stack) - 1.0)
    if filter_mode == "linear-mipmap-nearest":
        return on(stack[math.floor(level + 0.5)], "linear")
    lower = math.floor(level)
    upper = min(lower + 1, len(stack) - 1)
    return (1 - (level - lower)) * on(stack[lower], "linear") + (level - lower) * on(stack[upper], "linear")
