"""Programs as nvdiffrast's users write them: a pose, a shape from masks and depths, an atlas of positions."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import normalize, pad

import largesteps_zg.nvdiffrast.torch as dr
from largesteps_zg.mesh import icosphere


def projection(x=2.0, near=1.0, far=10.0):
    depth = [0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)]
    return torch.tensor([[x, 0, 0, 0], [0, x, 0, 0], depth, [0, 0, -1, 0]])


def turned(axis_angle):
    """(4, 4) model matrix."""
    x, y, z = axis_angle
    zero = torch.zeros(())
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).view(3, 3)
    return pad(torch.linalg.matrix_exp(cross), (0, 1, 0, 1)) + torch.diag(torch.tensor([0.0, 0, 0, 1]))


def away(distance):
    view = torch.eye(4)
    view[2, 3] = -distance
    return view


def in_clip(matrix, pos):
    return (pad(pos, (0, 1), value=1.0) @ matrix.mT)[None].contiguous()


@pytest.mark.slow
def test_a_pose_is_found():
    """A box whose sides have a colour each, as in the sample `pose.py`: colours take indices of their own."""
    corners = torch.tensor([[x, y, z] for x in (-1.0, 1) for y in (-0.7, 0.7) for z in (-0.5, 0.5)])
    squares = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    tri = torch.tensor([[s[0], s[i], s[i + 1]] for s in squares for i in (1, 2)], dtype=torch.int32)
    col = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]])
    col_idx = (torch.arange(12, dtype=torch.int32) // 2)[:, None].repeat(1, 3)
    context = dr.RasterizeGLContext(output_db=False)
    mvp = projection() @ away(4.0)

    def render(model):
        pos_clip = in_clip(mvp @ model, corners)
        rast_out, _ = dr.rasterize(context, pos_clip, tri, resolution=[48, 48])
        color, _ = dr.interpolate(col[None], rast_out, col_idx)
        return dr.antialias(color, rast_out, pos_clip, tri)

    target_model = turned(torch.tensor([0.5, -0.4, 0.2]))
    target = render(target_model)
    change = torch.tensor([0.25, 0.2, -0.3], requires_grad=True)
    optimizer = torch.optim.Adam([change], lr=0.02)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.98)
    degrees = []
    for _ in range(150):
        model = turned(change) @ target_model
        degrees.append(math.degrees(change.norm().item()))
        loss = (render(model) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    assert degrees[0] > 25 and degrees[-1] < 0.3


@pytest.mark.slow
def test_a_shape_is_found_from_masks_and_depths():
    """As shape extraction does it: depth is an attribute, the background is composed after antialiasing the mask."""
    ball = icosphere(2)
    tri, context = ball.faces.int(), dr.RasterizeCudaContext(device="cpu")
    true = ball.vertices * torch.tensor([1.0, 0.7, 0.8]) + 0.1 * torch.sin(3 * ball.vertices.flip(1))
    axes = 2 * torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    mvps = torch.stack([projection() @ away(4.0) @ turned(axis) for axis in axes])

    def render(pos):
        pos_clip = (pad(pos, (0, 1), value=1.0) @ mvps.mT).contiguous()
        rast, rast_db = dr.rasterize(context, pos_clip, tri, (40, 40))
        depth, depth_da = dr.interpolate(pos_clip[..., 3:].contiguous(), rast, tri, rast_db, diff_attrs="all")
        assert depth_da.shape == (6, 40, 40, 2)
        mask = (rast[..., 3:] > 0).float()
        return dr.antialias(torch.cat([mask, depth * mask], -1), rast, pos_clip, tri, topology_hash=topology)

    topology = dr.antialias_construct_topology_hash(tri)
    target = render(true)
    offset = torch.zeros(3, 3, requires_grad=True)
    shift = torch.zeros(3, requires_grad=True)
    wave = torch.zeros((), requires_grad=True)
    optimizer, errors = torch.optim.Adam([offset, shift, wave], lr=0.02), []
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
    for _ in range(100):
        pos = ball.vertices @ (torch.eye(3) + offset) + shift + wave * torch.sin(3 * ball.vertices.flip(1))
        errors.append((pos - true).norm(dim=1).mean().item())
        optimizer.zero_grad()
        (render(pos) - target).square().mean().backward()
        optimizer.step()
        schedule.step()
    assert errors[0] > 0.15 and errors[-1] < errors[0] / 8


def test_an_atlas_holds_the_surface():
    """A bake: texture coordinates are drawn as positions with z = 0 and w = 1, the surface is the attribute."""
    uv = torch.tensor([[0.1, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.9]])
    uv_idx = torch.tensor([[0, 1, 2], [3, 2, 1]], dtype=torch.int32)
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    tri = torch.tensor([[0, 1, 2], [3, 2, 1]], dtype=torch.int32)
    uv_clip = pad(uv * 2 - 1, (0, 2)) + torch.tensor([0.0, 0, 0, 1])
    rast, _ = dr.rasterize(dr.RasterizeCudaContext(), uv_clip[None], uv_idx, (20, 20))
    position, _ = dr.interpolate(vertices[None], rast, tri)
    inside = (rast[0, ..., 3] > 0).nonzero()
    assert len(inside) == 16 * 16
    for row, column in inside.tolist():
        s, t = ((torch.tensor([column, row]) + 0.5) / 20 - 0.1) / 0.8
        low = vertices[0] + s * (vertices[1] - vertices[0]) + t * (vertices[2] - vertices[0])
        high = vertices[3] + (1 - s) * (vertices[2] - vertices[3]) + (1 - t) * (vertices[1] - vertices[3])
        expected = low if rast[0, row, column, 3] == 1 else high
        torch.testing.assert_close(position[0, row, column], expected, atol=1e-5, rtol=0)


def test_layers_are_composed_front_to_back():
    """Two panes of half transparency before each other, as order-independent transparency is done with peeling."""
    pane = torch.tensor([[-1.0, -1, 0, 1], [1, -1, 0, 1], [1, 1, 0, 1], [-1, 1, 0, 1]])
    pos = torch.cat([pane + torch.tensor([0.0, 0, 0.5, 0]), pane * torch.tensor([0.5, 1, 1, 1])])[None]
    tri = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]], dtype=torch.int32)
    color = normalize(torch.tensor([[4.0, 3, 0], [0, 3, 4]]), dim=1).repeat_interleave(4, 0)
    image, through = torch.zeros(1, 4, 8, 3), torch.ones(1, 4, 8, 1)
    with dr.DepthPeeler(dr.RasterizeCudaContext(), pos, tri, (4, 8)) as peeler:
        for _ in range(3):
            rast, _ = peeler.rasterize_next_layer()
            layer, _ = dr.interpolate(color, rast, tri)
            alpha = 0.5 * (rast[..., 3:] > 0)
            image, through = image + through * alpha * layer, through * (1 - alpha)
    far, near = color[0], color[4]
    torch.testing.assert_close(image[0, :, 2:6], (0.5 * near + 0.25 * far).expand(4, 4, 3))
    torch.testing.assert_close(image[0, :, [0, 1, 6, 7]], (0.5 * far).expand(4, 4, 3))
