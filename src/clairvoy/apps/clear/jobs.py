"""Which photograph becomes which file: decided, and refused if need be, before any work is done."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from clairvoy.apps.clear.output_names import FORMATS, PIPE, Extras, OutputNames, Source
from clairvoy.apps.outputs import check_writable
from clairvoy.errors import FileError, SettingsError
from clairvoy.imaging import files
from clairvoy.imaging.folders import contents_of, nothing_found
from clairvoy.imaging.formats.recognition import WRITTEN_SUFFIXES
from clairvoy.storage.remote import is_folder, is_remote, place, present

__all__ = ["PIPE", "Extras", "Job", "Plan", "is_many", "plan"]

# What names of results end in, before the suffix.
_OWN = (".clear", ".haze", ".tau", ".comparison")


@dataclass(frozen=True)
class Job:
    """One photograph and everything that is written for it."""

    source: Path | None
    """The photograph; None is standard input."""
    target: Path | None
    """The restored photograph; None is standard output."""
    haze_map: Path | None = None
    tau_map: Path | None = None
    comparison: Path | None = None
    done: bool = False
    """The restored photograph is there from an earlier run, and is to be kept."""
    fault: str | None = None
    """Why nothing can be made of this photograph, which does not stop the others."""

    @property
    def name(self) -> str:
        """What messages call the photograph."""
        return "standard input" if self.source is None else str(self.source)

    @property
    def outputs(self) -> list[Path]:
        """Every file that this job writes."""
        paths = (self.haze_map, self.tau_map, self.comparison, self.target)
        return [path for path in paths if path is not None]

    def check_format(self) -> None:
        """Raise FileError if the suffix of `target` stands for no format that can be written."""
        if self.target is None:
            return
        try:
            files.format_of(self.target)
        except FileError as error:
            raise FileError(f"{self.target}: {error}; or name a folder, with a / at its end") from error


@dataclass
class Plan:
    """What a run will do."""

    jobs: list[Job]
    """In the order of the inputs, the files of a folder sorted."""
    not_read: list[Path] = field(default_factory=list)
    """Files that lie beside the photographs of folders and are none."""


def plan(
    inputs: Sequence[str],
    output: str | None = None,
    extras: Extras | None = None,
    *,
    format: str | None = None,
    report: str | None = None,
    recursive: bool = False,
    overwrite: bool = False,
    skip_existing: bool = False,
) -> Plan:
    """Say what is read and written, and make sure that it can be.

    Parameters
    ----------
    inputs
        Files, folders, addresses of either, or only ``"-"`` for standard input. Whether a file can be read is
        found out when it is read, so that it does not stop the others.
    output
        For one photograph a file, or an existing folder; for several a folder, below which the tree of every
        folder of `inputs` appears again; of several folders each below its own name. None is ``NAME.clear.SUFFIX``
        beside each photograph, or standard output for standard input.
    extras
        Where the maps and the comparison go.
    format
        See `output_names.OutputNames`.
    report
        The report file. One that exists is kept by `skip_existing`: the new report continues it.
    recursive
        Take the folders inside folders too.
    overwrite, skip_existing
        What happens to files that exist: replaced, or their photograph skipped. Refused if neither is set.

    Raises
    ------
    FileError
        An output exists, cannot be written, would be written twice or over a photograph; a folder has no
        photographs. What the system says about one photograph only, such as that a name is too long, becomes
        the fault of its job instead.
    SettingsError
        Arguments that contradict one another.
    """
    if overwrite and skip_existing:
        raise SettingsError("--overwrite and --skip-existing contradict each other; give one of them")
    many = is_many(inputs)
    if PIPE in inputs and many:
        raise SettingsError("'-' (standard input) stands alone; run clairvoy once more for the other inputs")
    if output == PIPE and many:
        raise SettingsError("standard output takes one picture; name a folder with -o for several")
    if (
        format is not None
        and output not in (None, PIPE)
        and not many
        and WRITTEN_SUFFIXES.get(Path(str(output)).suffix.lower(), FORMATS[format]) != FORMATS[format]
    ):
        raise SettingsError(f"--format {format} and {output} contradict each other; give one of them")
    if output is not None and many and not is_remote(output) and os.path.isfile(place(output)):
        raise FileError(f"{output} is a file; for several photographs -o names a folder")

    found = Plan([])
    sources = list(_photographs(inputs, output, recursive, found))
    names = OutputNames(sources, output, many, format)
    found.jobs[:0] = [_job(source, names, extras or Extras(), skip_existing) for source in sources]
    if skip_existing:
        found.jobs = _without_those_elsewhere(found.jobs)
    jobs = [job for job in found.jobs if job.fault is None]
    if output is not None and not many and jobs:
        jobs[0].check_format()
    report_path = [] if report is None else [place(report)]
    _check_collisions(jobs, report_path)
    if not overwrite and not skip_existing:
        _check_absent([path for job in jobs for path in job.outputs] + report_path)
    check_writable([path for job in jobs if not job.done for path in job.outputs] + report_path)
    return found


def is_many(inputs: Sequence[str]) -> bool:
    """Tell whether outputs are folders and the report a list: for several inputs, and for a folder."""
    return len(inputs) > 1 or any(is_folder(name) for name in inputs)


def _photographs(inputs: Sequence[str], output: str | None, recursive: bool, found: Plan) -> Iterator[Source]:
    """Yield every photograph; note in `found` what cannot be read."""
    folders = [place(name) for name in inputs if is_folder(name)]
    below = _told_apart(folders) if len(folders) > 1 else {folder: Path() for folder in folders}
    for name in inputs:
        path = place(name)
        if name == PIPE:
            yield Source(None, Path("stdin.png"))
        elif path not in below:
            yield Source(path, Path(path.name))
        else:
            contents = contents_of(path, recursive=recursive)
            mine = [item for item in contents.photographs if not _is_own_output(item, path, output)]
            found.not_read += [item for item in contents.others if not _is_own_output(item, path, output)]
            found.jobs += [
                Job(
                    folder,
                    None,
                    fault=f"{folder}: cannot be looked into ({error.strerror}); check its permissions",
                )
                for folder, error in contents.unreadable
            ]
            if not contents.photographs:
                raise FileError(nothing_found(path, recursive))
            if not mine:
                raise FileError(f"{path}: every photograph here is a result of clairvoy; name another folder")
            for item in mine:
                yield Source(item, below[path].joinpath(*item.relative_to(path).parts))


def _told_apart(folders: Sequence[Path]) -> dict[Path, Path]:
    """The shortest ends of the folders' paths that differ from one another."""
    parts = {folder: _parts(folder) for folder in folders}
    longest = max(map(len, parts.values()), default=0)
    for length in range(1, longest + 1):
        ends = {folder: Path(*part[-length:]) for folder, part in parts.items()}
        if len(set(ends.values())) == len(set(parts.values())):
            return ends
    return {folder: Path(*part) for folder, part in parts.items()}


