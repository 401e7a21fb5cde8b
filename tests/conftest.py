"""What tests of several rooms share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def untrained_weights(tmp_path_factory) -> Path:
    """A small dehazer that learnt nothing, with its graphs: whatever the numbers are, all engines make the same of them."""
    import torch

    from clairvoy.generative.density.vae import VAESettings
    from clairvoy.releasing.parts import Parts
    from clairvoy.releasing.save import save_weights

    torch.manual_seed(0)
    parts = Parts.new(VAESettings(width=8, latent=4))
    with torch.no_grad():  # the field tells places apart, so that haze differs from place to place
        parts.generator.decoder.last.weight.mul_(100)
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    save_weights(path, parts)
    return path
