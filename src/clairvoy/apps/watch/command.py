"""`clairvoy watch RUN`: a training in the terminal, while it runs or afterwards."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

from clairvoy.apps.train.log import METRICS, PICTURES, read_metrics
from clairvoy.apps.watch.dream import dream_lines
from clairvoy.drawing.terminal_plot import beside, blocks, can_write, colours_of, titled_plot
from clairvoy.errors import FileError, SettingsError

CURVES = {
    "evaluation/return": "return, greedy",
    "agent/return": "agent's return",
    "held_out/score": "search score",
    "held_out/found": "search: found",
    "held_out/read": "search: read",
    "agent/loss": "agent's loss",
    "models/reconstruction": "restoration error",
    "tau/restored_db": "restoration [dB]",
    "tau/error_db": "tau: off by [dB]",
    "tau/too_sure": "tau: too sure by",
    "models/discriminator_accuracy": "discriminator right",
    "simulated/admitted": "simulated admitted",
    "generator/loss": "generator loss",
    "tau/gap": "generated: gap",
    "tau/off": "tau: off by",
    "generated/admitted": "generated: admitted",
    "generated/worth": "generated: worth",
}
"""What is drawn, two side by side; what a run does not have is left out."""
HEIGHT = 4
"""Lines of a curve."""
BRAILLE = "\u28ff"
CLEAR_SCREEN, HOME, CLEAR_BELOW = "\x1b[2J", "\x1b[H", "\x1b[J"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command line."""
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="folder that --out of train named")
    parser.add_argument("--follow", action="store_true", help="go on until the run is done, or Ctrl-C")
    parser.add_argument(
        "--seconds", type=float, default=2.0, metavar="S", help="between two readings (default: %(default)g)"
    )
    parser.add_argument(
        "--width", type=int, metavar="N", help="characters across (default: the terminal's, 80 without one)"
    )
    parser.add_argument(
        "--film", type=Path, metavar="GIF", help="film an episode of the trained agent instead (train world)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the episode filmed (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Show a run; 0 also after Ctrl-C, which is how one stops watching.

    Raises
    ------
    FileError
        The folder holds no run.
    """
    if args.width is not None and args.width < 40:
        raise SettingsError(f"--width is {args.width}; the curves need at least 40 characters")
    if not args.seconds > 0:
        raise SettingsError(f"--seconds is {args.seconds:g}; give more than 0")
    folder: Path = args.run_folder
    if args.film is not None:
        from clairvoy.apps.watch.film import write_film

        return write_film(folder, args.film, args.seed)
    settings = _settings(folder)
    width = args.width or get_terminal_size().columns
    screen = args.follow and sys.stdout.isatty()
    last_shown = -1
    try:
        while True:
            lines = read_metrics(folder)
            finished = _finished(folder, settings, lines)
            last = lines[-1]["update"] if lines else 0
            if screen:
                # What is longer than the screen would push its own head out of sight.
                room = get_terminal_size().lines - 1
                shown = render(folder, settings, lines, width, room)[:room]
                text = "\x1b[K\n".join(shown)
                sys.stdout.write(f"{CLEAR_SCREEN if last_shown < 0 else ''}{HOME}{text}\n{CLEAR_BELOW}")
            elif not args.follow or (finished and last_shown < 0):
                sys.stdout.write("\n".join(render(folder, settings, lines, width)) + "\n")
            else:
                # Where nothing can be drawn over, each stretch is a line.
                sys.stdout.writelines(_line(line) for line in lines if line["update"] > last_shown)
            sys.stdout.flush()
            last_shown = last
            if finished or not args.follow:
                return 0
            time.sleep(args.seconds)
    except KeyboardInterrupt:
        sys.stdout.write("\n")
        return 0


def render(
    folder: Path,
    settings: dict[str, Any],
    lines: list[dict[str, Any]],
    width: int,
    room: int | None = None,
) -> list[str]:
    """The whole picture of a run as lines of at most `width` characters.

    Where a dream is shown and `room` lines do not hold all, the last curves are left out, and not the dream.
    """
    shown = [f"{folder}"[:width], _heading(folder, settings, lines)[:width], ""]
    if not lines:
        return [*shown, "nothing is written yet; look again after 20 updates, or add --follow"]
    braille = can_write(sys.stdout, BRAILLE)
    two = width >= 70
    each = (width - 3) // 2 if two else width
    curves = []
    for name, title in CURVES.items():
        there = [line for line in lines if name in line["metrics"]]
        if there:
            x = [line["update"] for line in there]
            y = [line["metrics"][name] for line in there]
            curves.append(titled_plot(title, x, y, each, HEIGHT, braille=braille))
    step = 2 if two else 1
    drawn = []
    for index in range(0, len(curves), step):
        pair = curves[index : index + step]
        drawn.append([*(beside(pair[0], pair[1]) if len(pair) == 2 else pair[0]), ""])
    dream = dream_lines(folder / PICTURES, width, braille=braille, colours=colours_of(sys.stdout))
    if dream and room is not None:
        while len(drawn) > 1 and len(shown) + sum(map(len, drawn)) + len(dream) > room:
            drawn.pop()
    shown += [line for curve in drawn for line in curve] + dream
    sample = folder / PICTURES / "sample.png"
    if sample.exists():
        colours = colours_of(sys.stdout)
        if colours:
            import cv2

            picture = cv2.imread(str(sample))
            if picture is not None:
                # The first scene only, its rows side by side: hazy, restored, true.
                side = picture.shape[0] // 3
                rows = [picture[k * side : (k + 1) * side, :side, ::-1] for k in range(3)]
                shown += [
                    "hazy, restored, true:",
                    *blocks(cv2.hconcat(rows), min(width, 96), colours=colours),
                ]
        shown.append(f"pictures: {sample}, {sample.with_name('episode.gif')}")
    return shown


def _settings(folder: Path) -> dict[str, Any]:
    """The run's settings, so that a folder that holds none is refused at once."""
    try:
        settings = json.loads((folder / "settings.json").read_text())
        if not isinstance(settings, dict):
            raise ValueError("not an object")
        return settings
    except (OSError, ValueError) as error:
        if (folder / METRICS).exists():
            return {}
        why = "no such folder" if not folder.is_dir() else "no settings.json that can be read"
        raise FileError(
            f"{folder}: no run here ({why}); name the folder that --out of `clairvoy train` named"
        ) from error


def _finished(folder: Path, settings: dict[str, Any], lines: list[dict[str, Any]]) -> bool:
    return (folder / "weights.safetensors").exists() and (
        not lines or lines[-1]["update"] >= int(settings.get("updates") or 0)
    )


def _heading(folder: Path, settings: dict[str, Any], lines: list[dict[str, Any]]) -> str:
    done = lines[-1]["update"] if lines else 0
    total = int(settings.get("updates") or 0)
    status = f"update {done}" + (f" of {total}" if total else "")
    if lines and "agent/steps" in lines[-1]["metrics"]:
        # Of a stretch its mean is shown; so many steps to an update are taken all along.
        status += f", {round(int(settings.get('steps') or 0) * done / max(1, total))} steps"
    if lines:
        status += f"  {_time(lines[-1]['seconds'])}"
    if _finished(folder, settings, lines):
        return status + ", done"
    if len(lines) > 1 and total > done:
        recent = lines[-min(len(lines), 10) :]
        rate = (recent[-1]["seconds"] - recent[0]["seconds"]) / max(
            1, recent[-1]["update"] - recent[0]["update"]
        )
        status += f", {_time(rate * (total - done))} to go"
    return status


def _time(seconds: float) -> str:
    minutes = seconds / 60
    return (
        f"{seconds:.0f} s"
        if minutes < 2
        else f"{minutes:.0f} min"
        if minutes < 120
        else f"{minutes / 60:.1f} h"
    )


def _line(line: dict[str, Any]) -> str:
    shown = "  ".join(
        f"{title} {line['metrics'][name]:.3g}" for name, title in CURVES.items() if name in line["metrics"]
    )
    return f"update {line['update']}  {shown}\n"
