"""Which texture a run makes: its size, and whether it keeps the start mesh's layout or makes a new one."""

from __future__ import annotations

from dataclasses import dataclass

from ...constants import DEFAULTS, Texture
from ...mesh.texture_layout import Layout
from .layout_use import covered, overlap


@dataclass(frozen=True)
class TextureChoice:
    """The texture of mesh.obj and mesh.glb.

    Attributes
    ----------
    wanted : bool
        Whether to make a texture; False for colours at the vertices.
    size : int or None
        Texels along each side; None for as many as the images resolve.
    layout : Layout, optional
        The start mesh's layout; a new one by default.
    faces : int or None
        To decimate to; None for all.
    """

    wanted: bool = False
    size: int | None = None
    layout: Layout | None = None
    faces: int | None = None


def choose_texture(
    asked: str | int | None,
    layout: Layout | None,
    *,
    keeps_faces: bool,
    fault: str = "",
    faces: int | None = None,
    constants: Texture = DEFAULTS.texture,
) -> tuple[TextureChoice, list[str]]:
    """The texture for a start mesh.

    Parameters
    ----------
    asked : {"off", "auto", None} or int
        None (the user chose nothing) means "auto" for a mesh with a layout that is not remeshed, and "off" otherwise.
    layout : Layout, optional
        The start mesh's layout.
    keeps_faces : bool
        Whether the result keeps the faces of the start mesh, because the run does not remesh.
    fault : str
        Why the start mesh has no layout although its file has texture coordinates, or "".
    faces : int, optional
        To decimate to, which takes a texture, and a new layout.
    constants : Texture, optional

    Returns
    -------
    choice : TextureChoice
    notes : list of str
        Phrases that say what becomes of the layout.
    """
    size = asked if isinstance(asked, int) else None
    if asked == "off":
        return TextureChoice(), []
    plain = TextureChoice(wanted=asked is not None or faces is not None, size=size, faces=faces)
    if faces is not None:
        kept = keeps_faces and layout is not None and not layout.obstacle
        return plain, ["texture layout not kept: fewer faces get a new one"] if kept else []
    if not keeps_faces:
        lost = layout is not None and not layout.obstacle
        return plain, ["texture layout lost in remeshing; --remesh off keeps it"] if lost else []
    if layout is None:
        return plain, [f"texture coordinates left out: {fault}"] if fault else []
    texels = size
    if size is None and layout.size is not None and layout.size >= constants.palette:
        texels = min(layout.size, constants.largest)
    obstacle = layout.obstacle
    side = texels or constants.smallest  # `bake` chooses no smaller size
    if not obstacle and covered(layout, side) == 0:
        obstacle = f"it lies between {side} x {side} texels"
    if obstacle:
        return TextureChoice(True, size), [f"texture layout not kept: {obstacle}; a new one is made"]
    note, shared = "texture layout kept", overlap(layout)
    if shared > constants.shared:
        note += f"; {shared:.0%} of it lies on other parts of it, which share their colours"
    return TextureChoice(True, texels, layout), [note]
