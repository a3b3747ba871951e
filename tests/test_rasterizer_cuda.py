"""CUDA: that every kernel compiles for it anywhere, and that it agrees with the CPU where there is a device."""

from __future__ import annotations

import pytest
import torch
import warp as wp
from raster_oracle import sphere

from largesteps_zg.cameras import sphere_of_cameras
from largesteps_zg.estimators import scattering
from largesteps_zg.images import loss_kernels
from largesteps_zg.images.losses import image_loss
from largesteps_zg.nvdiffrast import kernels as nvdiffrast_kernels
from largesteps_zg.rasterizer import sample_texture, texture_kernels
from largesteps_zg.rasterizer.kernels import build, build_clip, build_layers
from largesteps_zg.renderers import render

# Turing and Hopper. PTX of the older runs on all between them too: Ampere and Ada.
ARCHITECTURES = [75, 90]
MODULES = {
    "float32": lambda: build(torch.float32).module,
    "float64": lambda: build(torch.float64).module,
    "clip space": lambda: build_clip(torch.float32).module,
    "layers": lambda: build_layers(torch.float32).module,
    "nvdiffrast's interface": lambda: nvdiffrast_kernels.build(torch.float32).module,
    "losses": lambda: loss_kernels.compare_rows.module,
    "scattering": lambda: scattering.build(torch.float32).module,
    "textures": lambda: texture_kernels.build(torch.float32).module,
    "textures64": lambda: texture_kernels.build(torch.float64).module,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_kernels_compile_for_cuda_without_a_device(name, tmp_path):
    wp.compile_aot_module(MODULES[name](), arch=ARCHITECTURES, use_ptx=True, module_dir=tmp_path)
    for architecture in ARCHITECTURES:
        (file,) = tmp_path.glob(f"*.sm{architecture}.ptx")
        text = file.read_text()
        assert f".target sm_{architecture}" in text and text.count(".visible .entry") > 0


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-3), (torch.float64, 1e-9)])
def test_cuda_and_cpu_agree(dtype, tolerance, generator):
    vertices, faces = sphere(4, seed=1)
    vertices = (vertices * (0.7 + 0.1 * torch.sin(7 * vertices).sum(1, keepdim=True))).to(dtype)
    colors = torch.rand(len(vertices), 3, generator=generator, dtype=dtype)
    cameras = sphere_of_cameras(4, distance=3, fov_y_degrees=45, height=96, width=120).to(dtype=dtype)
    images, gradients = [], []
    for device in ("cpu", "cuda"):
        moved, painted = (t.to(device).detach().requires_grad_() for t in (vertices, colors))
        image = render(moved, faces.to(device), painted, cameras.to(device))
        loss = image_loss(image.float(), torch.zeros_like(image).float(), kind="l2")
        loss.backward()
        images.append(image.detach().cpu())
        gradients.append(torch.cat([moved.grad, painted.grad]).cpu())
    # Rounding may hand a pixel on an edge to the other triangle; the mean, not the maximum, is compared.
    assert (images[0] - images[1]).abs().mean() < tolerance * 0.01
    assert (gradients[0] - gradients[1]).norm() < tolerance * gradients[0].norm() + 1e-6


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("boundary", ["wrap", "clamp", "zero", "cube"])
def test_textures_on_cuda_and_cpu_agree(boundary, generator):
    cube = boundary == "cube"
    size = 3 if cube else 2
    shapes = [(6, 32, 32, 3) if cube else (32, 32, 3), (4, 50, 50, size), (4, 50, 50, 2 * size), (4, 50, 50)]
    given = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    results = []
    for device in ("cpu", "cuda"):
        texture, uv, footprints, bias = mine = [t.to(device).requires_grad_() for t in given]
        values = sample_texture(texture, uv, footprints=0.1 * footprints, bias=bias, boundary=boundary)
        values.square().sum().backward()
        results.append([values.detach().cpu(), *(t.grad.cpu() for t in mine)])
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-9)
