"""One Q-network for many like things: what is learnt of one holds for another."""

import pytest
import torch

from clairvoy.errors import SettingsError
from clairvoy.qlearning.agent_file import load_network, save_network
from clairvoy.qlearning.encoders import network_for
from clairvoy.qlearning.entities import EntityQNetwork
from clairvoy.qlearning.environment import ObservationSpec
from clairvoy.qlearning.qnetwork import initialise

THINGS, NUMBERS, KINDS = 5, 2, 3


def spec(things=THINGS, bound=1.0):
    return {"things": ObservationSpec((things * NUMBERS,), torch.float32, 0.0, bound, entities=things)}


def network(seed=0, **more):
    made = network_for(spec(**more), 1 + KINDS * THINGS)
    initialise(made, torch.Generator().manual_seed(seed))
    return made


def test_things_that_change_places_change_the_places_of_their_actions():
    net = network()
    with torch.no_grad():  # what tells things apart: their names, and the order in the summary of all
        for layer in (net.one, net.seen_with_all):
            layer.weight[:, -THINGS:] = 0
        first = net.together[0].weight.unflatten(1, (THINGS, NUMBERS))
        first[:] = first.mean(dim=1, keepdim=True)
    shown = torch.rand(4, THINGS, NUMBERS, generator=torch.Generator().manual_seed(1))
    order = torch.tensor([3, 1, 4, 0, 2])
    q = net({"things": shown.flatten(1)})
    moved = net({"things": shown[:, order].flatten(1)})
    torch.testing.assert_close(moved[:, :1], q[:, :1])
    torch.testing.assert_close(
        moved[:, 1:].unflatten(1, (KINDS, -1)), q[:, 1:].unflatten(1, (KINDS, -1))[:, :, order]
    )


def test_what_is_learnt_of_some_things_holds_for_another():
    """The value of the first kind of action is the thing's first number; the last thing is never learnt from."""
    net, noise = network(), torch.Generator().manual_seed(2)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(200):
        shown = torch.rand(64, THINGS, NUMBERS, generator=noise)
        q = net({"things": shown.flatten(1)})[:, 1 : 1 + THINGS]
        loss = ((q - shown[:, :, 0])[:, : THINGS - 1] ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    shown = torch.rand(256, THINGS, NUMBERS, generator=noise)
    with torch.no_grad():
        last = net({"things": shown.flatten(1)})[:, THINGS]
    spread = torch.corrcoef(torch.stack([last, shown[:, -1, 0]]))[0, 1]
    assert loss.item() < 0.01
    # Of a perceptron's output that was never learnt it is about 0.
    assert float(spread) > 0.6


def test_numbers_are_given_in_units_of_their_bounds():
    plain, large = network(), network(bound=10.0)
    shown = torch.rand(3, THINGS * NUMBERS, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(large({"things": 10 * shown}), plain({"things": shown}))


def test_a_file_makes_it_again(tmp_path):
    net = network()
    save_network(tmp_path / "agent.safetensors", net)
    again = load_network(tmp_path / "agent.safetensors")
    shown = {"things": torch.rand(3, THINGS * NUMBERS)}
    assert isinstance(again, EntityQNetwork)
    torch.testing.assert_close(again(shown), net(shown))


def test_with_no_action_that_concerns_none():
    net = network_for(spec(), KINDS * THINGS)
    assert net.of_none is None
    assert net({"things": torch.rand(2, THINGS * NUMBERS)}).shape == (2, KINDS * THINGS)


@pytest.mark.parametrize(("things", "actions"), [(3, 1), (4, 8), (0, 8)])
def test_what_does_not_go_round_is_refused(things, actions):
    specs = {"things": ObservationSpec((6,), torch.float32, 0.0, 1.0, entities=things)}
    with pytest.raises(SettingsError, match="things"):
        EntityQNetwork(specs, actions)
