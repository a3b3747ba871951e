"""Pictures that Mitsuba 3 path-traces on the CPU, and the parts that its scenes share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Dictionary = dict[str, Any]


def mitsuba(variant: str = "scalar_rgb") -> Any:
    """The module, set to a variant; ImportError says what to install."""
    try:
        import mitsuba as mi
    except ImportError as error:
        raise ImportError(f"{error}; expected Mitsuba: pip install 'largesteps_zg[papers]'") from error
    mi.set_variant(variant)
    mi.set_log_level(mi.LogLevel.Error)
    mi.logger().clear_appenders()  # progress bars; errors are exceptions all the same
    return mi


@dataclass(frozen=True)
class PathTraced:
    """A black box: a scene of parameters, rendered with a seed and so many samples a pixel.

    Each call builds the scene anew, in 0.2 to 10 ms, and remembers nothing. `moved` says how a scene that was built
    with parameters of zero follows others: new values of Mitsuba's own parameters, for `own_derivative` alone.
    """

    scene: Callable[[Any, Sequence[float]], Dictionary]
    moved: Callable[[Any, Sequence[Any], Mapping[str, Any]], Dictionary]

    def __call__(
        self, parameters: Sequence[float], seed: int, samples: int, scale: int = 1
    ) -> NDArray[np.float32]:
        """Linear colours, (H, W, 3); `scale` gives as many times the pixels in each direction."""
        mi = mitsuba()
        described = self.scene(mi, parameters)
        film = described["sensor"]["film"]
        film |= {name: value * scale for name, value in film.items() if isinstance(value, int)}
        scene = mi.load_dict({"type": "scene"} | described, parallel=False)
        return np.array(mi.render(scene, seed=seed, spp=samples), dtype=np.float32)


def camera(
    mi: Any,
    origin: Sequence[float],
    target: Sequence[float],
    *,
    fov: float,
    size: tuple[int, int] = (64, 48),
    crop: tuple[int, int, int, int] | None = None,
) -> Dictionary:
    """A pinhole with y up; `fov` is the horizontal angle in degrees, `crop` left, top, width, height in pixels."""
    film: Dictionary = {"type": "hdrfilm", "width": size[0], "height": size[1], "rfilter": {"type": "box"}}
    if crop is not None:
        names = ("crop_offset_x", "crop_offset_y", "crop_width", "crop_height")
        film |= dict(zip(names, crop, strict=True))
    return {
        "type": "perspective",
        "fov": fov,
        "fov_axis": "x",
        "to_world": mi.ScalarTransform4f().look_at(list(origin), list(target), [0, 1, 0]),
        "film": film,
        "sampler": {"type": "independent"},
    }


def color(red: float, green: float, blue: float) -> Dictionary:
    """An RGB value."""
    return {"type": "rgb", "value": [red, green, blue]}


def diffuse(red: float, green: float, blue: float) -> Dictionary:
    """A matte material, on both sides."""
    return {"type": "twosided", "bsdf": {"type": "diffuse", "reflectance": color(red, green, blue)}}


def sky(red: float, green: float, blue: float) -> Dictionary:
    """The same light from everywhere."""
    return {"type": "constant", "radiance": color(red, green, blue)}


def wall(
    mi: Any, center: Sequence[float], normal: Sequence[float], size: float, material: Dictionary
) -> Dictionary:
    """A square with sides of 2 `size`."""
    up = [0, 0, 1] if normal[1] else [0, 1, 0]
    seen = [c + n for c, n in zip(center, normal, strict=True)]
    placed = mi.ScalarTransform4f().look_at(list(center), seen, up).scale(size)
    return {"type": "rectangle", "to_world": placed, "bsdf": material}


def path(edges: int) -> Dictionary:
    """Path tracing with at most so many edges."""
    return {"type": "path", "max_depth": edges}


def turned(mi: Any, positions: Any, angle: Any, center: tuple[float, float] = (0.0, 0.0)) -> Any:
    """A mesh's positions, turned about the upright axis through (x, z), as Mitsuba's ``rotate`` does."""
    import drjit as dr

    points = dr.unravel(mi.Point3f, positions)
    x, z = points.x - center[0], points.z - center[1]
    sine, cosine = dr.sincos(angle)
    return dr.ravel(
        mi.Point3f(center[0] + cosine * x + sine * z, points.y, center[1] + cosine * z - sine * x)
    )
