"""A scenario of your own: where to drill for ore. An agent learns it while a generator learns what fields look like.

A field is a map of 4 x 4 cells in which a vein fills one row or one column. Drilling a cell costs 0.1, and ore pays 1.
"""

import torch
from torch.nn.functional import one_hot

from clairvoy import cotrain
from clairvoy.scenarios.own.scenario import Scenario
from clairvoy.scenarios.own.scene_environment import Rules, SceneEnvironment


def fields(count, rng):
    vein = one_hot(torch.randint(4, (count,), generator=rng), 4).bool()[:, :, None].expand(-1, 4, 4)
    return torch.where(torch.rand(count, 1, 1, generator=rng) < 0.5, vein, vein.mT)


def begin(field, rng):
    return {"drilled": torch.zeros(len(field), 16, dtype=torch.bool)}


def show(field, state):
    return {"drilled": state["drilled"], "ore": state["drilled"] & field.flatten(1)}


def act(field, state, action):
    drilled = state["drilled"] | one_hot(action, 16).bool()
    found = (drilled & ~state["drilled"] & field.flatten(1)).sum(dim=1)
    return {"drilled": drilled}, found - 0.1, (field.flatten(1) <= drilled).all(dim=1)


def drilling(seed=0):
    real = fields(1000, torch.Generator().manual_seed(seed))
    return Scenario(SceneEnvironment(real, 32, Rules(16, begin, show, act, max_steps=10)), real)


if __name__ == "__main__":
    run = cotrain(drilling(), budget=1500)
    print({name: round(value, 2) for name, value in run.metrics.items()})
    print(run.scenario.sample(3).int())  # fields that the generator made
