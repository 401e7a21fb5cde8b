"""`clairvoy page`: a page that restores pictures in the browser, with no server behind it."""

from clairvoy.apps.page.command import add_arguments, run

__all__ = ["add_arguments", "run"]
