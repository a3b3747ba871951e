"""What decides about a baked texture: which pixels count, and what texels do without any."""

from __future__ import annotations

from dataclasses import dataclass

from .group import TINY, TRIED, UNASKED, Group, constant


@dataclass(frozen=True)
class Texture(Group):
    """Which pixels a texture is made from, in `output.export`."""

    opaque: int = constant(250, "levels", "Pixels of less alpha, of 255, do not count.", TRIED)
    darkest: float = constant(0.02, "white", "Pixels of darker shading say nothing about albedo.", UNASKED)
    least_cosine: float = constant(
        0.15, "cosine", "Pixels that see the surface flatter, by 81 degrees, do not count.", TRIED
    )
    step: float = constant(
        3.0, "times", "A step in depth larger by this than the slope leads to another surface.",
        "derived: from corner to corner of 3 x 3 pixels the depth of a plane changes by 2 root 2 slopes",
    )  # fmt: skip
    rounds: int = constant(4, "rounds", "Of new weights, in which outliers are outvoted.", TRIED)
    iterations: int = constant(8, "iterations", "Of conjugate gradients in each round.", TRIED)
    softening: float = constant(
        0.02, "white", "Smaller differences count by their square.", TRIED, least=TINY
    )
    smoothness: float = constant(
        0.05, "of an average texel's weight", "What neighbouring texels have in common.", TRIED
    )
    anchor: float = constant(2e-3, "of an average texel's weight", "What the vertices' colours count.", TRIED)
    vertex_smoothing: float = constant(
        0.1, "of an average vertex's weight", "Smoothing of the vertices' colours.", TRIED
    )
    grey: float = constant(0.5, "white", "Colour of parts that no view sees.", "derived: the middle")
    grey_weight: float = constant(
        1e-6, "of an average vertex's weight", "What that colour counts.",
        "derived: it changes seen colours by a millionth, and is far above rounding in float64",
    )  # fmt: skip
    filled: float = constant(
        0.6, "share", "Charts fill about so much of an image, which decides its size.", UNASKED, least=TINY
    )
    smallest: int = constant(256, "texels", "No image chosen by itself is smaller.", TRIED)
    largest: int = constant(4096, "texels", "No image chosen by itself is larger.", UNASKED)
    palette: int = constant(
        16, "texels", "The file's own image, if smaller, is a palette, and its size is not kept."
    )
    shared: float = constant(0.05, "share", "A larger overlap of a file's own layout is reported.")
