"""The default generator: its bound is a bound, it learns a distribution, resumes, and its features are its own."""

import pytest
import torch

from clairvoy.errors import SettingsError
from clairvoy.generative.rows.completing import CompletingSettings, CompletingVAE
from clairvoy.generative.rows.data_kinds import images, table, vectors
from clairvoy.generative.rows.given import Given
from clairvoy.generative.rows.learner import RowLearner, RowLearnerSettings
from clairvoy.generative.rows.vae import RowDiscriminator, RowVAE, RowVAESettings


def learner(kind, **settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return RowLearner(
            RowVAE(kind, RowVAESettings(latent=4, width=32)),
            RowDiscriminator(32),
            RowLearnerSettings(**settings),
        )


def mixed(count, seed=0):
    """A coin, a category that follows the coin, and a number around -2 or 2 that does so as well."""
    rng = torch.Generator().manual_seed(seed)
    coin = (torch.rand(count, generator=rng) < 0.3).float()
    category = torch.where(coin > 0, 2.0, torch.randint(2, (count,), generator=rng).float())
    return torch.stack([coin, category, 4 * coin - 2 + 0.5 * torch.randn(count, generator=rng)], dim=1)


@pytest.mark.slow
def test_it_learns_what_goes_together():
    rows = mixed(1000)
    learning = learner(table(rows, [1, 3, 0]))
    rng = torch.Generator().manual_seed(1)
    for _ in range(1000):
        learning.update(rows[torch.randint(1000, (64,), generator=rng)])
    made = learning.imagine(2000)
    assert made[:, 0].mean() == pytest.approx(0.3, abs=0.08)
    heads = made[:, 0] > 0.5
    assert (made[heads, 1] == 2).float().mean() > 0.85
    assert (made[~heads, 1] < 2).float().mean() > 0.85
    # A prior without holes draws some rows from between the two kinds: their means lie closer than 2 and -2.
    assert 1 < made[heads, 2].mean() < 2.4
    assert -2.4 < made[~heads, 2].mean() < -1.4
    # Rows decoded from where real rows lie have no such excuse.
    generator, coin = learning.averaged, rows[:, 0] > 0.5
    with torch.no_grad():
        mean, log_variance = generator.to_latent(generator.trunk(generator.encode(rows))).chunk(2, dim=1)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn(mean.shape, generator=rng)
        again = generator.decode(generator.kind.draw(generator._outputs(z), rng))
    assert again[coin, 2].mean() == pytest.approx(2, abs=0.15)
    assert again[~coin, 2].mean() == pytest.approx(-2, abs=0.15)
    # What does not go together is neither understood nor believed.
    wrong = rows.clone()
    wrong[:, 2] = -wrong[:, 2]
    assert learning.surprise(wrong).mean() > learning.surprise(rows).mean() + 0.5
    assert learning.judge(wrong).mean() < learning.judge(rows).mean()


def test_the_loss_bounds_the_surprise_of_the_best_model():
    """No model can average fewer nats than the entropy of the data: 0.5 log(2 pi e) for a standard normal."""
    rows = torch.randn(4000, 1, generator=torch.Generator().manual_seed(0))
    rows = (rows - rows.mean()) / rows.std()
    learning = learner(vectors(rows))
    for step in range(150):
        learning.update(rows[step % 60 * 64 : step % 60 * 64 + 64])
    entropy = 0.5 * torch.log(torch.tensor(2 * torch.pi * torch.e))
    loss = learning.surprise(rows).mean()
    assert entropy - 0.01 < loss < entropy + 0.15


@pytest.mark.slow
def test_pictures_are_learnt_by_convolutions():
    rng = torch.Generator().manual_seed(0)
    bright = torch.rand(256, 1, 1, 1, generator=rng).expand(-1, 3, 8, 8)
    learning = learner(images(bright))
    first = learning.surprise(bright).mean()
    for step in range(120):
        learning.update(bright[step % 4 * 64 : step % 4 * 64 + 64])
    made = learning.imagine(200)
    assert made.shape == (200, 3, 8, 8)
    assert bool(((made >= 0) & (made <= 1)).all())
    # Every picture is one grey: far more spread between pictures than within one.
    assert made.mean(dim=(1, 2, 3)).std() > 2 * made.std(dim=(1, 2, 3)).mean()
    assert learning.surprise(bright).mean() < first - 0.5


def test_resume_and_the_same_seed():
    rows = mixed(64)
    runs = [learner(table(rows, [1, 3, 0])) for _ in range(3)]
    for _ in range(6):
        runs[0].update(rows)
        runs[1].update(rows)
    half = learner(table(rows, [1, 3, 0]))
    for _ in range(3):
        half.update(rows)
    runs[2].load_state_dict(half.state_dict())
    for _ in range(3):
        runs[2].update(rows)
    states = [[*run.averaged.state_dict().values(), *run.discriminator.state_dict().values()] for run in runs]
    for one, same, resumed in zip(*states, strict=True):
        assert torch.equal(one, same)
        assert torch.equal(one, resumed)


def test_the_discriminator_pulls_the_generator_and_leaves_its_features():
    rows = mixed(64)
    pulled, alone = learner(table(rows, [1, 3, 0])), learner(table(rows, [1, 3, 0]), adversarial=0.0)
    pulled.update(rows)
    alone.update(rows)
    # Judged through the trunk, but not into it: only the decoder differs after one update. (Adam's first step hardly
    # depends on the size of a gradient, so that clipping does not show.)
    for (name, one), other in zip(
        pulled.generator.named_parameters(), alone.generator.parameters(), strict=True
    ):
        same = torch.allclose(one, other, atol=1e-5)
        if name.startswith(("trunk", "to_latent")):
            assert same, name
        if name == "last.weight":
            assert not same


def test_bad_settings():
    with pytest.raises(SettingsError, match=r"average is 1\.0"):
        RowLearnerSettings(average=1.0)
    with pytest.raises(SettingsError, match="latent is 0"):
        RowVAESettings(latent=0)


def test_what_is_judged_can_be_completions():
    rows = torch.randn(32, 3, generator=torch.Generator().manual_seed(0))
    kind = vectors(rows)
    asked, judged = [], []

    def given(some, noise):
        seen = torch.zeros_like(some, dtype=torch.bool)
        seen[:, :2] = True
        asked.append(some)
        return Given(some, seen)

    torch.manual_seed(0)
    generator = CompletingVAE(kind, CompletingSettings(latent=2, width=16))
    learning = RowLearner(generator, RowDiscriminator(16), RowLearnerSettings(adversarial=0.0), 0, given)
    seen_by = generator.last_features
    generator.last_features = lambda encoded: judged.append(encoded) or seen_by(encoded)
    learning.update(rows)
    assert [torch.equal(one, rows) for one in asked] == [True]
    real, fake = judged
    torch.testing.assert_close(real, generator.encode(rows))
    torch.testing.assert_close(fake[:, :2], real[:, :2])
    assert not torch.allclose(fake[:, 2], real[:, 2])
    assert not fake.requires_grad  # nothing objects, so nothing is to be learnt of it
