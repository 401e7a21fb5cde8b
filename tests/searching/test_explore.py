"""The agent at work, with agents whose answers are known."""

import torch
from torch import nn

from clairvoy.searching import glimpse
from clairvoy.searching.beliefs import pool_beliefs
from clairvoy.searching.explore import GRID, cut_windows, search


class Always(nn.Module):
    """The same Q-values at every step."""

    def __init__(self, *q: float) -> None:
        super().__init__()
        self.q = torch.tensor([q])

    def forward(self, observation):
        return self.q


def scene():
    return torch.zeros(1, GRID, GRID, 3, glimpse.WINDOW, glimpse.WINDOW, dtype=torch.uint8)


def test_an_agent_that_recognises_at_once_stays_and_is_done():
    found = search(Always(0.0, 0.0, 0.0, 0.0, 1.0), scene(), torch.zeros(1, 4, GRID, GRID), difficulty=0.0)
    assert [step[2] for step in found.path] == [glimpse.STAY, glimpse.STAY]
    assert int(found.recognised.sum()) == 1
    assert bool(found.recognised[GRID // 2, GRID // 2])
    assert found.value == 1.0


def test_an_agent_that_never_stays_spends_its_budget():
    found = search(Always(1.0, 0.0, 0.0, 0.0, -2.0), scene(), torch.zeros(1, 4, GRID, GRID), budget=0.25)
    assert len(found.path) == GRID * GRID // 4
    assert not bool(found.recognised.any())
    assert found.value == 1.0


def test_where_q_values_do_not_separate_the_actions_tau_decides():
    beliefs = torch.zeros(1, 4, GRID, GRID)
    tau = glimpse.BELIEF_CHANNELS.index("tau")
    middle = torch.tensor([[GRID // 2, GRID // 2]])
    for action in range(4):
        reached, _ = glimpse.move(middle, torch.tensor([action]), GRID, GRID)
        beliefs[0, tau] = 0.0
        beliefs[0, tau, reached[0, 0], reached[0, 1]] = 1.0
        found = search(Always(0.0, 0.0, 0.0, 0.0, 0.0), scene(), beliefs, budget=1 / GRID**2, difficulty=0.02)
        assert found.path[0][2] == action
        assert found.looked_ahead == 1


def test_look_ahead_can_be_switched_off():
    found = search(Always(0.0, 0.001, 0.0, 0.0, 0.0), scene(), torch.ones(1, 4, GRID, GRID), difficulty=0.0)
    assert found.looked_ahead == 0
    assert {step[2] for step in found.path} == {1}


def test_windows_are_the_picture_in_pieces():
    side = GRID * glimpse.WINDOW
    picture = torch.randint(256, (2, 3, side, side), dtype=torch.uint8)
    windows = cut_windows(picture)
    assert windows.shape == (2, GRID, GRID, 3, glimpse.WINDOW, glimpse.WINDOW)
    assert torch.equal(windows[1, 2, 5], picture[1, :, 64:96, 160:192])


def test_beliefs_are_means_over_windows():
    map_ = torch.arange(256.0).view(1, 1, 16, 16) / 1024
    pooled = pool_beliefs(map_, map_, map_, map_ / 2)
    assert pooled.shape == (1, 4, GRID, GRID)
    first = map_[0, 0, :2, :2].mean()
    torch.testing.assert_close(pooled[0, :, 0, 0], torch.stack([first, 4 * first, first, first / 2]))
