"""From the list of covered pixels to images, and back.

Values are written as they are; `silhouettes` blends them afterwards. The image's last channel is the coverage.
"""

from __future__ import annotations

from .._support.warp_kernels import INTS, KernelModule

# Fragments come sorted by pixel, so that the image is written once from its first byte to its last; each fragment
# clears what lies empty before it.
COMPOSE = """
    const bool clears = first_pixel < last_pixel;
    real* to = image.data + (size_t)first_pixel * (channels + 1);
    const auto compose = [&](auto count) {
        for (int slot = first; slot < last; ++slot) {
            real* pixel = image.data + (size_t)pixels.data[slot] * (count() + 1);
            while (clears && to < pixel) *to++ = 0;
            to = pixel;
            const real* value = values.data + (size_t)slot * count();
            for (int n = 0; n < count(); ++n) to[n] = value[n];
            to[count()] = 1;
            to += count() + 1;
        }
    };
    if (channels == 3) compose([]() { return 3; });  // the usual number: without loops
    else compose([&]() { return channels; });
    const real* end = image.data + (size_t)last_pixel * (channels + 1);
    while (clears && to < end) *to++ = 0;
"""

COMPOSE_ADJOINT = """
    const auto decompose = [&](auto count) {
        for (int slot = first; slot < last; ++slot) {
            const real* grad = grad_image.data + (size_t)pixels.data[slot] * (count() + 1);
            real* out = grad_values.data + (size_t)slot * count();
            for (int n = 0; n < count(); ++n) out[n] = grad[n];
        }
    };
    if (channels == 3) decompose([]() { return 3; });
    else decompose([&]() { return channels; });
"""


def define(make: KernelModule) -> None:
    """Kernels of `warp_backend.antialias`, first and last; their items are fragments.

    `compose` also clears the empty pixels of [first_pixel, last_pixel) where that is not empty; in one thread then.
    """
    values = make.reals
    make.items(
        "compose",
        COMPOSE,
        pixels=INTS,
        first_pixel=int,
        last_pixel=int,
        channels=int,
        values=values,
        image=values,
    )
    make.items(
        "compose_adjoint", COMPOSE_ADJOINT, pixels=INTS, channels=int, grad_image=values, grad_values=values
    )
