"""``clairvoy clear``: restore photographs, and say of each what was found and how far to trust the result."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace

from clairvoy.apps.argument_types import count, fraction, quality, seconds
from clairvoy.apps.clear.films import films_among, load_film_restorer, run_films
from clairvoy.apps.clear.jobs import Extras, Plan, is_many, plan
from clairvoy.apps.clear.outcome import FAILED, Outcome
from clairvoy.apps.clear.output_names import FORMATS
from clairvoy.apps.clear.raster_options import add_raster_arguments
from clairvoy.apps.clear.rasters import check_raster_options, shared_look
from clairvoy.apps.clear.restore_job import JobRestorer, LoadRestorer
from clairvoy.apps.clear.restore_settings import Settings
from clairvoy.apps.clear.run_report import RunReport
from clairvoy.apps.clear.workers import Outcomes, default_workers, in_this_process, in_workers
from clairvoy.apps.own_stderr import own_stderr
from clairvoy.apps.progress import Progress
from clairvoy.errors import SettingsError
from clairvoy.imaging.video.streams import PATIENCE
from clairvoy.restoring.sessions import DEVICES
from clairvoy.storage.atomic import remove_abandoned_parts
from clairvoy.storage.remote import is_remote

_NAMED = 5
"""Files that the summary names, of those that were not read."""
_EPILOG = """\
A photograph in which no haze is recognised is left as it was: copied, unless OUT is another format.
Nothing is ever half written, and a photograph that cannot be read does not stop the others.
HEIC is written as JPEG, camera raw as 16-bit TIFF, other formats that can only be read as PNG; --format
says otherwise. Of several folders each appears below OUT by its own name. Where p.jpg and p.tif of a folder
would get one name, one becomes p.tif.jpg, and their maps p.jpg.haze.png and p.tif.haze.png.
In a folder, files called NAME.clear.*, .haze.*, .tau.* and .comparison.* are taken for results of an
earlier run and passed over; name them one by one to restore them.

exit code: 0 all went well, 2 at least one photograph or argument did not

examples:
  clairvoy clear foggy.jpg                                 writes foggy.clear.jpg
  clairvoy clear foggy.jpg -o out.png --comparison look.png
  clairvoy clear photos/ -o clear/ --recursive --skip-existing --report report.json
  camera | clairvoy clear - | viewer
  clairvoy clear drive.mp4 -o drive.clear.mp4 --from 1:30 --to 2:00
  clairvoy clear scene.tif -o out.tif                      a raster of any size, by windows
  clairvoy clear tiles/ -o clear/ --mosaic

Films need pip install 'clairvoy[video]'. Sound, subtitles, chapters, times and colours stay; haze is followed
over time, so that nothing flickers. A film that breaks off gives what was there, and exit code 2.

Rasters (TIFFs that are georeferenced, or larger than --max-pixels) need pip install 'clairvoy[geo]'. Georeference,
bands, tiling and overviews stay. A run that was killed goes on where it was when the same command is given again.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``clairvoy clear`` understands."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument(
        "inputs", nargs="+", metavar="IN", help="photographs, folders, films, or - for a pipe"
    )

    where = parser.add_argument_group("what is written")
    add = where.add_argument
    add(
        "-o",
        "--output",
        metavar="OUT",
        help="for one photograph a file, whose suffix says the format; for several a folder; - for a pipe "
        "(default: NAME.clear.SUFFIX beside each photograph)",
    )
    add(
        "--report",
        metavar="FILE.json|FILE.html",
        help="what was found; for several photographs a list. As HTML one page to look at, the least trusted first",
    )
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
    add(
        "--format",
        choices=list(FORMATS),
        help="of the restored photographs (default: as they were, where that can be written)",
    )
    add(
        "--quality",
        type=quality,
        metavar="1..100",
        help="of JPEG, AVIF and WebP (default: the photograph's own if it is JPEG or WebP; otherwise high)",
    )
    add(
        "--max-pixels",
        type=count,
        default=200_000_000,
        metavar="N",
        help="largest photograph that is read (default: 200000000)",
    )
    add("-r", "--recursive", action="store_true", help="take folders inside folders too; the same tree out")
    add("-q", "--quiet", action="store_true", help="say nothing but errors")

    add = parser.add_argument_group("films").add_argument
    add(
        "--from",
        dest="begin",
        type=seconds,
        default=0.0,
        metavar="TIME",
        help="begin here: 90, 1:30 or 0:01:30",
    )
    add("--to", dest="end", type=seconds, metavar="TIME", help="end here (default: at the end)")
    add(
        "--film",
        action="store_true",
        help="what comes through a pipe is a film; to a pipe it goes as Matroska",
    )

    add_raster_arguments(parser)
    add(
        "--reconnect",
        type=seconds,
        default=PATIENCE,
        metavar="SECONDS",
        help="open a stream that breaks off again, until it is silent for so long (default: 30; 0: not at all)",
    )
    add("--preview", action="store_true", help="draw the restored film in the terminal while it is written")

    add = parser.add_argument_group("how it is restored").add_argument
    add(
        "--strength",
        type=fraction,
        default=1.0,
        metavar="0..1",
        help="how much haze to remove, such as 0.5 or 50%% (default: 1)",
    )
    add(
        "--samples",
        type=count,
        default=1,
        metavar="N",
        help="draw N restorations and keep what the discriminator believes (default: 1, the most likely one)",
    )
    add("--force", action="store_true", help="restore even where no haze is recognised")
    add(
        "--flat",
        action="store_true",
        help="restore a panorama like any other picture. Without it, pictures that go all the way around (XMP GPano, or "
        "twice as wide as high with ends and poles as a sphere has) are restored without a seam",
    )
    add(
        "--preset",
        choices=["fast", "fine"],
        help="fine: perceive each photograph at three sizes, and mirrored (default: fast, at one)",
    )
    add(
        "-j",
        "--jobs",
        type=count,
        metavar="N",
        help="photographs worked on side by side (default: as many as there are cores, and memory for)",
    )
    add(
        "--cluster",
        metavar="ADDRESS",
        help="let the workers of a Dask cluster restore, such as tcp://scheduler:8786; they must see the same files",
    )
    add("--device", choices=DEVICES, default="auto", help="where to compute (default: auto)")
    add("--weights", default="fast", metavar="NAME|FILE", help="released weights or your own (default: fast)")


