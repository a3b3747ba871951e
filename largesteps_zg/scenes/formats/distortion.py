"""Coefficients of distortion in JSON files: each in a field of its own, or all in one list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .fields import kind, number

DISTORTION = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2")
_OPENCV = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
# Names of lists, and the order in them: nerfstudio's own, then that of OpenCV's vectors.
LISTS = {
    "distortion_params": ("k1", "k2", "k3", "k4", "p1", "p2"),
    **dict.fromkeys(
        ("distortion_coefficients", "distortion_coeffs", "dist_coeffs", "distortion", "dist"), _OPENCV
    ),
}


def distortion(
    own: Mapping[str, Any], shared: Mapping[str, Any], where: str, *, fisheye: bool
) -> tuple[float, ...]:
    """k1 to k6, p1 and p2, 0 where none is given; what the frame says goes before what all frames share.

    Raises
    ------
    ValueError
        No numbers, a list that is too long, or a coefficient that a list and a field say differently.
    """
    given = {**_given(shared, where, fisheye=fisheye), **_given(own, where, fisheye=fisheye)}
    return tuple(given.get(key, 0.0) for key in DISTORTION)


def _given(fields: Mapping[str, Any], where: str, *, fisheye: bool) -> dict[str, float]:
    """Those that one object gives, in fields or in a list."""
    given = {key: number(fields, key, where) for key in DISTORTION if fields.get(key) is not None}
    for name, order in LISTS.items():
        if fields.get(name) is None:
            continue
        order = DISTORTION[:4] if fisheye and order is _OPENCV else order  # cv2.fisheye has k1 to k4
        for key, value in _listed(fields[name], name, order, where).items():
            if given.setdefault(key, value) != value:
                raise ValueError(
                    f"{where}: {name} says {value:g} for {key}, but {key} is {given[key]:g}; keep one of them"
                )
    return given


def _listed(values: Any, name: str, order: tuple[str, ...], where: str) -> dict[str, float]:
    """Those of a list, which may itself be the one row of a matrix, as OpenCV writes it."""
    if isinstance(values, list) and len(values) == 1 and isinstance(values[0], list):
        values = values[0]
    if (
        isinstance(values, list)
        and values
        and all(isinstance(value, list) and len(value) == 1 for value in values)
    ):
        values = [value[0] for value in values]
    if not isinstance(values, list):
        raise ValueError(f"{where}: expected a list of numbers for {name}, got {kind(values)}")
    found = [number({name: value}, name, where) for value in values]
    if any(found[len(order) :]):
        raise ValueError(
            f"{where}: expected at most {len(order)} coefficients in {name} ({', '.join(order)}), got {len(found)}; "
            "undistort the images first"
        )
    return dict(zip(order, found, strict=False))
