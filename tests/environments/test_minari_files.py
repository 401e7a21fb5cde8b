"""History as a Minari data set and back, and data sets that Minari made itself."""

import sys

import gymnasium
import numpy as np
import pytest
import torch
from corridor import Corridor

from clairvoy.environments.minari_files import load_minari, save_minari
from clairvoy.errors import FileError, InputError, SettingsError
from clairvoy.qlearning.dqn import DQN, learn_from_history
from clairvoy.qlearning.environment import Step
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.n_step import episode_transitions
from clairvoy.qlearning.qnetwork import QNetwork, VectorEncoder
from clairvoy.qlearning.rollout import collect
from clairvoy.qlearning.transitions import GENERATED

minari = pytest.importorskip("minari", reason="the optional package minari is not installed")
pytest.importorskip("h5py", reason="the optional package h5py is not installed")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


def settings(**changes):
    return HistorySettings(**({"capacity": 500, "n_step": 1, "gamma": 0.9} | changes))


def corridor_history(steps=40, **changes):
    generator = torch.Generator().manual_seed(0)
    corridor = Corridor(4)
    history = History(settings(**changes), 4, 2, generator)
    seen = corridor.reset(generator)
    collect(corridor, lambda o, m: torch.randint(2, (4,), generator=generator), history, seen, steps)
    return history


def columns(history):
    held = history.recent(len(history))
    named = {f"observation/{name}": value for name, value in held.observation.items()}
    named |= {f"next/{name}": value for name, value in held.next_observation.items()}
    for name in ("action", "reward", "discount", "next_mask", "provenance", "tau"):
        named[name] = getattr(held, name)
    return named | {"priority": history.priorities()}


def assert_equal(one, other):
    one, other = columns(one), columns(other)
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.dtype == other[name].dtype, name
        assert torch.equal(value, other[name]), name


def test_a_saved_history_comes_back_equal():
    history = corridor_history()
    history.update_priorities(torch.arange(20), torch.linspace(0, 2, 20))
    save_minari(history, "corridor/random-v0", description="a walk")
    loaded = load_minari("corridor/random-v0")
    assert loaded.settings == history.settings
    assert_equal(loaded, history)
    data = minari.load_dataset("corridor/random-v0")
    assert data.total_steps == 160
    assert data.total_episodes < 80  # joined to episodes, not one for each step


def test_a_ring_that_has_gone_round_comes_back_in_order():
    history = corridor_history(steps=60, capacity=101)
    save_minari(history, "corridor/ring-v0")
    assert_equal(load_minari("corridor/ring-v0"), history)


def test_pixels_names_masks_and_trust_survive():
    generator = torch.Generator().manual_seed(0)
    history = History(settings(capacity=20), 2, 3, generator)
    for step in range(5):
        observation, following = (
            {
                "eye/left": (torch.arange(2 * 12).view(2, 2, 2, 3) + 50 * k).to(torch.uint8),
                "number": torch.full((2, 1), float(k)),
            }
            for k in (step, step + 1)
        )
        history.append(
            observation,
            torch.tensor([step % 3, 2]),
            Step(
                {},
                torch.tensor([0.1 * step, -1.0]),
                torch.tensor([step == 2, False]),
                torch.tensor([False, step == 3]),
                following,
                torch.rand(2, 3, generator=generator) < 0.7,
                {
                    "provenance": torch.tensor([0, GENERATED], dtype=torch.uint8),
                    "tau": torch.tensor([1.0, 0.3]),
                },
            ),
        )
    save_minari(history, "eyes/test-v0")
    assert_equal(load_minari("eyes/test-v0"), history)


