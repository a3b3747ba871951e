"""Functions called at many points, here or by workers."""
