import numpy as np
import pytest
import torch

from clairvoy.errors import InputError, WeightsError
from clairvoy.painting.learnt import ChangeGenerator, Learnt
from clairvoy.painting.moves import moved
from clairvoy.painting.painter import STATE, Painter, PainterSettings, climb_state, conditions, remembered
from clairvoy.painting.painting import Painting
from clairvoy.painting.search import Search, SearchSettings
from clairvoy.painting.shapes import FAMILIES
from clairvoy.painting.target import Target
from clairvoy.scenarios.painting.change_vae import ChangeVAE, learn_changes
from clairvoy.scenarios.painting.kept_changes import Climbs, KeptChanges, paint_and_record
from clairvoy.scenarios.painting.training import (
    GO_ON,
    STOP,
    PainterTraining,
    calibrated,
    learn_to_stop,
    save_painter,
    train_painter,
)

FEW = SearchSettings(candidates=32, climbers=2, rounds=4, changes=8, sweeps=0)
TRIANGLES = FAMILIES["triangles"]
CONDITIONS = 4 + 2 * 6


def targets(count=3):
    made = []
    for seed in range(count):
        pixels = np.random.default_rng(seed).uniform(0, 1, (4, 6, 3)).repeat(5, axis=0).repeat(5, axis=1)
        made.append(Target(pixels, np.ones((20, 30)), (30, 20)))
    return made


@pytest.fixture(scope="module")
def vae():
    torch.manual_seed(0)
    return ChangeVAE(torch.randn(CONDITIONS), torch.rand(CONDITIONS) + 0.5, 6)


def learnt_of(vae, offset=0.0):
    parts = {f"triangles.{name}": value.numpy() for name, value in vae.exported().items()}
    agent = {"agent.0.weight": np.zeros((4, STATE)), "agent.0.bias": np.ones(4)}
    agent |= {"agent.2.weight": np.zeros((1, 4)), "agent.2.bias": np.array([0.3])}
    return Learnt(parts | agent | {"agent.calibration": np.array([2.0, offset])})


def painter_of(learnt, **looks):
    target = targets(1)[0]
    painting = Painting(target.size, target.mean)
    return Painter(learnt, PainterSettings(**looks), target, painting, FEW, np.random.default_rng(0))


def test_numpy_draws_what_torch_decodes(vae):
    generator = ChangeGenerator({name: value.numpy() for name, value in vae.exported().items()})
    told = np.random.default_rng(1).normal(size=(3, CONDITIONS))
    drawn = generator(told, 5, np.random.default_rng(2))
    rng = np.random.default_rng(2)
    z, noise = (torch.as_tensor(rng.standard_normal((15, 6), dtype=np.float32)) for _ in range(2))
    with torch.no_grad():
        mean = vae.decode(torch.as_tensor(told).float().repeat_interleave(5, dim=0), z)
        wanted = (mean + vae.log_noise.exp() * noise).reshape(3, 5, 6)
    np.testing.assert_allclose(drawn, wanted, atol=1e-4)


def test_the_expected_gain_is_the_calibrated_q_value(vae):
    assert learnt_of(vae, offset=-0.25).expected_gain(np.zeros(STATE)) == pytest.approx(
        2 * 0.3 - 0.25, abs=1e-6
    )


def test_the_agent_ends_a_climb_where_nothing_is_expected(vae):
    for offset, rounds in ((1.0, 9), (-1.0, 3)):
        painter = painter_of(learnt_of(vae, offset), longest=9)
        before = painter.tried
        painter.improve(painter.residual(), TRIANGLES, np.array([[0.1, 0.1, 0.5, 0.2, 0.3, 0.6]]))
        assert painter.tried - before == 1 + rounds * FEW.changes


def test_a_painter_makes_the_picture_better_with_and_without_its_parts(vae):
    errors = {}
    for generator in (False, True):
        for agent in (False, True):
            painter = painter_of(learnt_of(vae, 1.0), generator=generator, agent=agent)
            before = painter.error
            for _ in range(8):
                painter.add()
            list(painter.sweep())
            assert painter.error < 0.9 * before
            errors[generator, agent] = painter.error
    target = targets(1)[0]
    plain = Search(target, Painting(target.size, target.mean), FEW, np.random.default_rng(0))
    for _ in range(8):
        plain.add()
    list(plain.sweep())
    assert errors[False, False] == plain.error
    assert len(set(errors.values())) == 4


def test_families_without_a_generator_are_painted_as_the_search_does(vae):
    target, brush = targets(1)[0], (FAMILIES["brush"],)
    paintings = [Painting(target.size, target.mean) for _ in range(2)]
    painter = Painter(
        learnt_of(vae), PainterSettings(), target, paintings[0], FEW, np.random.default_rng(0), brush
    )
    search = Search(target, paintings[1], FEW, np.random.default_rng(0), brush)
    for _ in range(4):
        painter.add()
        search.add()
    assert [stroke.shape.tolist() for stroke in paintings[0].strokes] == [
        stroke.shape.tolist() for stroke in paintings[1].strokes
    ]


