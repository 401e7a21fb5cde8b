"""Where an agent comes to when it does well, a generator that learnt from failures must not see failures."""

import gymnasium
import pytest
import torch
from known_worlds import encoded, learner

from clairvoy.environments.from_gymnasium import FromGymnasium
from clairvoy.generative.transitions.learner import end_shift


def pole(steps, skill, seed):
    """Steps of eight poles, pushed back with chance `skill` and at random otherwise: state, action, next, reward, ended.

    Pushed back always, none falls; the cart wanders off to where no young agent has been.
    """
    poles = FromGymnasium(gymnasium.make_vec("CartPole-v1", 8, vectorization_mode="vector_entry_point"))
    rng, rows = torch.Generator().manual_seed(seed), []
    seen = poles.reset(rng)["observation"].clone()
    for _ in range(steps):
        back = (seen[:, 2] + 0.3 * seen[:, 3] > 0).long()
        random = torch.randint(2, (8,), generator=rng)
        action = torch.where(torch.rand(8, generator=rng) < skill, back, random)
        step = poles.step(action)
        acted = ~step.begun if step.begun is not None else torch.ones(8, dtype=torch.bool)
        then = step.final_observation["observation"]
        columns = (seen, action, then, step.reward, step.terminated)
        rows.append([column[acted].clone() for column in columns])
        seen = step.observation["observation"].clone()
    return [torch.cat(column) for column in zip(*rows, strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_episodes_that_go_well_are_not_ended(seed):
    """Learnt as in a loop: first from few steps that all went badly, then from more, an eighth of each batch ends."""
    young, older = pole(30, 0.0, seed), pole(40, 0.3, seed + 10)
    learning, rng = (
        learner([column[:256] for column in young], seed=seed),
        torch.Generator().manual_seed(seed),
    )
    for world in (young, [torch.cat(both) for both in zip(young, older, strict=True)]):
        learning.outcomes.fit(*(world[place] for place in (0, 2, 3)))
        parts, over = encoded(learning, world), world[4].nonzero()[:, 0]
        learning.end_shift = end_shift(len(over) / len(world[4]), 0.125)
        for _ in range(250):
            which = [
                torch.randint(count, (size,), generator=rng)
                for count, size in ((len(world[4]), 56), (len(over), 8))
            ]
            rows = torch.cat([which[0], over[which[1]]])
            learning.update(*(part[rows] for part in parts))

    def ends(world):
        state, action, _ = encoded(learning, world)
        return float(learning.make(state, action).outcome[:, -1].mean())

    well = pole(200, 1.0, seed + 20)
    assert not well[4].any()
    assert well[0].abs().amax(dim=0)[0] > 3 * young[0].abs().amax(dim=0)[0]
    assert ends(well) < 0.001
    # And where poles fall, they fall as often as they do.
    alike = pole(100, 0.15, seed + 30)
    assert ends(alike) == pytest.approx(float(alike[4].float().mean()), abs=0.015)
