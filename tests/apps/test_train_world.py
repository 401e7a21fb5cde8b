"""`clairvoy train world` as a user calls it, with small networks and few updates."""

import json
import signal
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from PIL import Image
from safetensors import safe_open

from clairvoy.apps.cli import main
from clairvoy.apps.train import folder as run_folder
from clairvoy.apps.train import world as train_world
from clairvoy.apps.train.log import read_metrics
from clairvoy.environments.by_name import EnvironmentOptions
from clairvoy.environments.handed_in import as_environment
from clairvoy.generative.transitions.learner import TransitionLearnerSettings
from clairvoy.generative.transitions.vae import TransitionVAESettings
from clairvoy.qlearning.rollout import evaluate
from clairvoy.scenarios.world.file import load_world, notes_of
from clairvoy.scenarios.world.scenario import WorldScenario
from clairvoy.storage import weights_file
from clairvoy.storage.run_file import load_run

STEPS = 320
"""Forty updates of eight environments."""
FILES = {"checkpoint.pt", "weights.safetensors", "settings.json", "metrics.jsonl", "pictures", "tensorboard"}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The presets with few updates and narrow networks; all else is theirs."""
    preset = train_world.preset

    def tiny(*args):
        world, rhythm = preset(*args)
        world = replace(
            world, rollouts=16, batch=16, generator_updates=1, generate_after=10, least_tau=0.1,
            model=TransitionVAESettings(latent=2, width=16, channels=4), learner=TransitionLearnerSettings(members=2),
        )  # fmt: skip
        return world, replace(rhythm, agent_updates=2, agent_batch=16, warm_up=8)

    monkeypatch.setattr(train_world, "preset", tiny)
    for name, value in (("EVALUATIONS", 4), ("EPISODES", 2), ("FINAL_EPISODES", 4)):
        monkeypatch.setattr(train_world, name, value)


def call(out, *more, env="CartPole-v1", steps=STEPS):
    return main(["train", "world", "--env", env, "--out", str(out), "--steps", str(steps), "--quiet", *more])


def interrupt_inside_a_round(monkeypatch, update):
    """Ctrl-C, pressed in the middle of a round."""
    learn, calls = WorldScenario.learn_models, []

    def pressed(self, feedback):
        calls.append(None)
        if len(calls) == update:
            signal.raise_signal(signal.SIGINT)
        return learn(self, feedback)

    monkeypatch.setattr(WorldScenario, "learn_models", pressed)


def same(one, other, where="run"):
    """Whether two nests of tensors are one."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for name in one:
            same(one[name], other[name], f"{where}.{name}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for k, (a, b) in enumerate(zip(one, other, strict=True)):
            same(a, b, f"{where}[{k}]")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    else:
        assert one == other, where


def held(out):
    """All that the weights of a run hold; the order of a file's header is left to chance."""
    with safe_open(str(out / "weights.safetensors"), framework="pt") as file:
        return dict(file.metadata()), {name: file.get_tensor(name) for name in sorted(file.keys())}


def lines(out):
    """The metrics without the time that they took."""
    return [(line["update"], line["metrics"]) for line in read_metrics(out)]


@pytest.mark.slow
@pytest.mark.parametrize("env", ["CartPole-v1", "MinAtar/Breakout"])
def test_it_trains_writes_and_resumes_to_the_bit(env, tmp_path, capsys, monkeypatch):
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    assert call(whole, "--seed", "3", env=env) == 0
    said = capsys.readouterr().err
    assert f"trained: {whole / 'weights.safetensors'}; return " in said
    assert "over 4 fresh episodes, best kept after " in said
    assert {path.name for path in whole.iterdir()} == FILES
    assert {path.name for path in (whole / "pictures").iterdir()} == {"dream.png", "dream.json"}
    # What the loop told at each stretch: of twenty updates, evaluated at every tenth.
    told = lines(whole)
    assert [update for update, _ in told] == [20, 40]
    assert told[-1][1]["agent/steps"] == 8 * 30.5
    assert {"evaluation/return", "generator/loss", "tau/gap", "generated/admitted", "agent/loss"} <= set(
        told[-1][1]
    )
    # The settings, as they were.
    settings = json.loads((whole / "settings.json").read_text())
    assert (settings["env"], settings["steps"], settings["seed"], settings["updates"]) == (env, STEPS, 3, 40)
    assert settings["options"] == EnvironmentOptions().to_dict()
    assert settings["settings"]["scenario"]["rollouts"] == 16
    assert settings["settings"]["cotrain"]["budget"] == 40
    # What was kept is the best of the evaluations, and plays as the file says that it plays.
    notes = notes_of(whole / "weights.safetensors")
    assert [steps for steps, _ in notes["evaluations"]] == [80, 160, 240, 320]
    assert dict(notes["evaluations"])[notes["best_at_step"]] == max(
        value for _, value in notes["evaluations"]
    )
    assert (notes["env"], notes["steps"], notes["episodes"]) == (env, STEPS, 4)
    scenario = load_world(whole / "weights.safetensors", as_environment(env, 8))
    played = evaluate(
        as_environment(env, 2), scenario.agent.act_greedily, 4, torch.Generator().manual_seed(3 + train_world.FRESH)
    )  # fmt: skip
    assert played.mean_return == pytest.approx(notes["return"], abs=1e-6)

    with monkeypatch.context() as patch:
        interrupt_inside_a_round(patch, 25)
        assert call(parted, "--seed", "3", env=env) == 130
    assert "stopped after 200 of 320 steps; continue with --resume" in capsys.readouterr().err
    assert {path.name for path in parted.iterdir()} == FILES - {"weights.safetensors"}
    assert call(parted, "--seed", "3", "--resume", env=env) == 0
    same(load_run(whole / "checkpoint.pt"), load_run(parted / "checkpoint.pt"))
    same(held(whole), held(parted))
    # Where it stopped a stretch was cut in two; what lies before is the same.
    assert [update for update, _ in lines(parted)] == [20, 25, 40]
    assert lines(parted)[0] == told[0]


def test_a_run_is_neither_written_over_nor_continued_as_another(tmp_path, capsys):
    assert call(tmp_path / "run", steps=160) == 0
    before = held(tmp_path / "run")
    files = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    capsys.readouterr()
    for more, changes, told in (
        ((), {}, "holds a run already; add --resume to continue it"),
        (("--resume", "--seed", "9"), {}, "began with --seed 0, not 9"),
        (("--resume", "--without", "gate"), {}, "began with --without [], not ['gate']"),
        (("--resume",), {"steps": 168}, "began with --steps 160, not 168"),
        (("--resume", "--max-episode-steps", "9"), {}, "began with --options"),
        (("--resume",), {"env": "Acrobot-v1"}, "began with --env CartPole-v1, not Acrobot-v1"),
    ):
        assert call(tmp_path / "run", *more, **{"steps": 160} | changes) == 2
        assert told in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == files
    # A run that is done says so again, and stays what it is.
    assert call(tmp_path / "run", "--resume", steps=160) == 0
    assert "trained: " in capsys.readouterr().err
    same(held(tmp_path / "run"), before)


def test_bad_input_leaves_nothing_behind(tmp_path, capsys):
    out = tmp_path / "out"
    (tmp_path / "file").write_text("")
    for more, changes, told in (
        ((), {"env": "CartPol-v1"}, "there is no environment 'CartPol-v1'; did you mean CartPole-v1"),
        ((), {"env": "MinAtar/Pong"}, "there is no environment 'MinAtar/Pong'"),
        ((), {"env": "Pendulum-v1"}, "Q-learning needs Discrete, MultiDiscrete or MultiBinary ones"),
        ((), {"steps": 31}, "--steps is 31; give at least 32"),
        (("--minutes", "0"), {}, "--minutes is 0; give more than 0"),
        (("--minutes", "nan"), {}, "--minutes is nan; give more than 0"),
        (("--max-episode-steps", "0"), {}, "max_episode_steps is 0"),
        (("--env-arg", "slippery"), {}, "--env-arg is 'slippery'; give a name and a value"),
        (("--env-arg", "slippery=1"), {}, "'CartPole-v1' cannot be made: TypeError"),
        (("--only", "position"), {}, "no 'position' in what is shown"),
        (("--resume",), {}, "no run to resume here"),
        (("--device", "abacus"), {}, "abacus"),
    ):
        assert call(out, *more, **changes) == 2, told
        assert told in capsys.readouterr().err
        assert not out.exists()
    assert call(tmp_path / "file" / "out") == 2
    assert "cannot be written" in capsys.readouterr().err
    with pytest.raises(SystemExit) as left:
        call(out, "--without", "luck")
    assert left.value.code == 2


class Walls(gymnasium.Env):
    """A line with a wall at its left end, which the infos tell."""

    observation_space, action_space = spaces.Box(0.0, 9.0, (1,), np.float32), spaces.Discrete(2)

    def _told(self):
        mask = np.array([self.at > self.free, True])
        return np.array([self.at], np.float32), {"action_mask": mask}

    def reset(self, *, seed=None, options=None):
        self.at, self.free = 1, 0
        return self._told()

    def step(self, action):
        self.at += 1 if action else -1
        seen, info = self._told()
        return seen, 0.0, self.at >= 9, False, info


@pytest.fixture
def walls():
    gymnasium.register("Walls-v0", Walls, max_episode_steps=9)
    yield
    del gymnasium.registry["Walls-v0"]


def test_an_environment_that_forbids_actions_is_refused_before_anything_is_written(
    walls, tmp_path, capsys, monkeypatch
):
    def reset(self, *, seed=None, options=None):
        self.at, self.free = 0, 0
        return self._told()

    monkeypatch.setattr(Walls, "reset", reset)
    assert call(tmp_path / "out", env="Walls-v0") == 2
    assert "the environment forbids actions in some states" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert call(tmp_path / "out", "--without", "generated_scenes", env="Walls-v0", steps=160) == 0


def test_an_environment_that_forbids_actions_later_is_refused_then(walls, tmp_path, capsys):
    assert call(tmp_path / "out", env="Walls-v0") == 2
    assert "the environment forbids actions in some states" in capsys.readouterr().err
    assert not (tmp_path / "out" / "weights.safetensors").exists()


def test_time_that_is_up_is_no_failure_and_an_interrupt_is(tmp_path, capsys, monkeypatch):
    assert call(tmp_path / "run", "--minutes", "1e-9", steps=160) == 0
    assert "stopped after 0 of 160 steps; continue with --resume" in capsys.readouterr().err
    with monkeypatch.context() as patch:
        interrupt_inside_a_round(patch, 3)
        assert call(tmp_path / "run", "--resume", "--minutes", "9", steps=160) == 130
    assert "stopped after 24 of 160 steps" in capsys.readouterr().err
    assert call(tmp_path / "run", "--resume", steps=160) == 0
    # It had not even begun when it was first stopped, and is the uninterrupted run all the same.
    assert call(tmp_path / "whole", steps=160) == 0
    same(load_run(tmp_path / "whole" / "checkpoint.pt"), load_run(tmp_path / "run" / "checkpoint.pt"))


def test_a_second_interrupt_in_the_first_round_leaves_nothing_to_resume(tmp_path, capsys, monkeypatch):
    def pressed(self, feedback):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(WorldScenario, "learn_models", pressed)
        assert call(tmp_path / "run", steps=160) == 130
    assert "before anything was saved; begin again" in capsys.readouterr().err
    assert not (tmp_path / "run" / "checkpoint.pt").exists()
    assert call(tmp_path / "run", steps=160) == 0


def test_without_the_generator_it_is_q_learning_alone(tmp_path):
    out = tmp_path / "run"
    assert call(out, "--without", "generated_scenes", steps=160) == 0
    assert {path.name for path in out.iterdir()} == FILES - {"pictures"}
    assert load_world(out / "weights.safetensors", as_environment("CartPole-v1", 8)).learner is None
    assert not any(name.startswith(("generator/", "generated/")) for _, told in lines(out) for name in told)
    assert notes_of(out / "weights.safetensors")["without"] == ["generated_scenes"]


class Circle(gymnasium.Env):
    """Nothing ends an episode; what is seen says how it was made."""

    observation_space, action_space = spaces.Box(0.0, 9.0, (1,), np.float32), spaces.Discrete(2)

    def __init__(self, shows=1.0, fails=0):
        self.shows, self.fails, self.steps = shows, fails, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.array([self.shows], np.float32), {}

    def step(self, action):
        self.steps += 1
        if self.steps == self.fails:
            raise ZeroDivisionError("its own fault")
        return np.array([self.shows], np.float32), 1.0, False, False, {}


@pytest.fixture
def circle():
    gymnasium.register("Circle-v0", Circle)
    yield
    del gymnasium.registry["Circle-v0"]


@pytest.mark.slow
def test_episodes_without_an_end_are_cut_and_it_is_said(circle, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(train_world, "LEAST_LONGEST", 30)
    out = tmp_path / "run"
    assert call(out, "--env-arg", "shows=2.5", env="Circle-v0", steps=160) == 0
    said = capsys.readouterr().err
    assert "return 160.0 over 2 fresh episodes" in said
    assert "2 of these episodes did not end in 160 steps" in said
    notes = notes_of(out / "weights.safetensors")
    assert (notes["cut"], notes["options"]["arguments"]) == (2, {"shows": 2.5})
    assert call(tmp_path / "cut", "--max-episode-steps", "7", env="Circle-v0", steps=160) == 0
    assert "return 7.0 over 4 fresh episodes" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("where", ["an evaluation", "the last measurement"])
def test_an_interrupt_reaches_into_episodes_without_an_end(circle, tmp_path, capsys, monkeypatch, where):
    out, calls, step = tmp_path / "run", [], Circle.step
    at = {"an evaluation": 700, "the last measurement": 4500}[where]

    def pressed(self, action):
        calls.append(None)
        if len(calls) == at:
            signal.raise_signal(signal.SIGINT)
        return step(self, action)

    monkeypatch.setattr(Circle, "step", pressed)
    monkeypatch.setattr(train_world, "LEAST_LONGEST", 500)
    code = call(out, env="Circle-v0", steps=160)
    said = capsys.readouterr().err
    assert (
        len(calls) < at + 100
    )  # of the thousand that it was in; some are the dream's, which is drawn at the end
    if where == "an evaluation":
        assert (code, "continue with --resume" in said) == (130, True)
        assert call(out, "--resume", env="Circle-v0", steps=160) == 0
    else:
        assert (code, "stopped before it was measured" in said) == (0, True)
        assert "return" not in notes_of(out / "weights.safetensors")
    assert notes_of(out / "weights.safetensors")["evaluations"] == [[s, 500.0] for s in (40, 80, 120, 160)]


def test_an_environment_that_fails_is_not_our_fault(circle, tmp_path, capsys):
    assert call(tmp_path / "run", "--env-arg", "fails=9", env="Circle-v0", steps=160) == 2
    said = capsys.readouterr().err
    assert "the environment Circle-v0 failed in step: ZeroDivisionError: its own fault" in said
    assert "Traceback" not in said


def test_a_disk_that_is_full_at_the_end_does_not_lose_the_agent(tmp_path, capsys, monkeypatch):
    home, out = tmp_path / "home", tmp_path / "run"
    home.mkdir()
    monkeypatch.setattr(run_folder.Path, "home", lambda: home)
    write = weights_file.replacing

    def full(path):
        if path.parent == out:
            raise OSError(28, "No space left on device")
        return write(path)

    monkeypatch.setattr(weights_file, "replacing", full)
    assert call(out, steps=160) == 2
    told = capsys.readouterr().err
    assert "weights.safetensors cannot be written (No space left on device); what was trained is in " in told
    assert f"what was trained is in {home / 'run-weights.safetensors'}" in told
    kept = load_world(home / "run-weights.safetensors", as_environment("CartPole-v1", 8))
    assert kept.agent.act_greedily({"observation": torch.zeros(1, 4)}).shape == (1,)
    # With room again the run, which is done, is measured and written where it belongs.
    monkeypatch.setattr(weights_file, "replacing", write)
    assert call(out, "--resume", steps=160) == 0
    assert "return" in notes_of(out / "weights.safetensors")


def test_two_runs_do_not_write_into_one_folder(tmp_path, capsys):
    with run_folder.alone_in(tmp_path / "run"):
        assert call(tmp_path / "run", steps=160) == 2
    assert "another run writes there now" in capsys.readouterr().err
    assert call(tmp_path / "run", steps=160) == 0


def test_the_trained_agent_is_filmed(tmp_path, capsys):
    pytest.importorskip("minatar")
    out, gif = tmp_path / "run", tmp_path / "play.gif"
    assert main(["watch", str(out), "--film", str(gif)]) == 2
    assert "holds no trained agent" in capsys.readouterr().err
    assert call(out, "--env-arg", "sticky=0.0", env="MinAtar/Breakout", steps=160) == 0
    assert main(["watch", str(out), "--film", str(tmp_path / "play.mp4")]) == 2
    assert "name a file that ends with .gif" in capsys.readouterr().err
    assert main(["watch", str(out), "--film", str(gif), "--seed", "5"]) == 0
    said = capsys.readouterr().err
    games = as_environment("MinAtar/Breakout", 1, EnvironmentOptions(arguments={"sticky": 0.0}))
    agent = load_world(out / "weights.safetensors", games).agent
    played = evaluate(games, agent.act_greedily, 1, torch.Generator().manual_seed(5))
    assert f"return {played.mean_return:.1f} in {int(played.lengths)} steps" in said
    with Image.open(gif) as shown:
        assert shown.size == (160, 160)
