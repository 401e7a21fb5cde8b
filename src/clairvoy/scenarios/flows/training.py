"""Training of a triage from labelled flows: beliefs, then agent and generator together, then what each taught the other.

1. Beliefs are learnt from real rows, for all sets of open groups.
2. Agent, generator and discriminator are co-trained: the agent plays in real rows, the generator learns also from what the
   agent met.
3. For each class: do the generated rows that the discriminator admits help, on flows held back? Only those are used. Do
   rows unlike anything seen help, to find classes that were left out? Only then are they used.
4. Beliefs are learnt anew with them, and with the sets of groups that the agent opened; the agent goes on with these, and
   plays in rows of classes that were helped too.
5. Confidence is calibrated on flows held back.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from clairvoy.cotraining.loop import CotrainSettings, Feedback, cotrain
from clairvoy.errors import at_least, between
from clairvoy.generative.adversary import accept
from clairvoy.generative.rows.completing import CompletingVAE
from clairvoy.generative.rows.data_kinds import DataKind
from clairvoy.scenarios.flows.beliefs import Beliefs, BeliefSettings, Masks, any_masks, learn_beliefs
from clairvoy.scenarios.flows.confidence import Confidence
from clairvoy.scenarios.flows.helping import Help, which_help, with_generated
from clairvoy.scenarios.flows.model import FlowModel
from clairvoy.scenarios.flows.records.encoding import encoding_of
from clairvoy.scenarios.flows.records.parting import Parts, class_numbers
from clairvoy.scenarios.flows.rows import (
    balanced,
    class_of,
    fields_of,
    group_masks,
    group_of_numbers,
    kind_of_flows,
    labelled,
    of_class,
)
from clairvoy.scenarios.flows.steps import steps_of
from clairvoy.scenarios.flows.strange import StrangeHelp, do_strange_rows_help, strange_rows
from clairvoy.scenarios.flows.triage import Triage, TriageSettings
from clairvoy.scenarios.own.scenario import Scenario, ScenarioSettings
from clairvoy.scenarios.own.scene_environment import SceneEnvironment


@dataclass(frozen=True)
class FlowSettings:
    """Sizes of a training."""

    beliefs: BeliefSettings = field(default_factory=BeliefSettings)
    """How beliefs are learnt, both times."""
    triage: TriageSettings = field(default_factory=TriageSettings)
    """What ending and looking are worth to the agent."""
    updates: int = 600
    """Of the co-training; once the beliefs are learnt anew, half as many follow."""
    agent_updates: int = 4
    """Of the agent, for each update of the generator."""
    scenes: int = 8192
    """Real rows that the co-training draws from, the same number of each class."""
    generated: bool = True
    """Whether the generator may have a part in the beliefs and in the agent's scenes."""
    made: int = 1000
    """Generated rows tried of each attack."""
    share: float = 0.3
    """Part of the draws of a class that are generated, where they help."""
    strange: int = 4000
    """Rows unlike anything seen that the generator makes up; as many are pieced together."""
    trial_updates: int = 250
    """Of each trial whether they do."""
    trials: int = 1
    """Seeds of the trials."""
    seed: int = 0
    """Of everything."""

    def __post_init__(self) -> None:
        at_least(self, 1, "updates", "agent_updates", "made", "trial_updates", "trials")
        at_least(self, 2, "scenes")
        between(self, 0, 0.9, "share")


STRANGE = 0.995
"""A flow is unlike anything seen where it surprises more than this part of the flows held back."""

Say = Callable[[str], object]


class _GatedScenario(Scenario):
    """A scenario whose generated rows are of some classes only."""

    helpful: Tensor
    """Those classes, (K,) int64."""

    def _make(self, count: int, gate: bool) -> tuple[Tensor, dict[str, float]]:
        rows, metrics = super()._make(count, gate)
        return rows[torch.isin(class_of(rows), self.helpful)], metrics


@dataclass
class FlowTraining:
    """What `learn_flows` gives: the model, and what was found out about generated rows."""

    model: FlowModel
    helped: list[Help]
    generated: Tensor
    """Labelled rows that were used, (M, columns + 1)."""
    strange_help: StrangeHelp
    """Whether rows unlike anything seen help; they are used if they do."""
    from_real: Beliefs
    """Beliefs of the first step, from real rows alone: what all the rest is to be compared with."""


