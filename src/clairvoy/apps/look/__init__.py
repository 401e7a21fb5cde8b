"""``clairvoy look``: a panorama to look around in, before and after, as one page."""

from clairvoy.apps.look.command import add_arguments, run

__all__ = ["add_arguments", "run"]
