"""Floor 1: Q-learning on batched environments: network, history, learner, policy."""
