"""An environment made of scenes and rules: each episode is played in one row of data.

Hand in three functions over batches; episodes, their ends, seeds and resuming are done here. Rules are handed copies, and
what they give is copied: one that changes a tensor in place changes nothing that was seen before.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from clairvoy.errors import InputError, SettingsError, at_least
from clairvoy.generative.rows.snapshot import Snapshot
from clairvoy.qlearning.environment import ObservationSpec, Step, check_actions
from clairvoy.qlearning.transitions import REAL, Observation

State: TypeAlias = dict[str, Tensor]
"""What changes during an episode, by name; each tensor leads with N."""

BELIEF = "belief"
"""Name of what generator and discriminator believe of the scene, in observations: (N, 2) in [0, 1], how well it is
understood, and how real it looks. Both about the whole scene: they do not tell what is where."""


@dataclass(frozen=True)
class Rules:
    """What is played in a scene: functions over N scenes at once.

    They give tensors; arrays and lists will do, as long as they lead with N.

    A rule that names a further parameter is handed it, by that name; one that does not is called without:

    - ``snapshot``, of any rule: generator and discriminator as they were at the last refresh, a `Snapshot`. What a rule
      makes with it stands still until the next one.
    - ``rng``, of `act`: a source of randomness. What is shown and allowed has none: it follows from scene and state.
    """

    num_actions: int
    """Number of actions A, at least 2."""
    begin: Callable[..., State]
    """From scenes (N, ...) and a source of randomness to the state in which their episodes begin."""
    show: Callable[..., Observation]
    """From scenes and state to what the agent sees."""
    act: Callable[..., tuple[State, Tensor, Tensor]]
    """From scenes, state and actions (N,) int64 to the new state, the rewards (N,) and which episodes are over (N,)."""
    max_steps: int = 100
    """An episode is truncated after this many steps."""
    allow: Callable[..., Tensor] | None = None
    """From scenes and state to the allowed actions (N, A) bool; None allows all."""

    def __post_init__(self) -> None:
        at_least(self, 2, "num_actions")
        at_least(self, 1, "max_steps")

    def asked(self, name: str) -> frozenset[str]:
        """Which of the further things the rule called ``name`` takes."""
        rule, taken = getattr(self, name), {"begin": 2, "show": 2, "act": 3, "allow": 2}[name]
        try:
            parameters = list(inspect.signature(rule).parameters)[taken:]
        except (TypeError, ValueError):  # None, or written in C
            return frozenset()
        return frozenset(parameters) & ({"snapshot", "rng"} if name == "act" else {"snapshot"})


class SceneEnvironment:
    """A `BatchedEnvironment` whose episodes begin in scenes drawn from a set, which can be exchanged.

    Parameters
    ----------
    scenes
        Rows of data (R, ...); a co-training puts others in their place.
    num_envs
        Episodes side by side.
    rules
        See `Rules`.
    snapshot
        Of the generator, where a rule asks for it; a co-training puts what was learnt in.

    Raises
    ------
    InputError
        What a rule returned does not fit; the message says which.
    SettingsError
        A rule asks for a snapshot, and there is none.
    """

    scenes: Tensor
    provenance: Tensor
    tau: Tensor
    belief: Tensor

    def __init__(self, scenes: Tensor, num_envs: int, rules: Rules, snapshot: Snapshot | None = None) -> None:
        if len(scenes) < 1 or num_envs < 1:
            raise SettingsError(f"{len(scenes)} scenes, {num_envs} environments; give at least 1 of each")
        self.num_envs, self.num_actions, self.rules = num_envs, rules.num_actions, rules
        self.snapshot = snapshot
        self._asked = {name: rules.asked(name) for name in ("begin", "show", "act", "allow")}
        wanting = [name for name, asked in self._asked.items() if "snapshot" in asked]
        if wanting and snapshot is None:
            raise SettingsError(
                f"{wanting[0]} asks for a snapshot of the generator; hand in snapshot=Snapshot(generator), of "
                "clairvoy.generative.rows.snapshot"
            )
        self.set_scenes(
            scenes,
            torch.zeros(len(scenes), dtype=torch.uint8),
            torch.ones(len(scenes)),
            torch.zeros(len(scenes), 2),
        )
        self._generator = torch.Generator()
        self.observation = self.reset(torch.Generator().manual_seed(0))
        self.observation_specs = {name: _spec(value) for name, value in self.observation.items()}
        self.observation_specs[BELIEF] = ObservationSpec((2,), torch.float32, 0.0, 1.0)
        # Tried before anything depends on it; what it leads to is thrown away.
        self._act(self.action_mask().int().argmax(dim=1))

    def set_scenes(self, scenes: Tensor, provenance: Tensor, tau: Tensor, belief: Tensor) -> None:
        """Let the next episodes begin in other scenes; those that are being played go on.

        Parameters
        ----------
        scenes
            (R, ...) of the same shape as before.
        provenance
            `REAL` or `GENERATED`, (R,) uint8.
        tau
            Confidence in each, in [0, 1], (R,).
        belief
            See `BELIEF`, (R, 2).
        """
        if hasattr(self, "scenes") and scenes.shape[1:] != self.scenes.shape[1:]:
            raise InputError(
                f"scenes are {tuple(scenes.shape[1:])}; this environment plays {tuple(self.scenes.shape[1:])}"
            )
        self.scenes, self.provenance, self.tau, self.belief = scenes, provenance, tau, belief

    def reset(self, generator: torch.Generator) -> Observation:
        """Begin an episode everywhere; ``generator`` is kept."""
        self._generator = generator
        every = torch.arange(self.num_envs)
        self.playing: dict[str, Tensor] = {}
        self.state: State = {}
        self.steps = torch.zeros(self.num_envs, dtype=torch.int64)
        self._begin(every)
        self.observation = self._show()
        return self.observation

    def step(self, actions: Tensor) -> Step:
        """Act in all episodes; ``info`` tells ``scene`` (N, ...), ``provenance`` and ``tau`` of the scenes acted in."""
        check_actions(actions, self.num_envs)
        info = {name: self.playing[name] for name in ("scene", "provenance", "tau")}
        state, reward, terminated = self._act(actions.cpu().long())
        self.state, self.steps = state, self.steps + 1
        truncated = (self.steps >= self.rules.max_steps) & ~terminated
        final, mask = self._show(), self.action_mask()
        ended = terminated | truncated
        if bool(ended.any()):
            self._begin(ended.nonzero()[:, 0])
            self.observation = self._show()
        else:
            self.observation = final
        return Step(self.observation, reward, terminated, truncated, final, mask, info)

    def action_mask(self) -> Tensor:
        """What the rules allow now, (N, A) bool."""
        shape = (self.num_envs, self.num_actions)
        if self.rules.allow is None:
            return torch.ones(shape, dtype=torch.bool)
        scene, state = self._handed_out()
        given = self.rules.allow(scene, state, **self._further("allow"))
        mask = _given("allow", "a mask", given, self.num_envs)
        if mask.shape != shape:
            raise InputError(f"allow gave a mask of shape {tuple(mask.shape)}; it is {shape}")
        return mask.bool()

    def state_dict(self) -> dict[str, Any]:
        """Everything that later steps depend on."""
        return {
            "set": [self.scenes, self.provenance, self.tau, self.belief],
            "playing": dict(self.playing),
            "state": dict(self.state),
            "steps": self.steps,
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any], generator: torch.Generator | None = None) -> None:
        """Restore what `state_dict` returned; ``generator`` is used from now on and set to the saved state."""
        self.set_scenes(*state["set"])
        self.playing, self.state, self.steps = dict(state["playing"]), dict(state["state"]), state["steps"]
        self._generator = generator or self._generator
        self._generator.set_state(state["generator"])
        self.observation = self._show()

    def _begin(self, rows: Tensor) -> None:
        """Begin new episodes in some environments, ``rows`` (K,) of them."""
        drawn = torch.randint(len(self.scenes), (len(rows),), generator=self._generator)
        given = self.rules.begin(self.scenes[drawn], self._generator, **self._further("begin"))
        begun = _all_given("begin", given, len(rows))
        of_scenes = {
            "scene": self.scenes,
            "provenance": self.provenance,
            "tau": self.tau,
            BELIEF: self.belief,
        }
        self.playing = _with_rows(
            self.playing, rows, {name: value[drawn] for name, value in of_scenes.items()}
        )
        self.state = _with_rows(self.state, rows, begun)
        self.steps = self.steps.index_fill(0, rows, 0)

    def _act(self, actions: Tensor) -> tuple[State, Tensor, Tensor]:
        """New state, rewards (N,) float32 and ends (N,) bool, by the rule."""
        answer = self.rules.act(*self._handed_out(), actions.clone(), **self._further("act"))
        if not isinstance(answer, tuple) or len(answer) != 3:
            raise InputError(
                f"act gave a {type(answer).__name__}; it gives three things: state, rewards, ends"
            )
        state = _all_given("act", answer[0], self.num_envs)
        for name in self.state.keys() | state.keys():
            shape = tuple(state[name].shape) if name in state else "missing"
            if name not in self.state or shape != tuple(self.state[name].shape):
                held = tuple(self.state[name].shape) if name in self.state else "no part of it"
                raise InputError(
                    f"act gave the state's {name} as {shape}; begin gave it as {held}: both must give the same"
                )
        reward, ends = (
            _given("act", name, value, self.num_envs)
            for name, value in zip(("rewards", "ends"), answer[1:], strict=True)
        )
        for name, value in (("rewards", reward), ("ends", ends)):
            if value.ndim != 1:
                raise InputError(
                    f"act gave {name} of shape {tuple(value.shape)}; one each is ({self.num_envs},)"
                )
        return state, reward.float(), ends.bool()

    def _show(self) -> Observation:
        given = self.rules.show(*self._handed_out(), **self._further("show"))
        shown = _all_given("show", given, self.num_envs)
        if BELIEF in shown:
            raise InputError(f"show gave {BELIEF!r}, which is added here: call it something else")
        return {**shown, BELIEF: self.playing[BELIEF]}

    def _further(self, rule: str) -> dict[str, Any]:
        """What a rule asks for beyond what it must take."""
        there = {"snapshot": self.snapshot, "rng": self._generator}
        return {name: there[name] for name in self._asked[rule]}

    def _handed_out(self) -> tuple[Tensor, State]:
        """Scenes and state for a rule: copies, which it may change."""
        return self.playing["scene"].clone(), {name: value.clone() for name, value in self.state.items()}


def scenes_acted_in(step: Step) -> Tensor:
    """The real scenes (K, ...) whose episodes just ended, from a step of a `SceneEnvironment`."""
    return step.info["scene"][step.done & (step.info["provenance"] == REAL)]


def _with_rows(held: Mapping[str, Tensor], rows: Tensor, new: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies with some rows replaced; what is held by others stays as it was."""
    if not held:
        return dict(new)
    return {name: value.index_copy(0, rows, new[name].to(value.dtype)) for name, value in held.items()}


