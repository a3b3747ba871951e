"""What makes colours from a surface: light, gloss, exposure."""
