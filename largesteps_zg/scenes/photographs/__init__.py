"""From files and cameras to views: lenses, masks, sizes."""
