"""Assumptions about surfaces, for places where images leave a choice."""
