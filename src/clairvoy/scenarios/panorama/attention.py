"""Attention entropy as a rule where to look next, after AME.

Where the attention of an unseen place is spread over all that was seen, little of it tells what is there (Pardyl et al.,
*Active Visual Exploration Based on Attention-Map Entropy*, IJCAI 2023). AME reads the attention of a masked autoencoder. The
completion here has no attention, so a small masked autoencoder is trained for this rule alone: places of the sphere are
tokens, unseen ones ask, seen ones answer. What differs from the paper: tokens are 4 x 4 pixels of an equirectangular
picture, the entropy is weighted by solid angle, and the network is small.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clairvoy.qlearning.policy import linear_schedule
from clairvoy.scenarios.panorama.completion import glimpse_masks
from clairvoy.scenarios.panorama.directions import solid_angles

PATCH = 4
"""Pixels of the panorama along a side of a token."""


class AttendingAutoencoder(nn.Module):
    """Completes a sphere from the patches that were seen; its attention says which of them it asked.

    Parameters
    ----------
    height
        Of the panoramas (3, height, 2 height), a multiple of `PATCH`.
    width
        Numbers of a token, a multiple of ``heads``.
    heads
        Of each attention.
    """

    places: Tensor

    def __init__(self, height: int, width: int = 48, heads: int = 4) -> None:
        super().__init__()
        rows, columns = height // PATCH, 2 * height // PATCH
        self.register_buffer("places", _on_sphere(rows, columns))
        self.of_patch = nn.Linear(3 * PATCH**2, width)
        self.of_place = nn.Linear(self.places.shape[1], width)
        self.among_seen = nn.MultiheadAttention(width, heads, batch_first=True)
        self.between = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.of_seen = nn.MultiheadAttention(width, heads, batch_first=True)
        self.to_patch = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, 3 * PATCH**2)
        )

    def forward(self, panoramas: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """What is completed and where attention went.

        Parameters
        ----------
        panoramas
            (B, 3, H, 2 H) uint8.
        seen
            (B, H, 2 H) bool; a patch counts as seen where all of it is. One patch of each panorama at least.

        Returns
        -------
        tuple
            Patches (B, tokens, 3 * PATCH^2) in [-1, 1], and attention (B, heads, tokens, tokens): rows ask, and sum to 1.
        """
        known = seen_patches(seen)
        place = self.of_place(self.places).expand(len(panoramas), -1, -1)
        tokens = self.of_patch(patches(panoramas)) * known[..., None] + place
        hidden = ~known
        first = self.norms[0](tokens)
        tokens = tokens + self.among_seen(first, first, first, key_padding_mask=hidden, need_weights=False)[0]
        tokens = tokens + self.between(tokens)
        asking, answering = self.norms[1](place), self.norms[2](tokens)
        answer, attention = self.of_seen(
            asking, answering, answering, key_padding_mask=hidden, average_attn_weights=False
        )
        return self.to_patch(answer + place), attention


def patches(panoramas: Tensor) -> Tensor:
    """Panoramas (B, 3, H, 2 H) uint8 as tokens (B, H / PATCH * 2 H / PATCH, 3 * PATCH^2) in [-1, 1]."""
    return F.unfold(panoramas.float() / 127.5 - 1, PATCH, stride=PATCH).transpose(1, 2)


def seen_patches(seen: Tensor) -> Tensor:
    """Which tokens are seen, (B, tokens) bool, of pixels (B, H, 2 H) bool."""
    return F.avg_pool2d(seen[:, None].float(), PATCH).flatten(1) > 1 - 1e-6


def _on_sphere(rows: int, columns: int) -> Tensor:
    """Where each token is, (tokens, 5): a unit vector, and the sine of twice the longitude with its cosine."""
    latitude = torch.pi / 2 - (torch.arange(rows) + 0.5) / rows * torch.pi
    longitude = (torch.arange(columns) + 0.5) / columns * 2 * torch.pi - torch.pi
    lat, lon = torch.meshgrid(latitude, longitude, indexing="ij")
    found = [
        lat.cos() * lon.sin(),
        lat.cos() * lon.cos(),
        lat.sin(),
        (2 * lon).sin() * lat.cos(),
        (2 * lon).cos() * lat.cos(),
    ]
    return torch.stack(found, dim=-1).flatten(0, 1)


def learn_attention(
    real: Tensor, of_views: Tensor, *, updates: int, batch: int = 64, rate: float = 2e-3, seed: int = 0
) -> AttendingAutoencoder:
    """Train on panoramas (R, 3, H, 2 H) uint8, turned at random, of which sets of glimpses are seen."""
    draws = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = AttendingAutoencoder(real.shape[2])
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate)
    masks = glimpse_masks(of_views)
    weight = _token_weights(real.shape[2])
    for update in range(updates):
        optimizer.param_groups[0]["lr"] = linear_schedule(rate, 0.0, updates, update)
        rows = real[torch.randint(len(real), (batch,), generator=draws)]
        rows = rows.roll(int(torch.randint(real.shape[3], (1,), generator=draws)), dims=3)
        seen = masks(batch, draws)[:, 0]
        made, _ = network(rows, seen)
        square = (made - patches(rows)).square().mean(dim=2) * weight * ~seen_patches(seen)
        optimizer.zero_grad()
        square.sum(dim=1).mean().backward()
        optimizer.step()
    return network.eval()


def _token_weights(height: int) -> Tensor:
    """Part of the sphere that each token is, (tokens,)."""
    return F.avg_pool2d(solid_angles(height)[None, None], PATCH).flatten() * PATCH**2


@torch.no_grad()
def attention_entropy(network: AttendingAutoencoder, panoramas: Tensor, seen: Tensor) -> Tensor:
    """Entropy of each unseen place's attention, in nats, summed over heads, (B, H / PATCH, 2 H / PATCH); 0 where seen."""
    _, attention = network(panoramas, seen)
    entropy = -(attention * attention.clamp(min=1e-12).log()).sum(dim=3).sum(dim=1)
    unseen = entropy * ~seen_patches(seen)
    return unseen.unflatten(1, (seen.shape[1] // PATCH, seen.shape[2] // PATCH))
