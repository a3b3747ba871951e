"""What a run spent and held as it went on: a few hundred samples, evenly spread, whatever its length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .provenance import peak_memory_mib

SAMPLE = {"step", "seconds", "memory_mib", "phases"}
MOST = 200  # samples; where there would be more, every other one is dropped


class Timeline:
    """Samples of a run.

    Attributes
    ----------
    samples : list of dict
        Each with ``step``, ``seconds`` of the run, ``memory_mib`` (None where the system does not say) and
        ``phases``, the seconds of each phase until then.
    """

    def __init__(self) -> None:
        self.samples: list[dict[str, Any]] = []
        self.every, self._count = 1, 0

    def add(self, step: int, seconds: float, phases: dict[str, float], *, always: bool = False) -> None:
        """Take a sample, or not: all are the same number of calls apart, but for those that are taken `always`."""
        self._count += 1
        if not always and (self._count - 1) % self.every:
            return
        spent = {name: round(value, 3) for name, value in phases.items()}
        self.samples.append(
            {"step": step, "seconds": round(seconds, 3), "memory_mib": memory_mib(), "phases": spent}
        )
        if len(self.samples) > MOST:
            self.samples, self.every = self.samples[::2], 2 * self.every

    def table(self) -> dict[str, list[Any]]:
        """For ``run.json``: a list of numbers for each of step, seconds, memory_mib and every phase."""
        names = list(dict.fromkeys(name for sample in self.samples for name in sample["phases"]))
        told = {key: [sample[key] for sample in self.samples] for key in ("step", "seconds", "memory_mib")}
        return told | {
            f"seconds: {name}": [s["phases"].get(name, 0.0) for s in self.samples] for name in names
        }

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"samples": self.samples, "every": self.every}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.samples, self.every = list(state["samples"]), state["every"]


def memory_mib() -> int | None:
    """What this process has in memory, where the system tells; else the most that it has had so far."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return peak_memory_mib()
    import resource

    return round(pages * resource.getpagesize() / 2**20)
