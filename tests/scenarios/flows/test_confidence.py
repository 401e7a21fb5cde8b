"""Calibration: a known temperature and known shares are found again."""

import pytest
import torch

from clairvoy.evaluation.reliability import expected_calibration_error
from clairvoy.scenarios.flows.confidence import Confidence


def test_a_boldness_and_shares_are_put_right():
    noise = torch.Generator().manual_seed(0)
    true_logits = torch.randn(20_000, 3, generator=noise) * 2 + torch.tensor([2.0, 0.0, -1.0])
    classes = torch.multinomial(true_logits.softmax(1), 1, generator=noise)[:, 0]
    bold = 3 * (true_logits - torch.tensor([2.0, 0.0, -1.0]))  # as if all classes were equally frequent
    shares = torch.bincount(classes) / len(classes)
    confidence = Confidence(3)
    before = expected_calibration_error(bold.softmax(1).amax(1), bold.argmax(1) == classes)
    confidence.fit(bold, classes, shares)
    told = confidence(bold).detach().exp()
    after = expected_calibration_error(told.amax(1).clamp(max=1), told.argmax(1) == classes)
    assert before > 0.1 > 0.01 > after
    assert float(confidence.log_scale.detach().exp()) == pytest.approx(1 / 3, rel=0.05)
    offset = confidence.offset.detach() - confidence.offset.detach().mean()
    assert offset.tolist() == pytest.approx([2 - 1 / 3, -1 / 3, -4 / 3], abs=0.1)


def test_where_few_flows_speak_the_shares_do():
    confidence = Confidence(2)
    shares = torch.tensor([0.9, 0.1])
    confidence.fit(torch.zeros(1, 2), torch.tensor([0]), shares)
    assert confidence(torch.zeros(1, 2)).detach().exp()[0].tolist() == pytest.approx([0.9, 0.1], abs=0.06)
