"""`WorldScenario`: an environment whose transitions a generator learns, to give the agent more of them.

Agent to generator: the steps that the agent did, drawn by how little the generator understood them. Generator to agent:
rollouts from real states, chosen by the discriminator and admitted by tau, beside the real transitions of every batch
(Dyna, Sutton 1991; Janner et al., *When to Trust Your Model*, NeurIPS 2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from clairvoy.cotraining.loop import Feedback
from clairvoy.environments.replayed import Replayed
from clairvoy.errors import SettingsError
from clairvoy.generative.transitions.learner import TransitionLearner, end_shift
from clairvoy.generative.transitions.outcomes import Outcomes, are_stacked
from clairvoy.generative.transitions.tau import TransitionTau
from clairvoy.qlearning.dqn import DQN
from clairvoy.qlearning.encoders import network_for
from clairvoy.qlearning.environment import BatchedEnvironment, Step
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.mixed_history import HELD_OUT, MixedHistory
from clairvoy.qlearning.qnetwork import initialise
from clairvoy.qlearning.transitions import Transitions, joined
from clairvoy.qlearning.units import settle
from clairvoy.qlearning.worth import worth
from clairvoy.scenarios.world.generated_rollouts import Gate, RolloutSettings, roll_out
from clairvoy.scenarios.world.learnt_world import LearntWorld
from clairvoy.scenarios.world.settings import WorldSettings

CALIBRATED_ON = 1000
"""Steps held out that tau is fitted on, at most; the latest."""
LEAST_HELD_OUT = 16
"""Steps held out before tau is fitted at all."""
FIT_UNTIL = 20_000
"""Real steps after which scales are left as they are."""


class WorldScenario:
    """An environment, an agent, and a generator of the environment's transitions; for `cotrain`.

    Parameters
    ----------
    environment
        Any `BatchedEnvironment` that shows one thing: numbers, planes of bits, or stacked frames.
    settings
        See `WorldSettings`.
    network
        Q-network; None makes one that fits (`qlearning.encoders.network_for`).
    device
        Where networks lie.

    Raises
    ------
    SettingsError
        The environment shows several things at once; later, that it forbids actions.
    """

    def __init__(
        self,
        environment: BatchedEnvironment,
        settings: WorldSettings | None = None,
        *,
        network: nn.Module | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.settings, self.device = settings or WorldSettings(), torch.device(device)
        # One that cannot tell its state is resumed by playing its actions again.
        tells = hasattr(environment, "load_state_dict")
        self.environment: Any = environment if tells else Replayed(environment)
        specs = environment.observation_specs
        if len(specs) != 1:
            raise SettingsError(
                f"the environment shows {', '.join(specs)}; a generator of transitions takes one part: join them"
            )
        (self.name,) = specs
        seed = self.settings.seed
        if network is None:
            network = network_for(specs, environment.num_actions)
            initialise(network, torch.Generator().manual_seed(seed))
        self.agent = DQN(network, self.settings.agent, device)
        self.history = self._new_history(seed)
        self.tau, self.fitted_on = TransitionTau(), 0
        self.rng = torch.Generator().manual_seed(seed + 5)
        self.met_events = False
        """Whether the generator has seen `least_events`."""
        self.settled = 0
        """Steps that scales were last fitted to."""
        self.stacked: bool | None = None
        """Whether pictures are stacked frames, and no colours; None until there are steps to tell it by."""
        self.learner: TransitionLearner | None = None
        """Made as soon as the first real steps show what transitions are."""

    # What the loop asks for.

    def refresh(self, feedback: Feedback) -> dict[str, float]:
        """New generated transitions for the agent, by the generator and the agent of now."""
        learner, settings = self.learner, self.settings
        if learner is None or not self._generates(feedback) or not self._eventful():
            return {}
        if learner.update_count < settings.generate_after or len(self.history.held_out) < LEAST_HELD_OUT:
            return {}
        metrics = self._calibrate(learner)
        starts = self._starts(learner)
        gate: Gate = "open" if not feedback.gate else "shuffled" if settings.shuffled_gate else "judged"
        rules = RolloutSettings(settings.gamma, settings.horizon, gate, settings.least_tau)
        made = roll_out(self.learnt_world(), self._explore, starts, rules, self.rng)
        if made.transitions is not None:
            self.history.generated.add(made.transitions)
        # What is hardly ever admitted, or teaches little that is true, must not fill a batch all the same.
        true = metrics["generated/worth"] if feedback.gate else 1.0
        self.history.trust = (
            made.metrics["generated/admitted"] * true if true >= settings.least_worth else 0.0
        )
        return metrics | made.metrics

    def experience(self, step: Step, feedback: Feedback) -> None:
        """Tell agent and generator in what units numbers are.

        Each time that twice as much was seen as before; what the agent computes stays the same.
        """
        self.check_mask(
            step.final_action_mask & self.environment.action_mask().to(step.final_action_mask.device),
            feedback,
        )
        steps = self.history.steps
        if not self.settings.batch <= len(steps) < FIT_UNTIL or len(steps) < 2 * self.settled:
            return
        seen = steps.recent(len(steps))
        self.settled = len(steps)
        for network in self.agent.networks:
            settle(network, seen.observation)
        if self.learner is not None:
            self._fit(self.learner.outcomes, seen)

    def check_mask(self, mask: Tensor, feedback: Feedback) -> None:
        """Refuse environments that forbid actions, ``(N, A)`` bool: in a state made up, nobody knows which.

        Raises
        ------
        SettingsError
            Some action is not allowed, and the agent is to learn in what is made up.
        """
        if self._generates(feedback) and not bool(mask.all()):
            raise SettingsError(
                "the environment forbids actions in some states (its action_mask), and a generator of transitions cannot "
                "know them; let them do nothing, at a price, or switch generated_scenes off"
            )

    def learn_models(self, feedback: Feedback) -> dict[str, float]:
        """Some updates of the generator, and of the discriminator when it is its turn."""
        settings = self.settings
        if not self._generates(feedback) or len(self.history.steps) < settings.batch:
            return {}
        if self.learner is None:
            self.learner = self._new_learner(self.history.steps.recent(len(self.history.steps)))
        terms: dict[str, float] = {}
        for _ in range(settings.generator_updates):
            batch, place = self._lesson(feedback)
            learnt, surprise = self.learner.update(*self._encoded(self.learner, batch))
            if feedback.agent_to_generator:
                # The least understood are drawn most; none is ever out of reach.
                surprise = surprise[: len(place)].cpu()
                rank = surprise.argsort().argsort().double() / len(surprise)
                self.history.steps.set_priorities(place, rank.square() + 0.05)
            terms |= learnt
        return {f"generator/{name}": value for name, value in terms.items()}

    def finish(self) -> dict[str, float]:
        """The last calibration of tau, and how far off the one before was on steps that it had not seen."""
        if self.learner is None or len(self.history.held_out) < 2 * LEAST_HELD_OUT:
            return {}
        return self._calibrate(self.learner)

    def state_dict(self) -> dict[str, Any]:
        """Models, tau, random states; history and agent are the loop's to save."""
        return {
            "learner": None if self.learner is None else self.learner.state_dict(),
            "tau": self.tau.state_dict(),
            "fitted_on": self.fitted_on,
            "rng": self.rng.get_state(),
            "settled": self.settled,
            "met_events": self.met_events,
            "stacked": self.stacked,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.stacked = state["stacked"]
        if state["learner"] is not None:
            self.begin_learner().load_state_dict(state["learner"])
        self.tau.load_state_dict(state["tau"])
        self.fitted_on = state["fitted_on"]
        self.rng.set_state(state["rng"])
        self.settled, self.met_events = state["settled"], state["met_events"]

    def learnt_world(
        self, num_envs: int = 1, *, longest: int = 1000, noise: torch.Generator | None = None
    ) -> LearntWorld:
        """The world that the generator has learnt, as an environment; its episodes begin in states that were met.

        See `LearntWorld` for the parameters.

        Raises
        ------
        SettingsError
            The generator has seen nothing yet.
        """
        if self.learner is None:
            raise SettingsError("the generator has learnt nothing yet; let the scenario be trained first")
        specs, actions = self.environment.observation_specs, self.environment.num_actions
        return LearntWorld(
            self.learner, self.tau, specs, actions, self._met, num_envs, longest=longest, noise=noise
        )

    # How it is done.

    def _generates(self, feedback: Feedback) -> bool:
        return feedback.generated_scenes and self.settings.per_real > 0

    def _eventful(self) -> bool:
        """Whether enough has happened that a generator can know what matters in this world.

        One that has never seen an end or a reward would only teach that nothing ever happens, more convincingly than a
        few real steps can, and the agent would stop looking.
        """
        if not self.met_events:
            steps = self.history.steps.recent(len(self.history.steps))
            events = (steps.discount == 0) | (steps.reward != steps.reward.median())
            self.met_events = int(events.sum()) >= self.settings.least_events
        return self.met_events

    def _new_history(self, seed: int) -> MixedHistory:
        settings, environment = self.settings, self.environment

        def history(capacity: int, seed: int, n_step: int = 1, exponent: float = 0.6) -> History:
            return History(
                HistorySettings(capacity, n_step, settings.gamma, exponent),
                environment.num_envs,
                environment.num_actions,
                torch.Generator().manual_seed(seed),
            )

        generated = settings.rollouts * settings.horizon * settings.fresh
        return MixedHistory(
            history(settings.capacity, seed + 1, settings.n_step),
            history(settings.capacity, seed + 2, exponent=1.0),
            history(CALIBRATED_ON, seed + 3),
            history(generated, seed + 4),
            settings.per_real,
        )

    def _new_learner(self, steps: Transitions) -> TransitionLearner:
        seen, then = steps.observation[self.name], steps.next_observation[self.name]
        self.stacked = are_stacked(seen, then) if self.stacked is None else self.stacked
        outcomes = Outcomes(seen, then, steps.reward, self.stacked)
        return TransitionLearner(
            outcomes,
            self.environment.num_actions,
            self.settings.learner,
            self.settings.model,
            self.settings.seed,
            self.device,
        )

    def begin_learner(self) -> TransitionLearner:
        """Make generators and discriminator before there are steps, for weights and scales that come from elsewhere."""
        self.learner = self._new_learner(self._examples())
        return self.learner

    def _examples(self) -> Transitions:
        spec = self.environment.observation_specs[self.name]
        seen = torch.zeros(2, *spec.shape, dtype=spec.dtype)
        zeros = torch.zeros(2)
        return Transitions(
            {self.name: seen}, zeros.long(), zeros, zeros, {self.name: seen},
            torch.ones(2, self.environment.num_actions, dtype=torch.bool), zeros.to(torch.uint8), zeros,
        )  # fmt: skip

    def _fit(self, outcomes: Outcomes, steps: Transitions) -> None:
        steps = steps.to(self.device)
        outcomes.fit(steps.observation[self.name], steps.next_observation[self.name], steps.reward)

    def _lesson(self, feedback: Feedback) -> tuple[Transitions, Tensor]:
        """A batch for the generator, and where the first of it lie among the steps; the others are ends."""
        settings, history = self.settings, self.history
        # Rounded down: of a batch that is drawn by neither, something is left.
        ends = int(settings.batch * settings.ends) if len(history.ends) else 0
        hard = int(settings.batch * settings.surprising) if feedback.agent_to_generator else 0
        place = torch.randint(len(history.steps), (settings.batch - ends - hard,), generator=self.rng)
        if hard:
            chosen = history.steps.sample(hard).index
            assert chosen is not None
            place = torch.cat([place, chosen])
        batch = history.steps.at(place)
        if self.learner is not None:
            self.learner.end_shift = end_shift(history.end_rate, ends / settings.batch)
        if ends:
            which = torch.randint(len(history.ends), (ends,), generator=self.rng)
            batch = joined([batch, history.ends.at(which)])
        return batch, place

    def _met(self, count: int, rng: torch.Generator) -> Tensor:
        """States that the agent was in, each as likely."""
        steps = self.history.steps
        return steps.at(torch.randint(len(steps), (count,), generator=rng)).observation[self.name]

    def _starts(self, learner: TransitionLearner) -> Tensor:
        """Real states, or for numbers states around them: what nearly happened."""
        states = self._met(self.settings.rollouts, self.rng)
        if self.settings.widen == 0 or learner.outcomes.sight != "numbers":
            return states
        step = learner.outcomes.kind.spread[:-1].view(learner.outcomes.shape).cpu()
        return states + self.settings.widen * step * torch.randn(states.shape, generator=self.rng)

    def _explore(self, states: Tensor, number: int) -> Tensor:
        epsilon = 0.0 if number else self.settings.exploration
        return self.agent.act({self.name: states}, None, epsilon, self.rng).cpu()

    def _encoded(self, learner: TransitionLearner, steps: Transitions) -> tuple[Tensor, Tensor, Tensor]:
        """States, actions and outcomes of single steps, as the generator takes them."""
        steps = steps.to(self.device)
        state, then = steps.observation[self.name], steps.next_observation[self.name]
        outcome = learner.outcomes.encode(state, then, steps.reward, steps.discount == 0)
        return learner.outcomes.encode_state(state), steps.action, outcome

    def _calibrate(self, learner: TransitionLearner) -> dict[str, float]:
        """Fit tau on the steps held out; before that, tell how far off the fit so far is on those that it has not seen.

        On the same steps, what the agent would have learnt from the generator is compared with what it learns from them.
        """
        held = self.history.held_out.recent(CALIBRATED_ON)
        state, action, outcome = self._encoded(learner, held)
        made = learner.make(state, action)
        seen = held.observation[self.name].to(self.device)
        gap = learner.outcomes.gap(seen, made.outcome, outcome).cpu()
        then, reward, ended = learner.outcomes.decode(seen, made.outcome)
        discount = torch.where(ended, 0.0, self.settings.gamma)
        told = replace(
            held.to(self.device), next_observation={self.name: then}, reward=reward, discount=discount
        )
        metrics = {"tau/gap": float(gap.mean()), "generated/worth": worth(self.agent, held, told)}
        appended = self.history.appended // HELD_OUT
        new = min(len(held), (appended - self.fitted_on) * self.environment.num_envs)
        if self.tau.fitted and new:
            metrics["tau/off"] = float((1 - self.tau(made) - gap)[-new:].mean().abs())
        self.fitted_on = appended
        self.tau.fit(made, gap)
        return metrics
