"""Pictures of dreams: every frame where `dream.json` says, in the colours of the game; curves in one scale."""

import json
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from test_world import Planes, world

from clairvoy.drawing.palette import GROUND
from clairvoy.drawing.palette import LINE as EDGE
from clairvoy.drawing.plane_pictures import colours
from clairvoy.scenarios.world.dream import Dream
from clairvoy.scenarios.world.dream_pictures import (
    CURVES,
    DREAM,
    END,
    GAME,
    SIDE,
    curves,
    dream_numbers,
    dream_pictures,
    rows,
)


def of_frames(dtype=torch.bool):
    """Three steps; a dot goes right in the game, down in the dream, which ends a step earlier."""
    game, dreamed = torch.zeros(4, 2, 10, 10, dtype=dtype), torch.zeros(3, 2, 10, 10, dtype=dtype)
    on = True if dtype == torch.bool else 200
    for step in range(4):
        game[step, 1, 0, step] = on
    for step in range(3):
        dreamed[step, 1, step, 0] = on
    rewards, dreamed_rewards = torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, 0.9])
    return Dream(7, game, dreamed, rewards, dreamed_rewards, torch.tensor([0.8, 0.5]), False, True)


def of_numbers(count=2, **changes):
    game = torch.arange(5.0)[:, None] * torch.arange(1.0, count + 1)
    fields = {"begin": 7, "game": game, "dream": -game[:3], "rewards": torch.ones(4), "dreamed_rewards": torch.ones(2),
              "tau": torch.tensor([0.9, 0.7]), "ended": False, "dreamed_end": True}  # fmt: skip
    return Dream(**fields | changes)


@pytest.mark.parametrize(
    ("dtype", "lit", "dark"),
    [(torch.bool, colours(2)[1], GROUND), (torch.uint8, (200, 200, 200), (0, 0, 0))],
    ids=["bits", "frames"],
)
def test_frames_lie_where_it_is_said(dtype, lit, dark):
    dreamed = of_frames(dtype)
    picture, places = rows(dreamed), dream_numbers(dreamed)["frames"]
    assert (places["side"], places["cells"]) == (SIDE, [10, 10])
    assert (len(places["game"]), len(places["dream"])) == (4, 3)
    for name, seen in (("game", dreamed.game), ("dream", dreamed.dream)):
        for (left, top), frame in zip(places[name], seen, strict=True):
            shown = picture[top : top + SIDE, left : left + SIDE]
            centres = shown[6::12, 6::12]
            assert (centres == np.where(frame[1].bool().numpy()[:, :, None], lit, dark)).all()
    # Where the dream has ended there is an empty place.
    left, top = places["game"][3][0], places["dream"][0][1]
    assert (picture[top + 1 : top + SIDE - 1, left + 1 : left + SIDE - 1] == GROUND).all()
    assert (picture[top, left : left + SIDE] == EDGE).all()


def test_what_is_said_under_frames():
    picture, places = rows(of_frames()), dream_numbers(of_frames())["frames"]

    def under(name, column):
        left, top = places[name][column]
        return picture[top + SIDE + 2 : top + SIDE + 20, left : left + SIDE].reshape(-1, 3)

    def has(pixels, colour):
        return bool((pixels == colour).all(axis=1).any())

    assert not (under("game", 1) != GROUND).any()  # no reward, no end: nothing
    assert (under("game", 2) != GROUND).any()  # +1
    assert (under("dream", 1) != GROUND).any()  # tau
    assert not has(under("dream", 1), END)
    assert has(under("dream", 2), END)
    # Steps above, the names of the rows before them.
    left, top = places["game"][0]
    assert (picture[: top - 2, left : left + SIDE] != GROUND).any()
    assert has(picture[:, : left - 2].reshape(-1, 3), GAME)
    assert has(picture[:, : left - 2].reshape(-1, 3), DREAM)


