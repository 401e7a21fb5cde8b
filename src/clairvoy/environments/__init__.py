"""Environments of other makers for our learners, and ours for theirs."""
