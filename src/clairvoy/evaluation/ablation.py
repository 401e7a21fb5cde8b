"""Does each half help the other? Arms with feedback paths on and off, and what their runs say together.

Every arm has the same seeds, first weights, fresh scenes, number of updates and of windows looked at, and is measured
on the same held-out scenes: the runs of one seed are pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clairvoy.cotraining.loop import Feedback
from clairvoy.errors import InputError
from clairvoy.evaluation.aggregate import Interval, bootstrap, paired_difference

APART = "apart"
ARMS: dict[str, Feedback] = {
    APART: Feedback(agent_to_generator=False, generated_scenes=False, beliefs=False),
    "generator helps agent": Feedback(agent_to_generator=False),
    "agent helps generator": Feedback(generated_scenes=False, beliefs=False),
    "both": Feedback(),
}
"""The experiment."""
PATHS: dict[str, Feedback] = {
    "beliefs alone": Feedback(agent_to_generator=False, generated_scenes=False),
    "ungated scenes": Feedback(agent_to_generator=False, gate=False),
}
"""Two more arms, to take apart how the generator helps: beside "generator helps agent" they tell what the simulated
scenes add to the beliefs, and what the discriminator's gate adds to the simulated scenes."""
MEASURES: dict[str, str] = {
    "restored_db": "restoration of hazy scenes [dB]",
    "return": "agent's return",
    "f1": "windows recognised, F1",
    "searched_db": "restoration of what was recognised [dB]",
}
"""What is shown; a larger number is better in each."""
SAMPLERS: dict[str, str] = {
    "single": "one draw",
    "rejection": "discriminator rejection sampling",
    "most_believed": "best of n by the discriminator",
    "highest_tau": "best of n by tau",
    "mean": "the posterior's mean, no draw",
    "best": "best of n in truth (unknown in use)",
}
"""Ways to choose a restoration among draws."""


@dataclass(frozen=True)
class AblationRun:
    """One arm with one seed."""

    arm: str
    seed: int
    measures: Mapping[str, float]
    """By name, see `scenarios.haze.measure.measure`."""
    samplers: Mapping[str, float]
    """PSNR in dB by the name of the sampler."""
    updates: int
    windows: int
    """Looked at by the agent in training."""
    seconds: float
    """Of computing, to train."""


