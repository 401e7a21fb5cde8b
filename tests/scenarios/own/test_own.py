"""A user's own scenario: the example learns, resumes and stays short; the sketches run; errors say what is wrong."""

import ast
import re
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from corridor import Corridor, CorridorSettings
from torch import nn

from clairvoy.cotraining.loop import CotrainSettings, Feedback, cotrain
from clairvoy.environments.replayed import Replayed
from clairvoy.errors import InputError, SettingsError, WeightsError
from clairvoy.generative.rows.vae import RowVAE
from clairvoy.qlearning.encoders import network_for
from clairvoy.qlearning.rollout import evaluate
from clairvoy.qlearning.transitions import GENERATED, REAL, Transitions
from clairvoy.scenarios.own.scenario import Scenario, ScenarioSettings
from clairvoy.scenarios.own.scene_environment import SceneEnvironment

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/own_scenario.py"
OWN = runpy.run_path(str(EXAMPLE))
DOCUMENT = (ROOT / "docs/scenarios.md").read_text()
SKETCHES = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
FEW = CotrainSettings(warm_up=2, agent_batch=16, refresh_every=2)
SMALL = ScenarioSettings(batch=8, scenes=16, remembered=32, generate_after=2, num_envs=4)


def small(**parts):
    real = OWN["fields"](40, torch.Generator().manual_seed(0))
    parts.setdefault("environment", SceneEnvironment(real, 8, OWN["drilling"]().environment.rules))
    parts.setdefault("settings", SMALL)
    return Scenario(real=parts.pop("real", real), **parts)


def weights(run):
    state = run.scenario.learner.state_dict()
    return [
        *state["averaged"].values(),
        *state["discriminator"].values(),
        *run.agent.network.state_dict().values(),
    ]


def code_lines(path):
    """Lines of code of a file, without blank lines, comments and documentation."""
    source = path.read_text()
    documented = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            documented |= set(range(node.lineno, node.end_lineno + 1))
    lines = [line.strip() for number, line in enumerate(source.splitlines(), 1) if number not in documented]
    return [line for line in lines if line and not line.startswith("#")]


def test_the_example_has_at_most_thirty_lines():
    assert 15 < len(code_lines(EXAMPLE)) <= 30


@pytest.mark.slow
def test_the_example_learns_to_drill_and_what_fields_look_like():
    scenario = OWN["drilling"]()
    run = cotrain(scenario, budget=300)
    others = OWN["fields"](256, torch.Generator().manual_seed(9))
    scenario.play_in(others)
    chance = torch.Generator().manual_seed(1)

    def played(policy):
        return evaluate(scenario.environment, policy, 256, torch.Generator().manual_seed(2)).mean_return

    # A random driller finds 4 (1 - (15/16)^10) of the ore in ten holes: about 0.9 after their cost.
    random = played(lambda seen, mask: torch.randint(16, (32,), generator=chance))
    assert random == pytest.approx(0.9, abs=0.15)
    assert played(run.agent.act_greedily) > random + 0.5
    made = scenario.sample(400)
    assert (made.float().mean(dim=0) - scenario.real.float().mean(dim=0)).abs().max() < 0.15
    # Independent cells of the same means would make a field of exactly one whole line once in 65: 8 (1/4)^4 (3/4)^12.
    lines = made.all(dim=1).sum(dim=1) + made.all(dim=2).sum(dim=1)
    assert ((lines == 1) & (made.sum(dim=(1, 2)) == 4)).float().mean() > 0.2
    # Both directions were at work: admitted scenes in the agent's history, met scenes remembered for the generator.
    held = scenario.history.recent(10**6)
    assert 0 < int((held.provenance == GENERATED).sum()) < len(held) / 2
    assert bool((held.tau[held.provenance == GENERATED] < 1).all())
    assert bool((held.tau[held.provenance == REAL] == 1).all())
    assert len(scenario.met) > 100


def test_resume_equals_uninterrupted(tmp_path):
    whole = cotrain(small(), FEW, budget=10)

    def stop(update, metrics):
        if update == 5:
            raise KeyboardInterrupt

    file = tmp_path / "run.pt"
    assert cotrain(small(), FEW, budget=10, checkpoint=file, report=stop).updates == 5
    second = cotrain(small(), FEW, budget=10, checkpoint=file, resume=True)
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(second), strict=True))


