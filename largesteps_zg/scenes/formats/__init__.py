"""One file for each form in which scenes are stored."""
