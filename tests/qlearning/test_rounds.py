"""The one driver of rounds: what stops it, what it saves, and that a resumed run is the uninterrupted one."""

import pytest

from clairvoy.errors import SettingsError, WeightsError
from clairvoy.qlearning.evaluated import EvaluatedTraining
from clairvoy.qlearning.rounds import Limits, OutOfTimeError, run_rounds
from clairvoy.storage.run_file import load_run, save_run


class Sum:
    """Adds up the numbers of its rounds; `budget` of them."""

    agent = None

    def __init__(self, budget=6, broken=None):
        self.budget, self.broken, self.steps, self.total, self.whole = budget, broken, 0, 0, True

    @property
    def count(self):
        return self.steps

    @property
    def over(self):
        return self.steps >= self.budget

    def round(self):
        self.whole = False
        self.steps += 1
        if self.steps == self.broken:
            raise KeyboardInterrupt
        self.total += self.steps
        self.whole = True
        return {"total": float(self.total)}

    def state_dict(self):
        return {"steps": self.steps, "total": self.total}

    def load_state_dict(self, state):
        self.steps, self.total = state["steps"], state["total"]


def test_rounds_are_done_until_they_are_over_and_told_each():
    rounds, told = Sum(), []
    assert run_rounds(rounds, report=lambda *given: told.append(given))
    assert told == [(k + 1, {"total": total}) for k, total in enumerate((1, 3, 6, 10, 15, 21))]
    assert run_rounds(rounds, report=lambda *given: told.append(given))
    assert len(told) == 6  # nothing was left to do


def at_the_third(what):
    """Something that happens when it is called for the third time."""
    calls = []

    def call(*given):
        calls.append(given)
        return what() if len(calls) == 3 else None

    return call


def interrupt():
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("how", "done"),
    [
        (lambda: {"report": at_the_third(lambda: False)}, 3),
        (lambda: {"report": at_the_third(interrupt)}, 3),
        (lambda: {"limits": Limits(pause=at_the_third(interrupt))}, 2),
    ],
    ids=["the report gives False", "Ctrl-C after a round", "Ctrl-C before a round"],
)
def test_what_stops_them_saves_them_and_they_go_on_from_there(how, done, tmp_path):
    file, rounds = tmp_path / "run.pt", Sum()
    assert not run_rounds(rounds, checkpoint=file, **how())
    assert rounds.steps == load_run(file)["steps"] == done
    again = Sum()
    assert run_rounds(again, checkpoint=file, resume=True)
    assert again.total == 21
    assert load_run(file)["total"] == 21


def test_the_deadline_stops_them_between_two_rounds(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("clairvoy.qlearning.rounds.time.monotonic", lambda: now[0])
    file, rounds = tmp_path / "run.pt", Sum()
    limits = Limits(deadline=3.0)
    assert not run_rounds(
        rounds, limits=limits, checkpoint=file, report=lambda *_: now.__setitem__(0, now[0] + 1)
    )
    assert (rounds.steps, load_run(file)["steps"]) == (3, 3)
    with pytest.raises(OutOfTimeError):
        limits.check()


def test_a_run_stopped_after_its_last_round_is_not_finished_and_has_nothing_left_to_do(tmp_path):
    file = tmp_path / "run.pt"
    assert not run_rounds(Sum(3), checkpoint=file, report=at_the_third(interrupt))
    assert run_rounds(Sum(3), checkpoint=file, resume=True)


def test_a_round_broken_off_is_not_saved_and_what_was_saved_before_is_left(tmp_path):
    file, rounds = tmp_path / "run.pt", Sum(broken=4)
    assert not run_rounds(rounds, checkpoint=file, save_seconds=-1.0)
    assert not rounds.whole
    assert load_run(file)["steps"] == 3
    assert not run_rounds(Sum(broken=1), checkpoint=tmp_path / "none.pt")
    assert not (tmp_path / "none.pt").exists()


def test_an_error_is_not_swallowed(tmp_path):
    with pytest.raises(ZeroDivisionError):
        run_rounds(Sum(), report=lambda *_: 1 / 0)


def test_nothing_to_resume_is_said(tmp_path):
    with pytest.raises(SettingsError, match="resume needs a checkpoint"):
        run_rounds(Sum(), resume=True)
    with pytest.raises(WeightsError, match="no checkpoint to resume from"):
        run_rounds(Sum(), checkpoint=tmp_path / "none.pt", resume=True)
    save_run(tmp_path / "other.pt", {"update": 3})
    for rounds in (Sum(), EvaluatedTraining(Sum(), lambda: (0.0, {}), 2)):
        with pytest.raises(WeightsError, match=r"other.pt: not a checkpoint of this kind of training"):
            run_rounds(rounds, checkpoint=tmp_path / "other.pt", resume=True)
