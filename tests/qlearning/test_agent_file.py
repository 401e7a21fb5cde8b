"""An agent as a file: what is saved acts the same when it is loaded; one observation is enough to ask it."""

import numpy as np
import pytest
import torch

from clairvoy.errors import FileError, InputError, SettingsError, WeightsError
from clairvoy.qlearning.agent import Agent
from clairvoy.qlearning.cql import CQL
from clairvoy.qlearning.dqn import DQN, DQNSettings
from clairvoy.qlearning.encoders import network_for
from clairvoy.qlearning.environment import ObservationSpec
from clairvoy.qlearning.pqn import PQN
from clairvoy.qlearning.qnetwork import QNetwork, VectorEncoder, initialise
from clairvoy.qlearning.units import settle

SPECS = {
    "speed": ObservationSpec((3,), torch.float32, -torch.inf, torch.inf, (2.0, torch.inf, 5.0)),
    "grid": ObservationSpec((2, 8, 8), torch.uint8, 0.0, 255.0),
}
RNG = torch.Generator().manual_seed(0)
SHOWN = {
    "speed": torch.randn(400, 3, generator=RNG),
    "grid": torch.randint(0, 256, (400, 2, 8, 8), generator=RNG).to(torch.uint8),
}


def agent(kind=DQN, **settings):
    network = network_for(SPECS, 4)
    initialise(network, torch.Generator().manual_seed(1))
    settle(network, SHOWN)
    return kind(network, **settings)


@pytest.mark.parametrize("kind", [Agent, DQN, CQL, PQN])
def test_what_is_loaded_has_the_values_of_what_was_saved(kind, tmp_path):
    made = agent(kind)
    made.save(tmp_path / "sub/mine.safetensors")
    loaded = kind.load(tmp_path / "sub/mine.safetensors")
    assert type(loaded) is kind
    assert torch.equal(loaded.q_values(SHOWN), made.q_values(SHOWN))
    assert all(torch.equal(network(SHOWN), made.network(SHOWN)) for network in loaded.networks)


def test_the_average_is_what_is_saved_where_it_acts(tmp_path):
    made = agent(settings=DQNSettings(average=0.5))
    with torch.no_grad():
        for value in made.averaged.parameters():
            value.add_(0.1)
    made.save(tmp_path / "mine.safetensors")
    loaded = DQN.load(tmp_path / "mine.safetensors")
    assert torch.equal(loaded.act_greedily(SHOWN), made.act_greedily(SHOWN))
    assert not torch.equal(loaded.q_values(SHOWN), made.q_values(SHOWN))


def test_a_network_of_ones_own_is_handed_in_again(tmp_path):
    def own(seed):
        network = QNetwork(VectorEncoder({"speed": (3,)}, 8), 8, num_actions=4)
        initialise(network, torch.Generator().manual_seed(seed))
        return network

    file = tmp_path / "own.safetensors"
    PQN(own(0)).save(file)
    assert torch.equal(PQN.load(file, own(1)).q_values(SHOWN), own(0)(SHOWN))
    with pytest.raises(SettingsError, match="hand one of its kind in"):
        PQN.load(file)
    with pytest.raises(WeightsError, match="do not fit"):
        PQN.load(file, QNetwork(VectorEncoder({"speed": (3,)}, 9), 9, num_actions=4))


def test_one_observation_has_the_action_that_it_has_in_a_batch():
    made = agent()
    want = made.act_greedily(SHOWN)
    assert len(set(want.tolist())) > 1
    for row in range(20):
        one = {name: value[row] for name, value in SHOWN.items()}
        assert made.predict(one) == want[row]
        assert made.predict({name: value.numpy() for name, value in one.items()}) == want[row]
        assert made.predict({name: value.tolist() for name, value in one.items()}) == want[row]
        others = [action != want[row] for action in range(4)]
        assert made.predict(one, mask=others) != want[row]
    assert isinstance(made.predict(one), int)


def test_one_observation_alone_needs_no_name():
    bare = Agent(network_for({"where": SPECS["speed"]}, 3))
    assert bare.predict(np.ones(3)) == bare.predict({"where": [1, 1, 1]})
    with pytest.raises(InputError, match=r"where is \(2, 3\); one observation has \(3,\) there"):
        bare.predict(np.ones((2, 3)))
    with pytest.raises(InputError, match="where is nothing"):
        bare.predict({"elsewhere": np.ones(3)})


def test_what_is_no_agent_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="cannot be read"):
        DQN.load(tmp_path / "missing.safetensors")
    (tmp_path / "text.safetensors").write_text("no weights")
    with pytest.raises(WeightsError, match="cannot be read"):
        DQN.load(tmp_path / "text.safetensors")
    with pytest.raises(FileError, match="cannot be written"):
        agent().save(tmp_path / "text.safetensors" / "in a file")
