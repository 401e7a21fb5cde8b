"""Does a generator teach what is true, and does tau know where? TD errors beside each other, on steps held out.

python benchmarks/worth.py --env CartPole-v1 --steps 480 --seed 100
python benchmarks/worth.py --env MinAtar/Breakout --steps 4000 --seed 100

Trains as `clairvoy train world` does, then asks the agent for the TD errors of real steps that the generator never learnt
from, and for those of what it makes up for the same states and actions. A row for all of them, and one for each
quarter by tau: the root mean square of either, their correlation, and the slope that `qlearning/worth.py` takes.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import torch
from torch import Tensor
from worlds import row_of

from clairvoy.cotraining.loop import Cotraining
from clairvoy.environments.handed_in import as_environment
from clairvoy.qlearning.transitions import Transitions
from clairvoy.scenarios.world.presets import NUM_ENVS, preset
from clairvoy.scenarios.world.scenario import CALIBRATED_ON, WorldScenario


def main() -> int:
    parser = argparse.ArgumentParser(description="TD errors, real and generated.")
    parser.add_argument("--env", required=True)
    parser.add_argument("--steps", type=int, required=True, help="real steps to train for first")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    environment = as_environment(args.env, NUM_ENVS)
    world, rhythm = preset(environment, args.steps, args.seed)
    scenario = WorldScenario(environment, world)
    loop = Cotraining(scenario, rhythm)
    while not loop.over:
        loop.round()
    held = scenario.history.held_out.recent(CALIBRATED_ON)
    made = scenario.learnt_world(noise=torch.Generator().manual_seed(args.seed)).imagine(
        held.observation[scenario.name], held.action
    )
    told = replace(
        held,
        next_observation={scenario.name: made.state},
        reward=made.reward,
        discount=torch.where(made.ended, 0.0, world.gamma),
    )
    real, generated = td_errors(scenario, held), td_errors(scenario, told)
    order = made.tau.argsort()
    print(row_of(["tau", "steps", "RMS real", "RMS generated", "correlation", "slope"]))
    print(row_of(["---"] * 6))
    for part in (order, *order.chunk(4)):
        one, two = real[part], generated[part]
        slope = (one * two).sum() / two.square().sum()
        print(
            row_of(
                [
                    f"{made.tau[part].min():.2f} to {made.tau[part].max():.2f}",
                    str(len(part)),
                    f"{one.square().mean().sqrt():.2f}",
                    f"{two.square().mean().sqrt():.2f}",
                    f"{torch.corrcoef(torch.stack([one, two]))[0, 1]:.2f}",
                    f"{slope:.2f}",
                ]
            )
        )
    return 0


def td_errors(scenario: WorldScenario, steps: Transitions) -> Tensor:
    """TD errors (B,) of the agent of now."""
    q = scenario.agent.q_values(steps.observation).gather(1, steps.action[:, None])[:, 0]
    return scenario.agent.targets(steps) - q


if __name__ == "__main__":
    sys.exit(main())
