"""Trust: calibration error in closed form, agreement on signs of a known truth, and a run on drawn pictures."""

import numpy as np
import pytest
import torch

from clairvoy.errors import SettingsError
from clairvoy.evaluation.trust import ABLATED, compare, expected_calibration_error, measure_trust
from clairvoy.generative.density.calibration import SIGNS, Calibration
from clairvoy.imaging.files import Picture, write
from clairvoy.releasing.parts import Parts


def test_calibration_error_in_closed_form():
    # Two bins: 0.25 said, half came true; 0.95 said, all came true. (2 x 0.25 + 2 x 0.05) / 4.
    said, came = [0.25, 0.25, 0.95, 0.95], [True, False, True, True]
    assert expected_calibration_error(said, came) == pytest.approx(0.15)
    assert expected_calibration_error([0.0, 1.0], [False, True]) == 0


def test_a_sign_that_tells_all_is_missed_when_left_out():
    rng = torch.Generator().manual_seed(0)
    signs = torch.randn(400, len(SIGNS), 2, 2, generator=rng)
    # One truth for each picture, shown by the spread alone.
    signs[:, 0] = signs[:, 0, :1, :1]
    db = 22 - 3 * signs[:, :1]
    calibration = Calibration()
    calibration.fit(signs, 10 ** (-db / 10))
    found = compare(calibration, signs, 10 ** (-db / 10), torch.ones(400, dtype=torch.bool))
    assert found.predicted.rank_correlation > 0.999
    assert found.predicted.mae_db < 0.1
    assert found.ablations["nothing"].mae_db < 0.1
    assert found.ablations["residual"].mae_db < 0.1
    assert found.ablations["spread"].mae_db > 1.5
    assert abs(found.ablations["spread"].rank_correlation) < 0.3
    assert found.calibration_error < 0.05


def test_a_map_that_tells_where_is_seen():
    rng = torch.Generator().manual_seed(0)
    signs = torch.randn(60, len(SIGNS), 8, 8, generator=rng)
    db = 22 - 3 * signs[:, :1]
    calibration = Calibration()
    calibration.fit(signs, 10 ** (-db / 10))
    found = compare(calibration, signs, 10 ** (-db / 10), torch.ones(60, dtype=torch.bool))
    assert found.map_rank_correlation > 0.99
    assert found.pooled_map_rank_correlation > 0.99


@pytest.mark.slow
def test_the_run_is_repeatable_and_complete(tmp_path):
    rng = np.random.default_rng(0)
    pixels = np.kron(rng.integers(0, 256, (20, 30, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    write(tmp_path / "a.png", pixels, Picture(pixels))
    torch.manual_seed(0)
    perceiver = Parts.new().perceiver
    first = measure_trust(perceiver, [tmp_path / "a.png"], pictures=20, seed=3)
    assert first == measure_trust(perceiver, [tmp_path / "a.png"], pictures=20, seed=3)
    assert first.predicted.n == 20
    assert set(first.ablations) == {"nothing", *ABLATED, " and ".join(ABLATED)}
    assert all(name in first.table() for name in ABLATED)


@pytest.mark.parametrize("wrong", [{"pictures": 3}, {"rooms": 1.5}, {"clear": -0.1}])
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        measure_trust(None, [], **wrong)
