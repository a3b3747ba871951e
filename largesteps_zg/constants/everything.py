"""All groups together, as a run takes them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from .appearance import Gains, Highlights, Hue
from .photographs import Carving, Checks, Matching, Outlining, Photographs, Structure, Topology
from .run import Correcting, Estimates, Patches, Schedule
from .shape import Decimation, Mending, Priors, Remeshing
from .texture import Texture


@dataclass(frozen=True)
class Constants:
    """All numbers that decide about a user's data and are no settings.

    Given to `scenes.Reading`, which uses `photographs` and `checks`, and to `reconstruct.Settings`, which uses the
    others, as `advanced`. docs/constants.md lists them.

    Raises
    ------
    ValueError
        For a group that is none.

    Examples
    --------
    >>> from largesteps_zg.constants import Constants, Highlights
    >>> Constants(highlights=Highlights(earned=0.5)).highlights.earned
    0.5
    """

    photographs: Photographs = field(default_factory=Photographs)
    checks: Checks = field(default_factory=Checks)
    structure: Structure = field(default_factory=Structure)
    outlining: Outlining = field(default_factory=Outlining)
    matching: Matching = field(default_factory=Matching)
    carving: Carving = field(default_factory=Carving)
    topology: Topology = field(default_factory=Topology)
    mending: Mending = field(default_factory=Mending)
    remeshing: Remeshing = field(default_factory=Remeshing)
    decimation: Decimation = field(default_factory=Decimation)
    priors: Priors = field(default_factory=Priors)
    schedule: Schedule = field(default_factory=Schedule)
    patches: Patches = field(default_factory=Patches)
    highlights: Highlights = field(default_factory=Highlights)
    gains: Gains = field(default_factory=Gains)
    hue: Hue = field(default_factory=Hue)
    correcting: Correcting = field(default_factory=Correcting)
    estimates: Estimates = field(default_factory=Estimates)
    texture: Texture = field(default_factory=Texture)

    def __post_init__(self) -> None:
        for part in fields(self):
            value, kind = getattr(self, part.name), part.default_factory
            if not (isinstance(kind, type) and isinstance(value, kind)):
                raise ValueError(f"constants: {part.name}: expected {part.type}(...), got {value!r}")


DEFAULTS = Constants()
