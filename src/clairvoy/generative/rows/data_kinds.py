"""Kinds of data: numbers, bits and categories, and how likely each is under what a generator puts out.

A row of data (a vector, a grid, a picture, a line of a table) is *encoded* as a flat vector: its numbers standardised,
its bits as they are, each category one-hot. A generator puts out as many numbers: means, logits of bits, logits of
categories. `DataKind` knows the likelihood of the one under the other, draws, and goes back to rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clairvoy.errors import InputError, SettingsError

LEAST_LOG_SCALE = -4.0
"""A spread below exp(-4) of the data's own is not learnt: a likelihood without a bound would not end there."""


class DataKind(nn.Module):
    """Rows of one shape, of which each entry is a number, a bit or a category.

    Make one with `vectors`, `binary_grids`, `images` or `table`, or let `kind_of` choose.

    Parameters
    ----------
    real
        Real rows, (R, ...), R >= 2: their shape, type, mean and spread are those of the kind.
    categories
        For each entry of a row, in the order of its flattened form: 0 is a number, 1 a bit, k >= 2 one of the
        categories 0 to k - 1.
    picture
        Whether rows are pictures (C, H, W) in [0, 1], or uint8: then neighbours go together, and a draw is the mean.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, real: Tensor, categories: Sequence[int], *, picture: bool = False) -> None:
        super().__init__()
        if real.ndim < 2 or len(real) < 2 or not real[0].numel():
            raise InputError(
                f"the real data have shape {tuple(real.shape)}; give (R, ...) of at least 2 rows"
            )
        self.shape, self.dtype, self.picture = tuple(real.shape[1:]), real.dtype, picture
        if len(categories) != real[0].numel() or min(categories) < 0:
            raise SettingsError(
                f"categories has {len(categories)} entries for rows of {real[0].numel()}; give each entry 0 (number), "
                "1 (bit) or its number of categories"
            )
        kinds = torch.tensor(list(categories))
        self.numbers, self.bits = (kinds == 0).nonzero()[:, 0], (kinds == 1).nonzero()[:, 0]
        self.choices = [(int(place), int(kinds[place])) for place in (kinds > 1).nonzero()[:, 0]]
        self.width = len(self.numbers) + len(self.bits) + sum(count for _, count in self.choices)
        """Length of an encoded row, and of what a generator puts out for one."""
        self.entries = real[0].numel()
        """Numbers, bits and categories in a row."""
        flat = real.flatten(1).float()[:, self.numbers]
        self.register_buffer("mean", flat.mean(dim=0))
        spread = (flat - self.mean).square().mean(dim=0).sqrt()
        if picture:
            spread = spread.mean().expand_as(spread)
        self.register_buffer("spread", spread.clamp(min=1e-6).clone())
        self.log_scale = nn.Parameter(torch.zeros(len(self.numbers)))
        """Log of the noise's standard deviation for each number, in units of the data's own; learnt."""
        self.check(real)

    def check(self, rows: Tensor) -> None:
        """Refuse rows that are not of this kind.

        Raises
        ------
        InputError
            Another shape or type, a number that is not finite, a bit or category out of range.
        """
        if tuple(rows.shape[1:]) != self.shape or rows.dtype != self.dtype:
            raise InputError(
                f"rows are {tuple(rows.shape[1:])} of {rows.dtype}; the real data are {self.shape} of {self.dtype}"
            )
        flat = rows.flatten(1).float()
        if not bool(torch.isfinite(flat).all()):
            raise InputError("rows hold numbers that are not finite; leave such rows out")
        for place, count in [*((int(place), 2) for place in self.bits), *self.choices]:
            column = flat[:, place]
            if bool(((column < 0) | (column >= count) | (column != column.round())).any()):
                raise InputError(
                    f"entry {place} of a row is {column[(column < 0) | (column >= count) | (column != column.round())][0]}; "
                    f"it must be a whole number from 0 to {count - 1}"
                )

    def encode(self, rows: Tensor) -> Tensor:
        """Rows as vectors (B, width) float32."""
        if tuple(rows.shape[1:]) != self.shape:
            raise InputError(f"rows are {tuple(rows.shape[1:])}; the real data are {self.shape}")
        flat = rows.flatten(1).float()
        hot = [F.one_hot(flat[:, place].long(), count).float() for place, count in self.choices]
        return torch.cat([(flat[:, self.numbers] - self.mean) / self.spread, flat[:, self.bits], *hot], dim=1)

    def decode(self, encoded: Tensor) -> Tensor:
        """Rows (B, ...) of the data's own shape and type from vectors (B, width)."""
        flat = encoded.new_zeros(len(encoded), self.entries)
        numbers, bits, *hot = self._parts(encoded.detach())
        flat[:, self.numbers] = numbers * self.spread + self.mean
        flat[:, self.bits] = (bits > 0.5).float()
        for (place, _), part in zip(self.choices, hot, strict=True):
            flat[:, place] = part.argmax(dim=1).float()
        if self.picture:
            flat = flat.clamp(0, 1 if self.dtype.is_floating_point else 255)
        if not self.dtype.is_floating_point:
            flat = flat.round()
        return flat.reshape(-1, *self.shape).to(self.dtype)

    def by_number(self, entries: Tensor) -> Tensor:
        """Something said of each entry of rows, (B, ...), said of each number of encoded rows, (B, width) float32."""
        flat = entries.flatten(1).float()
        hot = [flat[:, place, None].expand(-1, count) for place, count in self.choices]
        return torch.cat([flat[:, self.numbers], flat[:, self.bits], *hot], dim=1)

    def likeliest(self, outputs: Tensor) -> Tensor:
        """Encoded rows (B, width) as they are expected: means, chances of bits and of categories."""
        mean, bit_logits, *logits = self._parts(outputs)
        return torch.cat([mean, torch.sigmoid(bit_logits), *(part.softmax(dim=1) for part in logits)], dim=1)

    def nats(self, outputs: Tensor, encoded: Tensor, counted: Tensor | None = None) -> Tensor:
        """Negative log-likelihood (B,) of encoded rows: Gaussian, Bernoulli and categorical, summed over a row.

        ``counted`` (B, width), of `by_number`, says how much each entry counts; all alike if not given.
        """
        counted = torch.ones_like(encoded) if counted is None else counted
        of_numbers, of_bits, *of_hot = self._parts(counted)
        mean, bit_logits, *logits = self._parts(outputs)
        numbers, bits, *hot = self._parts(encoded)
        log_scale = self.log_scale.clamp(min=LEAST_LOG_SCALE)
        gaussian = (
            0.5 * ((numbers - mean) / log_scale.exp()).square() + log_scale + 0.5 * math.log(2 * math.pi)
        )
        bernoulli = F.binary_cross_entropy_with_logits(bit_logits, bits, reduction="none")
        total = (of_numbers * gaussian).sum(dim=1) + (of_bits * bernoulli).sum(dim=1)
        for part, truth, counts in zip(logits, hot, of_hot, strict=True):
            total = total - (counts * truth * F.log_softmax(part, dim=1)).sum(dim=1)
        return total

    def draw(self, outputs: Tensor, noise: torch.Generator) -> Tensor:
        """Encoded rows (B, width) drawn from the likelihood; gradients pass.

        Bits and categories are drawn hard, and pass the gradient of their probabilities (straight through, Bengio,
        Leonard and Courville 2013): a discriminator must not tell a draw by its being soft.
        """

        def uniform(like: Tensor) -> Tensor:
            return torch.rand(like.shape, generator=noise).to(like.device)

        mean, bit_logits, *logits = self._parts(outputs)
        if not self.picture:
            scale = self.log_scale.clamp(min=LEAST_LOG_SCALE).exp()
            mean = mean + scale * torch.randn(mean.shape, generator=noise).to(mean.device)
        chance = torch.sigmoid(bit_logits)
        drawn = [mean, (uniform(chance) < chance).float() + chance - chance.detach()]
        for part in logits:
            # The largest of the logits with Gumbel noise is a draw from their softmax.
            gumbel = -torch.log(-torch.log(uniform(part).clamp(1e-9, 1 - 1e-7)))
            chosen = F.one_hot((part + gumbel).argmax(dim=1), part.shape[1]).float()
            chance = part.softmax(dim=1)
            drawn.append(chosen + chance - chance.detach())
        return torch.cat(drawn, dim=1)

    def _parts(self, vector: Tensor) -> tuple[Tensor, ...]:
        return vector.split([len(self.numbers), len(self.bits), *(count for _, count in self.choices)], dim=1)


