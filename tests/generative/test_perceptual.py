"""LPIPS against the numbers of the original implementation, and what a training loss must do."""

import pytest
import torch
from torch import Tensor

from clairvoy.errors import InputError, SettingsError
from clairvoy.generative import perceptual
from clairvoy.generative.perceptual import MIN_SIDE, TAP_CHANNELS, SqueezeFeatures, perceptual_loss


@pytest.fixture(scope="module")
def features() -> SqueezeFeatures:
    return SqueezeFeatures()


def ramps(height: int = 64, width: int = 80) -> Tensor:
    """Red rises to the right, green downwards, blue in curved stripes: (1, 3, H, W)."""
    y = (torch.arange(height) / (height - 1)).view(height, 1)
    x = (torch.arange(width) / (width - 1)).view(1, width)
    return torch.stack([x.expand(height, width), y.expand(height, width), 0.5 + 0.5 * torch.sin(20 * x * y)])[
        None
    ]


def checks() -> Tensor:
    y, x = torch.arange(64).view(64, 1) // 8, torch.arange(80).view(1, 80) // 8
    return ((x + y) % 2).float().expand(1, 3, 64, 80)


# From `lpips` 0.1.4, LPIPS(net="squeeze")(a, b, normalize=True), run on the same SqueezeNet weights with its
# heads in float32. Ours are stored in float16, which is all that separates the two.
GOLDEN = {
    "hazy": (ramps(), ramps() * 0.6 + 0.36, 0.036957),
    "dim": (ramps(), ramps() * 0.5, 0.065808),
    "checks": (ramps(), checks(), 0.674331),
    "mirrored": (ramps(), ramps().flip(-1), 0.356261),
    "channels swapped": (ramps(), ramps().flip(1), 0.146993),
    "black and white": (torch.zeros(1, 3, 64, 80), torch.ones(1, 3, 64, 80), 0.585787),
    "odd sides": (ramps()[..., :51, :67], ramps()[..., :51, :67].square(), 0.065951),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_lpips_equals_the_original(features: SqueezeFeatures, case: str):
    a, b, golden = GOLDEN[case]
    assert features.lpips(a, b).item() == pytest.approx(golden, rel=2e-4, abs=2e-6)


def test_golden_terms_of_each_tap(features: SqueezeFeatures):
    terms = features.distances(ramps(), ramps().flip(1), range(7))[:, 0]
    golden = torch.tensor([0.045826, 0.011627, 0.016439, 0.031786, 0.024189, 0.010185, 0.006940])
    torch.testing.assert_close(terms, golden, rtol=1e-3, atol=2e-6)


def test_distance_is_zero_for_equal_symmetric_and_per_picture(features: SqueezeFeatures):
    a = torch.cat([ramps(), ramps(), checks()])
    b = torch.cat([ramps(), checks(), ramps()])
    distance = features.lpips(a, b)
    assert distance[0] == 0
    torch.testing.assert_close(distance[1], distance[2])
    torch.testing.assert_close(distance[1:2], features.lpips(ramps(), checks()))


def test_taps_are_the_documented_channels_and_early_stop_changes_nothing(features: SqueezeFeatures):
    everything, two = features(ramps()), features(ramps(), last=1)
    assert tuple(tap.shape[1] for tap in everything) == TAP_CHANNELS
    assert len(two) == 2
    assert all(torch.equal(a, b) for a, b in zip(two, everything, strict=False))
    assert min(tap.min().item() for tap in everything) == 0


def test_loss_on_all_taps_is_lpips_and_on_some_taps_their_share(features: SqueezeFeatures):
    a, b = torch.cat([ramps(), checks()]), torch.cat([checks(), ramps() * 0.5])
    torch.testing.assert_close(perceptual_loss(features, a, b, range(7)), features.lpips(a, b).mean())
    split = perceptual_loss(features, a, b, (0, 2)) + perceptual_loss(features, a, b, (1,))
    torch.testing.assert_close(split, perceptual_loss(features, a, b))


def test_descending_the_gradient_finds_the_veil_of_haze(features: SqueezeFeatures):
    # The veil only: features as unit vectors hardly see a gain, which is why training adds a pixel loss.
    clear, t, airlight = ramps(), 0.6, 0.9
    hazy = clear * t + airlight * (1 - t)
    veil = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.Adam([veil], lr=0.03)
    for _ in range(40):
        optimizer.zero_grad()
        perceptual_loss(features, (hazy - veil) / t, clear).backward()
        optimizer.step()
    assert veil.item() == pytest.approx(airlight * (1 - t), abs=0.02)
    assert all(parameter.grad is None for parameter in features.parameters())


def test_gradient_is_finite_where_features_are_dead():
    dead = SqueezeFeatures(pretrained=False)
    for parameter in dead.features.parameters():
        parameter.zero_()
    black = torch.zeros(1, 3, 32, 32, requires_grad=True)
    perceptual_loss(dead, black, torch.ones(1, 3, 32, 32)).backward()
    assert black.grad is not None
    assert black.grad.isfinite().all()


def test_smallest_side_is_exact(features: SqueezeFeatures):
    assert features(torch.rand(1, 3, MIN_SIDE, MIN_SIDE))[-1].shape[2:] == (1, 1)
    with pytest.raises(InputError, match="at least 17 pixels"):
        features(torch.rand(1, 3, MIN_SIDE - 1, 64))


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 1, 32, 32), (1, 4, 32, 32)])
def test_what_is_no_batch_of_colour_pictures_is_refused(features: SqueezeFeatures, shape: tuple[int, ...]):
    with pytest.raises(InputError, match="B, 3, H, W"):
        features(torch.rand(shape))


def test_pictures_of_different_size_and_unknown_taps_are_refused(features: SqueezeFeatures):
    with pytest.raises(InputError, match="differ in shape"):
        features.lpips(ramps(), ramps(64, 64))
    for taps in ((), (7,), (-1,)):
        with pytest.raises(SettingsError, match="taps must be some of 0 to 6"):
            perceptual_loss(features, ramps(), ramps(), taps)


def test_missing_weights_are_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(perceptual, "WEIGHTS_NAME", "gone.safetensors")
    with pytest.raises(perceptual.WeightsError, match=r"gone\.safetensors.*install clairvoy again"):
        SqueezeFeatures()
