"""Contexts, which hold nothing here, and the log level."""

from __future__ import annotations

import torch

_log_level = 1


class RasterizeCudaContext:
    """What `rasterize` takes first. It holds no memory; the tensors say where the work is done.

    Parameters
    ----------
    device : torch.device, str or int, optional
        Accepted, and kept as `device`; "cpu" too. It binds nothing.
    """

    output_db = True

    def __init__(self, device: torch.device | str | int | None = None) -> None:
        # An index alone means a CUDA device, also where there is none.
        self.device = (
            torch.device("cuda", device) if isinstance(device, int) else device and torch.device(device)
        )


class RasterizeGLContext(RasterizeCudaContext):
    """As `RasterizeCudaContext`, for programs that ask for OpenGL; there is none behind it.

    Parameters
    ----------
    output_db : bool
        Whether `rasterize` answers the image-space derivatives of the barycentrics.
    mode : {"automatic", "manual"}
    device : torch.device, str or int, optional
        Accepted, and kept; it binds nothing.

    Raises
    ------
    ValueError
        If there is no such mode.
    """

    def __init__(
        self, output_db: bool = True, mode: str = "automatic", device: torch.device | str | int | None = None
    ) -> None:
        if mode not in ("automatic", "manual"):
            raise ValueError(f"mode: expected 'automatic' or 'manual', got {mode!r}")
        super().__init__(device)
        self.output_db, self.mode = bool(output_db), mode

    def set_context(self) -> None:
        """Does nothing; for programs in manual mode.

        Raises
        ------
        ValueError
            In automatic mode.
        """
        self._check_manual("set_context")

    def release_context(self) -> None:
        """Does nothing; for programs in manual mode.

        Raises
        ------
        ValueError
            In automatic mode.
        """
        self._check_manual("release_context")

    def _check_manual(self, name: str) -> None:
        if self.mode != "manual":
            raise ValueError(f"{name}: expected a context of mode 'manual', got 'automatic'")


def get_log_level() -> int:
    """The level that `set_log_level` set last; 1 at first."""
    return _log_level


def set_log_level(level: int) -> None:
    """Keep a level: 0 for information, 1 warnings, 2 errors, 3 fatal ones. There are no messages to hold back.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    global _log_level
    if level not in (0, 1, 2, 3):
        raise ValueError(f"level: expected 0, 1, 2 or 3, got {level!r}")
    _log_level = int(level)
