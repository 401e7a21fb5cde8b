"""`TransitionVAE`: what will be seen, paid and ended, given what is seen and done; a conditional VAE of one step.

Prior p(z | state, action), posterior q(z | state, action, outcome), decoder of the outcome from all three (Sohn, Lee and
Yan, *Learning Structured Output Representation using Deep Conditional Generative Models*, NeurIPS 2015). z holds what
chance decides. Perceptrons for numbers, convolutions for grids.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clairvoy.errors import at_least
from clairvoy.generative.losses import kl_divergence
from clairvoy.generative.rows.vae import Latent
from clairvoy.generative.transitions.outcomes import Outcomes

CELLS = 16
"""A grid wider than this is cut into patches first, as far as it divides."""


@dataclass(frozen=True)
class TransitionVAESettings:
    """The size of a `TransitionVAE`."""

    latent: int = 6
    """Numbers in z."""
    width: int = 128
    """Width of the hidden layers of perceptrons, and of the last features."""
    channels: int = 24
    """Channels of the convolutions."""

    def __post_init__(self) -> None:
        at_least(self, 1, "latent", "width", "channels")


class TransitionVAE(nn.Module):
    """One step of a world.

    Parameters
    ----------
    outcomes
        How states and outcomes are encoded; shared by an ensemble, so not a part of this module's weights.
    num_actions
        Number of actions A.
    settings
        See `TransitionVAESettings`.
    """

    def __init__(
        self, outcomes: Outcomes, num_actions: int, settings: TransitionVAESettings | None = None
    ) -> None:
        super().__init__()
        self._outcomes = (outcomes,)
        self.num_actions, self.settings = num_actions, settings or TransitionVAESettings()
        latent = self.settings.latent
        net = _Perceptrons if outcomes.sight == "numbers" else _Convolutions
        self.net = net(outcomes, num_actions, self.settings)
        self.encoder = new_encoder(outcomes, num_actions, self.settings)
        self.prior = nn.Linear(self.net.context_features, 2 * latent)
        self.posterior = nn.Linear(self.settings.width, 2 * latent)
        # Both begin as a standard normal.
        for layer in (self.prior, self.posterior):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    @property
    def outcomes(self) -> Outcomes:
        """How states and outcomes are encoded."""
        return self._outcomes[0]

    @property
    def last_layer(self) -> Tensor:
        """Weights of the decoder's last layer, where the gradients of the losses are compared."""
        return self.net.last.weight

    def loss(self, state: Tensor, action: Tensor, outcome: Tensor, noise: torch.Generator) -> Tensor:
        """Negative evidence lower bound (B,) in nats for each entry of an outcome.

        `state` as `Outcomes.encode_state` gives it, `action` (B,) int64, `outcome` as `Outcomes.encode` gives it.
        """
        hot = self._hot(action)
        context = self.net.context(state, hot)
        prior = self._latent(self.prior(self.net.summary(context)))
        posterior = self._latent(self.posterior(self.encoder(state, hot, outcome)))
        drawn = torch.randn(posterior.mean.shape, generator=noise).to(posterior.mean.device)
        z = posterior.mean + torch.exp(0.5 * posterior.log_variance) * drawn
        kind = self.outcomes.kind
        return (
            kind.nats(self.net.decode(state, context, z), outcome) + kl_divergence(posterior, prior)
        ) / kind.entries

    def predict(self, state: Tensor, action: Tensor, noise: torch.Generator) -> Tensor:
        """Means of numbers, logits of bits (B, kind.width) of what follows, for a z drawn from the prior."""
        context = self.net.context(state, self._hot(action))
        prior = self._latent(self.prior(self.net.summary(context)))
        drawn = torch.randn(prior.mean.shape, generator=noise).to(prior.mean.device)
        outputs: Tensor = self.net.decode(
            state, context, prior.mean + torch.exp(0.5 * prior.log_variance) * drawn
        )
        return outputs

    def expect(self, state: Tensor, action: Tensor) -> Tensor:
        """Means of numbers, chances of bits (B, kind.width) of what follows, for the z that is likeliest beforehand."""
        context = self.net.context(state, self._hot(action))
        prior = self._latent(self.prior(self.net.summary(context)))
        outputs: Tensor = self.net.decode(state, context, prior.mean)
        numbers = len(self.outcomes.kind.numbers)
        return torch.cat([outputs[:, :numbers], torch.sigmoid(outputs[:, numbers:])], dim=1)

    def _hot(self, action: Tensor) -> Tensor:
        return F.one_hot(action, self.num_actions).float()

    def _latent(self, parameters: Tensor) -> Latent:
        mean, log_variance = parameters.chunk(2, dim=1)
        return Latent(mean, log_variance.clamp(-8, 4))


