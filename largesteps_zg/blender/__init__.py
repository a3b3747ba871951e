"""The add-on for Blender, which runs there and not here, and what is written for it."""

from .package import write_addon as write_addon
