"""Gymnasium's vector environments, in each of the ways they reset themselves."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from clairvoy.environments.from_gymnasium import FromGymnasium
from clairvoy.errors import InputError, SettingsError
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.pqn import PQN
from clairvoy.qlearning.rollout import collect, evaluate
from clairvoy.qlearning.stretch import record

MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED]


class Count(gymnasium.Env):
    """Counts its steps: observation = 100 * episode + step. Ends after ``last`` steps; the reward is the step."""

    def __init__(self, last, truncates):
        self.observation_space = spaces.Dict(
            {
                "where": spaces.Box(0, 1e4, (1,), np.float64),
                "inside": spaces.Dict({"kind": spaces.Discrete(3, start=1)}),
            }
        )
        self.action_space = spaces.Discrete(2, start=5)
        self.last, self.truncates, self.episode, self.actions = last, truncates, -1, []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self.now = self.episode + 1, 0
        return self._shown(), {"action_mask": np.array([1, 1], np.int8)}

    def step(self, action):
        self.actions.append(int(action))
        self.now += 1
        over = self.now == self.last
        info = {"action_mask": np.array([1, self.now % 2], np.int8)}
        return self._shown(), float(self.now), over and not self.truncates, over and self.truncates, info

    def _shown(self):
        return {"where": np.array([100.0 * self.episode + self.now]), "inside": {"kind": 1 + self.now % 3}}


def batch(mode):
    """Two environments: episodes of 3 steps that terminate, and of 4 that are truncated."""
    makers = [lambda: Count(3, truncates=False), lambda: Count(4, truncates=True)]
    return FromGymnasium(SyncVectorEnv(makers, autoreset_mode=mode))


def where(observation):
    return observation["where"][:, 0].tolist()


def test_spaces_become_named_tensors():
    environment = batch(AutoresetMode.SAME_STEP)
    specs = environment.observation_specs
    assert set(specs) == {"where", "inside/kind"}
    assert (specs["where"].shape, specs["where"].dtype, specs["where"].high) == ((1,), torch.float32, 1e4)
    assert (specs["inside/kind"].shape, environment.num_actions) == ((3,), 2)
    shown = environment.reset(torch.Generator().manual_seed(0))
    assert shown["inside/kind"].tolist() == [[1, 0, 0]] * 2
    step = environment.step(torch.tensor([0, 1]))
    assert step.observation["inside/kind"].tolist() == [[0, 1, 0]] * 2
    assert step.observation["where"].dtype == torch.float32
    assert [env.actions for env in environment.vector_env.envs] == [[5], [6]]


@pytest.mark.parametrize("mode", MODES)
def test_the_end_of_an_episode_shows_its_last_observation(mode):
    environment = batch(mode)
    assert where(environment.reset(torch.Generator())) == [0, 0]
    late = mode is AutoresetMode.NEXT_STEP
    steps = [environment.step(torch.tensor([0, 0])) for _ in range(6)]
    assert [where(s.final_observation)[0] for s in steps] == (
        [1, 2, 3, 100, 101, 102] if late else [1, 2, 3, 101, 102, 103]
    )
    assert [where(s.observation)[0] for s in steps] == (
        [1, 2, 3, 100, 101, 102] if late else [1, 2, 100, 101, 102, 200]
    )
    assert [bool(s.terminated[0]) for s in steps] == [False, False, True, False, False, not late]
    assert [bool(s.truncated[1]) for s in steps] == [False, False, False, True, False, False]
    assert not any(bool(s.terminated[1]) or bool(s.truncated[0]) for s in steps)
    begun = [s.begun is not None and bool(s.begun[0]) for s in steps]
    assert begun == [late and number == 3 for number in range(6)]
    # The mask that is told with an observation goes with it: odd steps allow both actions, even ones the first.
    assert [s.final_action_mask[0].tolist() for s in steps][:3] == [[True, True], [True, False], [True, True]]


@pytest.mark.parametrize("mode", MODES)
def test_no_transition_crosses_the_border_of_an_episode(mode):
    environment = batch(mode)
    settings = HistorySettings(capacity=400, n_step=2, gamma=1.0)
    history = History(settings, 2, 2, torch.Generator())
    shown = environment.reset(torch.Generator())
    collect(environment, lambda seen, mask: torch.zeros(2, dtype=torch.int64), history, shown, 60)
    held = history.recent(1000)
    before, after = held.observation["where"][:, 0], held.next_observation["where"][:, 0]
    assert len(held) > 80
    assert torch.equal(before // 100, after // 100)
    steps = after - before
    assert set(steps.tolist()) == {1.0, 2.0}
    # The reward of step k is k; a step that only resets would have added 0, or an observation of no successor.
    first = before % 100
    assert torch.equal(held.reward, steps * first + steps * (steps + 1) / 2)
    # Terminated episodes end at 3 and count nothing after; truncated ones end at 4, and their value counts.
    assert set(held.discount[after % 100 == 4].tolist()) == {1.0}
    assert 0.0 in set(held.discount[after % 100 == 3].tolist())
    one_step = steps == 1
    assert set((first + 1)[one_step].tolist()) == {3.0, 4.0}  # shortened at the ends, and only there


@pytest.mark.parametrize("mode", MODES)
def test_pqn_bootstraps_from_the_last_observation_and_skips_resets(mode):
    class Where(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.one = torch.nn.Parameter(torch.ones(1, 2))

        def forward(self, observation):
            return observation["where"] * self.one

    environment, generator = batch(mode), torch.Generator()
    agent = PQN(Where())
    stretch, _ = record(agent, environment, environment.reset(generator), 12, 0.0, generator)
    learnt = torch.ones(12, 2, dtype=torch.bool) if stretch.begun is None else ~stretch.begun
    shown = stretch.observation["where"][..., 0]
    goes_on = learnt & ~stretch.terminated
    assert torch.equal(stretch.next_value[goes_on], shown[goes_on] + 1)
    assert bool((shown[learnt] % 100 < 4).all())
    assert (stretch.begun is not None) == (mode is AutoresetMode.NEXT_STEP)


@pytest.mark.parametrize("mode", MODES)
def test_evaluation_counts_steps_and_rewards_of_whole_episodes(mode):
    played = evaluate(batch(mode), lambda seen, mask: torch.zeros(2, dtype=torch.int64), 6, torch.Generator())
    assert sorted(played.lengths.tolist()) == [3, 3, 3, 4, 4, 4]
    assert sorted(played.returns.tolist()) == [6.0] * 3 + [10.0] * 3


def test_cart_pole_in_numpy_is_the_one_of_gymnasium():
    vector = gymnasium.make_vec("CartPole-v1", 3, vectorization_mode="vector_entry_point")
    environment = FromGymnasium(vector)
    shown = environment.reset(torch.Generator().manual_seed(0))
    one = gymnasium.make("CartPole-v1").unwrapped
    one.reset(seed=0)
    one.state = tuple(vector.unwrapped.state[:, 1])
    generator, ended = torch.Generator().manual_seed(1), False
    while not ended:
        action = torch.randint(2, (3,), generator=generator)
        step = environment.step(action)
        want, reward, ended, _, _ = one.step(int(action[1]))
        np.testing.assert_allclose(step.final_observation["observation"][1].numpy(), want, rtol=1e-5)
        assert (bool(step.terminated[1]), float(step.reward[1])) == (ended, reward)
    assert shown["observation"].abs().max() <= 0.05  # what was shown first has not changed meanwhile


def test_the_same_seed_gives_the_same_episodes():
    environment = FromGymnasium(gymnasium.make_vec("CartPole-v1", 3, vectorization_mode="vector_entry_point"))
    first, again, other = (
        environment.reset(torch.Generator().manual_seed(seed))["observation"] for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_what_cannot_be_used_is_named():
    class Bad(Count):
        def __init__(self, **spaces_):
            super().__init__(3, False)
            self.__dict__.update(spaces_)

    def of(**spaces_):
        return FromGymnasium(SyncVectorEnv([lambda: Bad(**spaces_)]))

    with pytest.raises(SettingsError, match="Discrete"):
        of(action_space=spaces.Box(0, 1, (2,)))
    with pytest.raises(SettingsError, match=r"observation is Text.*wrap it so that it shows a Box"):
        of(observation_space=spaces.Text(3))
    with pytest.raises(SettingsError, match=r"1/said is Text.*leave it out with .*FilterObservation"):
        of(observation_space=spaces.Tuple([spaces.Discrete(2), spaces.Dict({"said": spaces.Text(3)})]))
    environment = batch(AutoresetMode.NEXT_STEP)
    environment.reset(torch.Generator())
    with pytest.raises(InputError, match=r"give \(2,\)"):
        environment.step(torch.zeros(3, dtype=torch.int64))
    silent = SyncVectorEnv([lambda: Count(3, False)])
    silent.metadata = {}
    with pytest.raises(SettingsError, match="autoreset_mode"):
        FromGymnasium(silent)