def vectors(real: Tensor) -> DataKind:
    """Numbers, (R, ...) floating point."""
    return DataKind(real, [0] * real[0].numel())


def binary_grids(real: Tensor) -> DataKind:
    """Bits, (R, ...) of any type that holds 0 and 1."""
    return DataKind(real, [1] * real[0].numel())


def images(real: Tensor) -> DataKind:
    """Pictures (R, C, H, W), in [0, 1] or uint8; H and W multiples of 4.

    Raises
    ------
    InputError
        Another shape.
    """
    if real.ndim != 4 or real.shape[2] % 4 or real.shape[3] % 4:
        raise InputError(
            f"pictures have shape {tuple(real.shape)}; give (R, C, H, W), H and W multiples of 4"
        )
    return DataKind(real, [0] * real[0].numel(), picture=True)


def table(real: Tensor, categories: Sequence[int]) -> DataKind:
    """Lines of a table, (R, columns); of each column the number of its categories, 0 for numbers, 1 for bits."""
    return DataKind(real, categories)


def kind_of(real: Tensor) -> DataKind:
    """The kind that the type and shape of the real data suggest.

    bool: binary grids. uint8 (R, C, H, W): pictures. Floating point (R, C, H, W) in [0, 1], C of 1 or 3: pictures.
    int64 (R, columns): a table of categories. Other floating point: vectors.

    Raises
    ------
    InputError
        Anything else: say it, with one of the functions here.
    """
    if real.dtype == torch.bool:
        return binary_grids(real)
    pictures = real.ndim == 4 and real.shape[1] in (1, 3) and not (real.shape[2] % 4 or real.shape[3] % 4)
    if pictures and (
        real.dtype == torch.uint8 or (real.is_floating_point() and real.min() >= 0 and real.max() <= 1)
    ):
        return images(real)
    if real.is_floating_point():
        return vectors(real)
    if real.dtype == torch.int64 and real.ndim == 2 and len(real) and int(real.min()) >= 0:
        # A column that is always 0 still has the category that it never is.
        return table(real, [max(2, int(most) + 1) for most in real.amax(dim=0)])
    raise InputError(
        f"the real data are {tuple(real.shape)} of {real.dtype}, which could be several things; hand in kind=, made by "
        "vectors, binary_grids, images or table of clairvoy.generative.rows.data_kinds"
    )
