"""The loops of `losses` over pixels: differences of channels, or along axes, their value and slope."""

from __future__ import annotations

import torch

from .._support.warp_kernels import FLOATS, KernelModule

# Value and slope of one difference x, for a scale of 1 / sharp. One kind each, so that loops have no choice in them.
SHAPES = """
    const auto with_shape = [&](auto work) {
        const auto absolute = [](wp::float32 x) { return x < 0 ? -x : x; };
        const auto sign = [](wp::float32 x) { return x > 0 ? 1.0f : (x < 0 ? -1.0f : 0.0f); };
        if (kind == 0) work([=](wp::float32 x, wp::float32) { return absolute(x); },
                            [=](wp::float32 x, wp::float32) { return sign(x); });
        else if (kind == 1) work([](wp::float32 x, wp::float32) { return x * x; },
                                 [](wp::float32 x, wp::float32) { return 2.0f * x; });
        else work([=](wp::float32 x, wp::float32 sharp) { return absolute(x) / (1.0f + sharp * absolute(x)); },
                  [=](wp::float32 x, wp::float32 sharp) {
                      const wp::float32 left = 1.0f / (1.0f + sharp * absolute(x));
                      return sign(x) * left * left;
                  });
    };
"""

# Differences of red, green and blue along three axes at right angles: brightness, and two of hue. `turned` goes there,
# `back` takes slopes from there to the channels.
AXES = """
    const wp::float32 axis = 0.57735027f, two = 0.70710678f, six = 0.40824829f;
    const auto turned = [=](wp::float32& a, wp::float32& b, wp::float32& c) {
        const wp::float32 sum = a + b, brightness = axis * (sum + c), rest = six * (sum - 2.0f * c);
        b = two * (a - b);
        a = brightness;
        c = rest;
    };
    const auto back = [=](wp::float32& a, wp::float32& b, wp::float32& c) {
        const wp::float32 common = axis * a + six * c, hue = two * b;
        c = axis * a - 2.0f * six * c;
        a = common + hue;
        b = common - hue;
    };
"""

# Sixteen sums side by side, so that it becomes vector code: additions may not be reordered otherwise. `weights` and
# `sharps` hold a row of pixels each; `known`, where there is one, has a number for each pixel.
COMPARE = (
    SHAPES
    + AXES
    + """
    const auto compare_rows = [&](auto value, auto slope_of, auto count, bool weighted) {
        for (int row = first; row < last; ++row) {
            const wp::float32* image = images.data + (size_t)row * size;
            const wp::float32* target = targets.data + (size_t)row * size;
            wp::float32* slope = gradient.data + (size_t)row * size;
            wp::float32 totals[16] = {};
            const auto compare = [&](int i, int lane, wp::float32 weight) {
                const wp::float32 difference = image[i] - target[i];
                totals[lane] += weight * value(difference, sharps.data[i]);
                slope[i] = weight * slope_of(difference, sharps.data[i]);
            };
            int i = 0;
            if (weighted) {
                // Blocks of 16 values are whole pixels where the number of channels divides 16.
                const wp::float32* share = known.data + (size_t)row * (size / count());
                for (; i + 16 <= size && 16 % count() == 0; i += 16) {
                    const wp::float32* here = share + i / count();
                    wp::float32 both[16];
                    for (int n = 0; n < 16 / count(); ++n)
                        for (int m = 0; m < count(); ++m) both[n * count() + m] = here[n];
                    for (int lane = 0; lane < 16; ++lane) both[lane] *= weights.data[i + lane];
                    for (int lane = 0; lane < 16; ++lane) compare(i + lane, lane, both[lane]);
                }
                for (; i < size; ++i) compare(i, 0, weights.data[i] * share[i / count()]);
            } else {
                for (; i + 16 <= size; i += 16)
                    for (int lane = 0; lane < 16; ++lane) compare(i + lane, lane, weights.data[i + lane]);
                for (; i < size; ++i) compare(i, 0, weights.data[i]);
            }
            wp::float32 total = 0;
            for (int lane = 0; lane < 16; ++lane) total += totals[lane];
            sums.data[row] = total;
        }
    };
    const auto compare_axes = [&](auto value, auto slope_of, auto count, bool weighted) {
        const wp::float32 weight[4] = {weights.data[0], weights.data[1], weights.data[2], weights.data[count() - 1]};
        const wp::float32 sharp[4] = {sharps.data[0], sharps.data[1], sharps.data[2], sharps.data[count() - 1]};
        const int pixels = size / count();
        for (int row = first; row < last; ++row) {
            const wp::float32* image = images.data + (size_t)row * size;
            const wp::float32* target = targets.data + (size_t)row * size;
            wp::float32* slope = gradient.data + (size_t)row * size;
            wp::float32 totals[8] = {}, of_brightness[8] = {};
            const auto compare = [&](int i, auto width) {
                wp::float32 d[4][width()], share[width()], color[width()];
                for (int m = 0; m < width(); ++m) {
                    share[m] = weighted ? known.data[(size_t)row * pixels + i + m] : 1.0f;
                    color[m] = trusted ? trust.data[(size_t)row * pixels + i + m] : 1.0f;
                    for (int n = 0; n < count(); ++n)
                        d[n][m] = image[count() * (i + m) + n] - target[count() * (i + m) + n];
                }
                for (int m = 0; m < width(); ++m) {
                    for (int n = 0; n < 3; ++n) d[n][m] *= color[m];
                    turned(d[0][m], d[1][m], d[2][m]);
                    of_brightness[m] += share[m] * weight[0] * value(d[0][m], sharp[0]);
                    for (int n = 0; n < count(); ++n) {
                        totals[m] += share[m] * weight[n] * value(d[n][m], sharp[n]);
                        d[n][m] = share[m] * weight[n] * slope_of(d[n][m], sharp[n]);
                    }
                    back(d[0][m], d[1][m], d[2][m]);
                    for (int n = 0; n < 3; ++n) d[n][m] *= color[m];
                }
                for (int m = 0; m < width(); ++m)
                    for (int n = 0; n < count(); ++n) slope[count() * (i + m) + n] = d[n][m];
            };
            int i = 0;
            for (; i + 8 <= pixels; i += 8) compare(i, []() { return 8; });
            for (; i < pixels; ++i) compare(i, []() { return 1; });
            wp::float32 total = 0, brightness = 0;
            for (int m = 0; m < 8; ++m) total += totals[m], brightness += of_brightness[m];
            sums.data[row] = total;
            bright.data[row] = brightness;
        }
    };
    with_shape([&](auto value, auto slope_of) {
        if (axes && channels == 4) compare_axes(value, slope_of, []() { return 4; }, weighted);
        else if (axes) compare_axes(value, slope_of, []() { return 3; }, weighted);
        else if (!weighted) compare_rows(value, slope_of, []() { return 1; }, false);
        else if (channels == 4) compare_rows(value, slope_of, []() { return 4; }, true);
        else compare_rows(value, slope_of, [&]() { return channels; }, true);
    });
"""
)


