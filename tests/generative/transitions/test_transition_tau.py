"""Confidence of generated transitions: a known relation is found again, and right on average."""

import pytest
import torch

from clairvoy.generative.logistic import RIDGE
from clairvoy.generative.transitions.learner import Made
from clairvoy.generative.transitions.tau import SIGNS, TransitionTau, signs


def made(count, seed=0):
    """Signs of all sizes, independent of one another."""
    rng = torch.Generator().manual_seed(seed)
    spread, doubt = (torch.exp(torch.randn(count, generator=rng) - 3) for _ in range(2))
    return Made(torch.zeros(count, 1), spread, doubt, 2 * torch.randn(count, generator=rng))


def expected_gap(told):
    """The relation to be found: sigmoid(-1 + 0.8 log spread' + 0.3 log doubt' - 0.5 logit)."""
    log_spread, log_doubt = torch.log(told.spread + 1e-4) + 3, torch.log(told.doubt + 1e-5) + 3
    return torch.sigmoid(-1 + 0.8 * log_spread + 0.3 * log_doubt - 0.5 * told.logit.clamp(-8, 8))


def test_signs():
    told = Made(
        torch.zeros(2, 1), torch.tensor([0.0, 1.0]), torch.tensor([0.25, 0.0]), torch.tensor([3.0, -99.0])
    )
    expected = torch.tensor([[1e-4, 0.25 + 1e-5], [1 + 1e-4, 1e-5]]).log()
    assert signs(told).shape == (2, len(SIGNS))
    torch.testing.assert_close(signs(told)[:, :2], expected)
    assert signs(told)[:, 2].tolist() == [3, -8]


def test_before_any_fit_nothing_is_known():
    assert TransitionTau()(made(5)).tolist() == [0] * 5


@pytest.mark.parametrize("drawn", [False, True], ids=["shares", "yes or no"])
def test_it_finds_a_known_relation(drawn):
    told, unseen = made(4000), made(500, seed=1)
    gap = expected_gap(told)
    if drawn:
        gap = (torch.rand(4000, generator=torch.Generator().manual_seed(2)) < gap).float()
    tau = TransitionTau()
    tau.fit(told, gap)
    # The ridge pulls a little; a drawn gap brings noise of its own.
    assert (1 - tau(unseen) - expected_gap(unseen)).abs().max() < (0.08 if drawn else 0.05)
    assert torch.corrcoef(torch.stack([1 - tau(unseen), expected_gap(unseen)]))[0, 1] > 0.99


@pytest.mark.parametrize("seed", range(3))
def test_calibrated_in_the_large(seed):
    """A score equation: what is expected and what was are equal on average, whatever the relation."""
    told = made(300, seed)
    gap = torch.rand(300, generator=torch.Generator().manual_seed(seed)) ** 3
    tau = TransitionTau()
    tau.fit(told, gap)
    assert float((1 - tau(told)).mean()) == pytest.approx(float(gap.mean()), abs=1e-5)


def test_the_weights_solve_the_penalised_score_equations():
    told = made(200)
    gap = expected_gap(told).square()
    tau = TransitionTau()
    tau.fit(told, gap)
    told_signs = signs(told).double()
    standard = (told_signs - told_signs.mean(dim=0)) / told_signs.std(dim=0, correction=0)
    design = torch.cat([torch.ones(200, 1, dtype=torch.float64), standard], dim=1)
    weights = tau.gap.weights.double().requires_grad_(True)
    likely = torch.nn.functional.binary_cross_entropy_with_logits(
        design @ weights, gap.double(), reduction="sum"
    )
    (likely + 0.5 * RIDGE * 200 * weights[1:].square().sum()).backward()
    assert weights.grad.abs().max() < 1e-3  # of a sum over 200
    assert weights[1:].abs().min() > 0.01


@pytest.mark.parametrize("always", [0.0, 1.0])
def test_a_gap_that_is_always_the_same(always):
    told = made(50)
    tau = TransitionTau()
    tau.fit(told, torch.full((50,), always))
    torch.testing.assert_close(tau(made(50, seed=3)), torch.full((50,), 1 - always), atol=0.01, rtol=0)


def test_signs_that_never_vary_do_not_break_it():
    told = made(100)._replace(spread=torch.zeros(100), doubt=torch.zeros(100))
    tau = TransitionTau()
    tau.fit(told, torch.sigmoid(-told.logit))
    assert bool(torch.isfinite(tau(told)).all())
    assert (tau(told) - torch.sigmoid(told.logit)).abs().mean() < 0.03


def test_state():
    tau, again = TransitionTau(), TransitionTau()
    tau.fit(made(100), expected_gap(made(100)))
    again.load_state_dict(tau.state_dict())
    assert torch.equal(tau(made(20, seed=4)), again(made(20, seed=4)))
    saved, before = again.state_dict(), again(made(20))
    again.fit(made(100), 1 - expected_gap(made(100)))
    assert not torch.allclose(again(made(20)), before)
    again.load_state_dict(saved)
    assert torch.equal(again(made(20)), before)
    again.load_state_dict(TransitionTau().state_dict())
    assert again(made(3)).tolist() == [0] * 3
