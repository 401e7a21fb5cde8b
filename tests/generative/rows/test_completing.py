"""A generator that completes rows: what is seen stays, what follows from it is found, a class is obeyed."""

import pytest
import torch

from clairvoy.errors import InputError
from clairvoy.generative.rows.completing import CompletingSettings, CompletingVAE, any_blocks, any_entries
from clairvoy.generative.rows.data_kinds import images, table, vectors
from clairvoy.generative.rows.given import Given
from clairvoy.generative.rows.learner import RowLearner, RowLearnerSettings
from clairvoy.generative.rows.snapshot import Snapshot
from clairvoy.generative.rows.vae import RowDiscriminator


def lines(count, rng):
    """Class 0 lies about -2, class 1 about 2; the bit says that the second number is above the first."""
    of_class = torch.randint(2, (count,), generator=rng)
    first = (4.0 * of_class - 2) + 0.3 * torch.randn(count, generator=rng)
    bit = torch.randint(2, (count,), generator=rng)
    return torch.stack([first, first + (2 * bit - 1), bit.float(), of_class.float()], dim=1)


@pytest.fixture(scope="module")
def learnt():
    real = lines(2000, torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    generator = CompletingVAE(table(real, [0, 0, 1, 2]), CompletingSettings(latent=4, width=32))
    learner = RowLearner(
        generator, RowDiscriminator(32), RowLearnerSettings(adversarial=0.0, learning_rate=5e-3)
    )
    draws = torch.Generator().manual_seed(1)
    for _ in range(500):
        learner.update(real[torch.randint(2000, (128,), generator=draws)])
    return Snapshot(learner.averaged)


def test_what_follows_from_what_is_seen_is_found(learnt):
    rows = lines(200, torch.Generator().manual_seed(5))
    hidden = rows.clone()
    hidden[:, 1], hidden[:, 3] = 99.0, 0.0
    seen = torch.tensor([True, False, True, False]).expand(200, -1)
    completed = learnt.complete(hidden, seen)
    assert torch.equal(completed[:, [0, 2]], rows[:, [0, 2]])
    assert (completed[:, 3] == rows[:, 3]).float().mean() > 0.97
    assert (completed[:, 1] - rows[:, 1]).abs().mean() < 0.35
    # What is not seen is not looked at.
    other = torch.where(seen, hidden, torch.ones_like(hidden))
    assert torch.equal(learnt.complete(other, seen), completed)


def test_a_given_class_is_obeyed_and_nothing_given_makes_all_kinds(learnt):
    asked = torch.tensor([0.0, 0.0, 0.0, 1.0]).expand(300, -1)
    only_class = torch.tensor([False, False, False, True]).expand(300, -1)
    noise = torch.Generator().manual_seed(2)
    made = learnt.imagine(300, noise, Given(asked, only_class))
    assert torch.equal(made[:, 3], torch.ones(300))
    assert (made[:, 0] > 0).float().mean() > 0.95
    assert 0.25 < made[:, 2].mean() < 0.75
    free = learnt.imagine(300, noise)
    assert 0.25 < free[:, 3].mean() < 0.75
    assert ((free[:, 0] > 0) == (free[:, 3] > 0)).float().mean() > 0.9


def test_a_draw_differs_where_nothing_is_known_and_keeps_what_is(learnt):
    rows = lines(100, torch.Generator().manual_seed(6))
    seen = torch.tensor([True, True, True, False]).expand(100, -1)
    one, two = (learnt.complete(rows, ~seen, torch.Generator().manual_seed(seed)) for seed in (1, 2))
    assert torch.equal(one[:, 3], rows[:, 3])
    assert not torch.equal(one[:, 0], two[:, 0])
    assert torch.equal(one, learnt.complete(rows, ~seen, torch.Generator().manual_seed(1)))


def test_pictures_of_the_sphere_are_learnt_and_may_be_turned():
    torch.manual_seed(0)
    light = torch.rand(64, 3, 1, 1)
    real = (light + torch.linspace(0.2, 0, 8)[:, None]).clamp(0, 1).expand(-1, -1, -1, 16).contiguous()
    generator = CompletingVAE(images(real), CompletingSettings(latent=4, width=32, sphere=True))
    learner = RowLearner(
        generator, RowDiscriminator(32), RowLearnerSettings(adversarial=0.0, learning_rate=5e-3)
    )
    for _ in range(150):
        learner.update(real)
    seen = torch.zeros(64, 3, 8, 16, dtype=torch.bool)
    seen[..., 2:6, 3:8] = True
    completed = learner.averaged.complete(real, seen)
    error = (completed - real).abs()[~seen].mean()
    alone = (real.mean(dim=0) - real).abs()[~seen].mean()
    assert error < 0.55 * alone
    turned = learner.averaged.complete(real.roll(4, dims=3), seen.roll(4, dims=3))
    torch.testing.assert_close(turned.roll(-4, dims=3), completed, atol=1e-5, rtol=0)


def test_entries_count_by_their_weight():
    real = torch.randn(10, 2, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    ignoring = CompletingVAE(vectors(real), CompletingSettings(width=8), weight=torch.tensor([1.0, 0.0]))
    rows = torch.zeros(5, 2), torch.zeros(5, 2)
    rows[1][:, 1] = 50.0
    blind = lambda count, noise: torch.zeros(count, 2, dtype=torch.bool)  # noqa: E731
    ignoring.masks = blind
    for parameter in ignoring.networks.trunk.parameters():
        parameter.data.zero_()  # the posterior is blind too
    losses = [ignoring.loss(one, torch.Generator().manual_seed(0)) for one in rows]
    torch.testing.assert_close(*losses)


def test_what_is_seen_can_be_said_instead_of_drawn():
    real = torch.randn(10, 2, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    half = torch.tensor([[True, False]]).expand(10, 2)
    vae = CompletingVAE(
        vectors(real), CompletingSettings(width=8, unseen=0.0), lambda count, noise: half[:count]
    )
    noise = torch.Generator().manual_seed(1)
    torch.rand(10, generator=noise)  # whether all of a row is hidden is drawn first
    drawn = vae.loss(real, torch.Generator().manual_seed(1))
    torch.testing.assert_close(vae.loss(real, noise, half), drawn)
    assert not torch.allclose(vae.loss(real, torch.Generator().manual_seed(1), ~half), drawn)


def test_masks_have_the_shape_of_rows_and_all_sizes():
    noise = torch.Generator().manual_seed(0)
    entries = any_entries((6,))(500, noise)
    assert entries.shape == (500, 6)
    share = entries.float().mean(dim=1)
    assert share.min() == 0
    assert share.max() == 1
    blocks = any_blocks((3, 8, 16))(50, noise)
    assert blocks.shape == (50, 3, 8, 16)
    assert torch.equal(blocks[:, 0], blocks[:, 2])
    assert torch.equal(blocks[..., 0, 0], blocks[..., 1, 1])


def test_what_does_not_fit_is_refused(learnt):
    rows = lines(4, torch.Generator().manual_seed(0))
    with pytest.raises(InputError, match=r"seen is \(4, 3\) of torch.bool; the rows are \(4, 4\)"):
        learnt.complete(rows, rows[:, :3] > 0)
    with pytest.raises(InputError, match="4 rows are given and 5 asked for"):
        learnt.imagine(5, torch.Generator(), Given(rows, rows > 0))
