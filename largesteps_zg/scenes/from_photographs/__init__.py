"""Cameras found from photographs alone: structure from motion by pycolmap, kept in a folder of its own."""