def run(args: argparse.Namespace) -> int:
    """Restore what `args` names; return 0, or 2 if a photograph failed.

    Raises
    ------
    ClairvoyError
        What concerns the run and not one photograph: arguments, outputs, weights, device.
    """
    if films := films_among(args):
        with _ended_like_ctrl_c(), nullcontext() if args.verbose else own_stderr():
            return run_films(args, films, load_film_restorer)
    found = plan(
        args.inputs,
        args.output,
        Extras(args.haze_map, args.tau_map, args.comparison),
        format=args.format,
        report=args.report,
        recursive=args.recursive,
        overwrite=args.overwrite,
        skip_existing=args.skip_existing,
    )
    if any(job.target is None and job.fault is None for job in found.jobs) and sys.stdout.isatty():
        raise SettingsError("standard output is a terminal; send it to a file or a program, or give -o FILE")
    with _ended_like_ctrl_c(), nullcontext() if args.verbose else own_stderr():
        return Run(args, found).all()


@contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM, by which `timeout`, a batch system or a container ends a run, do what Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Run:
    """One run of the command: what became of each photograph, in the order of the plan, whatever the order of the work.

    Parameters
    ----------
    args
        The parsed arguments.
    plan
        What is to be done.
    load
        Makes what restores; another one stands in for the dehazer in tests.
    """

    def __init__(self, args: argparse.Namespace, plan: Plan, load: LoadRestorer = JobRestorer) -> None:
        self.args, self.plan, self.load = args, plan, load
        self.many = is_many(args.inputs)
        how = {
            "weights": args.weights, "preset": args.preset or "fast", "strength": f"{args.strength:g}",
            "samples": args.samples, "restored by force": "yes" if args.force else "no",
        }  # fmt: skip
        self.report = RunReport(args.report, self.many, how, resumed=args.skip_existing)
        self.progress = Progress(len(plan.jobs), quiet=args.quiet)
        self.count: Counter[str] = Counter()

    def all(self) -> int:
        """Take all photographs, then say how it went; 2 if one failed."""
        try:
            # Closed here and not whenever Python likes, so that after Ctrl-C no worker goes on.
            with closing(self._outcomes()) as outcomes:
                for number, outcome in outcomes:
                    self._note(number, outcome)
        finally:
            # Also after Ctrl-C: --skip-existing continues from this report.
            self.progress.close()
            self.report.write()
            self._tidy()
        if self.many:
            self.progress.say(self._summary())
        return 2 if self.count[FAILED] else 0

    def _outcomes(self) -> Outcomes:
        """What became of each photograph, as the work on it ends."""
        args, jobs = self.args, self.plan.jobs
        settings = Settings(
            weights=args.weights, device=args.device, preset=args.preset, strength=args.strength,
            samples=args.samples, force=args.force, flat=args.flat, format=args.format, quality=args.quality,
            overwrite=args.overwrite, verbose=args.verbose, max_pixels=args.max_pixels,
            previews=self.report.longer,
            bands=args.bands or (), range=args.range, search=args.search,
        )  # fmt: skip
        extras = any((args.haze_map, args.tau_map, args.comparison))
        check_raster_options(settings, jobs, args.mosaic, extras)
        self._tidy()
        work = sum(not job.done and job.fault is None for job in jobs)
        if args.mosaic and work:
            settings = replace(settings, mosaic=shared_look(jobs, settings))
        count = min(args.jobs, work) if args.jobs else default_workers(work)
        started = lambda job: self.progress.start(job.name)  # noqa: E731
        if args.cluster:
            from clairvoy.apps.clear.cluster import in_cluster  # few have one

            return in_cluster(jobs, settings, self.load, started, args.cluster)
        if count > 1:
            return in_workers(jobs, settings, self.load, started, count)
        return in_this_process(jobs, settings, self.load, started)

    def _tidy(self) -> None:
        """Take away what killed processes of this machine left unfinished, of an earlier run or of this one."""
        outputs = (path for job in self.plan.jobs for path in job.outputs if not is_remote(path))
        remove_abandoned_parts({path.parent for path in outputs})

    def _note(self, number: int, outcome: Outcome) -> None:
        job, entry = self.plan.jobs[number], outcome.entry
        # Noted before it is said: Ctrl-C may come at any moment.
        self.report.note(number, outcome, kept=job.done)
        self.progress.finish()
        self.count[entry["status"]] += 1
        if entry["status"] == FAILED:
            *details, message = outcome.said
            for line in details:
                self.progress.insist(line)
            self.progress.error(message)
        else:
            for line in outcome.said:
                self.progress.result(line)
        self.report.write_now_and_then()

    def _summary(self) -> str:
        text = ", ".join(f"{number} {status}" for status, number in self.count.items())
        if others := self.plan.not_read:
            more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
            named = ", ".join(map(str, others[:_NAMED])) + more
            text += f"; {len(others)} not read, because their names are not those of photographs: {named}"
        return text