class TransitionDiscriminator(nn.Module):
    """Is a transition real? Sees it as it is, and how far it is from what the generators expect.

    The log ratio that it learns is one of likelihoods, and a generator's likelihood is a function of that distance: it need
    not be found in the raw numbers, where a world and a good model of it differ in the second digit.
    """

    def __init__(
        self, outcomes: Outcomes, num_actions: int, settings: TransitionVAESettings | None = None
    ) -> None:
        super().__init__()
        self.num_actions, settings = num_actions, settings or TransitionVAESettings()
        self.encoder = new_encoder(outcomes, num_actions, settings, parts=2)
        self.head = nn.Linear(settings.width, 1)

    def forward(self, state: Tensor, action: Tensor, outcome: Tensor, distance: Tensor) -> Tensor:
        """Logits (B,): the log ratio of the densities of real and generated transitions.

        `outcome` and `distance` (B, kind.width): what came, encoded, and how far that is from what was expected.
        """
        hot = F.one_hot(action, self.num_actions).float()
        logits: Tensor = self.head(self.encoder(state, hot, outcome, distance))
        return logits[:, 0]


def new_encoder(
    outcomes: Outcomes, num_actions: int, settings: TransitionVAESettings, parts: int = 1
) -> nn.Module:
    """Layers from encoded state, action (one-hot) and `parts` vectors in an outcome's order to features (B, width)."""
    encoder = _NumbersEncoder if outcomes.sight == "numbers" else _GridEncoder
    return encoder(outcomes, num_actions, settings, parts)


class _NumbersEncoder(nn.Module):
    """Perceptrons on all of it."""

    def __init__(
        self, outcomes: Outcomes, num_actions: int, settings: TransitionVAESettings, parts: int
    ) -> None:
        super().__init__()
        width = settings.width
        inputs = torch.Size(outcomes.shape).numel() + num_actions + parts * outcomes.kind.width
        self.layers = nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())

    def forward(self, state: Tensor, hot: Tensor, *parts: Tensor) -> Tensor:
        features: Tensor = self.layers(torch.cat([state, hot, *parts], dim=1))
        return features


