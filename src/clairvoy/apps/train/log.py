"""What a training tells while it runs: progress on stderr, `metrics.jsonl`, pictures, and all of it in TensorBoard.

`metrics.jsonl` has a line for every stretch of updates, `{"update": ..., "seconds": ..., "metrics": {...}}` with the
means of the stretch. Lines are only ever added whole; a run that is resumed takes those off that it will write again.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clairvoy.apps.outputs import write_bytes
from clairvoy.apps.progress import Progress
from clairvoy.errors import ClairvoyError, FileError

METRICS, PICTURES = "metrics.jsonl", "pictures"
SHOWN = ("reconstruction", "transmission", "agent/return", "evaluation/return", "held_out/score", "tau/gap")
"""The metrics that progress shows."""
SECONDS_BETWEEN_LINES = 60.0
"""Where stderr is no terminal, progress is a line this often instead of a bar."""
SECONDS_BETWEEN_BARS = 0.2
STRETCH = 20
"""Updates that a line of metrics is the mean of."""
STRETCHES_BETWEEN_PICTURES = 10
"""Pictures are drawn at the first stretch of so many, and at the end."""


class RunLog:
    """The log of one training; call it after each update with its number and metrics.

    Parameters
    ----------
    folder
        Of the run.
    total
        Updates planned.
    quiet
        No progress; files are written all the same.
    draw
        Gives pictures of the present state, PNG or GIF files by their name; other files lie beside them.
    stretch
        Updates that a line of metrics is the mean of.

    Raises
    ------
    ClairvoyError
        TensorBoard is not installed.
    """

    def __init__(
        self,
        folder: Path,
        total: int,
        quiet: bool,
        draw: Callable[[], Mapping[str, bytes]] | None = None,
        stretch: int = STRETCH,
    ) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ClairvoyError(
                f"training needs {error.name}; install it with: pip install 'clairvoy[train]'"
            ) from error
        self.folder, self.total, self.draw, self.stretch = folder, total, draw, stretch
        self._open_board: Callable[[int], Any] = lambda first: SummaryWriter(
            str(folder / "tensorboard"), purge_step=first
        )
        self.board: Any = None
        self.quiet, self.progress = quiet, Progress(total, quiet=quiet)
        self.between = SECONDS_BETWEEN_BARS if sys.stderr.isatty() else SECONDS_BETWEEN_LINES
        self.began = self.said = time.monotonic()
        self.sums: dict[str, list[float]] = {}
        self.failed = False
        """Whether the disk refused a part of the log; the training is worth more than that, and goes on."""
        self.before, self.last, self.drawn = 0.0, 0, -1

    def __call__(self, update: int, metrics: Mapping[str, float]) -> None:
        """Take note of an update."""
        with self._at_best():
            self._note(update, metrics)

    def _note(self, update: int, metrics: Mapping[str, float]) -> None:
        if self.board is None:
            self._begin(update)
        self.progress.finish(update - self.last)
        self.last = update
        if time.monotonic() - self.said > self.between:
            self.said = time.monotonic()
            shown = "  ".join(f"{name} {metrics[name]:.3f}" for name in SHOWN if name in metrics)
            if self.between == SECONDS_BETWEEN_LINES:
                self.progress.say(f"update {update} of {self.total}  {shown}")
            else:
                self.progress.start(shown)
        for name, value in metrics.items():
            self.sums.setdefault(name, []).append(value)
        if update % self.stretch == 0:
            self._end_stretch(update)

    def close(self) -> None:
        """Write what is left of the last stretch, and draw the last pictures."""
        self.progress.close()
        if self.board is None:
            return
        with self._at_best():
            if self.sums:
                self._end_stretch(self.last, pictures=False)
            self._draw(self.last)
        with self._at_best():
            self.board.close()

    @contextmanager
    def _at_best(self) -> Iterator[None]:
        """Say once that the log cannot be written, and let the training go on."""
        try:
            yield
        except (OSError, FileError) as error:
            self.sums = {}
            if not self.failed:
                self.progress.insist(
                    f"{self.folder}: the log cannot be written ({error}); the training goes on"
                )
            self.failed = True

    def _begin(self, update: int) -> None:
        # On resume the first update tells where the checkpoint was; what was written after it is written again.
        self.last = update - 1
        self.progress = Progress(self.total, quiet=self.quiet, done=self.last)
        self.board = self._open_board(update)
        file = self.folder / METRICS
        kept = [line for line in read_metrics(self.folder) if line["update"] < update]
        self.before = kept[-1]["seconds"] if kept else 0.0
        if file.exists():
            write_bytes(file, "".join(json.dumps(line) + "\n" for line in kept).encode())

    def _end_stretch(self, update: int, pictures: bool = True) -> None:
        # A name with a slash says whose it is; the generator's own losses come without.
        means = {
            name if "/" in name else f"models/{name}": sum(values) / len(values)
            for name, values in self.sums.items()
        }
        for name, value in means.items():
            self.board.add_scalar(name, value, update)
        seconds = self.before + time.monotonic() - self.began
        finite = {name: value for name, value in means.items() if math.isfinite(value)}
        line = json.dumps({"update": update, "seconds": round(seconds, 1), "metrics": finite}) + "\n"
        with (self.folder / METRICS).open("a") as file:
            file.write(line)
        self.sums = {}
        if pictures and update // self.stretch % STRETCHES_BETWEEN_PICTURES == 1:
            self._draw(update)

    def _draw(self, update: int) -> None:
        if self.draw is None or self.drawn == update:
            return
        self.drawn = update
        for name, data in self.draw().items():
            write_bytes(self.folder / PICTURES / name, data)
            if name.endswith((".png", ".gif")):
                _show_image(self.board, Path(name).stem, data, update)


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics so far, in order of updates, none twice; a line half written is left out."""
    try:
        text = (folder / METRICS).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        if not (folder / METRICS).exists():
            return []
        raise FileError(f"{folder / METRICS} cannot be read ({error.strerror or error})") from error
    lines: dict[int, dict[str, Any]] = {}
    for row in text.splitlines():
        try:
            line = json.loads(row)
            lines[int(line["update"])] = {
                "update": int(line["update"]),
                "seconds": float(line["seconds"]),
                "metrics": {str(name): float(value) for name, value in line["metrics"].items()},
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return [lines[update] for update in sorted(lines)]


def _show_image(board: Any, name: str, data: bytes, update: int) -> None:
    """Put a PNG or a GIF into TensorBoard as it is; its own writers would need moviepy for an animation."""
    from io import BytesIO

    from PIL import Image
    from tensorboard.compat.proto.summary_pb2 import Summary

    with Image.open(BytesIO(data)) as picture:
        width, height = picture.size
    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=data)
    board._get_file_writer().add_summary(Summary(value=[Summary.Value(tag=name, image=image)]), update)
