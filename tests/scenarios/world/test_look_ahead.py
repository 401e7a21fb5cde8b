"""Look-ahead in a world in closed form: what outcomes are worth, where it looks, and what makes it change its mind."""

import pytest
import torch
from torch import nn

from clairvoy.errors import InputError, SettingsError
from clairvoy.qlearning.agent import Agent
from clairvoy.qlearning.transitions import Transitions
from clairvoy.scenarios.world.learnt_world import Imagined
from clairvoy.scenarios.world.look_ahead import LookAhead, LookAheadSettings, uncertainty

GAMMA = 0.5


class Line:
    """From x the actions 0, 1, 2 lead to x - 1, x, x + 1; x is paid where one arrives; it ends at 5 and beyond."""

    name, num_actions = "at", 3

    def __init__(self, tau=1.0, noise=0.0):
        self.tau, self.noise, self.batches = tau, noise, []
        self.rng = torch.Generator().manual_seed(0)

    def imagine(self, states, actions):
        self.batches.append(len(states))
        then = states + actions[:, None] - 1
        paid = then[:, 0] + self.noise * torch.randn(len(then), generator=self.rng)
        tau = torch.full((len(then),), self.tau)
        return Imagined(then, paid, then[:, 0] >= 5, tau, tau, torch.isfinite(paid))


class Says(nn.Module):
    """Q-values of a fixed preference for an action, whatever the state."""

    def __init__(self, *q):
        super().__init__()
        self.q = nn.Parameter(torch.tensor(q))

    def forward(self, observation):
        return self.q.expand(len(observation["at"]), -1)


def looking(q=(0.0, 0.1, 0.0), world=None, doubt=0.2, **settings):
    settings = LookAheadSettings(**{"steps": 1, "draws": 2, "gamma": GAMMA} | settings)
    return LookAhead(Agent(Says(*q)), world or Line(), doubt, settings)


def at(*states):
    return {"at": torch.tensor(states)[:, None]}


def test_outcomes_are_what_is_paid_and_what_the_agent_hopes_for_after_it():
    ahead = looking(q=(0.0, 0.0, 3.0), steps=3)
    value, error, tau = ahead.outcomes(torch.tensor([[0.0], [2.0]]))
    # After the first action the agent goes right: x, x + 1, x + 2; then what it hopes for, unless it has ended.
    expected = [
        [x + GAMMA * (x + 1) + GAMMA**2 * (x + 2) + GAMMA**3 * 3 for x in (-1, 0, 1)],
        [1 + GAMMA * 2 + GAMMA**2 * 3 + GAMMA**3 * 3, 2 + GAMMA * 3 + GAMMA**2 * 4 + GAMMA**3 * 3,
         3 + GAMMA * 4 + GAMMA**2 * 5],
    ]  # fmt: skip
    torch.testing.assert_close(value, torch.tensor(expected))
    assert error.eq(0).all()
    assert tau.eq(1).all()
    assert ahead.world.batches == [2 * 3 * 2] * 3  # all states, actions and draws at once


def test_it_takes_the_action_that_its_world_is_sure_is_better():
    ahead = looking()
    assert ahead(at(1.0, 2.0)).tolist() == [2, 2]
    assert (ahead.decisions, ahead.looked, ahead.changed) == (2, 2, 2)


def test_where_q_values_are_told_apart_it_does_not_look():
    ahead = looking(q=(0.0, 0.5, 0.0), doubt=0.2)
    assert ahead(at(1.0)).tolist() == [1]
    assert (ahead.looked, ahead.world.batches) == (0, [])


@pytest.mark.parametrize(("changes", "chosen"), [
    ({}, 2),
    ({"confidence": 6.0}, 1),  # right is worth 1 more, and that is no more than 6 times the doubt
    ({"world": Line(tau=0.1)}, 1),  # a world that is not sure
    ({"world": Line(noise=30.0)}, 1),  # draws that differ more than their means
])  # fmt: skip
def test_the_agent_keeps_its_own_mind_unless_the_difference_is_sure(changes, chosen):
    assert looking(**changes)(at(1.0)).tolist() == [chosen]


def test_what_is_not_allowed_is_not_chosen():
    mask = torch.tensor([[True, True, False], [True, True, True]])
    assert looking()(at(1.0, 1.0), mask).tolist() == [1, 2]


def test_what_is_no_number_convinces_nobody():
    class Broken(Line):
        def imagine(self, states, actions):
            made = super().imagine(states, actions)
            paid = torch.where(actions == 2, torch.inf, made.reward)
            return made._replace(reward=paid, finite=torch.isfinite(paid))

    assert looking(world=Broken(), steps=2)(at(1.0)).tolist() == [1]


def test_uncertainty_is_the_root_mean_square_of_td_errors():
    steps = Transitions(
        at(0.0, 1.0), torch.tensor([0, 1]), torch.tensor([1.0, 2.0]), torch.tensor([0.9, 0.0]), at(1.0, 2.0),
        torch.ones(2, 3, dtype=torch.bool), torch.zeros(2, dtype=torch.uint8), torch.ones(2),
    )  # fmt: skip
    first, second = 1 + 0.9 * 4 - 2, 2 - 3
    assert uncertainty(Agent(Says(2.0, 3.0, 4.0)), steps) == pytest.approx(
        ((first**2 + second**2) / 2) ** 0.5
    )


def test_bad_settings():
    for name, value in (("steps", 0), ("draws", 1), ("gamma", 1.5), ("confidence", 0.0)):
        with pytest.raises(SettingsError, match=f"{name} is {value}"):
            LookAheadSettings(**{name: value})
    with pytest.raises(InputError, match="doubt is -1"):
        looking(doubt=-1.0)
