"""What a scenario's environment is. The contract is the learners', and is stated beside them."""

from clairvoy.qlearning.environment import BatchedEnvironment, ObservationSpec, Step

__all__ = ["BatchedEnvironment", "ObservationSpec", "Step"]
