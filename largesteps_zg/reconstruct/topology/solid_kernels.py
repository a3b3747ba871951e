"""Rays through a surface: columns of nodes inside it, and what is met first."""

# No `from __future__ import annotations` here: Warp reads the annotations of kernels as objects.
import warp as wp


@wp.kernel(enable_backward=False, module="largesteps_zg.reconstruct.topology.solid_kernels")
def columns(
    mesh: wp.uint64,
    starts: wp.array(dtype=wp.vec3),
    cell: wp.float32,
    count: wp.int32,
    inside: wp.array(dtype=wp.bool),
):
    """Whether the surface winds around each node of a column: crossings are counted along a ray upwards."""
    i = wp.tid()
    up = wp.vec3(0.0, 0.0, 1.0)
    node = wp.int32(0)
    height = wp.float32(0.0)
    winding = wp.int32(0)
    while node < count:
        hit = wp.mesh_query_ray(mesh, starts[i] + height * up, up, 1.0e6)
        following = wp.float32(1.0e6)
        if hit.result:
            following = height + hit.t
        while node < count and wp.float32(node) * cell <= following:
            inside[i * count + node] = winding > 0
            node += 1
        winding += wp.where(wp.dot(hit.normal, up) < 0.0, 1, -1)
        height = following + 1.0e-4 * cell


@wp.kernel(enable_backward=False, module="largesteps_zg.reconstruct.topology.solid_kernels")
def rays(
    mesh: wp.uint64,
    starts: wp.array(dtype=wp.vec3),
    direction: wp.vec3,
    faces: wp.array(dtype=wp.int32),
    ways: wp.array(dtype=wp.float32),
):
    """The face that a ray meets first, -1 for none, and how far away that is."""
    i = wp.tid()
    hit = wp.mesh_query_ray(mesh, starts[i], direction, 1.0e6)
    faces[i] = -1
    if hit.result:
        faces[i] = hit.face
        ways[i] = hit.t
