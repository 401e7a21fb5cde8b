"""What generated transitions are worth to an agent: how much of what they teach is true."""

from __future__ import annotations

import torch

from clairvoy.qlearning.dqn import DQN
from clairvoy.qlearning.transitions import Transitions


@torch.no_grad()
def worth(agent: DQN, real: Transitions, generated: Transitions) -> float:
    """The share of a generated TD error that is true, in [0, 1].

    A model may be right about nearly all that is seen and still be wrong about what it is worth: a ball a cell aside is
    a small error of a picture, and a large one of a Q-value. So both are asked for the same TD error, and the
    generated one is scaled as predicts the real one best: by least squares through the origin, the slope is
    ``sum(real * generated) / sum(generated ** 2)``. It is 1 where both agree up to what chance decides in the world,
    and 0 where the generated errors say nothing about the real ones. That a model be judged by the values that follow
    from it, and not by what is seen, is the idea of Farahmand et al. (*Value-Aware Loss Function for Model-based
    Reinforcement Learning*, AISTATS 2017).

    Parameters
    ----------
    agent
        Whose Q-values and targets count.
    real
        What happened, B transitions that the generator never learnt from.
    generated
        What it makes up for the same observations and actions, in the same order.
    """
    real, generated = real.to(agent.device), generated.to(agent.device)
    q = agent.q_values(real.observation).gather(1, real.action[:, None])[:, 0].double()
    happened, told = agent.targets(real).double() - q, agent.targets(generated).double() - q
    energy = told.square().sum()
    slope = (happened * told).sum() / energy if float(energy) > 0 else energy
    return float(slope.nan_to_num(0.0).clamp(0, 1))
