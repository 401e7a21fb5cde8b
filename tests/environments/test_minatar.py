"""MinAtar's games side by side, against MinAtar's own games played one by one."""

import io

import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from clairvoy.environments.minatar import GAMES, MinAtarGames, MinAtarSettings
from clairvoy.environments.to_gymnasium import GymnasiumEnv
from clairvoy.errors import InputError, SettingsError, WeightsError
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.rollout import collect, evaluate

minatar = pytest.importorskip("minatar")


def seeds_of(generator_seed, count):
    return torch.randint(2**31, (count,), generator=torch.Generator().manual_seed(generator_seed)).tolist()


def planes_of(game):
    return torch.from_numpy(game.state().transpose(2, 0, 1).copy())


def actions(environment, steps, seed=1):
    noise = torch.Generator().manual_seed(seed)
    return torch.randint(environment.num_actions, (steps, environment.num_envs), generator=noise)


def same(first, second):
    return (
        torch.equal(first.observation["planes"], second.observation["planes"])
        and torch.equal(first.final_observation["planes"], second.final_observation["planes"])
        and torch.equal(first.reward, second.reward)
        and torch.equal(first.terminated, second.terminated)
        and torch.equal(first.truncated, second.truncated)
    )


@pytest.mark.parametrize("game", GAMES)
def test_each_game_is_minatars_own(game):
    """Planes, rewards and ends of 400 random steps equal those of games stepped by hand, over several episodes."""
    ours = MinAtarGames(game, 3, MinAtarSettings(max_steps=150))
    theirs = [minatar.Environment(GAMES[game]) for _ in range(3)]
    for seed, one in zip(seeds_of(0, 3), theirs, strict=True):
        one.seed(seed)
        one.reset()
    lengths, ends, paid = [0, 0, 0], 0, 0.0
    shown = ours.reset(torch.Generator().manual_seed(0))["planes"]
    assert torch.equal(shown, torch.stack([planes_of(one) for one in theirs]))
    assert ours.observation_specs["planes"].shape == tuple(shown.shape[1:])
    for chosen in actions(ours, 400):
        step = ours.step(chosen)
        for row, one in enumerate(theirs):
            reward, terminated = one.act(one.minimal_action_set()[chosen[row]])
            lengths[row] += 1
            paid += float(reward)
            assert step.reward[row] == reward
            assert step.terminated[row] == terminated
            assert step.truncated[row] == (lengths[row] == 150 and not terminated)
            assert torch.equal(step.final_observation["planes"][row], planes_of(one))
            if step.done[row]:
                ends, lengths[row] = ends + 1, 0
                one.reset()
            assert torch.equal(step.observation["planes"][row], planes_of(one))
    assert ends >= 6
    if game != "Freeway":  # nobody crosses that road by chance
        assert paid > 0


def test_breakout_worked_out_by_hand():
    """The ball falls along a diagonal from row 3, from column 0 or 9. The paddle waits below column 4."""
    games = MinAtarGames("Breakout", 8, MinAtarSettings(sticky=0.0))
    ball, paddle, brick = (games.channels.index(name) for name in ("ball", "paddle", "brick"))
    right = games.actions.index(3)

    def played(first):
        shown = games.reset(torch.Generator().manual_seed(0))["planes"]
        assert shown[:, brick].sum(dim=(1, 2)).tolist() == [30] * 8
        assert shown[:, paddle, 9, 4].all()
        from_left = shown[:, ball, 3, 0]
        assert 0 < from_left.sum() < 8
        assert (from_left | shown[:, ball, 3, 9]).all()
        steps = [games.step(right * from_left * (first == "follow"))]
        return from_left, steps + [games.step(torch.zeros(8).long()) for _ in range(10)]

    # After 6 steps it is in row 9. From the left it is in column 6 then, and has missed the paddle. From the right it
    # was above the paddle a step before, flies back, and is among the lowest bricks after 5 steps more.
    from_left, steps = played("wait")
    assert [step.done.any().item() for step in steps[:6]] == [False] * 5 + [True]
    assert torch.equal(steps[5].terminated, from_left)
    assert steps[5].final_observation["planes"][from_left, ball, 9, 6].all()
    assert (steps[5].observation["planes"][from_left, ball, 3].sum(dim=1) == 1).all()
    # One cell to the right, and the ball from the left is hit as well: every game has taken one brick in step 11.
    from_left, steps = played("follow")
    assert not any(step.done.any() for step in steps)
    rewards = torch.stack([step.reward for step in steps])
    assert rewards.sum(dim=0).tolist() == [1.0] * 8
    assert rewards[10].tolist() == [1.0] * 8
    assert steps[-1].observation["planes"][:, brick].sum(dim=(1, 2)).tolist() == [29] * 8


