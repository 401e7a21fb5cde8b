"""Encoders of grids, and the Q-network that an environment's observations ask for."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from clairvoy.errors import SettingsError
from clairvoy.qlearning.environment import ObservationSpec
from clairvoy.qlearning.qnetwork import DuelingQNetwork, VectorEncoder
from clairvoy.qlearning.transitions import Observation

FEATURES = 128
"""Width of what the encoders here return."""
UNBOUNDED = 1e6
"""A bound beyond this is none."""
LEAST_UNIT = 1e-3
"""A number that was hardly ever other than 0 is told in these units."""
CELLS = 16
"""A grid wider than this is first cut into patches, so that convolutions see at most about so many cells across."""


def patch_side(height: int, width: int) -> int:
    """Side of the patches that make a grid of height x width cells at most `CELLS` across, or as near as it divides."""
    sides = [side for side in range(1, min(height, width) + 1) if height % side == 0 and width % side == 0]
    fitting = [side for side in sides if max(height, width) // side <= CELLS]
    return fitting[0] if fitting else sides[-1]


class GridEncoder(nn.Module):
    """Planes of bits or pictures, (C, H, W), by one layer of convolutions on patches, then a linear layer.

    The convolution is that of MinAtar's DQN (Young and Tian, *MinAtar*, 2019: 16 channels, 3 x 3); layer
    normalisation as in PQN (Gallici et al., ICLR 2025). Other parts of the observation join before the linear layer.

    Parameters
    ----------
    shapes
        Shape of each named part, without N: those of three dimensions are grids of one height and width, bool, uint8
        (then divided by 255) or floating point.
    features
        Width of what is returned.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], features: int = FEATURES) -> None:
        super().__init__()
        self.grids = tuple(name for name, shape in shapes.items() if len(shape) == 3)
        self.others = tuple(name for name in shapes if name not in self.grids)
        sizes = {shapes[name][1:] for name in self.grids}
        if len(sizes) != 1:
            raise SettingsError(
                f"the grids are {sorted(sizes)}; GridEncoder takes one or more (C, H, W) of one height and width"
            )
        ((height, width),) = sizes
        side = patch_side(height, width)
        channels = sum(shapes[name][0] for name in self.grids) * side * side
        self.patches = nn.PixelUnshuffle(side)
        self.convolution = nn.Conv2d(channels, 16, 3, padding=1)
        rest = sum(torch.Size(shapes[name]).numel() for name in self.others)
        cells = 16 * (height // side) * (width // side)
        self.normal = nn.LayerNorm(cells)
        self.linear = nn.Sequential(nn.Linear(cells + rest, features), nn.LayerNorm(features), nn.ReLU())

    def forward(self, observation: Observation) -> Tensor:
        """Features ``(N, features)``, float32, at least 0."""
        grid = torch.cat([_as_numbers(observation[name]) for name in self.grids], dim=1)
        cells = torch.relu(self.normal(self.convolution(self.patches(grid)).flatten(1)))
        rest = [_as_numbers(observation[name]).flatten(1) for name in self.others]
        features: Tensor = self.linear(torch.cat([cells, *rest], dim=1))
        return features


class NumbersEncoder(nn.Module):
    """`VectorEncoder` of numbers in any units, or of bytes, which it divides by 255.

    The unit of each number is its bound, as far as the environment says one. `settle` takes the largest that was seen
    for the others. It changes the first layer along, so that what the network computes stays the same, and is called
    again as more is seen: an agent that gets better goes where random play never was (as Pop-Art does for outputs: van
    Hasselt et al., *Learning values across many orders of magnitude*, NeurIPS 2016).

    Parameters
    ----------
    specs
        Shapes and bounds of all that is shown, by name.
    features
        Width of what is returned.
    """

    unit: Tensor
    bounded: Tensor

    def __init__(self, specs: Mapping[str, ObservationSpec], features: int = FEATURES) -> None:
        super().__init__()
        self.names = tuple(specs)
        bounds = torch.cat([_bounds(spec) for spec in specs.values()])
        self.encoder = VectorEncoder({"numbers": (len(bounds),)}, features)
        self.register_buffer("bounded", (bounds > 0) & (bounds < UNBOUNDED))
        self.register_buffer("unit", torch.where(self.bounded, bounds, 1.0))

    def forward(self, observation: Observation) -> Tensor:
        """Features ``(N, features)``, float32, at least 0."""
        features: Tensor = self.encoder({"numbers": self._numbers(observation) / self.unit})
        return features

    @torch.no_grad()
    def settle(self, observation: Observation) -> None:
        """Take the units from observations ``(N, ...)``, N >= 1."""
        numbers = self._numbers({name: value.to(self.unit.device) for name, value in observation.items()})
        seen = numbers.abs().amax(dim=0).clamp(min=LEAST_UNIT)
        unit = torch.where(self.bounded, self.unit, seen)
        first = self.encoder.layers[0]
        assert isinstance(first, nn.Linear)
        first.weight.mul_(unit / self.unit)
        self.unit.copy_(unit)

    def _numbers(self, observation: Observation) -> Tensor:
        return torch.cat([_as_numbers(observation[name]).flatten(1) for name in self.names], dim=1)


def settle(network: nn.Module, observation: Observation) -> None:
    """Call `NumbersEncoder.settle` wherever there is one in a network."""
    for module in network.modules():
        if isinstance(module, NumbersEncoder):
            module.settle(observation)


def network_for(specs: Mapping[str, ObservationSpec], num_actions: int) -> DuelingQNetwork:
    """Dueling heads on the encoder that fits: convolutions where grids of 8 x 8 and more are shown, else a perceptron."""
    shapes = {name: spec.shape for name, spec in specs.items()}
    grids = {shape[1:] for shape in shapes.values() if len(shape) == 3 and min(shape[1:]) >= 8}
    flat = all(len(shape) != 3 or shape[1:] in grids for shape in shapes.values())
    encoder = GridEncoder(shapes) if len(grids) == 1 and flat else NumbersEncoder(specs)
    return DuelingQNetwork(encoder, FEATURES, num_actions)


def _bounds(spec: ObservationSpec) -> Tensor:
    """Largest magnitude of each number of a part, as a network is told it, (numbers,)."""
    count = torch.Size(spec.shape).numel()
    if spec.dtype in (torch.uint8, torch.bool):
        return torch.ones(count)
    largest = spec.largest or (max(abs(spec.low), abs(spec.high)),) * count
    return torch.tensor(largest, dtype=torch.float32)


def _as_numbers(value: Tensor) -> Tensor:
    return value.float() / 255 if value.dtype == torch.uint8 else value.float()
