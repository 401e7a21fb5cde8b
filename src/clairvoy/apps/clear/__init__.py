"""`clairvoy clear`: which photograph becomes which file, restored one by one."""

from clairvoy.apps.clear.command import add_arguments, run

__all__ = ["add_arguments", "run"]
