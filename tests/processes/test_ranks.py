"""Two processes that train together are one process that learns from the whole batch; what one loses, all are told."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
import train_together

from clairvoy.apps.cli import main
from clairvoy.errors import SettingsError
from clairvoy.processes.ranks import ALONE
from clairvoy.qlearning.rounds import run_rounds


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What two processes found, the second of which kills itself at the end."""
    folder = tmp_path_factory.mktemp("together")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    processes = [
        subprocess.Popen(
            [sys.executable, train_together.__file__, str(folder)],
            env=os.environ | meeting | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
        )
        for rank in range(2)
    ]
    told = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, -signal.SIGKILL], told
    return torch.load(folder / "found.pt") | {"checkpoint": folder / "checkpoint.pt"}


@pytest.mark.slow
@pytest.mark.parametrize("what", ["learnt", "valued"])
def test_two_processes_learn_what_one_learns_from_the_whole_batch(found, what):
    alone = getattr(train_together, what)(ALONE)
    for one, shared in zip(alone, found[what], strict=True):
        torch.testing.assert_close(shared, one, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_all_stop_after_the_same_round_and_go_on_exactly(found):
    halves, resumed, whole = found["totals"]
    assert resumed == whole
    assert halves != whole
    assert whole[0] != whole[1]  # each draws for itself


@pytest.mark.slow
def test_as_many_as_before_must_go_on(found):
    with pytest.raises(SettingsError, match=r"saved by 2 processes, and this is a run of 1; start as many"):
        run_rounds(train_together.Draws(ALONE), checkpoint=found["checkpoint"], resume=True)


@pytest.mark.slow
def test_where_the_first_fails_the_others_end_without_a_message(found):
    assert found["failed"] == ["FileError('no room')", "SystemExit(2)"]


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_others_with_a_message(found):
    assert "another process of this training is gone" in found["lost"]
    assert "--resume" in found["lost"]


@pytest.mark.slow
def test_what_cannot_be_shared_evenly_is_refused(found):
    assert found["share"] == 4
    assert found["uneven"] == "--batch is 7, which 2 processes cannot share evenly; give a multiple of 2"


def test_alone_nothing_is_sent():
    value = torch.ones(3)
    assert ALONE.mean(value) is value
    assert ALONE.gather(4) == [4]
    assert ALONE.any(True)
    assert not ALONE.any(False)
    assert ALONE.seed(7) == 7
    assert torch.equal(ALONE.part(torch.arange(4)), torch.arange(4))
    with pytest.raises(ZeroDivisionError):
        ALONE.by_first(lambda: 1 / 0)


def test_the_parts_of_a_batch_are_all_of_it_and_the_first_half_is_that_of_all():
    parts = [train_together.Ranks(rank, 2).part(torch.arange(8)) for rank in range(2)]
    assert sorted(torch.cat(parts).tolist()) == list(range(8))
    assert sorted(torch.cat([part[:2] for part in parts]).tolist()) == [0, 1, 2, 3]


def test_what_runs_in_one_process_refuses_several(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["train", "world", "--env", "CartPole-v1", "--out", str(tmp_path / "run")]) == 2
    assert "train world runs in one process, and 2 were started" in capsys.readouterr().err
