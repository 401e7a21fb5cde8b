"""The probability of haze: calibrated, shared out over what is seen, and by layers that no training changes."""

import math

import pytest
import torch

from clairvoy.generative.density.backbone import APPEARANCE, APPEARANCE_BLOCKS, FROZEN, Backbone
from clairvoy.generative.density.calibration import Calibration, Found
from clairvoy.generative.density.recognition import haze_probability


def views(count, seed, logit):
    """What was found in views that are hazy with a probability; `logit` says which, from all signs."""
    rng = torch.Generator().manual_seed(seed)
    logs, haze = torch.randn(count, generator=rng), torch.rand(count, generator=rng)
    appearance = torch.randn(count, APPEARANCE, generator=rng) * 3 + 5
    hazy = torch.rand(count, generator=rng) < torch.sigmoid(logit(logs, haze, appearance))
    return Found(logs.sign() * (logs.abs().exp() - 1), haze, appearance, hazy)  # sign(v) log(1 + |v|) undone


def probabilities(calibration, found):
    return torch.tensor(
        [calibration.haze_probability(float(v), float(h), a) for v, h, a, _ in zip(*found, strict=True)]
    )


def test_the_probability_is_the_frequency_of_haze():
    def logit(logs, haze, appearance):
        return 2 * logs - 3 * haze + 0.5 * (appearance[:, 7] - 5) + 1

    calibration = Calibration()
    calibration.fit_recognition(views(6000, 0, logit), views(6000, 1, logit))
    others = views(4000, 2, logit)
    told = probabilities(calibration, others)
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        inside = (told >= low) & (told < low + 0.2)
        assert float(others.hazy[inside].float().mean()) == pytest.approx(
            float(told[inside].mean()), abs=0.07
        )
    assert float(((told >= 0.5) == others.hazy).float().mean()) > 0.73


def test_no_sign_carries_it_alone():
    """Two signs that say the same get the same weight, and none takes all of it, for real haze may fool one of them."""
    rng = torch.Generator().manual_seed(0)
    truth = torch.randn(2000, generator=rng)
    appearance = torch.zeros(2000, APPEARANCE)
    appearance[:, 3], appearance[:, 90] = truth * 4, truth * 0.25 + 2
    found = Found(torch.zeros(2000), torch.zeros(2000), appearance, truth > 0)
    calibration = Calibration()
    calibration.fit_recognition(found, found)
    weight = calibration.recognition[2:-1] * appearance.std(dim=0)
    assert float(weight[3]) == pytest.approx(float(weight[90]), rel=1e-3)
    assert float(weight[3]) > 1


def test_the_runtime_says_what_the_calibration_says():
    calibration = Calibration()
    calibration.recognition.copy_(torch.linspace(-1, 1, APPEARANCE + 3))
    appearance = torch.randn(APPEARANCE, generator=torch.Generator().manual_seed(0))
    per_value, per_haze, *weights, offset = calibration.recognition.tolist()
    added = sum(w * a for w, a in zip(weights, appearance.tolist(), strict=True))
    assert float(calibration.appearance_logit(appearance[None])) == pytest.approx(added, abs=1e-4)
    logit = per_value * math.log1p(4) + per_haze * 0.3 + added + offset
    expected = 1 / (1 + math.exp(-logit))
    assert calibration.haze_probability(4.0, 0.3, appearance) == pytest.approx(expected, abs=1e-6)
    assert haze_probability((per_value, per_haze, offset), 4.0, 0.3, added) == pytest.approx(
        expected, abs=1e-6
    )


def test_appearance_is_mean_and_deviation_of_frozen_layers():
    torch.manual_seed(0)
    backbone = Backbone()
    picture = torch.rand(2, 3, 64, 96)
    seen = {}
    for index in APPEARANCE_BLOCKS:
        backbone.blocks[index].register_forward_hook(
            lambda _, __, out, index=index: seen.update({index: out})
        )
    with torch.no_grad():
        backbone(picture)
        expected = [
            part
            for index in APPEARANCE_BLOCKS
            for part in (seen[index].mean(dim=(2, 3)), seen[index].flatten(2).std(dim=2, correction=0))
        ]
        told = backbone.appearance(picture)
        torch.testing.assert_close(told, torch.cat(expected, dim=1))
        assert told.shape == (2, APPEARANCE)
        # What training changes does not change it.
        frozen = {id(parameter) for parameter in backbone.frozen_parameters()}
        for parameter in backbone.parameters():
            if id(parameter) not in frozen:
                parameter.add_(1)
        torch.testing.assert_close(backbone.appearance(picture), told, rtol=0, atol=0)
    assert max(APPEARANCE_BLOCKS) < FROZEN
