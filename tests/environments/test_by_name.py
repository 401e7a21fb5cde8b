"""Environments by their names, and what is said where there is none."""

import sys

import gymnasium
import pytest
import torch

from clairvoy.environments.by_name import environment_by_name
from clairvoy.environments.handed_in import as_environment
from clairvoy.errors import SettingsError


def test_gymnasiums_reset_themselves_in_the_same_step():
    environment = environment_by_name("CartPole-v1", 3)
    assert environment.num_envs == 3
    assert environment.metadata["autoreset_mode"] is gymnasium.vector.AutoresetMode.SAME_STEP
    assert as_environment("CartPole-v1", 3).observation_specs["observation"].shape == (4,)


@pytest.mark.parametrize("name", ["MinAtar/Breakout", "MinAtar/Breakout-v1"])
def test_minatar(name):
    pytest.importorskip("minatar")
    environment = as_environment(name, 2)
    assert type(environment).__name__ == "MinAtarGames"  # it knows its state: nothing has to be played again
    assert environment.reset(torch.Generator().manual_seed(0))["planes"].shape == (2, 4, 10, 10)
    assert environment.num_actions == 3


def test_atari():
    pytest.importorskip("ale_py")
    environment = as_environment("ALE/Freeway-v5", 2)
    assert environment.reset(torch.Generator().manual_seed(0))["frames"].shape == (2, 4, 42, 42)
    assert environment.num_actions == 3


def test_box2d():
    pytest.importorskip("Box2D")
    pytest.importorskip("pygame")
    environment = as_environment("LunarLander-v3", 2)
    assert environment.reset(torch.Generator().manual_seed(0))["observation"].shape == (2, 8)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cartpole-v1", "did you mean CartPole-v1"),
        ("CartPole-v7", "did you mean CartPole-v1"),
        ("breakout", "did you mean MinAtar/Breakout"),
        ("MinAtar/spaceinvaders", "did you mean MinAtar/SpaceInvaders"),
        ("MinAtar/Breakout-v0", "did you mean MinAtar/Breakout"),
        ("ALE/Pongg-v5", "did you mean ALE/Pong-v5"),
        ("qqqqqq", "give an id of gymnasium, MinAtar/... or ALE/..."),
    ],
)
def test_close_names_are_told(name, hint):
    if name.startswith("ALE/"):
        pytest.importorskip("ale_py")
    with pytest.raises(SettingsError, match=f"no environment '{name}'; {hint}"):
        environment_by_name(name, 1)


@pytest.mark.parametrize(
    ("missing", "name", "remedy"),
    [
        ("minatar", "MinAtar/Breakout", r"pip install 'clairvoy\[games\]'"),
        ("ale_py", "ALE/Pong-v5", r"pip install 'clairvoy\[games\]'"),
        ("gymnasium", "CartPole-v1", r"install clairvoy\[train\]"),
        ("Box2D", "LunarLander-v3", r"install clairvoy\[box2d\]"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(monkeypatch, missing, name, remedy):
    for loaded in [other for other in sys.modules if other.startswith("gymnasium.envs.box2d")]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SettingsError, match=remedy):
        environment_by_name(name, 1)
