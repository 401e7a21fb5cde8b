"""Kinds of data: likelihoods against torch.distributions, draws distributed as they should be, rows there and back."""

import pytest
import torch
from torch.distributions import Bernoulli, Categorical, Normal

from clairvoy.errors import InputError, SettingsError
from clairvoy.generative.rows.data_kinds import binary_grids, images, kind_of, table, vectors


@pytest.fixture
def lines():
    rng = torch.Generator().manual_seed(0)
    numbers = torch.randn(50, 2, generator=rng) * torch.tensor([3.0, 0.1]) + 5
    bit = torch.randint(2, (50, 1), generator=rng).float()
    choice = torch.randint(3, (50, 1), generator=rng).float()
    return torch.cat([numbers[:, :1], choice, bit, numbers[:, 1:]], dim=1)


def test_rows_come_back_as_they_were(lines):
    kind = table(lines, [0, 3, 1, 0])
    encoded = kind.encode(lines)
    assert encoded.shape == (50, 2 + 1 + 3)
    torch.testing.assert_close(encoded[:, :2].mean(dim=0), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(kind.decode(encoded), lines)
    grids = torch.rand(6, 3, 3) < 0.5
    assert torch.equal(binary_grids(grids).decode(binary_grids(grids).encode(grids)), grids)
    pictures = torch.randint(256, (6, 3, 4, 8), dtype=torch.uint8)
    assert torch.equal(images(pictures).decode(images(pictures).encode(pictures)), pictures)


def test_likelihoods_are_those_of_torch(lines):
    kind = table(lines, [0, 3, 1, 0]).double()
    encoded = kind.encode(lines).double()
    outputs = torch.randn(50, kind.width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        kind.log_scale.copy_(torch.tensor([0.3, -0.7]))
    mean, bit, choice = outputs.split([2, 1, 3], dim=1)
    want = (
        Normal(mean, torch.tensor([0.3, -0.7], dtype=torch.float64).exp()).log_prob(encoded[:, :2]).sum(dim=1)
        + Bernoulli(logits=bit[:, 0]).log_prob(encoded[:, 2])
        + Categorical(logits=choice).log_prob(lines[:, 1].long())
    )
    torch.testing.assert_close(kind.nats(outputs, encoded), -want)


def test_draws_have_the_probabilities_of_the_outputs_and_pass_gradients(lines):
    kind = table(lines, [0, 3, 1, 0])
    outputs = torch.tensor([[1.0, -2.0, 0.8, 0.0, 1.0, -1.0]]).repeat(20_000, 1).requires_grad_()
    with torch.no_grad():
        kind.log_scale.copy_(torch.tensor([0.5, -1.0]))
    drawn = kind.draw(outputs, torch.Generator().manual_seed(0))
    chance = torch.cat([torch.sigmoid(outputs[0, 2:3]), outputs[0, 3:].softmax(dim=0)])
    torch.testing.assert_close(drawn[:, 2:].mean(dim=0), chance, atol=0.015, rtol=0)
    torch.testing.assert_close(drawn[:, :2].mean(dim=0), outputs[0, :2], atol=0.05, rtol=0)
    torch.testing.assert_close(drawn[:, :2].std(dim=0), torch.tensor([0.5, -1.0]).exp(), atol=0.03, rtol=0)
    assert set(drawn[:, 2:].detach().round(decimals=4).flatten().tolist()) == {0.0, 1.0}
    drawn[:, 2].sum().backward()
    p = torch.sigmoid(torch.tensor(0.8))
    torch.testing.assert_close(outputs.grad[0, 2], p * (1 - p))


def test_the_kind_is_told_by_type_and_shape():
    assert len(kind_of(torch.zeros(4, 5, 5, dtype=torch.bool)).bits) == 25
    assert kind_of(torch.rand(4, 3, 8, 8)).picture
    assert kind_of(torch.zeros(4, 1, 8, 4, dtype=torch.uint8)).picture
    assert not kind_of(torch.randn(4, 3, 8, 8)).picture  # numbers below 0: no picture
    assert len(kind_of(torch.randn(4, 7)).numbers) == 7
    assert kind_of(torch.tensor([[0, 4], [2, 0]])).choices == [(0, 3), (1, 5)]
    with pytest.raises(InputError, match="could be several things"):
        kind_of(torch.zeros(4, 5, 5, dtype=torch.uint8))


def test_rows_that_do_not_fit(lines):
    kind = table(lines, [0, 3, 1, 0])
    with pytest.raises(InputError, match=r"rows are \(3,\).*\(4,\)"):
        kind.check(lines[:, :3])
    wrong = lines.clone()
    wrong[2, 1] = 3
    with pytest.raises(InputError, match=r"entry 1 of a row is 3\.0; it must be a whole number from 0 to 2"):
        kind.check(wrong)
    wrong[2, 1] = torch.nan
    with pytest.raises(InputError, match="not finite"):
        kind.check(wrong)
    with pytest.raises(SettingsError, match="categories has 2 entries for rows of 4"):
        table(lines, [0, 3])
    with pytest.raises(InputError, match="at least 2 rows"):
        vectors(lines[:1])
    with pytest.raises(InputError, match="multiples of 4"):
        images(torch.rand(4, 3, 6, 8))
