"""`clairvoy search`: the agent at work on a large scene."""

from clairvoy.apps.search.command import add_arguments, run

__all__ = ["add_arguments", "run"]
