import click
import pytest
from click.testing import CliRunner

from covid_monai.cli.options import RenamedOptions, as_options
from covid_monai.cli.root import root
from covid_monai.inference.study_record import StudySettings


@click.command(cls=RenamedOptions, renamed={"--part": "--subset"}, removed={"--window": "use --roi-size"})
@click.option("--subset", default="test")
@click.option("-o", "--output")
@click.option("--trust-run", is_flag=True)
def command(subset, output, trust_run):
    click.echo(f"{subset} {output}")


@pytest.mark.parametrize("arguments", [["--part", "train"], ["--part=train"], ["--subset", "train"]])
def test_an_old_name_sets_the_new_option(arguments):
    result = CliRunner().invoke(command, arguments)
    assert result.stdout == "train None\n"
    assert ("is now called --subset" in result.stderr) == arguments[0].startswith("--part")


def test_the_old_name_is_not_in_the_help():
    assert "--part" not in CliRunner().invoke(command, ["--help"]).output


def test_a_removed_option_is_an_error_with_the_hint():
    result = CliRunner().invoke(command, ["--window", "64"])
    assert result.exit_code == 2
    assert "--window is gone: use --roi-size" in result.stderr


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("choose another `output`", "choose another --output"),
        ("give `trust=True`", "give --trust-run"),
        ("run `covid-monai train`; `other` stays", "run `covid-monai train`; `other` stays"),
    ],
)
def test_arguments_in_an_error_become_the_commands_options(message, expected):
    assert as_options(message, command) == expected


def test_an_error_of_a_command_names_its_options(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(
        '{"format": "covid-monai run", "version": 1, "bundle": "/x", "settings": {}, "data": "", "manifest": "", '
        '"split": "", "fold": 0}'
    )
    result = CliRunner().invoke(root, ["evaluate", str(tmp_path / "run")])
    assert result.exit_code == 1
    assert "give --trust-run if" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "x.nii", "-o", "out", "--run", "r", "--window", "64"], "--window is gone"),
        (["predict", "x.nii", "-o", "out", "--checkpoint", "r"], "--checkpoint is now called --run"),
        (["evaluate", "r", "--part", "all"], "--part is now called --subset"),
        (["report", "r", "--part", "all"], "--part is now called --subset"),
        (["bundle", "copy", "a_segnet", "x", "--checkpoint", "r"], "--checkpoint is now called --run"),
        (["bundle", "export", "a_segnet", "--format", "onnx", "-o", "x", "--checkpoint", "r"], "is now called --run"),
    ],
)
def test_options_of_the_last_release_are_told_by_their_new_names(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(root, arguments)
    assert result.exit_code in (1, 2)
    assert message in result.stderr


@pytest.mark.parametrize("command", ["predict", "measure"])
def test_the_options_of_studies_have_the_defaults_of_the_definitions(command):
    """They stand in the command line as numbers, since its help imports nothing."""
    settings = StudySettings()
    defaults = {option.name: option.default for option in root.get_command(None, command).params}
    for name in ("intensity", "spacing", "ground_glass_below", "floor_ml", "floor_percent"):
        assert defaults[name] == getattr(settings, name)
