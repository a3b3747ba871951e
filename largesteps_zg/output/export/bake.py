"""A UV atlas of a finished mesh, and the image on it that explains the photographs.

First each vertex gets a colour. Then the texels add detail that is finer than the vertices. The geometry stays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...cameras.model import Cameras
from ...constants import DEFAULTS, Texture
from ...geometry.connectivity import check_mesh
from ...geometry.laplacian import compute_matrix
from ...geometry.normals import face_normals
from ...images.color import linear_to_srgb, srgb_to_linear
from ...mesh.mesh import Mesh
from ...rasterizer.api import antialias, interpolate, rasterize
from ...rasterizer.fragments import Fragments
from ...rasterizer.silhouette_edges import edge_table
from ...renderers.rasterized import homogeneous_pixels
from ...scenes.views import Views
from ...solvers.cholesky import CholeskySolver
from .atlas import chart_fragments, filled, lookup, spread, unwrap
from .observations import Observations, observe
from .texel_fit import fit_texels, robust_means
from .textured import TexturedMesh

# From vertices (V, 3), faces (F, 3) and B cameras to (B, V, 3): factors of the albedo, or light to add to it.
Shading = Callable[[Tensor, Tensor, Cameras], Tensor]


def bake(
    mesh: Mesh,
    views: Views,
    shading: Shading | None = None,
    *,
    highlights: Shading | None = None,
    gains: Float[Tensor, "B 3"] | None = None,
    size: int | None = None,
    layout: tuple[Int[Tensor, "F 3"], Float[Tensor, "N 2"]] | None = None,
    constants: Texture = DEFAULTS.texture,
) -> TexturedMesh:
    """Wrap an image around a mesh so that it looks like the photographs.

    Minimises over the texels T, in linear light, with the mesh and its light held fixed::

        sum_p w_p |g_p (s_p (A T)_p + h_p) - c_p|  +  lambda |grad (T - B)|^2  +  epsilon |T - B|^2

    Here c_p is the colour of a pixel, s_p the shading there, h_p the highlights, g_p the exposure of its photograph,
    and A the bilinear lookup. The weight w_p is large where the pixel sees the surface squarely and well inside its
    outline. The absolute value outvotes shadows, highlights and what stands in front in a few photographs. B, the
    colours of the vertices, found first in the same way, fills texels that no photograph sees, across the atlas' seams.

    Parameters
    ----------
    mesh : Mesh
        In the coordinates of the cameras. It may be open, in several parts, or not manifold.
    views : Views
        Unknown pixels do not count, nor pixels within two pixels of an outline or not wholly inside the mask.
    shading : callable, optional
        ``shading(vertices, faces, cameras) -> (B, V, 3)``: factors that turn albedo into the light that cameras see,
        one view at a time. The texture then holds albedo; by default the colours in the photographs, light included.
    highlights : callable, optional
        Likewise, the light that they see on top of that. The texture does not hold it.
    gains : (B, 3), optional
        Exposure of each view and channel, in linear light, > 0; 1 by default.
    size : int, optional
        Texels a side, 16 to 8192; by default the power of two from 256 to 4096 with texels no larger than most pixels.
    layout : (faces_uv, uv), optional
        (F, 3) and (N, 2), v upwards: texture coordinates of the mesh in [0, 1]; by default those that `unwrap` makes.
    constants : Texture, optional

    Returns
    -------
    TexturedMesh
        On the CPU. Its mesh has the colours of the texture at the vertices.

    Raises
    ------
    ValueError
        The mesh is unsound, gains, size or layout are out of range, or no view sees the mesh.
    ImportError
        `xatlas` is missing.

    Notes
    -----
    4 s for 40 views of 320 x 320 pixels, 6,000 faces and 512 x 512 texels on one core. Not differentiable.
    """
    mesh = Mesh(mesh.vertices.detach().cpu(), mesh.faces.cpu(), None)
    check_mesh(mesh.vertices, mesh.faces)
    near, cameras = _in_unit_sphere(mesh, views.cameras)
    size = _size_for(near, cameras, constants) if size is None else _checked_size(size)
    exposures = torch.ones(len(views), 3) if gains is None else _checked_gains(gains, len(views))
    faces_uv, uv = unwrap(near, size=size) if layout is None else _checked_layout(near, layout)
    owners = TexturedMesh(near, uv, faces_uv, torch.zeros(1, 1, 3, dtype=torch.uint8)).owners
    place = torch.stack([size * uv[:, 0], size * (1 - uv[:, 1])], dim=1)  # texels, from the upper left
    look = partial(_look, mesh, views.cameras, owners, exposures, shading, highlights)
    seen = observe(Mesh(near.vertices[owners], faces_uv), place, views, cameras, look, size, constants)
    texels, colors = _fitted(near, owners, faces_uv, place, seen, size, constants)
    image = (255 * linear_to_srgb(texels)).round().to(torch.uint8)
    colors = _at_vertices(lookup(texels, place), owners, colors)
    return TexturedMesh(Mesh(mesh.vertices, mesh.faces, colors.to(mesh.vertices)), uv, faces_uv, image)


def _in_unit_sphere(mesh: Mesh, cameras: Cameras) -> tuple[Mesh, Cameras]:
    """The mesh and its cameras moved and scaled, in float32."""
    center = 0.5 * (mesh.vertices.amin(0) + mesh.vertices.amax(0)).double()
    radius = float((mesh.vertices.double() - center).norm(dim=1).max())
    near = Mesh(((mesh.vertices.double() - center) / radius).float(), mesh.faces)
    moved = cameras.to("cpu", torch.float64).transformed(1.0 / radius, center)
    return near, moved.to(dtype=torch.float32)


def _look(
    mesh: Mesh,
    cameras: Cameras,
    owners: Tensor,
    gains: Tensor,
    shading: Shading | None,
    highlights: Shading | None,
    index: int,
) -> tuple[Tensor, Tensor]:
    """(N, 3) each: what a view makes of albedo, and adds to it, at the vertices that own the places."""

    def seen(of: Shading | None, otherwise: float) -> Tensor:
        if of is None:
            return torch.full((len(owners), 3), otherwise)
        return of(mesh.vertices, mesh.faces, cameras[index])[0].detach().float().cpu()[owners]

    return gains[index] * seen(shading, 1.0), gains[index] * seen(highlights, 0.0)


def _fitted(
    mesh: Mesh,
    owners: Tensor,
    faces_uv: Tensor,
    place: Tensor,
    seen: Observations,
    size: int,
    constants: Texture,
) -> tuple[Tensor, Tensor]:
    """Texels (H, W, 3) in linear light, and the colours (V, 3) of the vertices that they start from."""
    atlas = chart_fragments(place, faces_uv, size)
    if len(atlas.pixels) == 0:
        raise ValueError(
            f"layout: expected faces that cover texels, got none of {size} x {size}; raise the size"
        )
    colors = _vertex_colors(mesh, owners, seen, atlas, size, constants)
    base, used = spread(interpolate(colors[owners].contiguous(), atlas), atlas, size)
    return filled(fit_texels(seen, base, used, constants), used).clamp(0, 1), colors


def render_textured(
    textured: TexturedMesh, cameras: Cameras, shading: Shading | None = None, *, near: float | None = None
) -> Float[Tensor, "B H W 4"]:
    """Images of a textured mesh, linear, premultiplied, alpha last, as `render` makes them of colours at vertices.

    Parameters
    ----------
    textured : TexturedMesh
    cameras : Cameras
        In the mesh's coordinates.
    shading : callable, optional
        As in `bake`.
    near : float, optional
        Nothing nearer to the camera is drawn. By default a thousandth of the nearest camera's distance.
    """
    mesh, owners = textured.mesh, textured.owners
    vertices = mesh.vertices.double()[owners]
    if near is None:
        near = 1e-3 * float((cameras.centers.double() - vertices.mean(0)).norm(dim=1).min())
    edges = edge_table(textured.faces_uv, vertices)
    texture = srgb_to_linear(textured.image.double() / 255)
    height, width = texture.shape[:2]
    images = []
    for i in range(len(cameras)):
        points = homogeneous_pixels(vertices, cameras[i])
        size = (cameras.height, cameras.width)
        fragments = rasterize(points, textured.faces_uv, size, edges=edges, near=near)
        factors = torch.ones_like(vertices)
        if shading is not None:
            factors = shading(mesh.vertices, mesh.faces, cameras[i])[0].double()[owners]
        values = interpolate(torch.cat([textured.uv.double(), factors], dim=1), fragments)
        place = torch.stack([width * values[:, 0], height * (1 - values[:, 1])], dim=1)
        images.append(antialias(lookup(texture, place) * values[:, 2:], fragments).float())
    return torch.cat(images)


def _size_for(mesh: Mesh, cameras: Cameras, constants: Texture) -> int:
    """The power of two at which a texel is about as large as a pixel."""
    middle = mesh.vertices.mean(0)
    depth = (cameras.world_to_camera[:, :3, :3] @ middle + cameras.world_to_camera[:, :3, 3])[:, 2]
    pixel = float((depth.clamp(min=1e-3) / cameras.intrinsics[:, 0, 0]).quantile(0.25))
    area = 0.5 * float(face_normals(mesh.vertices, mesh.faces, normalize=False).norm(dim=1).sum())
    side = math.sqrt(area / constants.filled) / pixel
    return min(max(2 ** math.ceil(math.log2(side)), constants.smallest), constants.largest)


def _checked_size(size: int) -> int:
    """Texels along a side as given."""
    if not 16 <= size <= 8192:
        raise ValueError(f"size: expected 16 to 8192 texels, got {size}")
    return size


def _checked_gains(gains: Tensor, views: int) -> Tensor:
    """Exposures as given, on the CPU as float32."""
    if gains.shape != (views, 3):
        raise ValueError(f"gains: expected ({views}, 3), views and channels, got {tuple(gains.shape)}")
    if not bool(((gains > 0) & gains.isfinite()).all()):
        raise ValueError(f"gains: expected finite numbers > 0, got {gains.min():.3g} to {gains.max():.3g}")
    return gains.detach().float().cpu()


def _checked_layout(mesh: Mesh, layout: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Given texture coordinates, on the CPU as float32."""
    faces_uv, uv = layout[0].long().cpu(), layout[1].detach().float().cpu()
    if faces_uv.shape != mesh.faces.shape:
        raise ValueError(
            f"layout: expected texture coordinates for {len(mesh.faces)} faces, got {tuple(faces_uv.shape)}"
        )
    if not bool(((uv >= -1e-4) & (uv <= 1 + 1e-4)).all()):
        low, high = uv.aminmax()
        raise ValueError(
            f"layout: expected texture coordinates in [0, 1], got {low:.3g} to {high:.3g}; a tiled texture "
            "cannot be fitted, leave the layout out for a new one"
        )
    return faces_uv, uv.clamp(0, 1)


