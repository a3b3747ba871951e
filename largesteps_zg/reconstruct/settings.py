"""The settings of a run: what each is called, what it is by default, what it may be. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .._support.options import NO_OPTION, option
from .._support.values import check_choice, check_count, check_number, shown
from ..constants import DEFAULTS, Constants
from ..rasterizer.registry import CHOICES as BACKENDS
from ..rasterizer.registry import check_backend
from .devices import DEVICES, check_device
from .gradients.registry import GRADIENTS, check_source
from .gradients.traits import EXACT, SourceTraits

FOUND = ("auto", "on", "off")
PATCHES = ("auto", "off")
LOSSES = ("l1", "l2", "robust")
REMESHING = ("auto", "adaptive", "off")
RENDERER = "rasterizer"
DIFFERENTIATED = "rasterizer", "soft"  # gradients that call no renderer
MOST_SEEDS = 2**63 - 1  # that PyTorch's generators take
ESTIMATED = SourceTraits()


def remeshing_of(text: str) -> str | tuple[int, ...]:
    """Steps from a text such as 100,300; any other text as it is."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        return text


@dataclass(frozen=True)
class Settings:
    """How to reconstruct.

    Attributes
    ----------
    steps : int, optional
        Gradient steps, >= 1. By default 1,500, and 500 where photographs agree over the surface, or what lies between;
        see `Pace`. With steps in `remesh` they are 1,500.
    lambda_ : float, optional
        Smoothing of the parametrization at a start of 2,562 vertices, >= 0; see `LargeSteps`. Finer and coarser starts
        get the value that reaches as far over the surface. It falls to a quarter with every remeshing, down to 1. By
        default 5, and 19 where gradients are estimates.
    step_size : float
        The first step size of the positions' optimiser, > 0, in a scene scaled to the unit sphere. It falls to 3 %;
        where gradients are exact, it falls later in the run.
    views_per_step : int, optional
        Images compared in each step, >= 1. A run sees all images before it sees one again. By default 8, and fewer
        where these would have more than `Schedule.step_pixels` pixels: so larger images take no longer.
    remesh : "auto", "adaptive", "off" or tuple of steps
        When to remesh. "adaptive" remeshes when "auto" does, to edges that are shorter where the surface is curved and
        longer where it is flat.
    max_vertices : int, optional
        A bound that remeshing keeps to within some per cent. Where the images ask for more vertices, edges become
        longer. By default 50,000, and 20,000 where gradients are estimates.
    device : {"auto", "cpu", "cuda", ...}
    backend : {"auto", "warp", "nvdiffrast"}
    seed : int
        Fixes the order in which views are drawn, and the perturbations.
    gradients : {"rasterizer", "soft", "per-pixel", "zerograds", "smoothed", "spsa"}
        Where gradients come from; see `reconstruct.gradients.GRADIENTS`.
    renderer : str
        The renderer that estimates call: "rasterizer", "opengl", or "FILE.py:FUNCTION"; see
        `renderers.load_renderer`.
    loss : {"l1", "l2", "robust"}
        How pixels are compared; see `images.losses.image_loss`.
    bending : float
        How strongly a run prefers smooth shapes, >= 0. The weight of `Bending` beside the loss is this number times the
        root of the number of pixels in all images: noise averages out, so more and larger images show more detail. A
        run begins with four times the weight.
    gloss, exposure, refine_cameras : {"auto", "on", "off"}
        Whether to find reflections, the brightness of each image, and corrections of poses and focal length. "auto"
        drops each of these where the run finds, half-way, that it explains nothing, and moves cameras only where
        held-out evidence says that they are off. "on" keeps reflections and brightness, and moves cameras whatever the
        evidence says; it still drops corrections that come to nothing.
    patches : {"auto", "off"}
        Whether the shape also has to make patches of neighbouring photographs alike; see
        `reconstruct.photo_consistency`. "auto" does wherever gradients are the rasterizer's.
    advanced : Constants
        All other numbers that decide about the result; docs/constants.md lists them.
    """

    steps: int | None = field(
        default=None,
        metadata=option(
            "gradient steps", "N", int, default="1500; down to 500 where photographs agree over the surface"
        ),
    )
    lambda_: float | None = field(
        default=None,
        metadata=option(
            "smoothing", "L", float, default=f"{EXACT.lambda_:g}; {ESTIMATED.lambda_:g} for estimates"
        ),
    )
    step_size: float = field(default=0.1, metadata=option("first step size, in scene radii", "S", float))
    views_per_step: int | None = field(
        default=None,
        metadata=option("images compared in a step", "K", int, default="8, and fewer above 800 x 800 pixels"),
    )
    remesh: str | tuple[int, ...] = field(
        default="auto", metadata=option("at which steps", "|".join((*REMESHING, "N,...")), remeshing_of)
    )
    max_vertices: int | None = field(
        default=None,
        metadata=option(
            "bound of the remeshing", "N", int,
            default=f"{EXACT.max_vertices}; {ESTIMATED.max_vertices} for estimates",
        ),
    )  # fmt: skip
    device: str = field(default="auto", metadata=option("where to compute", "|".join(DEVICES)))
    backend: str = field(default="auto", metadata=option("the rasterizer", "|".join(BACKENDS)))
    seed: int = field(default=0, metadata=option("of views and perturbations", "N", int))
    gradients: str = field(
        default="rasterizer",
        metadata=option(
            "rasterizer, its blurred kind soft, or estimates through a renderer that is only called: "
            + ", ".join(name for name in GRADIENTS if name not in DIFFERENTIATED),
            "NAME",
        ),
    )
    renderer: str = field(
        default=RENDERER,
        metadata=option(
            "which renderer is called for estimates: rasterizer, opengl or FILE.py:FUNCTION", "NAME"
        ),
    )
    loss: str = field(
        default="l1",
        metadata=option("how pixels are compared; robust: outliers in colour count less", "|".join(LOSSES)),
    )
    bending: float = field(
        default=0.025,
        metadata=option(
            "how much smooth shapes are preferred where images leave a choice; 0 for not at all", "B", float
        ),
    )
    gloss: str = field(
        default="auto", metadata=option("reflections that move with the view", "|".join(FOUND))
    )
    patches: str = field(
        default="auto",
        metadata=option(
            "whether the shape also has to make patches of neighbouring photographs alike, wherever gradients are the "
            "rasterizer's",
            "|".join(PATCHES),
        ),
    )
    exposure: str = field(default="auto", metadata=option("brightness of each image", "|".join(FOUND)))
    refine_cameras: str = field(
        default="auto",
        metadata=option(
            "correct poses and focal length along with the shape, or keep cameras as given (default: correct them "
            "where held-out parts of the photographs say that they are off)",
            flags={"refine-cameras": "on", "no-refine-cameras": "off"},
        ),
    )
    advanced: Constants = field(default=DEFAULTS, metadata=NO_OPTION)

    def __post_init__(self) -> None:
        if not isinstance(self.advanced, Constants):
            raise ValueError(f"advanced: expected Constants(...), got {self.advanced!r}")
        checked = {
            "steps": self.steps if self.steps is None else check_count(
                "steps", self.steps, cure=f"{self.advanced.schedule.steps} is a good start"
            ),
            "lambda_": self.lambda_ if self.lambda_ is None else check_number(
                "lambda", self.lambda_, ">= 0", _not_negative,
                cure=f"{EXACT.lambda_:g} is a good start, {ESTIMATED.lambda_:g} for estimates",
            ),
            "step_size": check_number(
                "step size", self.step_size, "> 0", lambda value: value > 0, cure=_good(self, "step_size")
            ),
            "views_per_step": self.views_per_step if self.views_per_step is None else check_count(
                "views per step", self.views_per_step, cure=f"{DEFAULTS.schedule.step_views} is a good start"
            ),
            "remesh": check_remeshing(self.remesh, steps=self.steps or self.advanced.schedule.steps),
            "max_vertices": self.max_vertices if self.max_vertices is None else _count(self, "max_vertices"),
            "device": check_device(self.device),
            "backend": check_backend(self.backend),
            "seed": check_count("seed", self.seed, least=0, most=MOST_SEEDS),
            "gradients": check_source(self.gradients),
            "renderer": check_renderer(self.renderer, self.gradients),
            "loss": check_choice("loss", self.loss, LOSSES),
            "bending": check_number(
                "bending", self.bending, ">= 0", _not_negative, cure=_good(self, "bending")
            ),
            "gloss": check_choice("gloss", self.gloss, FOUND),
            "patches": check_choice("patches", self.patches, PATCHES),
            "exposure": check_choice("exposure", self.exposure, FOUND),
            "refine_cameras": check_choice("refine cameras", self.refine_cameras, FOUND),
        }  # fmt: skip
        for name, value in checked.items():
            object.__setattr__(self, name, value)  # plain numbers of Python, whichever were given