class _GridEncoder(nn.Module):
    """Convolutions on what was and what is seen; action, reward and end join behind them."""

    def __init__(
        self, outcomes: Outcomes, num_actions: int, settings: TransitionVAESettings, parts: int
    ) -> None:
        super().__init__()
        channels, height, across = outcomes.shape
        side = _patch_side(height, across)
        self.sight, self.predicted = outcomes.sight, outcomes.predicted
        inputs = (channels + parts * outcomes.predicted[0]) * side * side
        self.patches = nn.PixelUnshuffle(side)
        self.convolutions = nn.Sequential(
            nn.Conv2d(inputs, 16, 3, padding=1), nn.SiLU(), nn.Flatten(),
            nn.Linear(16 * (height // side) * (across // side), settings.width), nn.SiLU(),
        )  # fmt: skip
        self.join = nn.Sequential(
            nn.Linear(settings.width + num_actions + 2 * parts, settings.width), nn.SiLU()
        )

    def forward(self, state: Tensor, hot: Tensor, *parts: Tensor) -> Tensor:
        grids, scalars = [self.patches(state)], []
        for part in parts:
            # In an encoded outcome the numbers come before the bits.
            if self.sight == "bits":
                scalar, seen = part[:, [0, -1]], part[:, 1:-1]
            else:
                scalar, seen = part[:, -2:], part[:, :-2]
            grids.append(self.patches(seen.reshape(-1, *self.predicted)))
            scalars.append(scalar)
        features: Tensor = self.convolutions(torch.cat(grids, dim=1))
        features = self.join(torch.cat([features, hot, *scalars], dim=1))
        return features


def _patch_side(height: int, across: int) -> int:
    sides = [side for side in range(1, min(height, across) + 1) if not (height % side or across % side)]
    return next((side for side in sides if max(height, across) // side <= CELLS), sides[-1])


class _Perceptrons(nn.Module):
    """For states that are numbers.

    Whether it ends is read off a part of its own, which is told no number beyond those that were seen. The ends of a young
    world come with whatever else was large then; far outside, the odds that follow from this grow without bound, and an
    episode that goes well leads there.
    """

    def __init__(self, outcomes: Outcomes, num_actions: int, settings: TransitionVAESettings) -> None:
        super().__init__()
        # In a tuple, so that it is no part of this module's weights.
        self._outcomes = (outcomes,)
        inputs = torch.Size(outcomes.shape).numel() + num_actions
        width = self.context_features = settings.width
        self.context_layers = nn.Sequential(
            nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.decoder = nn.Sequential(nn.Linear(width + settings.latent, width), nn.SiLU())
        self.last = nn.Linear(width, outcomes.kind.width - 1)
        half = max(1, width // 2)
        self.end_context = nn.Sequential(nn.Linear(inputs, half), nn.SiLU())
        self.end = nn.Sequential(nn.Linear(half + settings.latent, half), nn.SiLU(), nn.Linear(half, 1))

    def context(self, state: Tensor, hot: Tensor) -> Tensor:
        known = self._outcomes[0].within(state)
        of_end: Tensor = self.end_context(torch.cat([known, hot], dim=1))
        return torch.cat([self.context_layers(torch.cat([state, hot], dim=1)), of_end], dim=1)

    def summary(self, context: Tensor) -> Tensor:
        return context[:, : self.context_features]

    def decode(self, state: Tensor, context: Tensor, z: Tensor) -> Tensor:
        numbers = self.last(self.decoder(torch.cat([self.summary(context), z], dim=1)))
        of_end = context[:, self.context_features :]
        return torch.cat([numbers, self.end(torch.cat([of_end, z], dim=1))], dim=1)


class _Convolutions(nn.Module):
    """For states that are grids: what is near decides, wherever it is; reward and end are read off the whole."""

    def __init__(self, outcomes: Outcomes, num_actions: int, settings: TransitionVAESettings) -> None:
        super().__init__()
        channels, height, across = outcomes.shape
        side = _patch_side(height, across)
        cells = (height // side, across // side)
        self.sight, self.predicted = outcomes.sight, outcomes.predicted
        inputs, width = channels * side * side, settings.channels
        said = outcomes.predicted[0] * side * side
        self.context_features = 2 * width
        self.patches, self.whole = nn.PixelUnshuffle(side), nn.PixelShuffle(side)
        self.context_layers = nn.Sequential(
            nn.Conv2d(inputs + num_actions, width, 3, padding=1), nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.SiLU(),
        )  # fmt: skip
        self.field = nn.Sequential(
            nn.Linear(settings.latent, 8 * cells[0] * cells[1]), nn.SiLU(), nn.Unflatten(1, (8, *cells))
        )
        self.decoder = nn.Sequential(nn.Conv2d(width + 8, width, 3, padding=1), nn.SiLU())
        self.last = nn.Conv2d(width, said, 1)
        self.scalars = nn.Sequential(nn.Linear(2 * width + settings.latent, 64), nn.SiLU(), nn.Linear(64, 2))
        # What is there stays, to begin with.
        self.stays = nn.Parameter(torch.full((said, 1, 1), 2.0 if self.sight == "bits" else 1.0))
        nn.init.zeros_(self.last.weight)

    def context(self, state: Tensor, hot: Tensor) -> Tensor:
        grid = self.patches(state)
        hot = hot[:, :, None, None].expand(-1, -1, *grid.shape[2:])
        context: Tensor = self.context_layers(torch.cat([grid, hot], dim=1))
        return context

    def summary(self, context: Tensor) -> Tensor:
        return torch.cat([context.amax(dim=(2, 3)), context.mean(dim=(2, 3))], dim=1)

    def decode(self, state: Tensor, context: Tensor, z: Tensor) -> Tensor:
        said = self.last(self.decoder(torch.cat([context, self.field(z)], dim=1)))
        before = self.patches(state if self.sight == "bits" else state[:, -self.predicted[0] :])
        said = said + self.stays * (2 * before - 1 if self.sight == "bits" else before)
        seen = self.whole(said).flatten(1)
        scalars = self.scalars(torch.cat([self.summary(context), z], dim=1))
        if self.sight == "bits":
            return torch.cat([scalars[:, :1], seen, scalars[:, 1:]], dim=1)
        return torch.cat([seen, scalars], dim=1)
