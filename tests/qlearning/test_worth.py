"""The worth of generated transitions against least squares by hand."""

from dataclasses import replace

import pytest
import torch

from clairvoy.qlearning.dqn import DQN
from clairvoy.qlearning.transitions import GENERATED, REAL, Transitions
from clairvoy.qlearning.worth import worth


class Twice(torch.nn.Module):
    """Q of both actions: what is seen, times a weight; of the second one more."""

    def __init__(self, weight):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(float(weight)))

    def forward(self, observation):
        value = self.weight * observation["at"]
        return torch.cat([value, value + 1], dim=1)


def steps(reward, seen=0.0, then=0.0, discount=0.0, provenance=REAL):
    reward = torch.as_tensor(reward)
    count = len(reward)
    return Transitions(
        {"at": torch.full((count, 1), seen)}, torch.zeros(count, dtype=torch.int64), reward,
        torch.full((count,), discount), {"at": torch.as_tensor(then).expand(count)[:, None]},
        torch.ones(count, 2, dtype=torch.bool), torch.full((count,), provenance, dtype=torch.uint8),
        torch.ones(count),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("happened", "told", "share"),
    [
        ([1.0, 2.0], [1.0, 2.0], 1.0),
        ([1.0, 2.0], [2.0, 4.0], 0.5),
        ([1.0, 2.0], [2.0, 1.0], 4 / 5),
        ([1.0, 1.0], [1.0, -1.0], 0.0),
        ([1.0, 2.0], [-1.0, -2.0], 0.0),  # worse than nothing
        ([1.0, 2.0], [0.5, 1.0], 1.0),  # too careful: no more than all of it
        ([1.0, 2.0], [0.0, 0.0], 0.0),  # nothing to learn from
        ([1.0, 2.0], [float("nan"), 1.0], 0.0),
    ],
)
def test_the_slope_of_what_happened_on_what_was_told(happened, told, share):
    # With these weights Q is 0 and the TD error is the reward.
    assert worth(DQN(Twice(0)), steps(happened), steps(told, provenance=GENERATED)) == pytest.approx(share)


def test_what_is_seen_counts_by_the_value_that_follows_from_it():
    """From 1, by discount 0.5: Q is 3; the best action at x is valued 3 x + 1."""
    agent = DQN(Twice(3))
    real = steps([1.0, 1.0], seen=1.0, then=torch.tensor([2.0, 0.0]), discount=0.5)
    made = replace(real, next_observation={"at": torch.tensor([[3.0], [0.0]])})
    happened, told = [1 + 3.5 - 3, 1 + 0.5 - 3], [1 + 5.0 - 3, 1 + 0.5 - 3]
    expected = (happened[0] * told[0] + happened[1] * told[1]) / (told[0] ** 2 + told[1] ** 2)
    assert worth(agent, real, made) == pytest.approx(expected)
    assert 0.5 < expected < 1


def test_noise_that_says_nothing_is_worth_what_its_energy_allows():
    """Told is what happened, plus noise of three times its size: a tenth of it is true."""
    rng = torch.Generator().manual_seed(0)
    happened = torch.randn(20_000, generator=rng)
    told = happened + 3 * torch.randn(20_000, generator=rng)
    assert worth(DQN(Twice(0)), steps(happened), steps(told)) == pytest.approx(0.1, abs=0.01)
