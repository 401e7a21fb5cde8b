"""An ensemble of `TransitionVAE`, its discriminator, and how both learn; each with an optimizer of its own."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from clairvoy.errors import above, at_least
from clairvoy.generative import losses
from clairvoy.generative.adversary import discriminator_step, frozen
from clairvoy.generative.rows.data_kinds import LEAST_LOG_SCALE
from clairvoy.generative.transitions.outcomes import Outcomes
from clairvoy.generative.transitions.vae import (
    TransitionDiscriminator,
    TransitionVAE,
    TransitionVAESettings,
)


@dataclass(frozen=True)
class TransitionLearnerSettings:
    """How generators of transitions and their discriminator learn."""

    members: int = 3
    """Generators in the ensemble; where they disagree, they have not seen enough."""
    learning_rate: float = 1e-3
    """Of the generators."""
    noise_learning_rate: float = 1e-2
    """Of the noise that is drawn around predicted numbers: it has a longer way to go, from 1 to 0.02, than a weight."""
    discriminator_learning_rate: float = 1e-3
    """Of the discriminator, which learns at every update from samples drawn then."""
    gradient_clip: float = 10.0
    """Largest norm of the generators' gradient."""
    adversarial: float = 0.05
    """What the discriminator objects to, in units of the loss's gradient (see `losses.gradient_correction`)."""
    r1: float = 0.1
    """Gradient penalty of the discriminator."""
    judge_every: int = 4
    """The discriminator objects to one member, and is held smooth, at every n-th update, the members in turns."""
    candidates: int = 4
    """Outcomes drawn for each that is made; the discriminator chooses among those that end, or go on, as the first does. 1
    leaves the generator alone."""

    def __post_init__(self) -> None:
        above(self, 0, "learning_rate", "noise_learning_rate", "discriminator_learning_rate", "gradient_clip")
        at_least(self, 1, "members", "judge_every", "candidates")
        at_least(self, 0, "adversarial", "r1")


class Made(NamedTuple):
    """Generated outcomes, encoded, and the signs by which to trust them."""

    outcome: Tensor
    """(B, kind.width), each drawn from one member, and chosen among such draws by the discriminator."""
    spread: Tensor
    """How far the members' predictions lie apart, (B,): the mean over an outcome's entries of their deviation."""
    doubt: Tensor
    """What the members leave to chance in bits, (B,): the mean of p (1 - p) over an outcome's bits."""
    logit: Tensor
    """The discriminator's logit, (B,): the log ratio of the densities of real and generated transitions."""