def test_the_slope_points_uphill():
    rng = np.random.default_rng(0)
    moves = rng.normal(size=(2, 400, 3))
    tried = 5.0 + moves @ np.array([1.0, 0.0, -1.0])
    last, slope = remembered(
        np.zeros((2, 3)), np.full((2, 3), 0.2), moves, np.full(2, 5.0), tried, np.array([True, False])
    )
    np.testing.assert_array_equal(last[0], moves[0, tried[0].argmax()])
    np.testing.assert_array_equal(last[1], 0)
    slope -= 0.1
    assert (slope[:, 0] > 0.1).all()
    assert (slope[:, 2] < -0.1).all()
    assert (np.abs(slope[:, 1]) < 0.05).all()


def test_what_is_told_of_a_climb():
    told = conditions(20, True, np.array([-1.0, -2.0]), np.array([[0.0, 0.0], [1.0, 0.0]]), np.ones((2, 2)))
    np.testing.assert_allclose(told, [[2, 1, -1, 0, 0, 0, 1, 1], [2, 1, -2, 1, 1, 0, 1, 1]])
    state = climb_state(True, 12, 1e-4, 1e-2, -2.0, 0, 1e-3)
    np.testing.assert_allclose(state, [1, 1, 0, 1, 0, 0, 0], atol=1e-3)


@pytest.mark.slow
def test_changes_are_learnt_from_a_toy():
    """Moves go on in the direction of the last one, shorter if the shape is large."""
    rng = np.random.default_rng(0)
    told = rng.normal(size=(3000, CONDITIONS))
    moves = 0.1 * rng.normal(size=(3000, 6)) + np.where(told[:, 2:3] > 0, 0.5, 1.5) * told[:, 4:10]
    model = learn_changes(KeptChanges(told, moves, np.ones(3000)), 600, seed=0)
    generator = ChangeGenerator({name: value.numpy() for name, value in model.exported().items()})
    ask = np.zeros((2, CONDITIONS))
    ask[:, 4], ask[:, 2] = 1.0, [1.0, -1.0]
    drawn = generator(ask, 500, rng)
    np.testing.assert_allclose(drawn.mean(axis=1)[:, 0], [0.5, 1.5], atol=0.25)
    np.testing.assert_allclose(drawn.mean(axis=1)[:, 1:], 0, atol=0.2)
    assert drawn.std(axis=1).max() < 0.75  # of all moves it is 1.2


def test_hardly_any_changes_are_refused():
    with pytest.raises(InputError, match="only 3 changes"):
        learn_changes(KeptChanges(np.zeros((3, CONDITIONS)), np.zeros((3, 6)), np.ones(3)), 1, seed=0)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_what_is_recorded_is_what_was_kept(name):
    record = paint_and_record(targets(1), FAMILIES[name], 2, None, np.random.default_rng(0))
    kept, climbs = record.kept_changes(), record.all_climbs()
    assert np.isfinite(kept.conditions).all()
    assert np.isfinite(kept.moves).all()
    assert ((kept.shares > 0) & (kept.shares <= 1)).all()
    # Looks at rounds 3 to 24 of each climb: seven steps from one to the next, the last of which ends it.
    assert climbs.last.sum() * 7 == len(climbs.won)
    assert (climbs.won >= -1e-9).all()
    assert (climbs.next_states[:, 1] > climbs.states[:, 1]).all()
    some = np.full((1, kept.moves.shape[1]), 0.3)
    assert len(moved(FAMILIES[name], some, FAMILIES[name].axes(some), kept.moves[None, :4])) == 4


@pytest.mark.slow
def test_the_agent_learns_when_to_stop_from_history():
    """Climbs that won something go on winning 0.01 dB a look; those that did not win nothing any more."""
    rng = np.random.default_rng(0)
    going = rng.random(4000) < 0.5
    states = np.zeros((4000, STATE))
    states[:, 2] = going
    then = states.copy()
    then[:, 1] = 1.0
    climbs = Climbs(states, np.where(going, 0.01, 0.0), then, np.ones(4000, bool))
    agent = learn_to_stop(climbs, 1500, seed=0)
    for won, price, worth_it in ((1.0, 1e-3, True), (1.0, 9e-3, False), (0.0, 3e-3, False)):
        state = torch.tensor([[0.0, 0.0, won, 0.0, 0.0, 0.0, np.log10(price) + 3.0]]).float()
        q = agent({"climb": state})[0]
        assert bool(q[GO_ON] > q[STOP]) is worth_it
    slope, offset, rank = calibrated(agent, climbs, seed=0)
    assert slope == pytest.approx(0.01, rel=0.2)
    assert abs(offset) < 2e-3
    assert rank > 0.8


@pytest.mark.slow
def test_training_makes_a_file_that_paints(tmp_path):
    settings = PainterTraining(strokes=3, generations=2, updates=20, agent_updates=20)
    lines: list[str] = []
    save_painter(
        tmp_path / "p.safetensors",
        train_painter(targets(4), tuple(FAMILIES.values()), settings, lines.append),
    )
    assert (tmp_path / "p.safetensors").stat().st_size < 100_000
    learnt = Learnt.load(tmp_path / "p.safetensors")
    assert set(learnt.generators) == set(FAMILIES)
    assert np.isfinite(learnt.expected_gain(np.zeros(STATE)))
    assert lines[-1].endswith("on 1 held out")
    with pytest.raises(InputError, match="give at least 2"):
        train_painter(targets(1), (TRIANGLES,), settings, lines.append)


def test_another_file_is_refused(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="cannot be read"):
        Learnt.load(tmp_path / "x.safetensors")
