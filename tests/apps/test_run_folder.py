"""One run at a time writes into a folder, and what was trained outlives a full disk."""

import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from corridor import Corridor

from clairvoy.apps.train import folder as run_folder
from clairvoy.apps.train.folder import LOCK, alone_in, keep_result
from clairvoy.apps.train.log import RunLog, read_metrics
from clairvoy.errors import FileError
from clairvoy.qlearning.online import OnlineSettings, train_online
from clairvoy.qlearning.pqn import PQN, PQNSettings, PQNTraining
from clairvoy.qlearning.qnetwork import QNetwork, VectorEncoder
from clairvoy.storage.run_file import load_run, save_run

HOLDER = """
import sys, time
from pathlib import Path
from clairvoy.apps.train.folder import alone_in
with alone_in(Path(sys.argv[1])):
    print("in", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_kept_out_until_the_first_has_ended(tmp_path):
    run = tmp_path / "deep" / "run"
    with (
        alone_in(run),
        pytest.raises(FileError, match=f"another run writes there now \\(process {os.getpid()}\\)"),
    ):
        alone_in(run).__enter__()
    assert list(run.iterdir()) == []
    with alone_in(run):
        pass


def test_a_killed_run_keeps_nobody_out(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "in\n"
        with pytest.raises(FileError, match=f"process {other.pid}"):
            alone_in(tmp_path).__enter__()
        other.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    finally:
        other.kill()
        other.communicate()
    assert (tmp_path / LOCK).exists()
    with alone_in(tmp_path):
        assert (tmp_path / LOCK).read_text() == f"process {os.getpid()}"
    assert not (tmp_path / LOCK).exists()


def full(path):
    raise OSError(28, "No space left on device", str(path))


def test_what_has_no_room_is_kept_elsewhere_and_the_message_says_where(tmp_path, monkeypatch):
    home, written = tmp_path / "home", []
    home.mkdir()
    monkeypatch.setattr(run_folder.Path, "home", lambda: home)
    keep_result(tmp_path / "run" / "w.bin", written.append)
    assert written == [tmp_path / "run" / "w.bin"]

    def write(path):
        full(path) if path.parent.name == "run" else path.write_bytes(b"learnt")

    with pytest.raises(
        FileError, match=r"No space left on device\); what was trained is in .*home/run-w.bin"
    ):
        keep_result(tmp_path / "run" / "w.bin", write)
    assert (home / "run-w.bin").read_bytes() == b"learnt"
    with pytest.raises(FileError, match="no other place was found; make room"):
        keep_result(tmp_path / "run" / "w.bin", full)


def test_a_full_disk_costs_the_log_and_not_the_training(tmp_path, capsys, monkeypatch):
    log = RunLog(tmp_path, 100, quiet=True)
    for update in range(1, 21):
        log(update, {"loss": 1.0})
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda self, *args: full(self))
        for update in range(21, 61):
            log(update, {"loss": 2.0})
    assert capsys.readouterr().err.count("the log cannot be written") == 1
    for update in range(61, 81):
        log(update, {"loss": 3.0})
    log.close()
    assert [(line["update"], line["metrics"]["models/loss"]) for line in read_metrics(tmp_path)] == [
        (20, 1),
        (80, 3),
    ]


def training(budget=600):
    network = QNetwork(VectorEncoder({"cell": (8,)}, 8), 8, 2)
    return PQNTraining(PQN(network, PQNSettings(stretch=8)), Corridor(4), budget)


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), RuntimeError("PytorchStreamWriter failed")]
)
def test_a_full_disk_costs_a_checkpoint_and_not_what_was_learnt(tmp_path, monkeypatch, error):
    file = tmp_path / "run.pt"
    save_run(file, {"before": 1})

    def save(state, path):
        Path(path).write_bytes(b"half")
        raise error

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(FileError, match=r"run.pt cannot be written .*; make room"):
        save_run(file, {"after": 2})
    assert load_run(file)["before"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]
    settings = OnlineSettings(200, 4, save_seconds=0.0)
    with pytest.warns(UserWarning, match="the training goes on"):
        done = train_online(training(), Corridor(4), settings, checkpoint=file)
    assert done.finished
    assert done.best.network
    # Of a run that is stopped nothing else is left: it is said as an error.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(FileError, match="cannot be written"):
            train_online(
                training(), Corridor(4), settings, checkpoint=file, report=lambda steps, _: steps < 300
            )
    assert load_run(file)["before"] == 1
