"""Logistic regression on shares: before a fit it knows nothing, after it the mean holds."""

import pytest
import torch

from clairvoy.generative.logistic import LogisticFit


def signs(count, seed=0):
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))


def share(measured):
    return torch.sigmoid(0.5 + 1.5 * measured[:, 0] - 0.7 * measured[:, 1])


def test_before_a_fit_nothing_is_known():
    fit = LogisticFit(2)
    assert not fit.fitted
    assert fit(signs(3)).tolist() == [0.5] * 3


def test_a_known_relation_is_found_of_what_it_has_not_seen():
    fit = LogisticFit(2)
    fit.fit(signs(4000), share(signs(4000)))
    assert fit.fitted
    assert (fit(signs(500, seed=1)) - share(signs(500, seed=1))).abs().max() < 0.05


def test_the_mean_holds_on_what_it_saw():
    came = (torch.rand(300, generator=torch.Generator().manual_seed(2)) < share(signs(300))).float()
    fit = LogisticFit(2)
    fit.fit(signs(300), came)
    assert float(fit(signs(300)).mean()) == pytest.approx(float(came.mean()), abs=1e-5)
