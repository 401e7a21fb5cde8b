"""What a scenario's rules do to tensors in place, and what types they show, does no harm by whichever way it is played."""

import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from clairvoy.cotraining.loop import Cotraining, CotrainSettings
from clairvoy.environments.minari_files import load_minari, save_minari
from clairvoy.environments.stable_baselines import as_vec_env
from clairvoy.environments.to_gymnasium import GymnasiumEnv, GymnasiumVectorEnv
from clairvoy.qlearning.dqn import DQN
from clairvoy.qlearning.dqn_training import DQNTraining, DQNTrainingSettings
from clairvoy.qlearning.encoders import network_for
from clairvoy.qlearning.environment import ObservationSpec, Step
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.pqn import PQN, PQNTraining
from clairvoy.qlearning.rollout import evaluate
from clairvoy.qlearning.stretch import record
from clairvoy.scenarios.own.scenario import Scenario, ScenarioSettings
from clairvoy.scenarios.own.scene_environment import Rules, SceneEnvironment

SCENES = torch.tensor([[3.0], [4.0]])


def counting_down(careless):
    """A number that every 1 takes one from; careless rules do it in the scene itself and change whatever they are handed."""
    paid, over = torch.zeros(64), torch.zeros(64, dtype=torch.bool)

    def begin(scene, rng):
        return {"left": scene if careless else scene.clone()}

    def show(scene, state):
        if careless:
            scene += 100
        return {"left": state["left"]}

    def act(scene, state, action):
        count = len(action)
        if not careless:
            left = state["left"] - action[:, None]
            return {"left": left}, action.float(), left[:, 0] <= 0
        state["left"] -= action[:, None]
        paid[:count], over[:count] = action.float(), state["left"][:, 0] <= 0
        scene[:] = -7
        action[:] = 0
        return state, paid[:count], over[:count]

    def allow(scene, state):
        allowed = torch.ones(len(scene), 2, dtype=torch.bool)
        if careless:
            state["left"].zero_()
        return allowed

    return Rules(2, begin, show, act, max_steps=9, allow=allow)


def played(careless, num_envs=2):
    made = SceneEnvironment(SCENES.clone(), num_envs, counting_down(careless))
    made.reset(torch.Generator().manual_seed(0))
    return made


def a_network(environment):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return network_for(environment.observation_specs, 2)


def cotrained(careless):
    real = SCENES.repeat(8, 1)
    scenario = Scenario(played(careless), real, settings=ScenarioSettings(batch=16, scenes=8))
    loop = Cotraining(scenario, CotrainSettings(budget=30, warm_up=5, agent_batch=8))
    while not loop.over:
        loop.round()
    held = scenario.history.recent(1000)
    return [held.observation["left"], held.next_observation["left"], held.reward, scenario.met.rows, real]


def by_dqn(careless):
    environment = played(careless)
    history = History(HistorySettings(500, n_step=1), 2, 2, torch.Generator().manual_seed(1))
    training = DQNTraining(
        DQN(a_network(environment)),
        history,
        environment,
        60,
        DQNTrainingSettings(act=5, updates=1, warm_up=10),
    )
    while not training.over:
        training.round()
    held = history.recent(500)
    return [held.observation["left"], held.next_observation["left"], held.reward, environment.scenes]


def by_pqn(careless):
    environment = played(careless)
    agent = PQN(a_network(environment))
    training = PQNTraining(agent, environment, 40)
    training.round()
    stretch, _ = record(
        agent, environment, environment.observation, 12, 0.5, torch.Generator().manual_seed(3)
    )
    return [stretch.observation["left"], stretch.reward, stretch.terminated]


def by_gymnasium(careless):
    env, kept = GymnasiumEnv(played(careless, 1)), []
    seen, _ = env.reset(seed=0)
    for action in (1, 0, 1, 1, 1):
        then, reward, terminated, truncated, _ = env.step(action)
        kept.append((seen["left"], then["left"], reward))
        seen = env.reset()[0] if terminated or truncated else then
    return [torch.tensor(np.array([float(np.ravel(one)[0]) for row in kept for one in row]))]


