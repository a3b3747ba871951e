"""What was read of a scene, in words and in one picture."""

from .describe import describe as describe
from .picture import save_overview as save_overview