def learn_flows(
    parts: Parts, settings: FlowSettings | None = None, say: Say = lambda line: None
) -> FlowTraining:
    """Train a triage.

    Parameters
    ----------
    parts
        See `parting.part`. The held-out part is not looked at.
    settings
        See `FlowSettings`.
    say
        Is told what is being done, a line each.
    """
    settings = settings or FlowSettings()
    noise = torch.Generator().manual_seed(settings.seed)
    encoding = encoding_of(parts.learnt)
    number = len(parts.classes)
    classes = torch.from_numpy(class_numbers(parts.learnt, parts.classes))
    real = labelled(encoding.rows(parts.learnt), classes)
    kind = kind_of_flows(encoding, real, number)
    group_of = group_of_numbers(encoding, kind)
    encoded = fields_of(kind, real)
    tuning = _known(parts, kind, encoding.rows(parts.tuning))
    costs = torch.tensor([encoding.schema.costs[group] for group in encoding.schema.groups])

    say(f"beliefs: {len(real)} flows, {len(encoding.schema.fields)} fields, {len(costs)} groups")
    steps = steps_of(encoded)

    def new_beliefs(size: BeliefSettings, seed: int) -> Beliefs:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return Beliefs(group_of, number, parts.benign, steps, size.width, size.voters)

    beliefs = new_beliefs(settings.beliefs, settings.seed)
    first = learn_beliefs(beliefs, encoded, classes, settings.beliefs, noise)
    from_real = copy.deepcopy(first)
    say("agent and generator")
    rows = real[balanced(classes, settings.scenes, number, noise)]
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        generator = CompletingVAE(kind, masks=group_masks(encoding))
    scenario = _GatedScenario(
        SceneEnvironment(rows, 32, Triage(kind, first, parts.benign, costs, settings.triage).rules),
        rows,
        kind=kind,
        generator=generator,
        settings=ScenarioSettings(seed=settings.seed),
    )
    scenario.helpful = torch.arange(parts.benign, number)
    # The belief about a whole row would tell the agent what it has not opened.
    feedback = Feedback(beliefs=False, generated_scenes=False)
    rhythm = CotrainSettings(seed=settings.seed, feedback=feedback, agent_updates=settings.agent_updates)
    cotrain(scenario, rhythm, budget=settings.updates)
    model = FlowModel(
        encoding,
        kind,
        parts.classes,
        parts.benign,
        first,
        scenario.agent.acting,
        scenario.learner.averaged,
        Confidence(number),
        Confidence(number),
        settings=settings.triage,
    )

    helped: list[Help] = []
    made, strange, strange_help = real[:0], encoded[:0], StrangeHelp({}, {}, {}, {})
    if settings.generated:
        say("do generated rows help?")
        made = _made(scenario, number, parts.benign, settings)
        trial = replace(settings.beliefs, voters=1, updates=settings.trial_updates, closed=0.0)
        helped = which_help(
            parts.classes,
            (encoded, classes),
            (fields_of(kind, made), class_of(made)),
            tuning,
            new_beliefs,
            trial,
            settings.share,
            tuple(range(settings.seed, settings.seed + settings.trials)),
        )
        good = [parts.classes.index(entry.name) for entry in helped if entry.helps]
        scenario.helpful = torch.tensor(good, dtype=torch.int64)
        made = made[torch.isin(class_of(made), scenario.helpful)]
        say("do rows unlike anything seen help?")
        free = scenario.learner.imagine(settings.strange).cpu()
        unlike = fields_of(kind, free), class_of(free)
        strange_help = do_strange_rows_help(
            parts.classes,
            parts.benign,
            (encoded, classes),
            unlike,
            tuning,
            group_of,
            new_beliefs,
            trial,
            settings.seed,
        )
        if strange_help.helps:
            strange = strange_rows((encoded, classes), unlike[0], parts.benign, group_of, noise)

    say(f"beliefs anew, with {len(made)} generated rows of classes, {len(strange)} unlike anything seen")
    opened, _ = model.look(encoded[balanced(classes, 4096, number, noise)])
    known = with_generated(encoded, classes, fields_of(kind, made), class_of(made), settings.share)
    second = learn_beliefs(
        new_beliefs(settings.beliefs, settings.seed),
        known[0],
        known[1],
        settings.beliefs,
        noise,
        weights=known[2],
        masks=_masks_like(opened, any_masks(len(costs))),
        strange=strange,
    )
    # The rules in the environment hold the beliefs as an object: the agent goes on with what they say now.
    first.load_state_dict(second.state_dict())
    feedback = replace(feedback, generated_scenes=bool(len(made)))
    again = replace(rhythm, seed=settings.seed + 1, feedback=feedback, epsilon=(0.2, 0.05))
    cotrain(scenario, again, budget=max(1, settings.updates // 2))

    say("confidence")
    shares = torch.bincount(classes, minlength=number) / len(classes)
    _calibrate(model, tuning, shares)
    for module in (model.beliefs, model.agent, model.generator):
        module.eval().requires_grad_(False)
    return FlowTraining(model, helped, made, strange_help, from_real)


def _known(parts: Parts, kind: DataKind, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Encoded fields and classes of the flows to choose by, those of learnt classes."""
    classes = torch.from_numpy(class_numbers(parts.tuning, parts.classes))
    here = classes >= 0
    return fields_of(kind, labelled(rows[here], classes[here])), classes[here]


def _made(scenario: Scenario, number: int, benign: int, settings: FlowSettings) -> Tensor:
    """Generated rows of the attacks that the discriminator admits, at most `made` of each class."""
    kept: list[Tensor] = []
    for attack in range(benign, number):
        given = of_class(scenario.kind, attack, 4 * settings.made)
        with torch.no_grad():
            averaged = scenario.learner.averaged
            rows = averaged.decode(averaged.imagine(4 * settings.made, scenario.rng, given))
        kept.append(rows[accept(scenario.learner.judge(rows), scenario.rng)][: settings.made])
    return torch.cat(kept)


def _masks_like(opened: Tensor, others: Masks) -> Masks:
    """Half the sets of groups that the agent opened (R, G), half any."""

    def draw(count: int, noise: torch.Generator) -> Tensor:
        of_agent = opened[torch.randint(len(opened), (count,), generator=noise)]
        return torch.where(torch.rand(count, 1, generator=noise) < 0.5, of_agent, others(count, noise))

    return draw


def _calibrate(model: FlowModel, tuning: tuple[Tensor, Tensor], shares: Tensor) -> None:
    """Fit both confidences, and what counts as strange, on flows held back."""
    encoded, classes = tuning
    opened, _ = model.look(encoded)
    for confidence, view in ((model.confidence, opened), (model.confidence_of_all, torch.ones_like(opened))):
        with torch.no_grad():
            logits = model.beliefs(encoded, view)
        confidence.fit(logits, classes, shares)
        confidence.requires_grad_(False)
    model.strange_from = float(model.surprise(encoded, classes).quantile(STRANGE))
