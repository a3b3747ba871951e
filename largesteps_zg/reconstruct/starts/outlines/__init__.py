"""The object's outlines from the photographs themselves: colours of object and background, and one solid for all."""
