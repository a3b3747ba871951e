"""What all figures share: a target in clay under a known light, its photographs, and what is measured of a mesh."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from largesteps_zg import Mesh, icosphere, load_mesh, look_at, meshes
from largesteps_zg.geometry import bilaplacian_loss, laplacian_uniform
from largesteps_zg.mesh import SurfaceDistances, flipped_faces, surface_distances
from largesteps_zg.output.pictures.bare import bare_images
from largesteps_zg.renderers import render, shade
from largesteps_zg.scenes.synthetic import studio_light

# A folder of meshes of your own, as suzanne.obj: those named as a target here take its place.
FOLDER = "LARGE_STEPS_MESHES"
SAMPLES = 4_000  # points for distances


def target_mesh(name: str) -> Mesh:
    """A mesh of that name from the user's folder, or else of this project; in the unit ball."""
    folder = os.environ.get(FOLDER)
    own = [path for path in sorted(Path(folder).iterdir()) if path.stem == name] if folder else []
    mesh = load_mesh(own[0] if own else meshes.path(name))
    low, high = mesh.vertices.amin(0), mesh.vertices.amax(0)
    centered = mesh.vertices - (low + high) / 2
    return Mesh(centered / centered.norm(dim=1).max(), mesh.faces)


def smoothing(level: int) -> float:
    """Lambda for a sphere: the paper's 19 for 2,562 vertices, and less where edges are longer."""
    return 19.0 if level >= 4 else 5.0


def sphere(level: int) -> Mesh:
    """Where every run begins."""
    return icosphere(level, radius=0.6)


@dataclass(frozen=True)
class Studio:
    """Photographs of a target from evenly spread cameras, turned by a seed.

    Attributes
    ----------
    target : Mesh
    views, side : int
        Cameras, and the pixels along a side of their images.
    seed : int
    silhouettes : bool
        Compare outlines alone, by squared differences; else colours and outlines, by absolute ones.
    """

    target: Mesh
    views: int
    side: int
    seed: int = 0
    silhouettes: bool = False

    @cached_property
    def cameras(self):
        """Along a spiral from pole to pole, so that any number of them is spread evenly."""
        generator = torch.Generator().manual_seed(self.seed)
        turn, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator))
        place = torch.arange(self.views) + 0.5
        height = 1 - 2 * place / self.views
        angle = place * (torch.pi * (5**0.5 - 1))
        flat = (1 - height**2).sqrt()
        eyes = 3.5 * torch.stack([flat * angle.cos(), flat * angle.sin(), height], dim=1) @ turn.T
        return look_at(eyes, up=(0.0, 1.0, 0.0), fov_y_degrees=35, height=self.side, width=self.side)

    @cached_property
    def images(self) -> Tensor:
        """Of the target."""
        return self.photograph(self.target.vertices, self.target.faces, None)

    @cached_property
    def light(self):
        """Known to every run."""
        return studio_light()

    def photograph(self, vertices: Tensor, faces: Tensor, edges: Tensor | None) -> Tensor:
        """(B, H, W, 4), or the coverage alone."""
        if self.silhouettes:
            return render(vertices, faces, vertices[:, :1] * 0.0, self.cameras, edges=edges)[..., 1:]
        colors = shade(vertices, faces, torch.full_like(vertices, 0.5), self.light)
        return render(vertices, faces, colors, self.cameras, edges=edges)

    def loss(self, vertices: Tensor, faces: Tensor, edges: Tensor | None = None) -> Tensor:
        """How far photographs of a mesh are from those of the target."""
        difference = self.photograph(vertices, faces, edges) - self.images
        return difference.square().mean() if self.silhouettes else difference.abs().mean()

    def bare(self, mesh: Mesh, side: int = 320) -> Tensor:
        """(H, W, 4): the bare surface from the front."""
        eye = torch.tensor([[1.9, 1.0, 2.6]])
        camera = look_at(eye, up=(0.0, 1.0, 0.0), fov_y_degrees=35, height=side, width=side)
        return bare_images(mesh.vertices, mesh.faces, camera)[0]

    def distances(self, mesh: Mesh, samples: int = SAMPLES) -> SurfaceDistances:
        """From the target."""
        return surface_distances(mesh, self.target, samples=samples)

    def of_views(self, views: int) -> Studio:
        """The same with other cameras."""
        return replace(self, views=views)


def energy(mesh: Mesh) -> float:
    """|L v|² per vertex: how rough the surface is."""
    return 3 * float(bilaplacian_loss(mesh.vertices, laplacian_uniform(mesh.vertices, mesh.faces)))


def flips(mesh: Mesh) -> float:
    """Faces that look against their neighbours, per cent."""
    return 100 * flipped_faces(mesh.vertices, mesh.faces) / len(mesh.faces)