@dataclass(frozen=True)
class Ablation:
    """All runs."""

    runs: Sequence[AblationRun]

    def __post_init__(self) -> None:
        if not self.runs:
            raise InputError("there are no runs to compare")

    def arms(self) -> list[str]:
        """Arms in the order of the experiment."""
        there = {run.arm for run in self.runs}
        return [arm for arm in (*ARMS, *PATHS) if arm in there]

    def seeds(self, *arms: str) -> list[int]:
        """Seeds that each of these arms has been run with; of all arms if none is named."""
        sets = [{run.seed for run in self.runs if run.arm == arm} for arm in arms or self.arms()]
        return sorted(set.intersection(*sets))

    def scores(self, arm: str, measure: str, seeds: Sequence[int] | None = None) -> list[float]:
        """A measure of an arm, (seeds,); of all its seeds if they are not given."""
        found = {run.seed: run.measures[measure] for run in self.runs if run.arm == arm}
        return [found[seed] for seed in (self.seeds(arm) if seeds is None else seeds)]

    def level(self, arm: str, measure: str) -> Interval:
        """Interquartile mean over seeds."""
        return bootstrap(self.scores(arm, measure))

    def gain(self, arm: str, measure: str, over: str = APART) -> Interval:
        """Interquartile mean of the paired differences to another arm."""
        both = self.seeds(arm, over)
        return paired_difference(self.scores(arm, measure, both), self.scores(over, measure, both))

    def sampler_gain(self, sampler: str, over: str = "single") -> Interval:
        """Of a sampler over another, each run of every arm a pair; dB."""
        everywhere = set(self.seeds())
        runs = [run for run in self.runs if run.seed in everywhere]
        by_arm = [[run for run in runs if run.arm == arm] for arm in self.arms()]
        columns = [
            [run.samplers[sampler] - run.samplers[over] for run in sorted(arm, key=lambda run: run.seed)]
            for arm in by_arm
        ]
        return bootstrap([list(row) for row in zip(*columns, strict=True)])

    def claims(self) -> dict[str, bool]:
        """Whether each claim is established: its interval lies above 0."""
        claims = {
            "with both paths restoration is better than apart": self.gain("both", "restored_db"),
            "with both paths the agent's return is better than apart": self.gain("both", "return"),
        }
        return {claim: found.low > 0 for claim, found in claims.items()}

    def to_dict(self) -> dict[str, Any]:
        """For JSON: everything, runs included."""
        names = list(self.runs[0].measures)
        arms = self.arms()
        return {
            "seeds": self.seeds(),
            "claims": self.claims() if {"both", APART} <= set(arms) else {},
            "level": {a: {m: self.level(a, m).to_dict() for m in names} for a in arms},
            "gain_over_apart": {
                a: {m: self.gain(a, m).to_dict() for m in names} for a in arms if a != APART and APART in arms
            },
            "gate": {
                m: self.gain("generator helps agent", m, "ungated scenes").to_dict()
                for m in names
                if "ungated scenes" in arms
            },
            "simulated_scenes": {
                m: self.gain("generator helps agent", m, "beliefs alone").to_dict()
                for m in names
                if "beliefs alone" in arms
            },
            "sampler_gain_over_one_draw": {
                s: self.sampler_gain(s).to_dict() for s in SAMPLERS if s != "single"
            },
            "runs": [vars(run) | {"measures": dict(run.measures)} for run in self.runs],
        }

    def table(self) -> str:
        """The figures as text, in Markdown."""
        names = list(MEASURES)
        lines = ["| arm | " + " | ".join(MEASURES.values()) + " | seeds | windows | seconds |"]
        lines.append("|---" * (len(names) + 4) + "|")
        for arm in self.arms():
            cells = [_told(self.level(arm, name), name) for name in names]
            mine = [run for run in self.runs if run.arm == arm]
            windows = sum(run.windows for run in mine) / len(mine)
            seconds = sum(run.seconds for run in mine) / len(mine)
            lines.append(f"| {arm} | {' | '.join(cells)} | {len(mine)} | {windows:.0f} | {seconds:.0f} |")
        if APART in self.arms():
            lines += ["", "Paired differences:", ""]
            lines.append("| arms | " + " | ".join(MEASURES.values()) + " | pairs |")
            lines.append("|---" * (len(names) + 2) + "|")
            for arm, over in self._contrasts():
                cells = [_told(self.gain(arm, name, over), name, sign=True) for name in names]
                pairs = len(self.seeds(arm, over))
                lines.append(f"| {arm} − {over} | {' | '.join(cells)} | {pairs} |")
        lines += ["", "| restoration of a hazy scene by | dB more than one draw |", "|---|---|"]
        for name, label in SAMPLERS.items():
            if name != "single":
                lines.append(f"| {label} | {_told(self.sampler_gain(name), sign=True)} |")
        lines += [
            "",
            "Interquartile means over seeds; in brackets 95 % bootstrap intervals; bold: 0 lies outside.",
        ]
        return "\n".join(lines)

    def _contrasts(self) -> list[tuple[str, str]]:
        arms = self.arms()
        wanted = [(arm, APART) for arm in ARMS if arm != APART]
        wanted += [("both", "generator helps agent"), ("both", "agent helps generator")]
        wanted += [("generator helps agent", arm) for arm in PATHS] + [("beliefs alone", APART)]
        return [pair for pair in wanted if pair[0] in arms and pair[1] in arms]


def _told(found: Interval, measure: str = "", sign: bool = False) -> str:
    form = ("+" if sign else "") + (".3f" if measure == "f1" else ".2f")
    text = f"{found.value:{form}} [{found.low:{form}}, {found.high:{form}}]"
    return f"**{text}**" if sign and found.excludes_zero else text
