"""A scene in the browser: photographs at their cameras, points, surfaces, and what can be chosen of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..cameras.model import Cameras
from ..output.pictures.drawing import error_colors
from ..output.report.filling import error_ramp
from ..scenes.views import Views
from .frames import KINDS, UNKNOWN, Mark, Surface, draw

THUMBNAIL, LARGE = 128, 1024  # pixels, the longer side of a photograph at its camera, and behind the surface
NEAR = 2.6  # radii of the object from its middle: all of it, beside the panel, at an angle of 75 degrees
BEHIND = 1.5  # radii of the object behind its middle, where a photograph stands


@dataclass(frozen=True)
class Photographs:
    """Photographs and cameras in the coordinates of a view.

    Attributes
    ----------
    views : Views
        The photographs.
    cameras : Cameras
        Theirs, moved so that the object lies in the unit sphere.
    """

    views: Views
    cameras: Cameras

    def image(self, index: int, side: int) -> NDArray[np.uint8]:
        """(h, w, 3): a photograph whose longer side has no more than `side` pixels."""
        picture = Image.fromarray(self.views.images[index, ..., :3].cpu().numpy())
        picture.thumbnail((side, side))
        return np.asarray(picture)


class Stage:
    """What a page of viser shows.

    Parameters
    ----------
    server : viser.ViserServer
    up : (3,) float tensor
        The direction of up.
    photographs : Photographs, optional
    offered : tuple of str
        Marks that can be chosen although not every surface has them; others are shown by their colours.
    """

    def __init__(
        self,
        server: Any,
        *,
        up: Float[Tensor, "3"],
        photographs: Photographs | None = None,
        offered: tuple[str, ...] = (),
    ) -> None:
        self.server, self.photographs, self.offered = server, photographs, offered
        self.surface: Surface | None = None
        self.up = up.double().cpu()
        self._frustums: list[Any] = []
        self._photograph: Any = None
        self._before: tuple[Any, dict[str, Any]] | None = None  # a browser, and where its eye was
        server.scene.set_up_direction(tuple(self.up.tolist()))
        self.kind = server.gui.add_dropdown("Surface", [*KINDS, *offered], initial_value=KINDS[0])
        self.kind.on_update(lambda _: self.redraw())
        self.legend = server.gui.add_html("", visible=False)
        if photographs is not None:
            self._place(photographs)

    def show(self, surface: Surface) -> None:
        """A surface in place of the one before."""
        self.surface = surface
        kinds = list(dict.fromkeys([*KINDS, *self.offered, *surface.marks]))
        if list(self.kind.options) != kinds:
            self.kind.options = kinds
        self.redraw()

    def redraw(self) -> None:
        """The surface as it was chosen to be shown."""
        if self.surface is not None:
            mark = self.surface.marks.get(self.kind.value)
            waiting = mark is None and self.kind.value in self.offered
            self.legend.visible = mark is not None or waiting
            if mark is not None:
                self.legend.content = legend(mark)
            elif waiting:
                self.legend.content = (
                    '<div style="padding:0 .75em;font-size:.8em">with the next surface</div>'
                )
            draw(self.server.scene, "/surface", self.surface, self.kind.value, error_colors)

    def add_points(self, name: str, points: NDArray[np.floating], colors: NDArray[np.uint8]) -> None:
        """Points with sRGB colours, and a box to hide them."""
        cloud = self.server.scene.add_point_cloud(
            f"/{name}", np.asarray(points, dtype=np.float32), colors, point_size=0.006
        )
        self._hideable(name, [cloud], shown=True)

    def add_surface(self, name: str, surface: Surface) -> None:
        """Another surface, half transparent, and a box to show it."""
        handle = self.server.scene.add_mesh_simple(
            f"/{name}", surface.vertices, surface.faces, color=(90, 140, 220), opacity=0.5, side="double",
            visible=False,
        )  # fmt: skip
        self._hideable(name, [handle], shown=False)

    def _hideable(self, name: str, handles: list[Any], *, shown: bool) -> None:
        box = self.server.gui.add_checkbox(name.capitalize(), initial_value=shown)

        @box.on_update
        def _(_: Any) -> None:
            for handle in handles:
                handle.visible = box.value

    def _place(self, photographs: Photographs) -> None:
        """A frustum for each camera, with its photograph; a click looks through it."""
        cameras = photographs.cameras.to("cpu", torch.float64)
        size = 0.07 * float(cameras.centers.norm(dim=1).median())
        for i in range(len(cameras)):
            wxyz, position = pose(cameras, i)
            handle = self.server.scene.add_camera_frustum(
                f"/cameras/{i:04d}", fov=height_angle(cameras, i), aspect=cameras.width / cameras.height, scale=size,
                image=photographs.image(i, THUMBNAIL), wxyz=wxyz, position=position, color=(70, 70, 76),
                thickness=0.01 * size,
            )  # fmt: skip
            handle.on_click(lambda event, i=i: self.look_through(i, event.client))
            self._frustums.append(handle)
        self.server.initial_camera.position = tuple(first_eye(cameras, self.up).tolist())
        self.server.initial_camera.look_at = (0.0, 0.0, 0.0)
        self._hideable("cameras", self._frustums, shown=True)
        self.leaving = self.server.gui.add_button("Leave the photograph", visible=False)
        self.leaving.on_click(lambda _: self.leave())

    def look_through(self, index: int, client: Any) -> None:
        """Put a browser's eye at a camera, and its photograph behind the surface."""
        assert self.photographs is not None
        cameras = self.photographs.cameras.to("cpu", torch.float64)
        wxyz, position = pose(cameras, index)
        away = float(np.linalg.norm(position)) + BEHIND
        center, width, height = behind(cameras, index, away)
        self.leave()
        eye = {name: getattr(client.camera, name) for name in ("position", "look_at", "up_direction", "fov")}
        self._before = (client, eye)
        image = self.photographs.image(index, LARGE)
        self._photograph = self.server.scene.add_image(
            "/photograph", image, width, height, wxyz=wxyz, position=center
        )
        self.show_cameras(False)
        self.leaving.visible = True
        with client.atomic():
            client.camera.wxyz, client.camera.position = wxyz, position
            client.camera.fov = height_angle(cameras, index)

    def leave(self) -> None:
        """Take the photograph away again, and put the eye back to where it was."""
        if self._before is not None:
            # At the camera its small photograph would fill the picture.
            (client, eye), self._before = self._before, None
            with client.atomic():
                for name, value in eye.items():
                    setattr(client.camera, name, value)
        if self._photograph is not None:
            self._photograph.remove()
            self._photograph = None
            self.leaving.visible = False
            self.show_cameras(True)

    def show_cameras(self, shown: bool) -> None:
        """All of them, or none."""
        for frustum in self._frustums:
            frustum.visible = shown