def _not_negative(value: float) -> bool:
    return value >= 0


def _good(settings: Settings, name: str) -> str:
    """What cures a number that cannot be: the default, which stands at the class."""
    default = getattr(type(settings), name)
    return f"{default if default is not None else getattr(EXACT, name)} is a good start"


def _count(settings: Settings, name: str) -> int:
    return check_count(name.replace("_", " "), getattr(settings, name), cure=_good(settings, name))


def check_remeshing(choice: Any, *, steps: int) -> str | tuple[int, ...]:
    """When to remesh: a word, or steps of the run; or ValueError."""
    wanted = f"remesh: expected {', '.join(REMESHING)} or steps such as 100,300"
    given = choice.tolist() if hasattr(choice, "tolist") else choice  # an array
    if isinstance(given, str) and given in REMESHING:
        return str(given)
    if not isinstance(given, (list, tuple, range)):
        raise ValueError(f"{wanted}, got {shown(choice)}")
    try:
        found = tuple(check_count("remesh", step, least=-MOST_SEEDS) for step in given)
    except ValueError:
        raise ValueError(f"{wanted}, got {shown(choice)}") from None
    if not found:
        raise ValueError(f"{wanted}, got no step; off for none")
    for step in found:
        if not 0 <= step < steps:
            raise ValueError(f"remesh: expected steps in [0, {steps}), got {step}")
    return found


def check_renderer(name: Any, gradients: str) -> str:
    """The name of a renderer, where something calls it, or ValueError."""
    if isinstance(name, str) and name == RENDERER:
        return RENDERER
    from ..renderers.registry import check_name  # loads torch, which the default does without

    if gradients in DIFFERENTIATED and check_name(name):
        raise ValueError(
            f"renderer: {name} is called for estimates alone; choose gradients that are, such as per-pixel"
        )
    return check_name(name)