def _vertex_colors(
    mesh: Mesh, owners: Tensor, seen: Observations, atlas: Fragments, size: int, constants: Texture
) -> Tensor:
    """(V, 3) colours: the texels' robust means, averaged at the vertices and diffused over unseen vertices."""
    mean, weight = robust_means(seen, size, constants)  # (H * W, 3), (H * W,)
    pixels = atlas.pixels.long()
    data = torch.cat([mean[pixels] * weight[pixels, None], weight[pixels, None]], dim=1)
    ones = torch.zeros(len(owners), 4, requires_grad=True)
    # The adjoint of interpolation hands each texel's colour to the corners of its triangle, by their shares in it.
    (interpolate(ones, atlas) * data).sum().backward()
    assert ones.grad is not None
    total = torch.zeros(len(mesh.vertices), 4).index_add(0, owners, ones.grad).double()
    if not bool(total[:, 3].any()):
        raise ValueError(
            f"layout: expected texels where the views see the mesh, got none of {size} x {size}; raise the size"
        )
    total /= total[:, 3].mean()
    smoothing = compute_matrix(mesh.vertices.double(), mesh.faces, constants.vertex_smoothing)  # I + mu L
    everyone = torch.arange(len(mesh.vertices))
    own = total[:, 3] - 1 + constants.grey_weight  # replaces the identity
    places = torch.stack([everyone, everyone])
    system = smoothing + torch.sparse_coo_tensor(places, own, smoothing.shape, check_invariants=False)
    colors = CholeskySolver(system.coalesce()).solve(total[:, :3] + constants.grey_weight * constants.grey)
    return colors.clamp(0, 1).float()


def _at_vertices(values: Tensor, owners: Tensor, otherwise: Tensor) -> Tensor:
    """(V, 3) means of the values (N, 3) at the places of each vertex; vertices without a face keep their values."""
    places = torch.bincount(owners, minlength=len(otherwise))[:, None]
    sums = torch.zeros_like(otherwise).index_add(0, owners, values)
    return torch.where(places > 0, sums / places.clamp(min=1), otherwise)
