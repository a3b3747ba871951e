"""Soft silhouettes: each triangle blurred on purpose, so that pixels beside it have a gradient too."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from .._support.warp_launch import chunks_of, launch_items, run_chunks
from ..cameras.model import Cameras
from ..geometry.connectivity import check_faces
from ..rasterizer.warp_backend import MAX_PIXELS
from .rasterized import homogeneous_pixels
from .soft_kernels import REACH, TILE, kernels_for

SIGMA, GAMMA = 1.0, 1e-3


def render_soft(
    vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    colors: Float[Tensor, "V C"] | Float[Tensor, "B V C"] | None,
    cameras: Cameras,
    *,
    sigma: float = SIGMA,
    gamma: float = GAMMA,
    near: float = 1e-3,
) -> Float[Tensor, "B H W D"]:
    """Images of a mesh whose triangles are blurred: the Soft Rasterizer.

    Triangle j covers a pixel at the distance d from its outline with the probability ``D_j = 1 / (1 + exp(-x_j))``,
    where ``x_j = d² / sigma²`` inside and ``-d² / sigma²`` outside::

        coverage = 1 - prod_j (1 - D_j)
        color = coverage * sum_j w_j c_j / sum_j w_j,   w_j = D_j z_j ** (-1 / gamma)

    with ``c_j`` and depth ``z_j`` at the pixel inside the triangle, and at the nearest point of its outline elsewhere.

    Parameters
    ----------
    vertices : (V, 3) float32 or float64
        In the cameras' world.
    faces : (F, 3) int
    colors : (V, C) or (B, V, C) float, or None
        One set for all views, or one for each; None for silhouettes alone, which are quicker.
    cameras : Cameras
        B views of H x W pixels.
    sigma : float
        Blur in pixels, > 0. The paper's sigma, of squared distances in an image from -1 to 1, is
        ``(2 sigma / H)²``: its 1e-4 is 1.28 pixels of 256.
    gamma : float
        Blur in depth, > 0: a triangle farther by this share counts e times less.
    near : float
        Triangles with a corner nearer to the camera are not drawn, > 0, in the world's units.

    Returns
    -------
    (B, H, W, C + 1) float
        Premultiplied by the coverage, which is the last channel, as from `render`. Row 0 on top.

    Raises
    ------
    ValueError
        If a shape, a type, an index or a width is wrong; says which.

    Notes
    -----
    Differentiable in the vertices, the colours and the cameras. A triangle reaches as far as 3 sigma,
    where D is 1.2e-4.

    Bias: the image is the hard one in the limit of sigma → 0 alone, and there but for the edges of triangles, where two
    of probability 1/2 leave a quarter open. Triangles that meet at an outline add up: the finer they are against sigma,
    the farther out the coverage of 1/2 lies. Both sides of a surface count.

    Departures from the paper: depth is compared by ratios, which needs no far plane; colours are over black and share
    the coverage with the silhouette, where the paper has a background that competes in depth.

    Cost: proportional to the pixels within 3 sigma of each triangle, front or back; see
    ``examples/papers/soft_rasterizer``.

    References
    ----------
    Liu, Li, Chen, Li: Soft Rasterizer: A Differentiable Renderer for Image-based 3D Reasoning. ICCV 2019.

    Examples
    --------
    >>> import torch
    >>> from largesteps_zg.cameras import sphere_of_cameras
    >>> from largesteps_zg.mesh import icosphere
    >>> ball = icosphere(2)
    >>> views = sphere_of_cameras(4, distance=3.0, fov_y_degrees=45.0, height=32, width=32)
    >>> render_soft(ball.vertices, ball.faces, None, views, sigma=2.0).shape
    torch.Size([4, 32, 32, 1])
    """
    for name, value in (("sigma", sigma), ("gamma", gamma), ("near", near)):
        if not value > 0:
            raise ValueError(f"{name}: expected a positive width, got {value}")
    if vertices.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"vertices: expected float32 or float64, got {vertices.dtype}; convert them first")
    check_faces(faces, len(vertices))
    if colors is None:
        colors = vertices.new_empty(len(vertices), 0)
    sets = colors[None] if colors.dim() == 2 else colors
    if sets.dim() != 3 or len(sets) not in (1, len(cameras)) or sets.shape[1] != len(vertices):
        raise ValueError(
            f"colors: expected ({len(vertices)}, C) or ({len(cameras)}, {len(vertices)}, C), "
            f"got {tuple(colors.shape)}"
        )
    if colors.dtype != vertices.dtype:
        raise ValueError(f"colors: expected {vertices.dtype} as the vertices, got {colors.dtype}")
    if len(cameras) * cameras.height * cameras.width >= MAX_PIXELS:
        raise ValueError(f"cameras: expected fewer than {MAX_PIXELS} pixels in a batch; render fewer views")
    points = homogeneous_pixels(vertices, cameras)
    seen = points[..., 2] >= near
    inverse = torch.where(seen, points[..., 2], 1.0).reciprocal()
    screen = torch.cat([points[..., :2] * inverse[..., None], inverse[..., None]], dim=-1)
    faces = faces.to(torch.int32).contiguous()
    drawn = seen[:, faces.long()].all(-1)
    lists = tile_lists(screen.detach(), faces, drawn, (cameras.height, cameras.width), REACH * sigma)
    size = (cameras.height, cameras.width)
    image: Tensor = _Blend.apply(screen.contiguous(), sets.contiguous(), faces, lists, size, sigma, gamma)
    return image


@torch.no_grad()
def tile_lists(
    screen: Tensor, faces: Tensor, drawn: Tensor, resolution: tuple[int, int], reach: float
) -> tuple[Tensor, Tensor]:
    """Which triangles reach into each tile of each view: where a tile's begin, (T + 1,), and the triangles."""
    corners = screen[:, faces.long(), :2]  # (B, F, 3, 2)
    last = torch.tensor([resolution[1] - 1, resolution[0] - 1], device=screen.device)
    # Pixels from `low` to `high`, where the centres lie in the box of the triangle and its blur.
    low = (corners.amin(2) - reach - 0.5).ceil().clamp(min=0, max=2**20).long()
    high = (corners.amax(2) + reach - 0.5).floor().clamp(min=-1, max=2**20).long().minimum(last)
    tiles = (last // TILE + 1).tolist()
    view, face = ((low <= high).all(-1) & drawn).nonzero(as_tuple=True)
    first = low[view, face] // TILE
    extent = high[view, face] // TILE - first + 1
    counts = extent.prod(-1)
    owner = torch.arange(len(counts), device=counts.device).repeat_interleave(counts)
    place = torch.arange(len(owner), device=counts.device) - (counts.cumsum(0) - counts)[owner]
    x = first[owner, 0] + place % extent[owner, 0]
    y = first[owner, 1] + place // extent[owner, 0]
    tile, order = ((view[owner] * tiles[1] + y) * tiles[0] + x).sort(stable=True)
    held = torch.bincount(tile, minlength=len(screen) * tiles[0] * tiles[1]).cumsum(0, dtype=torch.int32)
    return torch.nn.functional.pad(held, (1, 0)), face[owner][order].to(torch.int32)


class _Blend(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, screen: Tensor, colors: Tensor, faces: Tensor, lists: tuple[Tensor, Tensor], size: tuple[int, int],
        sigma: float, gamma: float,
    ) -> Tensor:  # fmt: skip
        image = screen.new_empty(len(screen), *size, colors.shape[-1] + 1)
        totals = screen.new_empty(image.shape[:3])
        tensors, rest = (screen, colors, image, totals), (faces, *lists, sigma, gamma)
        ctx.save_for_backward(*tensors)
        ctx.rest = rest
        _launch("blend_soft", tensors, rest, lambda _: 0 if len(colors) == 1 else -1, [])
        return image

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_image: Tensor):
        screen, colors, _, _ = ctx.saved_tensors
        shared, grad_image, grad_screen = len(colors) == 1, grad_image.contiguous(), torch.zeros_like(screen)
        # A buffer per chunk where views share their colours: no two threads add to one place.
        rows = len(chunks_of(len(screen), screen.device)) if shared else len(colors)
        grad_colors = colors.new_zeros(rows, *colors.shape[1:])
        results = [grad_image, grad_screen, grad_colors]
        _launch("blend_soft_adjoint", ctx.saved_tensors, ctx.rest, lambda i: i if shared else -1, results)
        grad_colors = grad_colors.sum(0, keepdim=True) if shared else grad_colors
        return grad_screen, grad_colors, None, None, None, None, None


def _launch(name: str, tensors: tuple[Tensor, ...], rest: tuple, shared, results: list) -> None:
    """Launch a kernel on the tiles of each chunk of views; ``shared(chunk)`` is where its sums go."""
    screen, colors, image, totals = tensors
    faces, starts, entries, sigma, gamma = rest
    views, height, width, _ = image.shape
    k, tiles = kernels_for(screen.dtype, screen.device), (len(starts) - 1) // views
    sizes = [height, width, sigma, gamma, screen.shape[1], colors.shape[-1]]
    given = [screen, faces, starts, entries, colors, image, totals]

    def run(index: int, chunk: range) -> None:
        inputs = [*sizes, shared(index), *given, *results]
        launch_items(getattr(k, name), chunk.start * tiles, chunk.stop * tiles, inputs, screen.device)

    run_chunks(run, chunks_of(views, screen.device))