def _all_given(rule: str, values: Any, count: int) -> dict[str, Tensor]:
    if not isinstance(values, Mapping):
        raise InputError(f"{rule} gave a {type(values).__name__}; it gives tensors by name, a dictionary")
    return {str(name): _given(rule, str(name), value, count) for name, value in values.items()}


def _given(rule: str, name: str, value: Any, count: int) -> Tensor:
    """What a rule gave, as a tensor of its own that leads with ``count``."""
    try:
        tensor = torch.as_tensor(value).detach().clone()
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{rule} gave {name} as a {type(value).__name__} that is no tensor ({error}); give one that leads with {count}"
        ) from error
    if tensor.ndim == 0:
        raise InputError(f"{rule} gave {name} as a single number; give one for each of the {count} scenes")
    if len(tensor) != count:
        raise InputError(
            f"{rule} gave {name} of shape {tuple(tensor.shape)}; it must lead with the number of scenes, {count}"
        )
    # NumPy counts in doubles unless told otherwise.
    return tensor.float() if isinstance(value, np.ndarray) and tensor.dtype == torch.float64 else tensor


def _spec(shown: Tensor) -> ObservationSpec:
    """With the bounds of the type: nothing else is known."""
    low, high = -torch.inf, torch.inf
    if shown.dtype == torch.bool:
        low, high = 0.0, 1.0
    elif not shown.dtype.is_floating_point:
        low, high = float(torch.iinfo(shown.dtype).min), float(torch.iinfo(shown.dtype).max)
    return ObservationSpec(tuple(shown.shape[1:]), shown.dtype, low, high)
