"""Small worlds whose transitions are known in closed form, to learn and to check against."""

import torch

from clairvoy.generative.transitions.learner import TransitionLearner, TransitionLearnerSettings
from clairvoy.generative.transitions.outcomes import Outcomes
from clairvoy.generative.transitions.vae import TransitionVAESettings


def turning(count, seed=0, low=-1.0, high=1.0):
    """Points in a square; the action turns them by 0.5 or -0.5, and moves nothing else.

    The reward is where they end up along x, and it ends right of 0.5. Returns state, action, next, reward, ended.
    """
    rng = torch.Generator().manual_seed(seed)
    state = torch.rand(count, 2, generator=rng) * (high - low) + low
    action = torch.randint(2, (count,), generator=rng)
    angle = torch.where(action == 1, 0.5, -0.5)
    x, y = state.unbind(dim=1)
    then = torch.stack([x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos()], dim=1)
    return state, action, then, then[:, 0], then[:, 0] > 0.5


def dot(count, seed=0, moves=1.0):
    """One dot in a plane of 5 x 5, with a wall that never moves in a second plane; right or left with chance `moves`.

    At an edge it stays. The reward is 1 in the last column, and it ends there.
    """
    rng = torch.Generator().manual_seed(seed)
    row, column = (torch.randint(5, (count,), generator=rng) for _ in range(2))
    action = torch.randint(2, (count,), generator=rng)
    goes = torch.rand(count, generator=rng) < moves
    later = (column + torch.where(goes, 2 * action - 1, 0)).clamp(0, 4)

    def grid(at):
        planes = torch.zeros(count, 2, 5, 5, dtype=torch.bool)
        planes[torch.arange(count), 0, row, at] = True
        planes[:, 1, 0] = True
        return planes

    there = later == 4
    return grid(column), action, grid(later), there.float(), there


def learner(world, model=None, seed=0, **settings):
    state, _, then, reward, _ = world
    outcomes = Outcomes(state, then, reward)
    model = model or TransitionVAESettings(latent=4, width=64, channels=16)
    return TransitionLearner(outcomes, 2, TransitionLearnerSettings(**settings), model, seed)


def encoded(learning, world):
    """State, action and outcome as the learner takes them."""
    state, action, then, reward, ended = world
    return learning.outcomes.encode_state(state), action, learning.outcomes.encode(state, then, reward, ended)


def train(learning, world, updates, batch=64, seed=1):
    """Learn from batches of a world; returns the terms of the last update."""
    state, action, outcome = encoded(learning, world)
    rng = torch.Generator().manual_seed(seed)
    terms = {}
    for _ in range(updates):
        rows = torch.randint(len(state), (batch,), generator=rng)
        terms, _ = learning.update(state[rows], action[rows], outcome[rows])
    return terms


def gaps(learning, world):
    """How far what is made for the states and actions of a world is from what came of them, (B,)."""
    state, action, outcome = encoded(learning, world)
    return learning.outcomes.gap(world[0], learning.make(state, action).outcome, outcome)


def coin(count, seed=0):
    """A point that a coin moves up or down by 1, and pays if it is up; it comes up in 0.8 of the cases of action 1.

    For action 0 in 0.3. Another coin, of 0.3 and 0.7, decides whether it ends.
    """
    rng = torch.Generator().manual_seed(seed)
    state = torch.rand(count, 1, generator=rng) * 2 - 1
    action = torch.randint(2, (count,), generator=rng)
    up = torch.rand(count, generator=rng) < torch.where(action == 1, 0.8, 0.3)
    ended = torch.rand(count, generator=rng) < torch.where(action == 1, 0.7, 0.3)
    return state, action, state + torch.where(up, 1.0, -1.0)[:, None], up.float(), ended
