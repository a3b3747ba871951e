"""What a user sees: three operators, a panel in the sidebar, and entries in the menus of the file."""

# No `from __future__ import annotations` here: Blender reads properties from annotations as they are.
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from .exporting import export_scene
from .importing import import_folder, look_through


def _folder(given: str) -> Path:
    """The folder that was chosen, or typed."""
    if not given.strip():
        raise ValueError("folder: none was chosen; give its name")
    return Path(bpy.path.abspath(given))


def _told(operator: bpy.types.Operator, work: Callable[[], str]) -> set[str]:
    """Do it, and say in one line what was done or what is wrong."""
    try:
        operator.report({"INFO"}, work())
    except (OSError, ValueError, RuntimeError) as error:
        operator.report({"ERROR"}, " ".join(str(error).split()))
        return {"CANCELLED"}
    return {"FINISHED"}


class LARGESTEPS_OT_export(bpy.types.Operator):
    """Render the scene from its cameras, as a folder that largesteps-zg reconstruct reads"""

    bl_idname = "largesteps.export_scene"
    bl_label = "Export Scene for Large Steps"

    filepath: StringProperty(name="Folder", description="A new folder", subtype="DIR_PATH")
    cameras: EnumProperty(
        name="Cameras",
        items=[
            ("ALL", "All Cameras", "All cameras of the scene, at the current frame"),
            ("SELECTED", "Selected Cameras", "At the current frame"),
            ("ANIMATION", "Animation", "The scene's camera, at each frame of the animation"),
        ],
    )
    only_selected: BoolProperty(
        name="Selected Objects Alone", description="Without floor, walls and other objects"
    )
    with_mesh: BoolProperty(
        name="True Surface", description="Write mesh.obj, which results are then compared with"
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.filepath = self.filepath or str(Path(bpy.data.filepath).with_suffix("").name or "scene")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        options = {"which": self.cameras, "only_selected": self.only_selected, "with_mesh": self.with_mesh}
        return _told(self, lambda: export_scene(context, _folder(self.filepath), **options))


class LARGESTEPS_OT_import(bpy.types.Operator):
    """Open the folder of a run or a scene: the surface with its material, the cameras with their photographs"""

    bl_idname = "largesteps.import_result"
    bl_label = "Import Large Steps Result"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    filepath: StringProperty(name="Folder", description="Of a run or a scene", subtype="DIR_PATH")
    with_pictures: BoolProperty(name="Photographs", description="Behind what the cameras see", default=True)
    standard_view: BoolProperty(
        name="Standard View",
        description="Show colours as they were photographed (View Transform: Standard, not AgX)",
        default=True,
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        options = {"with_pictures": self.with_pictures, "standard_view": self.standard_view}

        def work() -> str:
            chosen = _folder(self.filepath)  # or a file in it
            return import_folder(context, chosen.parent if chosen.is_file() else chosen, **options)

        return _told(self, work)


class LARGESTEPS_OT_look(bpy.types.Operator):
    """Look through the active camera, with the size and the pixels of its photograph"""

    bl_idname = "largesteps.look_through"
    bl_label = "Look Through Camera"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        camera = context.active_object

        def work() -> str:
            look_through(context, camera)
            return camera.name

        return _told(self, work)


class LARGESTEPS_PT_panel(bpy.types.Panel):
    """In the sidebar of the 3D viewport."""

    bl_label = "Large Steps"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Large Steps"

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column()
        column.operator(LARGESTEPS_OT_export.bl_idname, text="Export Scene…", icon="RENDER_STILL")
        column.operator(LARGESTEPS_OT_import.bl_idname, text="Import Result…", icon="IMPORT")
        column.separator()
        column.operator(LARGESTEPS_OT_look.bl_idname, icon="VIEW_CAMERA")


def _export_entry(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    menu.layout.operator(LARGESTEPS_OT_export.bl_idname, text="Large Steps scene (pictures, cameras)")


def _import_entry(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    menu.layout.operator(LARGESTEPS_OT_import.bl_idname, text="Large Steps result (folder)")


CLASSES = (LARGESTEPS_OT_export, LARGESTEPS_OT_import, LARGESTEPS_OT_look, LARGESTEPS_PT_panel)


def register() -> None:
    """Make it known to Blender."""
    for each in CLASSES:
        bpy.utils.register_class(each)
    bpy.types.TOPBAR_MT_file_export.append(_export_entry)
    bpy.types.TOPBAR_MT_file_import.append(_import_entry)


def unregister() -> None:
    """Take it back."""
    bpy.types.TOPBAR_MT_file_import.remove(_import_entry)
    bpy.types.TOPBAR_MT_file_export.remove(_export_entry)
    for each in reversed(CLASSES):
        bpy.utils.unregister_class(each)
