import json
import subprocess
import sys
from importlib import metadata

import pytest
import torch
from click.testing import CliRunner

from covid_monai import environment
from covid_monai.cli.doctor import doctor
from covid_monai.environment import bfloat16_is_fast
from covid_monai.errors import InputError


def run(*arguments):
    return CliRunner().invoke(doctor, list(arguments))


@pytest.fixture
def installed(monkeypatch):
    """Pretend that packages have other versions; None for missing ones."""

    def pretend(**versions):
        def version(name):
            found = versions.get(name, metadata.version(name) if name not in versions else None)
            if found is None:
                raise metadata.PackageNotFoundError(name)
            return found

        monkeypatch.setattr(environment, "version", version)

    return pretend


def test_a_sound_installation_has_status_0_and_says_what_there_is():
    result = run()
    assert result.exit_code == 0, result.output
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert lines["torch"].startswith(f"{metadata.version('torch')}  (")
    assert lines["cpu"].endswith(("precision auto is bfloat16", "precision auto is float32"))
    assert "no problem found" in result.stdout
    assert "free in" in result.stdout


def test_json_has_devices_memory_disk_and_every_requirement():
    report = json.loads(run("--json").stdout)
    cpu = report["devices"][0]
    assert cpu["device"] == "cpu"
    assert cpu["auto_is_bfloat16"] == bfloat16_is_fast(torch.device("cpu"))
    assert len(report["devices"]) == 1 + torch.cuda.device_count() + torch.backends.mps.is_available()
    assert report["machine"]["disk_free_bytes"] > 0
    assert report["environment"]["threads"] == torch.get_num_threads()
    names = {requirement["name"] for requirement in report["requirements"]}
    needed = {line for line in metadata.requires("covid-monai") if "extra" not in line}
    assert len(names) == len(needed) + 1
    assert {"python", "torch", "monai"} <= names
    assert {entry["name"] for entry in report["optional"]} == set(
        metadata.metadata("covid-monai").get_all("Provides-Extra")
    )


@pytest.mark.parametrize(
    ("versions", "problem"),
    [
        ({"nibabel": None}, "problem: nibabel is missing (needed: <6,>=5.2)"),
        ({"nibabel": "4.0.2"}, "problem: nibabel is 4.0.2, needed: <6,>=5.2"),
    ],
    ids=["missing", "too old"],
)
def test_what_is_needed_and_not_there_is_named_with_its_repair_and_status_1(installed, versions, problem):
    installed(**versions)
    result = run()
    assert result.exit_code == 1
    assert problem in result.stdout
    assert "to repair: pip install 'nibabel<6,>=5.2'" in result.stdout


def test_a_missing_optional_part_is_told_with_its_command_and_is_no_problem(installed):
    installed(onnx=None)
    result = run()
    assert result.exit_code == 0
    assert "To get it: pip install 'onnx<2,>=1.16'" in result.stdout
    export = next(entry for entry in json.loads(run("--json").stdout)["optional"] if entry["name"] == "export")
    assert not export["complete"]


def test_what_the_packages_own_tests_need_is_not_listed_to_who_uses_it(installed):
    installed(pytest=None, ruff=None)
    result = run()
    assert result.exit_code == 0
    assert "pytest" not in result.stdout
    assert "optional: test" in result.stdout
    test = next(entry for entry in json.loads(run("--json").stdout)["optional"] if entry["name"] == "test")
    assert len(test["lacking"]) >= 2


def test_a_torch_that_cannot_be_imported_is_a_problem_and_not_a_traceback(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    result = run()
    assert result.exit_code == 1
    assert "problem: torch or monai cannot be used" in result.stdout
    assert "memory" in result.stdout


def test_a_package_that_is_not_installed_is_told_in_one_line(monkeypatch):
    monkeypatch.setattr(environment, "PACKAGE", "covid-monai-that-is-not-there")
    result = run()
    assert isinstance(result.exception, InputError)
    assert "pip install" in str(result.exception)


def test_memory_is_what_the_control_group_allows(monkeypatch, tmp_path):
    machine = environment.describe_machine()
    if machine["memory_bytes"] is None:
        pytest.skip("this system does not tell its memory")
    assert 0 < machine["memory_available_bytes"] <= machine["memory_bytes"]
    (tmp_path / "memory.max").write_text("1048576\n")
    monkeypatch.setattr(environment, "_MEMORY_LIMIT", tmp_path / "memory.max")
    assert environment.describe_machine()["memory_bytes"] == 2**20


def test_importing_the_command_loads_neither_torch_nor_monai():
    code = (
        "import sys, covid_monai.cli.doctor, covid_monai.cli.score;"
        "sys.exit(bool({'torch', 'monai', 'pandas', 'scipy', 'nibabel'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
