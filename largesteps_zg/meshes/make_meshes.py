"""Make the target meshes in this folder: from formulas alone, the same every time.

    python -m largesteps_zg.meshes.make_meshes [NAME ...]        from the project's root; needs gpytoolbox

Each function returns vertices, faces and sRGB colours; y is up. The result is centred and scaled into the unit ball.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import trimesh

from largesteps_zg.images import srgb_to_linear
from largesteps_zg.mesh import Mesh, save_mesh
from largesteps_zg.mesh.remeshing import remesh

from . import fennec as fox
from .solids import ball, blend, bone, carve, surface

Parts = tuple[np.ndarray, np.ndarray, np.ndarray]  # vertices (V, 3), faces (F, 3), sRGB colours (V, 3)


def mix(weight: np.ndarray, first: Sequence[float], second: Sequence[float]) -> np.ndarray:
    """The first colour where the weight is 0, the second where it is 1."""
    weight = np.clip(weight, 0, 1)[:, None]
    return (1 - weight) * np.asarray(first) + weight * np.asarray(second)


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) area-weighted unit normals."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    normals = np.zeros_like(vertices)
    np.add.at(normals, faces, np.cross(b - a, c - a)[:, None, :])
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def closed_grid(points: np.ndarray) -> np.ndarray:
    """Faces of a grid (M, N, 3) that closes in both directions."""
    rows, columns = points.shape[:2]
    i, j = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")

    def number(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return (i % rows) * columns + j % columns

    a, b, c, d = number(i, j), number(i + 1, j), number(i + 1, j + 1), number(i, j + 1)
    return np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])


def divide(points: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """Points along a polyline, so many on each of its legs, without the very last."""
    legs = zip(points, points[1:], counts, strict=False)
    return np.concatenate([np.linspace(a, b, count, endpoint=False) for a, b, count in legs])


def pebble() -> Parts:
    """Smooth: four balls melted together."""
    centers = [(0.0, 0.0, 0.0), (0.75, 0.25, 0.1), (-0.35, 0.7, 0.25), (-0.2, -0.35, 0.65)]

    def distance(points: np.ndarray) -> np.ndarray:
        shape = ball(points, centers[0], 0.62)
        for center, radius in zip(centers[1:], (0.42, 0.36, 0.40), strict=True):
            shape = blend(shape, ball(points, center, radius), 0.45)
        return shape

    vertices, faces = surface(distance, (-1.1, -1.1, -1.1), (1.5, 1.4, 1.4), 0.062, cell=0.05)
    wave = 0.5 + 0.5 * np.sin(4 * vertices[:, 1] + 2 * np.sin(3 * vertices[:, 0]) + 1.5 * vertices[:, 2])
    return vertices, faces, mix(wave, (0.20, 0.50, 0.56), (0.93, 0.86, 0.68))


def fennec() -> Parts:
    """Animal: thin ears, thin legs, a bushy tail; looks along +x."""
    vertices, faces = surface(fox.distance, fox.LOW, fox.HIGH, fox.EDGE)
    return vertices, faces, fox.coat(vertices, vertex_normals(vertices, faces))


def mug() -> Parts:
    """Genus 1 and hollow: thin walls that see each other, and a handle."""

    def cylinder(points: np.ndarray, radius: float, bottom: float, top: float, rounding: float) -> np.ndarray:
        sideways = np.hypot(points[:, 0], points[:, 2]) - radius + rounding
        upwards = np.abs(points[:, 1] - (bottom + top) / 2) - (top - bottom) / 2 + rounding
        outside = np.hypot(np.maximum(sideways, 0), np.maximum(upwards, 0))
        return outside + np.minimum(np.maximum(sideways, upwards), 0) - rounding

    def distance(points: np.ndarray) -> np.ndarray:
        shifted = points - np.array([0.60, 0.0, 0.0])
        in_plane = np.hypot(shifted[:, 0], shifted[:, 1] / 1.25) - 0.30
        handle = np.hypot(in_plane, shifted[:, 2] * 0.8) - 0.07
        body = blend(cylinder(points, 0.6, -0.7, 0.7, 0.10), handle, 0.08)
        return carve(body, cylinder(points, 0.475, -0.58, 1.5, 0.15), 0.11)

    vertices, faces = surface(distance, (-0.7, -0.8, -0.7), (1.1, 0.8, 0.7), 0.049, cell=0.022)
    x, y, z = vertices.T
    turn = np.arctan2(z, x)
    glaze = 0.02 + 0.07 * np.sin(5 * turn) + 0.04 * np.sin(3 * turn + 1)  # how far down the white has run
    outside = np.clip((np.hypot(x, z) - 0.52) / 0.04, 0, 1)
    return vertices, faces, mix(outside * (glaze - y) / 0.06, (0.95, 0.92, 0.86), (0.13, 0.33, 0.52))


def gear() -> Parts:
    """Sharp-edged machine part, genus 1: twelve teeth, a raised hub, a bore. Its edges are edges of the mesh."""
    teeth = 12
    # One tooth as radius over angle: valley, flank, tip, flank; the corners fall on columns of the grid.
    corner_angles = np.array([0, 0.28, 0.40, 0.72, 0.84, 1.0])
    corner_radii = np.array([0.78, 0.78, 1.0, 1.0, 0.78, 0.78])
    counts = (4, 2, 4, 2, 2)
    fraction = divide(corner_angles[:, None], counts)[:, 0]
    angle = (np.arange(teeth)[:, None] + fraction).reshape(-1) * 2 * np.pi / teeth
    rim = np.tile(np.interp(fraction, corner_angles, corner_radii), teeth)
    # The outline that is turned about the axis: (radius, height), radius 1 meaning the rim.
    upper = [(0.24, 0.30), (0.40, 0.30), (0.40, 0.16), (1.0, 0.16)]
    outline = np.array([*upper, *[(radius, -height) for radius, height in upper[::-1]], upper[0]])
    line = divide(outline, (2, 2, 8, 4, 8, 2, 2, 7))
    # Between hub and rim the radius runs from the hub's circle to the teeth.
    share = np.clip((line[:, 0] - 0.40) / 0.60, 0, 1)
    radius = np.minimum(line[:, 0], 0.40) + share * (rim[:, None] - 0.40)  # (angles, outline)
    height = np.broadcast_to(line[:, 1], radius.shape)
    points = np.stack([radius * np.cos(angle)[:, None], height, radius * np.sin(angle)[:, None]], axis=-1)
    vertices, faces = _remesh_sharp(points.reshape(-1, 3), closed_grid(points), 0.047)
    worn = (np.hypot(vertices[:, 0], vertices[:, 2]) - 0.42) / 0.3
    return vertices, faces, mix(worn, (0.72, 0.50, 0.24), (0.55, 0.58, 0.62))


def _remesh_sharp(vertices: np.ndarray, faces: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """Even triangles that keep creases where they are, and the corners where creases meet."""
    from gpytoolbox import remesh_botsch

    mesh = trimesh.Trimesh(vertices, faces, process=False)
    creases = mesh.face_adjacency_edges[mesh.face_adjacency_angles > np.deg2rad(35)]
    corners = np.flatnonzero(np.bincount(creases.reshape(-1), minlength=len(vertices)) > 2)
    return remesh_botsch(
        vertices, faces.astype(np.int32), 10, edge, True, feature=corners, feature_edges=creases
    )


def urchin() -> Parts:
    """Spiky: twenty-six horns on a ball."""
    count = 26
    height = 1 - (2 * np.arange(count) + 1) / count  # a Fibonacci spiral over the sphere
    turn = np.arange(count) * np.pi * (3 - 5**0.5)
    across = np.sqrt(1 - height**2)
    tips = np.stack([across * np.cos(turn), height, across * np.sin(turn)], axis=1)
    lengths = 0.42 + 0.13 * np.sin(2.4 * np.arange(count))

    def distance(points: np.ndarray) -> np.ndarray:
        shape = ball(points, (0, 0, 0), 0.5)
        for tip, length in zip(tips, lengths, strict=True):
            shape = blend(shape, bone(points, 0.4 * tip, (0.48 + length) * tip, 0.15, 0.036), 0.06)
        return shape

    vertices, faces = surface(distance, (-1.1, -1.1, -1.1), (1.1, 1.1, 1.1), 0.042, cell=0.022)
    out = (np.linalg.norm(vertices, axis=1) - 0.5) / 0.4
    return vertices, faces, mix(out, (0.36, 0.12, 0.42), (0.98, 0.66, 0.32))


def leaf() -> Parts:
    """Open sheet: a curled leaf with a stem end, a border all around."""
    rings = 28
    points, faces = [np.zeros((1, 2))], []
    for ring in range(1, rings + 1):  # a disc of hexagonal rings
        turn = np.arange(6 * ring) * 2 * np.pi / (6 * ring)
        points.append(ring / rings * np.stack([np.cos(turn), np.sin(turn)], axis=1))
        first, before = 1 + 3 * ring * (ring - 1), 1 + 3 * (ring - 1) * (ring - 2)
        for side in range(6):
            for k in range(ring):
                a, b = first + side * ring + k, first + (side * ring + k + 1) % (6 * ring)
                inner = before + (side * (ring - 1) + k) % max(6 * (ring - 1), 1) if ring > 1 else 0
                faces.append((a, b, inner))
                if k:
                    faces.append((a, inner, before + side * (ring - 1) + k - 1))
    disc = np.concatenate(points)
    length = disc[:, 0]
    # Pointed at both ends, widest before the middle.
    width = disc[:, 1] * 0.62 * (1 - 0.3 * length) * (1.0001 - length**2) ** 0.3
    flat = np.stack([1.1 * length, width, 0 * length], axis=1)
    result = remesh(torch.from_numpy(flat), torch.tensor(faces), 0.030, backend="gpytoolbox")
    x, z, _ = result.vertices.numpy().T
    side = np.abs(z)
    curl = (
        0.35 * x**2 - 0.10 * x + 0.42 * side - 0.25 * side**2 + 0.05 * np.sin(9 * x + 4 * side) * side / 0.5
    )
    veins = np.abs((4.4 * (x - 0.8 * side) + 0.5) % 1 - 0.5) * 2
    green = mix(1.4 - 4 * veins, (0.16, 0.42, 0.16), (0.50, 0.68, 0.26))
    colors = np.where((side < 0.02)[:, None], np.asarray((0.66, 0.76, 0.40)), green)
    return np.stack([x, curl, -z], axis=1), result.faces.numpy(), colors


def knot() -> Parts:
    """Genus 1, far from a ball: a rope that is tied into a trefoil."""
    columns, rows = 26, 190
    t = np.arange(rows) * 2 * np.pi / rows

    def curve(t: np.ndarray) -> np.ndarray:
        x, y = np.sin(t) + 2 * np.sin(2 * t), np.cos(t) - 2 * np.cos(2 * t)
        return np.stack([x, y, -1.25 * np.sin(3 * t)], axis=1) / 3

    tangent = curve(t + 1e-4) - curve(t - 1e-4)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    # A frame that turns as little as possible along the rope, then evenly by what is left at the end.
    frames = [np.cross(tangent[0], [0.0, 0.0, 1.0])]
    for direction in [*tangent[1:], tangent[0]]:
        last = frames[-1] - direction * (frames[-1] @ direction)
        frames.append(last / np.linalg.norm(last))
    frames[0] /= np.linalg.norm(frames[0])
    left = np.arctan2(np.cross(frames[0], frames[-1]) @ tangent[0], frames[0] @ frames[-1])
    u = np.stack(frames[:-1])
    w = np.cross(tangent, u)
    phase = 2 * np.pi * np.arange(columns) / columns - left * np.arange(rows)[:, None] / rows
    offset = np.cos(phase)[..., None] * u[:, None] + np.sin(phase)[..., None] * w[:, None]
    points = curve(t)[:, None] + 0.19 * offset
    faces = closed_grid(points)[:, ::-1]
    strands = 0.5 + 1.2 * np.sin(3 * 2 * np.pi * np.arange(columns) / columns + 10 * t[:, None])
    return points.reshape(-1, 3), faces, mix(strands.reshape(-1), (0.80, 0.22, 0.20), (0.96, 0.90, 0.80))


MAKERS: dict[str, Callable[[], Parts]] = {
    function.__name__: function for function in (pebble, fennec, mug, knot, gear, urchin, leaf)
}


def make(name: str) -> Mesh:
    """One of the meshes, centred, within the unit ball, with linear colours."""
    vertices, faces, colors = MAKERS[name]()
    vertices = vertices - (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    vertices = vertices / np.linalg.norm(vertices, axis=1).max()
    return Mesh(
        torch.from_numpy(vertices).float(),
        torch.from_numpy(np.ascontiguousarray(faces, dtype=np.int64)),
        srgb_to_linear(torch.from_numpy(colors).clamp(0, 1)).float(),
    )


def main() -> None:
    """Write the named meshes, or all."""
    parser = argparse.ArgumentParser(description="Make the target meshes of this folder.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MAKERS)}; default: all")
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parent)
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(MAKERS))
    if unknown:
        parser.error(f"NAME: expected some of {', '.join(MAKERS)}, got {', '.join(unknown)}")
    for name in options.names or MAKERS:
        mesh = make(name)
        save_mesh(options.output / f"{name}.ply", mesh)
        print(f"{name}: {len(mesh.vertices):,} vertices, {len(mesh.faces):,} faces")


if __name__ == "__main__":
    main()
