"""A network that follows another, in closed form."""

import pytest
import torch
from torch import nn

from clairvoy.qlearning.following import Following


class Net(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.inner = nn.Linear(2, 2)
        nn.init.constant_(self.inner.weight, value)
        nn.init.constant_(self.inner.bias, -value)
        self.register_buffer("unit", torch.full((2,), value))
        self.register_buffer("bounded", torch.tensor([value > 2]))


@pytest.mark.parametrize("share", [0.002, 0.25, 1.0])
def test_parameters_go_a_share_of_the_way_and_buffers_all_of_it(share):
    follower, leader = Net(1.0), Net(5.0)
    follows = Following(follower, leader, share)
    for moves in range(1, 4):
        follows.move()
        left = 4 * (1 - share) ** moves
        torch.testing.assert_close(follower.inner.weight.detach(), torch.full((2, 2), 5 - left))
        torch.testing.assert_close(follower.inner.bias.detach(), torch.full((2,), left - 5))
        assert follower.unit.tolist() == [5, 5]
        assert follower.bounded.tolist() == [True]
    assert leader.inner.weight.unique().tolist() == [5]


def test_it_goes_on_with_weights_that_were_loaded():
    follower, leader = Net(1.0), Net(5.0)
    follows = Following(follower, leader, 0.5)
    leader.load_state_dict(Net(9.0).state_dict())
    follower.load_state_dict(Net(3.0).state_dict())
    follows.move()
    assert follower.inner.weight.unique().tolist() == [6]
    assert follower.unit.tolist() == [9, 9]
