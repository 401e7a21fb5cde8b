"""`Scenario`: your own environment and data, put together for `cotrain`; everything else has a default.

Agent to generator: rows that the agent met, drawn by how little the generator understood them. Generator to agent:
rows that it made and the discriminator admitted, as scenes to play in or as transitions in the history, and what both
believe of each scene.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from clairvoy.cotraining.loop import Feedback
from clairvoy.environments.handed_in import as_environment
from clairvoy.errors import InputError, SettingsError, at_least, between
from clairvoy.generative.adversary import accept
from clairvoy.generative.rows.data_kinds import DataKind, kind_of
from clairvoy.generative.rows.learner import RowLearner, RowLearnerSettings
from clairvoy.generative.rows.snapshot import Snapshot
from clairvoy.generative.rows.vae import RowDiscriminator, RowVAE
from clairvoy.qlearning.dqn import DQN, DQNSettings
from clairvoy.qlearning.encoders import network_for
from clairvoy.qlearning.environment import Step
from clairvoy.qlearning.history import History, HistorySettings
from clairvoy.qlearning.transitions import GENERATED, REAL, Transitions
from clairvoy.qlearning.units import Settling
from clairvoy.scenarios.own.met_rows import MetRows
from clairvoy.scenarios.own.parts import (
    as_rows,
    as_weights,
    check_agent,
    check_generator,
    check_transitions,
    first_steps,
    takes_scenes,
)
from clairvoy.scenarios.own.scene_environment import scenes_acted_in


@dataclass(frozen=True)
class ScenarioSettings:
    """Sizes of a co-training."""

    batch: int = 64
    """Rows in a batch of the generator."""
    from_agent: float = 0.25
    """Part of them that come from what the agent met."""
    remembered: int = 2048
    """Rows kept of what the agent met."""
    scenes: int = 256
    """Scenes that episodes are drawn from at a time."""
    generated: float = 0.25
    """Part of them that the generator makes; or, without scenes, rows as a part of `scenes` that become transitions."""
    generate_after: int = 100
    """Updates of the generator before the agent meets anything of it."""
    num_envs: int = 32
    """Environments side by side, where the environment is given by name."""
    seed: int = 0
    """Of everything but the agent's exploration."""
    learner: RowLearnerSettings = field(default_factory=RowLearnerSettings)
    """How generator and discriminator learn."""
    agent: DQNSettings = field(default_factory=lambda: DQNSettings(learning_rate=1e-3))
    """How the agent learns."""
    history: HistorySettings | None = None
    """Of the agent; None: three rewards in a transition, or one where transitions become data."""

    def __post_init__(self) -> None:
        at_least(self, 2, "batch", "remembered", "scenes", "num_envs")
        between(self, 0, 1, "from_agent", "generated")


