"""PQN: Q(lambda) from many environments at once, with layer normalisation; no replay, no target network."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from clairvoy.errors import InputError, SettingsError, above, at_least, between
from clairvoy.qlearning.agent import Agent
from clairvoy.qlearning.environment import BatchedEnvironment
from clairvoy.qlearning.policy import linear_schedule
from clairvoy.qlearning.resumable import restore_environment, save_environment
from clairvoy.qlearning.stretch import Stretch, record
from clairvoy.qlearning.transitions import Observation
from clairvoy.qlearning.units import Settling


@dataclass(frozen=True)
class PQNSettings:
    """Settings of a `PQN`."""

    gamma: float = 0.99
    """Discount of one step, in [0, 1]."""
    trace_decay: float = 0.9
    """lambda: 0 learns from one step and a bootstrap, 1 from all rewards up to the end of the stretch."""
    stretch: int = 32
    """Steps of each environment between two phases of learning."""
    epochs: int = 2
    """How often each stretch is learnt from."""
    minibatches: int = 4
    """Updates in an epoch."""
    learning_rate: float = 1e-3
    """Step size of RAdam at the beginning."""
    anneal: bool = True
    """Whether the step size falls to 0 along a line over the budget."""
    max_grad_norm: float = 10.0
    """The gradient of all parameters together is scaled down to this norm."""
    epsilon: tuple[float, float] = (1.0, 0.05)
    """Exploration, from and to."""
    exploration: float = 0.5
    """Share of the budget over which it falls, in (0, 1]."""
    tau_exponent: float = 1.0
    """A step of a generated episode counts tau ** this in the loss; at 0 as much as a real one."""

    def __post_init__(self) -> None:
        between(self, 0, 1, "gamma", "trace_decay", "exploration", "epsilon")
        at_least(self, 1, "stretch", "epochs", "minibatches")
        above(self, 0, "learning_rate", "max_grad_norm", "exploration")
        at_least(self, 0, "tau_exponent")


def lambda_returns(
    reward: Tensor,
    next_value: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    trace_decay: float,
) -> Tensor:
    """Targets of Peng's Q(lambda) over a stretch of T steps of N environments.

    ``G_t = r_t + gamma (1 - terminated_t) (v_t + lambda_t (G_{t+1} - v_t))`` where ``v_t`` is ``next_value`` and
    ``lambda_t`` is ``trace_decay``, or 0 at the last step of an episode or of the stretch: nothing reaches over
    the border of an episode, in either direction.

    Parameters
    ----------
    reward
        ``r_t``, ``(T, N)`` float32.
    next_value
        Best allowed Q-value at what the action led to, ``(T, N)``: where the episode was truncated, at its *last*
        observation, not at the first one of the next. Not used where ``terminated``, and may be anything there.
    terminated, truncated
        How the episode ended at step t, if it did, ``(T, N)`` bool.
    gamma
        Discount of one step.
    trace_decay
        lambda, in [0, 1].

    Returns
    -------
    Tensor
        ``(T, N)``, the dtype of ``reward``.

    References
    ----------
    Gallici et al., *Simplifying Deep Temporal Difference Learning*, ICLR 2025, section 4; Peng and Williams,
    *Incremental Multi-Step Q-Learning*, 1996. As there, a trace is not cut at an exploratory action.
    """
    value = torch.where(terminated, 0.0, next_value)
    one_step = reward + gamma * value
    carried = (gamma * trace_decay) * (~(terminated | truncated)).to(reward.dtype)
    returns = one_step.clone()
    for t in range(len(reward) - 2, -1, -1):
        returns[t] += carried[t] * (returns[t + 1] - value[t])
    return returns


class PQN(Agent):
    """A Q-learning agent for many environments: one network, one optimizer, nothing kept.

    Parameters
    ----------
    network
        Module from an `Observation` to Q-values ``(N, A)``. It needs layer normalisation before its activations:
        that is what takes the place of a target network.
    settings
        See `PQNSettings`.
    device
        Where the network lies and learns.

    Attributes
    ----------
    updates
        Steps of the optimizer so far.

    References
    ----------
    Gallici et al., *Simplifying Deep Temporal Difference Learning*, ICLR 2025, algorithm 1.
    """

    def __init__(
        self, network: nn.Module, settings: PQNSettings | None = None, device: str | torch.device = "cpu"
    ) -> None:
        super().__init__(network, device)
        self.settings = settings or PQNSettings()
        self.parameters = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.RAdam(self.parameters, lr=self.settings.learning_rate, foreach=True)
        self.updates = 0

    def learn(self, stretch: Stretch, generator: torch.Generator) -> dict[str, float]:
        """Learn from one stretch of all environments, then it may be thrown away.

        Parameters
        ----------
        stretch
            What `record` gave.
        generator
            Shuffles, on the CPU.

        Returns
        -------
        dict
            ``loss`` and ``td_error`` (mean absolute), means over all updates; ``q``, mean of the targets.

        Raises
        ------
        InputError
            The loss is not finite.
        """
        settings = self.settings
        target = lambda_returns(
            stretch.reward,
            stretch.next_value,
            stretch.terminated,
            stretch.truncated,
            settings.gamma,
            settings.trace_decay,
        ).flatten()
        observation = {name: value.flatten(0, 1) for name, value in stretch.observation.items()}
        action = stretch.action.flatten()
        weight = None if stretch.tau is None else (stretch.tau**settings.tau_exponent).flatten()
        kept = None if stretch.begun is None else (~stretch.begun).flatten().nonzero()[:, 0]
        rows = len(target) if kept is None else len(kept)
        size = -(-rows // settings.minibatches)
        loss_sum, error_sum, batches = target.new_zeros(()), target.new_zeros(()), 0
        for _ in range(settings.epochs):
            order = torch.randperm(rows, generator=generator).to(self.device)
            if kept is not None:
                order = kept[order]
            # One gather for the whole epoch: its minibatches are views.
            shuffled = {name: value[order].split(size) for name, value in observation.items()}
            actions, targets = action[order].split(size), target[order].split(size)
            weights = None if weight is None else weight[order].split(size)
            for k in range(len(targets)):
                q = self.network({name: parts[k] for name, parts in shuffled.items()})
                error = targets[k] - q.gather(1, actions[k][:, None])[:, 0]
                square = error.square()
                loss = 0.5 * (square if weights is None else weights[k] * square).mean()
                self._descend(loss)
                loss_sum += loss.detach()
                error_sum += error.detach().abs().mean()
                batches += 1
        # Asked once for a stretch, not once for an update: on a GPU each question waits for all that was queued.
        if not bool(torch.isfinite(loss_sum)):
            raise InputError(
                "the loss is not finite: check rewards and observations for NaN, or lower learning_rate"
            )
        return {
            "loss": float(loss_sum) / batches,
            "td_error": float(error_sum) / batches,
            "q": float(target.mean()),
        }

    def state_dict(self) -> dict[str, Any]:
        """Network, optimizer and count of updates: copies, untouched by later updates."""
        return copy.deepcopy(
            {
                "network": self.network.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "updates": self.updates,
            }
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; further updates are those of the uninterrupted run."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.updates = int(state["updates"])

    def _descend(self, loss: Tensor) -> None:
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, self.settings.max_grad_norm, foreach=True)
        self.optimizer.step()
        self.updates += 1


class PQNTraining:
    """The loop of PQN: act for a stretch in all environments, learn from it, throw it away.

    Parameters
    ----------
    agent
        Learns in place.
    environment
        Any `BatchedEnvironment`; reset here.
    budget
        Steps of all environments together that the schedules of exploration and step size are made for.
    seed
        Of episodes, exploration and shuffling.

    Attributes
    ----------
    steps
        Steps of all environments together so far.
    """

    def __init__(self, agent: PQN, environment: BatchedEnvironment, budget: int, seed: int = 0) -> None:
        if budget < 1:
            raise SettingsError(f"budget is {budget}; training takes at least 1 step")
        self.agent, self.environment, self.budget = agent, environment, budget
        self.exploration = torch.Generator().manual_seed(seed)
        self.episodes = torch.Generator().manual_seed(seed + 1)
        self.steps = 0
        self.settling = Settling()
        self.observation: Observation = environment.reset(self.episodes)
        self.running = torch.zeros(environment.num_envs)
        self._stretch: Stretch | None = None

    @property
    def over(self) -> bool:
        """Whether the budget is spent."""
        return self.steps >= self.budget

    def round(self) -> dict[str, float]:
        """One stretch and what is learnt from it; returns the metrics of `PQN.learn`, and of the episodes ended."""
        settings, agent = self.agent.settings, self.agent
        fall = max(1, round(settings.exploration * self.budget))
        epsilon = linear_schedule(*settings.epsilon, fall, self.steps)
        if settings.anneal:
            rate = linear_schedule(settings.learning_rate, 0.0, self.budget, self.steps)
            for group in agent.optimizer.param_groups:
                group["lr"] = rate
        self._stretch, self.observation = record(
            agent,
            self.environment,
            self.observation,
            settings.stretch,
            epsilon,
            self.exploration,
            self._stretch,
        )
        self.steps += settings.stretch * self.environment.num_envs
        if self.settling.due(self.steps):
            seen = {name: value.flatten(0, 1) for name, value in self._stretch.observation.items()}
            self.settling(agent.networks, seen, self.steps)
        metrics = agent.learn(self._stretch, self.exploration) | {"epsilon": epsilon}
        self.running, ended = self._stretch.returns(self.running)
        if len(ended):
            metrics["return"] = float(ended.mean())
        return metrics

    def state_dict(self) -> dict[str, Any]:
        """Everything that later rounds depend on; the environment's state too, if it can tell it."""
        return {
            "agent": self.agent.state_dict(),
            "steps": self.steps,
            "settled": self.settling.settled,
            "running": self.running.clone(),
            "exploration": self.exploration.get_state(),
            **save_environment(self.environment, self.observation, self.episodes),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue the run that `state_dict` was taken of: exactly, if the environment could tell its state.

        Otherwise its episodes begin anew.
        """
        self.agent.load_state_dict(state["agent"])
        self.steps, self.settling.settled = int(state["steps"]), int(state["settled"])
        self.exploration.set_state(state["exploration"])
        self.observation, goes_on = restore_environment(self.environment, state, self.episodes)
        self.running = state["running"].clone() if goes_on else torch.zeros(self.environment.num_envs)
