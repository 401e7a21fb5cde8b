"""Whatever is handed in for an environment, and how one is made that is given by name."""

import json

import gymnasium
import numpy as np
import pytest
import torch
from corridor import Corridor
from gymnasium import spaces

from clairvoy.environments.by_name import EnvironmentOptions
from clairvoy.environments.handed_in import as_environment
from clairvoy.errors import InputError, SettingsError
from clairvoy.qlearning.rollout import evaluate


class Exacting(gymnasium.Env):
    """Takes nothing but an `int` of Python for an action, as NASim does; its pictures are red left and blue right."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012
    action_space = spaces.Discrete(3, start=1)
    observation_space = spaces.Dict(
        {
            "view": spaces.Box(0, 255, (12, 16, 3), np.uint8),
            "said": spaces.Text(4),
            "step": spaces.Discrete(100),
        }
    )

    def __init__(self, render_mode=None, bright=200, fails=0):
        self.render_mode, self.bright, self.fails, self.actions = render_mode, bright, fails, []
        if bright > 255:
            raise OverflowError("too bright")

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.now = 0
        return self._shown(), {}

    def step(self, action):
        assert type(action) is int, type(action)
        self.actions.append(action)
        self.now += 1
        if self.now == self.fails:
            raise ZeroDivisionError("its own fault")
        return self._shown(), 1.0, False, False, {}

    def render(self):
        return self._view()

    def _view(self):
        view = np.zeros((12, 16, 3), np.uint8)
        view[:, :8, 0] = view[:, 8:, 2] = self.bright - self.now
        return view

    def _shown(self):
        return {"view": self._view(), "said": "so", "step": self.now}


@pytest.fixture(autouse=True)
def registered():
    gymnasium.register("Exacting-v0", Exacting, disable_env_checker=True)
    yield
    del gymnasium.registry["Exacting-v0"]


def options(**more):
    return EnvironmentOptions(only=("view",), **more)


def test_an_episode_is_truncated_after_the_steps_asked_for():
    environment = as_environment("Exacting-v0", 2, options(max_episode_steps=5))
    played = evaluate(environment, lambda seen, mask: torch.ones(2, dtype=torch.int64), 4, torch.Generator())
    assert played.lengths.tolist() == [5] * 4
    step = [environment.step(torch.zeros(2, dtype=torch.int64)) for _ in range(5)][-1]
    assert step.truncated.tolist() == [True, True]
    assert set(environment.environment.vector_env.envs[0].unwrapped.actions) == {1, 2}


def test_pictures_are_made_grey_small_and_stacked_by_gymnasium():
    environment = as_environment("Exacting-v0", 1, options(grey=True, size=6, frames=3))
    assert environment.observation_specs["observation"].shape == (3, 6, 6)
    environment.reset(torch.Generator().manual_seed(0))
    for _ in range(3):
        seen = environment.step(torch.zeros(1, dtype=torch.int64)).observation["observation"][0]
    # Red is 0.2125 of grey, blue 0.0721 (ITU-R BT.709); the latest frame comes last.
    assert seen[:, 0, 0].tolist() == pytest.approx([0.2125 * b for b in (199, 198, 197)], abs=1)
    assert seen[:, 0, 5].tolist() == pytest.approx([0.0721 * b for b in (199, 198, 197)], abs=1)
    coloured = as_environment("Exacting-v0", 1, options(arguments={"bright": 100}))
    assert coloured.observation_specs["observation"].shape == (3, 12, 16)
    assert coloured.reset(torch.Generator())["observation"][0, :, 0, 0].tolist() == [100, 0, 0]


def test_it_is_drawn_where_that_is_asked_for():
    environment = as_environment("Exacting-v0", 2, options(drawn=True))
    environment.reset(torch.Generator())
    drawn = environment.render()
    assert [picture.shape for picture in drawn] == [(12, 16, 3)] * 2
    assert drawn[0][0, 0].tolist() == [200, 0, 0]
    assert as_environment("Exacting-v0", 2, options()).render() == []


def test_options_are_plain_and_come_back_from_json():
    asked = options(arguments={"bright": 9, "name": "x"}, grey=True, frames=2)
    assert EnvironmentOptions(**json.loads(json.dumps(asked.to_dict()))) == asked
    for wrong in ({"frames": 0}, {"size": 0}, {"max_episode_steps": 0}):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            EnvironmentOptions(**wrong)


def test_the_games_of_minatar_take_arguments_and_a_length():
    pytest.importorskip("minatar")
    asked = EnvironmentOptions(arguments={"sticky": 0.0, "ramping": False}, max_episode_steps=7)
    games = as_environment("MinAtar/Freeway", 2, asked)
    assert (games.settings.sticky, games.settings.ramping, games.settings.max_steps) == (0.0, False, 7)
    with pytest.raises(SettingsError, match=r"takes no such argument.*slippery"):
        as_environment("MinAtar/Freeway", 1, EnvironmentOptions(arguments={"slippery": True}))
    with pytest.raises(SettingsError, match="is shown in its own way"):
        as_environment("MinAtar/Freeway", 1, EnvironmentOptions(grey=True))


def test_one_environment_alone_is_a_batch_of_one_and_a_function_is_called_for_each():
    alone = as_environment(gymnasium.make("CartPole-v1"), 8)
    assert alone.num_envs == 1
    assert alone.reset(torch.Generator().manual_seed(0))["observation"].shape == (1, 4)
    made = as_environment(lambda: gymnasium.make("CartPole-v1", max_episode_steps=9), 3)
    played = evaluate(made, lambda seen, mask: (seen["observation"][:, 2] > 0).long(), 3, torch.Generator())
    assert played.lengths.tolist() == [9] * 3
    with pytest.raises(
        SettingsError, match=r"function that makes the environment failed: OverflowError: too bright"
    ):
        as_environment(lambda: Exacting(bright=256), 1)
    with pytest.raises(SettingsError, match="options are for environments given by name"):
        as_environment(Corridor(1), 1, EnvironmentOptions())


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("Exacting-v0", {"bright": 300}, "'Exacting-v0' cannot be made: OverflowError: too bright"),
        ("Exacting-v0", {"slippery": True}, "cannot be made: TypeError.*slippery"),
        ("CartPole-v1", {}, "no 'view' in what is shown: one thing, without a name"),
        ("nowhere:Exacting-v0", {}, "cannot be made: ModuleNotFoundError.*nowhere"),
    ],
)
def test_what_cannot_be_made_is_named_with_its_own_reason(name, arguments, says):
    with pytest.raises(SettingsError, match=says):
        as_environment(name, 1, options(arguments=arguments))


def test_an_environment_that_fails_is_named_with_its_own_reason():
    environment = as_environment("Exacting-v0", 1, options(arguments={"fails": 3}))
    environment.reset(torch.Generator())
    act = torch.zeros(1, dtype=torch.int64)
    for _ in range(2):
        environment.step(act)
    with pytest.raises(
        InputError, match="Exacting-v0 failed in step: ZeroDivisionError: its own fault"
    ) as told:
        environment.step(act)
    assert isinstance(told.value.__cause__, ZeroDivisionError)
    with pytest.raises(InputError, match="actions are 0 to 3; give 0 to 2"):
        as_environment("Exacting-v0", 2, options()).step(torch.tensor([0, 3]))
