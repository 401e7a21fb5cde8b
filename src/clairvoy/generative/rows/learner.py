"""One learning step of a generator of rows, and one of its discriminator; each with an optimizer of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from clairvoy.errors import SettingsError, above, at_least, between
from clairvoy.generative import losses
from clairvoy.generative.adversary import (
    AveragedLearner,
    discriminator_step,
    frozen,
    moving_average,
)
from clairvoy.generative.rows.given import Given


class RowGenerator(Protocol):
    """What a generator of rows must be able to do, besides being an `nn.Module`; `vae.RowVAE` is one.

    *Encoded* rows are what its network reads and what it imagines, (B, ...) floating point.

    Two things are optional, and `completing.CompletingVAE` can do both:

    - ``complete(rows, seen, noise=None)``: rows of data (B, ...) of which only the entries ``seen`` (B, ...) bool are to be
      trusted, with all others made up: the likeliest without ``noise``, else a draw. What is seen is given back as it was.
    - ``imagine(count, noise, given)``: new encoded rows that hold what a `given.Given` of as many rows says.
    """

    @property
    def last_layer(self) -> Tensor:
        """Weights that all that is imagined passes through last."""
        ...

    def encode(self, rows: Tensor) -> Tensor:
        """Rows of data, encoded."""
        ...

    def decode(self, encoded: Tensor) -> Tensor:
        """The other way."""
        ...

    def loss(self, encoded: Tensor, noise: torch.Generator) -> Tensor:
        """What is to be made small, (B,): how little each row is understood."""
        ...

    def imagine(self, count: int, noise: torch.Generator) -> Tensor:
        """New encoded rows; gradients pass."""
        ...

    def last_features(self, encoded: Tensor) -> Tensor:
        """What the discriminator looks at, (B, ...)."""
        ...


@dataclass(frozen=True)
class RowLearnerSettings:
    """How a generator of rows and its discriminator learn."""

    learning_rate: float = 2e-3
    """Of the generator."""
    discriminator_learning_rate: float = 1e-3
    """Of the discriminator."""
    weight_decay: float = 0.01
    """Decoupled (AdamW), of the generator."""
    gradient_clip: float = 1.0
    """Largest norm of the generator's gradient."""
    adversarial: float = 0.1
    """What the discriminator objects to, in units of the loss's gradient (see `losses.gradient_correction`)."""
    r1: float = 0.1
    """Gradient penalty of the discriminator."""
    judge_every: int = 2
    """The discriminator judges and learns at every n-th update."""
    average: float = 0.99
    """Decay of the moving average of the generator's weights, which is what is used."""

    def __post_init__(self) -> None:
        above(self, 0, "learning_rate", "discriminator_learning_rate", "gradient_clip")
        at_least(self, 1, "judge_every")
        at_least(self, 0, "weight_decay", "adversarial", "r1")
        between(self, 0, 1, "average")
        if self.average == 1:
            raise SettingsError(
                f"average is {self.average}; it must be below 1, or nothing learnt is ever used"
            )


class RowLearner(AveragedLearner):
    """Trains a `RowGenerator` and its discriminator, and keeps a moving average of the former.

    Parameters
    ----------
    generator
        A `RowGenerator` that is an `nn.Module`.
    discriminator
        Module from `last_features` to logits (B,).
    settings
        See `RowLearnerSettings`.
    seed
        Of the noise.
    given
        What the generated rows that are judged hold of the real rows (B, ...) of an update: the discriminator then learns
        whether a completion is real. None: nothing, they are imagined.
    """

    def __init__(
        self,
        generator: Any,
        discriminator: nn.Module,
        settings: RowLearnerSettings | None = None,
        seed: int = 0,
        given: Callable[[Tensor, torch.Generator], Given] | None = None,
    ) -> None:
        self.given = given
        self.generator, self.discriminator = generator, discriminator
        self.settings = settings or RowLearnerSettings()
        self.noise = torch.Generator().manual_seed(seed)
        self.optimizer = torch.optim.AdamW(
            generator.parameters(), lr=self.settings.learning_rate, weight_decay=self.settings.weight_decay
        )
        self.discriminator_optimizer = torch.optim.AdamW(
            discriminator.parameters(), lr=self.settings.discriminator_learning_rate, betas=(0.5, 0.99)
        )
        self.average = moving_average(generator, self.settings.average)
        self.update_count = 0

    def update(self, rows: Tensor) -> dict[str, float]:
        """Learn once from real rows (B, ...); gives each term's value by name."""
        settings, generator = self.settings, self.generator
        encoded = generator.encode(rows)
        total = loss = generator.loss(encoded, self.noise).mean()
        terms = {"loss": loss.detach()}
        fake = None
        if self.update_count % settings.judge_every == 0:
            with torch.set_grad_enabled(settings.adversarial > 0):
                fake = self._generated(rows)
            if settings.adversarial:
                with frozen(generator, self.discriminator):
                    objection = losses.adversarial_loss(self.discriminator(generator.last_features(fake)))
                ratio = losses.gradient_correction(loss, objection, generator.last_layer)
                terms["adversarial"] = objection.detach()
                total = loss + settings.adversarial * ratio * objection
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = nn.utils.clip_grad_norm_(generator.parameters(), settings.gradient_clip)
        if bool(torch.isfinite(norm)):
            self.optimizer.step()
        self.average.update_parameters(generator)
        if fake is not None:
            with torch.no_grad():
                judged = (generator.last_features(encoded), generator.last_features(fake))
            terms |= discriminator_step(
                self.discriminator_optimizer, self.discriminator, *judged, settings.r1
            ).terms
        self.update_count += 1
        return {name: float(value) for name, value in terms.items()}

    def _generated(self, rows: Tensor) -> Tensor:
        held = () if self.given is None else (self.given(rows, self.noise),)
        encoded: Tensor = self.generator.imagine(len(rows), self.noise, *held)
        return encoded

    @torch.no_grad()
    def judge(self, rows: Tensor) -> Tensor:
        """The discriminator's logit (B,) of each row: the log ratio of the densities of real and generated rows."""
        # The features that the head was trained on are the generator's own, not the average's.
        logits: Tensor = self.discriminator(self.generator.last_features(self.generator.encode(rows)))
        return logits

    @torch.no_grad()
    def surprise(self, rows: Tensor) -> Tensor:
        """How little the averaged generator understands each row, (B,): its loss."""
        loss: Tensor = self.averaged.loss(self.averaged.encode(rows), self.noise)
        return loss

    @torch.no_grad()
    def imagine(self, count: int) -> Tensor:
        """New rows (count, ...) of the averaged generator."""
        rows: Tensor = self.averaged.decode(self.averaged.imagine(count, self.noise))
        return rows
