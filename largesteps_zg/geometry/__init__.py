"""Tensors of a triangle mesh: Laplacians, normals, edges, connectivity."""

from .connectivity import Topology as Topology
from .connectivity import check_faces as check_faces
from .connectivity import check_mesh as check_mesh
from .connectivity import check_start_mesh as check_start_mesh
from .connectivity import nonmanifold_vertices as nonmanifold_vertices
from .connectivity import topology as topology
from .connectivity import vertex_components as vertex_components
from .connectivity import weld as weld
from .half_edges import EdgeTopology as EdgeTopology
from .half_edges import HalfEdges as HalfEdges
from .half_edges import edge_faces as edge_faces
from .half_edges import edge_lengths as edge_lengths
from .half_edges import edges as edges
from .half_edges import half_edge_table as half_edge_table
from .half_edges import mean_edge_length as mean_edge_length
from .laplacian import compute_matrix as compute_matrix
from .laplacian import laplacian_cot as laplacian_cot
from .laplacian import laplacian_uniform as laplacian_uniform
from .neighbors import Neighbors as Neighbors
from .normals import face_normals as face_normals
from .normals import vertex_normals as vertex_normals
from .penalties import bilaplacian_loss as bilaplacian_loss
from .penalties import laplacian_loss as laplacian_loss
from .solids import has_inside as has_inside
from .solids import signed_volume as signed_volume
from .solids import surface_area as surface_area
