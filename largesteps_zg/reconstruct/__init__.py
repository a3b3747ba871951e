"""From views to a mesh."""

from .fit import NonFiniteError as NonFiniteError
from .loop import Reconstruction as Reconstruction
from .loop import State as State
from .loop import reconstruct as reconstruct
from .settings import Settings as Settings
from .settings import resolve_device as resolve_device
