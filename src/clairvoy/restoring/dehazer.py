"""The dehazer: load once, call many.

    from clairvoy import Dehazer, clear
    picture = clear("foggy.jpg")
    result = Dehazer.load("fast")(photo)

A call perceives the picture once at low resolution, and the agent searches what was perceived for haze. Where it is sure
that there is none, the picture comes back as it went in. Otherwise the generator's optical depth is read along the
full-resolution picture and the physics is inverted, the more gently the less sure the agent is. Memory stays bounded, and
16 bits stay 16 bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from clairvoy.errors import InputError, SettingsError
from clairvoy.generative.density.recognition import RESTORE_FROM
from clairvoy.imaging.files import read, write_restored
from clairvoy.imaging.picture import UnchangingPicture
from clairvoy.imaging.picture_kinds import is_batch, is_file, source_of, stacked, unpack
from clairvoy.restoring.cast import without_cast
from clairvoy.restoring.engine import Engine, Perceived
from clairvoy.restoring.full_resolution import Box, FullResolution
from clairvoy.restoring.noise import noise_level, within_noise, within_signal
from clairvoy.restoring.projection import EqualArea, Flat, Projection, field_of, projection_of
from clairvoy.restoring.report import Report
from clairvoy.restoring.steady import HazeField
from clairvoy.searching.beliefs import pool_beliefs
from clairvoy.searching.explore import PHOTOGRAPH_BUDGET, SearchResult, cut_windows, search

DEFAULT_WEIGHTS = "fast"
"""The weights that the presets share."""
PRESETS: dict[str, tuple[int, ...]] = {"fast": (), "fine": (320 * 320, 384 * 384)}
"""Areas, in pixels, at which a picture is perceived besides the usual one, each as it is and mirrored: what is wrong at
one size may be right at another."""
SURE_FROM = 0.6
"""Probability of haze from which all of it is taken away; between `RESTORE_FROM` and this, a part."""


@dataclass
class Result:
    """A restored picture. The maps are computed when first asked for, at full resolution."""

    image: Any
    """The same kind as went in (a file: `Picture`; a `Picture`: its pixel array)."""
    report: Report
    airlight: np.ndarray
    """(3,) float32 in [0, 1]."""
    field: HazeField
    """What was taken away; `Dehazer.take_away` takes it from other pixels of the same scene."""
    _transmission: Callable[[], np.ndarray]
    _tau: Callable[[], np.ndarray]

    @property
    def transmission(self) -> np.ndarray:
        """As believed, (H, W) float32 in (0, 1]; noise may have kept the restoration from using all of it."""
        return self._transmission()

    @property
    def haze(self) -> np.ndarray:
        """1 - transmission, (H, W) float32 in [0, 1)."""
        return 1 - self.transmission

    @property
    def tau(self) -> np.ndarray:
        """Confidence in each place, (H, W) float32 in [0, 1]."""
        return np.clip(self._tau(), 0, 1)


class Dehazer:
    """Trained weights that restore pictures.

    Parameters
    ----------
    engine
        From `Engine.load`.
    name
        Of the weights, for the report.
    preset
        How carefully pictures are perceived, see `PRESETS`: "fast", or "fine".
    """

    def __init__(self, engine: Engine, name: str = "unnamed", preset: str = "fast") -> None:
        if preset not in PRESETS:
            raise SettingsError(f"preset {preset!r} is not known; choose one of {', '.join(PRESETS)}")
        self.engine, self.name, self.preset = engine, name, preset

    @classmethod
    def load(
        cls, name_or_path: str | Path = "fast", device: str = "auto", preset: str | None = None
    ) -> Dehazer:
        """Load a preset with the released weights by its name, or a file that `clairvoy train` wrote.

        Parameters
        ----------
        name_or_path
            "fast", "fine", or a file.
        device
            "auto", "cpu", "cuda", "coreml" or "directml"; see `sessions.PROVIDERS`.
        preset
            How carefully to perceive, for weights from a file; by default "fast".

        Raises
        ------
        WeightsError
            They cannot be read or are of another version.
        SettingsError
            The device is not there, or no such preset.
        """
        if str(name_or_path) in PRESETS:
            return cls(Engine.load(DEFAULT_WEIGHTS, device), DEFAULT_WEIGHTS, preset or str(name_or_path))
        return cls(Engine.load(name_or_path, device), Path(name_or_path).stem, preset or "fast")

    def __call__(
        self, photo: Any, *, strength: float = 1.0, samples: int = 1, force: bool = False, flat: bool = False
    ) -> Result:
        """Restore a picture.

        Parameters
        ----------
        photo
            Path, bytes, open file, PIL image, `Picture`, array (H, W[, 1|3|4]) or tensor (H, W), (1|3|4, H, W),
            uint8, uint16 or float in [0, 1]; see `picture_kinds.unpack`.
        strength
            0 is the identity, 1 the whole optical depth is taken away.
        samples
            How many restorations the sampler draws; the one that the discriminator believes most is kept.
        force
            Restore even where the agent recognises no haze.
        flat
            Take a panorama for a flat picture; `imaging.panorama.panorama_of` says what is taken for one.

        Raises
        ------
        InputError, FileError, SettingsError
            The picture, the file or a setting is not usable; the message says why and what to do.
        """
        return self.restore(photo, strength=strength, samples=samples, force=force, flat=flat)

    def restore(
        self,
        photo: Any,
        *,
        strength: float = 1.0,
        samples: int = 1,
        force: bool = False,
        flat: bool = False,
        noise: float | None = None,
    ) -> Result:
        """Restore a picture, as by a call, that may be a reduced copy of a scene.

        Parameters
        ----------
        photo, strength, samples, force, flat
            As in a call.
        noise
            Deviation of the scene's noise in a range of 1; by default that of `photo`, which may show less of it.
        """
        begin = time.perf_counter()
        _check_strength(strength)
        if samples < 1:
            raise SettingsError(f"samples is {samples}; it must be at least 1")
        pixels, rebuild, hidden, xmp = unpack(photo)
        how = projection_of(pixels, hidden, xmp, flat)
        perceived = self._look(how)
        seen = perceived.seen
        amount = strength * (1.0 if force else how_much(perceived.probability))

        grid, airlight = seen.grid, seen.airlight
        if amount and samples > 1:
            grid, airlight = self.engine.best_draw(perceived.shown, samples) or (grid, airlight)
        airlight = without_cast(airlight, perceived.shown, grid)
        # The map says where there is haze, also where too little is left behind it to be brought out.
        guide, light = self.engine.released.guide, airlight[0]
        seen_through = whole = FullResolution(field_of(how, grid), guide, light, how.start)
        if amount:
            level = noise_level(how.plain()) if noise is None else noise
            bent = within_noise(within_signal(grid, perceived.shown, airlight), level)
            whole = FullResolution(field_of(how, bent), guide, light, how.start)
        threads = self.engine.threads
        restored = whole.restore(pixels, amount, threads=threads) if amount else pixels
        if hidden is not None and amount:
            restored[hidden] = pixels[hidden]
        # The caller may change what came in and what goes out before a map is asked for.
        kept = isinstance(photo, UnchangingPicture) or (amount and is_file(photo))
        own = pixels if kept else pixels.copy()
        report = self._report(perceived, light, pixels.shape[:2], strength, amount, begin)
        return Result(
            rebuild(restored),
            report,
            light,
            HazeField(whole.grid, light, float(amount), how.start),
            lambda: _seen_through(seen_through, own, hidden, threads),
            lambda: how.over_picture(how.inside(seen.tau_map)[0, 0]),
        )

    def report(self, photo: Any, *, strength: float = 1.0, force: bool = False, flat: bool = False) -> Report:
        """What would be found in a picture and done to it: a look, without the restoration; see `__call__`."""
        begin = time.perf_counter()
        _check_strength(strength)
        pixels, _, hidden, xmp = unpack(photo)
        perceived = self._look(projection_of(pixels, hidden, xmp, flat))
        amount = strength * (1.0 if force else how_much(perceived.probability))
        airlight = without_cast(perceived.seen.airlight, perceived.shown, perceived.seen.grid)
        return self._report(perceived, airlight[0], pixels.shape[:2], strength, amount, begin)

    def _report(
        self,
        perceived: _Look,
        airlight: np.ndarray,
        size: tuple[int, int],
        strength: float,
        amount: float,
        begin: float,
    ) -> Report:
        seen, found = perceived.seen, perceived.found
        return Report(
            haze=perceived.probability >= RESTORE_FROM,
            haze_probability=perceived.probability,
            mean_transmission=1 - perceived.haze,
            airlight=tuple(round(float(value), 4) for value in airlight),  # type: ignore[arg-type]
            tau=float(seen.tau[0]),
            tau_db=float(seen.tau_db[0]),
            seconds=time.perf_counter() - begin,
            windows_looked_at=int(found.visited.sum()),
            windows=found.visited.size,
            size=size,
            sphere=perceived.sphere,
            strength=float(strength),
            amount=float(amount),
            device=self.engine.device,
            weights=self.name,
            preset=self.preset,
        )

    def _look(self, how: Projection) -> _Look:
        """Perceive a picture, and let the agent search what is seen for haze."""
        engine, shown = self.engine, how.shown()
        seen = engine.perceive(shown, [how.shown(area) for area in PRESETS[self.preset]])
        haze, spread, clear, tau = map(how.inside, seen.beliefs)
        found = search(
            engine.q_values,
            cut_windows(how.thumbnail(256)),
            pool_beliefs(haze, spread, clear, tau),
            budget=PHOTOGRAPH_BUDGET,
        )
        mean = how.mean_of_seen(haze[0, 0])
        probability = engine.haze_probability(found.value, mean, float(seen.appearance[0]))
        return _Look(shown, seen, found, mean, probability, isinstance(how, EqualArea))

    def perceive(self, pixels: np.ndarray, *, strength: float = 1.0, force: bool = False) -> HazeField:
        """The haze of a frame, (H, W, 3) uint8 or uint16, to be followed over a film and taken away by `take_away`."""
        perceived = self._look(Flat(pixels, None))
        amount = strength * (1.0 if force else how_much(perceived.probability))
        seen = perceived.seen
        airlight = without_cast(seen.airlight, perceived.shown, seen.grid)
        grid = within_noise(within_signal(seen.grid, perceived.shown, airlight), noise_level(pixels))
        return HazeField(grid[0], airlight[0], amount)

    def take_away(self, pixels: np.ndarray, field: HazeField, box: Box | None = None) -> np.ndarray:
        """A frame, or a part of a scene, without the haze of a field.

        `pixels` are (H, W, 3) uint8, uint16 or float32 in [0, 1]; `box` says where in the scene, which the field covers,
        they lie: by default they are all of it.
        """
        whole = FullResolution(field.grid, self.engine.released.guide, field.airlight, field.start)
        return whole.restore(pixels, field.amount, box=box, threads=self.engine.threads)


@dataclass(frozen=True)
class _Look:
    """What was seen of a picture, before it is decided what to do."""

    shown: np.ndarray
    """The picture at the size at which it was looked at."""
    seen: Perceived
    found: SearchResult
    """The agent's search."""
    haze: float
    """Mean of 1 - transmission."""
    probability: float
    sphere: bool
    """It was looked at as a panorama."""


