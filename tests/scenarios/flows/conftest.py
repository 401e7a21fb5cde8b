"""One small triage, trained once for all tests that only look at it."""

from dataclasses import replace

import pytest
import torch
from logs import toy_csv

from clairvoy.scenarios.flows.beliefs import BeliefSettings
from clairvoy.scenarios.flows.records.parting import part
from clairvoy.scenarios.flows.records.reading import read_flows
from clairvoy.scenarios.flows.training import FlowSettings, learn_flows

SMALL = FlowSettings(
    BeliefSettings(width=16, voters=1, updates=250, batch=48),
    updates=250,
    scenes=512,
    made=60,
    trial_updates=60,
    trials=1,
)


@pytest.fixture(scope="session")
def toy_table(tmp_path_factory):
    path = tmp_path_factory.mktemp("flows") / "flows.csv"
    path.write_text(toy_csv(700))
    return read_flows([path], labelled=True)


@pytest.fixture(scope="session")
def toy_trained(toy_table):
    torch.manual_seed(0)
    return learn_flows(part(toy_table, ["web"]), SMALL)


@pytest.fixture(scope="session")
def small():
    return replace(SMALL, updates=12, beliefs=replace(SMALL.beliefs, updates=12), trial_updates=5)
