"""Generated rows are used where flows held back say so: good ones are, spoilt ones are not."""

import pytest
import torch

from clairvoy.scenarios.flows.beliefs import Beliefs, BeliefSettings
from clairvoy.scenarios.flows.helping import which_help, with_generated
from clairvoy.scenarios.flows.steps import steps_of

SETTINGS = BeliefSettings(
    width=16, voters=1, updates=150, batch=64, learning_rate=5e-3, blur=0.05, closed=0.0
)


def ring(count, number, seed):
    """Class 0 lies in the middle, class 1 on a circle around it."""
    noise = torch.Generator().manual_seed(seed)
    turn = torch.rand(count, generator=noise) * 6.2832
    around = 1.5 * torch.stack([turn.cos(), turn.sin()], 1) if number else 0
    return around + 0.2 * torch.randn(count, 2, generator=noise), torch.full((count,), number)


def new_beliefs(size, seed):
    torch.manual_seed(seed)
    return Beliefs(torch.tensor([0, 1]), 2, 1, steps_of(LEARNT[0]), size.width, size.voters)


def joined(*parts):
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


LEARNT = joined(ring(300, 0, 0), ring(4, 1, 1))  # four points of a circle do not tell it
TUNING = joined(ring(150, 0, 2), ring(150, 1, 3))


def test_true_rows_help():
    (found,) = which_help(
        ("calm", "storm"), LEARNT, ring(200, 1, 4), TUNING, new_beliefs, SETTINGS, 0.5, (0, 1)
    )
    assert (found.name, found.made, found.helps) == ("storm", 200, True)
    assert found.gain.low > 0.05


def test_rows_that_lie_elsewhere_do_not():
    enough = joined(ring(300, 0, 0), ring(100, 1, 1))
    wrong = ring(200, 0, 4)[0], torch.ones(200, dtype=torch.int64)
    (found,) = which_help(("calm", "storm"), enough, wrong, TUNING, new_beliefs, SETTINGS, 0.5, (0, 1))
    assert not found.helps
    assert found.gain.value < 0
    assert found.to_dict()["helps"] is False


def test_a_class_of_which_none_were_made_is_not_tried():
    assert (
        which_help(
            ("calm", "storm"),
            LEARNT,
            (LEARNT[0][:0], LEARNT[1][:0]),
            TUNING,
            new_beliefs,
            SETTINGS,
            0.5,
            (0,),
        )
        == []
    )


def test_generated_rows_have_their_share_of_the_draws():
    encoded, classes, weights = with_generated(*LEARNT, *ring(40, 1, 5), 0.25)
    storm = classes == 1
    made = torch.arange(len(encoded)) >= len(LEARNT[0])
    assert float(weights[made].sum() / weights[storm].sum()) == pytest.approx(0.25)
    assert weights[~made].eq(1).all()


def test_of_too_few_flows_nothing_is_said():
    few = joined(ring(150, 0, 2), ring(9, 1, 3))
    (found,) = which_help(("calm", "storm"), LEARNT, ring(200, 1, 4), few, new_beliefs, SETTINGS, 0.5, (0,))
    assert found.gain.low > 0
    assert (found.held_back, found.helps) == (9, False)
