"""The names that users type: what is public, how it is called, and what it costs to import."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import clairvoy
from clairvoy import errors

PUBLIC = {
    "ClairvoyError",
    "Dehazer",
    "FileError",
    "InputError",
    "Result",
    "Rules",
    "Scenario",
    "SceneEnvironment",
    "SettingsError",
    "WeightsError",
    "__version__",
    "clear",
    "cotrain",
}


def parameters(function) -> list[str]:
    """Return the parameters as one writes them: ``name``, ``name=default``, keyword-only after ``*``."""
    written, keyword_only = [], False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            written.append("*")
        has_default = parameter.default is not parameter.empty
        written.append(f"{parameter.name}={parameter.default!r}" if has_default else parameter.name)
    return written


def python(program: str) -> str:
    """Run a program in a fresh interpreter; return what it prints."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_public_names():
    assert set(clairvoy.__all__) == PUBLIC
    assert set(dir(clairvoy)) >= PUBLIC
    for name in PUBLIC:
        assert getattr(clairvoy, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'defog'"):
        _ = clairvoy.defog
    assert not hasattr(clairvoy, "defog")


def test_signatures():
    assert parameters(clairvoy.Dehazer.load) == [
        "name_or_path='fast'",
        "device='auto'",
        "preset=None",
    ]
    call = parameters(clairvoy.Dehazer.__call__)
    assert call == ["self", "photo", "*", "strength=1.0", "samples=1", "force=False", "flat=False"]
    start = parameters(clairvoy.clear)
    assert start[:4] == ["photo", "output=None", "*", "strength=1.0"]
    assert "device='auto'" in start


def test_a_result_has_what_the_manual_says():
    names = {*clairvoy.Result.__dataclass_fields__, *dir(clairvoy.Result)}
    assert names >= {"image", "report", "haze", "transmission", "tau", "airlight"}


def test_co_training_takes_a_scenario_and_a_budget():
    written = parameters(clairvoy.cotrain)
    assert written[0] == "scenario"
    assert any(parameter.startswith("budget") for parameter in written)


def test_every_error_is_a_clairvoy_error_and_a_value_error():
    public = [
        value for name, value in vars(errors).items() if name.endswith("Error") and name != "ValueError"
    ]
    assert len(public) == 8
    assert all(
        issubclass(error, clairvoy.ClairvoyError) and issubclass(error, ValueError) for error in public
    )


def test_import_loads_no_heavy_package():
    heavy = "{'torch', 'numpy', 'cv2', 'PIL', 'gymnasium'}"
    assert python(f"import sys, clairvoy; print({heavy} & set(sys.modules))") == "set()"


@pytest.mark.slow
@pytest.mark.parametrize(
    "before",
    ["pass", "import clairvoy.cotraining.loop", "from clairvoy import cotrain"],
)
def test_cotrain_is_the_function_whatever_was_imported_before(before):
    program = f"import sys, clairvoy\n{before}\nprint(type(clairvoy.cotrain).__name__)"
    assert python(program) == "function"
