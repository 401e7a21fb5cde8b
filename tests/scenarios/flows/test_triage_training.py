"""A triage learns a toy network, is kept in a file, and says of what it is sure."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from logs import toy_csv

from clairvoy.errors import WeightsError
from clairvoy.evaluation.aggregate import Interval
from clairvoy.scenarios.flows import training
from clairvoy.scenarios.flows.file import load_flows, save_flows
from clairvoy.scenarios.flows.flags import STRANGE_CLASS, flags_of
from clairvoy.scenarios.flows.helping import Help
from clairvoy.scenarios.flows.measuring import at_false_alarms, f1_scores, measured
from clairvoy.scenarios.flows.records.parting import part
from clairvoy.scenarios.flows.records.reading import read_flows
from clairvoy.scenarios.flows.training import learn_flows
from clairvoy.scenarios.own.scene_environment import SceneEnvironment

DAY = 86_400.0


@pytest.fixture(scope="module")
def another_day(tmp_path_factory):
    path = tmp_path_factory.mktemp("flows") / "later.csv"
    path.write_text(toy_csv(400, seed=1, strange=5))
    return path


@pytest.mark.slow
def test_it_learns(toy_trained, another_day):
    model = toy_trained.model
    table = read_flows([another_day], model.encoding.schema, labelled=True)
    told = measured(model, table)
    for view in ("looking as far as the agent does", "looking at everything"):
        assert told[view]["macro_f1"] > 0.97
        assert told[view]["false_alarms"] < 0.02
        assert told[view]["calibration_error"] < 0.05
    # What a flow is can be told from its bytes: no agent that learnt opens everything.
    assert told["looking as far as the agent does"]["looked"] < 0.75
    assert told["looking at everything"]["looked"] == pytest.approx(1.0)


@pytest.mark.slow
def test_flows_without_a_label_are_not_measured(toy_trained, another_day):
    table = read_flows([another_day], toy_trained.model.encoding.schema)
    assert (len(table), measured(toy_trained.model, table)["flows"]) == (405, 400)


@pytest.mark.slow
def test_flags_keep_to_what_a_person_can_look_at(toy_trained, another_day):
    model = toy_trained.model
    table = read_flows([another_day], model.encoding.schema)
    verdicts = model.judge(table)
    everything = flags_of(model, table, verdicts, None, DAY)
    flagged = [flag for flag in everything.flags if flag.verdict != "strange"]
    leaks = sum(label in ("leak", "scan") for label in table.labels)
    assert len(flagged) == pytest.approx(leaks, abs=8)
    assert all(
        flag.label == flag.kind
        for flag in flagged
        if flag.label in ("leak", "scan") and flag.confidence > 0.9
    )
    strange = [flag.line for flag in everything.flags if flag.kind == STRANGE_CLASS]
    assert set(range(402, 407)) <= {*strange, *(flag.line for flag in flagged)}
    odd = [flag.decided[0] for flag in everything.flags if flag.line >= 402 and flag.decided]
    assert odd
    assert {name for name, _, _ in odd} <= {"packets", "bytes", "proto", "state"}
    assert all(part > 0 for *_, part in odd)
    few = flags_of(model, table, verdicts, 7, DAY)
    days = len(np.unique(table.times // DAY))
    assert len(few.flags) == 7 * days
    assert len(few.flags) + few.left_out == len(everything.flags)
    sure = min(flag.confidence for flag in few.flags if flag.verdict != "strange")
    dropped = {flag.line for flag in flagged} - {flag.line for flag in few.flags}
    assert sum(flag.confidence > sure for flag in flagged if flag.line in dropped) == 0 or days > 1
    assert [flag.time for flag in few.flags] == sorted(flag.time for flag in few.flags)
    told = max(flagged, key=lambda flag: flag.confidence)
    assert told.decided
    assert told.decided[0][0] in told.looked_at  # in a CSV each field is its own group


@pytest.mark.slow
def test_a_file_gives_the_same_verdicts(toy_trained, toy_table, tmp_path):
    model = toy_trained.model
    model.notes = {"said": "this"}
    path = tmp_path / "flows.safetensors"
    save_flows(path, model)
    again = load_flows(path)
    one, other = model.judge(toy_table), again.judge(toy_table)
    for name in ("opened", "end", "probability", "surprise"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name
    assert again.notes == {"said": "this"}
    assert (again.classes, again.benign, again.strange_from) == (
        model.classes,
        model.benign,
        model.strange_from,
    )
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(WeightsError):
        load_flows(path)


def test_the_same_seed_learns_the_same(toy_table, small):
    parts = part(toy_table, ["web"])
    one, other, third = (
        learn_flows(parts, replace(small, seed=seed)).model.judge(toy_table).logits for seed in (0, 0, 1)
    )
    assert torch.equal(one, other)
    assert not torch.equal(one, third)


def test_nothing_is_generated_where_that_is_switched_off(toy_table, small):
    trained = learn_flows(part(toy_table, ["web"]), replace(small, generated=False))
    assert trained.helped == []
    assert len(trained.generated) == 0


def test_the_held_out_part_is_not_looked_at(toy_table, small):
    parts = part(toy_table, ["web"])
    shuffled = replace(parts, held_out=parts.held_out.rows(np.arange(3)))
    one, other = (learn_flows(which, small).model.judge(toy_table).probability for which in (parts, shuffled))
    assert torch.equal(one, other)


def test_f1_by_hand():
    scores = f1_scores([0, 0, 1, 1, 2], [0, 1, 1, 1, -1], 4)
    assert scores[:2].tolist() == pytest.approx([2 / 3, 4 / 5])
    assert np.isnan(scores[2:]).all()


def test_the_threshold_of_a_rate():
    scores, harmless = np.arange(100) / 100, np.arange(100) < 50
    limit = at_false_alarms(scores, harmless, 0.1)
    assert (scores[harmless] > limit).sum() == 5
    assert (scores[harmless] > at_false_alarms(scores, harmless, 0.0)).sum() == 0


@pytest.mark.slow
def test_only_rows_that_help_are_played_in(toy_table, small, monkeypatch):
    """Whatever is generated for the agent is of a class that was said to help."""
    played = []
    set_scenes = SceneEnvironment.set_scenes

    def spied(self, scenes, provenance, tau, belief):
        played.append(scenes[provenance == 1][:, -1])
        set_scenes(self, scenes, provenance, tau, belief)

    def said(*others):
        return [
            Help(name, 9, 99, Interval(gain, gain, gain, 1)) for name, gain in (("scan", 1.0), ("leak", -1.0))
        ]

    monkeypatch.setattr(training, "which_help", said)
    monkeypatch.setattr(SceneEnvironment, "set_scenes", spied)
    trained = learn_flows(part(toy_table, ["web"]), replace(small, updates=110))
    assert torch.cat(played).unique().tolist() == [2.0]  # web, leak, scan
    assert trained.generated[:, -1].unique().tolist() == [2.0]
