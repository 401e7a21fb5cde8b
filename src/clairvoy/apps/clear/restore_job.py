"""One photograph: read, restored, written; what is wrong with it is said and stops no other."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from clairvoy.apps.clear.jobs import Job
from clairvoy.apps.clear.outcome import FAILED, RESTORED, SKIPPED, UNTOUCHED, Outcome
from clairvoy.apps.clear.output_names import FORMATS
from clairvoy.apps.clear.previews import Previews, previews_of
from clairvoy.apps.clear.rasters import PLACE_LOST, is_raster_job, restore_raster
from clairvoy.apps.clear.restore_settings import Settings
from clairvoy.apps.outputs import write_bytes
from clairvoy.drawing.png import map_png, picture_png
from clairvoy.errors import ClairvoyError, SettingsError, WeightsError
from clairvoy.imaging import files
from clairvoy.imaging.picture import UnchangingPicture, same_pixels
from clairvoy.imaging.rasters.recognition import is_georeferenced, is_installed
from clairvoy.storage.remote import is_remote, read_whole

if TYPE_CHECKING:
    from clairvoy.restoring.dehazer import Dehazer, Result


class JobRestorer:
    """Restores photographs one after another; the weights are loaded for the first.

    Parameters
    ----------
    settings
        How.
    """

    imports: ClassVar[tuple[str, ...]] = ("clairvoy.restoring.dehazer",)
    """What takes long to import and is best imported before a process is copied."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def dehazer(self) -> Dehazer:
        """The loaded model."""
        # Here and not at the top: it takes seconds to load, and most mistakes are found without it.
        from clairvoy.restoring.dehazer import Dehazer

        settings = self.settings
        return Dehazer.load(settings.weights, settings.device, settings.preset)

    def __call__(self, job: Job) -> Outcome:
        """Restore one photograph.

        Raises
        ------
        SettingsError, WeightsError, BrokenPipeError
            What is about the run: the next photograph would only say it again.
        """
        output = str(job.target or "-")
        start = {"source": job.name, "output": output if job.fault is None else None}
        if job.done:
            return Outcome({**start, "status": SKIPPED})
        if job.fault is not None:
            return self._failed(job, start, job.fault)
        try:
            outcome = self._restore(job)
        except (SettingsError, WeightsError, BrokenPipeError):
            raise
        except Exception as error:
            # A fault of ours, too, must not cost a night's work on the other photographs.
            return self._failed(job, start, error)
        return replace(outcome, entry={**start, **outcome.entry})

    def _failed(self, job: Job, start: dict[str, Any], why: str | Exception) -> Outcome:
        """Say why nothing was made of a photograph."""
        message, details = str(why), []
        if isinstance(why, Exception) and self.settings.verbose:
            details = ["".join(traceback.format_exception(why))]
        if isinstance(why, MemoryError):
            message = "does not fit into memory; reduce it first"
        elif isinstance(why, Exception) and not isinstance(why, (ClairvoyError, OSError)):
            message = f"internal fault, please report it: {type(why).__name__}: {why}"
        # Messages of imaging.files begin with the name already; what came through a pipe has none there.
        message = message.removeprefix("<bytes>: ")
        said = [*details, message if job.name in message else f"{job.name}: {message}"]
        return Outcome({**start, "status": FAILED, "error": message}, said, isinstance(why, MemoryError))

    def _restore(self, job: Job) -> Outcome:
        """Read, restore, write; the photograph last, so that its being there means that all is."""
        if is_raster_job(job, self.settings.max_pixels):
            return self._restore_raster(job)
        source = self._source(job)
        picture = UnchangingPicture.of(files.read(source, max_pixels=self.settings.max_pixels))
        job.check_format()
        settings = self.settings
        result = self.dehazer(
            picture,
            strength=settings.strength,
            samples=settings.samples,
            force=settings.force,
            flat=settings.flat,
        )
        self._write_extras(job, picture, result)
        longer = settings.previews
        previews = None if longer is None else previews_of(picture.pixels, result, longer)
        untouched, pixels, report = same_pixels(result.image, picture.pixels), result.image, result.report
        status = UNTOUCHED if untouched else RESTORED
        if not untouched:
            # The photograph as it was is let go: to encode a large one takes as much again.
            picture = replace(picture, pixels=pixels)
        del result
        self._write_picture(job, picture, pixels, source if untouched else None)
        notes = list(picture.notes)
        if isinstance(source, Path) and not is_installed() and is_georeferenced(source):
            notes.append(PLACE_LOST)
        said = [f"{job.name}: {note}" for note in notes]
        kind = " as a panorama" if report.sphere and not untouched else ""
        said.append(
            f"{job.name} -> {job.target or 'standard output'}: {status}{kind}; haze probability "
            f"{report.haze_probability:.2f}, confidence {report.tau:.2f} ({report.tau_db:.1f} dB), "
            f"{report.seconds:.1f} s"
        )
        kept = {"notes": notes} if notes else {}
        return Outcome({"status": status, **kept, **report.to_dict()}, said, previews=previews)

    def _restore_raster(self, job: Job) -> Outcome:
        """Restore a raster by windows; maps, comparison and previews are of the size at which it was looked at."""
        assert job.target is not None
        job.target.parent.mkdir(parents=True, exist_ok=True)
        drawn: list[Previews] = []

        def seen(picture: files.Picture, result: Result) -> None:
            self._write_extras(job, picture, result)
            if self.settings.previews is not None:
                drawn.append(previews_of(picture.pixels, result, self.settings.previews))

        entry, said = restore_raster(job, self.dehazer, self.settings, seen)
        return Outcome(entry, said, previews=drawn[0] if drawn else None)

    def _source(self, job: Job) -> Path | bytes:
        """A file, or the bytes of what is none: they can, or should, be had only once."""
        if job.source is None:
            return sys.stdin.buffer.read()
        if is_remote(job.source):
            return read_whole(job.source, files.most_bytes(self.settings.max_pixels))
        return job.source

    def _write_extras(self, job: Job, picture: files.Picture, result: Result) -> None:
        """Write the maps and the comparison that were asked for."""
        if job.haze_map is not None:
            write_bytes(job.haze_map, map_png(result.haze))
        if job.tau_map is not None:
            write_bytes(job.tau_map, map_png(result.tau))
        if job.comparison is not None:
            from clairvoy.apps.clear.report import comparison

            panels = comparison(picture.pixels, result.haze, result.image, result.tau, result.report)
            write_bytes(job.comparison, picture_png(panels))

    def _write_picture(
        self, job: Job, picture: files.Picture, pixels: np.ndarray, source: Path | bytes | None
    ) -> None:
        """Write pixels, or copy `source`, if that is given and of the same format."""
        how: dict[str, Any] = {"overwrite": self.settings.overwrite, "quality": self.settings.quality}
        if job.target is not None and not is_remote(job.target):
            job.target.parent.mkdir(parents=True, exist_ok=True)
            if source is None:
                files.write(job.target, pixels, picture, **how)
            else:
                files.write_restored(job.target, pixels, picture, source, **how)
            return
        if job.target is not None:
            kind = files.format_of(job.target)
        else:
            kind = FORMATS[self.settings.format] if self.settings.format else files.written_format(picture)
        data = files.restored_bytes(pixels, picture, source, kind, quality=how["quality"])
        if job.target is not None:
            write_bytes(job.target, data)
            return
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


LoadRestorer = Callable[[Settings], Callable[[Job], Outcome]]
"""Makes what restores, in the process in which it works."""
