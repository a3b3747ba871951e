"""From views to a mesh."""

from .faults import NonFiniteError as NonFiniteError
from .loop import Reconstruction as Reconstruction
from .loop import State as State
from .loop import reconstruct as reconstruct
from .result import Event as Event
from .result import Result as Result
from .settings import Settings as Settings
from .settings import resolve_device as resolve_device
