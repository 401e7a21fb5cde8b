"""Scenarios, each an environment, its real data and how the one becomes the other."""
