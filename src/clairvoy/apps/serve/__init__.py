"""`clairvoy serve`: photographs restored over HTTP by a few processes that keep the model loaded."""

from clairvoy.apps.serve.command import add_arguments, run

__all__ = ["add_arguments", "run"]
