import numpy as np
import pytest
import torch

from clairvoy.errors import InputError, WeightsError
from clairvoy.painting.learnt import Learnt
from clairvoy.painting.looking import REGION_NUMBERS, WHOLE_NUMBERS
from clairvoy.painting.painter import Painter, PainterSettings, without
from clairvoy.painting.painting import Painting
from clairvoy.painting.regions import CHANNELS, NUMBERS, SIDE
from clairvoy.painting.search import SearchSettings
from clairvoy.painting.shapes import FAMILIES
from clairvoy.painting.target import Target
from clairvoy.scenarios.painting.environment import GameSettings, PaintingGame
from clairvoy.scenarios.painting.kept_strokes import NEGATIVES, KeptStrokes, strokes_of
from clairvoy.scenarios.painting.stroke_vae import StrokeVAE, learn_strokes, tensors_of
from clairvoy.scenarios.painting.training import (
    PainterTraining,
    RegionQNetwork,
    calibrated,
    exported,
    save_painter,
    train_painter,
)

FEW = SearchSettings(candidates=32, climbers=1, rounds=2, changes=4, sweeps=0)


def targets(count=3):
    made = []
    for seed in range(count):
        pixels = np.random.default_rng(seed).uniform(0, 1, (4, 6, 3)).repeat(5, axis=0).repeat(5, axis=1)
        made.append(Target(pixels, np.ones((20, 30)), (30, 20)))
    return made


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    return StrokeVAE(), RegionQNetwork()


@pytest.fixture(scope="module")
def learnt(models):
    weights = exported(models[0], np.array([1.0, 0.5]), models[1])
    return Learnt({name: value.numpy() for name, value in weights.items()})


def painter_of(learnt, looks, families=(FAMILIES["triangles"],)):
    target = targets(1)[0]
    painting = Painting(target.size, target.mean)
    return Painter(learnt, looks, 10, target, painting, FEW, np.random.default_rng(0), families)


def test_numpy_computes_what_torch_does(models, learnt):
    vae, agent = models
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(SIDE, SIDE, CHANNELS)).astype(np.float32)
    rows = rng.normal(size=(6, NUMBERS)).astype(np.float32)
    regions, whole = rng.normal(size=(4, REGION_NUMBERS)), rng.normal(size=WHOLE_NUMBERS)
    features = learnt.features(seen, 3)
    shown = {"regions": torch.as_tensor(regions)[None].float(), "whole": torch.as_tensor(whole)[None].float()}
    with torch.no_grad():
        asked = vae.features(torch.as_tensor(seen)[None], torch.tensor([3]))
        believed = vae.believe(torch.cat([asked.expand(6, -1), torch.as_tensor(rows)], dim=1))[:, 0].sigmoid()
        q = agent(shown)[0]
        expected = float((vae.expect(asked)[0, 0] + 0.5).exp())
    # Weights are kept in half precision.
    np.testing.assert_allclose(features, asked[0], atol=5e-3)
    np.testing.assert_allclose(learnt.belief(features, rows), believed, atol=5e-3)
    np.testing.assert_allclose(learnt.q_values(regions, whole), q, atol=5e-3)
    assert learnt.expected_gain(features) == pytest.approx(expected, rel=0.02)


def test_a_painter_makes_the_picture_better_with_and_without_its_parts(learnt):
    looks = PainterSettings(choices=6, regions=2, proposals=8)
    for settings in (looks, without(looks, "agent"), without(looks, "generator")):
        painter = painter_of(learnt, settings, (FAMILIES["triangles"], FAMILIES["brush"]))
        before = painter.error
        for _ in range(10):
            painter.add()
        assert painter.error < 0.9 * before
        assert {stroke.family.name for stroke in painter.painting.strokes} <= {"triangles", "brush"}


def test_the_agent_looks_where_q_is_highest(learnt, monkeypatch):
    painter = painter_of(learnt, PainterSettings(choices=5, regions=2))
    monkeypatch.setattr(
        learnt, "q_values", lambda regions, whole: np.array([0.1, 0.9, 0.3, 0.8, 0.2, 9.0, 9.0])
    )
    regions = painter.drawn_regions(painter.residual().error)
    assert painter.chosen(regions).tolist() == [1, 3]


def test_the_gate_scores_only_what_is_believed(learnt, monkeypatch):
    painter = painter_of(learnt, PainterSettings(proposals=4, gate=0.5))
    regions = painter.drawn_regions(painter.residual().error)
    monkeypatch.setattr(learnt, "belief", lambda features, rows: np.array([0.2, 0.6, 0.7, 0.1]))
    assert len(painter.proposed(regions, 0)[1]) == 2
    monkeypatch.setattr(learnt, "belief", lambda features, rows: np.array([0.2, 0.3, 0.1, 0.1]))
    assert len(painter.proposed(regions, 0)[1]) == 1


def game(learnt, **settings):
    looks = PainterSettings(choices=3, proposals=4)
    return PaintingGame(
        targets(), learnt, 2, looks=looks, search=FEW, settings=GameSettings((4, 6), redone=2, **settings)
    )


