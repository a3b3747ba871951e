"""Large Steps in Blender: pictures of a scene to reconstruct from, and the result of a run, seen by its cameras.

It needs Blender and NumPy, which Blender brings. It imports nothing else of the package that it comes with.
"""


def register() -> None:
    """As Blender starts it."""
    from .panel import register as begin

    begin()


def unregister() -> None:
    """As Blender ends it."""
    from .panel import unregister as end

    end()