# Three or four channels and the kind are constants within their loops, so that these become vector code too.
COMPARE_PIXELS = (
    SHAPES
    + AXES
    + """
    const auto compare_all = [&](auto count, auto value, auto turn, bool weighted) {
        const wp::float32 *image = images.data, *target = targets.data;
        const wp::float32 *weight = weights.data, *sharp = sharps.data;
        for (size_t i = first; i < (size_t)last; ++i) {
            wp::float32 d[count()], total = 0;
            for (size_t n = 0; n < count(); ++n) d[n] = image[count() * i + n] - target[count() * i + n];
            turn(d);
            for (size_t n = 0; n < count(); ++n) total += weight[n] * value(d[n], sharp[n]);
            losses.data[i] = weighted ? known.data[i] * total : total;
        }
    };
    with_shape([&](auto value, auto) {
        const auto compare_any = [&]() {
            for (size_t i = first; i < (size_t)last; ++i) {
                wp::float32 total = 0;
                for (size_t place = channels * i, n = 0; n < (size_t)channels; ++place, ++n)
                    total += weights.data[n] * value(images.data[place] - targets.data[place], sharps.data[n]);
                losses.data[i] = weighted ? known.data[i] * total : total;
            }
        };
        const auto compare = [&](auto count, auto turn) {
            if (weighted) compare_all(count, value, turn, true);
            else compare_all(count, value, turn, false);
        };
        const auto as_they_are = [](wp::float32*) {};
        const auto along_axes = [&](wp::float32* d) { turned(d[0], d[1], d[2]); };
        if (axes && channels == 4) compare([]() { return (size_t)4; }, along_axes);
        else if (axes) compare([]() { return (size_t)3; }, along_axes);
        else if (channels == 4) compare([]() { return (size_t)4; }, as_they_are);
        else if (channels == 3) compare([]() { return (size_t)3; }, as_they_are);
        else compare_any();
    });
"""
)


_GIVEN = {
    "images": FLOATS, "targets": FLOATS, "weights": FLOATS, "sharps": FLOATS, "known": FLOATS, "weighted": int,
    "kind": int, "axes": int, "channels": int,
}  # fmt: skip
# The sums of rows of pixels, along axes that of brightness alone, too, and the gradient; and the loss of every pixel.
# Each compiles for seconds, so by itself.
_rows = KernelModule("largesteps_zg.images.losses", torch.float32)
compare_rows = _rows.items(
    "compare_rows",
    COMPARE,
    **_GIVEN,
    trust=FLOATS,
    trusted=int,
    size=int,
    sums=FLOATS,
    bright=FLOATS,
    gradient=FLOATS,
)
_pixels = KernelModule("largesteps_zg.images.pixel_losses", torch.float32)
compare_pixels = _pixels.items("compare_pixels", COMPARE_PIXELS, **_GIVEN, losses=FLOATS)
