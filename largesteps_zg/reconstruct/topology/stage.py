"""Topology in a stage of its own: solids are proposed, and taken if photographs foretell one another better."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from ...constants import DEFAULTS, Constants, Topology
from ...geometry.connectivity import topology
from ...mesh.mesh import Mesh
from ...scenes.carving.grid import Grid
from ..batch import Batch
from ..starts.hull import surface_of
from .foretelling import Foretold, foretold
from .proposals import Proposal, carved, seen_through, simpler
from .solid import Solid, solid_of


@dataclass(frozen=True)
class Change:
    """A surface with another handle, cavity or part than the given one.

    Attributes
    ----------
    mesh : Mesh
        Closed, its triangles of about a cell, on the CPU, without colours.
    name : str
        What was done: "opened", "carved", "closed" or "cut".
    before, after : float
        How far photographs were from what others foretell of them, and are.
    """

    mesh: Mesh
    name: str
    before: float
    after: float

    @property
    def reason(self) -> str:
        """Why, in half a sentence with numbers."""
        return f"photographs foretell one another to {self.after:.4f}, before to {self.before:.4f}"


class _Judge:
    """Asks photographs about surfaces between the nodes of a grid."""

    def __init__(self, grid: Grid, photographs: Batch, backend: str, constants: Constants) -> None:
        self._grid, self._photographs, self._backend, self._constants = grid, photographs, backend, constants

    def surface(self, field: np.ndarray) -> Solid | None:
        """What a field encloses, without specks."""
        found = surface_of(self._grid, field, self._constants.carving)
        return None if found is None else Solid(found.vertices.float(), found.faces, self._grid, field)

    def asked(self, solid: Solid, *, doubts: bool = False) -> Foretold:
        """What photographs say of a surface; and where they doubt it."""
        device = self._photographs.targets.device
        return foretold(
            solid.vertices.to(device),
            solid.faces.to(device),
            self._photographs,
            doubts=doubts,
            backend=self._backend,
            constants=self._constants.topology,
        )


def changed(
    vertices: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    photographs: Batch,
    *,
    cell: float,
    backend: str = "auto",
    constants: Constants = DEFAULTS,
) -> Change | None:
    """A surface over which photographs foretell one another better than over a given one; None if none is found.

    The surface is laid on a grid. Solids are proposed: without what photographs see through; with a cavity where they
    doubt the surface most; and with fewer handles. Each kind goes on, deeper or wider, while that is better. The best
    of all is taken if it is better in each fold of the photographs, too.

    Parameters
    ----------
    vertices : (V, 3) float32 tensor
    faces : (F, 3) int64 tensor
        Closed; of any other surface nothing is known.
    photographs : Batch
        In the same coordinates, all of them.
    cell : float
        Of the grid, > 0.
    backend : str
        Of the rasterizer.
    constants : Constants, optional
        Its `carving` and `topology`.

    Notes
    -----
    What is thinner than the grid's cells would go or break: a surface that has other handles or parts on the grid stays
    as it is.
    """
    if not topology(faces).watertight:
        return None
    given = solid_of(vertices, faces, cell)
    judge = _Judge(given.grid, photographs, backend, constants)
    here = judge.surface(given.field)
    if here is None or (here.handles, here.parts) != (given.handles, given.parts):
        return None
    says = judge.asked(here, doubts=True)
    best, found = says, None
    for series in _proposals(here, says, photographs, constants.topology):
        last = says
        for proposal in series:
            other = judge.surface(proposal.field)
            if other is None or not proposal.allowed(here, other):
                continue
            heard = judge.asked(other)
            if not heard.better_than(last):
                break
            last = heard
            if heard.better_than(best) and heard.better_throughout(says, constants.topology.folds):
                made = Mesh(other.vertices, other.faces)
                best, found = heard, Change(made, proposal.name, says.loss, heard.loss)
    return found


def _proposals(
    here: Solid, says: Foretold, photographs: Batch, constants: Topology
) -> Iterator[Iterator[Proposal]]:
    """All that might be better."""
    yield seen_through(here, photographs, constants)
    assert says.doubts is not None
    yield from carved(here, says.doubts.cpu(), constants)
    yield from simpler(here, constants)
