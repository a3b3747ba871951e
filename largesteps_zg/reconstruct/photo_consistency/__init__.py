"""Patches of one photograph carried over the surface into another: what agrees, by no model of light or colour."""

from .agreement import Agreement, Photograph, agreement
from .neighbors import neighbors
from .term import Evidence, PhotoConsistency

__all__ = ["Agreement", "Evidence", "PhotoConsistency", "Photograph", "agreement", "neighbors"]
