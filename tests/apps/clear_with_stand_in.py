"""``clairvoy clear`` with the stand-in, as a program that can be killed: ``clear_with_stand_in.py ARGUMENT...``."""

from __future__ import annotations

import sys

import stand_in

from clairvoy.apps import cli
from clairvoy.apps.clear import command

if __name__ == "__main__":
    begin = command.Run.__init__
    command.Run.__init__ = lambda self, args, plan: begin(self, args, plan, stand_in.load)
    sys.exit(cli.main(["clear", *sys.argv[1:]]))
