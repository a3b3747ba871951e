"""OpenGL through moderngl: an engine that nobody can differentiate, on a GPU or on Mesa's software driver."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import threading
import weakref
from types import TracebackType
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..cameras.model import Cameras
from .black_box import BlackBox, Pictures, check_scene
from .opengl_canvas import Canvas

INSTALL = "pip install moderngl"
# The process that first used OpenGL: a driver's threads and locks do not survive a fork.
_first_process: int | None = None


class OpenGL(BlackBox):
    """Colours, triangle ids and depth from one pass of an OpenGL 3.3 engine, without a window.

    Parameters
    ----------
    near : float
        Nothing nearer to the camera is drawn, > 0, in the world's units.

    Attributes
    ----------
    device : str
        The driver's name for what draws, "llvmpipe (...)" for Mesa's software; asking makes the context.

    Raises
    ------
    ImportError
        moderngl is not installed. On first use, not at construction; tells how to install it.
    RuntimeError
        No OpenGL here, or too old, or the process was forked from one that had used it already; tells what to do.

    Notes
    -----
    Images go to the device of the vertices, over the CPU. The arithmetic is float32 whatever the vertices are; both
    sides of a triangle are drawn; of triangles at equal depth the lowest index wins. The picture differs from
    `HardRasterizer`'s at pixels whose centre lies on an edge, because engines round vertices to a fraction of a pixel
    (1/256 usually).

    The context is made on first use, kept, and freed with the object, or by `release`, or at the end of a `with`. Calls
    from several threads take turns; for work side by side use processes, to which the object can be sent: the context
    stays behind. Processes must not be *forked* from one that has drawn
    (`mp_context=multiprocessing.get_context("spawn")`).

    GLCONTEXT_DEVICE_INDEX chooses among several devices, see docs/renderers.md. Memory: 28 bytes a pixel of at most 8
    million at a time, whatever the number of views.
    """

    def __init__(self, *, near: float = 1e-3) -> None:
        if not near > 0:
            raise ValueError(f"near: expected a positive depth, got {near}")
        self.near = near
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._canvas: Canvas | None = None
        self._finalizer: weakref.finalize | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"near": self.near}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.near = state["near"]
        self._reset()

    def __enter__(self) -> OpenGL:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Free the context and all that belongs to it; the next call makes another."""
        with self._lock:
            if self._finalizer is not None:
                self._finalizer()
            self._canvas = self._finalizer = None

    @property
    def device(self) -> str:
        """What draws, in the driver's words."""
        with self._lock:
            return self._ready().device

    def __call__(
        self,
        vertices: Float[Tensor, "V 3"] | Float[Tensor, "B V 3"],
        faces: Int[Tensor, "F 3"],
        colors: Float[Tensor, "V 3"] | Float[Tensor, "B V 3"],
        cameras: Cameras,
    ) -> Pictures:
        """Pictures of a mesh with a colour at each vertex; see `BlackBox`."""
        check_scene(vertices, faces, colors, cameras)
        views, height, width = len(cameras), cameras.height, cameras.width
        matrices = cameras.intrinsics @ cameras.world_to_camera[:, :3]  # (B, 3, 4)
        images = torch.empty(views, height, width, 4)
        triangles = torch.empty(views, height, width, dtype=torch.int32)
        depth = torch.empty(views, height, width)
        mesh = (_on_cpu(vertices), _on_cpu(faces, torch.int32), _on_cpu(colors), _on_cpu(matrices))
        with self._lock:
            canvas = self._ready()
            try:
                canvas.draw(*mesh, self.near, images, triangles, depth)
            except canvas.errors as error:
                raise RuntimeError(f"renderer: OpenGL failed on {canvas.device}: {error}") from error
        images, triangles, depth = (t.to(vertices.device) for t in (images, triangles, depth))
        return Pictures(images, triangles, depth)

    def _ready(self) -> Canvas:
        """The canvas of this process, made on first use."""
        global _first_process
        if _first_process not in (None, os.getpid()):
            raise RuntimeError(
                "renderer: this process was forked from one that had already used OpenGL, whose driver does not "
                "survive that; start workers with multiprocessing.get_context('spawn')"
            )
        if self._canvas is None:
            context = make_context()
            _first_process = os.getpid()
            self._finalizer = weakref.finalize(self, _free, context, os.getpid())
            self._canvas = Canvas(context)
        return self._canvas


def _free(context: Any, process: int) -> None:
    if process == os.getpid():  # a forked copy owns nothing
        context.release()


def _on_cpu(tensor: Tensor, dtype: torch.dtype = torch.float32) -> Any:
    return tensor.detach().to(device="cpu", dtype=dtype).contiguous().numpy()


def make_context() -> Any:
    """A moderngl context without a window, EGL's on Linux, the system's own elsewhere; current in this thread.

    Raises
    ------
    ImportError
        moderngl is not installed.
    RuntimeError
        There is no usable OpenGL.
    """
    try:
        import moderngl
    except ImportError as error:
        raise ImportError(f"renderer: opengl needs moderngl ({error}); {INSTALL}") from error
    linux = sys.platform.startswith("linux")
    settings: dict[str, Any] = {"backend": "egl"} if linux else {}
    if linux and importlib.util.find_spec("triton") is not None:
        # Mesa's software driver shows the names of its LLVM to all that is loaded later. The LLVM in triton, which
        # torch's compiler and transforms load, would bind to them, and the process would die: so it comes first.
        with contextlib.suppress(Exception):
            importlib.import_module("triton")
    try:
        context = moderngl.create_context(standalone=True, require=330, **settings)
    except Exception as error:  # whatever the system's loader and driver have to say
        cause = " ".join(str(error).split()) or type(error).__name__
        cure = "Debian: apt-get install libegl1 libgl1 libgl1-mesa-dri; see docs/renderers.md"
        raise RuntimeError(
            f"renderer: no OpenGL 3.3 {'through EGL ' if linux else ''}here ({cause})"
            + (f"; {cure}" if linux else "")
        ) from error
    return context
