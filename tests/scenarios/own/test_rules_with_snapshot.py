"""Rules that ask for randomness or for the generator get them, and what they make with it stands still in between."""

import pytest
import torch
from torch.nn.functional import one_hot

from clairvoy.cotraining.loop import CotrainSettings, Feedback, cotrain
from clairvoy.errors import InputError, SettingsError
from clairvoy.generative.rows.data_kinds import vectors
from clairvoy.generative.rows.snapshot import Snapshot
from clairvoy.generative.rows.vae import RowVAE
from clairvoy.scenarios.own.file import load_scenario, save_scenario
from clairvoy.scenarios.own.scenario import Scenario, ScenarioSettings
from clairvoy.scenarios.own.scene_environment import Rules, SceneEnvironment

REAL = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))


def begin(scene, rng):
    return {"steps": torch.zeros(len(scene), 1)}


def show(scene, state, *, snapshot):
    return {"surprise": snapshot.surprise(scene, torch.Generator().manual_seed(0))[:, None]}


def act(scene, state, action, rng, snapshot):
    """Pays what the generator and chance say."""
    pay = snapshot.judge(scene) + torch.rand(len(scene), generator=rng)
    return {"steps": state["steps"] + 1}, pay, state["steps"][:, 0] >= 2


def scenario(seed=0, **more):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        generator = RowVAE(vectors(REAL))
    head = torch.nn.Sequential(torch.nn.Linear(128, 1), torch.nn.Flatten(0))
    environment = SceneEnvironment(REAL, 4, Rules(2, begin, show, act), Snapshot(generator, head))
    settings = ScenarioSettings(batch=8, scenes=8, remembered=16, generate_after=2, seed=seed)
    return Scenario(environment, REAL, generator=generator, settings=settings, **more)


SMALL = CotrainSettings(warm_up=2, agent_batch=8, refresh_every=3)


def test_a_rule_gets_what_its_further_parameters_name_and_nothing_else():
    got = {}

    def noting(scene, state, action, *, rng):
        got["rng"] = rng
        return state, torch.rand(len(scene), generator=rng), torch.zeros(len(scene), dtype=torch.bool)

    rules = Rules(2, begin, lambda scene, state: state, noting)
    assert rules.asked("act") == {"rng"}
    assert not rules.asked("begin")  # its own source of randomness is no further one
    assert not rules.asked("allow")
    played = SceneEnvironment(REAL, 4, rules)
    source = torch.Generator().manual_seed(5)
    played.reset(source)
    saved = played.state_dict()
    first = played.step(torch.zeros(4, dtype=torch.int64)).reward
    assert got["rng"] is source
    played.load_state_dict(saved)
    assert torch.equal(played.step(torch.zeros(4, dtype=torch.int64)).reward, first)


def test_without_a_snapshot_a_rule_that_asks_for_one_is_refused():
    with pytest.raises(SettingsError, match=r"show asks for a snapshot of the generator; hand in snapshot="):
        SceneEnvironment(REAL, 4, Rules(2, begin, show, act))
    with pytest.raises(SettingsError, match="no discriminator"):
        Snapshot(RowVAE(vectors(REAL))).judge(REAL)
    with pytest.raises(SettingsError, match=r"RowVAE, has no complete\(rows, seen\)"):
        Snapshot(RowVAE(vectors(REAL))).complete(REAL, REAL > 0)


def test_what_rules_make_with_the_generator_changes_at_a_refresh_and_never_between():
    one = scenario()
    told = []
    for _ in range(2):
        one.refresh(Feedback())
        for _ in range(3):
            one.learn_models(Feedback())
            told.append(one.environment.snapshot.judge(REAL[:4]))
    assert all(torch.equal(told[0], later) for later in told[1:3])
    assert not torch.equal(told[2], told[3])
    one.take_snapshot()
    assert torch.equal(one.snapshot.judge(REAL), one.learner.judge(REAL))


def test_a_run_resumed_between_two_refreshes_is_the_run_that_was_not_interrupted(tmp_path):
    whole, halves = scenario(), scenario()
    cotrain(whole, SMALL, budget=8)
    cotrain(halves, SMALL, budget=8, checkpoint=tmp_path / "run", report=lambda done, _: done < 4)
    again = scenario(seed=3)
    cotrain(again, SMALL, budget=8, checkpoint=tmp_path / "run", resume=True)
    rewards = [one.history.recent(8).reward for one in (whole, again)]
    assert torch.equal(*rewards)
    assert torch.equal(whole.snapshot.judge(REAL), again.snapshot.judge(REAL))


def test_a_loaded_scenario_shows_its_rules_what_was_learnt(tmp_path):
    trained, fresh = scenario(), scenario(seed=1)
    cotrain(trained, SMALL, budget=4)
    save_scenario(tmp_path / "one", trained)
    load_scenario(tmp_path / "one", fresh)
    assert torch.equal(fresh.snapshot.judge(REAL), trained.learner.judge(REAL))


def test_real_rows_are_drawn_by_their_weights():
    rows = one_hot(torch.arange(4), 4).float()
    kind = {"real": rows, "weights": [0, 1, 3, 0]}
    environment = SceneEnvironment(
        rows, 2, Rules(2, begin, lambda scene, state: state, lambda s, t, a: (t, a, a > 0))
    )
    drawn = Scenario(environment, **kind)._real(4000).mean(dim=0)
    torch.testing.assert_close(drawn, torch.tensor([0, 0.25, 0.75, 0]), atol=0.03, rtol=0)
    for wrong, says in (
        ([1.0], r"shape \(1,\); there are 4 real rows"),
        ([0, 0, 0, 0], "not all 0"),
        ([-1, 1, 1, 1], "at or above 0"),
        ("many", "is no tensor"),
    ):
        with pytest.raises(InputError, match=says):
            Scenario(environment, rows, weights=wrong)


def test_bytes_that_rules_show_stay_bytes_in_the_history():
    picture = torch.randint(256, (6, 3, 8, 16), dtype=torch.uint8)
    rules = Rules(2, begin, lambda scene, state: {"view": scene}, lambda s, t, a: (t, a, a > 0))
    one = Scenario(SceneEnvironment(picture, 2, rules), picture)
    cotrain(one, CotrainSettings(warm_up=1, agent_batch=4), budget=3)
    assert one.history.recent(2).observation["view"].dtype == torch.uint8
