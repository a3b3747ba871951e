"""Mesh files as other programs write them, made into what any reader takes."""
