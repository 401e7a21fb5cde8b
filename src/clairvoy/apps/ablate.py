"""`clairvoy ablate haze`: does each half help the other? Measured on photographs of your own."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from clairvoy.apps.outputs import check_writable, to_json, write_bytes
from clairvoy.apps.progress import Progress
from clairvoy.apps.train.folder import alone_in
from clairvoy.errors import FileError, InputError, SettingsError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command line."""
    parser.description = (
        "Train generator and agent apart, with either helping the other, and with both, several seeds each, "
        "and compare them on held-out scenes. A run that is done is not done again: the same command goes on."
    )
    parser.add_argument("scenario", choices=["haze"], help="what to train")
    parser.add_argument(
        "--clear", type=Path, required=True, metavar="DIR",
        help="photographs without haze, subfolders included; every tenth is held out to measure on",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, required=True, metavar="RUN", help="folder for the runs, table, JSON and figure"
    )
    parser.add_argument("--seeds", type=int, default=5, help="runs of each arm (default: %(default)s)")
    parser.add_argument(
        "--first-seed",
        type=int,
        default=0,
        metavar="SEED",
        help="seed of the first of them (default: %(default)s)",
    )
    parser.add_argument(
        "--updates",
        type=int,
        default=AblationSettings.updates,
        help="of the generator (default: %(default)s)",
    )
    parser.add_argument(
        "--size", type=int, default=AblationSettings.size, metavar="PIXELS",
        help="side of the scenes, a multiple of 16 (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--scenes", type=int, default=AblationSettings.held_out, metavar="N",
        help="held-out scenes to measure on (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--paths", action="store_true",
        help="two arms more: beliefs without simulated scenes, and simulated scenes without the gate",
    )  # fmt: skip
    parser.add_argument(
        "--cluster", metavar="ADDRESS",
        help="let the workers of a Dask cluster train, such as tcp://scheduler:8786; they must see the same photographs",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="no progress")


@dataclass(frozen=True)
class AblationSettings:
    """A run of the ablation: small, so that tens of them fit into an hour of one core."""

    updates: int = 240
    """Of the generator."""
    size: int = 64
    """Side of the scenes, in pixels."""
    held_out: int = 240
    """Scenes that are measured on."""
    width: int = 12
    """Of the generator, see `VAESettings`."""
    batch: int = 16
    """Pictures in a batch of the generator."""
    from_agent: int = 8
    """How many of them come from what the agent met."""
    learning_rate: float = 2e-3
    """Peak, of the generator; small networks take more."""
    agent_learning_rate: float = 5e-4
    """Of the agent: few updates must do."""
    agent_target: float = 0.02
    """Share of the agent's network that moves into its target at each update, see `DQNSettings.polyak`."""
    scenes: int = 64
    """In a set that the agent's episodes are drawn from."""
    refresh_every: int = 20
    """Updates between two sets."""
    remembered: int = 4
    """Sets that the agent's finds are remembered of."""
    searches: int = 128
    """Environments side by side."""
    budget: float = 0.5
    """Steps of an episode, as a multiple of the number of windows: short, so that many scenes are visited."""
    pool: int = 400
    """Views of photographs that haze is put on."""
    draws: int = 4
    """That the samplers choose among."""


def run(args: argparse.Namespace) -> int:
    """Run what is missing, compare, write; 0 when all runs are there."""
    for name, least in (("seeds", 1), ("updates", 1), ("scenes", 20), ("size", 32)):
        if getattr(args, name) < least:
            raise SettingsError(f"--{name} is {getattr(args, name)}; give at least {least}")
    if args.size % 16:
        raise SettingsError(f"--size is {args.size}; give a multiple of 16")
    settings = AblationSettings(updates=args.updates, size=args.size, held_out=args.scenes)
    check_writable([args.out / "ablation.json"])

    from clairvoy.imaging.files import find_photographs

    photographs = find_photographs(args.clear, recursive=True)
    if len(photographs) < 20:
        raise FileError(
            f"{args.clear}: {len(photographs)} photographs; an ablation needs at least 20, every tenth held out"
        )
    with alone_in(args.out):
        return _run(args, settings, photographs)


