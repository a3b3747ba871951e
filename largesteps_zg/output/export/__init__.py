"""Meshes for other programs: OBJ, GLB, textures."""

from .bake import bake as bake
from .bake import render_textured as render_textured
from .files import save_glb as save_glb
from .files import save_obj as save_obj
from .textured import TexturedMesh as TexturedMesh
