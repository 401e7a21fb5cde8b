"""`clairvoy doctor`: true of this installation, and of one that lacks something."""

import json
from importlib.metadata import version

import pytest

from clairvoy.apps import doctor
from clairvoy.apps.cli import main
from clairvoy.errors import WeightsError
from clairvoy.restoring.dehazer import Dehazer


def test_it_says_what_is_there(capsys):
    assert main(["doctor", "--json", "--no-speed"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["packages"]["numpy"] == version("numpy")
    assert found["devices"]["cpu"] == "works"
    assert found["extras"]["train"] == version("torch")
    assert found["restoration"]["threads"] >= 1
    assert "seconds_for_2_megapixels" not in found["restoration"]


def test_what_is_missing_has_a_remedy(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "find_spec", lambda module: None)
    assert main(["doctor", "--no-speed"]) == 0
    said = capsys.readouterr().out
    for extra in doctor.EXTRAS:
        assert f"pip install 'clairvoy[{extra.name}]'" in said
    assert "onnxruntime-gpu" in said or "cuda                    works" in said


def test_an_installation_that_cannot_restore_is_no_success(capsys, monkeypatch):
    def fails(*_):
        raise WeightsError("fast: cannot be read; install clairvoy again")

    monkeypatch.setattr(Dehazer, "load", fails)
    assert main(["doctor"]) == 2
    assert "install clairvoy again" in capsys.readouterr().out


def test_another_build_of_the_runtime_stands_in_for_it(monkeypatch):
    def only(name):
        if name != "onnxruntime-gpu":
            raise doctor.PackageNotFoundError
        return "1.2.3"

    monkeypatch.setattr(doctor, "version", only)
    assert doctor.packages()["onnxruntime"] == "1.2.3 (onnxruntime-gpu)"
    assert doctor.packages()["numpy"] is None


@pytest.mark.parametrize("extra", doctor.EXTRAS, ids=lambda extra: extra.name)
def test_every_extra_that_is_named_exists(extra, request):
    text = (request.config.rootpath / "pyproject.toml").read_text()
    assert f"\n{extra.name} = [" in text
    assert extra.package in text
