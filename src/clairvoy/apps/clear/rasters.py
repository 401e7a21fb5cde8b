"""One raster: looked at as a whole, restored window by window, written like it was stored."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clairvoy._version import __version__
from clairvoy.apps.clear.jobs import Job
from clairvoy.errors import FileError, SettingsError
from clairvoy.imaging.formats.recognition import WRITTEN_SUFFIXES
from clairvoy.imaging.rasters.recognition import (
    REMEDY,
    check_installed,
    is_georeferenced,
    is_installed,
    is_larger_than,
)
from clairvoy.storage.remote import is_remote

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clairvoy.apps.clear.restore_settings import Settings
    from clairvoy.imaging.picture import Picture
    from clairvoy.imaging.rasters.levels import Levels
    from clairvoy.imaging.rasters.raster_file import Part, RasterFile
    from clairvoy.restoring.dehazer import Dehazer, Result
    from clairvoy.restoring.raster import RasterLook, WindowRestoring

PLACE_LOST = f"is georeferenced; {REMEDY} also keeps its tiling, overviews and bands as they are stored"


def is_raster_job(job: Job, max_pixels: int) -> bool:
    """Tell whether a photograph is a raster, to be restored by windows into a TIFF.

    Raises
    ------
    FileError
        It is one that is too large for memory, and rasterio is not there.
    """
    if job.source is None or job.target is None or is_remote(job.source) or is_remote(job.target):
        return False
    if WRITTEN_SUFFIXES.get(job.target.suffix.lower()) != "TIFF":
        return False
    large = is_larger_than(job.source, max_pixels)
    if not large and not is_georeferenced(job.source):
        return False
    if large and not is_installed():
        raise FileError(
            f"{job.source}: has more than {max_pixels:,} pixels; to restore it by windows, {REMEDY}"
        )
    return is_installed()


def restore_raster(
    job: Job, dehazer: Dehazer, settings: Settings, extras: Callable[[Picture, Result], None]
) -> tuple[dict[str, Any], list[str]]:
    """Restore one raster.

    Parameters
    ----------
    job
        Its source and target, which are files.
    dehazer
        What restores.
    settings
        How.
    extras
        Writes the maps and the comparison that were asked for, of the size at which the raster was looked at.

    Returns
    -------
    tuple
        Its entry of the report, and lines for the user.

    Raises
    ------
    FileError
        It cannot be read, or the output not be written.
    """
    from clairvoy.imaging.rasters.levels import Levels
    from clairvoy.imaging.rasters.raster_file import RasterFile
    from clairvoy.restoring.raster import LookRestorer, look_at

    assert job.source is not None
    assert job.target is not None
    if job.target.exists() and not settings.overwrite:
        raise FileError(f"{job.target} exists; --overwrite replaces it")
    begun = time.monotonic()
    levels = Levels(*settings.range) if settings.range else None
    with RasterFile(job.source, settings.bands) as raster:
        notes = list(raster.notes)
        if settings.search is not None:
            return _searched(job, raster, dehazer, settings, levels)
        look = settings.mosaic or look_at(
            dehazer, [job.source], settings.bands, strength=settings.strength, samples=settings.samples,
            force=settings.force, levels=levels,
        )  # fmt: skip
        if look.small is not None:
            extras(*look.small)
        done = _restore(
            job, raster, settings, look.stamp(), look.levels, LookRestorer(dehazer, look, raster),
            unchanged=look.field.amount == 0,
        )  # fmt: skip
        report = replace(look.report, size=(raster.height, raster.width), seconds=time.monotonic() - begun)
        notes += _notes(raster, look.levels)
    entry = {
        **report.to_dict(),
        "bands": list(raster.colours),
        "black": look.levels.black,
        "white": look.levels.white,
        **done,
    }
    said = (
        f"{job.name} -> {job.target}: {done['status']}; haze probability {report.haze_probability:.2f}, confidence "
        f"{report.tau:.2f} ({report.tau_db:.1f} dB), {report.seconds:.1f} s"
    )
    return _told(job, entry, notes, said)


def shared_look(jobs: Sequence[Job], settings: Settings) -> RasterLook:
    """Look at all tiles of a mosaic together, also at those that are done.

    Raises
    ------
    FileError
        A tile cannot be read, or does not fit the others.
    """
    from clairvoy.imaging.rasters.levels import Levels
    from clairvoy.restoring.dehazer import Dehazer
    from clairvoy.restoring.raster import look_at

    dehazer = Dehazer.load(settings.weights, settings.device, settings.preset)
    sources = [job.source for job in jobs if job.source is not None and job.fault is None]
    look = look_at(
        dehazer, sources, settings.bands, strength=settings.strength, samples=settings.samples,
        force=settings.force, levels=Levels(*settings.range) if settings.range else None,
    )  # fmt: skip
    return replace(look, small=None)


def _searched(
    job: Job, raster: RasterFile, dehazer: Dehazer, settings: Settings, levels: Levels | None
) -> tuple[dict[str, Any], list[str]]:  # fmt: skip
    """Restore what the agent finds."""
    from clairvoy.restoring.raster_search import WINDOW_PIXELS, search_raster

    assert settings.search is not None
    begun = time.monotonic()
    haze = search_raster(
        dehazer.engine, raster, budget=settings.search, strength=settings.strength, levels=levels
    )
    search, levels = haze.found.search, haze.scene.levels
    done = _restore(
        job, raster, settings, haze.stamp(), levels, haze, unchanged=not search.recognised.any(),
        pixels=WINDOW_PIXELS, touches=haze.touches,
    )  # fmt: skip
    entry: dict[str, Any] = {
        "size": [raster.height, raster.width],
        "bands": list(raster.colours),
        "black": levels.black,
        "white": levels.white,
        "windows": search.visited.size,
        "windows_looked_at": int(search.visited.sum()),
        "windows_recognised": int(search.recognised.sum()),
        "thumbnail": haze.found.used_thumbnail,
        "tau": haze.found.tau,
        "seconds": time.monotonic() - begun,
        **done,
    }
    said = (
        f"{job.name} -> {job.target}: {done['status']}; {entry['windows_looked_at']} of {entry['windows']} windows read, "
        f"{entry['windows_recognised']} recognised as hazy; {100 * raster.touched.mean():.1f} % of the file decoded to "
        f"look and restore; {entry['seconds']:.1f} s"
    )
    return _told(job, entry, [*raster.notes, *_notes(raster, levels)], said)


def _restore(
    job: Job, raster: RasterFile, settings: Settings, stamp: str, levels: Levels, restore: WindowRestoring, *,
    unchanged: bool, pixels: int | None = None,
    touches: Callable[[Part], bool] = lambda part: True,
) -> dict[str, Any]:  # fmt: skip
    """Restore all windows that are touched, and write the output; gives what the report says of that."""
    from clairvoy.imaging.rasters.assembly import assemble, keep_as_it_was
    from clairvoy.imaging.rasters.unfinished import Unfinished, check_room
    from clairvoy.restoring.raster import WINDOW_PIXELS, restored_values

    source, target = job.source, job.target
    assert source is not None
    assert target is not None
    parts = raster.parts(pixels or WINDOW_PIXELS)
    wanted = [] if unchanged else [part for part in parts if touches(part)]
    size = source.stat().st_size
    share = sum(part.height * part.width for part in wanted) / (raster.height * raster.width)
    check_room(target, size + round(raster.bytes * share))
    changed_at = source.stat().st_mtime_ns
    made_from = [__version__, os.path.abspath(source), size, changed_at, raster.colours, len(parts), stamp]
    done = Unfinished(target, repr(made_from))
    try:
        for part in wanted:
            if not done.holds(part):
                values = restored_values(raster, part, levels, restore)
                if values is not None:
                    done.keep(part, values)
        read = float(raster.touched.mean())
        if any(done.holds(part) for part in wanted):
            assemble(raster, parts, done, target, settings.quality)
            status = "restored"
        else:
            keep_as_it_was(raster, done, target)
            status = "left as it was"
    except Exception:
        done.remove()
        raise
    done.remove()
    return {"status": status, "part_read": read, "parts_resumed": done.resumed}


def _notes(raster: RasterFile, levels: Levels) -> list[str]:
    """What was taken for black and white, where that is not plain."""
    if levels.fit(raster.dtype):
        return []
    return [
        f"values {levels.black:g} to {levels.white:g} are taken for black to white (--range says otherwise)"
    ]


def _told(job: Job, entry: dict[str, Any], notes: list[str], said: str) -> tuple[dict[str, Any], list[str]]:
    return {**entry, **({"notes": notes} if notes else {})}, [
        *(f"{job.name}: {note}" for note in notes),
        said,
    ]


def check_raster_options(settings: Settings, jobs: Sequence[Job], mosaic: bool, extras: bool) -> None:
    """Refuse what only rasters heed where there are none, and options that contradict one another.

    Raises
    ------
    SettingsError
        The message names the option.
    """
    asked = {"--search": settings.search is not None, "--mosaic": mosaic, "--bands": bool(settings.bands),
             "--range": settings.range is not None}  # fmt: skip
    named = [name for name, given in asked.items() if given]
    if not named:
        return
    check_installed(named[0])
    for job in jobs:
        if job.fault is None and not job.done and not is_raster_job(job, settings.max_pixels):
            raise SettingsError(
                f"{named[0]} is for rasters (TIFFs that are georeferenced or larger than --max-pixels, written as TIFF); "
                f"{job.name} is none"
            )
    if mosaic and extras:
        raise SettingsError(
            "--haze-map, --tau-map and --comparison are not made of a --mosaic; leave them out"
        )
    if settings.search is None:
        return
    for option, given in {
        "--mosaic": mosaic, "--force": settings.force, "--samples": settings.samples != 1,
        "--preset": settings.preset == "fine", "--haze-map, --tau-map and --comparison": extras,
    }.items():  # fmt: skip
        if given:
            raise SettingsError(
                f"{option} and --search exclude each other: a search looks at windows one by one"
            )
