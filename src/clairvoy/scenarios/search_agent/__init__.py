"""Training of the agent that searches large scenes."""
