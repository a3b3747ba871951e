"""The same step for each renderer: colours from normals, 16 RGBA views, L1, gradients of vertices and colours."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from largesteps_zg.cameras import Cameras, sphere_of_cameras
from largesteps_zg.geometry import vertex_normals
from largesteps_zg.images.losses import image_loss
from largesteps_zg.mesh import icosphere
from largesteps_zg.rasterizer import edge_table
from largesteps_zg.renderers import homogeneous_pixels, render

Step = Callable[[], float]


@dataclass(frozen=True)
class Problem:
    """A bumpy sphere, and images of a smaller one to compare with."""

    vertices: Tensor  # (V, 3)
    faces: Tensor  # (F, 3)
    cameras: Cameras
    targets: Tensor  # (B, H, W, 4)


def colors_of(vertices: Tensor, faces: Tensor) -> Tensor:
    """Shading: what a normal map shows."""
    return 0.5 + 0.5 * vertex_normals(vertices, faces)


def problem(level: int, *, views: int = 16, size: int = 256) -> Problem:
    """About a quarter of the pixels are covered."""
    ball = icosphere(level)
    vertices = 0.62 * ball.vertices * (1 + 0.05 * torch.sin(9 * ball.vertices).sum(1, keepdim=True))
    cameras = sphere_of_cameras(views, distance=3.0, fov_y_degrees=40.0, height=size, width=size)
    smaller = 0.85 * vertices
    targets = render(smaller, ball.faces, colors_of(smaller, ball.faces), cameras)
    return Problem(vertices, ball.faces, cameras, targets)


def ours(p: Problem) -> Step:
    """What `largesteps_zg` offers."""
    edges = edge_table(p.faces)
    vertices = p.vertices.clone().requires_grad_()

    def step() -> float:
        vertices.grad = None
        images = render(vertices, p.faces, colors_of(vertices, p.faces), p.cameras, edges=edges)
        loss = image_loss(images, p.targets)
        loss.backward()
        return loss.item()

    return step


def deodr(p: Problem) -> Step:
    """DEODR's C++ renderer for one view after the other, without the copies and checks of its Python classes.

    Silhouette edges are found for all views at once (its own search takes a product with a sparse matrix for each
    view). Back faces are culled, as its gradients need.
    """
    from deodr import differentiable_renderer_cython as native

    faces = p.faces.numpy().astype(np.uint32)
    count, (height, width) = len(p.faces), (p.cameras.height, p.cameras.width)
    neighbours = beside(p.faces).numpy()
    targets, cameras = p.targets.double(), p.cameras.to(dtype=torch.float64)
    vertices = p.vertices.double().requires_grad_()
    none = np.zeros(count, dtype=bool)

    def scene(
        pixels: np.ndarray, depths: np.ndarray, colors: np.ndarray, flags: np.ndarray
    ) -> SimpleNamespace:
        return SimpleNamespace(
            faces=faces, faces_uv=faces, ij=pixels, depths=depths, textured=none, uv=np.zeros((len(depths), 2)),
            shade=np.zeros(len(depths)), colors=colors, shaded=none, edgeflags=flags, height=height, width=width,
            nb_colors=4, texture=np.zeros((0, 0)), background_image=None, background_color=np.zeros(4),
            clockwise=False, backface_culling=True, strict_edge=True, perspective_correct=False,
            integer_pixel_centers=False, uv_b=np.zeros((len(depths), 2)), ij_b=np.zeros_like(pixels),
            shade_b=np.zeros(len(depths)), colors_b=np.zeros_like(colors), texture_b=np.zeros((0, 0)),
        )  # fmt: skip

    class Render(torch.autograd.Function):
        @staticmethod
        def forward(ctx, pixels: Tensor, colors: Tensor, depths: Tensor) -> Tensor:
            corners = pixels.numpy()[:, faces]  # (B, F, 3, 2)
            u, v = corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0]
            visible = u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0] < 0
            flags = visible[:, :, None] != visible[:, neighbours]
            images = np.empty((len(pixels), height, width, 4))
            ctx.kept = []
            for view in range(len(pixels)):
                one = scene(pixels[view].numpy(), depths[view].numpy(), colors.numpy(), flags[view])
                buffer = np.empty((height, width))
                native.renderSceneCpp(one, 1.0, images[view], buffer)
                ctx.kept.append((one, images[view], buffer))
            return torch.from_numpy(images)

        @staticmethod
        def backward(ctx, grad: Tensor):
            grad_colors = 0
            for (one, image, buffer), g in zip(ctx.kept, grad.numpy(), strict=True):
                native.renderSceneBCpp(one, 1.0, image, buffer, g)  # undoes the image's silhouettes in place
                grad_colors = grad_colors + one.colors_b
            grad_pixels = torch.from_numpy(np.stack([one.ij_b for one, _, _ in ctx.kept]))
            return grad_pixels, torch.from_numpy(grad_colors), None

    def step() -> float:
        vertices.grad = None
        points = homogeneous_pixels(vertices, cameras)
        pixels, depths = points[..., :2] / points[..., 2:], points[..., 2].detach()
        colors = torch.cat([colors_of(vertices, p.faces), torch.ones(len(vertices), 1)], dim=1)
        images = Render.apply(pixels, colors, depths.contiguous())
        loss = 4 * torch.nn.functional.l1_loss(images, targets)
        loss.backward()
        return loss.item()

    return step


def beside(faces: Tensor) -> Tensor:
    """(F, 3): the face across each edge (0, 1), (1, 2), (2, 0) of each face, on a closed surface."""
    table = edge_table(faces).long()
    count, vertices = len(faces), int(faces.max()) + 1
    key = (faces[:, :, None], faces.roll(-1, 1)[:, :, None])
    low, high = torch.minimum(*key)[..., 0], torch.maximum(*key)[..., 0]
    order = (table[:, 0].minimum(table[:, 1]) * vertices + table[:, 0].maximum(table[:, 1])).sort()
    edge = order.indices[torch.searchsorted(order.values, low * vertices + high)]
    pair = table[edge][..., 2:4]  # (F, 3, 2)
    return torch.where(pair[..., 0] == torch.arange(count)[:, None], pair[..., 1], pair[..., 0])


def mitsuba(p: Problem) -> Step:
    """Mitsuba 3's projective sampling, on a mesh that glows in its vertices' colours; RGB, as alpha has no gradient."""
    for path in ("/usr/lib/x86_64-linux-gnu/libLLVM-19.so", "/usr/lib/aarch64-linux-gnu/libLLVM-19.so"):
        if os.path.exists(path):
            os.environ.setdefault("DRJIT_LIBLLVM_PATH", path)
    import drjit as dr
    import mitsuba as mi

    mi.set_variant("llvm_ad_rgb")
    dr.set_thread_count(int(os.environ["OMP_NUM_THREADS"]))
    properties = mi.Properties()
    properties["mesh_emitter"] = mi.load_dict(
        {"type": "area", "radiance": {"type": "mesh_attribute", "name": "vertex_color"}}
    )
    mesh = mi.Mesh("ball", len(p.vertices), len(p.faces), has_vertex_normals=False, props=properties)
    mesh.add_attribute("vertex_color", 3, colors_of(p.vertices, p.faces).flatten().tolist())
    positions, corners = mi.Float(p.vertices.flatten().numpy()), mi.UInt32(p.faces.int().flatten().numpy())
    loaded = mi.traverse(mesh)
    loaded["vertex_positions"], loaded["faces"] = positions, corners
    loaded.update()
    integrator = {"type": "direct_projective", "sppc": 4, "sppp": 1, "sppi": 0}
    scene = mi.load_dict({"type": "scene", "integrator": integrator, "mesh": mesh})
    film = {
        "type": "hdrfilm",
        "width": p.cameras.width,
        "height": p.cameras.height,
        "rfilter": {"type": "box"},
    }
    film["pixel_format"] = "rgb"
    sensors = []
    for matrix in torch.linalg.inv(p.cameras.world_to_camera).double().numpy():
        turned = matrix @ np.diag([-1.0, -1.0, 1.0, 1.0])  # x left, y up, z forward
        sensors.append(
            mi.load_dict({"type": "perspective", "fov": 40.0, "to_world": mi.ScalarTransform4f(turned), "film": film,
                          "sampler": {"type": "independent"}})
        )  # fmt: skip
    targets = [mi.TensorXf(t[..., :3].contiguous().numpy()) for t in p.targets]
    parameters = mi.traverse(scene)
    names = [k for k in parameters.keys() if k.endswith(("vertex_positions", "vertex_color"))]
    seed = 0

    def step() -> float:
        nonlocal seed
        for name in names:
            parameters[name] = dr.detach(parameters[name])
            dr.enable_grad(parameters[name])
        parameters.update()
        loss = mi.Float(0)
        for sensor, target in zip(sensors, targets, strict=True):
            seed += 1
            image = mi.render(scene, parameters, sensor=sensor, seed=seed)
            loss += 3 * dr.mean(dr.abs(image - target), axis=None) / len(targets)
        dr.backward(loss)
        dr.eval([dr.grad(parameters[name]) for name in names])
        dr.sync_thread()
        return float(dr.detach(loss).array[0]) if hasattr(loss, "array") else float(loss[0])

    return step


PEERS: dict[str, Callable[[Problem], Step]] = {"ours": ours, "deodr": deodr, "mitsuba": mitsuba}
