"""`clairvoy clear film.mp4`: films, frame by frame, each whole or as far as it could be read."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clairvoy.apps.clear.output_names import PIPE
from clairvoy.apps.outputs import to_json, write_bytes
from clairvoy.apps.progress import Progress
from clairvoy.errors import ClairvoyError, SettingsError
from clairvoy.imaging.panorama import panorama_of
from clairvoy.imaging.video.reading import Shown, is_film, is_stream
from clairvoy.imaging.video.streams import PATIENCE, LiveStream, open_film
from clairvoy.imaging.video.writing import CONTAINERS, FilmWriter
from clairvoy.storage.atomic import replacing
from clairvoy.storage.remote import is_folder, is_remote, place, present, sent_to

if TYPE_CHECKING:
    from clairvoy.apps.paint.preview import Preview

RestoreFrame = Callable[[Any, float], Any]
"""Restores the pixels (H, W, 3) of a frame that is shown at a time in seconds."""
_OF_RASTERS = ("mosaic", "search", "bands", "range")
_SPOKEN_EVERY, _DRAWN_EVERY = 5.0, 0.2
_KEPT_CONTAINER = ".mkv"


@dataclass(frozen=True)
class Span:
    """The part of a film, in seconds."""

    begin: float = 0.0
    end: float | None = None

    def __post_init__(self) -> None:
        if self.begin < 0 or (self.end is not None and self.end <= self.begin):
            raise SettingsError(
                f"--from {self.begin:g} --to {self.end}: the part of a film must begin before it ends"
            )


def films_among(args: argparse.Namespace) -> list[str]:
    """The films that `args` names; all inputs or none.

    Raises
    ------
    SettingsError
        Films and photographs are named together, or what only photographs have is asked of films.
    """
    out_is_film = args.output is not None and Path(args.output).suffix.lower() in CONTAINERS
    found = [name for name in args.inputs if is_film(name) or (name == PIPE and (args.film or out_is_film))]
    if not found:
        if args.begin or args.end is not None:
            raise SettingsError(
                "--from and --to are for films; name a film, or for a film from a pipe add --film"
            )
        if args.preview:
            raise SettingsError("--preview is for films; name a film, a stream or camera")
        return []
    if len(found) < len(args.inputs):
        others = next(name for name in args.inputs if name not in found)
        raise SettingsError(
            f"{others}: films and photographs are restored in calls of their own; name only films here"
        )
    for name in ("haze_map", "tau_map", "comparison", "format", "quality", "jobs", "cluster", *_OF_RASTERS):
        if getattr(args, name) not in (None, False):
            raise SettingsError(f"--{name.replace('_', '-')} is for photographs; leave it out for films")
    if args.samples != 1:
        raise SettingsError(
            "--samples is for photographs; draws that differ from frame to frame would flicker"
        )
    if args.flat:
        raise SettingsError("--flat is for photographs; films are restored flat anyway, leave it out")
    return found


def target_of(name: str, output: str | None, many: bool) -> Path | None:
    """Where a film is written; None is standard output.

    Raises
    ------
    SettingsError
        Several films would become one file, or the suffix is of no container that holds a film whole.
    """
    if output == PIPE or (output is None and name == PIPE):
        return None
    source = place("stream" if is_stream(name) else "film" if name == PIPE else name)
    suffix = source.suffix.lower() if source.suffix.lower() in CONTAINERS else _KEPT_CONTAINER
    if output is None:
        if is_stream(name):
            raise SettingsError(f"{name}: say with -o FILE where a stream is written")
        return source.with_name(f"{source.stem}.clear{suffix}")
    path = place(output)
    if many or is_folder(output) or output.endswith("/"):
        return path / f"{source.stem}{suffix}"
    if path.suffix.lower() not in CONTAINERS:
        raise SettingsError(f"{output}: not the name of a film; end it with one of {', '.join(CONTAINERS)}")
    return path


def _is_same(name: str, target: Path) -> bool:
    if is_remote(name) or is_remote(target):
        return name == str(target)
    return place(name).exists() and target.exists() and target.samefile(place(name))


def _is_there(target: Path) -> bool:
    return bool(present([target])) if is_remote(target) else target.exists()


def _preview(args: argparse.Namespace) -> Preview | None:
    if not args.preview:
        return None
    from clairvoy.apps.paint.preview import Preview

    if not sys.stderr.isatty():
        raise SettingsError(
            "--preview draws in a terminal, and there is none; to look in a window: clairvoy clear IN -o - | ffplay -"
        )
    return Preview()


def load_film_restorer(args: argparse.Namespace) -> Callable[[], RestoreFrame]:
    """Load the weights that `args` names; gives what makes a restorer for each film."""
    from clairvoy.restoring.dehazer import Dehazer
    from clairvoy.restoring.film import FilmRestorer

    dehazer = Dehazer.load(args.weights, args.device, args.preset)
    return lambda: FilmRestorer(dehazer, strength=args.strength, force=args.force)


def run_films(
    args: argparse.Namespace,
    names: list[str],
    load: Callable[[argparse.Namespace], Callable[[], RestoreFrame]],
) -> int:
    """Restore films one after another; 0, or 2 if one failed or broke off.

    Parameters
    ----------
    args
        The parsed arguments.
    names
        The films.
    load
        See `load_film_restorer`; another one stands in for it in tests.
    """
    span = Span(args.begin, args.end)
    targets = [target_of(name, args.output, len(names) > 1) for name in names]
    if None in targets and sys.stdout.isatty():
        raise SettingsError("standard output is a terminal; send it to a file or a program, or give -o FILE")
    for name, target in zip(names, targets, strict=True):
        if target is not None and _is_same(name, target):
            raise SettingsError(f"{target}: the film itself; give another name with -o")
    if len({str(target) for target in targets}) < len(targets):
        raise SettingsError("two films would be written to one file; restore them in calls of their own")
    progress, entries, failed = Progress(len(names), quiet=args.quiet), [], False
    restorers, preview = None, _preview(args)
    for name, target in zip(names, targets, strict=True):
        progress.start(name)
        entry: dict[str, Any] = {"source": name, "output": str(target or PIPE)}
        if target is not None and not args.overwrite and _is_there(target):
            if args.skip_existing:
                entry["status"] = "skipped"
            else:
                entry |= {"status": "failed", "error": f"{target} exists; --overwrite replaces it"}
        else:
            try:
                restorers = restorers or load(args)
                entry |= restore_film(
                    name, target, restorers(), span, progress, patience=args.reconnect, preview=preview
                )
            except (ClairvoyError, OSError) as error:
                if isinstance(error, BrokenPipeError):
                    raise
                entry |= {"status": "failed", "error": str(error)}
        progress.finish()
        failed |= entry["status"] in ("failed", "broke off")
        _speak(progress, entry)
        entries.append(entry)
        if args.report:
            write_bytes(place(args.report), to_json(entries if len(names) > 1 else entries[0]))
    progress.close()
    return 2 if failed else 0


def restore_film(
    name: str,
    target: Path | None,
    restore: RestoreFrame,
    span: Span,
    progress: Progress | None = None,
    *,
    patience: float = PATIENCE,
    preview: Preview | None = None,
) -> dict[str, Any]:
    """Restore one film; gives its entry of the report.

    Raises
    ------
    FileError
        It cannot be read, or has no picture in the part asked for; nothing is written then.
    """
    began = spoken = time.monotonic()
    drawn = -_DRAWN_EVERY
    frames, last, all_around = 0, 0.0, False
    with open_film(name, patience) as film, _output(target) as (place, container):
        writer = FilmWriter(place, film, container, span.begin)
        length = (span.end or film.seconds or 0.0) - span.begin
        try:
            for part in film.content(span.begin, span.end):
                if not isinstance(part, Shown):
                    writer.copy(part)
                    continue
                all_around = all_around or (not frames and panorama_of(part.pixels) is not None)
                pixels = restore(part.pixels, part.time)
                writer.write(part, pixels)
                frames, last = frames + 1, part.time
                now = time.monotonic()
                if preview is not None and now - drawn >= _DRAWN_EVERY:
                    drawn = now
                    preview.show(pixels / np.float32(np.iinfo(pixels.dtype).max))
                if progress is not None and now - spoken >= _SPOKEN_EVERY:
                    spoken = now
                    share = f" of {length:.0f} s" if length > 0 else " s"
                    progress.say(
                        f"{name}: {last - span.begin:.0f}{share}, {frames / (now - began):.1f} frames/s"
                    )
        except KeyboardInterrupt:
            # A stream has no end of its own: this is how somebody ends it.
            if not is_stream(name) or not frames:
                raise
        finally:
            writer.close()
        lost = film.losses
    entry: dict[str, Any] = {
        "status": "broke off" if lost.ended else "restored",
        "frames": frames,
        "seconds_of_film": round(last - span.begin, 3),
        "seconds": round(time.monotonic() - began, 2),
    }
    if isinstance(film, LiveStream) and film.reconnections:
        entry["reconnections"] = film.reconnections
    if all_around:
        entry["panorama"] = True
    if lost.frames:
        entry["frames_lost"] = lost.frames
    if lost.ended:
        entry["ended"] = lost.ended
    if lost.left_out:
        entry["left_out"] = lost.left_out
    return entry


@contextmanager
def _output(target: Path | None) -> Iterator[tuple[Any, str]]:
    """Where to write and in which container; a file takes its place only when it is whole."""
    if target is None:
        yield sys.stdout.buffer, CONTAINERS[_KEPT_CONTAINER]
        return
    suffix = target.suffix.lower()
    if is_remote(target):
        with sent_to(target, suffix) as here:
            yield str(here), CONTAINERS[suffix]
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as part:
        yield str(part), CONTAINERS[suffix]


def _speak(progress: Progress, entry: dict[str, Any]) -> None:
    """Say what became of a film."""
    if entry["status"] == "failed":
        progress.error(
            entry["error"] if entry["source"] in entry["error"] else f"{entry['source']}: {entry['error']}"
        )
        return
    if entry["status"] == "skipped":
        progress.result(f"{entry['source']}: skipped, {entry['output']} exists")
        return
    rate = entry["frames"] / max(entry["seconds"], 1e-3)
    progress.result(
        f"{entry['source']} -> {entry['output']}: {entry['frames']} frames, {entry['seconds_of_film']:.1f} s of film in "
        f"{entry['seconds']:.1f} s ({rate:.1f} frames/s)"
    )
    if "panorama" in entry:
        progress.say(
            f"{entry['source']}: shows all around and was restored flat: a seam may show where its ends meet"
        )
    if "frames_lost" in entry:
        progress.say(f"{entry['source']}: {entry['frames_lost']} frames could not be read and are left out")
    if "reconnections" in entry:
        progress.say(f"{entry['source']}: broke off and was opened again {entry['reconnections']} times")
    if "left_out" in entry:
        progress.say(f"{entry['source']}: the output cannot hold {', '.join(entry['left_out'])}; try .mkv")
    if "ended" in entry:
        progress.error(f"{entry['source']}: broke off: {entry['ended']}; what was there is restored")