@pytest.mark.slow
def test_longer_returns_are_formed_as_while_acting():
    def record(n):
        generator = torch.Generator().manual_seed(3)
        corridor = Corridor(1)
        history = History(settings(n_step=n), 1, 2, generator)
        seen = corridor.reset(generator)
        collect(corridor, lambda o, m: torch.randint(2, (1,), generator=generator), history, seen, 200)
        return history

    single, triple = record(1), record(3)
    save_minari(single, "corridor/single-v0")
    loaded = load_minari("corridor/single-v0", settings(n_step=3))

    def rows(history):
        held = history.recent(len(history))
        joined = torch.cat(
            (held.observation["cell"], held.next_observation["cell"], held.action[:, None].float(),
             held.reward[:, None], held.discount[:, None]), dim=1
        )  # fmt: skip
        return sorted((joined * 1e4).round().int().tolist())

    acted, formed = rows(triple), rows(loaded)
    # While acting the last steps of the unfinished episode still wait; in the data set that episode is cut.
    assert len(formed) - len(acted) <= 2
    assert all(row in formed for row in acted)


def test_episode_transitions_by_hand():
    made = episode_transitions(
        {"x": torch.arange(4.0)[:, None]},
        torch.tensor([0, 1, 0]),
        torch.tensor([1.0, 2.0, 4.0]),
        terminated=True,
        next_mask=torch.tensor([[True, False], [True, True], [False, True]]),
        provenance=torch.tensor([0, 0, 1], dtype=torch.uint8),
        tau=torch.tensor([1.0, 0.5, 0.8]),
        n=2,
        gamma=0.5,
    )
    assert made.reward.tolist() == [2.0, 4.0, 4.0]
    assert made.discount.tolist() == [0.25, 0.0, 0.0]
    assert made.next_observation["x"].flatten().tolist() == [2.0, 3.0, 3.0]
    assert made.next_mask.tolist() == [[True, True], [False, True], [False, True]]
    assert made.provenance.tolist() == [0, 1, 1]
    torch.testing.assert_close(made.tau, torch.tensor([0.5, 0.5, 0.8]))


def by_minari(dataset_id, env, episodes):
    """A data set that Minari itself writes, from an environment of Gymnasium that it knows."""
    buffers = []
    for number in range(episodes):
        observations, done = [env.reset(seed=number)[0]], False
        kept = {"actions": [], "rewards": [], "terminations": [], "truncations": []}
        while not done:
            action = int(env.action_space.sample())
            shown, reward, terminated, truncated, _ = env.step(action)
            observations.append(shown)
            for name, value in zip(kept, (action, reward, terminated, truncated), strict=True):
                kept[name].append(value)
            done = terminated or truncated
        buffers.append(minari.data_collector.EpisodeBuffer(id=number, observations=observations, **kept))
    with pytest.warns(UserWarning, match="is set to None"):
        minari.create_dataset_from_buffers(dataset_id, buffers, env=env)
    return buffers


def test_a_data_set_that_minari_made_of_cart_pole_can_be_learnt_from():
    env = gymnasium.make("CartPole-v1", max_episode_steps=12)
    env.action_space.seed(0)
    buffers = by_minari("cartpole/random-v0", env, 8)
    history = load_minari(minari.load_dataset("cartpole/random-v0"), settings())
    assert len(history) == sum(len(buffer.rewards) for buffer in buffers)
    held = history.recent(len(history))
    # Episodes of no more than 12 steps: some fell, which ends all value, and some were cut, which does not.
    fell = sum(buffer.terminations[-1] for buffer in buffers)
    assert 0 < fell < 8
    assert int((held.discount == 0).sum()) == fell
    first = np.stack(buffers[0].observations)
    np.testing.assert_array_equal(held.observation["observation"][: len(first) - 1].numpy(), first[:-1])
    np.testing.assert_array_equal(held.next_observation["observation"][: len(first) - 1].numpy(), first[1:])
    assert held.action[: len(first) - 1].tolist() == buffers[0].actions
    agent = DQN(QNetwork(VectorEncoder({"observation": (4,)}, 8), 8, 2))
    assert learn_from_history(agent, history, 3, 16)["loss"] > 0


