"""`clairvoy watch`: a training drawn in the terminal."""

from clairvoy.apps.watch.command import add_arguments, run

__all__ = ["add_arguments", "run"]
