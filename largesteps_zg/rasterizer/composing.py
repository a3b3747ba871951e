"""From the list of covered pixels to images, and back.

Values are written as they are; `silhouettes` blends them afterwards. The image's last channel is the coverage.
"""

# No `from __future__ import annotations` here: Warp reads the annotations of closures as objects.
# mypy: ignore-errors
# `kernel` and `native` stand for @wp.kernel and @wp.func_native with the settings of `kernels.build`.
from types import SimpleNamespace

import warp as wp

# Fragments come sorted by pixel, so that the image is written once from its first byte to its last; each fragment
# clears what lies empty before it.
COMPOSE = """
    const int stride = channels + 1;
    const bool clears = first_pixel < last_pixel;
    real* to = image.data + (size_t)first_pixel * stride;
    for (int slot = first; slot < last; ++slot) {
        real* pixel = image.data + (size_t)pixels.data[slot] * stride;
        while (clears && to < pixel) *to++ = 0;
        to = pixel;
        const real* value = values.data + (size_t)slot * channels;
        for (int n = 0; n < channels; ++n) *to++ = value[n];
        *to++ = 1;
    }
    const real* end = image.data + (size_t)last_pixel * stride;
    while (clears && to < end) *to++ = 0;
"""

COMPOSE_ADJOINT = """
    for (int slot = first; slot < last; ++slot) {
        const real* grad = grad_image.data + (size_t)pixels.data[slot] * (channels + 1);
        real* out = grad_values.data + (size_t)slot * channels;
        for (int n = 0; n < channels; ++n) out[n] = grad[n];
    }
"""


def define(kernel, native, real, vec3) -> SimpleNamespace:
    """Kernels of `warp_backend.antialias`, first and last."""

    @native(COMPOSE)
    def compose_fragments(
        pixels: wp.array(dtype=int),
        first: int,
        last: int,
        first_pixel: int,
        last_pixel: int,
        channels: int,
        values: wp.array(dtype=real),
        image: wp.array(dtype=real),
    ): ...

    @native(COMPOSE_ADJOINT)
    def compose_fragments_adjoint(
        pixels: wp.array(dtype=int),
        first: int,
        last: int,
        channels: int,
        grad_image: wp.array(dtype=real),
        grad_values: wp.array(dtype=real),
    ): ...

    @kernel
    def compose(
        begin: int,
        block: int,
        pixels: wp.array(dtype=int),
        first_pixel: int,
        last_pixel: int,
        channels: int,
        values: wp.array(dtype=real),
        image: wp.array(dtype=real),
    ):
        """Clears the empty pixels of [first_pixel, last_pixel) too, where that is not empty; in one thread then."""
        first = begin + wp.tid() * block
        compose_fragments(pixels, first, first + block, first_pixel, last_pixel, channels, values, image)

    @kernel
    def compose_adjoint(
        begin: int,
        block: int,
        pixels: wp.array(dtype=int),
        channels: int,
        grad_image: wp.array(dtype=real),
        grad_values: wp.array(dtype=real),
    ):
        first = begin + wp.tid() * block
        compose_fragments_adjoint(pixels, first, first + block, channels, grad_image, grad_values)

    return SimpleNamespace(compose=compose, compose_adjoint=compose_adjoint)
