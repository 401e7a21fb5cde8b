"""The haze search: look around a scene through a window, and recognise where the haze is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor

from clairvoy.errors import InputError, SettingsError, above, at_least, between
from clairvoy.qlearning.environment import ObservationSpec, Step, check_actions
from clairvoy.qlearning.transitions import Observation
from clairvoy.scenarios.haze.episodes import Episodes, WindowPools
from clairvoy.scenarios.haze.scene_set import SceneSet
from clairvoy.searching import glimpse
from clairvoy.searching.guidance import GUIDES

__all__ = ["HazeSearch", "HazeSearchSettings", "SceneSet"]


@dataclass(frozen=True)
class HazeSearchSettings:
    """Settings of a `HazeSearch`. With all penalties 0 the reward is 1 for each hazy window found, else 0."""

    budget: float = 1.0
    """Steps of an episode as a multiple of the number of windows; rounded, at least 1 step."""
    reads: tuple[float, float] | None = None
    """Part of the windows that may be read, drawn for each episode from this range; None: no limit but the steps."""
    start: Literal["random", "centre"] = "random"
    """Where an episode begins."""
    preview: float = 0.0
    """Probability that an episode shows beliefs of all windows from the start, as after perceiving it at low resolution."""
    end_when_found: bool = True
    """Whether an episode ends once all haze is recognised. Off, the agent must see for itself that it is done."""
    go_on: bool = False
    """Whether the action mask ends dithering, see `glimpse.must_go_on`."""
    mask_walls: bool = False
    """Whether the action mask forbids moves against a wall."""
    step: float = 0.0
    """Penalty for every step."""
    false_alarm: float = 0.0
    """Penalty for recognising haze where there is none."""
    wall: float = 0.0
    """Penalty for moving against a wall."""
    repeat: float = 0.0
    """Penalty for moving to a window that was visited before."""

    def __post_init__(self) -> None:
        above(self, 0, "budget")
        at_least(self, 0, "step", "false_alarm", "wall", "repeat")
        between(self, 0, 1, "preview")
        low, high = self.reads or (1.0, 1.0)
        if not 0 < low <= high <= 1:
            raise SettingsError(
                f"reads is {self.reads}; it is a range of parts of the windows, within (0, 1]"
            )
        if self.start not in ("random", "centre"):
            raise SettingsError(f"start is {self.start!r}; choose 'random' or 'centre'")


class HazeSearch:
    """N searches side by side; a `BatchedEnvironment`.

    Actions: `glimpse.RIGHT`, ``LEFT``, ``UP``, ``DOWN`` move the window, `glimpse.STAY` recognises haze.
    The episode terminates when all haze is recognised (if the scene has any, and the settings say so), or when the
    agent stays on a window that is recognised already: it is done. It is truncated when the budget is spent: of
    steps, or of reads when it moves to a window that it may not read any more (the move is not made then).

    A window is read when the agent comes to stand on it, also in passing; reading it again costs nothing. A thumbnail
    is not counted. All of this holds for every baseline and the oracle too.

    `Step.info` holds, about the action just taken: ``scene`` (index in its set), ``scene_set`` (how many sets
    came before that one), ``position`` ``(N, 2)`` (the window in ``final_observation``), ``recognised`` and
    ``false_alarm`` (the action newly recognised a window with, or without, haze), ``found`` and ``hazy``
    (windows of the scene with haze: recognised, in all), ``read`` (windows read), ``provenance`` and ``tau`` (of the
    scene).

    Parameters
    ----------
    scenes
        What episodes are drawn from.
    num_envs
        Number of searches N.
    settings
        See `HazeSearchSettings`.
    device
        Where everything is computed.
    """

    num_actions = glimpse.NUM_ACTIONS

    def __init__(
        self,
        scenes: SceneSet,
        num_envs: int,
        settings: HazeSearchSettings | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        if num_envs < 1:
            raise SettingsError(f"num_envs is {num_envs}; it must be at least 1")
        self.num_envs = num_envs
        self.settings = settings or HazeSearchSettings()
        self.device = torch.device(device)
        self.scenes = scenes.to(self.device)
        self.rows, self.cols = scenes.grid
        self.max_steps = max(1, round(self.settings.budget * self.rows * self.cols))
        self.scene_sets = 0
        """How often the scenes were changed; `Step.info["scene_set"]` tells which of them an episode runs in."""
        self._windows = WindowPools(self.scenes.windows)
        self._generator: torch.Generator | None = None
        self._episodes: Episodes | None = None
        side, channels = glimpse.CROP, len(glimpse.MEMORY_CHANNELS)
        self.observation_specs = {
            "window": ObservationSpec((3, glimpse.WINDOW, glimpse.WINDOW), torch.uint8, 0, 255),
            "belief": ObservationSpec((len(glimpse.BELIEF_CHANNELS),), torch.float32, 0.0, 1.0),
            "memory": ObservationSpec((channels, side, side), torch.float32, 0.0, 1.0),
            "position": ObservationSpec((len(glimpse.POSITION_NUMBERS),), torch.float32, 0.0, 1.0),
            "guides": ObservationSpec((GUIDES,), torch.float32, 0.0, 1.0),
        }

    def reset(self, generator: torch.Generator) -> Observation:
        """Begin a new episode in every environment."""
        self._generator = generator
        self._episodes = self._begin(self.num_envs)
        return self._observe()

    def reset_each(self, generator: torch.Generator) -> Observation:
        """Begin episode k in scene k, for evaluation on every scene once; needs one environment for each scene."""
        if self.num_envs != len(self.scenes):
            raise InputError(f"{self.num_envs} environments for {len(self.scenes)} scenes; give one for each")
        self._generator = generator
        self._episodes = self._begin(self.num_envs, torch.arange(self.num_envs, device=self.device))
        return self._observe()

    def set_scenes(self, scenes: SceneSet) -> None:
        """Draw later episodes from other scenes; those that run go on in theirs. Same grid."""
        if scenes.grid != (self.rows, self.cols):
            raise InputError(
                f"the scenes have grid {scenes.grid}; this search has ({self.rows}, {self.cols})"
            )
        self.scenes = scenes.to(self.device)
        self.scene_sets += 1
        self._windows.add(self.scenes.windows, self._episodes)

    @property
    def position(self) -> Tensor:
        """Row and column of each window, ``(N, 2)`` int64."""
        return self._running.position

    @property
    def memory(self) -> glimpse.Memory:
        """What was seen and done in the episodes that run."""
        return self._running.memory()

    @property
    def hazy(self) -> Tensor:
        """The truth, ``(N, R, C)`` bool. For the oracle and for metrics, never for the agent."""
        return self._running.hazy

    @property
    def beliefs(self) -> Tensor:
        """Beliefs of all windows when looked at, visited or not, ``(N, 4, R, C)`` float32."""
        return self._running.beliefs

    @property
    def previews(self) -> Tensor:
        """Beliefs by each episode's thumbnail, shown or not, ``(N, 4, R, C)`` float32. For baselines with a preview."""
        return self._running.preview

    def tau_of_actions(self) -> Tensor:
        """The tau of the window that each action leads to, ``(N, 5)``, for look-ahead; see `glimpse.tau_of_actions`."""
        return glimpse.tau_of_actions(self.memory, self.position)

    def action_mask(self) -> Tensor:
        """All actions, or what ``mask_walls`` and ``go_on`` leave of them, ``(N, 5)`` bool."""
        mask = torch.ones(self.num_envs, self.num_actions, dtype=torch.bool, device=self.device)
        if self.settings.mask_walls:
            mask &= glimpse.open_directions(self.position, self.rows, self.cols)
        if self.settings.go_on:
            mask &= glimpse.must_go_on(self.memory, self.position, self._running.idle)
        return mask

    def step(self, actions: Tensor) -> Step:
        """Act in all searches; see `Step` for the autoreset."""
        now, settings = self._running, self.settings
        actions = actions.to(self.device)
        check_actions(actions, self.num_envs)
        env = torch.arange(self.num_envs, device=self.device)
        reached, hit_wall = glimpse.move(now.position, actions, self.rows, self.cols)
        refused = (now.read >= now.max_read) & ~now.visited[env, reached[:, 0], reached[:, 1]]
        reached = torch.where(refused[:, None], now.position, reached)
        stays, moved = actions == glimpse.STAY, (reached != now.position).any(dim=1)
        now.position = reached
        row, column = reached.unbind(dim=1)

        settled = now.recognised[env, row, column]
        haze_here = now.hazy[env, row, column]
        hit = stays & ~settled & haze_here
        false_alarm = stays & ~settled & ~haze_here
        repeat = moved & now.visited[env, row, column]
        now.read = now.read + (moved & ~repeat)
        now.idle = torch.where((moved & ~repeat) | stays, 0, now.idle + 1)
        reward = (
            hit.float()
            - settings.step
            - settings.false_alarm * false_alarm
            - settings.wall * hit_wall
            - settings.repeat * repeat
        )
        now.recognised[env, row, column] = settled | stays
        now.found = now.found + hit
        now.steps = now.steps + 1
        hazy = now.hazy.sum(dim=(1, 2))
        terminated = (stays & settled) | (settings.end_when_found & (now.found == hazy) & (hazy > 0))
        truncated = ((now.steps >= self.max_steps) | refused) & ~terminated
        glimpse.remember(self.memory, reached, now.beliefs[env, :, row, column])

        info = {
            "scene": now.scene.clone(),
            "scene_set": now.scene_set.clone(),
            "position": reached,
            "recognised": hit,
            "false_alarm": false_alarm,
            "found": now.found,
            "hazy": hazy,
            "read": now.read,
            "provenance": now.provenance.clone(),
            "tau": now.tau.clone(),
        }
        final_observation, final_mask = self._observe(), self.action_mask()
        ended = (terminated | truncated).nonzero()[:, 0]
        observation = final_observation
        if len(ended):
            self._replace(ended)
            begun = self._observe(ended)
            observation = {
                name: value.index_copy(0, ended, begun[name]) for name, value in final_observation.items()
            }
        return Step(observation, reward, terminated, truncated, final_observation, final_mask, info)

    def state_dict(self, include_scenes: bool = True) -> dict[str, Tensor]:
        """Everything that later steps depend on, the generator's state included, as flat named tensors.

        Parameters
        ----------
        include_scenes
            False leaves out the set that new episodes are drawn from: large, and often on disk already. Then
            build the environment on the same set before `load_state_dict`.
        """
        if self._generator is None:
            raise InputError("the search has not begun; call reset before state_dict")
        state = {f"episodes/{name}": value.clone() for name, value in self._running.tensors().items()}
        state["episodes/windows"] = self._windows.scenes_of(self._running)
        if include_scenes:
            state |= {f"scenes/{item.name}": getattr(self.scenes, item.name) for item in fields(SceneSet)}
        state["scene_sets"] = torch.tensor(self.scene_sets)
        state["generator"] = self._generator.get_state()
        return state

    def load_state_dict(self, state: Mapping[str, Tensor], generator: torch.Generator | None = None) -> None:
        """Restore what `state_dict` returned, for the same N and settings.

        Parameters
        ----------
        state
            From `state_dict`.
        generator
            Used from now on and set to the saved state; None: that of the last reset, or a new one.
        """
        held = state["episodes/visited"].shape
        if held != (self.num_envs, self.rows, self.cols):
            raise InputError(
                f"the state is of {tuple(held)} searches, rows and columns; "
                f"this search has {(self.num_envs, self.rows, self.cols)}"
            )
        if "scenes/windows" in state:
            self.scenes = SceneSet(
                **{item.name: state[f"scenes/{item.name}"].to(self.device) for item in fields(SceneSet)}
            )
        saved = {item.name: state[f"episodes/{item.name}"] for item in fields(Episodes)}
        self._episodes = Episodes(**{name: value.to(self.device, copy=True) for name, value in saved.items()})
        # The episodes that run get windows of their own: the sets that these came from are not kept.
        self._windows = WindowPools(state["episodes/windows"].to(self.device), self.scenes.windows)
        self._episodes.pool = torch.zeros_like(self._episodes.pool)
        self._episodes.place = torch.arange(self.num_envs, device=self.device)
        self.scene_sets = int(state["scene_sets"])
        self._generator = generator or self._generator or torch.Generator()
        self._generator.set_state(state["generator"].cpu())

    @property
    def _running(self) -> Episodes:
        if self._episodes is None:
            raise InputError("the search has not begun; call reset first")
        return self._episodes

    def _begin(self, count: int, scene: Tensor | None = None) -> Episodes:
        generator = self._generator
        if generator is None:
            raise InputError("the search has not begun; call reset first")
        scenes = self.scenes
        scene = scenes.draw(count, generator) if scene is None else scene
        if self.settings.start == "random":
            draw = torch.rand(count, 2, generator=generator, device=generator.device).to(self.device)
            position = (draw * torch.tensor((self.rows, self.cols), device=self.device)).long()
        else:
            position = torch.tensor((self.rows // 2, self.cols // 2), device=self.device).repeat(count, 1)
        beliefs, previews = scenes.beliefs[scene], scenes.previews[scene]
        draw = torch.rand(count, 3, generator=generator, device=generator.device).to(self.device)
        version = (draw[:, 0] * previews.shape[1]).long()
        preview = previews[torch.arange(count, device=self.device), version]
        shown = draw[:, 1] < self.settings.preview
        memory = glimpse.Memory.empty(count, self.rows, self.cols, like=preview, preview=preview, shown=shown)
        low, high = self.settings.reads or (1.0, 1.0)
        allowed = (low + (high - low) * draw[:, 2]) * (self.rows * self.cols)
        at = (torch.arange(count, device=self.device), position[:, 0], position[:, 1])
        glimpse.remember(memory, position, beliefs[at[0], :, at[1], at[2]])
        return Episodes(
            scene=scene,
            scene_set=torch.full_like(scene, self.scene_sets),
            provenance=scenes.provenance[scene],
            tau=scenes.tau[scene],
            pool=torch.full_like(scene, self._windows.newest),
            place=scene,
            hazy=scenes.hazy[scene],
            beliefs=beliefs,
            preview=preview,
            visited=memory.visited,
            recognised=memory.recognised,
            known_beliefs=memory.belief,
            thumbnail=memory.thumbnail,
            prior=memory.prior,
            correction=memory.correction,
            weight=memory.weight,
            distance=memory.distance,
            position=position,
            steps=torch.zeros_like(scene),
            idle=torch.zeros_like(scene),
            read=torch.ones_like(scene),
            max_read=allowed.round().long().clamp(min=1),
            found=torch.zeros_like(scene),
        )

    def _replace(self, ended: Tensor) -> None:
        """Begin new episodes in the environments ``ended``."""
        running, begun = self._running, self._begin(len(ended))
        # These were handed out by `step`: new tensors, not changed ones.
        for name in ("position", "found", "read"):
            setattr(running, name, getattr(running, name).clone())
        running.put(ended, begun)

    def _observe(self, envs: Tensor | None = None) -> Observation:
        """What is seen in all environments, or in some, ``(n,)`` int64."""
        now = self._running
        if envs is not None:
            now = now.some(envs)
        left = 1.0 - now.steps / self.max_steps
        if self.settings.reads is not None:
            left = torch.minimum(left, 1.0 - (now.read - 1) / now.max_read)
        row, column = now.position.unbind(dim=1)
        belief = now.beliefs[torch.arange(len(row), device=self.device), :, row, column]
        return glimpse.observe_window(self._windows.of(now), belief, now.memory(), now.position, left)
