"""Acting in a scenario: the loops live beside the learners, in `clairvoy.qlearning.rollout`."""

from clairvoy.qlearning.rollout import Evaluation, Policy, collect, evaluate

__all__ = ["Evaluation", "Policy", "collect", "evaluate"]
