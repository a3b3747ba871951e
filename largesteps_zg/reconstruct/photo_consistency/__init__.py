"""Patches of one photograph carried over the surface into another: what agrees, by no model of light or colour."""

from .agreement import Agreement, Photograph, agreement
from .depth_maps import depth_maps
from .neighbors import neighbors
from .sweep import DepthMap
from .term import Evidence, PhotoConsistency

__all__ = [
    "Agreement",
    "DepthMap",
    "Evidence",
    "PhotoConsistency",
    "Photograph",
    "agreement",
    "depth_maps",
    "neighbors",
]
