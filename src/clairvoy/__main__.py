"""``python -m clairvoy`` is the command ``clairvoy``."""

import sys

from clairvoy.apps.cli import main

sys.exit(main())