def test_the_reward_is_the_drop_in_db_less_the_cost(learnt):
    played = game(learnt, stroke_cost=0.25, redo_cost=0.5)
    played.reset(torch.Generator().manual_seed(0))
    assert played.action_mask()[0].tolist() == [True] * 3 + [False, True]
    for actions, cost in (([0, 1], 0.25), ([0, 0], 0.25), ([3, 3], 0.5)):
        before = [painter.error for painter in played.painters]
        step = played.step(torch.tensor(actions))
        drops = [
            10 * np.log10(old / painter.error) for old, painter in zip(before, played.painters, strict=True)
        ]
        np.testing.assert_allclose(step.reward, np.array(drops) - cost, atol=1e-5)
        assert (np.array(drops) >= 0).all()


def test_stopping_ends_an_episode_and_the_next_begins(learnt):
    played = game(learnt)
    played.reset(torch.Generator().manual_seed(0))
    played.step(torch.tensor([0, 0]))
    first = played.painters[0].painting
    step = played.step(torch.tensor([4, 0]))
    assert step.terminated.tolist() == [True, False]
    assert step.reward[0] == 0
    assert played.kept[0][1] is first
    assert not played.painters[0].painting.strokes
    assert not torch.equal(step.observation["whole"][0], step.final_observation["whole"][0])
    assert torch.equal(step.observation["whole"][1], step.final_observation["whole"][1])


def test_no_more_strokes_than_there_may_be(learnt):
    played = game(learnt)
    played.reset(torch.Generator().manual_seed(1))
    painter = played.painters[0]
    for _ in range(60):
        if len(painter.painting.strokes) == painter.strokes:
            break
        played.step(torch.tensor([0, 0]))
    assert played.action_mask()[0].tolist() == [False] * 3 + [True, True]


def test_the_same_seed_is_the_same_game(learnt):
    rewards = []
    for _ in range(2):
        played = game(learnt)
        played.reset(torch.Generator().manual_seed(7))
        rewards.append([played.step(torch.tensor([k % 3, 0])).reward.tolist() for k in range(4)])
    assert rewards[0] == rewards[1]


def toy(count=600):
    """Lines along what is wrong: across in a region that is too dark, down in one that is too bright."""
    rng = np.random.default_rng(0)
    sign = rng.choice([-1.0, 1.0], count)
    views = np.zeros((count, SIDE, SIDE, CHANNELS), np.float16)
    views[..., :3] = 0.3 * sign[:, None, None, None]
    rows, others = np.zeros((count, NUMBERS)), rng.normal(size=(count, NEGATIVES, NUMBERS))
    rows[:, :4] = np.where(sign[:, None] > 0, [-0.4, 0, 0.4, 0], [0, -0.4, 0, 0.4])
    rows[:, :4] += 0.02 * rng.normal(size=(count, 4))
    rows[:, 4] = -3.0
    gains = np.where(sign > 0, 0.01, 0.001)
    return KeptStrokes(views, np.full(count, 4), rows, others, np.zeros((count, NEGATIVES)), gains)


@pytest.mark.slow
def test_strokes_are_learnt_from_a_toy():
    data = toy()
    model = learn_strokes(data, 400, seed=0)
    weights = exported(model, calibrated(model, data), RegionQNetwork())
    learnt = Learnt({name: value.numpy() for name, value in weights.items()})
    rng = np.random.default_rng(0)
    for sign, expected, gain in ((1.0, [-0.4, 0, 0.4, 0, -3], 0.01), (-1.0, [0, -0.4, 0, 0.4, -3], 0.001)):
        seen = np.zeros((SIDE, SIDE, CHANNELS), np.float32)
        seen[..., :3] = 0.3 * sign
        features = learnt.features(seen, 4)
        rows = learnt.propose(features, 4, 200, rng)
        np.testing.assert_allclose(rows.mean(axis=0)[:5], expected, atol=0.12)
        assert learnt.belief(features, np.array([[*expected, 0, 0, 0, 0, 0]]))[0] > 0.8
        assert learnt.belief(features, rng.normal(size=(50, NUMBERS))).mean() < 0.3
        assert learnt.expected_gain(features) == pytest.approx(gain, rel=0.3)


def test_strokes_that_the_search_kept():
    kept = strokes_of(targets(2), 3, np.random.default_rng(0))
    assert kept.views.shape == (12, SIDE, SIDE, CHANNELS)
    assert (kept.gains > 0).all()
    assert (kept.shares <= 1).all()
    assert len(set(kept.families.tolist())) >= 2
    counts = tensors_of(kept)["counts"].sum(dim=1)
    numbers = [len(family.meanings) + ("angle" in family.meanings) for family in FAMILIES.values()]
    assert counts.tolist() == [numbers[family] for family in kept.families]


@pytest.mark.slow
def test_training_makes_a_file_that_paints(tmp_path):
    settings = PainterTraining(strokes=3, updates=20, steps=1100, environments=4)
    lines: list[str] = []
    save_painter(tmp_path / "p.safetensors", train_painter(targets(4), settings, lines.append))
    assert (tmp_path / "p.safetensors").stat().st_size < 2_000_000
    learnt = Learnt.load(tmp_path / "p.safetensors")
    assert np.isfinite(learnt.q_values(np.zeros((2, REGION_NUMBERS)), np.zeros(WHOLE_NUMBERS))).all()
    assert lines[0].endswith("to calibrate by")
    with pytest.raises(InputError, match="give at least 2"):
        train_painter(targets(1), settings, lines.append)


def test_another_file_is_refused(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="cannot be read"):
        Learnt.load(tmp_path / "x.safetensors")
