"""What a glossy surface mirrors: a blurred picture of the surroundings, looked up in the reflected direction."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..._support.trial import Trial
from ...cameras.model import Cameras
from ...constants import DEFAULTS, Highlights
from ...optimize import PlainAdam
from .occlusion import SelfOcclusion
from .reflectance import fitted_roughness, straight_reflectance


class Gloss:
    """A term that is added to diffuse colours: what the surface mirrors at x, of normal n, towards a camera at w.

    ::

        strength * (1 + grazing (1 - n.w)³) * surroundings(r + nearness x),    r = 2 (n.w) n - w

    and 0 where the ray from x along r ends on the surface itself.

    One lookup stands for all of reflection: what the surroundings send, blurred by the surface's roughness, is learned
    as one picture over the sphere of directions (unfolded onto a square through an octahedron), in logarithms, so that
    it is positive and as bright as a lamp where it has to. The strength begins at 0, never falls below it, and stays
    there where a mirrored picture explains nothing. Surfaces mirror more towards grazing angles: Schlick's form of
    Fresnel's law, its fifth power lowered to the third for rough ones. Surroundings at a distance of d radii look
    different from different places x, in radii from the middle: to first order in 1/d as if x/d were added to r.
    The surface hides its surroundings from itself, but is not mirrored in itself: it is dark beside lamps.

    Parameters
    ----------
    always : bool
        Keep it however weak it is. By default `judge` drops it, half-way, where it explains hardly anything.
    device : torch.device, optional
    constants : Highlights, optional

    Attributes
    ----------
    trial : Trial
        Whether it is there at present.

    Notes
    -----
    Differentiable in all of its own, and in the surface: highlights say where normals point, once they are explained.
    What hides is held fixed. benchmarks/measurements/path_traced.md#gloss says what each part is worth; *without*
    grazing and nearness derivatives in the surface make it worse.

    Cost: 8 views of 10,242 vertices, 26 ms of one core, forward and backward, and 8 more for what is hidden.

    References
    ----------
    Cigolle, Donow, Evangelakos, Mara, McGuire, Meyer: A Survey of Efficient Representations for Independent Unit
    Vectors. JCGT 3(2), 2014: the octahedral map. Schlick: An Inexpensive BRDF Model for Physically-based Rendering.
    Computer Graphics Forum 13(3), 1994.
    """

    def __init__(
        self,
        *,
        always: bool = False,
        device: torch.device | str | None = None,
        constants: Highlights = DEFAULTS.highlights,
    ) -> None:
        self.constants, sizes = constants, constants.sizes
        self.trial = Trial(constants.start, constants.decide, decided=always)
        self.strength = torch.zeros(1, device=device, requires_grad=True)
        self.log_grazing = torch.full((1,), math.log(constants.grazing), device=device, requires_grad=True)
        self.nearness = torch.zeros(1, device=device, requires_grad=True)
        # Pictures that are added: coarse ones let fine ones start right.
        self.levels = [torch.zeros(1, 3, n, n, device=device, requires_grad=True) for n in sizes]
        others = (constants.strength_step, constants.grazing_step, constants.nearness_step)
        steps = (*others, *[constants.step] * len(sizes))
        groups = [{"params": [p], "lr": lr} for p, lr in zip(self.parameters(), steps, strict=True)]
        self.optimizer = PlainAdam(groups, betas=(0.9, 0.99))
        self._occlusion = SelfOcclusion(constants)

    def __call__(
        self,
        vertices: Float[Tensor, "V 3"],
        faces: Int[Tensor, "F 3"],
        normals: Float[Tensor, "V 3"],
        cameras: Cameras,
        index: Int[Tensor, " B"] | None = None,
    ) -> Float[Tensor, "B V 3"]:
        """What each camera sees mirrored at the vertices, linear RGB, >= 0.

        Parameters
        ----------
        vertices, faces, normals
        cameras : Cameras
            That look.
        index : (B,) int, optional
            Which of the run's views they are: then what hides is traced now and then only.
        """
        centers = cameras.centers.to(vertices)
        towards = torch.nn.functional.normalize(centers[:, None] - vertices, dim=-1)  # (B, V, 3)
        facing = (normals * towards).sum(-1, keepdim=True)
        reflected = 2 * facing * normals - towards
        free = ~self._occlusion(vertices, faces, normals, reflected, index)
        share = free[..., None] * (
            1 + self.log_grazing.exp() * (1 - facing.clamp(0, 1)) ** self.constants.power
        )
        seen = torch.nn.functional.normalize(reflected + self.nearness * vertices, dim=-1)
        return self.strength * share * self.surroundings(seen)

    def topology_changed(self) -> None:
        """Vertices are others."""
        self._occlusion.topology_changed()

    def surroundings(self, directions: Float[Tensor, "B V 3"]) -> Float[Tensor, "B V 3"]:
        """Radiance from unit directions, up to the strength: its logarithm is 0 on average."""
        places = octahedral(directions)
        picture = with_border(self.picture())
        size = self.constants.sizes[-1]
        places = places * (size / (size + 2))
        found = torch.nn.functional.grid_sample(picture, places[None], align_corners=False)  # (1, 3, B, V)
        return found[0].movedim(0, -1)

    def picture(self) -> Float[Tensor, "1 3 N N"]:
        """The surroundings, unfolded."""
        size = (self.constants.sizes[-1], self.constants.sizes[-1])
        enlarged = [torch.nn.functional.interpolate(level, size, mode="bilinear") for level in self.levels]
        log = torch.stack(enlarged).sum(0)
        return (log - log.mean()).exp()

    def parameters(self) -> list[Tensor]:
        """What is optimised."""
        return [self.strength, self.log_grazing, self.nearness, *self.levels]

    def judge(self, loss: float, without: float) -> None:
        """Keep the gloss, or drop it for good, from the losses of pictures with it and without."""
        self.trial.settle(keep=loss <= (1.0 - self.constants.earned) * without)

    @torch.no_grad()
    def step(self) -> None:
        """Follow the gradients, while it is there."""
        if self.trial.running:
            self.optimizer.step()
            self.strength.clamp_(min=0.0)
            self.nearness.clamp_(0.0, self.constants.nearest)

    def report(self) -> dict[str, float]:
        """What was found.

        Returns
        -------
        dict
            ``mean``, ``peak``: brightness over the directions of what is mirrored by a surface that faces the camera,
            in units of a white surface's. ``grazing``: how many times that is added seen edge-on. ``nearness``:
            radii of the scene over the distance of the surroundings. ``roughness``: of GGX, see `fitted_roughness`.
            ``straight``: F0, see `straight_reflectance`.
        """
        with torch.no_grad():
            picture = self.strength * self.picture()
        return {
            "mean": float(picture.mean()), "peak": float(picture.max()),
            "grazing": float(self.log_grazing.detach().exp()), "nearness": float(self.nearness.detach()),
            "roughness": fitted_roughness(picture[0], self.constants),
            "straight": straight_reflectance(float(self.log_grazing.detach().exp()), self.constants.power),
        }  # fmt: skip

    def state_dict(self) -> dict[str, Any]:
        """All that later steps depend on."""
        return {
            "trial": self.trial.state_dict(),
            "parameters": [p.detach() for p in self.parameters()],
            "optimizer": self.optimizer.state_dict(),
            "occlusion": self._occlusion.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.trial.load_state_dict(state["trial"])
        with torch.no_grad():
            for part, value in zip(self.parameters(), state["parameters"], strict=True):
                part.copy_(value)
        self.optimizer.load_state_dict(state["optimizer"])
        self._occlusion.load_state_dict(state["occlusion"])


def octahedral(directions: Float[Tensor, "*B 3"]) -> Float[Tensor, "*B 2"]:
    """Places in [-1, 1]² of directions: the upper half in the middle, the lower one folded out to the corners."""
    x, y, z = (directions / directions.abs().sum(-1, keepdim=True).clamp_min(1e-12)).unbind(-1)
    below = z < 0
    sign_x, sign_y = torch.where(x < 0, -1.0, 1.0), torch.where(y < 0, -1.0, 1.0)
    u = torch.where(below, (1 - y.abs()) * sign_x, x)
    v = torch.where(below, (1 - x.abs()) * sign_y, y)
    return torch.stack([u, v], dim=-1)


def with_border(picture: Float[Tensor, "1 C N N"]) -> Float[Tensor, "1 C M M"]:
    """One more texel on each side, what lies there on the sphere: each border meets itself, turned about its middle."""
    rows = torch.cat([picture[:, :, :1].flip(3), picture, picture[:, :, -1:].flip(3)], dim=2)
    first, last = rows[..., :1], rows[..., -1:]
    return torch.cat([first.flip(2), rows, last.flip(2)], dim=3)
