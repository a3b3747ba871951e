"""Meshes for other programs: OBJ, GLB, textures."""

from .bake import bake as bake
from .bake import render_textured as render_textured
from .fewer_faces import FewerFaces as FewerFaces
from .fewer_faces import with_fewer_faces as with_fewer_faces
from .files import save_glb as save_glb
from .files import save_obj as save_obj
from .lit import render_lit as render_lit
from .material import Material as Material
from .textured import TexturedMesh as TexturedMesh
