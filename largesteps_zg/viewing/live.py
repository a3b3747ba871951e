"""A run as it goes on, in the browser: its surface, loss and photographs; stopping; and the recording of it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from .._support.atomic import atomic_path
from ..mesh.mesh import Mesh
from ..output.pictures.drawing import running_mean
from ..output.report.surface import thinned
from ..output.seen import residuals
from ..reconstruct.loop import Reconstruction, State
from ..scenes.up import up_direction
from ..scenes.views import Scene
from .frames import CLAY, ERROR, Kept, Surface, error_mark
from .server import PORT, address, close, open_server
from .stage import Photographs, Stage

SHARE = 0.01  # of the run's time, for what is shown; what the server does beside it is half as much
ERROR_VIEWS = 4
RECORDED = 12_000  # vertices of a recorded surface
SECONDS = 0.2  # between recorded surfaces


class LiveView:
    """Shows a run. It takes a small share of the run's time: where showing takes longer, it shows less often.

    Parameters
    ----------
    scene : Scene
    run : Reconstruction
    port : int
        See `open_server`.

    Raises
    ------
    ImportError
        See `open_server`.
    """

    def __init__(self, scene: Scene, run: Reconstruction, *, port: int = PORT) -> None:
        self.server = open_server(port)
        self.kept, self.spent, self.asked_to_stop = Kept(), 0.0, False
        self.run = run
        up = up_direction(scene, run.settings.advanced.correcting)[0]
        photographs = Photographs(run.views, run.frame.normalized(run.views.cameras).to("cpu"))
        gui = self.server.gui
        self.told = gui.add_markdown("preparing")
        self.stage = Stage(self.server, up=up, photographs=photographs, offered=(ERROR,))
        self.slider = gui.add_slider("Time", 0, 1, 1, initial_value=1)
        self.slider.on_update(lambda event: None if event.client is None else self._show())
        self.plot = loss_plot(gui)
        gui.add_button("Stop and save").on_click(lambda _: self._stop())
        self.started = time.perf_counter()

    @property
    def address(self) -> str:
        """Where to look."""
        return address(self.server)

    def watch(self, state: State) -> None:
        """Show a state, if that does not take too much of the run's time; stop the run, if that was asked for.

        To be called in the main thread.
        """
        if self.asked_to_stop:
            self.asked_to_stop = False
            signal.raise_signal(signal.SIGINT)  # as Ctrl-C does
        began = time.perf_counter()
        if self.spent > SHARE * (began - self.started):
            return
        self._take(state)
        self.spent += time.perf_counter() - began

    def _take(self, state: State) -> None:
        mesh = state.run.fit.mesh()
        marks = {}
        if self.stage.kind.value == ERROR:
            marks = {ERROR: error_mark(vertex_errors(state.run, mesh))}
        following = self.slider.value == self.slider.max
        surface = Surface.of(mesh, marks=marks, step=state.step)
        if not self.kept.add(surface):
            self.kept.surfaces[-1] = surface
        self.slider.max = max(1, len(self.kept.surfaces) - 1)
        if following:
            self.slider.value = self.slider.max
            self._show()
        losses = np.array(state.run.losses)
        few = np.unique(np.linspace(0, len(losses) - 1, min(len(losses), 200)).astype(int))
        if len(few) > 1:
            self.plot.data = (few + 1.0, running_mean(losses)[few])

    def _show(self) -> None:
        """The surface that the slider points at."""
        if not self.kept.surfaces:
            return
        surface = self.kept.surfaces[min(self.slider.value, len(self.kept.surfaces) - 1)]
        self.told.content = f"step {surface.step:,} of {self.run.steps:,}, {len(surface.vertices):,} vertices"
        self.stage.show(surface)

    def _stop(self) -> None:
        self.asked_to_stop = True

    def record(self, path: str | os.PathLike[str]) -> None:
        """Write the surfaces so far, one after the other, as a page that plays in a browser without a server.

        Surfaces of more than `RECORDED` vertices are thinned. The file appears whole or not at all.
        """
        self.stage.leave()
        self.stage.show_cameras(False)  # they would stand before it
        record(self.server, self.kept.surfaces, path)
        self.stage.show_cameras(True)

    def close(self) -> None:
        """No more is shown."""
        close(self.server)


def record(server: Any, surfaces: list[Surface], path: str | os.PathLike[str]) -> None:
    """Write surfaces as a page that plays them, with what else a server's scene holds; see `LiveView.record`."""
    server.scene.remove_by_name("/surface")
    serializer = server.get_scene_serializer()
    handle, faces = None, None
    for surface in surfaces:
        vertices, triangles = surface.vertices.astype(np.float64), surface.faces
        if len(vertices) > RECORDED:
            vertices, triangles, _ = thinned(vertices, triangles, None, RECORDED)
        if handle is None or faces is None or not np.array_equal(faces, triangles):
            handle = server.scene.add_mesh_simple(
                "/surface", vertices, triangles, color=CLAY, flat_shading=True, side="double"
            )
        else:
            handle.vertices = vertices.astype(np.float32)
        faces = triangles
        serializer.insert_sleep(SECONDS)
    serializer.insert_sleep(5 * SECONDS)
    with atomic_path(Path(path)) as part:
        part.write_text(serializer.as_html(), encoding="utf-8")


def vertex_errors(run: Reconstruction, mesh: Mesh) -> np.ndarray:
    """(V,) float32: `residuals` of some photographs that are spread over all; NaN where none of them sees a vertex."""
    chosen = np.unique(np.linspace(0, len(run.views) - 1, ERROR_VIEWS).astype(int)).tolist()
    views = run.views[chosen]
    cameras = run.frame.normalized(views.cameras).to("cpu")
    surface = Mesh(mesh.vertices.cpu(), mesh.faces.cpu())
    return residuals(surface, views, cameras, lambda i: run.images(views.cameras[i])[0])[1].numpy()


def loss_plot(gui: Any) -> Any:
    """An empty plot of viser, of the loss against steps."""
    line = {"label": "loss", "stroke": "#0072b2", "width": 2}
    # By default across are dates. Down are powers of ten.
    scales = {"x": {"time": False}, "y": {"distr": 3}}
    return gui.add_uplot(
        (np.arange(2.0), np.ones(2)), ({"label": "step"}, line), scales=scales, title="loss", aspect=1.6
    )