def first_eye(cameras: Cameras, up: Float[Tensor, "3"]) -> Float[Tensor, "3"]:
    """Where a browser looks from at first: the side of the camera that looks down by about 20 degrees, and nearer.

    At the camera itself its photograph would hide the object, and the unit sphere would not fill the picture.
    """
    away = cameras.centers.norm(dim=1)
    height = (cameras.centers @ up) / away / up.norm()
    chosen = int((height - math.sin(math.radians(20))).abs().argmin())
    eye: Tensor = cameras.centers[chosen] / away[chosen] * min(NEAR, 0.8 * float(away[chosen]))
    return eye


def legend(mark: Mark) -> str:
    """The colours of a mark and what they stand for, as HTML."""
    gray = "rgb({},{},{})".format(*UNKNOWN)
    last = f"{mark.top:g}" if mark.top >= 1 else f"≥ {mark.top:g}"
    unknown = f'<span style="color:{gray}">■</span> not seen' if not np.isfinite(mark.values).all() else ""
    return (
        f'<div style="padding:0 .75em;font-size:.8em"><div style="height:.7em;border-radius:3px;'
        f'background:linear-gradient(to right,{error_ramp()})"></div>'
        f'<div style="display:flex;justify-content:space-between"><span>0</span>{unknown}<span>{last}</span></div>'
        f"{mark.told}</div>"
    )


def pose(cameras: Cameras, index: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A camera's turn as a quaternion (w, x, y, z), from its axes to the world's, and its centre."""
    from scipy.spatial.transform import Rotation

    turn = cameras.world_to_camera[index, :3, :3].double().cpu().numpy().T
    x, y, z, w = Rotation.from_matrix(turn).as_quat()
    return np.array([w, x, y, z]), cameras.centers[index].double().cpu().numpy()


def height_angle(cameras: Cameras, index: int) -> float:
    """The angle between the lowest and the highest row, in radians, as if the principal point were in the middle."""
    return 2 * math.atan(0.5 * cameras.height / float(cameras.intrinsics[index, 1, 1]))


def behind(cameras: Cameras, index: int, away: float) -> tuple[NDArray[np.float64], float, float]:
    """Where an image has to stand so that it is what the camera sees: its centre, width and height.

    The plane lies `away` in front of the camera. A principal point beside the middle moves it sideways.
    """
    k = cameras.intrinsics[index].double().cpu().numpy()
    middle = np.array([0.5 * cameras.width, 0.5 * cameras.height, 1.0])
    ray = np.linalg.solve(k, middle) * away
    to_world = cameras.world_to_camera[index, :3, :3].double().cpu().numpy().T
    center = cameras.centers[index].double().cpu().numpy() + to_world @ ray
    return center, float(cameras.width * away / k[0, 0]), float(cameras.height * away / k[1, 1])
