"""How many files of clairvoy stand on each way through it: loaded, and run through.

python benchmarks/ways.py                   # all five; or some: python benchmarks/ways.py clear search

*Loaded* files are modules in memory when the way has ended. *Run* files are those of which a function was called: what
one has to read to follow the way from its command to its end. What runs while a file is imported, such as the body of a
class, does not count, and files of one line (a room's name) count as neither.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import clairvoy

SOURCE = Path(clairvoy.__file__).parent
WAYS = {
    "clear": "main(['clear', 'hazy.png', '-o', 'out.png', '--force', '--quiet'])",
    "train haze": "main(['train', 'haze', '--clear', 'photographs', '--out', 'run', '--updates=1', '--trial', '--quiet'])",
    "search": "main(['search', 'hazy.png', '-o', 'found', '--grid', '4x4', '--quiet'])",
    "train world": "main(['train', 'world', '--env', 'CartPole-v1', '--out', 'run', '--steps', '320', '--quiet'])",
    "own scenario": "runpy.run_path(EXAMPLE)['cotrain'](runpy.run_path(EXAMPLE)['drilling'](), budget=120)",
}
PROGRAM = """
import json, runpy, sys, threading
from pathlib import Path
EXAMPLE, SOURCE = sys.argv[1], sys.argv[2]
run = set()
def note(frame, event, argument):
    file = frame.f_code.co_filename
    if event == "call" and file not in run and file.startswith(SOURCE) and not importing(frame):
        run.add(file)
def importing(frame):
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_code.co_filename.startswith(SOURCE):
            return True
        frame = frame.f_back
    return False
threading.setprofile(note)
sys.setprofile(note)
from clairvoy.apps.cli import main
try:
    {way}
finally:
    sys.setprofile(None)
loaded = {{str(getattr(module, "__file__", None)) for module in list(sys.modules.values())}}
Path("told.json").write_text(json.dumps([sorted(run), sorted(loaded)]))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Files on each way through clairvoy.")
    parser.add_argument("ways", nargs="*", metavar="WAY", help=f"some of: {', '.join(WAYS)} (default: all)")
    parser.add_argument("--names", action="store_true", help="name the files that are run through")
    args = parser.parse_args()
    if unknown := set(args.ways) - set(WAYS):
        parser.error(f"no way called {', '.join(sorted(unknown))}; choose of {', '.join(WAYS)}")
    print("| way | run | loaded |\n|---|---|---|")
    for name in args.ways or WAYS:
        run, loaded = walked(WAYS[name])
        print(f"| {name} | {len(run)} | {len(loaded)} |", flush=True)
        if args.names:
            print(*(f"    {file}" for file in run), sep="\n")
    return 0


def walked(way: str) -> tuple[list[str], list[str]]:
    """Files run and loaded on a way, relative to the package."""
    example = Path(__file__).parents[1] / "examples/own_scenario.py"
    with tempfile.TemporaryDirectory() as folder:
        _pictures(Path(folder))
        command = [sys.executable, "-c", PROGRAM.format(way=way), str(example), str(SOURCE)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        told = Path(folder, "told.json")
        if not told.exists():
            raise SystemExit(done.stderr)
        run, loaded = json.loads(told.read_text())
    return _files(run), _files(loaded)


def _files(names: list[str]) -> list[str]:
    inside = [Path(name) for name in names if Path(name).is_relative_to(SOURCE)]
    return [str(file.relative_to(SOURCE)) for file in inside if len(file.read_text().splitlines()) > 1]


def _pictures(folder: Path) -> None:
    """A hazy picture, and photographs to train from, of patches."""
    rng = np.random.default_rng(0)
    (folder / "photographs").mkdir()
    for number in range(8):
        patches = rng.integers(0, 255, (9, 12, 3), dtype=np.uint8).repeat(40, axis=0).repeat(40, axis=1)
        Image.fromarray(patches).save(folder / f"photographs/{number}.png")
    Image.fromarray((0.4 * patches + 150).astype(np.uint8)).save(folder / "hazy.png")


if __name__ == "__main__":
    sys.exit(main())
