"""A fennec fox, the animal with thin ears and legs: its body as blended solids, and its coat.

It looks along +x; y is up. The head is turned, one paw lifted and the tail swung, so that no two views are alike.
"""

from __future__ import annotations

import numpy as np

from .solids import ball, blend, bone, egg

HEAD = np.array([0.47, 0.98, 0.04])
TURN = np.deg2rad(-22)  # of the head, about the vertical
EDGE = 0.0282
LOW, HIGH = (-1.3, -0.1, -0.7), (1.1, 1.95, 0.8)

SAND, CREAM, RUST = (0.86, 0.60, 0.31), (0.98, 0.93, 0.82), (0.72, 0.40, 0.18)
DARK, PINK = (0.10, 0.07, 0.06), (0.90, 0.62, 0.52)


def head_frame(points: np.ndarray) -> np.ndarray:
    """Points relative to the head, along its nose (x), up (y) and to its right (z)."""
    x, y, z = (points - HEAD).T
    cosine, sine = np.cos(TURN), np.sin(TURN)
    return np.stack([cosine * x - sine * z, y, sine * x + cosine * z], axis=1)


def ear_frame(points: np.ndarray, side: int) -> np.ndarray:
    """Along an ear (0 in the middle), across it and through it, from points in the head's frame."""
    up = np.array([-0.22, 1.0, 0.42 * side])
    up /= np.linalg.norm(up)
    out = np.array([0.85, 0.25, 0.50 * side])  # the hollow looks forward and outward
    out -= up * (out @ up)
    out /= np.linalg.norm(out)
    local = points - np.array([-0.05, 0.12, 0.115 * side]) - 0.27 * up
    return np.stack([local @ up, local @ np.cross(out, up), local @ out], axis=1)


def ear(points: np.ndarray, side: int) -> np.ndarray:
    """One ear: a bent leaf, 0.6 long and 0.06 thick."""
    along, across, through = ear_frame(points, side).T
    narrowing = np.clip(1 - 0.9 * (along - 0.02), 0.55, 1.1)  # towards the tip
    bent = through - 1.9 * across**2 + 0.02
    shape = egg(np.stack([along, across / narrowing, bent], axis=1), (0, 0, 0), (0.33, 0.155, 0.033))
    return 0.75 * shape  # bending stretches space; this keeps the slope near one


def head(points: np.ndarray) -> np.ndarray:
    """Skull, cheeks, muzzle, nose and eyes."""
    local = head_frame(points)
    shape = egg(local, (0, 0, 0), (0.20, 0.175, 0.185))
    for side in (-1, 1):
        shape = blend(shape, egg(local, (-0.01, -0.07, 0.12 * side), (0.13, 0.09, 0.10)), 0.08)
    shape = blend(shape, bone(local, (0.10, -0.055, 0), (0.29, -0.085, 0), 0.095, 0.042), 0.08)
    for side in (-1, 1):
        shape = blend(shape, ear(local, side), 0.05)
        shape = blend(shape, ball(local, (0.15, 0.035, 0.095 * side), 0.036), 0.012)
    return blend(shape, ball(local, (0.332, -0.072, 0), 0.034), 0.015)


def leg(
    points: np.ndarray, joints: list[tuple[float, float, float]], radii: list[float], paw: float
) -> np.ndarray:
    """Bones from joint to joint, and a paw that points forward."""
    shape = bone(points, joints[0], joints[1], radii[0], radii[1])
    for i in range(1, len(joints) - 1):
        shape = blend(shape, bone(points, joints[i], joints[i + 1], radii[i], radii[i + 1]), 0.04)
    x, y, z = joints[-1]
    return blend(shape, egg(points, (x + 0.035, y, z), (0.085, 0.048, 0.058)), paw)


def tail_line() -> tuple[np.ndarray, np.ndarray]:
    """Points along the tail and its thickness at each: thin, bushy, pointed."""
    t = np.linspace(0, 1, 13)
    control = np.array([[-0.46, 0.60, 0.0], [-0.78, 0.58, 0.02], [-0.72, 0.05, 0.22], [-1.16, 0.42, 0.42]])
    weights = np.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=1)
    return weights @ control, 0.052 + 0.085 * np.sin(np.pi * t**1.25) ** 1.5 - 0.03 * t


def tail(points: np.ndarray) -> np.ndarray:
    """The tail as a chain of bones."""
    line, radii = tail_line()
    shape = bone(points, line[0], line[1], radii[0], radii[1])
    for i in range(1, len(line) - 1):
        shape = blend(shape, bone(points, line[i], line[i + 1], radii[i], radii[i + 1]), 0.02)
    return shape