def by_gymnasium_vectors(careless):
    env, kept = GymnasiumVectorEnv(played(careless)), []
    seen, _ = env.reset(seed=0)
    for _ in range(6):
        then, reward, *_, infos = env.step(np.array([1, 1]))
        kept += [seen["left"], reward[:, None], then["left"]]
        kept += [last["left"][None] for last in infos.get("final_obs", []) if last is not None]
        seen = then
    return [torch.from_numpy(np.concatenate(kept))]


def by_stable_baselines(careless):
    stable_baselines3 = pytest.importorskip(
        "stable_baselines3", reason="the optional package is not installed"
    )
    model = stable_baselines3.DQN(
        "MultiInputPolicy",
        as_vec_env(played(careless)),
        learning_starts=20,
        buffer_size=100,
        seed=0,
        device="cpu",
    )
    model.learn(60)
    buffer = model.replay_buffer
    shown = [buffer.observations["left"][:30], buffer.next_observations["left"][:30], buffer.rewards[:30]]
    return [torch.from_numpy(one.copy()) for one in shown]


def by_evaluation(careless):
    told = evaluate(
        played(careless), lambda seen, mask: torch.ones(2, dtype=torch.int64), 6, torch.Generator()
    )
    return [told.returns, told.lengths]


def by_minari(careless):
    minari = pytest.importorskip("minari", reason="the optional package is not installed")
    environment = played(careless)
    history = History(HistorySettings(60, n_step=1), 2, 2, torch.Generator().manual_seed(1))
    agent = DQN(a_network(environment))
    DQNTraining(agent, history, environment, 60, DQNTrainingSettings(act=5, updates=1, warm_up=60)).round()
    name = f"every/way{int(careless)}-v0"
    save_minari(history, name)
    held = load_minari(name, HistorySettings(60, n_step=1), torch.Generator()).recent(60)
    minari.delete_dataset(name)
    return [held.observation["left"], held.next_observation["left"], held.reward]


@pytest.mark.parametrize(
    "way",
    [
        cotrained, by_dqn, by_pqn, by_gymnasium, by_gymnasium_vectors, by_stable_baselines, by_evaluation, by_minari,
    ],
)  # fmt: skip
def test_careless_rules_play_like_careful_ones(way, tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    careful, careless = way(False), way(True)
    assert len(careful) == len(careless) > 0
    for one, other in zip(careful, careless, strict=True):
        assert one.numel() > 0
        assert torch.equal(one, other)


class Shows:
    """Shows a few values of one type, and says nothing of their bounds."""

    num_actions = 2

    def __init__(self, dtype, num_envs):
        self.num_envs, self.dtype = num_envs, dtype
        self.observation_specs = {"seen": ObservationSpec((3,), dtype, -torch.inf, torch.inf)}

    def reset(self, generator):
        self.generator = generator
        return self.observation()

    def observation(self):
        return {"seen": torch.randint(2, (self.num_envs, 3), generator=self.generator).to(self.dtype)}

    def step(self, actions):
        over = torch.rand(self.num_envs, generator=self.generator) < 0.2
        final = self.observation()
        return Step(final, actions.float(), over, torch.zeros_like(over), final, self.action_mask())

    def action_mask(self):
        return torch.ones(self.num_envs, 2, dtype=torch.bool)


@pytest.mark.parametrize(
    "dtype", [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
)
def test_whole_numbers_and_bits_without_bounds_go_to_gymnasium_and_stable_baselines(dtype):
    single, several = GymnasiumEnv(Shows(dtype, 1)), GymnasiumVectorEnv(Shows(dtype, 2))
    check_env(single, skip_render_check=True)
    boxes = [single.observation_space["seen"], several.single_observation_space["seen"]]
    seen, _ = several.reset(seed=0)
    assert several.observation_space.contains(seen)
    if dtype in (torch.bool, torch.uint8):
        theirs = pytest.importorskip("stable_baselines3", reason="the optional package is not installed")
        env = as_vec_env(Shows(dtype, 2))
        boxes.append(env.observation_space["seen"])
        model = theirs.DQN("MultiInputPolicy", env, learning_starts=8, buffer_size=50, seed=0, device="cpu")
        model.learn(40)
        assert bool(np.isfinite(model.replay_buffer.rewards).all())
    for box in boxes:
        assert np.isfinite(np.array([box.low, box.high], dtype=np.float64)).all()
        assert box.dtype == torch.zeros(0, dtype=dtype).numpy().dtype
