"""The search over one scene: what an action does, what is seen then, and how the agent explores."""
