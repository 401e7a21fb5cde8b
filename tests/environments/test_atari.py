"""Atari games of ALE: what is shown, same seed same game, resume."""

import pytest
import torch
from gymnasium.utils.env_checker import check_env

from clairvoy.environments.atari import AtariGames, AtariSettings, known_games
from clairvoy.environments.replayed import Replayed
from clairvoy.environments.to_gymnasium import GymnasiumEnv
from clairvoy.errors import InputError, SettingsError, WeightsError
from clairvoy.qlearning.rollout import evaluate

ale_py = pytest.importorskip("ale_py")

SHORT = AtariSettings(max_frames=240)


def actions(games, steps):
    noise = torch.Generator().manual_seed(9)
    return torch.randint(games.num_actions, (steps, games.num_envs), generator=noise)


def played(seed, steps=150):
    games = AtariGames("Pong", 2, SHORT)
    shown = games.reset(torch.Generator().manual_seed(seed))
    return shown, [games.step(some) for some in actions(games, steps)]


def test_frames_are_small_grey_and_stacked():
    games = AtariGames("Pong", 2)
    spec = games.observation_specs["frames"]
    assert (spec.shape, spec.dtype, spec.low, spec.high) == ((4, 42, 42), torch.uint8, 0, 255)
    assert (games.num_envs, games.num_actions) == (2, 6)
    assert games.action_mask().all()
    before = games.reset(torch.Generator().manual_seed(0))["frames"]
    assert (before.shape, before.dtype) == ((2, 4, 42, 42), torch.uint8)
    after = games.step(torch.tensor([0, 0])).observation["frames"]
    assert torch.equal(after[:, :3], before[:, 1:])
    assert before.float().std() > 1


@pytest.mark.slow
def test_the_seed_decides_everything():
    (first, one), (again, two), (other, _) = played(3), played(3), played(4)
    assert torch.equal(first["frames"], again["frames"])
    assert not torch.equal(first["frames"], other["frames"])
    for left, right in zip(one, two, strict=True):
        assert torch.equal(left.observation["frames"], right.observation["frames"])
        assert torch.equal(left.final_observation["frames"], right.final_observation["frames"])
        assert torch.equal(left.reward, right.reward)
        assert torch.equal(left.done, right.done)


def test_an_episode_that_is_cut_off_shows_its_end_and_the_next_begin():
    _, steps = played(0)
    cut = [step for step in steps if step.truncated.any()]
    assert len(cut) >= 2
    assert not any(step.terminated.any() for step in steps)
    for step in cut:
        row = int(step.truncated.long().argmax())
        assert not torch.equal(step.observation["frames"][row], step.final_observation["frames"][row])
    quiet = next(step for step in steps if not step.done.any())
    assert torch.equal(quiet.observation["frames"], quiet.final_observation["frames"])


@pytest.mark.slow
def test_points_are_not_clipped():
    """A match of Pong against nobody is lost by 21 points, whatever the seed."""
    games = AtariGames("Pong", 1)
    lost = evaluate(games, lambda shown, mask: torch.zeros(1).long(), 1, torch.Generator().manual_seed(0))
    assert lost.returns.tolist() == [-21.0]
    invaders = AtariGames("SpaceInvaders", 2)
    invaders.reset(torch.Generator().manual_seed(0))
    rewards = torch.stack([invaders.step(some).reward for some in actions(invaders, 250)])
    assert rewards.max() >= 5
    assert not (rewards % 5).any()  # 5 to 30 points for an alien


@pytest.mark.slow
def test_gymnasium_finds_nothing_wrong_with_it():
    check_env(GymnasiumEnv(AtariGames("Freeway", 1)), skip_render_check=True)


@pytest.mark.slow
def test_a_run_is_resumed_by_playing_it_again():
    games = Replayed(AtariGames("Pong", 2, SHORT))
    games.reset(torch.Generator().manual_seed(1))
    chosen = actions(games, 160)
    for some in chosen[:100]:
        games.step(some)
    state = games.state_dict()
    whole = [games.step(some) for some in chosen[100:]]
    resumed = Replayed(AtariGames("Pong", 2, SHORT))
    resumed.load_state_dict(state, torch.Generator())
    for some, before in zip(chosen[100:], whole, strict=True):
        step = resumed.step(some)
        assert torch.equal(step.observation["frames"], before.observation["frames"])
        assert torch.equal(step.reward, before.reward)
    elsewhere = Replayed(AtariGames("Pong", 2, AtariSettings(max_frames=200)))
    with pytest.raises(WeightsError, match="did not repeat itself"):
        elsewhere.load_state_dict(state, torch.Generator())


def test_what_does_not_fit_is_refused():
    assert known_games()["SpaceInvaders"] == "space_invaders"
    with pytest.raises(SettingsError, match="no game 'Chess'; choose one of"):
        AtariGames("Chess", 1)
    with pytest.raises(SettingsError, match="num_envs is 0"):
        AtariGames("Pong", 0)
    with pytest.raises(SettingsError, match="sticky is -1"):
        AtariSettings(sticky=-1)
    with pytest.raises(SettingsError, match="skip is 0; it must be at least 1"):
        AtariSettings(skip=0)
    games = AtariGames("Pong", 2)
    games.reset(torch.Generator())
    with pytest.raises(InputError, match=r"shape \(1,\)"):
        games.step(torch.tensor([0]))
