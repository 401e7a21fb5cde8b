"""What the runtime asks trained parts, as modules of tensors alone: each is exported as one ONNX graph.

Nothing is computed here that the parts do not compute themselves; only inputs and outputs are put into the order that
`restoring.engine` names.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clairvoy.generative.density.bilateral_grid import slice_grid
from clairvoy.generative.density.calibration import Calibration
from clairvoy.generative.density.discriminator import Discriminator
from clairvoy.generative.density.perception import Others, Perceiver, field_noise
from clairvoy.generative.density.picture_size import AREA, LEAST, MOST, STRIDE
from clairvoy.generative.density.sampler import Noise, candidates
from clairvoy.generative.density.vae import DensityVAE
from clairvoy.searching.network import SearchQNetwork

DRAWS = 2
"""Of the field, for the spread."""


class PerceptionGraph(nn.Module):
    """What generator, discriminator and calibration believe of pictures at their working size."""

    def __init__(self, generator: DensityVAE, discriminator: Discriminator, calibration: Calibration) -> None:
        super().__init__()
        self.generator, self.discriminator, self.calibration = generator, discriminator, calibration
        self.noise = field_noise(DRAWS, generator.settings.latent)

    def forward(
        self, picture: Tensor, others_grid: Tensor, others_airlight: Tensor, others_share: Tensor
    ) -> tuple[Tensor, ...]:
        """See `restoring.engine.Perceived` for what comes out, and `perception.Others` for what was seen before."""
        perceiver = Perceiver(self.generator, self.discriminator, self.calibration)
        rows, cols = (torch._shape_as_tensor(picture)[axis] // STRIDE for axis in (2, 3))
        others = Others(others_grid, others_airlight[:, :, None, None], others_share)
        seen = perceiver.perceive_with(picture, self.noise[..., :rows, :cols], others)
        tau, tau_db = self.calibration.of_picture(seen.signs)
        return (
            seen.grid, seen.airlight.flatten(1), seen.haze, seen.spread, seen.clear, perceiver.tau(seen), tau, tau_db,
            self.calibration.appearance_logit(seen.appearance), seen.signs,
        )  # fmt: skip


class DrawsGraph(nn.Module):
    """Restorations of one picture to choose from, see `sampler.candidates`."""

    def __init__(self, generator: DensityVAE, discriminator: Discriminator) -> None:
        super().__init__()
        self.generator, self.discriminator = generator, discriminator

    def forward(
        self, picture: Tensor, field: Tensor, density: Tensor, brightness: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Grids, airlights (n, 3) and beliefs (n,) of n draws; density and brightness (n,)."""
        noise = Noise(field, density[:, None, None, None], brightness[:, None, None, None])
        found = candidates(self.generator, self.discriminator, picture, noise)
        return found.grid, found.airlight.flatten(1), found.belief


class AgentGraph(nn.Module):
    """Values of the five actions, from what `glimpse.observe_window` tells."""

    def __init__(self, agent: SearchQNetwork) -> None:
        super().__init__()
        self.agent = agent

    def forward(
        self, window: Tensor, belief: Tensor, memory: Tensor, position: Tensor, guides: Tensor
    ) -> Tensor:
        """Q-values (N, 5)."""
        observation = {
            "window": window, "belief": belief, "memory": memory, "position": position, "guides": guides,
        }  # fmt: skip
        values: Tensor = self.agent(observation)
        return values


class RestorationGraph(nn.Module):
    """The restoration by force of a picture of any size, sizes and all: for other programs, with no Python around it.

    Perception at low resolution is part of the graph. A mean over fractions of pixels, and linear interpolation where a
    small picture is enlarged, are both a product with a matrix on either side, and the matrices are computed from the
    height and width; so it perceives what `Dehazer` does, but for the rounding of 8-bit pixels there. Whether there is haze
    is the agent's word, and the agent stays behind; so do the limits of `restoring.noise`.
    """

    def __init__(self, generator: DensityVAE) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, picture: Tensor, strength: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Restored picture, optical depth and airlight (1, 3), from (1, 3, H, W) in [0, 1] and (1,) in [0, 1]."""
        size = torch._shape_as_tensor(picture)[2:].float()
        scale = torch.sqrt(AREA / (size[0] * size[1]))
        small = (torch.round(size * scale / STRIDE) * STRIDE).clamp(LEAST, MOST)
        shrinks = (size >= small).all()
        rows, columns = (resampling(size[k], small[k], shrinks) for k in (0, 1))
        generator, seen = self.generator, rows @ picture @ columns.T
        posterior = generator.encode(seen)
        airlight, grid = posterior.airlight, generator.decode(posterior.mean, posterior.density)
        od = slice_grid(grid, generator.guide(picture))
        restored = (picture - airlight) * torch.exp(strength * od) + airlight
        return restored.clamp(0, 1), od, airlight.flatten(1)


def resampling(old: Tensor, new: Tensor, shrinks: Tensor) -> Tensor:
    """Matrix (new, old) that resamples a line: means over areas where it `shrinks`, else linear interpolation.

    Parameters
    ----------
    old, new
        Lengths, float scalars.
    shrinks
        Bool scalar.
    """
    target, source = _count(new)[:, None], _count(old)[None]
    step = old / new
    overlap = torch.minimum((target + 1) * step, source + 1) - torch.maximum(target * step, source)
    place = torch.minimum(((target + 0.5) * step - 0.5).clamp(min=0), old - 1)
    return torch.where(shrinks, overlap.clamp(min=0) / step, (1 - (place - source).abs()).clamp(min=0))


def _count(length: Tensor) -> Tensor:
    """0, 1, ... as floats; the length is a tensor, so that it stays part of the graph."""
    return torch.arange(length).float()  # type: ignore[call-overload]
