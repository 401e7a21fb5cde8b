"""``clairvoy clear``: restore photographs, and say of each what was found and how far to trust the result."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clairvoy.apps.clear.jobs import PIPE, Extras, Job, is_many, plan
from clairvoy.apps.clear.report import comparison
from clairvoy.apps.outputs import map_png, picture_png, to_json, write_bytes
from clairvoy.apps.progress import Progress
from clairvoy.errors import ClairvoyError, FileError, SettingsError, WeightsError
from clairvoy.imaging import files

if TYPE_CHECKING:
    from clairvoy.restoring.dehazer import Dehazer, Result

RESTORED, UNTOUCHED, SKIPPED, FAILED = "restored", "left as it was", "skipped", "failed"

_EPILOG = """\
A photograph in which no haze is recognised is left as it was: copied, unless OUT is another format.
Nothing is ever half written, and a photograph that cannot be read does not stop the others.
In a folder, files called NAME.clear.*, .haze.*, .tau.* and .comparison.* are taken for results of an
earlier run and passed over; name them one by one to restore them.

exit code: 0 all went well, 2 at least one photograph or argument did not

examples:
  clairvoy clear foggy.jpg                                 writes foggy.clear.jpg
  clairvoy clear foggy.jpg -o out.png --comparison look.png
  clairvoy clear photos/ -o clear/ --recursive --skip-existing --report report.json
  camera | clairvoy clear - | viewer
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``clairvoy clear`` understands."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("inputs", nargs="+", metavar="IN", help="photographs, folders, or - for a pipe")

    where = parser.add_argument_group("what is written")
    add = where.add_argument
    add(
        "-o",
        "--output",
        metavar="OUT",
        help="for one photograph a file, whose suffix says the format; for several a folder; - for a pipe "
        "(default: NAME.clear.SUFFIX beside each photograph)",
    )
    add("--report", metavar="FILE.json", help="what was found; for several photographs a list")
    add("--haze-map", metavar="FILE.png", help="where the haze is: 16-bit grey, 0 clear, 65535 opaque")
    add("--tau-map", metavar="FILE.png", help="how far to trust each part: 16-bit grey, 65535 is certain")
    add(
        "--comparison",
        metavar="FILE.png",
        help="one picture to look at: before, haze, after, confidence. For several photographs this and both "
        "maps name folders, which get NAME.comparison.png and so on",
    )
    existing = where.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help="replace files that exist")
    existing.add_argument(
        "--skip-existing", action="store_true", help="resume: pass over photographs whose output exists"
    )
    add("-r", "--recursive", action="store_true", help="take folders inside folders too; the same tree out")
    add("-q", "--quiet", action="store_true", help="say nothing but errors")

    add = parser.add_argument_group("how it is restored").add_argument
    add(
        "--strength", type=_fraction, default=1.0, metavar="0..1", help="how much haze to remove (default: 1)"
    )
    add(
        "--samples",
        type=_count,
        default=1,
        metavar="N",
        help="draw N restorations and keep what the discriminator believes (default: 1, the most likely one)",
    )
    add("--force", action="store_true", help="restore even where no haze is recognised")
    add(
        "--preset",
        choices=["fast", "fine"],
        help="fine: look at each photograph at three sizes, and mirrored (default: fast, one look)",
    )
    add("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto", help="where to compute")
    add("--weights", default="fast", metavar="NAME|FILE", help="released weights or your own (default: fast)")


def run(args: argparse.Namespace) -> int:
    """Restore what `args` names; return 0, or 2 if a photograph failed.

    Raises
    ------
    ClairvoyError
        What concerns the run and not one photograph: arguments, outputs, weights, device.
    """
    jobs = plan(
        args.inputs,
        args.output,
        Extras(args.haze_map, args.tau_map, args.comparison),
        report=args.report,
        recursive=args.recursive,
        overwrite=args.overwrite,
        skip_existing=args.skip_existing,
    )
    if any(job.target is None for job in jobs) and sys.stdout.isatty():
        raise SettingsError("standard output is a terminal; send it to a file or a program, or give -o FILE")
    return _Run(args, jobs).all()


