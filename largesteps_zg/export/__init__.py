"""The result for other programs: OBJ, GLB, and a texture baked from the photographs."""

from .files import save_glb as save_glb
from .files import save_obj as save_obj
from .texture import bake as bake
from .texture import render_textured as render_textured
from .textured import TexturedMesh as TexturedMesh
from .upright import up_direction as up_direction