def distance(points: np.ndarray) -> np.ndarray:
    """The whole animal."""
    trunk = bone(points, (-0.30, 0.60, 0), (0.20, 0.60, 0), 0.185, 0.205)
    trunk = blend(trunk, egg(points, (0.25, 0.62, 0), (0.19, 0.22, 0.18)), 0.10)
    trunk = blend(trunk, bone(points, (0.27, 0.70, 0), (0.42, 0.90, 0.03), 0.155, 0.12), 0.10)
    for side in (-1, 1):
        trunk = blend(trunk, egg(points, (-0.33, 0.53, 0.10 * side), (0.16, 0.20, 0.105)), 0.08)
    legs = [
        leg(points, [(0.24, 0.50, -0.11), (0.24, 0.26, -0.12), (0.25, 0.045, -0.12)], [0.085, 0.052, 0.044], 0.03),
        leg(points, [(0.27, 0.50, 0.11), (0.43, 0.31, 0.13), (0.40, 0.11, 0.14)], [0.085, 0.055, 0.042], 0.03),
        leg(points, [(-0.33, 0.45, -0.12), (-0.27, 0.30, -0.13), (-0.42, 0.19, -0.13), (-0.36, 0.045, -0.13)],
            [0.11, 0.07, 0.046, 0.044], 0.03),
        leg(points, [(-0.36, 0.45, 0.12), (-0.40, 0.30, 0.13), (-0.58, 0.20, 0.13), (-0.56, 0.045, 0.13)],
            [0.11, 0.07, 0.046, 0.044], 0.03),
    ]  # fmt: skip
    for shape in legs:
        trunk = blend(trunk, shape, 0.07)
    trunk = blend(trunk, tail(points), 0.05)
    return blend(trunk, head(points), 0.06)


def paint(colors: np.ndarray, weight: np.ndarray, color: tuple[float, float, float]) -> np.ndarray:
    """A colour over the colours, where the weight is one."""
    return colors + np.clip(weight, 0, 1)[:, None] * (np.asarray(color) - colors)


def coat(vertices: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(V, 3) sRGB colours: sand above, cream below, a rusty back, dark eyes, nose and tail tip, pink in the ears."""
    x, y, z = vertices.T
    local = head_frame(vertices)
    in_head = np.clip((0.05 - head(vertices)) / 0.02, 0, 1) * (y > 0.75)
    colors = np.tile(np.asarray(SAND), (len(vertices), 1))
    ripple = 0.10 * np.sin(9 * x + 2 * np.sin(5 * z)) * np.sin(11 * y)  # the border of each patch wanders
    body = 1 - in_head
    colors = paint(colors, body * 0.8 * (normals[:, 1] - 0.45 + ripple) / 0.3, RUST)
    colors = paint(colors, body * (x < 0.62) * (-normals[:, 1] - 0.35 + ripple) / 0.25 * (y > 0.34), CREAM)
    chest = 1 - np.linalg.norm((vertices - [0.42, 0.66, 0.0]) / [0.17, 0.24, 0.17], axis=1)
    colors = paint(colors, 4 * (chest + ripple), CREAM)
    colors = paint(colors, (0.24 - y + ripple) / 0.08, CREAM)  # socks
    line, _ = tail_line()
    along = np.linalg.norm(vertices[:, None] - line, axis=2)
    on_tail = (along.min(axis=1) < 0.17) & (x < -0.5) & (along.argmin(axis=1) > 1)
    colors = np.where(on_tail[:, None], SAND, colors)
    colors = paint(colors, on_tail * (normals[:, 1] + 0.2 + ripple), RUST)
    colors = paint(colors, on_tail * (along.argmin(axis=1) - 9.2 + 3 * ripple), DARK)
    return _face(colors, local, in_head)


def _face(colors: np.ndarray, local: np.ndarray, in_head: np.ndarray) -> np.ndarray:
    """The head's part of the coat."""
    below = (-0.045 - local[:, 1]) / 0.03
    cheeks = np.linalg.norm((local - [0.10, -0.10, 0]) * [1, 1.2, 1 / 1.3], axis=1)
    colors = paint(colors, in_head * below.clip(0, 1) * (0.32 - cheeks) / 0.1, CREAM)
    for side in (-1, 1):
        along, across, through = ear_frame(local, side).T
        front = ((through - 1.9 * across**2 + 0.02) / 0.012).clip(0, 1)
        at_ear = (ear(local, side) < 0.02) * ((along + 0.30) / 0.05).clip(0, 1)
        half_width = 0.125 * (1 - 0.8 * along) * np.sqrt((1 - (along / 0.31) ** 2).clip(0, 1))
        colors = paint(colors, at_ear * (1 - front), RUST)
        colors = paint(colors, at_ear * front, CREAM)
        colors = paint(colors, at_ear * front * ((half_width - np.abs(across)) / 0.03).clip(0, 1), PINK)
        brow = np.linalg.norm(local - [0.14, 0.085, 0.075 * side], axis=1)
        colors = paint(colors, 0.8 * ((0.042 - brow) / 0.025).clip(0, 1), CREAM)
        eye = np.linalg.norm(local - [0.163, 0.035, 0.103 * side], axis=1)
        colors = paint(colors, (0.052 - eye) / 0.012, DARK)
    nose = np.linalg.norm(local - [0.345, -0.068, 0], axis=1)
    return paint(colors, (0.055 - nose) / 0.012, DARK)
