"""Trust: calibration error in closed form, signs of a known truth, pairs, and drawn pictures by torch as well."""

import cv2
import numpy as np
import pytest
import torch

from clairvoy.apps.cli import main
from clairvoy.errors import InputError, SettingsError
from clairvoy.evaluation import expected_calibration_error
from clairvoy.evaluation.drawn_pictures import draw
from clairvoy.evaluation.pairs import match_pairs
from clairvoy.evaluation.trust import ABLATED, Judged, Known, compare, judge, measure_trust, pictures_of_pairs
from clairvoy.generative.density.calibration import Calibration
from clairvoy.generative.density.picture_size import CELL
from clairvoy.generative.density.signs import SIGNS, fitted
from clairvoy.imaging.files import Picture, write
from clairvoy.releasing.parts import load_weights
from clairvoy.restoring.engine import Engine


@pytest.fixture(scope="module")
def engine():
    return Engine.load("fast", "cpu")


@pytest.fixture
def photograph(tmp_path):
    rng = np.random.default_rng(0)
    pixels = np.kron(rng.integers(0, 256, (20, 30, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    write(tmp_path / "a.png", pixels, Picture(pixels))
    return tmp_path / "a.png"


def by_torch(perceiver, known):
    """What `judge` says, with torch wherever a network or the physics is asked."""
    hazy, clear = (torch.from_numpy(part).permute(2, 0, 1)[None] for part in known[:2])
    seen = perceiver.perceive(hazy)
    error = (perceiver.restore(hazy, seen) - clear).square().mean(dim=1, keepdim=True)
    cells = torch.nn.functional.avg_pool2d(error, CELL)
    tau, db = perceiver.calibration.of_picture(seen.signs)
    return Judged(float(tau), float(db), seen.signs[0].numpy(), cells[0, 0].numpy(), known.has_haze)


def test_calibration_error_in_closed_form():
    # Two bins: 0.25 said, half came true; 0.95 said, all came true. (2 x 0.25 + 2 x 0.05) / 4.
    said, came = [0.25, 0.25, 0.95, 0.95], [True, False, True, True]
    assert expected_calibration_error(said, came) == pytest.approx(0.15)
    assert expected_calibration_error([0.0, 1.0], [False, True]) == 0


def judged(signs, db):
    """Pictures whose truth (n, h, w) in dB is known, judged by the map that fits them."""
    error = 10 ** (-db / 10)
    calibration = Calibration()
    calibration.fit(torch.from_numpy(signs), torch.from_numpy(error)[:, None])
    tau, told = calibration.of_picture(torch.from_numpy(signs).float())
    of_cells, _ = fitted(signs.transpose(0, 2, 3, 1).reshape(-1, len(SIGNS)), error.ravel())
    said = zip(tau.tolist(), told.tolist(), signs, error, strict=True)
    return of_cells, [Judged(*one, True) for one in said]


def test_a_sign_that_tells_all_is_missed_when_left_out():
    signs = np.random.default_rng(0).standard_normal((400, len(SIGNS), 2, 2))
    # One truth for each picture, shown by the spread alone.
    signs[:, 0] = signs[:, 0, :1, :1]
    found = compare(*judged(signs, 22 - 3 * signs[:, 0]))
    assert found.predicted.rank_correlation > 0.999
    assert found.predicted.mae_db < 0.1
    assert found.ablations["nothing"].mae_db < 0.1
    assert found.ablations["residual"].mae_db < 0.1
    assert found.ablations["spread"].mae_db > 1.5
    assert abs(found.ablations["spread"].rank_correlation) < 0.3
    assert found.calibration_error < 0.05


def test_a_map_that_tells_where_is_seen():
    signs = np.random.default_rng(0).standard_normal((60, len(SIGNS), 8, 8))
    found = compare(*judged(signs, 22 - 3 * signs[:, 0]))
    assert found.map_rank_correlation > 0.99
    assert found.pooled_map_rank_correlation > 0.99


def test_the_map_is_fitted_alike_on_tensors_and_arrays():
    rng = np.random.default_rng(0)
    signs, error = rng.standard_normal((30, len(SIGNS))), rng.random(30) ** 3
    (slope, offset), deviation = fitted(signs, error)
    (slopes, offsets), deviations = fitted(torch.from_numpy(signs), torch.from_numpy(error))
    np.testing.assert_allclose(slope, slopes, rtol=1e-9)
    assert (offset, deviation) == pytest.approx((float(offsets), float(deviations)), rel=1e-9)


@pytest.mark.slow
def test_drawn_pictures_are_judged_as_torch_judges_them(engine, photograph):
    """The same pictures every time; the same figures by the runtime and by torch."""
    pictures = list(draw([photograph], pictures=20, rooms=0, seed=3))
    again = list(draw([photograph], pictures=20, rooms=0, seed=3))
    assert all(
        (a.hazy == b.hazy).all() and a.has_haze == b.has_haze for a, b in zip(pictures, again, strict=True)
    )
    assert {one.has_haze for one in pictures} == {True, False}
    found = measure_trust(engine, pictures)
    perceiver = load_weights("fast").perceiver
    expected = compare(engine.released.db_of_cells, [by_torch(perceiver, one) for one in pictures])
    figures, wanted = ([*one.ablations.values(), one.predicted] for one in (found, expected))
    for got, want in zip(figures, wanted, strict=True):
        assert got.mae_db == pytest.approx(want.mae_db, abs=1e-3)
        assert got.rank_correlation == pytest.approx(want.rank_correlation, abs=1e-2)
    assert found.mean_db == pytest.approx(expected.mean_db, abs=1e-3)
    assert found.calibration_error == pytest.approx(expected.calibration_error, abs=1e-3)
    assert found.map_rank_correlation == pytest.approx(expected.map_rank_correlation, abs=1e-3)
    assert found.predicted.n == 20
    assert set(found.ablations) == {"nothing", *ABLATED, " and ".join(ABLATED)}
    assert all(name in found.table() for name in ABLATED)


def test_one_picture_is_judged_as_torch_judges_it(engine):
    rng = np.random.default_rng(1)
    clear = cv2.resize(rng.random((6, 8, 3), np.float32), (96, 64), interpolation=cv2.INTER_LINEAR)
    known = Known(np.float32(0.5) * clear + np.float32(0.45), clear, True)
    found, expected = judge(engine, known), by_torch(load_weights("fast").perceiver, known)
    assert found.tau == pytest.approx(expected.tau, abs=1e-5)
    assert found.tau_db == pytest.approx(expected.tau_db, abs=1e-3)
    np.testing.assert_allclose(found.signs, expected.signs, atol=1e-3)
    np.testing.assert_allclose(found.squared_error, expected.squared_error, atol=1e-5)
    assert found.squared_error.shape == (4, 6)


def test_pairs_of_any_size_are_measured(engine, tmp_path):
    """By the command, on files."""
    rng = np.random.default_rng(0)
    for number in range(20):
        clear = cv2.resize(rng.integers(0, 256, (5, 7, 3)).astype(np.uint8), (70 + number, 50))
        t = rng.uniform(0.4, 1)
        for name, rgb in (("clear", clear), ("hazy", np.rint(t * clear + (1 - t) * 210).astype(np.uint8))):
            (tmp_path / name).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / name / f"{number}.png"), rgb)
    pairs = match_pairs(tmp_path / "hazy", tmp_path / "clear")
    found = measure_trust(engine, pictures_of_pairs(pairs))
    assert found.predicted.n == 20
    assert found.map_rank_correlation == found.map_rank_correlation
    known = next(pictures_of_pairs(pairs))
    assert known.hazy.shape == known.clear.shape
    assert {length % 16 for length in known.hazy.shape[:2]} == {0}
    cv2.imwrite(str(tmp_path / "clear/3.png"), np.zeros((9, 9, 3)))
    with pytest.raises(InputError, match="crop both"):
        list(pictures_of_pairs(pairs))


@pytest.mark.parametrize(
    "given", ["", "--hazy a", "--clear a --photographs a", "--hazy a --clear a --photographs a"]
)
def test_pairs_or_photographs(given, capsys):
    assert main(["evaluate", "tau", *given.split()]) == 2
    assert "either --hazy DIR and --clear DIR, or --photographs" in capsys.readouterr().err


def test_an_option_that_would_do_nothing_is_refused(capsys):
    assert main(["evaluate", "tau", "--hazy", "a", "--clear", "a", "--rooms", "0"]) == 2
    assert "--rooms is of haze that is drawn" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [{"pictures": 3}, {"rooms": 1.5}, {"clear": -0.1}])
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        draw([], **wrong)
    with pytest.raises(SettingsError, match="pictures are too few"):
        compare(None, [])
