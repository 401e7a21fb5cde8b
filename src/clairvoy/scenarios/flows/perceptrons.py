"""Many small perceptrons at once: one product of matrices for all of them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Perceptrons(nn.Module):
    """K perceptrons of two hidden layers, normalised, each with weights of its own.

    Parameters
    ----------
    numbers
        Width of what is put in.
    width
        Of the hidden layers.
    outputs
        C.
    sees
        Which of the numbers each of them sees, (K, numbers) of 0 and 1.
    """

    sees: Tensor

    def __init__(self, numbers: int, width: int, outputs: int, sees: Tensor) -> None:
        super().__init__()
        self.register_buffer("sees", sees)
        sizes = [(numbers, width), (width, width), (width, outputs)]
        self.weights = nn.ParameterList(
            # As `nn.Linear` begins: uniform, within one over the root of what comes in.
            (2 * torch.rand(len(sees), come, go) - 1) / come**0.5
            for come, go in sizes
        )
        self.biases = nn.ParameterList(torch.zeros(len(sees), 1, go) for _, go in sizes)

    def forward(self, rows: Tensor) -> Tensor:
        """What each gives for rows (B, numbers), or (K, B, numbers) of its own: (K, B, C)."""
        first = self.weights[0] * self.sees[:, :, None]
        now = torch.matmul(rows, first) + self.biases[0]
        for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            now = torch.baddbmm(bias, F.silu(F.layer_norm(now, now.shape[-1:])), weight)
        return now