def test_what_a_program_is_told():
    said = dream_numbers(of_numbers(8))
    assert said["begin"] == 7
    assert len(said["game"]) == len(said["dream"]) == CURVES
    assert said["game"][1] == [0, 2, 4, 6, 8]
    assert said["dream"][1] == [0, -2, -4]
    assert said["tau"] == pytest.approx([0.9, 0.7])
    assert said["rewards"] == {"game": [1, 1, 1, 1], "dream": [1, 1]}
    assert said["ended"] == {"game": False, "dream": True}
    assert dream_numbers(of_numbers(tau=None))["tau"] is None
    assert "frames" not in said
    assert "game" not in dream_numbers(of_frames())
    # Observations of any shape are numbered in order.
    square = torch.arange(8.0).reshape(2, 2, 2)
    assert dream_numbers(of_numbers(game=square, dream=square))["game"] == [[0, 4], [1, 5], [2, 6], [3, 7]]


def test_curves_of_game_and_dream_share_a_scale():
    """The first number goes from 0 to 4 in the game and to -2 in the dream: zero is at a third of the panel."""
    picture = curves(of_numbers(1))
    panel = picture[22 + 22 : 22 + 118 - 8, 8:412]

    def rows_of(colour):
        return np.nonzero((panel == colour).all(axis=2).any(axis=1))[0]

    height = len(panel)
    game, dreamed, mark = rows_of(GAME), rows_of(DREAM), rows_of(END)
    assert game.min() == pytest.approx(4, abs=2)
    assert game.max() == pytest.approx(height * 2 / 3, abs=4)
    assert dreamed.min() == pytest.approx(height * 2 / 3, abs=4)
    assert dreamed.max() == pytest.approx(height - 4, abs=3)
    # The dream stops half way across, and is marked as an end; the game goes on.
    across = np.nonzero((panel == DREAM).all(axis=2).any(axis=0))[0]
    assert across.max() == pytest.approx(404 / 2, abs=4)
    assert np.nonzero((panel == GAME).all(axis=2).any(axis=0))[0].max() == pytest.approx(404, abs=6)
    assert mark.max() > height - 12
    assert not (curves(of_numbers(1, dreamed_end=False)) == END).all(axis=2).any()


def test_panels_for_each_number_for_reward_and_for_tau():
    for count, tau, panels in ((1, True, 3), (4, True, 6), (4, False, 5), (9, True, 8)):
        changes = {} if tau else {"tau": None}
        down = -(-panels // 2)
        assert curves(of_numbers(count, **changes)).shape == (22 + 118 * down + 8, 840, 3)


def test_a_number_that_never_changes_and_a_dream_of_nothing():
    still = of_numbers(
        1, game=torch.ones(5, 1), dream=torch.ones(1, 1), dreamed_rewards=torch.zeros(0), tau=torch.zeros(0)
    )
    picture = curves(still)
    assert (picture == GAME).all(axis=2).any()


@pytest.mark.parametrize("name", ["numbers", "bits"])
def test_files_of_a_training(name, learnt_worlds):
    scenario, kind = learnt_worlds(name)
    assert dream_pictures(world(kind(4)), kind(1)) == {}  # there is no generator yet
    files = dream_pictures(scenario, kind(1))
    assert set(files) == {"dream.png", "dream.json"}
    said = json.loads(files["dream.json"])
    with Image.open(BytesIO(files["dream.png"])) as picture:
        pixels = np.asarray(picture)
    assert ("frames" in said) == (kind is Planes)
    if kind is Planes:
        left, top = said["frames"]["game"][0]
        assert (pixels[top : top + SIDE, left : left + SIDE] == colours(2)[1]).all(axis=2).mean() > 0.8
    else:
        first = torch.tensor([[values[0] for values in said[name]] for name in ("game", "dream")])
        assert torch.equal(first[0], first[1])
        assert set(torch.tensor(said["game"]).unique().tolist()) <= {0, 1}