def test_each_feedback_path_changes_the_run():
    reference = weights(cotrain(small(), FEW, budget=10))
    for path in ("agent_to_generator", "generated_scenes", "beliefs", "gate"):
        off = CotrainSettings(warm_up=2, agent_batch=16, refresh_every=2, feedback=Feedback(**{path: False}))
        other = weights(cotrain(small(), off, budget=10))
        assert any(not torch.equal(a, b) for a, b in zip(reference, other, strict=True)), path


@pytest.mark.parametrize("sketch", SKETCHES, ids=["panorama", "painting", "defence", "gymnasium"])
def test_the_sketches_in_the_documents_run(sketch):
    torch.manual_seed(0)
    names = {}
    exec(compile(sketch, "docs/scenarios.md", "exec"), names)
    scenario = names["scenario"]
    object.__setattr__(scenario.settings, "generate_after", 1)
    run = cotrain(scenario, CotrainSettings(warm_up=1, agent_batch=8, refresh_every=1), budget=4)
    assert run.updates == 4
    assert all(bool(torch.isfinite(value).all()) for value in weights(run) if value.is_floating_point())
    held = scenario.history.recent(10**6)
    if "gymnasium" in sketch:  # generated steps came into the history, and real ones to the generator
        assert bool((held.provenance == GENERATED).any())
        assert len(scenario.met) == 4 * scenario.environment.num_envs


def test_an_environment_of_gymnasium_resumes_by_playing_again(tmp_path):
    names = {}
    exec(SKETCHES[3], names)

    def scenario():
        rows = torch.randn(64, 11, generator=torch.Generator().manual_seed(0))
        return Scenario(
            "CartPole-v1",
            rows,
            history_to_data=names["to_rows"],
            data_to_history=names["to_steps"],
            settings=SMALL,
        )

    whole = cotrain(scenario(), FEW, budget=30)
    file = tmp_path / "run.pt"
    # The exploration of a run depends on its budget: it is interrupted, not given less.
    cotrain(scenario(), FEW, budget=30, checkpoint=file, report=lambda update, _: _stop_at(update, 17))
    second = cotrain(scenario(), FEW, budget=30, checkpoint=file, resume=True)
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(second), strict=True))


def _stop_at(update, last):
    if update == last:
        raise KeyboardInterrupt


def test_an_environment_that_does_not_repeat_itself_is_refused():
    class Forgetful(Corridor):
        def reset(self, generator):
            return super().reset(torch.Generator().manual_seed(int(torch.seed() % 2**31)))

    environment = Replayed(Forgetful(64))
    environment.reset(torch.Generator().manual_seed(0))
    environment.step(torch.zeros(64, dtype=torch.int64))
    with pytest.raises(WeightsError, match="did not repeat itself"):
        Replayed(Forgetful(64)).load_state_dict(environment.state_dict(), torch.Generator())


def test_parts_of_ones_own_are_used():
    reference = small()
    generator, head, network = RowVAE(reference.kind), nn.Sequential(nn.Linear(128, 1), nn.Flatten(0)), None
    network = network_for(reference.environment.observation_specs, reference.environment.num_actions)
    before = [p.detach().clone() for part in (generator, head, network) for p in part.parameters()]
    run = cotrain(small(generator=generator, discriminator=head, network=network), FEW, budget=8)
    assert run.scenario.generator is generator
    assert run.agent.network is network
    changed = [p for part in (generator, head, network) for p in part.parameters()]
    assert sum(not torch.equal(a, b) for a, b in zip(before, changed, strict=True)) > len(before) / 2


def test_errors_say_what_is_missing_or_does_not_fit():
    rows = torch.randn(8, 3)
    with pytest.raises(SettingsError, match="nothing joins environment and data"):
        Scenario(Corridor(4), rows)
    with pytest.raises(SettingsError, match="lacks num_envs, num_actions"):
        Scenario(object(), rows)
    with pytest.raises(SettingsError, match="NoSuchThing-v0"):
        Scenario("NoSuchThing-v0", rows)
    with pytest.raises(InputError, match=r"plays scenes \(4, 4\) of torch.bool.*rows \(3,\)"):
        small(real=rows)
    with pytest.raises(SettingsError, match="a Linear, lacks encode, decode, loss"):
        small(generator=nn.Linear(1, 1))
    with pytest.raises(InputError, match=r"discriminator gives \(2, 7\)"):
        small(discriminator=nn.Linear(128, 7))
    with pytest.raises(InputError, match=r"network gives \(2, 5\).*\(2, 16\)"):
        small(network=_Five())
    with pytest.raises(SettingsError, match="from_agent is 2"):
        ScenarioSettings(from_agent=2.0)
    with pytest.raises(InputError, match="hand in kind="):
        Scenario(Corridor(4), torch.zeros(4, 2, 2, dtype=torch.int32), history_to_data=lambda steps: steps)


