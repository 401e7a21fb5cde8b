"""A scenario of looking around whose completion is trained, and the agent's own choice of glimpses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clairvoy.errors import WeightsError
from clairvoy.generative.rows.completing import CompletingVAE
from clairvoy.generative.rows.learner import RowLearner
from clairvoy.generative.rows.snapshot import Snapshot
from clairvoy.qlearning.dqn import DQNSettings
from clairvoy.scenarios.own.file import load_scenario, save_scenario, scenario_notes
from clairvoy.scenarios.own.scenario import Scenario, ScenarioSettings
from clairvoy.scenarios.own.scene_environment import SceneEnvironment
from clairvoy.scenarios.panorama.completion import new_learner
from clairvoy.scenarios.panorama.directions import DIRECTIONS
from clairvoy.scenarios.panorama.looking import STAY, Looking


def looking_scenario(
    real: Tensor,
    learner: RowLearner,
    looking: Looking,
    *,
    num_envs: int = 32,
    seed: int = 0,
    device: str = "cpu",
) -> Scenario:
    """For `cotrain`: the agent looks around in panoramas (R, 3, H, 2 H) uint8, generator and discriminator go on learning.

    Generated panoramas are no part of it yet: what is imagined from nothing is too smooth to look around in.
    """
    learner.generator.load_state_dict(learner.averaged.state_dict())
    environment = SceneEnvironment(
        real[: 4 * num_envs], num_envs, looking.rules, Snapshot(learner.averaged, learner.discriminator)
    )
    settings = ScenarioSettings(
        batch=32, generated=0.0, seed=seed, learner=replace(learner.settings, learning_rate=2e-4),
        agent=DQNSettings(learning_rate=5e-4)
    )  # fmt: skip
    return Scenario(
        environment, real, kind=learner.generator.kind, generator=learner.generator,
        discriminator=learner.discriminator, settings=settings, device=device,
    )  # fmt: skip


def save_looking(path: str | Path, scenario: Scenario, looking: Looking, notes: Mapping[str, Any]) -> None:
    """Write what was trained, with what it takes to make the same scenario again; see `scenarios.own.file`."""
    generator = scenario.learner.generator
    assert isinstance(generator, CompletingVAE)
    made_of = {"height": looking.height, "glimpses": looking.glimpses, "width": generator.settings.width}
    save_scenario(path, scenario, {**notes, **made_of})


def load_looking(path: str | Path, device: str = "cpu") -> tuple[Scenario, Looking]:
    """What `save_looking` wrote: a scenario to act with, and its rules.

    Raises
    ------
    WeightsError
        No such file, or of something else.
    """
    notes = scenario_notes(path)
    try:
        height, glimpses, width = (int(notes[name]) for name in ("height", "glimpses", "width"))
        looking = Looking(height, glimpses)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: no agent that looks around; give a file of save_looking") from error
    few = torch.zeros(8, 3, height, 2 * height, dtype=torch.uint8)
    learner = new_learner(few, looking.views, width, device=device)
    scenario = looking_scenario(few, learner, looking, num_envs=2, device=device)
    load_scenario(path, scenario)
    return scenario, looking


@torch.no_grad()
def by_agent(scenario: Scenario, looking: Looking, panoramas: Tensor, seed: int = 0) -> Tensor:
    """Directions (B, glimpses) that the trained agent looks in, without exploration; it may not turn for ever.

    After ten turns without a glimpse it takes one where it is, or at the first direction that it has not seen.
    """
    snapshot = scenario.snapshot
    assert snapshot is not None
    state = looking.begin(panoramas, torch.Generator().manual_seed(seed), snapshot)
    belief = torch.zeros(len(panoramas), 2)
    order = torch.full((len(panoramas), looking.glimpses), -1)
    waited = torch.zeros(len(panoramas), dtype=torch.int64)
    while bool((order < 0).any()):
        mask = looking.allow(panoramas, state)
        shown = {**looking.show(panoramas, state), "belief": belief}
        action = scenario.agent.act_greedily(shown, mask).cpu()
        late = waited >= 10
        unseen = (~state["taken"]).int().argmax(dim=1)
        state["looks"] = torch.where(late & ~mask[:, STAY], unseen, state["looks"])
        over = state["taken"].sum(dim=1) >= looking.glimpses
        action = torch.where(late, STAY, action)
        number = state["taken"].sum(dim=1)
        taking = (action == STAY) & ~over
        order[taking, number[taking]] = state["looks"][taking]
        action = torch.where(over, 0, action)
        state, _, _ = looking.act(panoramas, state, action, snapshot=snapshot)
        waited = torch.where(taking, 0, waited + 1)
    assert int(order.max()) < DIRECTIONS
    return order
