"""The sampler judges what each draw makes of a picture."""

import pytest
import torch

from clairvoy.generative.density.sampler import Noise, candidates


@pytest.fixture
def picture():
    return torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(3))


def noise(draws, seed=0):
    """The mean itself, then draws."""
    rng = torch.Generator().manual_seed(seed)
    made = Noise(*(torch.randn(draws, *shape, generator=rng) for shape in ((4, 4, 5), (1, 1, 1), (1, 1, 1))))
    for part in made:
        part[0] = 0
    return made


@torch.no_grad()
def test_the_first_is_the_mean_and_each_is_judged_by_what_it_restores(generator, discriminator, picture):
    posterior = generator.encode(picture)
    found = candidates(generator, discriminator, picture, noise(4))
    assert found.belief.shape == (4,)
    torch.testing.assert_close(found.grid[:1], generator.decode(posterior.mean, posterior.density))
    torch.testing.assert_close(found.airlight[:1], posterior.airlight)
    for k in range(4):
        restored, _ = generator.restore_along(picture, found.grid[k : k + 1], found.airlight[k : k + 1])
        belief = discriminator.belief(generator, restored.clamp(0, 1)).mean()
        torch.testing.assert_close(belief, found.belief[k])


@torch.no_grad()
def test_draws_differ_in_field_density_and_airlight_by_as_much_as_is_asked(generator, discriminator, picture):
    posterior, asked = generator.encode(picture), noise(3, seed=1)
    found = candidates(generator, discriminator, picture, asked)
    light = (posterior.airlight + posterior.airlight_deviation * asked.brightness).clamp(0, 1)
    torch.testing.assert_close(found.airlight, light)
    z = posterior.mean + torch.exp(0.5 * posterior.log_variance) * asked.field
    density = posterior.density + posterior.density_deviation * asked.density
    torch.testing.assert_close(found.grid, generator.decode(z, density))
    assert not torch.equal(found.grid[1], found.grid[2])
