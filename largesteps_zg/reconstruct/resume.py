"""A run goes on from an earlier one's state, which is looked through before it is used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from .._support.nested import flat
from ..scenes.views import Views
from .settings import Settings

TOLD_APART = ("settings", "given", "seconds")  # by `check_same`, or free
# Their first size is that of the mesh, or of what was found on it.
OF_ANY_LENGTH = ("order", "faces", "rest", "latent", "corners", "weights", "directions", "least", "searched")


@runtime_checkable
class Resumable(Protocol):
    """What has to be known of a `Reconstruction` to go on with it."""

    settings: Settings
    views: Views

    @property
    def steps(self) -> int:
        """Of the whole run, as far as is known."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """A checkpoint."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        ...


def go_on(run: Resumable, state: dict[str, Any]) -> None:
    """Let a run that has taken no step continue from `Reconstruction.state_dict` of an earlier one.

    Raises
    ------
    ValueError
        If the state is another run's, or damaged; says where.
    """
    own = run.state_dict()
    check_alike(state, dict.fromkeys(own), "run")
    check_alike(state["settings"], dict.fromkeys(own["settings"]), "settings")
    check_alike(state["given"], own["given"], "given")
    for name in ("center", "radius"):
        check_alike(state[name], own[name], name)
    check_same(own, state)
    check_alike(state, {key: value for key, value in own.items() if key not in TOLD_APART}, "run")
    _check_numbers(state, steps=run.steps, views=len(run.views))
    try:
        run.load_state_dict(state)
    except Exception as error:  # what does not fit together may lead to nearly any
        raise _damaged(f"what it holds does not fit together ({type(error).__name__}: {error})") from error


def check_same(own: dict[str, Any], state: dict[str, Any]) -> None:
    """ValueError if a checkpoint is of other settings or another scene than a run of its own identity; says which."""
    mine, theirs = flat(own["settings"]), flat(state["settings"])
    for name in mine:
        if name not in ("device",) and mine[name] != theirs.get(name):
            raise ValueError(
                f"resume: the run was started with {name} = {theirs.get(name)}, now it is {mine[name]}; "
                "give the same options, or another output folder"
            )
    for name, mine_too in own["given"].items():
        if state["given"][name] != mine_too:
            was = "without" if mine_too else "with"
            raise ValueError(f"resume: the run was started {was} {name}; give the same options")
    if not torch.allclose(own["center"], state["center"]) or not math.isclose(own["radius"], state["radius"]):
        raise ValueError(
            "resume: the run was started on another scene; give the same one, or another output folder"
        )


def check_alike(found: Any, own: Any, place: str) -> None:
    """ValueError where a state is built otherwise than a present run's own, which may not know all of it yet."""
    if own is None or (isinstance(own, (list, tuple)) and not own):
        return
    if isinstance(own, Tensor):
        first = 1 if place.rpartition(".")[2] in OF_ANY_LENGTH else 0
        if (
            not isinstance(found, Tensor)
            or (found.dtype, found.dim()) != (own.dtype, own.dim())
            or found.shape[first:] != own.shape[first:]
        ):
            raise _damaged(f"{place}: expected {_kind(own)}, got {_kind(found)}")
    elif isinstance(own, dict):
        if not isinstance(found, dict):
            raise _damaged(f"{place}: expected a dict, got {_kind(found)}")
        if missing := sorted(map(str, own.keys() - found.keys())):
            raise _damaged(f"{place}: {', '.join(missing)} missing")
        for key, value in own.items():
            check_alike(found[key], value, f"{place}.{key}")
    elif isinstance(own, (list, tuple)):
        if not isinstance(found, (list, tuple)) or len(found) != len(own):
            raise _damaged(f"{place}: expected {len(own)} parts, got {_kind(found)}")
        for number, (theirs, value) in enumerate(zip(found, own, strict=True)):
            check_alike(theirs, value, f"{place}[{number}]")
    elif isinstance(own, bool) or not isinstance(own, (int, float)):
        if type(found) is not type(own):
            raise _damaged(f"{place}: expected {type(own).__name__}, got {_kind(found)}")
    elif isinstance(found, bool) or not isinstance(found, (int, float)):
        raise _damaged(f"{place}: expected a number, got {_kind(found)}")


def _check_numbers(state: dict[str, Any], *, steps: int, views: int) -> None:
    """What later steps take as an index lies in range, and positions and colours are numbers."""
    fit, step, order = state["fit"], state["step"], state["order"]
    if not (isinstance(step, int) and 0 <= step <= steps):
        raise _damaged(f"step: expected 0 to {steps}, got {step!r}")
    if order.numel() and not (0 <= int(order.min()) and int(order.max()) < views):
        raise _damaged(f"order: expected views in [0, {views}), got {order.tolist()}")
    _check_history(state["losses"], state["events"], step)
    triangles, paint = fit["triangles"], fit["paint"]
    count, contact = len(triangles["rest"]), triangles["contact"]
    for name, indices in (("faces", triangles["faces"]), ("contact", contact["corners"])):
        if indices.numel() and not (0 <= int(indices.min()) and int(indices.max()) < count):
            raise _damaged(f"{name}: expected indices in [0, {count})")
    if len({len(part) for name, part in contact.items() if name != "searched"}) > 1:
        raise _damaged("contact: expected parts of one length")
    shape = triangles["shape"]
    rows = (("rest", triangles["rest"]), ("shape", shape["latent"]), ("paint", paint["latent"]))
    for name, values in rows:
        if len(values) != count or not bool(torch.isfinite(values).all()):
            raise _damaged(f"{name}: expected {count} rows of finite numbers")
    for name, diffused in (("shape", shape), ("paint", paint)):
        _check_moments(name, diffused["optimizer"], [(count, 3)])
    appearance = fit["appearance"]
    _check_moments("light", appearance["light_optimizer"], [appearance["light"].shape])
    if appearance["gloss"] is not None:
        gloss = appearance["gloss"]
        _check_moments("gloss", gloss["optimizer"], [part.shape for part in gloss["parameters"]])


def _check_moments(name: str, optimizer: dict[str, Any], shapes: Sequence[tuple[int, ...]]) -> None:
    """Steps and moments of an optimiser's parameters of such shapes; none before the first step."""
    for number, part in optimizer["state"].items():
        if (
            number not in range(len(shapes))
            or not isinstance(part, dict)
            or not isinstance(part.get("step"), int)
        ):
            raise _damaged(f"{name}: expected the optimiser's step and moments")
        moments = [part.get(key) for key in ("g1", "g2")]
        if any(not isinstance(value, Tensor) or value.shape != shapes[number] for value in moments):
            raise _damaged(f"{name}: expected moments of shape {tuple(shapes[number])}")


def _check_history(losses: Any, events: Any, step: int) -> None:
    """A loss for each step, and events as `Event` has them."""
    if not isinstance(losses, list) or len(losses) != step or {type(loss) for loss in losses} - {float}:
        raise _damaged(f"losses: expected {step} numbers")
    kinds = {"step": int, "name": str, "reason": str}
    for event in events if isinstance(events, list) else [None]:
        if not isinstance(event, dict) or {name: type(value) for name, value in event.items()} != kinds:
            raise _damaged(f"events: expected dicts of {', '.join(kinds)}")


def _kind(value: Any) -> str:
    return f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def _damaged(reason: str) -> ValueError:
    return ValueError(f"resume: the checkpoint is damaged ({' '.join(reason.split())}); run without --resume")
