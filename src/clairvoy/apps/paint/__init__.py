"""`clairvoy paint`: a photograph as strokes, for screens."""

from clairvoy.apps.paint.command import add_arguments, run

__all__ = ["add_arguments", "run"]
