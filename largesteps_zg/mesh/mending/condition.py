"""A mesh from anywhere, made fit to be deformed: welded, wound one way, and a surface at each of its edges."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch
from torch import Tensor

from ...constants import DEFAULTS, Mending
from ...geometry.connectivity import (
    check_mesh,
    check_start_mesh,
    nonmanifold_vertices,
    repeated_corners,
    vertex_components,
    weld,
)
from ...geometry.half_edges import half_edge_table
from ...geometry.solids import has_inside, signed_volume
from ..mesh import Mesh
from ..winding import winding_numbers
from .patchwork import Surface
from .split import check_crowded, connected, split


def conditioned(
    mesh: Mesh,
    corners: Tensor | None = None,
    *,
    name: str = "start mesh",
    constants: Mending = DEFAULTS.mending,
) -> tuple[Mesh, Tensor | None, list[str]]:
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
    corners : (F, 3, K) tensor, optional
        Values at the corners of the faces, which go where these go; where an edge had to be cut in two they are
        interpolated.
    name : str
        Put in front of messages, for instance the name of the file.
    constants : Mending, optional

    Returns
    -------
    mesh : Mesh
        `check_start_mesh` accepts it. The given one where nothing was to do.
    corners : (N, 3, K) tensor or None
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
    >>> whole, _, done = conditioned(Mesh(square, torch.tensor([[0, 1, 2], [3, 4, 5]])))
    >>> len(whole.vertices), done
    (4, ['welded 2 coincident vertices'])
    """
    sound = (
        ~repeated_corners(mesh.faces).cpu()
        if mesh.faces.ndim == 2 and mesh.faces.shape[1] == 3
        else slice(None)
    )
    faces = mesh.faces.cpu()[sound].long()
    check_mesh(mesh.vertices, faces, name=name)
    surface, done = _welded(mesh, faces, None if corners is None else corners[sound])
    surface = _single(surface, len(mesh.faces), done)
    if len(surface.faces) == 0:
        raise ValueError(f"{name}: expected a surface, got nothing but faces without area; is its scale 0?")
    surface = surface.turned(_against_most(surface, name, done))
    surface = _taken_apart(surface, name, done, constants.most_crowded)
    surface = surface.turned(_inside_out(surface, done, constants))
    used, inverse = torch.unique(surface.faces, return_inverse=True)
    surface = surface.regrouped(used, inverse.view(-1, 3))
    if not done and len(surface.vertices) == len(mesh.vertices):
        return mesh, corners, done
    check_start_mesh(surface.vertices, surface.faces, name=name)
    whole = Mesh(surface.vertices, surface.faces, surface.colors)
    return whole.to(mesh.vertices.device, mesh.vertices.dtype), surface.corners, done


def _welded(mesh: Mesh, faces: Tensor, corners: Tensor | None) -> tuple[Surface, list[str]]:
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
    return Surface(vertices, index[faces], colors, corners), done


def _single(surface: Surface, before: int, done: list[str]) -> Surface:
    """Faces of three different corners, each once."""
    surface = surface.kept(~repeated_corners(surface.faces))
    faces = surface.faces
    if len(faces) < before:
        done.append(f"dropped {_count(before - len(faces), 'face', 'faces')} of no area")
    group = torch.unique(faces.sort(dim=1).values, dim=0, return_inverse=True)[1]
    first = torch.full((int(group.max()) + 1 if len(group) else 0,), len(faces))
    first = first.scatter_reduce_(0, group, torch.arange(len(faces)), "amin").sort().values
    if len(first) < len(faces):
        done.append(f"dropped {_count(len(faces) - len(first), 'duplicate face', 'duplicate faces')}")
    return surface.kept(first)


def _taken_apart(surface: Surface, name: str, done: list[str], most: float) -> Surface:
    """At most two faces at an edge, and one fan of faces around a vertex."""
    crowded = check_crowded(surface.faces, name, most)
    touching = len(nonmanifold_vertices(surface.faces, len(surface.vertices)))
    if not crowded and not touching:
        return surface
    what = _count(crowded, "edge", "edges") + " with more than two faces"
    done.append(
        f"split {what if crowded else _count(touching, 'vertex', 'vertices') + ' where it touched itself'}"
    )
    return split(surface)


def _against_most(surface: Surface, name: str, done: list[str]) -> Tensor:
    """(F,) bool: faces wound against the larger part of the patch that hangs together through edges of two faces."""
    vertices, faces = surface.vertices, surface.faces
    table = half_edge_table(faces)
    a, b = (number.numpy() // 3 for number in table.twins())
    against = table.misoriented().numpy()
    if not against.any():
        return torch.zeros(len(faces), dtype=torch.bool)
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
    return wrong


def _inside_out(surface: Surface, done: list[str], constants: Mending) -> Tensor:
    """(F,) bool: faces of components that look inwards, but for the inner walls of hollow ones."""
    vertices, faces = surface.vertices, surface.faces
    label = vertex_components(faces, len(vertices))[faces[:, 0]]
    groups: dict[int, list[int]] = defaultdict(list)
    for number, component in enumerate(label.tolist()):
        groups[component].append(number)
    inward = []
    for part in (torch.tensor(group) for group in groups.values()):
        if signed_volume(vertices, faces[part]) < 0 and has_inside(vertices, faces[part], constants):
            inward.append(part)
    walls = _inner_walls(vertices, faces, inward)
    turned = [part for part, wall in zip(inward, walls, strict=True) if not wall]
    wrong = torch.zeros(len(faces), dtype=torch.bool)
    if turned:
        wrong[torch.cat(turned)] = True
        whole = len(turned) == len(groups)
        done.append(
            "turned it inside out" if whole else f"turned {len(turned)} of {len(groups)} parts inside out"
        )
    return wrong


def _inner_walls(vertices: Tensor, faces: Tensor, inward: list[Tensor]) -> list[bool]:
    """Whether each of the parts lies within the others, these taken as solids."""
    walls = []
    for part in inward:
        others = torch.ones(len(faces), dtype=torch.bool)
        others[part] = False
        inside = False
        if bool(others.any()):
            point = vertices[faces[part[:1], 0]]
            inside = abs(float(winding_numbers(point, vertices, faces[others]))) > 0.5
        walls.append(inside)
    return walls


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