@pytest.mark.parametrize("game", GAMES)
def test_a_restored_state_goes_on_as_if_nothing_had_happened(game):
    games = MinAtarGames(game, 2, MinAtarSettings(max_steps=60))
    generator = torch.Generator().manual_seed(3)
    games.reset(generator)
    chosen = actions(games, 300)
    for some in chosen[:130]:
        games.step(some)
    file = io.BytesIO()
    torch.save(games.state_dict(), file)
    whole = [games.step(some) for some in chosen[130:]]
    file.seek(0)
    resumed, other = MinAtarGames(game, 2, MinAtarSettings(max_steps=60)), torch.Generator()
    resumed.load_state_dict(torch.load(file, weights_only=True), other)
    assert torch.equal(other.get_state(), generator.get_state())
    assert all(same(resumed.step(some), before) for some, before in zip(chosen[130:], whole, strict=True))


def test_the_generator_decides_everything():
    def played(seed):
        games = MinAtarGames("Asterix", 3)
        games.reset(torch.Generator().manual_seed(seed))
        return [games.step(some) for some in actions(games, 120)]

    assert all(same(*pair) for pair in zip(played(5), played(5), strict=True))
    assert not all(same(*pair) for pair in zip(played(5), played(6), strict=True))


def test_nothing_shown_changes_afterwards():
    games = MinAtarGames("Freeway", 1)
    shown = games.reset(torch.Generator().manual_seed(0))["planes"]
    before = shown.clone()
    first = games.step(torch.tensor([1]))
    kept = first.observation["planes"].clone()
    for some in actions(games, 20):
        games.step(some)
    assert torch.equal(shown, before)
    assert torch.equal(first.observation["planes"], kept)


@pytest.mark.parametrize("game", GAMES)
def test_gymnasium_finds_nothing_wrong_with_it(game):
    check_env(GymnasiumEnv(MinAtarGames(game, 1)), skip_render_check=True)


def test_it_fills_a_history_and_is_measured():
    games = MinAtarGames("SpaceInvaders", 4, MinAtarSettings(max_steps=80))
    noise = torch.Generator().manual_seed(0)

    def at_random(observation, mask):
        return torch.multinomial(mask.float(), 1, generator=noise)[:, 0]

    history = History(HistorySettings(400, n_step=1, gamma=0.99), 4, games.num_actions, noise)
    collect(games, at_random, history, games.reset(torch.Generator().manual_seed(0)), 50)
    assert len(history) == 200
    measured = evaluate(games, at_random, 8, torch.Generator().manual_seed(1))
    assert len(measured.returns) == 8
    assert measured.lengths.max() <= 80
    assert measured.mean_return > 0
    assert np.array_equal(measured.returns.numpy(), measured.returns.round().numpy())


def test_what_does_not_fit_is_refused():
    with pytest.raises(SettingsError, match="no game 'Tetris'; choose one of Breakout"):
        MinAtarGames("Tetris", 1)
    with pytest.raises(SettingsError, match="num_envs is 0"):
        MinAtarGames("Breakout", 0)
    with pytest.raises(SettingsError, match="sticky is 2"):
        MinAtarSettings(sticky=2)
    with pytest.raises(SettingsError, match="max_steps is 0"):
        MinAtarSettings(max_steps=0)
    games = MinAtarGames("Breakout", 2)
    games.reset(torch.Generator())
    with pytest.raises(InputError, match=r"shape \(1,\)"):
        games.step(torch.tensor([0]))
    with pytest.raises(InputError, match="give 0 to 2"):
        games.step(torch.tensor([0, 3]))
    with pytest.raises(InputError, match="give 0 to 2"):
        games.step(torch.tensor([0, -1]))
    with pytest.raises(WeightsError, match="2 x Breakout, but this is 2 x Asterix"):
        MinAtarGames("Asterix", 2).load_state_dict(games.state_dict())