def _run(args: argparse.Namespace, settings: AblationSettings, photographs: list[Path]) -> int:
    from clairvoy.evaluation.ablation import APART, ARMS, PATHS, Ablation, AblationRun

    _begin(args, settings, photographs)
    arms = ARMS | PATHS if args.paths else ARMS
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    # The claims are about these two, so they come first: what is cut off can still be judged.
    first = [APART, "both"]
    order = dict.fromkeys((seed, arm) for group in (first, arms) for seed in seeds for arm in group)
    records = {(seed, arm): args.out / "runs" / f"{arm.replace(' ', '-')}-{seed}.json" for seed, arm in order}
    wanted = [(arm, arms[arm], seed) for seed, arm in order if not records[seed, arm].exists()]
    bar = Progress(len(records), quiet=args.quiet, done=len(records) - len(wanted))
    begins = lambda number: bar.start(f"{wanted[number][0]}, seed {wanted[number][2]}")  # noqa: E731
    try:
        with closing(_runs(wanted, args.cluster, photographs, settings, begins)) as done:
            for number, one in done:
                arm, _, seed = wanted[number]
                write_bytes(records[seed, arm], to_json(asdict(one)))
                bar.finish()
                if not sys.stderr.isatty():
                    bar.say(f"{time.strftime('%H:%M:%S')} done: {arm}, seed {seed}")
    finally:
        bar.close()
    _write(args.out, Ablation([AblationRun(**json.loads(path.read_text())) for path in records.values()]))
    return 0


def _runs(
    wanted: list[tuple[str, Any, int]],
    address: str | None,
    photographs: list[Path],
    settings: AblationSettings,
    begins: Callable[[int], None],
) -> Generator[tuple[int, Any], None, None]:
    """The numbers of the runs that are wanted, each an arm, its feedback and a seed, and what they gave, as they end."""
    if address is None or not wanted:
        bench = _Bench(photographs, settings) if wanted else None
        for number, run in enumerate(wanted):
            assert bench is not None
            begins(number)
            yield number, bench.run(*run)
        return
    from clairvoy.apps.cluster import Lost, connected  # few have one

    paths = tuple(path.resolve() for path in photographs)
    with connected(address) as cluster:
        calls = ((paths, settings, *run) for run in wanted)
        for number, one in cluster.results(run_on_worker, calls, started=begins):
            if one is Lost:
                arm, _, seed = wanted[number]
                raise InputError(
                    f"{arm}, seed {seed}: the workers that trained it were lost again and again, by a crash or for want of "
                    "memory; what is done is kept: give them more memory, and the same command goes on"
                )
            yield number, one


def run_on_worker(
    photographs: tuple[Path, ...], settings: AblationSettings, arm: str, feedback: Any, seed: int
) -> Any:
    """One run in a worker, which keeps the photographs for the next."""
    return _bench(photographs, settings).run(arm, feedback, seed)


@lru_cache(maxsize=1)
def _bench(photographs: tuple[Path, ...], settings: AblationSettings) -> _Bench:
    return _Bench(list(photographs), settings)


def _begin(args: argparse.Namespace, settings: AblationSettings, photographs: list[Path]) -> None:
    """Refuse to mix runs of other settings into one comparison; a new one says how it is repeated."""
    from clairvoy.apps.train.record import describe, listing

    asked: dict[str, Any] = {"clear": str(args.clear), **asdict(settings)}
    file = args.out / "settings.json"
    if file.exists():
        try:
            began = json.loads(file.read_text())
            there = {name: began.get(name) for name in asked}
        except (OSError, ValueError, AttributeError) as error:
            raise FileError(f"{file} cannot be read ({error}); name another folder") from error
        for name, value in asked.items():
            if there[name] != value:
                raise SettingsError(
                    f"{args.out} began with {name} {there[name]}, not {value}; give the same, or another folder"
                )
    else:
        write_bytes(args.out / "data.json", to_json({"clear": listing(photographs)}))
        write_bytes(file, to_json(asked | describe(asked, {"clear": photographs})))


