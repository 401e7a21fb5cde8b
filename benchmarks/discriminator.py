"""What there is to be seen of a learnt world's transitions, and how much of it the discriminator of the loop sees.

python benchmarks/discriminator.py --env CartPole-v1 --steps 1000 --seeds 0 1 2 >> seen.jsonl

A world is trained as by `clairvoy train world`, with fewer updates of the agent. Then the agent plays on in fresh
environments, exploring one action in ten:
steps that neither generator nor discriminator has met. For the same states and actions the generator makes up what follows,
one draw for each, and for rollouts a draw from each draw. Told apart, on other such steps than were learnt from:

    loop          by the discriminator of the loop, as it is at the end of the run; of a rollout the logits are summed up,
                  as the log ratio of a chain is the sum of those of its steps
    converged     by a perceptron trained on these until nothing is gained, told the same: the bound of what can be seen
    raw           by such a one that sees states, actions and outcomes alone, not how far these are from what was expected

and the gap between what was made and what came, for 1, 4 and 16 candidates that the discriminator chooses among.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clairvoy.cotraining.loop import Cotraining
from clairvoy.environments.handed_in import as_environment
from clairvoy.scenarios.world.presets import NUM_ENVS, preset
from clairvoy.scenarios.world.scenario import WorldScenario

COPIES, PLAYED, EXPLORE = 16, 120, 0.1
AGENT_UPDATES = 8
"""After each step of all copies: what is measured is the generator, not how good the agent is."""
LONG = 5
CANDIDATES = (1, 4, 16)
MOST_UPDATES, LOOK_EVERY, PATIENCE = 1500, 100, 2


class Steps(NamedTuple):
    """One step of B rollouts, encoded; `there` is 0 where a rollout was over before."""

    state: Tensor
    action: Tensor
    outcome: Tensor
    there: Tensor


def main() -> int:
    parser = argparse.ArgumentParser(
        description="What a discriminator of transitions can see, and what it does."
    )
    parser.add_argument("--env", default="CartPole-v1")
    parser.add_argument("--steps", type=int, default=1000, help="real steps that the world is learnt from")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    torch.set_num_threads(1)
    for seed in args.seeds:
        environment = as_environment(args.env, NUM_ENVS)
        world, rhythm = preset(environment, args.steps, seed)
        scenario = WorldScenario(environment, world)
        loop = Cotraining(scenario, replace(rhythm, agent_updates=AGENT_UPDATES))
        while not loop.over:
            loop.round()
        print(
            json.dumps(
                {"env": args.env, "steps": args.steps, "seed": seed} | measure(scenario, args.env, seed)
            )
        )
        sys.stdout.flush()
    return 0


def measure(scenario: WorldScenario, env: str, seed: int) -> dict[str, float]:
    """All figures of one world."""
    learner = scenario.learner
    assert learner is not None
    told: dict[str, float] = {}
    for length in (1, LONG):
        shown, unseen = (_windows(*_play(scenario, env, seed + k), length) for k in (100, 200))
        real, made = (_real(scenario, part) for part in (shown, unseen)), _made(scenario, unseen, 1)
        real_shown, real_unseen = real
        logits = [sum(learner.judge(*step[:3]) * step.there for step in one) for one in (real_unseen, made)]
        told[f"loop, {length} steps"] = _right(*logits)
        for name, distances in (("converged", True), ("raw", False)):
            see = _features(scenario, distances)
            told[f"{name}, {length} steps"] = _converged(
                [(see(step), step.there) for step in real_shown],
                lambda shown=shown, see=see: [(see(step), step.there) for step in _made(scenario, shown, 1)],
                [(see(step), step.there) for step in real_unseen],
                [(see(step), step.there) for step in made],
                seed,
            )
        if length == 1:
            state = unseen[0][:, 0]
            for count in CANDIDATES:
                (step,) = _made(scenario, unseen, count)
                gap = learner.outcomes.gap(state, step.outcome, real_unseen[0].outcome)
                told[f"gap, {count} candidates"] = float(gap.mean())
    return told


def _play(scenario: WorldScenario, env: str, seed: int) -> list[Tensor]:
    """States, actions, rewards, ends, whether an episode was over, next states: (T, N, ...) each."""
    environment, noise = as_environment(env, COPIES), torch.Generator().manual_seed(seed)
    seen, rows = environment.reset(noise), []
    for _ in range(PLAYED):
        action = scenario.agent.act(seen, environment.action_mask(), EXPLORE, noise)
        before = seen[scenario.name].clone()
        step = environment.step(action)
        rows.append(
            (
                before,
                action,
                step.reward,
                step.terminated,
                step.done,
                step.final_observation[scenario.name].clone(),
            )
        )
        seen = step.observation
    return [torch.stack(column) for column in zip(*rows, strict=True)]


def _windows(
    state: Tensor, action: Tensor, reward: Tensor, ended: Tensor, done: Tensor, then: Tensor, length: int
) -> list[Tensor]:
    """Stretches (B, length, ...) of one episode each; the last step may end it."""
    starts = len(action) - length + 1
    whole = torch.ones(starts, action.shape[1], dtype=torch.bool)
    for k in range(length - 1):
        whole &= ~done[k : starts + k]
    time, copy = whole.nonzero().unbind(dim=1)
    return [
        torch.stack([part[time + k, copy] for k in range(length)], dim=1)
        for part in (state, action, reward, ended, then)
    ]


def _real(scenario: WorldScenario, windows: list[Tensor]) -> list[Steps]:
    outcomes = scenario.learner.outcomes
    state, action, reward, ended, then = windows
    there = torch.ones(len(action))
    return [
        Steps(
            outcomes.encode_state(state[:, k]),
            action[:, k],
            outcomes.encode(state[:, k], then[:, k], reward[:, k], ended[:, k]),
            there,
        )
        for k in range(action.shape[1])
    ]


def _made(scenario: WorldScenario, windows: list[Tensor], candidates: int) -> list[Steps]:
    """What the generator makes of the same beginnings and actions."""
    learner, settings = scenario.learner, scenario.learner.settings
    state, action = windows[0][:, 0], windows[1]
    there, steps = torch.ones(len(action)), []
    learner.settings = replace(settings, candidates=candidates)
    for k in range(action.shape[1]):
        encoded = learner.outcomes.encode_state(state)
        outcome = learner.make(encoded, action[:, k]).outcome
        steps.append(Steps(encoded, action[:, k], outcome, there))
        state, _, ended = learner.outcomes.decode(state, outcome)
        there = there * ~ended
    learner.settings = settings
    return steps


def _features(scenario: WorldScenario, distances: bool) -> Callable[[Steps], Tensor]:
    learner = scenario.learner

    def see(step: Steps) -> Tensor:
        parts = [
            step.state.flatten(1),
            F.one_hot(step.action, scenario.environment.num_actions),
            step.outcome,
        ]
        if distances:
            parts.append(learner.outcomes.distance(step.outcome, learner._expected(step.state, step.action)))
        return torch.cat([part.float() for part in parts], dim=1)

    return see


Seen = list[tuple[Tensor, Tensor]]


def _converged(
    real: Seen, make: Callable[[], Seen], real_unseen: Seen, made_unseen: Seen, seed: int
) -> float:
    """Accuracy on what was not learnt from, at the least loss there: generous to the classifier, so a bound."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Linear(real[0][0].shape[1], 128), nn.SiLU(), nn.Linear(128, 128), nn.SiLU(), nn.Linear(128, 1)
    )
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-2)

    def logits(seen: Seen, rows: Tensor | slice = slice(None)) -> Tensor:
        return sum(net(features[rows])[:, 0] * there[rows] for features, there in seen)

    least, right, since = float("inf"), 0.5, 0
    for update in range(MOST_UPDATES):
        if update % LOOK_EVERY == 0:
            made = make()  # others are drawn each time: there is no end of them
            with torch.no_grad():
                of_real, of_made = logits(real_unseen), logits(made_unseen)
            loss = float(F.softplus(-of_real).mean() + F.softplus(of_made).mean())
            if loss < least - 1e-3:
                least, right, since = loss, _right(of_real, of_made), 0
            else:
                since += 1
                if since > PATIENCE:
                    break
        rows, others = (torch.randint(len(seen[0][0]), (256,)) for seen in (real, made))
        loss = F.softplus(-logits(real, rows)).mean() + F.softplus(logits(made, others)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return right


def _right(real: Tensor, made: Tensor) -> float:
    return float(torch.cat([real > 0, made < 0]).float().mean())


if __name__ == "__main__":
    sys.exit(main())
