"""History: the transitions seen so far, kept, sampled by priority, saved and loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from clairvoy.errors import FileError, InputError, SettingsError, above, at_least, between
from clairvoy.qlearning.environment import Step
from clairvoy.qlearning.n_step import NStep
from clairvoy.qlearning.sum_tree import SumTree
from clairvoy.qlearning.transitions import GENERATED, Observation, Transitions
from clairvoy.storage.weights_file import read_weights, write_weights

_FORMAT = "clairvoy-history-1"


@dataclass(frozen=True)
class HistorySettings:
    """Settings of a `History`."""

    capacity: int = 50_000
    """Transitions kept; the oldest are overwritten."""
    n_step: int = 3
    """Rewards in a full transition."""
    gamma: float = 0.99
    """Discount of one step, in [0, 1]."""
    priority_exponent: float = 0.6
    """alpha: 0 samples uniformly, 1 in proportion to the TD error."""
    importance_exponent: float = 0.4
    """beta: 0 leaves the bias of prioritised sampling as it is, 1 corrects it in full."""
    priority_floor: float = 1e-3
    """Added to every TD error, so that nothing is forgotten for good."""

    def __post_init__(self) -> None:
        at_least(self, 1, "capacity")
        between(self, 0, 1, "priority_exponent", "importance_exponent")
        above(self, 0, "priority_floor")


class History:
    """Ring buffer of n-step transitions with proportional prioritised sampling.

    Parameters
    ----------
    settings
        See `HistorySettings`.
    num_envs
        Environments N whose steps `append` takes.
    num_actions
        Number of actions A.
    generator
        Source of all randomness; its state is part of `state_dict`.
    device
        Where the transitions lie. Priorities are kept on the CPU.

    References
    ----------
    Schaul et al., *Prioritized Experience Replay*, ICLR 2016: eq. 1 (probability), section 3.4 (importance
    weights, divided by the largest of the batch), appendix B.2.1 (stratified draws).
    """

    def __init__(
        self,
        settings: HistorySettings,
        num_envs: int,
        num_actions: int,
        generator: torch.Generator,
        device: str | torch.device = "cpu",
    ) -> None:
        self.settings, self.num_envs, self.num_actions = settings, num_envs, num_actions
        self.generator, self.device = generator, torch.device(device)
        self._n_step = NStep(settings.n_step, settings.gamma, num_envs)
        self._tree = SumTree(settings.capacity)
        self._largest_priority = 1.0
        # All priorities are the largest one: places are drawn without the tree, the same ones in a tenth of the time.
        self._even = True
        self._cursor = self._size = 0
        # (capacity, ...) each, made when the first transition shows what it holds.
        self._columns: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return self._size

    def append(self, observation: Observation, action: Tensor, step: Step) -> int:
        """Take one step of all N environments; keep the transitions that it completes.

        Parameters
        ----------
        observation
            What was seen, ``(N, ...)`` each.
        action
            What was done then, ``(N,)`` int64.
        step
            What came of it. Nothing is kept of rows that only began an episode (`Step.begun`).

        Returns
        -------
        int
            How many transitions were completed.

        Raises
        ------
        InputError
            Not of N environments, or it contradicts what was kept before.
        """
        if action.shape != (self.num_envs,):
            raise InputError(f"action has shape {tuple(action.shape)}; this history takes ({self.num_envs},)")
        complete = self._n_step.append(observation, action, step)
        self.add(complete)
        return len(complete)

    def drop_unfinished(self) -> None:
        """Forget the steps that wait for rewards; call it when the environments were reset from outside."""
        self._n_step.drop_unfinished()

    def add(self, transitions: Transitions) -> None:
        """Keep finished transitions, generated ones for example, at the largest priority seen so far."""
        columns = _to_columns(transitions)
        if not self._columns:
            self._columns = {
                name: torch.zeros(
                    (self.settings.capacity, *value.shape[1:]), dtype=value.dtype, device=self.device
                )
                for name, value in columns.items()
            }
        self._check_columns(columns)
        count = len(transitions)
        kept = min(count, self.settings.capacity)
        place = (self._cursor + torch.arange(count - kept, count)) % self.settings.capacity
        for name, value in columns.items():
            self._columns[name][place.to(self.device)] = value[count - kept :].to(self.device)
        self._tree.set(place, torch.full((kept,), self._largest_priority))
        self._cursor = (self._cursor + count) % self.settings.capacity
        self._size = min(self._size + count, self.settings.capacity)

    def sample(
        self, batch_size: int, importance_exponent: float | None = None, batches: int = 1
    ) -> Transitions:
        """Draw transitions with replacement, each with probability in proportion to its priority.

        Parameters
        ----------
        batch_size
            Number of transitions B.
        importance_exponent
            Overrides the setting, for a schedule.
        batches
            How many such batches to draw at once, one behind the other.

        Returns
        -------
        Transitions
            ``batches * B`` of them, with ``weight`` (largest is 1) and ``index`` set. The draws of each batch are
            spread over the whole history.
        """
        if self._size == 0:
            raise InputError("the history is empty; append steps or load one before sampling")
        beta = self.settings.importance_exponent if importance_exponent is None else importance_exponent
        count = batch_size * batches
        draw = torch.rand(count, generator=self.generator, device=self.generator.device).cpu().double()
        stratum = torch.arange(count).view(batch_size, batches).T.flatten()
        if self._even:
            index = ((stratum + draw) * (self._size / count)).long().clamp(max=self._size - 1)
            return self._rows(index, torch.ones(count))
        total = self._tree.total
        index = self._tree.find((stratum + draw) * (total / count))
        probability = self._tree.get(index) / total
        weight = (self._size * probability) ** -beta
        weight = (weight / weight.max()).float()
        return self._rows(index, weight)

    def update_priorities(self, index: Tensor, td_error: Tensor) -> None:
        """Set the priorities of ``index`` ``(B,)`` from TD errors ``(B,)``, in units of return."""
        error = td_error.detach().abs().cpu().double()
        if not bool(torch.isfinite(error).all()):
            raise InputError(
                "td_error is not finite: learning has diverged; lower learning_rate or max_grad_norm"
            )
        if self._even and self._largest_priority == 1.0 and self.settings.priority_exponent == 0:
            return  # they are 1 and stay 1
        priority = (error + self.settings.priority_floor) ** self.settings.priority_exponent
        self.set_priorities(index, priority)

    def priorities(self) -> Tensor:
        """Priorities ``(size,)`` float64 of all transitions, in the order of `recent`."""
        oldest = self._cursor - self._size
        return self._tree.get((oldest + torch.arange(self._size)) % self.settings.capacity)

    def set_priorities(self, index: Tensor, priority: Tensor) -> None:
        """Set priorities as they are, ``(B,)`` above 0; `update_priorities` makes them of TD errors."""
        if not bool((torch.isfinite(priority) & (priority > 0)).all()):
            raise InputError("priorities must be finite and above 0")
        if not len(index):
            return
        self._tree.set(index.cpu(), priority)
        self._even = self._even and bool((priority == self._largest_priority).all())
        self._largest_priority = max(self._largest_priority, float(priority.max()))

    def recent(self, count: int) -> Transitions:
        """Return the last ``count`` transitions (fewer if there are not as many), oldest first."""
        count = min(count, self._size)
        return self._rows((self._cursor - count + torch.arange(count)) % self.settings.capacity, None)

    def at(self, index: Tensor) -> Transitions:
        """Return the transitions at places ``(B,)`` int64 in [0, len), with ``index`` set: for draws of one's own."""
        if len(index) and not 0 <= int(index.min()) <= int(index.max()) < self._size:
            raise InputError(
                f"index runs from {int(index.min())} to {int(index.max())}; there are {self._size}"
            )
        return self._rows(index, None)

    def check_valid(self) -> None:
        """Raise an InputError that says what is wrong if the history contradicts itself."""
        rows = {name: value[: self._size] for name, value in self._columns.items()}
        problems = {
            "cursor or size out of range": not (
                0 <= self._cursor < self.settings.capacity and 0 <= self._size <= self.settings.capacity
            ),
            "priorities must be positive exactly where there are transitions": not self._priorities_match(),
        }
        if rows:
            problems |= {
                "actions out of range": _any((rows["action"] < 0) | (rows["action"] >= self.num_actions)),
                "next_mask does not match num_actions": rows["next_mask"].shape[1:] != (self.num_actions,),
                "rewards must be finite": _any(~torch.isfinite(rows["reward"])),
                "discounts must lie in [0, 1]": _any((rows["discount"] < 0) | (rows["discount"] > 1)),
                "tau must lie in [0, 1]": _any(~((rows["tau"] >= 0) & (rows["tau"] <= 1))),
                "provenance must be 0 or 1": _any(rows["provenance"] > GENERATED),
                "columns differ in length": len({len(value) for value in self._columns.values()}) != 1,
            }
        found = [problem for problem, is_so in problems.items() if is_so]
        if found:
            raise InputError(f"this history is not valid: {'; '.join(found)}; load or record it again")

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that later samples depend on, the generator's state included, as flat named tensors."""
        state = {f"transitions/{name}": value[: self._size].clone() for name, value in self._columns.items()}
        state |= {f"n_step/{name}": value for name, value in self._n_step.state_dict().items()}
        state["priority"] = self._tree.get(torch.arange(self._size))
        state["largest_priority"] = torch.tensor(self._largest_priority, dtype=torch.float64)
        state["cursor"] = torch.tensor(self._cursor)
        state["generator"] = self.generator.get_state()
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state_dict` returned, into a history of the same settings."""
        size = state["priority"].shape[0]
        if size > self.settings.capacity:
            raise SettingsError(
                f"capacity is {self.settings.capacity}; the saved history holds {size}: raise capacity"
            )
        self._columns = {}
        for name, value in _under(state, "transitions/").items():
            column = torch.zeros(
                (self.settings.capacity, *value.shape[1:]), dtype=value.dtype, device=self.device
            )
            column[:size] = value.to(self.device)
            self._columns[name] = column
        self._n_step.load_state_dict(_under(state, "n_step/"), self.device)
        self._tree = SumTree(self.settings.capacity)
        self._tree.set(torch.arange(size), state["priority"])
        self._largest_priority = float(state["largest_priority"])
        self._even = bool((state["priority"] == self._largest_priority).all())
        self._cursor, self._size = int(state["cursor"]), size
        self.generator.set_state(state["generator"].cpu())
        self.check_valid()

    def save(self, path: str | Path) -> None:
        """Write one safetensors file: the state and the settings. The file is complete or not there.

        Raises
        ------
        FileError
            The disk refuses.
        """
        header = {
            "settings": json.dumps(asdict(self.settings)),
            "num_envs": str(self.num_envs),
            "num_actions": str(self.num_actions),
        }
        write_weights(Path(path), _FORMAT, self.state_dict(), header)

    @classmethod
    def load(
        cls,
        path: str | Path,
        generator: torch.Generator | None = None,
        device: str | torch.device = "cpu",
    ) -> Self:
        """Read a file of `save`. ``generator`` (a new one if None) is set to the saved state.

        Raises
        ------
        FileError
            No such file, or it holds no history.
        """
        header, state = read_weights(Path(path), _FORMAT, "give a file of History.save", error=FileError)
        history = cls(
            HistorySettings(**json.loads(header["settings"])),
            int(header["num_envs"]),
            int(header["num_actions"]),
            torch.Generator() if generator is None else generator,
            device,
        )
        history.load_state_dict(state)
        return history

    def _rows(self, index: Tensor, weight: Tensor | None) -> Transitions:
        if not self._columns:
            raise InputError("the history is empty; append steps or load one first")
        place = index.to(self.device)
        columns = {name: value[place] for name, value in self._columns.items()}
        return Transitions(
            observation=_under(columns, "observation/"),
            next_observation=_under(columns, "next_observation/"),
            weight=None if weight is None else weight.to(self.device),
            index=place,
            **{name: value for name, value in columns.items() if "/" not in name},
        )

    def _check_columns(self, columns: dict[str, Tensor]) -> None:
        expected = {name: (value.shape[1:], value.dtype) for name, value in self._columns.items()}
        given = {name: (value.shape[1:], value.dtype) for name, value in columns.items()}
        for name in expected.keys() | given.keys():
            if expected.get(name) != given.get(name):
                raise InputError(
                    f"{name} is {given.get(name)}; this history holds {expected.get(name)}: "
                    "use one history for each kind of observation"
                )

    def _priorities_match(self) -> bool:
        priority = self._tree.get(torch.arange(self.settings.capacity))
        held = torch.arange(self.settings.capacity) < self._size
        return bool(((priority > 0) == held).all()) and bool(torch.isfinite(priority).all())


def _to_columns(transitions: Transitions) -> dict[str, Tensor]:
    columns = {f"observation/{name}": value for name, value in transitions.observation.items()}
    columns |= {f"next_observation/{name}": value for name, value in transitions.next_observation.items()}
    for name in ("action", "reward", "discount", "next_mask", "provenance", "tau"):
        columns[name] = getattr(transitions, name)
    return columns


def _under(columns: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in columns.items() if name.startswith(prefix)}


def _any(condition: Tensor) -> bool:
    return bool(condition.any())
