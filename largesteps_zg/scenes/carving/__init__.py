"""Where the object is, as its masks tell."""
