"""Cube maps in C++: from a direction to a face and back, and the texels beyond a face's border.

Faces come in OpenGL's order: +x, -x, +y, -y, +z, -z. Face 2 k + (1 if negative) looks along axis k; `s` runs along its
columns and `t` along its rows (OpenGL 4.6, table 8.19):

    face   +x  -x  +y  -y  +z  -z
    s      -z  +z  +x  +x  +x  -x
    t      -y  -y  +z  -z  -y  -y
"""

from __future__ import annotations

# For a face: the axes that s and t run along, and whether forwards or backwards.
AXES = """
    struct Axes { int m, s, t, sign, s_sign, t_sign; };
    const auto axes_of = [](int face) {
        const int m = face >> 1, sign = face & 1 ? -1 : 1;
        return Axes{m, m == 0 ? 2 : 0, m == 1 ? 2 : 1, sign, m == 0 ? -sign : m == 1 ? 1 : sign, m == 1 ? sign : -1};
    };
    const auto face_of = [](real x, real y, real z) {
        const real ax = wp::abs(x), ay = wp::abs(y), az = wp::abs(z);
        const int m = ax >= ay && ax >= az ? 0 : ay >= az ? 1 : 2;
        return 2 * m + ((m == 0 ? x : m == 1 ? y : z) < 0);
    };
"""

# The number of texel (x, y) of a face of n by n texels among those of all faces, where one of the two is one step
# outside: the neighbouring face is folded down, and its row at the common edge is met. In half texels from the middle.
BEYOND = """
    const auto beyond = [&](int face, int n, int x, int y) {
        const Axes from = axes_of(face);
        const bool along_s = x < 0 || x >= n;
        int v[3];
        v[from.m] = from.sign * (n - 1);
        v[from.s] = from.s_sign * (along_s ? (x < 0 ? -n : n) : 2 * x + 1 - n);
        v[from.t] = from.t_sign * (along_s ? 2 * y + 1 - n : (y < 0 ? -n : n));
        const int m = along_s ? from.s : from.t, other = 2 * m + (v[m] < 0);
        const Axes to = axes_of(other);
        return (other * n + (to.t_sign * v[to.t] + n - 1) / 2) * n + (to.s_sign * v[to.s] + n - 1) / 2;
    };
"""

# Where a direction meets its face: (s, t) in [0, 1], and the footprint there where it is given in x, y and z.
ENTER = """
        const real* p = uv.data + (size_t)pixel * 3;
        const int face = face_of(p[0], p[1], p[2]);
        const Axes axes = axes_of(face);
        const real q = real(1) / wp::abs(p[axes.m]);
        const real a = axes.s_sign * p[axes.s] * q, b = axes.t_sign * p[axes.t] * q;
        const bool valid = q - q == 0 && a - a == 0 && b - b == 0;  // finite
        const real s = real(0.5) * a + real(0.5), t = real(0.5) * b + real(0.5);
        real sx = 0, sy = 0, tx = 0, ty = 0, mx = 0, my = 0;
        if (has_footprint) {
            const real* d = footprints.data + (size_t)pixel * 6;
            mx = axes.sign * d[2 * axes.m];
            my = axes.sign * d[2 * axes.m + 1];
            sx = real(0.5) * q * (axes.s_sign * d[2 * axes.s] - a * mx);
            sy = real(0.5) * q * (axes.s_sign * d[2 * axes.s + 1] - a * my);
            tx = real(0.5) * q * (axes.t_sign * d[2 * axes.t] - b * mx);
            ty = real(0.5) * q * (axes.t_sign * d[2 * axes.t + 1] - b * my);
        }
"""

# Derivatives by (s, t) and by the footprint on the face become those by the direction and the footprint in x, y, z.
LEAVE = """
        const real half = real(0.5) * q;
        real ga = real(0.5) * gs, gb = real(0.5) * gt, gq = 0;
        if (gain != 0) {  // otherwise the footprint may be infinite
            ga -= half * (mx * gsx + my * gsy);
            gb -= half * (mx * gtx + my * gty);
            gq = (sx * gsx + sy * gsy + tx * gtx + ty * gty) / q;
        }
        if (has_footprint) {
            real* d = grad_footprints.data + (size_t)pixel * 6;
            d[2 * axes.s] = axes.s_sign * half * gsx;
            d[2 * axes.s + 1] = axes.s_sign * half * gsy;
            d[2 * axes.t] = axes.t_sign * half * gtx;
            d[2 * axes.t + 1] = axes.t_sign * half * gty;
            d[2 * axes.m] = -axes.sign * half * (a * gsx + b * gtx);
            d[2 * axes.m + 1] = -axes.sign * half * (a * gsy + b * gty);
        }
        real* g = grad_uv.data + (size_t)pixel * 3;
        g[axes.s] = axes.s_sign * q * ga;
        g[axes.t] = axes.t_sign * q * gb;
        // s = sign v / |m|, and q = 1 / |m|.
        g[axes.m] = -axes.sign * q * (q * gq + a * ga + b * gb);
"""
