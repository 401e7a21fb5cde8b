"""The Q-network: any encoder of observations, then dueling heads with layer normalisation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from clairvoy.errors import SettingsError
from clairvoy.qlearning.environment import ObservationSpec
from clairvoy.qlearning.transitions import Observation


class DuelingQNetwork(nn.Module):
    """Q-values of every action as ``V(s) + A(s, a) - mean_a A(s, a)``.

    Parameters
    ----------
    encoder
        Module from an `Observation` to features ``(N, features)``. It owns every scaling of its inputs (a
        window comes as uint8, say).
    features
        Width of what the encoder returns.
    num_actions
        Number of actions A, at least 2.
    hidden
        Width of the hidden layer of both heads.

    References
    ----------
    Wang et al., *Dueling Network Architectures*, ICML 2016, eq. 9. Layer normalisation instead of batch
    statistics: Gallici et al., *Simplifying Deep Temporal Difference Learning* (PQN), ICLR 2025, who
    show that it keeps off-policy TD learning from diverging.
    """

    def __init__(self, encoder: nn.Module, features: int, num_actions: int, hidden: int = 128) -> None:
        super().__init__()
        if num_actions < 2:
            raise SettingsError(f"num_actions is {num_actions}; a choice needs at least 2 actions")
        self.encoder = encoder
        self.num_actions = num_actions
        self.specs: Mapping[str, ObservationSpec] | None = None
        """What is shown, if `encoders.network_for` made the network of that."""
        self.value = _head(features, hidden, 1)
        self.advantage = _head(features, hidden, num_actions)

    def forward(self, observation: Observation) -> Tensor:
        """Q-values ``(N, A)``, float32."""
        feature = self.encoder(observation)
        advantage: Tensor = self.advantage(feature)
        value: Tensor = self.value(feature)
        return value + advantage - advantage.mean(dim=1, keepdim=True)


class QNetwork(nn.Module):
    """Q-values of every action by one linear layer on an encoder's features: the plain head, and the cheapest.

    Parameters
    ----------
    encoder
        Module from an `Observation` to features ``(N, features)``; for PQN one with layer normalisation.
    features
        Width of what the encoder returns.
    num_actions
        Number of actions A, at least 2.
    """

    def __init__(self, encoder: nn.Module, features: int, num_actions: int) -> None:
        super().__init__()
        if num_actions < 2:
            raise SettingsError(f"num_actions is {num_actions}; a choice needs at least 2 actions")
        self.encoder = encoder
        self.num_actions = num_actions
        self.head = nn.Linear(features, num_actions)

    def forward(self, observation: Observation) -> Tensor:
        """Q-values ``(N, A)``, float32."""
        q: Tensor = self.head(self.encoder(observation))
        return q


class VectorEncoder(nn.Module):
    """Encoder for small numeric observations: flatten, concatenate, two hidden layers.

    Parameters
    ----------
    shapes
        Shape of each observation without its leading N, by name; other names are ignored.
    features
        Width of both layers, and of the returned features.
    normalise
        Whether each layer is normalised before its activation. PQN needs it; off, this is the usual perceptron
        of DQN.
    """

    def __init__(
        self, shapes: Mapping[str, Sequence[int]], features: int = 64, normalise: bool = True
    ) -> None:
        super().__init__()
        self.names = tuple(shapes)
        numbers = sum(math.prod(shape) for shape in shapes.values())
        layers: list[nn.Module] = []
        for width in (numbers, features):
            layers += [
                nn.Linear(width, features),
                *([nn.LayerNorm(features)] if normalise else []),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, observation: Observation) -> Tensor:
        """Features ``(N, features)``, float32, at least 0."""
        columns = [observation[name].flatten(1).float() for name in self.names]
        features: Tensor = self.layers(torch.cat(columns, dim=1))
        return features


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw the weights of every linear and convolution layer from ``generator`` (He et al. 2015), biases 0.

    PyTorch fills new layers from its global generator; this makes a network depend on the passed one alone.
    Call it before moving the network to a device that the generator is not on.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _head(features: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(features, hidden), nn.LayerNorm(hidden), nn.ReLU(), nn.Linear(hidden, outputs)
    )
