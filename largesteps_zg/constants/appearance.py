"""What decides about colours: gloss, exposure, how much hue and brightness count."""

from __future__ import annotations

from dataclasses import dataclass

from .group import TINY, TRIED, UNASKED, Group, constant

PAGE = "benchmarks/measurements/path_traced.md"
MIRRORED = (
    "measured: benchmarks/measurements/constants.md, Highlights and hue; surfaces are as good at half and twice, "
    "roughness is worse at half"
)


@dataclass(frozen=True)
class Highlights(Group):
    """What surfaces mirror, in `reconstruct.appearance.gloss` and `.occlusion`."""

    start: float = constant(
        0.3,
        "share",
        "From so much of the run on, gloss is looked for.",
        f"measured: {PAGE}, Gloss; gear, fennec, leaf",
    )
    decide: float = constant(
        0.6,
        "share",
        "At so much of the run it is kept or dropped.",
        f"measured: {PAGE}, Gloss; 40 % is worse (fennec)",
    )
    earned: float = constant(
        1.0 / 3.0, "share", "It is dropped where it takes away less of the loss.",
        f"measured: {PAGE}, Gloss; glazed 0.53 to 0.63, photographs of plaster 0.12, clay and paint 0",
    )  # fmt: skip
    sizes: tuple[int, ...] = constant(
        (4, 8, 16, 32), "texels", "Sides of the pictures whose sum is the surroundings.", MIRRORED
    )
    step: float = constant(0.03, "nepers", "First step of the surroundings.", MIRRORED)
    strength_step: float = constant(0.003, "white", "First step of the strength.", TRIED)
    grazing_step: float = constant(0.01, "nepers", "First step of the factor at grazing angles.", TRIED)
    nearness_step: float = constant(0.003, "1 / radii", "First step of the surroundings' nearness.", TRIED)
    grazing: float = constant(
        12.0, "times", "How much more is mirrored edge-on, to start with.",
        f"{TRIED}; between matt paint and glass, which has 24", least=TINY,
    )  # fmt: skip
    power: int = constant(
        3, "power", "Of the rise towards grazing angles.", f"{TRIED}; smooth surfaces have 5"
    )
    nearest: float = constant(
        0.9, "1 / radii", "Surroundings come no nearer.", "derived: the scene's radius is 1"
    )
    clearest: float = constant(
        0.172, "share", "Of what arrives straight on; what mirrors more is a metal.",
        "derived: diamond's, n = 2.417; nothing clear that is met every day mirrors more, and metals do",
    )  # fmt: skip
    lobe_core: float = constant(
        25.0, "degrees", "Around the brightest direction, where the middle of the highlight is looked for.",
        UNASKED,
    )  # fmt: skip
    lobe_width: float = constant(
        60.0, "degrees", "Around that middle, where its lobe gives the roughness.", TRIED
    )
    refresh: int = constant(8, "times", "So often a view is asked for until it is traced anew.", TRIED)
    lift: float = constant(0.2, "mean edges", "Rays begin so far above the surface.", TRIED)
    graze: float = constant(0.02, "cosine", "Rays below this one with the normal are free.", TRIED)


@dataclass(frozen=True)
class Gains(Group):
    """A gain for each photograph, in `reconstruct.appearance.exposure`. Held-out pixels say whether there is one."""

    start: float = constant(0.1, "share", "From so much of the run on, gains change.", TRIED)
    decide: float = constant(0.5, "share", "At so much of the run they are kept or dropped.", UNASKED)
    step: float = constant(
        0.02, "nepers", "First step of a gain, for each time that its view is seen.", UNASKED
    )
    least: float = constant(
        0.01, "nepers", "Gains that come to less, root mean square, are dropped.",
        "derived: half a level of an 8-bit photograph at mid-grey is 0.9 %",
    )  # fmt: skip


@dataclass(frozen=True)
class Hue(Group):
    """How much brightness counts beside hue, in `reconstruct.appearance.hue`."""

    grey: float = constant(
        0.1, "|hue| / brightness", "Below, a scene is grey, and brightness counts in full.",
        f"measured: {PAGE}; path-traced clay has 0.04 to 0.06",
    )  # fmt: skip
    colorful: float = constant(
        0.3, "|hue| / brightness", "Above, hue tells as well.",
        f"measured: {PAGE}; paint, glaze and stone have 0.4 to 0.6",
    )  # fmt: skip
    least: float = constant(
        0.45,
        "share",
        "What brightness counts where hue tells as well.",
        f"measured: {PAGE}, Gloss; the glossy fennec",
    )
    few: int = constant(
        8, "views", "With fewer, brightness counts in full.", f"measured: {PAGE}; one cow alone"
    )
    many: int = constant(
        24, "views", "With so many or more, it counts least.", f"measured: {PAGE}; one cow alone"
    )

    def ascending(self) -> tuple[tuple[str, str], ...]:
        """See `Group`."""
        return ("grey", "colorful"), ("few", "many")
