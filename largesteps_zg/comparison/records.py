"""The records of a comparison: what is compared, what each run may use, and what came out of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from ..mesh.mesh import Mesh
from ..renderers.light import SphericalHarmonicsLight
from ..scenes.views import Views
from .budget import Spent
from .plan import Plan

FINISHED = "finished"


@dataclass(frozen=True)
class Target:
    """What all runs of a comparison have in common.

    Attributes
    ----------
    name : str
        For people.
    views : Views
        Images with masks and cameras.
    start : Mesh
        In the scene's coordinates; its triangles stay as they are.
    truth : Mesh, optional
        The true surface, in the same coordinates.
    light : SphericalHarmonicsLight, optional
        Known light; estimated by default.
    colors_known : bool
        Keep the start's colours.
    up : {"y", "z"}
        Which axis of what was given points up. The comparison's own is z; `given` turns a mesh back.
    """

    name: str
    views: Views
    start: Mesh
    truth: Mesh | None = None
    light: SphericalHarmonicsLight | None = None
    colors_known: bool = False
    up: str = "z"

    def given(self, mesh: Mesh) -> Mesh:
        """A mesh of the comparison in the coordinates in which the target was given."""
        return mesh if self.up == "z" else stood(mesh)

    def placed(self, mesh: Mesh) -> Mesh:
        """A mesh in the coordinates in which the target was given, in the comparison's."""
        return mesh if self.up == "z" else laid(mesh)


def laid(mesh: Mesh) -> Mesh:
    """A mesh whose y axis points up with its z axis up instead, as `scene_from_mesh` turns it."""
    x, y, z = mesh.vertices.unbind(-1)
    return Mesh(torch.stack([x, -z, y], dim=-1), mesh.faces, mesh.colors)


def stood(mesh: Mesh) -> Mesh:
    """The other way round."""
    x, y, z = mesh.vertices.unbind(-1)
    return Mesh(torch.stack([x, z, -y], dim=-1), mesh.faces, mesh.colors)


@dataclass(frozen=True)
class Job:
    """One run: a target, and a gradient source by name with a seed, as a plan has them."""

    target: Target
    gradient: str
    seed: int
    plan: Plan


@dataclass
class Curves:
    """What was measured along a run; lists of one length, NaN where something was not looked at.

    Attributes
    ----------
    renders, seconds : list
        What was spent until then.
    image_loss, chamfer : list of float
        As in `Result`; distances but the last are of fewer points.
    variance : list of float
        Of an estimate of the gradient of the latent: mean squared distance from its expectation, over the squared
        length of that.
    cosine : list of float
        Mean cosine between an estimate and the rasterizer's gradient.
    """

    renders: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    image_loss: list[float] = field(default_factory=list)
    chamfer: list[float] = field(default_factory=list)
    variance: list[float] = field(default_factory=list)
    cosine: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Result:
    """What came out of a run.

    Attributes
    ----------
    gradient, seed
        Which run.
    state : str
        "finished", or "failed: " and why; then there is no mesh and nothing measured of it.
    spent : Spent
    image_loss : float
        Of all views, by the antialiased rasterizer and noiseless, whatever the run itself looked at.
    chamfer : float
        To the true surface, in thousandths of its bounding box's diagonal; NaN where that is not known, as the next
        two.
    f_score, normals : float
        Share of the surfaces within 0.5 % of the diagonal of each other; mean cosine between their normals.
    curves : Curves
    mesh : Mesh or None
        In the scene's coordinates.
    light : list of (R, G, B)
        The coefficients of the light at the end, known or estimated.
    memory_mib : int or None
        Largest resident set of the process until the last step; set where the run has a process of its own.
    traceback : str
        Where a run failed, as Python prints it.
    """

    gradient: str
    seed: int
    state: str
    spent: Spent = field(default_factory=Spent)
    image_loss: float = math.nan
    chamfer: float = math.nan
    f_score: float = math.nan
    normals: float = math.nan
    curves: Curves = field(default_factory=Curves)
    mesh: Mesh | None = None
    light: list[list[float]] | None = None
    memory_mib: int | None = None
    traceback: str = ""


@dataclass(frozen=True)
class Progress:
    """Where a comparison stands: in which run, how far that is, and its result when it is over.

    Attributes
    ----------
    gradient, seed
        Which run.
    share : float
        Of its budget used, in [0, 1].
    loss : float
        The run's own, of its last step; NaN before the first.
    result : Result or None
    """

    gradient: str
    seed: int
    share: float
    loss: float
    result: Result | None = None