class _Run:
    """One run of the command: the loaded model, and what became of each photograph."""

    def __init__(self, args: argparse.Namespace, jobs: Sequence[Job]) -> None:
        self.args = args
        self.jobs = jobs
        self.many = is_many(args.inputs)
        self.earlier = _earlier_report(args.report) if args.skip_existing and args.report else {}
        self.progress = Progress(len(jobs), quiet=args.quiet)
        self.entries: list[dict[str, Any]] = []
        self.count: Counter[str] = Counter()

    @cached_property
    def dehazer(self) -> Dehazer:
        # Here and not at the top: torch takes seconds to load, and most mistakes are found without it.
        from clairvoy.restoring.dehazer import Dehazer

        return Dehazer.load(self.args.weights, self.args.device, self.args.preset)

    def all(self) -> int:
        """Take the photographs one by one, then say how it went."""
        try:
            for job in self.jobs:
                self.progress.start(job.name)
                self.entries.append(self.one(job))
                self.progress.finish()
        finally:
            # Also after Ctrl-C: --skip-existing continues from this report.
            self.progress.close()
            self.write_report()
        if self.many:
            self.progress.say(", ".join(f"{number} {status}" for status, number in self.count.items()))
        return 2 if self.count[FAILED] else 0

    def one(self, job: Job) -> dict[str, Any]:
        """Restore one photograph; what is wrong with it is said and noted, and does not stop the others."""
        output = str(job.target or PIPE)
        try:
            entry = {"status": SKIPPED} if job.done else self.restore(job)
        except (SettingsError, WeightsError, BrokenPipeError):
            raise  # about the run, and the next photograph would only say it again
        except (ClairvoyError, OSError, MemoryError) as error:
            entry = self.failed(job, str(error) or "does not fit into memory; reduce it first")
        except Exception as error:  # a fault of ours must not cost a night's work on the other photographs
            entry = self.failed(job, f"internal fault, please report it: {type(error).__name__}: {error}")
        self.count[entry["status"]] += 1
        if job.done and output in self.earlier:
            return self.earlier[output]
        return {"source": job.name, "output": output, **entry}

    def restore(self, job: Job) -> dict[str, Any]:
        """Read, restore, write; the photograph last, so that its being there means that all is."""
        source = sys.stdin.buffer.read() if job.source is None else job.source
        picture = files.read(source)
        job.check_format()
        args = self.args
        result = self.dehazer(picture, strength=args.strength, samples=args.samples, force=args.force)
        untouched = np.array_equal(result.image, picture.pixels)
        self.write_extras(job, picture, result)
        self.write_picture(job, picture, result.image, source if untouched else None)
        status, report = UNTOUCHED if untouched else RESTORED, result.report
        self.progress.say(
            f"{job.name} -> {job.target or 'standard output'}: {status}; haze probability "
            f"{report.haze_probability:.2f}, confidence {report.tau:.2f} ({report.tau_db:.1f} dB), "
            f"{report.seconds:.1f} s"
        )
        return {"status": status, **report.to_dict()}

    def write_extras(self, job: Job, picture: files.Picture, result: Result) -> None:
        """Write the maps and the comparison that were asked for."""
        if job.haze_map is not None:
            write_bytes(job.haze_map, map_png(result.haze))
        if job.tau_map is not None:
            write_bytes(job.tau_map, map_png(result.tau))
        if job.comparison is not None:
            panels = comparison(picture.pixels, result.haze, result.image, result.tau, result.report)
            write_bytes(job.comparison, picture_png(panels))

    def write_picture(
        self, job: Job, picture: files.Picture, pixels: np.ndarray, original: Path | bytes | None
    ) -> None:
        """Write the photograph; `original` is the file of one that was left as it was, which is copied."""
        same_format = job.target is None or files.format_of(job.target) == picture.format
        if isinstance(original, Path):
            # A pipe with a name can be read only once.
            original = original.read_bytes() if original.is_file() and same_format else None
        if job.target is None:
            sys.stdout.buffer.write(original or files.encode(pixels, picture, picture.format))
            sys.stdout.buffer.flush()
        elif original is not None and same_format:
            write_bytes(job.target, original)
        else:
            job.target.parent.mkdir(parents=True, exist_ok=True)
            files.write(job.target, pixels, picture, overwrite=self.args.overwrite)

    def failed(self, job: Job, message: str) -> dict[str, Any]:
        """Say why a photograph could not be restored."""
        if self.args.verbose:
            self.progress.close()
            traceback.print_exc()
        # Messages of imaging.files begin with the name already; what came through a pipe has none there.
        message = message.removeprefix("<bytes>: ")
        self.progress.error(message if job.name in message else f"{job.name}: {message}")
        return {"status": FAILED, "error": message}

    def write_report(self) -> None:
        """Write the report of what was done so far, if one was asked for."""
        if self.args.report is None or not self.entries:
            return
        if self.many:
            write_bytes(Path(self.args.report), to_json(self.entries))
        elif self.entries[0]["status"] != FAILED:
            write_bytes(Path(self.args.report), to_json(self.entries[0]))


def _earlier_report(path: str) -> dict[str, dict[str, Any]]:
    """Read the report that an earlier run left, by output file; empty if there is none."""
    try:
        content = json.loads(Path(path).read_bytes())
        return {entry["output"]: entry for entry in (content if isinstance(content, list) else [content])}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise FileError(f"{path} is no report that could be continued; name another file") from error


def _fraction(text: str) -> float:
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value