class Scenario:
    """A `CotrainableScenario` made of parts that you hand in.

    Parameters
    ----------
    environment
        A batched environment (`SceneEnvironment`, or any `BatchedEnvironment`), a Gymnasium vector environment, or
        the id of one of Gymnasium's.
    real
        The real data, rows (R, ...) of one shape: a tensor, an array or a list.
    kind
        What an entry of a row is; by default what `data_kinds.kind_of` makes of ``real``.
    generator
        A module that is a `RowGenerator`; by default a `RowVAE`.
    discriminator
        A module from the generator's last features to logits (B,); by default a `RowDiscriminator`.
    network
        Module from an observation to Q-values (N, A); by default a perceptron with dueling heads.
    history_to_data
        From one-step transitions of the environment to rows, which the generator then learns from. Not needed with
        an environment of scenes: there the scenes met are.
    data_to_history
        From generated rows to transitions, which the agent then learns from; their provenance and tau are put in here.
        Not needed with an environment of scenes: there the agent plays in the rows.
    weights
        How often each real row is drawn, in proportion, (R,) at or above 0; None draws all alike.
    settings
        See `ScenarioSettings`.
    device
        Where the networks compute.

    Raises
    ------
    SettingsError
        A part is missing, or cannot do what is asked of it.
    InputError
        A shape does not fit.
    """

    def __init__(
        self,
        environment: Any,
        real: Any,
        *,
        kind: DataKind | None = None,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        network: nn.Module | None = None,
        history_to_data: Callable[[Transitions], Tensor] | None = None,
        data_to_history: Callable[[Tensor], Transitions] | None = None,
        weights: Any = None,
        settings: ScenarioSettings | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.settings, self.device = settings or ScenarioSettings(), torch.device(device)
        self.real = real = as_rows(real)
        self.weights = None if weights is None else as_weights(weights, len(real))
        seed = self.settings.seed
        self.environment = as_environment(environment, self.settings.num_envs)
        self.history_to_data, self.data_to_history = history_to_data, data_to_history
        self.plays_scenes = takes_scenes(self.environment, real)
        if not self.plays_scenes and history_to_data is None and data_to_history is None:
            raise SettingsError(
                "nothing joins environment and data: give an environment that takes scenes (SceneEnvironment), or "
                "history_to_data, data_to_history, or both"
            )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.kind = kind or kind_of(real)
            self.kind.check(real)
            self.generator: Any = generator if generator is not None else RowVAE(self.kind)
            self.generator.cpu()  # tried beside the data, wherever it was trained before
            features = check_generator(self.generator, real[:2])
            self.discriminator = (discriminator or RowDiscriminator(features.shape[1])).cpu()
            network = network or network_for(self.environment.observation_specs, self.environment.num_actions)
        logits = self.discriminator(features)
        if logits.shape != (2,):
            raise InputError(
                f"the discriminator gives {tuple(logits.shape)} for 2 rows; one logit each is (2,)"
            )
        check_agent(network, self.environment)
        self.generator.to(self.device)
        self.discriminator.to(self.device)
        self.learner = RowLearner(self.generator, self.discriminator, self.settings.learner, seed)
        self.agent = DQN(network, self.settings.agent, self.device)
        history = self.settings.history or HistorySettings(n_step=3 if history_to_data is None else 1)
        if history_to_data is not None and history.n_step != 1:
            raise SettingsError(
                f"n_step is {history.n_step}; history_to_data takes transitions of one step, so it must be 1"
            )
        self.history = History(
            history,
            self.environment.num_envs,
            self.environment.num_actions,
            torch.Generator().manual_seed(seed + 1),
        )
        self._try_passages()
        self.rng = torch.Generator().manual_seed(seed + 2)
        self.met = MetRows(real, self.settings.remembered)
        self.settling = Settling()
        self.snapshot: Snapshot | None = getattr(self.environment, "snapshot", None)
        """What rules ask of the generator: it stands still between two refreshes."""
        self.take_snapshot()

    def take_snapshot(self) -> None:
        """Let the environment's rules see generator and discriminator as they are now, if they ask for them."""
        if self.snapshot is not None:
            self.snapshot.take(self.learner)

    def _try_passages(self) -> None:
        """Act once everywhere, and turn what came of it into data, and data into history, before it matters."""
        self._like = first_steps(self.environment)
        if self.history_to_data is not None:
            self._as_data(self._like)
        if self.data_to_history is not None:
            made = self.data_to_history(self.real[:2].clone())
            check_transitions(made, 2, self._like, self.environment.num_actions)

    # What the loop asks for.

    def refresh(self, feedback: Feedback) -> dict[str, float]:
        """New scenes for the agent, or new transitions: a part of them made by the generator and admitted."""
        settings = self.settings
        metrics: dict[str, float] = {}
        self.take_snapshot()
        self.met.weigh_again(self._surprise)
        made = torch.zeros(0, *self.real.shape[1:], dtype=self.real.dtype)
        if feedback.generated_scenes and self.learner.update_count >= settings.generate_after:
            made, metrics = self._make(round(settings.scenes * settings.generated), feedback.gate)
        if self.plays_scenes:
            real = self._real(settings.scenes - len(made))
            self.play_in(torch.cat([made, real]), len(made), feedback.beliefs)
        if self.data_to_history is not None and len(made):
            self._remember(made, self.data_to_history)
        return metrics

    def experience(self, step: Step, feedback: Feedback) -> None:
        """Note what the agent met, how little the generator understood it, and in what units numbers are."""
        self.settling.from_history(self.agent.networks, self.history)
        if self.history_to_data is not None:
            begun = 0 if step.begun is None else int(step.begun.sum())
            last = self.history.recent(self.environment.num_envs - begun)
            rows = self._as_data(last.rows((last.provenance == REAL).nonzero()[:, 0]))
        elif self.plays_scenes:
            rows = scenes_acted_in(step)
        else:
            return
        if len(rows):
            self.met.add(rows, self._surprise(rows))

    def learn_models(self, feedback: Feedback) -> dict[str, float]:
        """One update, on real rows and on rows that the agent met."""
        settings = self.settings
        met = round(settings.batch * settings.from_agent) if feedback.agent_to_generator else 0
        met = met if len(self.met) else 0
        rows = self._real(settings.batch - met)
        if met:
            rows = torch.cat([rows, self.met.draw(met, self.rng)])
        return {
            f"generator/{name}": value for name, value in self.learner.update(rows.to(self.device)).items()
        }

    def finish(self) -> dict[str, float]:
        """The averaged weights become the generator's, and the target's the agent's: the last iterate is luck."""
        self.generator.load_state_dict(self.learner.averaged.state_dict())
        self.agent.network.load_state_dict(self.agent.target.state_dict())
        self.take_snapshot()
        return {"generator/loss_on_real": float(self._surprise(self._real(self.settings.scenes)).mean())}

    def sample(self, count: int, gate: bool = True) -> Tensor:
        """Rows (count, ...) made by the generator, with `gate` only such as the discriminator admits.

        Raises
        ------
        InputError
            The discriminator admits next to none: the generator has not learnt enough.
        """
        made = self._make(count, gate)[0]
        for _ in range(50):
            if len(made) >= count:
                return made[:count]
            made = torch.cat([made, self._make(count, gate)[0]])
        raise InputError(
            "the discriminator admits next to nothing: train for longer, or sample with gate=False"
        )

    def play_in(self, rows: Tensor, made: int = 0, beliefs: bool = True) -> None:
        """Let the next episodes begin in rows (R, ...), the first `made` of them generated: to train, or to evaluate.

        With `beliefs` the agent is given what generator and discriminator believe of each; `scene_environment.BELIEF`.
        """
        real = torch.arange(len(rows)) >= made
        believed = torch.sigmoid(self.learner.judge(rows.to(self.device))).cpu()
        surprise = self._surprise(rows)
        known = surprise[real] if bool(real.any()) else surprise
        understood = torch.sigmoid((known.mean() - surprise) / known.std(correction=0).clamp(min=1e-6))
        belief = torch.stack([understood, believed], dim=1)
        self.environment.set_scenes(
            rows,
            torch.where(real, REAL, GENERATED).to(torch.uint8),
            torch.where(real, 1.0, believed),
            belief if beliefs else torch.zeros_like(belief),
        )

    def state_dict(self) -> dict[str, Any]:
        """Models, rows met and random states; the environment's is saved beside it."""
        return {
            "learner": self.learner.state_dict(),
            "met": self.met.state_dict(),
            "rng": self.rng.get_state(),
            "settled": self.settling.settled,
            "snapshot": None if self.snapshot is None else self.snapshot.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.learner.load_state_dict(state["learner"])
        self.met.load_state_dict(state["met"])
        self.rng.set_state(state["rng"])
        self.settling.settled = int(state["settled"])
        if self.snapshot is not None:
            self.snapshot.load_state_dict(state["snapshot"])

    # How it is done.

    def _real(self, count: int) -> Tensor:
        if self.weights is None:
            return self.real[torch.randint(len(self.real), (count,), generator=self.rng)]
        if not count:
            return self.real[:0]
        return self.real[torch.multinomial(self.weights, count, replacement=True, generator=self.rng)]

    def _as_data(self, steps: Transitions) -> Tensor:
        """Rows of the real data's kind, by `history_to_data`."""
        assert self.history_to_data is not None
        rows = self.history_to_data(steps)
        if not isinstance(rows, Tensor):
            raise InputError(f"history_to_data gave a {type(rows).__name__}; it gives a tensor of rows")
        self.kind.check(rows)
        return rows

    def _surprise(self, rows: Tensor) -> Tensor:
        return self.learner.surprise(rows.to(self.device)).cpu()

    def _make(self, count: int, gate: bool) -> tuple[Tensor, dict[str, float]]:
        """Generated rows that the discriminator admits, at most `count`; and metrics."""
        rows = self.learner.imagine(count)
        logits = self.learner.judge(rows).cpu()
        kept = accept(logits, self.rng) if gate and count else torch.ones(count, dtype=torch.bool)
        metrics = {"generated/admitted": int(kept.sum()) / max(1, count)}
        return rows.cpu()[kept], metrics

    def _remember(self, made: Tensor, data_to_history: Callable[[Tensor], Transitions]) -> None:
        """Put what the generator made into the agent's history, each transition trusted as the row is believed."""
        believed = torch.sigmoid(self.learner.judge(made.to(self.device))).cpu()
        transitions = data_to_history(made)
        check_transitions(transitions, len(made), self._like, self.environment.num_actions)
        provenance = torch.full((len(made),), GENERATED, dtype=torch.uint8)
        self.history.add(replace(transitions, provenance=provenance, tau=believed))