class TransitionLearner:
    """Trains generators of transitions and their discriminator, and draws from them.

    Parameters
    ----------
    outcomes
        How states and outcomes are encoded.
    num_actions
        Number of actions A.
    settings, model
        See `TransitionLearnerSettings` and `TransitionVAESettings`.
    seed
        Of the weights and of the noise.
    device
        Where all lie.
    """

    def __init__(
        self,
        outcomes: Outcomes,
        num_actions: int,
        settings: TransitionLearnerSettings | None = None,
        model: TransitionVAESettings | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        self.settings, self.outcomes = settings or TransitionLearnerSettings(), outcomes
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self._each = [TransitionVAE(outcomes, num_actions, model) for _ in range(self.settings.members)]
            self.members = nn.ModuleList(self._each)
            self.discriminator = TransitionDiscriminator(outcomes, num_actions, model)
        self.device = torch.device(device)
        for part in (self.members, self.discriminator, self.outcomes):
            part.to(self.device)
        self.noise = torch.Generator().manual_seed(seed)
        members, scales = list(self.members.parameters()), list(self.outcomes.kind.parameters())
        self.parameters = [*members, *scales]
        groups: list[dict[str, Any]] = [
            {"params": members},
            {"params": scales, "lr": self.settings.noise_learning_rate},
        ]
        self.optimizer = torch.optim.Adam(groups, lr=self.settings.learning_rate, fused=True)
        self.discriminator_optimizer = torch.optim.Adam(
            self.discriminator.parameters(), lr=self.settings.discriminator_learning_rate, betas=(0.5, 0.99)
        )
        self.update_count = 0
        self.end_shift = 0.0
        """Log odds by which ends come more often in what it learns from than in the world; taken off what it says."""

    def update(self, state: Tensor, action: Tensor, outcome: Tensor) -> tuple[dict[str, float], Tensor]:
        """Learn once from real transitions; gives each term's value by name, and the loss of each transition (B,).

        `state` as `Outcomes.encode_state` gives it, `action` (B,) int64, `outcome` as `Outcomes.encode` gives it.
        """
        settings = self.settings
        each = torch.stack([member.loss(state, action, outcome, self.noise) for member in self._each])
        total = each.mean()
        terms = {"loss": total.detach()}
        member = self._each[self.update_count // settings.judge_every % len(self._each)]
        turn = self.update_count % settings.judge_every == 0
        objects = turn and settings.adversarial > 0
        with torch.set_grad_enabled(objects):
            fake = self.outcomes.draw(member.predict(state, action, self.noise), self.noise)
        expected = self._expected(state, action)
        if objects:
            with frozen(self.discriminator):
                objection = losses.adversarial_loss(self._judge(state, action, fake, expected))
            ratio = losses.gradient_correction(total, objection, member.last_layer)
            terms["adversarial"] = objection.detach()
            total = total + settings.adversarial * ratio * objection
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = nn.utils.clip_grad_norm_(self.parameters, settings.gradient_clip)
        if bool(torch.isfinite(norm)):
            self.optimizer.step()
            # Below its bound the noise would have no gradient, and never grow again.
            self.outcomes.kind.log_scale.data.clamp_(min=LEAST_LOG_SCALE)

        # The penalty counts for the updates that leave it out (Karras et al., StyleGAN2, CVPR 2020, section 3.1), and it is
        # one on both things that are looked at: a distance grows fifty times faster than the outcome that it is one of.
        def logits_of(seen: Tensor) -> Tensor:
            logits: Tensor = self.discriminator(state, action, *seen.chunk(2, dim=1))
            return logits

        real, made = (
            torch.cat([one, self.outcomes.distance(one, expected)], dim=1) for one in (outcome, fake.detach())
        )
        r1 = settings.r1 * settings.judge_every if turn else 0.0
        terms |= discriminator_step(self.discriminator_optimizer, logits_of, real, made, r1).terms
        self.update_count += 1
        return {name: float(value) for name, value in terms.items()}, each.detach().mean(dim=0)

    @torch.no_grad()
    def make(self, state: Tensor, action: Tensor, noise: torch.Generator | None = None) -> Made:
        """Draw what follows encoded states (B, ...) and actions (B,), each from a member chosen by chance.

        Of several such draws one is chosen with probability in proportion to the ratio of densities that the discriminator
        tells: sampling and importance resampling (Rubin 1987), by which the world's own chances stay and the generator's
        mistakes do not. `noise` decides what chance does; None takes the learner's own, and so changes what it learns next.
        """
        noise, candidates = noise or self.noise, self.settings.candidates
        outputs = torch.stack([member.predict(state, action, noise) for member in self._each])
        # The correction of a logistic model for the share of rare cases in its sample (King and Zeng, Logistic
        # Regression in Rare Events Data, 2001, eq. 7): what is sure stays sure, what is chance gets its true odds.
        outputs[..., -1] -= self.end_shift
        kind = self.outcomes.kind
        numbers = len(kind.numbers)
        means = torch.cat([outputs[..., :numbers], torch.sigmoid(outputs[..., numbers:])], dim=2)
        spread = (means - means.mean(dim=0)).square().mean(dim=0).sqrt().mean(dim=1)
        chance = means[..., numbers:].mean(dim=0)
        doubt = (chance * (1 - chance)).mean(dim=1)
        count, rows = len(state), torch.arange(len(state)).repeat(candidates)
        chosen = torch.randint(len(outputs), (candidates * count,), generator=noise).to(self.device)
        drawn = self.outcomes.draw(outputs[chosen, rows], noise)
        expected = self._expected(state, action)
        logit = self._judge(state[rows], action[rows], drawn, expected[rows]).view(candidates, count)
        if candidates == 1:
            return Made(drawn, spread, doubt, logit[0])
        # Whether it ends stays as it was drawn first: too few ends are seen to judge their odds, and a wrong one costs most.
        ended = drawn.view(candidates, count, -1)[..., -1] > 0.5
        logit = logit.nan_to_num(-1e4).masked_fill(ended != ended[0], -torch.inf)
        # The largest of log weights with Gumbel noise is a draw in proportion to the weights.
        uniform = torch.rand(logit.shape, generator=noise).to(self.device).clamp(1e-9, 1 - 1e-7)
        best = (logit - torch.log(-torch.log(uniform))).argmax(dim=0)
        each = torch.arange(count)
        return Made(drawn.view(candidates, count, -1)[best, each], spread, doubt, logit[best, each])

    @torch.no_grad()
    def judge(self, state: Tensor, action: Tensor, outcome: Tensor) -> Tensor:
        """The discriminator's logit (B,) of encoded transitions."""
        return self._judge(state, action, outcome, self._expected(state, action))

    @torch.no_grad()
    def _expected(self, state: Tensor, action: Tensor) -> Tensor:
        return torch.stack([member.expect(state, action) for member in self._each]).mean(dim=0)

    def _judge(self, state: Tensor, action: Tensor, outcome: Tensor, expected: Tensor) -> Tensor:
        logits: Tensor = self.discriminator(state, action, outcome, self.outcomes.distance(outcome, expected))
        return logits

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next update depends on: copies, untouched by later updates."""
        parts = ("outcomes", "members", "discriminator", "optimizer", "discriminator_optimizer")
        state = {name: copy.deepcopy(getattr(self, name).state_dict()) for name in parts}
        return state | {
            "update_count": self.update_count,
            "noise": self.noise.get_state(),
            "end_shift": self.end_shift,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        for name in ("outcomes", "members", "discriminator", "optimizer", "discriminator_optimizer"):
            getattr(self, name).load_state_dict(copy.deepcopy(state[name]))
        self.update_count, self.end_shift = state["update_count"], state["end_shift"]
        self.noise.set_state(state["noise"])


def end_shift(rate: float, share: float) -> float:
    """How much the log odds of an end grow where a share of a batch is drawn from ends alone."""
    drawn = share + (1 - share) * rate
    return math.log(drawn / (1 - drawn)) - math.log(rate / (1 - rate))
