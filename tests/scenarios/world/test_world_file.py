"""A world in one file: acts, dreams and judges as the one that was saved; what does not fit is refused."""

import json

import pytest
import torch
from corridor import Corridor, CorridorSettings
from safetensors.torch import load_file, save_file
from test_world import Planes, trained

from clairvoy.cotraining.loop import Feedback
from clairvoy.errors import WeightsError
from clairvoy.qlearning.environment import ObservationSpec
from clairvoy.scenarios.world.dream import dream
from clairvoy.scenarios.world.file import FORMAT, load_world, notes_of, save_world


@pytest.fixture(params=["numbers", "bits"])
def saved(request, tmp_path, learnt_worlds):
    """A scenario, its file, and its kind of environment."""
    file = tmp_path / "world" / "deep" / "weights.safetensors"
    scenario, kind = learnt_worlds(request.param)
    save_world(file, scenario, {"env": "corridor", "return": 0.5})
    return scenario, file, kind


def test_it_acts_dreams_and_judges_as_before(saved):
    scenario, file, kind = saved
    again = load_world(file, kind(4))
    assert again.settings == scenario.settings
    cells = kind(64)
    shown = cells.reset(torch.Generator().manual_seed(2))
    acting = scenario.agent._values(scenario.agent.acting, shown)
    assert torch.equal(again.agent._values(again.agent.acting, shown), acting)
    # What learns, and what it learns from, begin as what acted.
    for network in again.agent.networks:
        assert torch.equal(again.agent._values(network, shown), acting)
    learner, other = scenario.learner, again.learner
    assert learner.end_shift == other.end_shift
    assert (
        learner.end_shift > 0.1
    )  # the corridor ends seldom; without it the file would dream of too many ends
    state = learner.outcomes.encode_state(shown["cell"])
    assert torch.equal(other.outcomes.encode_state(shown["cell"]), state)
    action = torch.arange(64) % 2
    for made in (learner, other):
        made.noise.manual_seed(5)
    one, two = learner.make(state, action), other.make(state, action)
    for mine, yours in zip(one, two, strict=True):
        assert torch.equal(mine, yours)
    assert torch.equal(scenario.tau(one), again.tau(two))
    dreams = [dream(each, kind(1), steps=6, begin=1, seed=3) for each in (scenario, again)]
    assert torch.equal(dreams[0].dream, dreams[1].dream)
    assert torch.equal(dreams[0].tau, dreams[1].tau)
    assert notes_of(file) == {"env": "corridor", "return": 0.5}
    assert [path.name for path in file.parent.iterdir()] == [file.name]  # nothing half-written beside it


def test_one_that_never_had_a_generator(tmp_path):
    alone = trained(feedback=Feedback(generated_scenes=False))
    save_world(tmp_path / "alone.safetensors", alone)
    again = load_world(tmp_path / "alone.safetensors", Corridor(4))
    assert again.learner is None
    assert not again.tau.fitted
    shown = Corridor(16).reset(torch.Generator().manual_seed(0))
    assert torch.equal(again.agent.act_greedily(shown), alone.agent.act_greedily(shown))
    assert notes_of(tmp_path / "alone.safetensors") == {}


def test_what_does_not_fit_is_refused(saved, tmp_path):
    _, file, kind = saved
    if kind is Corridor:

        class Three(Corridor):
            num_actions = 3

        for other in (Corridor(4, CorridorSettings(cells=9)), Three(4), Planes(4)):
            with pytest.raises(WeightsError, match="does not fit this environment or this version"):
                load_world(file, other)

    class Two(kind):
        def __init__(self):
            super().__init__(4)
            self.observation_specs |= {"clock": ObservationSpec((1,), torch.float32, 0.0, 1.0)}

    with pytest.raises(WeightsError, match="the environment shows cell, clock"):
        load_world(file, Two())

    tensors, odd = load_file(file), tmp_path / "odd.safetensors"
    settings = json.dumps({"no_such_setting": 1})
    shift = {"end_shift": "0.0", "notes": "{}"}
    save_file(tensors, odd, {"format": FORMAT, "settings": settings} | shift)
    with pytest.raises(WeightsError, match="no_such_setting"):
        load_world(odd, kind(4))
    save_file(tensors, odd, {"format": "clairvoy-world-0"})
    for read in (lambda: load_world(odd, kind(4)), lambda: notes_of(odd)):
        with pytest.raises(WeightsError, match="of format 'clairvoy-world-0', not 'clairvoy-world-4'"):
            read()
    save_file(tensors, odd)
    with pytest.raises(WeightsError, match="of format 'none'"):
        load_world(odd, kind(4))


def test_a_tensor_of_another_shape_is_not_spread_over_its_place(saved, tmp_path):
    _, file, kind = saved
    from safetensors import safe_open

    with safe_open(str(file), framework="pt") as held:
        header = held.metadata()
    tensors, odd = load_file(file), tmp_path / "odd.safetensors"
    tensors["agent.advantage.0.bias"] = torch.zeros(1)
    save_file(tensors, odd, header)
    with pytest.raises(WeightsError, match=r"agent\.advantage\.0\.bias is \(1,\), not"):
        load_world(odd, kind(4))
    del tensors["agent.advantage.0.bias"]
    save_file(tensors, odd, header)
    with pytest.raises(WeightsError, match=r"agent\.advantage\.0\.bias"):
        load_world(odd, kind(4))


def test_no_file_or_a_damaged_one(tmp_path):
    for content in (None, b"not a file of weights"):
        path = tmp_path / "weights.safetensors"
        if content:
            path.write_bytes(content)
        for read in (lambda p=path: load_world(p, Corridor(4)), lambda p=path: notes_of(p)):
            with pytest.raises(WeightsError, match="cannot be read"):
                read()
