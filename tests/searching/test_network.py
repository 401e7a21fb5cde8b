"""A scene turned by a quarter is valued as the scene itself, the actions turned with it."""

import pytest
import torch

from clairvoy.searching import glimpse
from clairvoy.searching.glimpse import DOWN, LEFT, RIGHT, STAY, UP
from clairvoy.searching.guidance import GOAL_NUMBERS, GOALS
from clairvoy.searching.network import SearchQNetwork, turned_memory

SIDE = 11


@pytest.fixture(autouse=True)
def no_gradient():
    with torch.no_grad():
        yield


def memory_of(looks, recognised):
    memory = glimpse.Memory.empty(1, SIDE, SIDE, like=torch.empty(0))
    for row, column, haze in looks:
        glimpse.remember(memory, torch.tensor([[row, column]]), torch.tensor([[haze, 0.1, 0.2, 0.3]]))
    for row, column in recognised:
        memory.recognised[0, row, column] = True
    return memory


def turned(memory):
    """Counter-clockwise by a quarter."""
    quarter = {name: getattr(memory, name).rot90(1, (1, 2)) for name in ("visited", "recognised", "prior")}
    quarter |= {name: getattr(memory, name).rot90(1, (1, 2)) for name in ("correction", "weight", "distance")}
    return glimpse.Memory(**quarter, belief=memory.belief.rot90(1, (2, 3)), thumbnail=memory.thumbnail)


def test_a_turned_scene_has_turned_values():
    torch.manual_seed(0)
    network = SearchQNetwork().eval()
    memory = memory_of([(2, 5, 0.9), (2, 6, 0.3), (7, 1, 0.1)], [(2, 5)])
    window = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    here, left = torch.tensor([[2, 6]]), torch.tensor([0.5])
    there = torch.tensor([[SIDE - 1 - 6, 2]])
    belief = memory.belief[:, :, 2, 6]
    one = glimpse.observe_window(window, belief, memory, here, left)
    other = glimpse.observe_window(window, belief, turned(memory), there, left)
    # Of equally near goals either may be named: goals are left out here, pulls are not.
    for seen in (one, other):
        seen["guides"][:, : GOALS * GOAL_NUMBERS] = 0
    q, q_turned = network(one)[0], network(other)[0]
    torch.testing.assert_close(q, q_turned[[UP, DOWN, LEFT, RIGHT, STAY]], atol=1e-5, rtol=1e-4)
    assert float((q[:4] - q[0]).abs().max()) > 1e-3


def test_goals_turn_like_moves():
    torch.manual_seed(0)
    network = SearchQNetwork().eval()
    seen = glimpse.observe_window(
        torch.zeros(1, 3, 32, 32, dtype=torch.uint8), torch.zeros(1, 4), memory_of([(5, 5, 0.0)], []),
        torch.tensor([[5, 5]]), torch.tensor([1.0]),
    )  # fmt: skip
    values = []
    for direction in range(4):
        told = torch.zeros_like(seen["guides"])
        goals = told[:, : GOALS * GOAL_NUMBERS].view(1, GOALS, GOAL_NUMBERS)
        goals[0, 2, 0] = goals[0, 2, GOAL_NUMBERS - 4 + direction] = 1.0
        values.append(network(seen | {"guides": told})[0])
    for direction in (RIGHT, LEFT, UP, DOWN):
        # The move towards the goal has the same value whichever way that is; so has staying.
        torch.testing.assert_close(values[direction][direction], values[0][0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(values[direction][STAY], values[0][STAY], atol=1e-5, rtol=1e-4)


def test_each_direction_is_turned_to_the_right():
    memory = torch.zeros(1, 1, 9, 9)
    for value, (row, column) in enumerate(((4, 8), (4, 0), (0, 4), (8, 4)), start=1):  # right, left, up, down
        memory[0, 0, row, column] = value
    assert turned_memory(memory)[:, 0, 4, 8].tolist() == [1, 2, 3, 4]


def test_every_part_of_the_observation_counts():
    torch.manual_seed(0)
    network = SearchQNetwork().eval()
    memory = memory_of([(2, 5, 0.9), (2, 6, 0.3), (7, 1, 0.1)], [(2, 5)])
    seen = glimpse.observe_window(
        torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8), torch.rand(1, 4), memory,
        torch.tensor([[2, 6]]), torch.tensor([0.5]),
    )  # fmt: skip
    q = network(seen)
    for name, value in seen.items():
        other = 255 - value if name == "window" else 1 - value
        assert not torch.allclose(network(seen | {name: other}), q), name
    assert sum(p.numel() for p in network.parameters()) < 150_000
