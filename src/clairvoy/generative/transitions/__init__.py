"""A generator of what an environment's actions lead to."""
