"""Nothing is kept at home and nothing is sent: what libraries do unasked is switched off."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent / "examples/hazy/salcantay.jpg"


def test_restoring_leaves_nothing_at_home(tmp_path):
    """ONNX Runtime 1.32 makes a number of the device there when its telemetry is on."""
    home, out = tmp_path / "home", tmp_path / "out.jpg"
    home.mkdir()
    own = {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "USERPROFILE": str(home)}
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    command = [sys.executable, "-m", "clairvoy", "clear", "-q", str(EXAMPLE), "-o", str(out)]
    subprocess.run(command, check=True, env={**kept, **own})
    assert out.exists()
    assert not list(home.rglob("*"))


def test_who_wants_the_telemetry_may_have_it():
    program = "import os, clairvoy; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    told = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "ORT_DISABLE_TELEMETRY": "0"}, capture_output=True
    )
    assert told.stdout.strip() == b"0"
