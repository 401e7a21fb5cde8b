"""What an action led to, as numbers for a network: the change of what is seen, the reward, and whether it ended.

States are what a generator is given, outcomes what it predicts. An outcome is a row of one `DataKind`: of a vector the
change, in units of its spread; of planes of bits the next planes; of stacked frames the newest frame, of a picture all its
channels; then the reward and the end.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from clairvoy.errors import InputError
from clairvoy.generative.rows.data_kinds import DataKind

Sight = Literal["numbers", "bits", "frames"]

FARTHEST = 5.0
"""Units of noise beyond which a distance is no longer told apart."""


def sight_of(state: Tensor) -> Sight:
    """What states (B, ...) are: bool (C, H, W) bits, uint8 (C, H, W) frames, floating point numbers.

    Raises
    ------
    InputError
        Anything else.
    """
    if state.ndim == 4 and state.dtype == torch.bool:
        return "bits"
    if state.ndim == 4 and state.dtype == torch.uint8:
        return "frames"
    if state.is_floating_point():
        return "numbers"
    raise InputError(
        f"states are {tuple(state.shape[1:])} of {state.dtype}; give floating point numbers, bool planes (C, H, W) or "
        "uint8 frames (C, H, W)"
    )


def are_stacked(state: Tensor, next_state: Tensor) -> bool:
    """Whether channels (B, C, ...) are frames, the newest last, of which no more than that is new at the next step.

    Three channels are colours, which change together, unless each is seen to be the one before at the next step.
    """
    return state.shape[1] != 3 or torch.equal(state[:, 1:], next_state[:, :-1])


class Outcomes(nn.Module):
    """Encodes states and outcomes, and goes back.

    Parameters
    ----------
    state, next_state
        Examples, (R, ...) each, R >= 2: their shape and type are settled, their scale can be fitted anew with `fit`.
    reward
        (R,) floating point.
    stacked
        Of uint8: whether the channels are frames, of which the newest alone is predicted; see `are_stacked`.
    """

    state_mean: Tensor
    state_spread: Tensor
    state_least: Tensor
    state_most: Tensor

    def __init__(self, state: Tensor, next_state: Tensor, reward: Tensor, stacked: bool = True) -> None:
        super().__init__()
        self.sight, self.shape = sight_of(state), tuple(state.shape[1:])
        if self.sight == "numbers":
            self.predicted = self.shape
            categories = [0] * state[0].numel()
        else:
            self.predicted = (1, *self.shape[1:]) if stacked and self.sight == "frames" else self.shape
            categories = [int(self.sight == "bits")] * torch.Size(self.predicted).numel()
        rows = self._rows(state, next_state, reward, torch.zeros(len(state), dtype=torch.bool))
        self.kind = DataKind(rows, [*categories, 0, 1])
        self.register_buffer("state_mean", torch.zeros(self.shape if self.sight == "numbers" else ()))
        self.register_buffer("state_spread", torch.ones_like(self.state_mean))
        self.register_buffer("state_least", torch.zeros_like(self.state_mean))
        self.register_buffer("state_most", torch.zeros_like(self.state_mean))
        self.fit(state, next_state, reward)

    @property
    def stacked(self) -> bool:
        """Whether states are frames of which the newest alone is predicted."""
        return self.sight == "frames" and self.predicted != self.shape

    def fit(self, state: Tensor, next_state: Tensor, reward: Tensor) -> None:
        """Take scales from transitions (R, ...): of the states and their bounds, of their changes, of the rewards."""
        entries = len(self.kind.numbers)
        # A reward is counted in units of the largest there was, so that seldom ones weigh neither nothing nor all.
        largest = _unit(reward.abs().max())
        if self.sight == "numbers":
            change = (next_state - state).flatten(1)
            self.kind.mean.copy_(torch.cat([change.mean(dim=0), largest.new_zeros(1)]))
            spread = _unit(change.std(dim=0, correction=0))
            self.kind.spread.copy_(torch.cat([spread, largest[None]]))
            self.state_mean.copy_(state.mean(dim=0))
            self.state_spread.copy_(_unit(state.std(dim=0, correction=0)))
            self.state_least.copy_(state.amin(dim=0))
            self.state_most.copy_(state.amax(dim=0))
        else:
            # Pixels are scaled to [0, 1].
            self.kind.mean.zero_()
            self.kind.spread.copy_(torch.cat([torch.ones(entries - 1), largest[None].cpu()]))

    def encode_state(self, state: Tensor) -> Tensor:
        """What a network is given, (B, ...) float32: standardised numbers, or a grid with values in [0, 1]."""
        if tuple(state.shape[1:]) != self.shape:
            raise InputError(f"states are {tuple(state.shape[1:])}; this generator knows {self.shape}")
        if self.sight == "numbers":
            return ((state.float() - self.state_mean) / self.state_spread).flatten(1)
        return state.float() / 255 if self.sight == "frames" else state.float()

    def within(self, encoded: Tensor) -> Tensor:
        """Encoded states (B, ...), those of numbers brought back to the least and the largest that `fit` has seen."""
        if self.sight != "numbers":
            return encoded
        least, most = (
            ((bound - self.state_mean) / self.state_spread).flatten()
            for bound in (self.state_least, self.state_most)
        )
        return torch.maximum(torch.minimum(encoded, most), least)

    def encode(self, state: Tensor, next_state: Tensor, reward: Tensor, ended: Tensor) -> Tensor:
        """Outcomes as vectors (B, kind.width)."""
        return self.kind.encode(self._rows(state, next_state, reward, ended))

    def decode(self, state: Tensor, outcome: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Next states (B, ...) of the states' type, rewards (B,) and ends (B,) bool that encoded outcomes stand for."""
        rows = self.kind.decode(outcome)
        reward, ended = rows[:, -2], rows[:, -1] > 0.5
        seen = rows[:, :-2].reshape(-1, *self.predicted)
        if self.sight == "numbers":
            return state + seen, reward, ended
        if self.sight == "bits":
            return seen > 0.5, reward, ended
        newest = (seen.clamp(0, 1) * 255).round().to(torch.uint8)
        return torch.cat([state[:, self.predicted[0] :], newest], dim=1), reward, ended

    def draw(self, outputs: Tensor, noise: torch.Generator) -> Tensor:
        """Encoded outcomes (B, kind.width) drawn from what a generator puts out; gradients pass.

        Pixels are drawn as their means: noise of their own would be nothing that any frame has.
        """
        drawn = self.kind.draw(outputs, noise)
        return torch.cat([outputs[:, :-2], drawn[:, -2:]], dim=1) if self.sight == "frames" else drawn

    def distance(self, outcome: Tensor, expected: Tensor) -> Tensor:
        """How far encoded outcomes (B, kind.width) are from expected ones, in units of the noise that is drawn around these.

        Numbers at most `FARTHEST` of these units either way, bits as they are. Gradients reach the outcome alone.
        """
        numbers = len(self.kind.numbers)
        far = outcome - expected.detach()
        scale = self.kind.log_scale.detach().exp()
        return torch.cat([(far[:, :numbers] / scale).clamp(-FARTHEST, FARTHEST), far[:, numbers:]], dim=1)

    @torch.no_grad()
    def gap(self, state: Tensor, predicted: Tensor, true: Tensor) -> Tensor:
        """How far encoded outcomes are from the true ones, (B,) in [0, 1]: 0 is the same, 1 tells nothing.

        The largest of three: of what is seen, of the reward (in units of the largest), of the end (0 or 1). What is
        seen: for numbers the root mean square error in units of the changes' spread; for bits the share of wrong
        ones among those that changed, or were said to (a Jaccard distance); for frames the error as a part of error
        and change together.
        """
        seen, reward, end = predicted[:, :-2], predicted[:, -2], predicted[:, -1]
        truth = true[:, :-2]
        if self.sight == "numbers":
            # In an encoded outcome the numbers come first, all bits after them.
            far = (predicted[:, :-2] - truth).square().mean(dim=1).sqrt()
        elif self.sight == "bits":
            # Numbers first: the reward is entry 0, then the planes, then the end.
            reward, seen, truth = predicted[:, 0], predicted[:, 1:-1] > 0.5, true[:, 1:-1] > 0.5
            before = self.encode_state(state).flatten(1) > 0.5
            wrong = (seen != truth).sum(dim=1)
            touched = ((seen != before) | (truth != before)).sum(dim=1)
            far = wrong / touched.clamp(min=1)
        else:
            before = self.encode_state(state)[:, -self.predicted[0] :].flatten(1)
            error = (seen - truth).square().mean(dim=1).sqrt()
            change = (truth - before).square().mean(dim=1).sqrt()
            far = error / (error + change + 1e-3)
        true_reward = true[:, 0] if self.sight == "bits" else true[:, -2]
        reward_gap, end_gap = (reward - true_reward).abs(), ((end > 0.5) != (true[:, -1] > 0.5)).float()
        return torch.stack([far, reward_gap, end_gap]).amax(dim=0).clamp(max=1)

    def _rows(self, state: Tensor, next_state: Tensor, reward: Tensor, ended: Tensor) -> Tensor:
        if self.sight == "numbers":
            seen = next_state.float() - state.float()
        elif self.sight == "bits":
            seen = next_state.float()
        else:
            seen = next_state[:, -self.predicted[0] :].float() / 255
        return torch.cat([seen.flatten(1), reward.float()[:, None], ended.float()[:, None]], dim=1)


def _unit(spread: Tensor) -> Tensor:
    """What to count in; what never varied so far is counted as it is, or its first change would be a million units."""
    return torch.where(spread > 1e-6, spread, 1.0)
