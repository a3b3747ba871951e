"""What an experiment is told, and what it answers: `Setup` and `Record`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from largesteps_zg._support.atomic import atomic_path


@dataclass(frozen=True)
class Record:
    """One number of one run.

    `measure` says what `value` is, with its unit, and `published` what the paper says of the same (None where it says
    nothing). `evaluations` counts calls of the renderer, those that only watch the run left out.
    """

    paper: str
    experiment: str
    method: str
    seed: int
    measure: str
    value: float
    published: float | None
    evaluations: int | None
    seconds: float


@dataclass(frozen=True)
class Setup:
    """How one experiment shall run, and where its pictures (PNG) go.

    `small` asks for a form that takes seconds. `say` shows progress; a call replaces the line before.
    """

    paper: str
    experiment: str
    small: bool
    seeds: tuple[int, ...]
    folder: Path
    say: Callable[[str], None]

    def record(
        self,
        method: str,
        seed: int,
        measure: str,
        value: float,
        seconds: float,
        *,
        published: float | None = None,
        evaluations: int | None = None,
    ) -> Record:
        """A number of this experiment."""
        return Record(
            self.paper, self.experiment, method, seed, measure, float(value), published, evaluations, seconds
        )


Experiment = Callable[[Setup], Iterator[Record]]


@contextmanager
def clock() -> Iterator[Callable[[], float]]:
    """Seconds since the block was entered."""
    start = time.perf_counter()
    yield lambda: time.perf_counter() - start


def read_records(path: Path) -> list[Record]:
    """Those of an earlier command; none where there is no file."""
    return [Record(**row) for row in json.loads(path.read_text())] if path.exists() else []


def write_records(path: Path, records: list[Record]) -> None:
    """All of them as JSON, whole or not at all."""
    with atomic_path(path) as part:
        part.write_text(json.dumps([asdict(record) for record in records], indent=1) + "\n")
