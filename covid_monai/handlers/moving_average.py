"""The moving average of a network's weights over the steps of its training."""

from copy import deepcopy
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn

from covid_monai.errors import InputError

_WARM_UP = 10


class MovingAverage:
    """Keep the exponential moving average of a network's weights and of what its norms have seen, step by step.

    The average of the first t steps has a decay of at most (1 + t) / (10 + t), so that the random weights at the start
    are soon forgotten. It is validated and kept in place of the network, whose weights jump about more.

    Args:
        network: that is trained.
        decay: the share of the average that each step leaves; 0 makes none, and ``network`` is the network itself.

    Attributes:
        network: what to validate and keep.

    Raises:
        InputError: the decay is not at least 0 and below 1.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        if not 0 <= decay < 1:
            raise InputError(f"weight_averaging is {decay}; it must be at least 0 (none) and below 1")
        self.decay = decay
        self.steps = 0
        self._trained = network
        self.network = deepcopy(network).eval().requires_grad_(False) if decay else network

    def attach(self, engine: Engine) -> None:
        """Follow ``engine``, the trainer."""
        if self.decay:
            # the network may have been given other weights since, as in fine-tuning
            engine.add_event_handler(Events.STARTED, self.restart)
            engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)

    def restart(self, engine: Engine | None = None) -> None:
        """Begin with the network's weights as they are now."""
        self.steps = 0
        self.network.load_state_dict(self._trained.state_dict())

    def update(self, engine: Engine | None = None) -> None:
        """Take in the network's weights as they are now."""
        decay = min(self.decay, (1 + self.steps) / (_WARM_UP + self.steps))
        self.steps += 1
        averages, weights = self.network.state_dict(), self._trained.state_dict()
        with torch.no_grad():
            for name, average in averages.items():
                _move(average, weights[name], 1 - decay)

    def state_dict(self) -> dict[str, Any]:
        """The average and the number of its steps; empty without an average."""
        return {"steps": self.steps, "network": self.network.state_dict()} if self.decay else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from an average."""
        self.steps = state["steps"]
        self.network.load_state_dict(state["network"])


def _move(average: Tensor, weights: Tensor, share: float) -> None:
    if average.is_floating_point():
        average.lerp_(weights, share)
    else:
        # what a norm has counted is no quantity to average
        average.copy_(weights)
