"""Encoders of grids, and the Q-network that an environment's observations ask for."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from clairvoy.errors import SettingsError
from clairvoy.qlearning.entities import EntityQNetwork
from clairvoy.qlearning.environment import ObservationSpec
from clairvoy.qlearning.qnetwork import DuelingQNetwork, VectorEncoder
from clairvoy.qlearning.transitions import Observation
from clairvoy.qlearning.units import Units

FEATURES = 128
"""Width of what the encoders here return."""
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
    specs
        Shape, type and bounds of each named part: those of three dimensions are grids of one height and width. Each
        channel is divided by its bound, bytes by 255 where no other is given; see `units.Units`.
    features
        Width of what is returned.
    """

    def __init__(self, specs: Mapping[str, ObservationSpec], features: int = FEATURES) -> None:
        super().__init__()
        grids = {name: spec for name, spec in specs.items() if len(spec.shape) == 3}
        others = {name: spec for name, spec in specs.items() if name not in grids}
        sizes = {spec.shape[1:] for spec in grids.values()}
        if len(sizes) != 1:
            raise SettingsError(
                f"the grids are {sorted(sizes)}; GridEncoder takes one or more (C, H, W) of one height and width"
            )
        ((height, width),) = sizes
        side = patch_side(height, width)
        self.grid_units, self.other_units = Units(grids, channels=True), Units(others)
        self.patches = nn.PixelUnshuffle(side)
        self.convolution = nn.Conv2d(len(self.grid_units.unit) * side * side, 16, 3, padding=1)
        cells = 16 * (height // side) * (width // side)
        self.normal = nn.LayerNorm(cells)
        self.linear = nn.Sequential(
            nn.Linear(cells + len(self.other_units.unit), features), nn.LayerNorm(features), nn.ReLU()
        )

    def forward(self, observation: Observation) -> Tensor:
        """Features ``(N, features)``, float32, at least 0."""
        grid = self.patches(self.grid_units(observation))
        cells = torch.relu(self.normal(self.convolution(grid).flatten(1)))
        if self.other_units.names:
            cells = torch.cat([cells, self.other_units(observation)], dim=1)
        features: Tensor = self.linear(cells)
        return features

    @torch.no_grad()
    def settle(self, observation: Observation) -> None:
        """Take the units from observations ``(N, ...)``, N >= 1; see `NumbersEncoder.settle`."""
        ratio = self.grid_units.settle(observation)
        # A channel's patches follow one another.
        each = self.patches.downscale_factor**2
        self.convolution.weight.mul_(ratio.repeat_interleave(each)[None, :, None, None])
        if self.other_units.names:
            first = self.linear[0]
            assert isinstance(first, nn.Linear)
            first.weight[:, -len(self.other_units.unit) :].mul_(self.other_units.settle(observation))


class NumbersEncoder(nn.Module):
    """`VectorEncoder` of numbers in any units.

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

    def __init__(self, specs: Mapping[str, ObservationSpec], features: int = FEATURES) -> None:
        super().__init__()
        self.units = Units(specs)
        self.encoder = VectorEncoder({"numbers": (len(self.units.unit),)}, features)

    @property
    def unit(self) -> Tensor:
        """Of each number, in the order of what is shown, ``(numbers,)``."""
        return self.units.unit

    def forward(self, observation: Observation) -> Tensor:
        """Features ``(N, features)``, float32, at least 0."""
        features: Tensor = self.encoder({"numbers": self.units(observation)})
        return features

    @torch.no_grad()
    def settle(self, observation: Observation) -> None:
        """Take the units from observations ``(N, ...)``, N >= 1."""
        first = self.encoder.layers[0]
        assert isinstance(first, nn.Linear)
        first.weight.mul_(self.units.settle(observation))


def network_for(specs: Mapping[str, ObservationSpec], num_actions: int) -> DuelingQNetwork | EntityQNetwork:
    """Dueling heads on the encoder that fits: convolutions where grids of 8 x 8 and more are shown, else a perceptron.

    Where one part shows many like things (`ObservationSpec.entities`), one network for all of them.

    It keeps the specs in ``network.specs``: a file of `Agent.save` tells by them how to make it again.
    """
    if len(specs) == 1 and all(spec.entities for spec in specs.values()):
        return EntityQNetwork(specs, num_actions)
    shapes = [spec.shape for spec in specs.values()]
    grids = {shape[1:] for shape in shapes if len(shape) == 3 and min(shape[1:]) >= 8}
    flat = all(len(shape) != 3 or shape[1:] in grids for shape in shapes)
    encoder = GridEncoder(specs) if len(grids) == 1 and flat else NumbersEncoder(specs)
    network = DuelingQNetwork(encoder, FEATURES, num_actions)
    network.specs = dict(specs)
    return network