def test_what_cannot_be_done_is_named(folder, monkeypatch):
    history = corridor_history()
    with pytest.raises(SettingsError, match="n_step is 3"):
        save_minari(corridor_history(n_step=3), "corridor/x-v0")
    with pytest.raises(InputError, match="empty"):
        save_minari(History(settings(), 1, 2, torch.Generator()), "corridor/x-v0")
    with pytest.raises(FileError, match="cannot read the data set corridor/none-v0"):
        load_minari("corridor/none-v0")
    save_minari(history, "corridor/x-v0")
    with pytest.raises(FileError, match="already exists"):
        save_minari(history, "corridor/x-v0")
    assert len(load_minari("corridor/x-v0")) == len(history)  # the refused one has harmed nothing
    with pytest.raises(SettingsError, match="raise capacity"):
        load_minari("corridor/x-v0", settings(capacity=10))
    monkeypatch.setattr(minari, "create_dataset_from_buffers", _half)
    with pytest.raises(FileError, match="the disk is full"):
        save_minari(history, "corridor/y-v0")
    assert not (folder / "corridor" / "y-v0").exists()
    monkeypatch.setitem(sys.modules, "minari", None)
    with pytest.raises(FileError, match=r"clairvoy\[history\]"):
        load_minari("corridor/x-v0")


def _half(dataset_id, *_, **__):
    place = minari.storage.get_dataset_path(dataset_id) / "data"
    place.mkdir(parents=True)
    (place / "part").touch()
    raise OSError("the disk is full")


def one_episode(env, actions):
    """As `by_minari`, of one episode that is played out; what is shown is kept part by part, as Minari keeps it."""
    shown, _ = env.reset(seed=0)
    seen, rewards, ends = [shown], [], []
    for action in actions:
        shown, reward, terminated, _, _ = env.step(action)
        seen.append(shown)
        rewards.append(reward)
        ends.append(terminated)
    if isinstance(shown, dict):
        seen = {name: [one[name] for one in seen] for name in shown}
    elif isinstance(shown, tuple):
        seen = tuple(np.array([one[place] for one in seen]) for place in range(len(shown)))
    return minari.data_collector.EpisodeBuffer(
        id=0, observations=seen, actions=np.array(actions), rewards=rewards, terminations=ends,
        truncations=[False] * len(ends),
    )  # fmt: skip


def recorded(name, env, actions):
    buffer = one_episode(env, actions)
    with pytest.warns(UserWarning, match="None"):
        minari.create_dataset_from_buffers(
            name, [buffer], observation_space=env.observation_space, action_space=env.action_space
        )
    return buffer, minari.load_dataset(name)


def test_a_data_set_of_cards_holds_what_was_seen():
    """Blackjack shows a tuple of three numbers."""
    cards, data = recorded("cards/random-v0", gymnasium.make("Blackjack-v1"), [1, 0])
    held = load_minari(data, settings()).recent(2)
    assert {name: part.shape[1] for name, part in held.observation.items()} == {"0": 32, "1": 11, "2": 2}
    for place, seen in enumerate(cards.observations):
        assert held.observation[str(place)].argmax(dim=1).tolist() == seen[:-1].tolist()
        assert held.next_observation[str(place)].argmax(dim=1).tolist() == seen[1:].tolist()


class Words(gymnasium.Env):
    """Shows what it says."""

    observation_space = gymnasium.spaces.Dict(
        {"said": gymnasium.spaces.Text(3, charset="ab"), "place": gymnasium.spaces.Discrete(4)}
    )
    action_space = gymnasium.spaces.MultiDiscrete([2, 3])

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = 0
        return self._shown(), {}

    def step(self, action):
        self.place += 1
        return self._shown(), 1.0, self.place == 3, False, {}

    def _shown(self):
        return {"said": "ab", "place": self.place}


def test_words_are_refused_by_name_and_choices_of_several_parts_are_one_number():
    actions = [[0, 0], [1, 0], [1, 2]]
    with pytest.raises(SettingsError, match=r"said is Text.*leave it out with gymnasium\.wrappers\.Filter"):
        load_minari(recorded("words/spoken-v0", Words(), actions)[1])
    quiet = gymnasium.wrappers.FilterObservation(Words(), ["place"])
    held = load_minari(recorded("words/quiet-v0", quiet, actions)[1], settings()).recent(3)
    assert held.action.tolist() == [0, 3, 5]
    assert held.observation["place"].argmax(dim=1).tolist() == [0, 1, 2]
