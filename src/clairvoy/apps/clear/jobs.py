"""Which photograph becomes which file: decided, and refused if need be, before any work is done."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clairvoy.apps.outputs import check_writable
from clairvoy.errors import FileError, SettingsError
from clairvoy.imaging import files

PIPE = "-"
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


@dataclass(frozen=True)
class Extras:
    """Where maps and comparison go: for one photograph a PNG file, for several a folder; None is nowhere."""

    haze_map: str | None = None
    tau_map: str | None = None
    comparison: str | None = None


def plan(
    inputs: Sequence[str],
    output: str | None = None,
    extras: Extras | None = None,
    *,
    report: str | None = None,
    recursive: bool = False,
    overwrite: bool = False,
    skip_existing: bool = False,
) -> list[Job]:
    """Say what is read and written, and make sure that it can be.

    Parameters
    ----------
    inputs
        Files, folders, or only ``"-"`` for standard input. Whether a file can be read is found out when it is
        read, so that it does not stop the others.
    output
        For one photograph a file, or an existing folder; for several a folder, below which the tree of every
        folder of `inputs` appears again. None is ``NAME.clear.SUFFIX`` beside each photograph, or standard
        output for standard input.
    extras
        Where the maps and the comparison go.
    report
        The report file. One that exists is kept by `skip_existing`: the new report continues it.
    recursive
        Take the folders inside folders too.
    overwrite, skip_existing
        What happens to files that exist: replaced, or their photograph skipped. Refused if neither is set.

    Returns
    -------
    list of Job
        In the order of `inputs`, the files of a folder sorted.

    Raises
    ------
    FileError
        An output exists, cannot be written, would be written twice or over a photograph; a folder has no
        photographs.
    SettingsError
        Arguments that contradict one another.
    """
    extras = extras or Extras()
    if overwrite and skip_existing:
        raise SettingsError("--overwrite and --skip-existing contradict each other; give one of them")
    many = is_many(inputs)
    if PIPE in inputs and many:
        raise SettingsError("'-' (standard input) stands alone; run clairvoy once more for the other inputs")
    if output == PIPE and many:
        raise SettingsError("standard output takes one picture; name a folder with -o for several")
    if output is not None and many and Path(output).is_file():
        raise FileError(f"{output} is a file; for several photographs -o names a folder")

    jobs = []
    for source, relative in _photographs(inputs, output, recursive):
        target = _target(source, relative, output, many)
        jobs.append(
            Job(
                source=source,
                target=target,
                haze_map=_extra(extras.haze_map, "haze", relative, many),
                tau_map=_extra(extras.tau_map, "tau", relative, many),
                comparison=_extra(extras.comparison, "comparison", relative, many),
                done=skip_existing and target is not None and target.exists(),
            )
        )
    if output is not None and not many:
        jobs[0].check_format()
    report_path = [] if report is None else [Path(report)]
    _check_collisions(jobs, report_path)
    if not overwrite and not skip_existing:
        _check_absent([path for job in jobs for path in job.outputs] + report_path)
    check_writable([path for job in jobs if not job.done for path in job.outputs] + report_path)
    return jobs


def is_many(inputs: Sequence[str]) -> bool:
    """Tell whether outputs are folders and the report a list: for several inputs, and for a folder."""
    return len(inputs) > 1 or any(Path(name).is_dir() for name in inputs)


def _photographs(
    inputs: Sequence[str], output: str | None, recursive: bool
) -> Iterator[tuple[Path | None, Path]]:
    """Yield every photograph (None: standard input) and its place below an output folder."""
    for name in inputs:
        path = Path(name)
        if name == PIPE:
            yield None, Path("stdin.png")
        elif path.is_dir():
            found = [
                photograph
                for photograph in files.find_photographs(path, recursive=recursive)
                if not _is_own_output(photograph, path, output)
            ]
            if not found:
                raise FileError(f"{path}: every photograph here is a result of clairvoy; name another folder")
            for photograph in found:
                yield photograph, photograph.relative_to(path)
        else:
            yield path, Path(path.name)


def _is_own_output(photograph: Path, folder: Path, output: str | None) -> bool:
    """Tell whether an earlier run wrote this; a second run over the folder must not restore it again."""
    if photograph.stem.endswith(_OWN):
        return True
    if output is None:
        return False
    inside = Path(output).resolve()
    return inside != folder.resolve() and inside in photograph.resolve().parents


def _target(source: Path | None, relative: Path, output: str | None, many: bool) -> Path | None:
    if output == PIPE or (output is None and source is None):
        return None
    if output is None:
        assert source is not None
        return source.with_name(f"{source.stem}.clear{source.suffix}")
    path = Path(output)
    if many or path.is_dir() or output.endswith(("/", os.sep)):
        path = path / relative
    return path


def _extra(argument: str | None, kind: str, relative: Path, many: bool) -> Path | None:
    if argument is None:
        return None
    path = Path(argument)
    is_png = path.suffix.lower() == ".png"
    if many and is_png and not path.is_dir():
        raise SettingsError(f"{argument} is one file, but there are several {kind} pictures; name a folder")
    if many or path.is_dir() or argument.endswith(("/", os.sep)):
        return path / relative.with_name(f"{relative.stem}.{kind}.png")
    if not is_png:
        raise SettingsError(f"the {kind} picture is a PNG; give {argument} the suffix .png, or name a folder")
    return path


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
    existing = [path for path in paths if os.path.lexists(path) and not path.is_dir()]
    if existing:
        more = f" (and {len(existing) - 1} more)" if len(existing) > 1 else ""
        raise FileError(f"{existing[0]}{more} exists; --overwrite replaces it, --skip-existing keeps it")