class _Five(nn.Module):
    def forward(self, observation):
        return torch.zeros(2, 5)


def corridor(cells=8):
    return Corridor(4, CorridorSettings(cells=cells))


def to_rows(steps):
    return steps.observation["cell"]


def to_steps(rows):
    ones = torch.ones(len(rows))
    return Transitions(
        {"cell": rows}, torch.zeros(len(rows), dtype=torch.int64), ones, ones, {"cell": rows},
        torch.ones(len(rows), 2, dtype=torch.bool), torch.zeros(len(rows), dtype=torch.uint8), ones,
    )  # fmt: skip


@pytest.mark.parametrize(
    "given", [lambda real: real.tolist(), lambda real: real.double().numpy(), lambda real: real]
)
def test_the_real_data_may_be_a_list_or_an_array(given):
    real = torch.eye(8)
    scenario = Scenario(corridor(), given(real), history_to_data=to_rows, settings=SMALL)
    assert torch.equal(scenario.real, real)
    assert scenario.real.dtype == torch.float32


def test_real_data_that_are_no_rows_are_refused():
    for real, says in (
        ([1.0, 2.0, 3.0], r"shape \(3,\); give rows"),
        (torch.zeros(()), r"shape \(\); give rows"),
        ([[1.0], [2.0, 3.0]], "a list that is no tensor"),
        (None, "a NoneType that is no tensor"),
    ):
        with pytest.raises(InputError, match=f"the real data .*{says}"):
            Scenario(corridor(), real, history_to_data=to_rows, settings=SMALL)


def test_what_turns_history_into_data_is_tried_before_a_training():
    for rule, says in (
        (lambda steps: steps.observation["cell"][:, :3], r"rows are \(3,\) of"),
        (lambda steps: steps.observation["cell"].tolist(), "history_to_data gave a list"),
    ):
        with pytest.raises(InputError, match=says):
            Scenario(corridor(), torch.eye(8), history_to_data=rule, settings=SMALL)
    tried = []
    Scenario(
        corridor(), torch.eye(8), history_to_data=lambda steps: to_rows(tried.append(len(steps)) or steps), settings=SMALL
    )  # fmt: skip
    assert tried == [4]


def test_what_turns_data_into_history_is_tried_before_a_training():
    def other(**changes):
        return lambda rows: replace(to_steps(rows), **{name: made(rows) for name, made in changes.items()})

    for rule, says in (
        (lambda rows: rows, "data_to_history gave a Tensor"),
        (lambda rows: to_steps(rows[:1]), "gave 1 transitions of 2 rows"),
        (other(observation=lambda rows: {"where": rows}), "gave observation (where|cell) as"),
        (other(next_observation=lambda rows: {"cell": rows.bool()}), "next_observation cell as .*torch.bool"),
        (other(action=lambda rows: torch.full((2,), 2)), "gave actions 2 to 2; there are 2"),
        (other(action=lambda rows: torch.zeros(2)), r"gave action as \(2,\) of torch.float32"),
        (other(next_mask=lambda rows: torch.ones(2, 3, dtype=torch.bool)), r"gave next_mask as \(2, 3\)"),
    ):
        with pytest.raises(InputError, match=says):
            Scenario(corridor(), torch.eye(8), data_to_history=rule, settings=SMALL)
    assert len(Scenario(corridor(), torch.eye(8), data_to_history=to_steps, settings=SMALL).history) == 0


def test_an_environment_that_shows_something_else_than_it_says_is_refused():
    class Lies(Corridor):
        def _observation(self):
            return {"cell": super()._observation()["cell"].bool()}

    with pytest.raises(InputError, match=r"shows cell as \(\(8,\), torch.bool\); its observation_specs say"):
        Scenario(Lies(4), torch.eye(8), history_to_data=to_rows, settings=SMALL)
