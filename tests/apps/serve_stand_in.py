"""What restores in the tests of the server: answers at once, and misbehaves by what is uploaded.

A module of its own, because the processes that work import it by its name.
"""

from __future__ import annotations

import os
import signal
import time

from clairvoy.apps.serve.uploads import Answer
from clairvoy.errors import FileError, TooLargeError, UnknownFormatError, WeightsError


def load(model):
    """Says what was asked for."""
    if model.weights == "none":
        raise WeightsError("none: there are no such weights; give others")

    def restore(upload):
        word, _, rest = upload.data.partition(b" ")
        if word == b"sleep":
            time.sleep(float(rest))
        if word == b"crash":
            os.kill(os.getpid(), signal.SIGKILL)
        if word == b"fault":
            raise RuntimeError("shapes do not match")
        if word == b"damaged":
            raise FileError("<bytes>: is truncated or damaged; get the file again")
        if word == b"large":
            raise TooLargeError("<bytes>: has 65000 x 65000 pixels, more than the limit")
        if word == b"svg":
            raise UnknownFormatError("is a SVG file, which cannot be read; convert it")
        if word == b"die":  # once the answer has gone, so that it is found dead when the next upload comes
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, 0.05)
        report = {
            "size": (2, 3),
            "tau_db": float("inf"),
            "strength": upload.strength,
            "pid": os.getpid(),
            "preset": upload.preset,
        }
        if not upload.restored:
            return Answer(report)
        maps = (b"haze", b"tau") if upload.maps else (b"", b"")
        return Answer({"status": "restored", **report}, b"restored " + upload.data, "JPEG", *maps)

    return restore
