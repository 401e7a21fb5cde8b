"""The game of triage: what each end is worth, what may be done, what is seen."""

import pytest
import torch

from clairvoy.generative.rows.data_kinds import table
from clairvoy.scenarios.flows.beliefs import Beliefs
from clairvoy.scenarios.flows.steps import steps_of
from clairvoy.scenarios.flows.triage import ALARM, OPEN, PASS, PERSON, Triage, TriageSettings
from clairvoy.scenarios.own.scene_environment import SceneEnvironment

# Two numbers in two groups, then the class: 0 is harmless, 1 and 2 are attacks.
ROWS = torch.tensor([[1.0, 2.0, 0], [3.0, 4.0, 1], [5.0, 6.0, 2], [7.0, 8.0, 2]])
SETTINGS = TriageSettings(other_class=0.25, missed=3.0, false_alarm=2.0, person=0.5, looking=0.4)


class Always(Beliefs):
    """Believes in class 1 whatever it sees."""

    def forward(self, encoded, opened):
        return torch.tensor([[0.0, 1.0, -1.0]]).expand(len(encoded), 3)


@pytest.fixture
def triage():
    return Triage(
        table(ROWS, [0, 0, 3]),
        Always(torch.tensor([0, 1]), 3, 1, steps_of(ROWS[:, :2]), 8),
        1,
        torch.tensor([1.0, 3.0]),
        SETTINGS,
    )


def test_what_ends_are_worth(triage):
    truth = torch.tensor([0, 1, 2])
    believed = triage.beliefs(torch.zeros(3, 2), torch.ones(3, 2))
    worth = lambda end: triage.worth(torch.full((3,), end), truth, believed).tolist()  # noqa: E731
    assert worth(PASS) == [1.0, -3.0, -3.0]
    assert worth(ALARM) == [-2.0, 1.0, 0.25]  # class 1 is believed, so the third is taken for another attack
    assert worth(PERSON) == [0.5, 0.5, 0.5]


def test_a_group_costs_its_share(triage):
    state = triage.begin(ROWS, torch.Generator())
    state, reward, over = triage.act(ROWS, state, torch.tensor([OPEN, OPEN + 1, OPEN, OPEN + 1]))
    assert reward.tolist() == pytest.approx([-0.1, -0.3, -0.1, -0.3])
    assert state["opened"].tolist() == [[True, False], [False, True]] * 2
    assert not over.any()
    _, reward, over = triage.act(ROWS, state, torch.full((4,), PASS))
    assert reward.tolist() == [1.0, -3.0, -3.0, -3.0]
    assert over.all()


def test_nothing_ends_unseen_and_nothing_is_opened_twice(triage):
    opened = torch.tensor([[False, False], [True, False], [True, True]])
    assert triage.allowed(opened).tolist() == [
        [False] * 3 + [True, True],
        [True] * 3 + [False, True],
        [True] * 3 + [False, False],
    ]


def test_the_class_is_not_shown(triage):
    one, other = ROWS.clone(), ROWS.clone()
    other[:, -1] = 1 + other[:, -1] % 2
    state = {"opened": torch.ones(4, 2, dtype=torch.bool)}
    shown, again = triage.show(one, state), triage.show(other, state)
    for name in shown:
        assert torch.equal(shown[name], again[name])


def test_it_is_played_as_an_environment(triage):
    environment = SceneEnvironment(ROWS, 4, triage.rules)
    environment.reset(torch.Generator().manual_seed(0))
    assert environment.num_actions == 5
    step = environment.step(torch.full((4,), OPEN))
    assert not step.done.any()
    step = environment.step(torch.full((4,), ALARM))
    assert step.terminated.all()
    assert not environment.observation["opened"].any()
