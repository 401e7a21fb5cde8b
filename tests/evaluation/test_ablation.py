"""What the runs of an ablation say together."""

import pytest

from clairvoy.drawing.ablation_figure import draw, ticks
from clairvoy.errors import InputError
from clairvoy.evaluation.ablation import APART, ARMS, MEASURES, SAMPLERS, Ablation, AblationRun


def ablation(gain):
    """Five seeds that differ by whole units; "both" is better by `gain` in each."""
    runs = []
    for seed in range(5):
        for arm in ARMS:
            measures = dict.fromkeys(MEASURES, 10.0 + seed + (gain if arm == "both" else 0.0))
            samplers = {name: float(rank) for rank, name in enumerate(SAMPLERS)}
            runs.append(AblationRun(arm, seed, measures, samplers, 100, 3200, 1.0))
    return Ablation(runs)


def test_pairs_find_a_gain_that_the_spread_of_seeds_hides():
    found = ablation(0.1)
    level, gain = found.level("both", "return"), found.gain("both", "return")
    assert level.value == pytest.approx(12.1)
    assert level.low < 12.0  # the levels of the arms overlap by far
    assert (gain.value, gain.low, gain.high) == pytest.approx((0.1, 0.1, 0.1))
    assert set(found.claims().values()) == {True}


def test_no_gain_and_a_loss_are_not_established():
    assert set(ablation(0.0).claims().values()) == {False}
    assert set(ablation(-0.1).claims().values()) == {False}


def test_seeds_that_an_arm_lacks_are_left_out():
    whole = ablation(0.1)
    runs = [run for run in whole.runs if not (run.arm == APART and run.seed == 4)]
    found = Ablation(runs)
    assert found.seeds() == [0, 1, 2, 3]
    assert found.gain("both", "return").runs == 4


def test_samplers_are_compared_within_each_run():
    assert ablation(0.0).sampler_gain("rejection").value == pytest.approx(1.0)


def test_the_table_names_all_arms_and_marks_what_excludes_zero():
    table = ablation(0.1).table()
    assert "| both − apart | **+0.10 [+0.10, +0.10]** |" in table  # restoration
    assert "| generator helps agent − apart | +0.00 [+0.00, +0.00] |" in table


@pytest.mark.slow
def test_the_figure_shows_every_arm_in_its_colour():
    from clairvoy.drawing.palette import PAPER_SERIES

    picture = draw(ablation(0.5))
    colours = {tuple(colour) for colour in picture.reshape(-1, 3)[::1].tolist()}
    assert set(PAPER_SERIES[: len(ARMS)]) <= colours


def test_ticks_are_round_and_few():
    assert ticks(0.0, 1.0) == pytest.approx([0.0, 0.5, 1.0])
    assert ticks(15.7, 18.2) == pytest.approx([16.0, 17.0, 18.0])
    assert len(ticks(-1234.0, 999.0)) <= 5


def test_nothing_to_compare():
    with pytest.raises(InputError, match="no runs"):
        Ablation([])
