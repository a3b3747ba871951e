"""Where the object is, from its masks."""
