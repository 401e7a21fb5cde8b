"""Attention entropy: what it is of, that unseen patches are not looked at, and that the rule takes where it is largest."""

import math

import pytest
import torch

from clairvoy.scenarios.panorama.attention import (
    PATCH,
    AttendingAutoencoder,
    attention_entropy,
    learn_attention,
    patches,
    seen_patches,
)
from clairvoy.scenarios.panorama.baselines import by_attention
from clairvoy.scenarios.panorama.directions import AROUND, DIRECTIONS
from clairvoy.scenarios.panorama.looking import Looking


@pytest.fixture
def looking():
    return Looking(32, glimpses=3)


def network():
    torch.manual_seed(0)
    return AttendingAutoencoder(32, width=16, heads=2).eval()


def noise(count, seed=0):
    return torch.randint(
        256, (count, 3, 32, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )


def test_patches_are_pixels_in_order():
    panorama = noise(1)
    patch = patches(panorama)[0, 16 + 2].view(3, PATCH, PATCH)
    torch.testing.assert_close(patch, panorama[0, :, 4:8, 8:12].float() / 127.5 - 1)


def test_unseen_pixels_are_not_looked_at(looking):
    seen = looking.views[[8, 13]].any(dim=0)[None]
    first = noise(1)
    second = torch.where(seen[:, None], first, noise(1, seed=1))
    with torch.no_grad():
        made, attention = network()(first, seen)
        other, _ = network()(second, seen)
    torch.testing.assert_close(made, other)
    known = seen_patches(seen)[0]
    assert (attention[0, :, :, ~known] == 0).all()
    torch.testing.assert_close(attention.sum(dim=3), torch.ones(1, 2, 128))


def test_even_attention_has_the_entropy_of_so_many_patches(looking):
    even = network()
    # Without queries every seen patch is asked alike.
    even.of_seen.in_proj_weight.data[:16] = 0
    even.of_seen.in_proj_bias.data[:16] = 0
    seen = looking.views[[8]]
    entropy = attention_entropy(even, noise(1), seen)
    known = seen_patches(seen).unflatten(1, (8, 16))
    torch.testing.assert_close(
        entropy[~known], torch.full_like(entropy[~known], 2 * math.log(int(known.sum())))
    )
    assert (entropy[known] == 0).all()


def test_the_rule_looks_where_entropy_is_largest(looking, monkeypatch):
    wanted = torch.tensor([AROUND + 3, 17])
    peaks = torch.zeros(8, 16)
    for worth, direction in zip((2.0, 1.0), wanted.tolist(), strict=True):
        middle = looking.views[direction].float().view(8, PATCH, 16, PATCH).mean(dim=(1, 3)) == 1
        peaks[middle] = worth

    def entropy(network, panoramas, seen):
        return peaks * ~seen_patches(seen).unflatten(1, (8, 16))

    monkeypatch.setattr("clairvoy.scenarios.panorama.baselines.attention_entropy", entropy)
    chosen = by_attention(looking, network(), noise(2), 3)
    assert chosen.tolist() == [[AROUND, *wanted.tolist()]] * 2
    assert int(chosen.max()) < DIRECTIONS


def test_it_learns_to_go_on(looking):
    # Panoramas of one colour: what is seen tells all.
    real = torch.randint(256, (64, 3, 1, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    real = real.expand(-1, -1, 32, 64).contiguous()
    learnt = learn_attention(real, looking.views, updates=40, batch=16)
    seen = looking.views[[8]].expand(64, -1, -1)
    with torch.no_grad():
        made, _ = learnt(real, seen)
    rest = ~seen_patches(seen)
    missed = (made - patches(real))[rest].square().mean().sqrt()
    assert missed < 0.3 * patches(real)[rest].std()
