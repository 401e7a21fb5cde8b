"""How different two pictures look: SqueezeNet features, the LPIPS distance and a training loss made from it.

Source: Zhang, Isola, Efros, Shechtman, Wang, "The Unreasonable Effectiveness of Deep Features as a Perceptual
Metric", CVPR 2018, section 3, in its "lin" form, version 0.1, on SqueezeNet 1.1 (Iandola et al. 2016). The
weights are shipped with the package (``weights/squeezenet1_1.md``), so nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

import torch
from safetensors.torch import load
from torch import Tensor, nn

from clairvoy.errors import InputError, SettingsError, WeightsError

WEIGHTS_NAME = "squeezenet1_1.safetensors"
TAP_CHANNELS = (64, 128, 256, 384, 384, 512, 512)
_TAP_AFTER = (1, 4, 7, 9, 10, 11, 12)  # index of the layer whose output is the tap
MIN_SIDE = 17
"""Smallest height and width in pixels for which the deepest tap still has one cell."""

# The original takes [-1, 1] and states shift (-.030, -.088, -.188) and scale (.458, .448, .450); carried
# over to [0, 1], (1 + shift) / 2 and scale / 2, these are the ImageNet mean and deviation.
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


class Fire(nn.Module):
    """SqueezeNet's block: squeeze to few channels, expand with 1x1 and with 3x3 kernels, concatenate."""

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, kernel_size=1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, kernel_size=1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, h, w) to (B, 2 * expanded, h, w)."""
        x = self.squeeze(x).relu()
        return torch.cat((self.expand1x1(x).relu(), self.expand3x3(x).relu()), dim=1)


class SqueezeFeatures(nn.Module):
    """Frozen SqueezeNet 1.1, tapped at the seven places that LPIPS looks at, and LPIPS's channel weights.

    Parameters
    ----------
    pretrained
        Load the shipped weights. Without them the network is random and serves tests only.

    Raises
    ------
    WeightsError
        The shipped file is missing or is not the one that belongs here: install the package again.

    Notes
    -----
    Parameters need no gradient; gradients flow through to the pictures. Weights are stored in float16 and
    used in float32.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, pretrained: bool = True) -> None:
        super().__init__()
        self.features = nn.Sequential(  # indices are part of the weights' names
            nn.Conv2d(3, 64, kernel_size=3, stride=2),
            nn.ReLU(),
            _pool(),
            Fire(64, 16, 64),
            Fire(128, 16, 64),
            _pool(),
            Fire(128, 32, 128),
            Fire(256, 32, 128),
            _pool(),
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            Fire(512, 64, 256),
        )
        self.heads = nn.ParameterList(torch.ones(channels) for channels in TAP_CHANNELS)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)
        if pretrained:
            self.load_state_dict({name: value.float() for name, value in stored_weights().items()})
        self.requires_grad_(False)
        self.eval()

    def forward(self, rgb: Tensor, last: int = len(TAP_CHANNELS) - 1) -> list[Tensor]:
        """Feature maps of pictures at taps 0 to ``last``.

        Parameters
        ----------
        rgb
            (B, 3, H, W) in [0, 1], sides of at least ``MIN_SIDE``.
        last
            Deepest tap that is wanted, 0 to 6. Layers after it are not run.

        Returns
        -------
        list of Tensor
            Tap ``k`` is (B, TAP_CHANNELS[k], h_k, w_k), not negative.

        Raises
        ------
        InputError
            ``rgb`` is not a batch of colour pictures, or they are too small.
        """
        if rgb.ndim != 4 or rgb.shape[1] != 3 or min(rgb.shape[2:]) < MIN_SIDE:
            raise InputError(
                f"perceptual features need (B, 3, H, W) with sides of at least {MIN_SIDE} pixels, "
                f"got {tuple(rgb.shape)}: add the batch axis, or enlarge the picture first"
            )
        x = (rgb - self.mean) / self.std
        taps = []
        for index, layer in enumerate(self.features.children()):
            if index > _TAP_AFTER[last]:
                break
            x = layer(x)
            if index in _TAP_AFTER:
                taps.append(x)
        return taps

    def distances(self, a: Tensor, b: Tensor, taps: Sequence[int]) -> Tensor:
        """LPIPS's distance at each of ``taps``: (len(taps), B). Equation 1 of the paper, term by term."""
        if not taps or not all(0 <= tap < len(TAP_CHANNELS) for tap in taps):
            raise SettingsError(f"taps must be some of 0 to {len(TAP_CHANNELS) - 1}, got {tuple(taps)}")
        if a.shape != b.shape:
            raise InputError(f"pictures to compare differ in shape: {tuple(a.shape)} and {tuple(b.shape)}")
        features_a, features_b = self(a, max(taps)), self(b, max(taps))
        return torch.stack([_distance(features_a[k], features_b[k], self.heads[k]) for k in taps])

    def lpips(self, a: Tensor, b: Tensor) -> Tensor:
        """LPIPS (squeeze, lin, v0.1) of two batches: (B,), 0 for equal pictures, larger the more they differ.

        Parameters
        ----------
        a, b
            (B, 3, H, W) in [0, 1].

        Raises
        ------
        InputError
            The shapes differ, are not (B, 3, H, W), or a side is shorter than ``MIN_SIDE``.
        """
        return self.distances(a, b, range(len(TAP_CHANNELS))).sum(dim=0)


def perceptual_loss(
    features: SqueezeFeatures, a: Tensor, b: Tensor, taps: Sequence[int] = (0, 1, 2)
) -> Tensor:
    """LPIPS restricted to some taps, averaged over the batch: a scalar to minimise.

    Shallow taps (the default) speak of edges and texture; layers after the deepest tap are not run. With all
    seven taps this is the mean of ``features.lpips(a, b)``.

    Parameters
    ----------
    features
        The frozen network, shared by all calls.
    a, b
        (B, 3, H, W) in [0, 1]; gradients reach whichever needs them.
    taps
        Some of 0 to 6.

    Raises
    ------
    InputError
        As for :meth:`SqueezeFeatures.lpips`.
    SettingsError
        No taps, or a tap that does not exist.
    """
    return features.distances(a, b, taps).sum(dim=0).mean()


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)


def _distance(a: Tensor, b: Tensor, head: Tensor) -> Tensor:
    """Weighted squared difference of the features as unit vectors, averaged over the map: (B,)."""
    difference = _unit(a) - _unit(b)
    return torch.einsum("bchw,c->bhw", difference.square(), head).mean(dim=(1, 2))


def _unit(x: Tensor) -> Tensor:
    # vector_norm has gradient 0 at 0; sqrt(sum of squares) has a NaN there, and dead cells do occur.
    return x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + 1e-10)


def stored_weights() -> dict[str, Tensor]:
    """The shipped weights as they are kept, without the graph that the runtime has beside them.

    Raises
    ------
    WeightsError
        See `SqueezeFeatures`.
    """
    file = files("clairvoy.weights") / WEIGHTS_NAME
    try:
        stored = load(file.read_bytes())
    except Exception as error:
        raise WeightsError(
            f"{file}: the shipped weights cannot be read ({error}); install clairvoy again"
        ) from error
    return {name: value for name, value in stored.items() if not name.startswith("graph.")}
