"""A trained triage as one file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch

from clairvoy.errors import ClairvoyError, WeightsError
from clairvoy.generative.rows.completing import CompletingVAE
from clairvoy.generative.rows.data_kinds import table
from clairvoy.qlearning.encoders import network_for
from clairvoy.scenarios.flows.beliefs import Beliefs
from clairvoy.scenarios.flows.confidence import Confidence
from clairvoy.scenarios.flows.model import FlowModel
from clairvoy.scenarios.flows.records.encoding import encoding_from
from clairvoy.scenarios.flows.rows import group_of_numbers
from clairvoy.scenarios.flows.steps import Steps
from clairvoy.scenarios.flows.triage import TriageSettings
from clairvoy.scenarios.own.scene_environment import SceneEnvironment
from clairvoy.storage.weights_file import of_part, read_weights, write_weights

FORMAT = "clairvoy-flows-3"
PARTS = ("kind", "beliefs", "agent", "generator", "confidence", "confidence_of_all")


def save_flows(path: Path, model: FlowModel) -> None:
    """Write a trained triage, whole or not at all.

    Raises
    ------
    FileError
        The disk refuses.
    """
    tensors = {
        f"{name}.{key}": value for name in PARTS for key, value in getattr(model, name).state_dict().items()
    }
    made_of = {
        "encoding": model.encoding.to_dict(),
        "classes": list(model.classes),
        "benign": model.benign,
        "width": model.beliefs.width,
        "voters": model.beliefs.voters,
        "strange_from": model.strange_from,
        "triage": asdict(model.settings),
        "notes": dict(model.notes),
    }
    write_weights(path, FORMAT, tensors, {"made_of": json.dumps(made_of)})


def load_flows(path: Path) -> FlowModel:
    """Read what `save_flows` wrote.

    Raises
    ------
    WeightsError
        No such file, not of this kind, or damaged.
    """
    header, tensors = read_weights(path, FORMAT, "give a file of `clairvoy flows train`")
    try:
        told = json.loads(header["made_of"])
        encoding = encoding_from(told["encoding"])
        classes, benign = tuple(told["classes"]), int(told["benign"])
        # Two rows of zeros: mean and spread come with the weights.
        kinds = [*(kind for _, kind in encoding.columns), max(2, len(classes))]
        kind = table(torch.zeros(2, len(kinds)), kinds)
        model = FlowModel(
            encoding,
            kind,
            classes,
            benign,
            Beliefs(
                group_of_numbers(encoding, kind),
                len(classes),
                benign,
                Steps(tensors["beliefs.steps.number"], tensors["beliefs.steps.at"]),
                int(told["width"]),
                int(told["voters"]),
            ),
            torch.nn.Identity(),
            CompletingVAE(kind),
            Confidence(len(classes)),
            Confidence(len(classes)),
            float(told["strange_from"]),
            TriageSettings(**told["triage"]),
            told["notes"],
        )
        environment = SceneEnvironment(torch.zeros(1, len(kinds)), 1, model.triage.rules)
        model.agent = network_for(environment.observation_specs, environment.num_actions)
        for name in PARTS:
            getattr(model, name).load_state_dict(of_part(tensors, name))
            getattr(model, name).eval().requires_grad_(False)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, ClairvoyError) and not isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{path}: damaged ({error}); train it again") from error
    return model