def _check_strength(strength: float) -> None:
    if not 0 <= strength <= 1:
        raise SettingsError(f"strength is {strength}; it must lie in [0, 1]")


def how_much(probability: float) -> float:
    """Part of the haze to take away where there is some with a probability in [0, 1].

    Nothing below `RESTORE_FROM`, everything from `SURE_FROM` on, and a smooth rise between: a picture that is hardly
    hazy then loses little, and nothing jumps when a threshold is crossed.
    """
    rise = min(1.0, max(0.0, (probability - RESTORE_FROM) / (SURE_FROM - RESTORE_FROM)))
    return rise * rise * (3 - 2 * rise)


def _seen_through(
    whole: FullResolution, pixels: np.ndarray, hidden: np.ndarray | None, threads: int
) -> np.ndarray:
    """See `Result.transmission`; 1 where nothing is seen."""
    out = whole.transmission(pixels, threads)
    if hidden is not None:
        out[hidden] = 1
    return out


_LOADED: dict[tuple[str, str], Dehazer] = {}


def clear(
    photo: Any,
    output: str | Path | None = None,
    *,
    strength: float = 1.0,
    samples: int = 1,
    force: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    preset: str = "fast",
    flat: bool = False,
) -> Any:
    """Restore a hazy picture with the released weights; gives the same kind as went in.

    Beside what a `Dehazer` takes, an array (B, H, W, C) or a tensor (B, C, H, W) of several pictures, which are restored
    one by one.

    Parameters
    ----------
    photo, strength, samples, force, flat
        See `Dehazer.__call__`.
    output
        A file to write as well, if the picture came from a file: a path, bytes, or an open file. A photograph that
        is left as it was is copied, unless `output` is of another format.
    overwrite
        Whether an existing output may be replaced.
    device
        "auto", "cpu", "cuda", "coreml" or "directml".
    preset
        "fast", or "fine": each picture at several sizes.
    """
    if output is not None and not is_file(photo):
        raise InputError(
            "output works with a path, bytes or a file; save an array or image with the library it is of"
        )
    if (device, preset) not in _LOADED:
        _LOADED[device, preset] = Dehazer.load(DEFAULT_WEIGHTS, device, preset)
    dehazer = partial(_LOADED[device, preset], strength=strength, samples=samples, force=force, flat=flat)
    if is_batch(photo):
        return stacked([dehazer(picture).image for picture in photo])
    if output is None:
        return dehazer(photo).image
    source, _ = source_of(photo)
    picture = read(source)
    pixels = dehazer(picture).image
    write_restored(output, pixels, picture, source, overwrite=overwrite)
    return replace(picture, pixels=pixels)
