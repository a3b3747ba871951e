"""Pictures of scenes and runs."""

from .figures import save_comparison as save_comparison
from .figures import save_filmstrip as save_filmstrip
from .figures import save_loss_curve as save_loss_curve
from .figures import save_progression as save_progression
from .overview import save_overview as save_overview