def _write(folder: Path, ablation: Any) -> None:
    from clairvoy.drawing.ablation_figure import draw
    from clairvoy.drawing.png import picture_png

    table = ablation.table() + "\n"
    write_bytes(folder / "ablation.json", to_json(ablation.to_dict()))
    write_bytes(folder / "ablation.png", picture_png(draw(ablation)))
    write_bytes(folder / "ablation.md", table.encode())
    sys.stdout.write(table)


class _Bench:
    """Trains one arm with one seed after another; scenes are made once for a seed."""

    def __init__(self, photographs: list[Path], settings: AblationSettings) -> None:
        import torch

        from clairvoy.imaging.haze import HazeSettings
        from clairvoy.imaging.synthesis.views import Photographs, SyntheticPairs, ViewMaker, ViewPool

        self.settings = settings
        # The loops run small tensors, which more threads only slow down; and one thread repeats to the bit.
        torch.set_num_threads(1)
        self.learnt = Photographs([path for index, path in enumerate(photographs) if index % 10])
        held = Photographs(photographs[::10])
        pool = ViewPool(ViewMaker(held, size=settings.size, seed=977), settings.held_out)
        pool.extend(settings.held_out)
        self.held_out = pool.draw(settings.held_out, torch.Generator().manual_seed(977), HazeSettings())
        there = self.held_out.optical_depth.amax(dim=(1, 2, 3)) > 0
        self.hazy = SyntheticPairs(*(getattr(self.held_out, f.name)[there] for f in fields(SyntheticPairs)))
        self.pool_seed: int | None = None
        self.pool: Any = None

    def run(self, arm: str, feedback: Any, seed: int) -> Any:
        """Train and measure."""
        import torch

        from clairvoy.cotraining.loop import CotrainSettings, cotrain
        from clairvoy.evaluation.ablation import AblationRun
        from clairvoy.generative.density.learner import LearnerSettings
        from clairvoy.generative.density.vae import VAESettings
        from clairvoy.generative.losses import LossWeights
        from clairvoy.imaging.synthesis.views import ViewMaker, ViewPool
        from clairvoy.qlearning.dqn import DQNSettings
        from clairvoy.releasing.parts import Parts
        from clairvoy.scenarios.haze.measure import measure, measure_sampler
        from clairvoy.scenarios.haze.scenario import HazeScenario, HazeScenarioSettings
        from clairvoy.scenarios.haze.search import HazeSearchSettings

        asked = self.settings
        if self.pool_seed != seed:
            self.pool = ViewPool(ViewMaker(self.learnt, size=asked.size, seed=seed), asked.pool)
            self.pool.extend(asked.pool)
            self.pool_seed = seed
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            parts = Parts.new(VAESettings(width=asked.width))
        parts.generator.trunk.backbone.load_imagenet()  # its first blocks are never learnt
        scenario = HazeScenario(
            self.pool,
            self.pool,
            HazeScenarioSettings(
                updates=asked.updates,
                batch=asked.batch,
                from_agent=asked.from_agent,
                scenes=asked.scenes,
                new_views=0,
                remembered=asked.remembered,
                searches=asked.searches,
                search=HazeSearchSettings(
                    budget=asked.budget, preview=True, false_alarm=1.0, step=0.01, wall=0.05
                ),
                pool=asked.pool,
                calibration=0,
                seed=seed,
                learner=LearnerSettings(learning_rate=asked.learning_rate),
                losses=LossWeights(perceptual=0.0),
                agent=DQNSettings(learning_rate=asked.agent_learning_rate, polyak=asked.agent_target),
            ),
            parts,
        )
        began = time.process_time()
        done = cotrain(
            scenario,
            CotrainSettings(
                budget=asked.updates, refresh_every=asked.refresh_every, seed=seed, feedback=feedback
            ),
        )
        seconds = time.process_time() - began
        if done.interrupted:
            raise KeyboardInterrupt
        measures = measure(parts, self.held_out, feedback, scenario.settings.search)
        samplers = measure_sampler(parts.perceiver, self.hazy, asked.draws)
        windows = asked.updates * scenario.environment.num_envs
        return AblationRun(arm, seed, measures, samplers, done.updates, windows, seconds)