def _parts(folder: Path) -> tuple[str, ...]:
    if is_remote(folder):
        return tuple(part for name in folder.parts if (part := name.strip("/")))
    return Path(os.path.abspath(folder)).parts[1:]


def _is_own_output(photograph: Path, folder: Path, output: str | None) -> bool:
    """Tell whether an earlier run wrote this; a second run over the folder must not restore it again."""
    if photograph.stem.endswith(_OWN):
        return True
    if output is None:
        return False
    inside = place(output).resolve()
    return inside != folder.resolve() and inside in photograph.resolve().parents


def _job(source: Source, names: OutputNames, extras: Extras, skip_existing: bool) -> Job:
    try:
        target = names.target(source)
        job = Job(
            source=source.path,
            target=target,
            haze_map=names.extra(extras.haze_map, "haze", source),
            tau_map=names.extra(extras.tau_map, "tau", source),
            comparison=names.extra(extras.comparison, "comparison", source),
            done=skip_existing and target is not None and not is_remote(target) and target.exists(),
        )
        for path in [*job.outputs, *([source.path] if source.path else [])]:
            _check_name(path)
    except (OSError, ValueError) as error:
        if isinstance(error, (FileError, SettingsError)):
            raise
        reason = getattr(error, "strerror", None) or error
        return Job(
            source.path,
            None,
            fault=f"{source.path}: {reason}; give it another name, or its output one with -o",
        )
    return job


def _without_those_elsewhere(jobs: Sequence[Job]) -> list[Job]:
    """The jobs, those done whose output is on a store already: it is asked once for a folder, not for each file."""
    there = present(job.target for job in jobs if job.target is not None and is_remote(job.target))
    return [replace(job, done=True) if job.target in there else job for job in jobs]


def _check_name(path: Path) -> None:
    """Raise OSError if the system does not take such a name; that nothing is there is fine."""
    if is_remote(path):
        return
    folder = path.parent
    while not folder.exists():  # in a folder that is missing every name is only missing too
        folder = folder.parent
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        os.lstat(folder / path.name)


def _check_collisions(jobs: Sequence[Job], report: Sequence[Path]) -> None:
    sources = {job.source.resolve() for job in jobs if job.source is not None}
    taken: dict[Path, str] = {}
    claims = [(path, job.name) for job in jobs for path in job.outputs]
    for path, claimant in [*claims, *((path, "the report") for path in report)]:
        resolved = path.resolve()
        if resolved in sources:
            raise FileError(f"{path} is one of the photographs to read, which are kept; name another output")
        if resolved in taken:
            both = f"{taken[resolved]} and {claimant}"
            raise FileError(f"{both} would both be written to {path}; give them outputs of their own")
        taken[resolved] = claimant


def _check_absent(paths: Iterable[Path]) -> None:
    paths = list(paths)
    there = present(path for path in paths if is_remote(path))
    existing = [path for path in paths if path in there or (not is_remote(path) and _lies_here(path))]
    if existing:
        more = f" (and {len(existing) - 1} more)" if len(existing) > 1 else ""
        raise FileError(f"{existing[0]}{more} exists; --overwrite replaces it, --skip-existing keeps it")


def _lies_here(path: Path) -> bool:
    return os.path.lexists(path) and not path.is_dir()
