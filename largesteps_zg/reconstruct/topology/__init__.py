"""Handles and cavities that photographs show and the surface lacks, or the other way round."""
