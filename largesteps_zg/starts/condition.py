"""A mesh from anywhere, made fit to be deformed: welded, wound one way, and a surface at each of its edges."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch
from torch import Tensor

from ..mesh import Mesh, check_mesh, check_start_mesh, topology, weld
from ..topology import nonmanifold_vertices, repeated_corners, vertex_components
from .split import check_crowded, connected, sides, split

_FULL = 0.01  # volume over area^1.5 above which an open surface has an inside; a ball has 0.094


def conditioned(mesh: Mesh, name: str = "start mesh") -> tuple[Mesh, list[str]]:
    """A mesh to start from, repaired where it can be.

    Vertices at equal positions are welded (texture seams and hard edges store them several times), faces without
    three different corners or that lie in the same place twice are dropped, the rest is wound one way with its
    outside out, and edges of more than two faces and vertices where the surface only touches itself are split.
    Several components and open borders stay as they are, and so do faces of no area with three different corners:
    without them the surface would be torn.

    Parameters
    ----------
    mesh : Mesh
        Finite positions; indices in range. Colours at welded vertices become their mean.
    name : str
        Put in front of messages, for instance the name of the file.

    Returns
    -------
    mesh : Mesh
        `check_start_mesh` accepts it. The given one where nothing was to do.
    done : list of str
        What was done, a phrase each, such as "welded 24 coincident vertices".

    Raises
    ------
    ValueError
        Arrays that are no mesh; nothing left but dropped faces; a surface with one side only, as a Moebius strip; more
        than a fifth of the edges with more than two faces.

    Examples
    --------
    >>> import torch
    >>> square = torch.tensor([[0., 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0], [1, 1, 0], [0, 1, 0]])
    >>> whole, done = conditioned(Mesh(square, torch.tensor([[0, 1, 2], [3, 4, 5]])))
    >>> len(whole.vertices), done
    (4, ['welded 2 coincident vertices'])
    """
    sound = (
        ~repeated_corners(mesh.faces) if mesh.faces.ndim == 2 and mesh.faces.shape[1] == 3 else slice(None)
    )
    faces = mesh.faces[sound].long().cpu()
    check_mesh(mesh.vertices, faces, name=name)
    vertices, faces, colors, done = _welded(mesh, faces)
    faces = _single(faces, len(mesh.faces), done)
    if len(faces) == 0:
        raise ValueError(f"{name}: expected a surface, got nothing but faces without area; is its scale 0?")
    faces = _wound(vertices, faces, name, done)
    crowded = check_crowded(faces, name)
    touching = len(nonmanifold_vertices(faces, len(vertices)))
    if crowded or touching:
        vertices, faces, colors = split(vertices, faces, colors)
        what = _count(crowded, "edge", "edges") + " with more than two faces"
        done.append(
            f"split {what if crowded else _count(touching, 'vertex', 'vertices') + ' where it touched itself'}"
        )
    faces = _outside_out(vertices, faces, done)
    vertices, faces, colors = _without_unused(vertices, faces, colors)
    if not done and len(vertices) == len(mesh.vertices):
        return mesh, done
    check_start_mesh(vertices, faces, name=name)
    device = mesh.vertices.device
    return Mesh(vertices, faces, colors).to(device, mesh.vertices.dtype), done


def _welded(mesh: Mesh, faces: Tensor) -> tuple[Tensor, Tensor, Tensor | None, list[str]]:
    """One vertex at each position, with the mean of the colours there; float64 on the CPU."""
    used = torch.unique(faces)
    vertices, _, index = weld(mesh.vertices.detach().double().cpu(), faces)
    merged = len(used) - len(torch.unique(index[used]))
    colors = None
    if mesh.colors is not None:
        count = torch.bincount(index[used], minlength=len(vertices)).clamp(min=1)[:, None]
        given = mesh.colors.detach().double().cpu()[used]
        colors = torch.zeros_like(vertices).index_add_(0, index[used], given) / count
    done = [f"welded {_count(merged, 'coincident vertex', 'coincident vertices')}"] if merged else []
    return vertices, index[faces], colors, done


def _single(faces: Tensor, before: int, done: list[str]) -> Tensor:
    """Faces of three different corners, each once."""
    faces = faces[~repeated_corners(faces)]
    if len(faces) < before:
        done.append(f"dropped {_count(before - len(faces), 'face', 'faces')} of no area")
    group = torch.unique(faces.sort(dim=1).values, dim=0, return_inverse=True)[1]
    first = torch.full((int(group.max()) + 1 if len(group) else 0,), len(faces))
    first = first.scatter_reduce_(0, group, torch.arange(len(faces)), "amin").sort().values
    if len(first) < len(faces):
        done.append(f"dropped {_count(len(faces) - len(first), 'duplicate face', 'duplicate faces')}")
    return faces[first]


def _wound(vertices: Tensor, faces: Tensor, name: str, done: list[str]) -> Tensor:
    """One winding on each patch that hangs together through edges of two faces; the larger part keeps its own."""
    face, _, upwards, edge = sides(faces)
    count = np.bincount(edge)
    first = np.flatnonzero(np.diff(edge, prepend=-1))[count == 2]
    a, b = face[first], face[first + 1]
    against = upwards[first] == upwards[first + 1]
    if not against.any():
        return faces
    # Each face twice, as it is and turned, linked with its neighbours as they agree: two halves of one patch.
    n = len(faces)
    one = np.concatenate([a, a + n])
    other = np.concatenate([np.where(against, b + n, b), np.where(against, b, b + n)])
    label = connected(one, other, 2 * n)
    kept, turned = label[:n], label[n:]
    if bool((kept == turned).any()):
        raise ValueError(
            f"{name}: expected a surface with an inside and an outside, got one that is one-sided, as a Moebius strip"
        )
    x, y, z = vertices[faces].unbind(dim=1)
    area = torch.zeros(2 * n, dtype=vertices.dtype)
    area.index_add_(0, kept, torch.linalg.cross(y - x, z - x).norm(dim=1))
    wrong = area[kept] < area[turned]
    # Where both halves weigh the same the first label wins, the same for all faces of a patch.
    wrong |= (area[kept] == area[turned]) & (kept > turned)
    done.append(f"turned {_count(int(wrong.sum()), 'face', 'faces')} to the winding around")
    return torch.where(wrong[:, None], faces.flip(1), faces)


def _outside_out(vertices: Tensor, faces: Tensor, done: list[str]) -> Tensor:
    """Components that look inwards turned over, but for the inner walls of hollow ones."""
    label = vertex_components(faces, len(vertices))[faces[:, 0]]
    groups: dict[int, list[int]] = defaultdict(list)
    for number, component in enumerate(label.tolist()):
        groups[component].append(number)
    inward = []
    for part in (torch.tensor(group) for group in groups.values()):
        volume, area = _volume_and_area(vertices, faces[part])
        closed = topology(faces[part]).watertight
        if volume < 0 and (closed or -volume > _FULL * area**1.5):
            inward.append(part)
    walls = _inner_walls(vertices, faces, inward)
    turned = [part for part, wall in zip(inward, walls, strict=True) if not wall]
    if turned:
        faces = faces.clone()
        every = torch.cat(turned)
        faces[every] = faces[every].flip(1)
        whole = len(turned) == len(groups)
        done.append(
            "turned it inside out" if whole else f"turned {len(turned)} of {len(groups)} parts inside out"
        )
    return faces


def _inner_walls(vertices: Tensor, faces: Tensor, inward: list[Tensor]) -> list[bool]:
    """Whether each of the parts lies within the others, these taken as solids."""
    from gpytoolbox import fast_winding_number

    walls = []
    for part in inward:
        others = torch.ones(len(faces), dtype=torch.bool)
        others[part] = False
        inside = False
        if bool(others.any()):
            point = vertices[faces[part[:1], 0]].numpy()
            inside = abs(float(fast_winding_number(point, vertices.numpy(), faces[others].numpy())[0])) > 0.5
        walls.append(inside)
    return walls


def _volume_and_area(vertices: Tensor, faces: Tensor) -> tuple[float, float]:
    """Of the solid inside (closed off from its middle, where it is open), and of the surface."""
    corners = vertices[faces] - vertices[faces].mean(dim=(0, 1))
    a, b, c = corners.unbind(dim=1)
    return float(torch.linalg.det(corners).sum()) / 6, float(
        torch.linalg.cross(b - a, c - a).norm(dim=1).sum()
    ) / 2


def _without_unused(
    vertices: Tensor, faces: Tensor, colors: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The mesh without vertices that no face uses."""
    used, inverse = torch.unique(faces, return_inverse=True)
    return vertices[used], inverse.view(-1, 3), None if colors is None else colors[used]


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
