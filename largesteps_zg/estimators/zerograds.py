"""Gradients of a small network that learns the loss around the parameters while they move: ZeroGrads."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .._support.values import check_count, check_number
from .antithetic import check_pairs
from .encoding import Place, derivative, encode
from .estimate import GradientEstimate, Parameters
from .evaluation.objective import Objective, as_objective
from .packing import Packing
from .schedules import Width, Widths
from .surrogate import Surrogate


class ZeroGrads:
    """Gradient of a network that is fitted, from call to call, to samples of f around the parameters.

    ::

        x_n = x + sigma z_n  and  x - sigma z_n,           z normal, `pairs` of them
        y_n = f(x_n + inner sigma w_n),                    w normal
        fit the surrogate s to (x_n, y_n), `k_phi` times
        g = ds/dx at x

    The network goes on from call to call: its gradient holds what earlier samples said, and has less noise than one
    made of the latest samples, but lags behind where the parameters move fast.

    Parameters
    ----------
    sigma : float, callable, or tuple of these
        Width of the sampled region, in the parameters' unit; > 0. One for all tensors or one for each; a callable gets
        the number of calls so far. Inputs of the network are in its units.
    pairs : int
        Antithetic pairs, at least 1.
    inner : float
        Width of the smoothing at each sample, in sigmas, >= 0. Take 0 where f is smooth: smoothing is noise as well,
        and in a narrow valley it hides the slope of the floor.
    width, depth : int
        Neurons in a hidden layer, and such layers; at least 1, the width at least 2 `bands` + 1.
    k_phi : int
        Updates of the network with each call's samples, at least 1.
    k_theta : int
        Every so many calls f is sampled; the others return the surrogate's gradient at the new parameters, without an
        evaluation. At least 1.
    memory : float
        Share of the first layer that is kept from one sampling to the next, in [0, 1]. 0: what a fit to the latest
        samples alone says.
    rate : float
        Share of the way to its samples that an update goes, in (0, 1].
    damping : float
        Of the updates, > 0; larger ones trust single samples less.
    bands : int
        Wavelengths of a positional encoding, 0 for none; see `encoding.encode`, in units of the first call's sigma.
    log_targets : bool
        Fit log(1 + f), for losses of many sizes, which must be above -1. The gradient is f's all the same.
    features : callable, optional
        A differentiable function of the parameters, of one set at a time, whose result the network gets in their
        place: what f depends on most should be large in it. For a Large Steps latent ``steps.from_differential``.

    Raises
    ------
    ValueError
        A number out of its range; parameters of other shapes than those that the network was made for.

    Notes
    -----
    Bias: of three kinds. The samples are of f smoothed with a Gaussian of width ``sigma sqrt(1 + inner^2)``; the fit is
    damped and has forgotten a part, so that the gradient is too short, by a factor that depends on all of the options;
    and with `memory` it is the gradient of where the parameters were before. An optimiser that divides by the size of
    what it gets, such as Adam, makes up for the second.

    Variance: no formula. Without memory that of a smoothed gradient of as many pairs; with it, less where the
    parameters move slowly. `standard_error` is how far the latest samples moved each entry of the gradient at the
    parameters: where the surrogate has settled, the size of the noise; where it lags or has just begun, more. NaN with
    one pair, and at calls that do not sample.

    Memory is worth something only where an optimiser moves less between calls than the gradient needs to change. Where
    places of calls have nothing to do with each other, as with random latents, use a memory of 0. Noise that stays for
    some calls carries normalised steps farther: with memory m take ``sqrt((1 - m) / (1 + m))`` of the step size that
    goes well with independent gradients (0.58 for 0.5, 0.23 for 0.9), and no momentum beside the network's own (beta_1
    = 0). At the same step size memory does harm.

    `loss` is the mean of the evaluations, or, at a call without any, what the surrogate says.

    Cost: 2 `pairs` evaluations, and 4 `k_phi` + 1 products of a (2 `pairs`, P) with a (P, `width`) matrix. Memory: one
    (`width`, P) matrix, kept, and some six of (2 `pairs`, P) for each call, 2 `bands` + 1 more with an encoding.

    Differs from the publication: the first layer has no weights for each parameter, band and neuron, but each neuron
    sees one band; weights change by Gauss-Newton instead of Adam, so that no moments are kept, see `Surrogate`; the
    activation is softplus.

    Random numbers: for each call P for each pair, then P for each evaluation unless `inner` is 0; at the first, the
    network's weights after these.

    References
    ----------
    Fischer, Ritschel. ZeroGrads: Learning Local Surrogates for Non-Differentiable Graphics. ACM Transactions on
    Graphics 43(4), 2024.

    Examples
    --------
    >>> estimator = ZeroGrads(sigma=0.5, pairs=10)
    >>> x = torch.tensor([2.0, -1.0])
    >>> generator = torch.Generator().manual_seed(1)
    >>> for _ in range(20):
    ...     estimate = estimator.estimate(lambda x: x.square().sum(), x, generator=generator)
    >>> print([round(entry) for entry in estimate.gradient.tolist()])
    [4, -2]
    """

    def __init__(
        self,
        *,
        sigma: Width = 0.1,
        pairs: int = 10,
        inner: float = 0.1,
        width: int = 32,
        depth: int = 2,
        k_phi: int = 3,
        k_theta: int = 1,
        memory: float = 0.9,
        rate: float = 0.5,
        damping: float = 0.1,
        bands: int = 0,
        log_targets: bool = False,
        features: Callable[..., Tensor] | None = None,
    ) -> None:
        self._widths = Widths("sigma", sigma)
        self.pairs = check_pairs(pairs)
        self.bands = check_count("bands", bands, least=0)
        self.width = check_count("width", width, least=2 * bands + 1)
        self.depth = check_count("depth", depth)
        self.k_phi, self.k_theta = check_count("k_phi", k_phi), check_count("k_theta", k_theta)
        self.inner = check_number("inner", inner, ">= 0", lambda v: v >= 0)
        self.memory = check_number("memory", memory, "in [0, 1]", lambda v: 0 <= v <= 1)
        self.rate = check_number("rate", rate, "in (0, 1]", lambda v: 0 < v <= 1)
        self.damping = check_number("damping", damping, "> 0", lambda v: v > 0)
        self.log_targets, self.features = bool(log_targets), features
        self._surrogate: Surrogate | None = None
        self._kept: dict[str, Any] = {}

    @torch.no_grad()
    def estimate(
        self,
        f: Callable[..., Any] | Objective,
        parameters: Parameters,
        *,
        generator: torch.Generator | None = None,
        width: Width | None = None,
    ) -> GradientEstimate:
        """See `Estimator.estimate`; `width` replaces the size of this one call's perturbations."""
        packing = Packing(parameters)
        self._check_shapes(parameters)
        sigma = packing.widths("sigma", self._widths.now(packing.tensors, width))
        samples = None
        if self._surrogate is None or self._widths.calls % self.k_theta == 0:
            samples = self._sample(as_objective(f), packing, sigma, generator)
        # Nothing of this object has changed so far: an evaluation that fails leaves it as it was.
        here = Place(packing, sigma, self.features)
        if self._surrogate is None:
            assert samples is not None
            self._begin(parameters, here, samples, generator)
        assert self._surrogate is not None
        self._move_to(here)
        before = self._gradient(here)
        if samples is None:
            error = torch.full_like(before, math.nan)
            fitted = self._kept["level"] + self._kept["unit"] * self._surrogate.value()
            loss = math.expm1(fitted) if self.log_targets else fitted
        else:
            self._learn(here, samples)
            error = (self._gradient(here) - before).abs()
            if self.pairs == 1:
                error.fill_(math.nan)
            loss = samples[1].mean().item()
        gradient = self._gradient(here) if samples is not None else before
        self._widths.advance()
        return GradientEstimate(
            loss=torch.tensor(loss, dtype=packing.flat.dtype, device=packing.flat.device),
            gradient=packing.restore(gradient),
            standard_error=packing.restore(error),
            evaluations=0 if samples is None else 2 * self.pairs,
        )

    def _sample(
        self, objective: Objective, packing: Packing, sigma: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Points (2 pairs, P) around the parameters, and the losses near them, float64 on the CPU."""
        flat = packing.flat
        device = torch.device("cpu") if generator is None else generator.device
        z = sigma * torch.randn(self.pairs, len(flat), generator=generator, device=device).to(flat)
        points = torch.stack((flat + z, flat - z), dim=1).flatten(0, 1)
        moved = points
        if self.inner:
            jitter = torch.randn(points.shape, generator=generator, device=device).to(flat)
            moved = jitter.mul_(self.inner * sigma).add_(points)
        losses = [objective.losses(packing.points(part)) for part in moved.split(2 * packing.pairs_at_once)]
        found = torch.cat(losses)
        if self.log_targets and found.min() <= -1:
            raise ValueError(
                f"log_targets: expected losses > -1, got {found.min():.3g}; fit them as they are"
            )
        return points, found

    def _begin(
        self,
        parameters: Parameters,
        here: Place,
        samples: tuple[Tensor, Tensor],
        generator: torch.Generator | None,
    ) -> None:
        """Make the network, and fix what its inputs are measured in."""
        unit = 1.0
        if self.features is not None:
            unit = (here.inputs(samples[0]) - here.value).square().mean().sqrt().item() or 1.0
        self._surrogate = self._network(here.value.shape[0], generator, here.value.device, here.value.dtype)
        self._kept = {
            "shapes": _shapes(parameters),
            "feature_unit": unit,
            "origin": here.value.clone(),  # of waves, in the parameters' unit
            "wave_unit": here.sigma.clone() if self.features is None else torch.full_like(here.value, unit),
            "center": here.value.clone(),
            "sigma": here.sigma.clone(),
            "level": 0.0,
            "unit": 0.0,
        }

    def _network(
        self, inputs: int, generator: torch.Generator | None, device: torch.device, dtype: torch.dtype
    ) -> Surrogate:
        """One of this estimator's size."""
        return Surrogate(
            inputs,
            blocks=2 * self.bands + 1,
            width=self.width,
            depth=self.depth,
            generator=generator,
            device=device,
            dtype=dtype,
        )

    def _inputs(self, values: Tensor, sigma: Tensor) -> list[Tensor]:
        """Blocks (N, P) of what the network sees of values (N, P), up to a constant."""
        kept = self._kept
        unit = sigma if self.features is None else kept["feature_unit"]
        waves = encode((values - kept["origin"]) / kept["wave_unit"], self.bands)[1:]
        return [(values - kept["center"]) / unit, *waves]

    def _move_to(self, here: Place) -> None:
        """The same surrogate, with its origin where the parameters are now, and its inputs in today's sigma."""
        assert self._surrogate is not None
        kept = self._kept
        now, before = (self._inputs(v[None], kept["sigma"]) for v in (here.value, kept["center"]))
        self._surrogate.move([(a - b)[0] for a, b in zip(now, before, strict=True)])
        if self.features is None:
            self._surrogate.stretch(here.sigma / kept["sigma"])
        kept["center"], kept["sigma"] = here.value.clone(), here.sigma.clone()

    def _learn(self, here: Place, samples: tuple[Tensor, Tensor]) -> None:
        """Fit the network to samples, in units of their spread."""
        assert self._surrogate is not None
        kept, (points, losses) = self._kept, samples
        targets = losses.log1p() if self.log_targets else losses
        level, spread = targets.mean().item(), targets.std(correction=0).item()
        # A plateau has no spread: the unit falls slowly, and grows at once.
        unit = max(spread, 0.9 * kept["unit"]) or 1.0
        if kept["unit"]:
            self._surrogate.rescale(kept["unit"] / unit, (kept["level"] - level) / unit)
        kept["level"], kept["unit"] = level, unit
        self._surrogate.forget(self.memory)
        center = self._inputs(here.value[None], here.sigma)
        blocks = self._inputs(here.inputs(points), here.sigma)
        self._surrogate.fit(
            [block - middle for block, middle in zip(blocks, center, strict=True)],
            ((targets - level) / unit).to(here.value),
            updates=self.k_phi,
            rate=self.rate,
            damping=self.damping,
        )

    def _gradient(self, here: Place) -> Tensor:
        """The surrogate's derivative by the parameters, (P,)."""
        assert self._surrogate is not None
        kept, blocks = self._kept, self._surrogate.gradient()
        waves = derivative((here.value - kept["origin"]) / kept["wave_unit"], self.bands)[1:]
        total = blocks[0] / (here.sigma if self.features is None else kept["feature_unit"])
        for slope, wave in zip(blocks[1:], waves, strict=True):
            total = total + slope * wave / kept["wave_unit"]
        factor = kept["unit"]
        if self.log_targets:
            factor *= math.exp(kept["level"] + kept["unit"] * self._surrogate.value())
        return here.pull_back(total * factor)

    def _check_shapes(self, parameters: Parameters) -> None:
        """Raise ValueError where the network was made for others."""
        known = self._kept.get("shapes", _shapes(parameters))
        if known != _shapes(parameters):
            raise ValueError(
                f"parameters: expected shapes {known}, for which the surrogate was made, got {_shapes(parameters)}; "
                "make a new ZeroGrads after the topology changed"
            )

    def state_dict(self) -> dict[str, Any]:
        """The number of calls, the network, and what its inputs and outputs are measured in and from."""
        network = None if self._surrogate is None else self._surrogate.state_dict()
        return {**self._widths.state_dict(), "surrogate": network, "kept": dict(self._kept)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the estimator was whose state this is."""
        if "surrogate" not in state or "kept" not in state:
            raise ValueError("state: expected 'surrogate' and 'kept', got none; is it another estimator's?")
        network, made = state["surrogate"], None
        if network is not None:
            first = network["weights"][0]
            # Weights that are replaced at once, from a generator of their own: nobody else's numbers are used up.
            made = self._network(first.shape[1], torch.Generator().manual_seed(0), first.device, first.dtype)
            made.load_state_dict(network)
        self._widths.load_state_dict(state)
        self._surrogate, self._kept = made, dict(state["kept"])


def _shapes(parameters: Parameters) -> list[tuple[int, ...]]:
    """Of each tensor."""
    tensors = (parameters,) if isinstance(parameters, Tensor) else parameters
    return [tuple(t.shape) for t in tensors]
