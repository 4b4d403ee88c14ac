import pytest
from click.testing import CliRunner

from covid_monai.cli import root
from tests.report.fabricated import write_evaluated_run


@pytest.fixture(scope="module")
def run(tiny_dataset, tmp_path_factory):
    return write_evaluated_run(tmp_path_factory.mktemp("report_cli") / "run", tiny_dataset)


def test_report_writes_the_page_and_says_where(run, tmp_path):
    output = tmp_path / "page.html"
    result = CliRunner().invoke(root, ["report", str(run), "-o", str(output)])
    assert result.exit_code == 0, result.output
    assert result.output == f"report: {output}\n"
    assert output.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_subset_that_was_not_evaluated_tells_the_next_command(run):
    result = CliRunner().invoke(root, ["report", str(run), "--subset", "validation"])
    assert result.exit_code == 1
    assert f"covid-monai evaluate {run} --subset validation" in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_an_unknown_part_is_wrong_usage(run):
    assert CliRunner().invoke(root, ["report", str(run), "--subset", "rest"]).exit_code == 2


def test_a_missing_volume_is_named(run, tmp_path):
    missing = str(tmp_path / "none.nii.gz")
    result = CliRunner().invoke(root, ["report", str(run), "--volume", missing, missing])
    assert result.exit_code == 1
    assert "none.nii.gz is not a file" in result.output


def test_a_reference_without_its_volume_is_refused(run, tmp_path):
    result = CliRunner().invoke(root, ["report", str(run), "--reference", str(tmp_path / "mask.nii.gz")])
    assert result.exit_code == 1
    assert "give the image and its mask as --volume" in result.output


def test_only_a_page_of_its_own_is_written(run, tmp_path):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for name in ("run.json", "model.safetensors", "evaluation/test/scores.json", "page"):
        result = CliRunner().invoke(root, ["report", str(run), "-o", str(run / name)])
        assert result.exit_code == 1
        assert "ends in .html" in result.output
    (tmp_path / "page.html").symlink_to(run / "run.json")
    result = CliRunner().invoke(root, ["report", str(run), "-o", str(tmp_path / "page.html")])
    assert result.exit_code == 1
    assert "would replace the input" in result.output
    assert {path: path.read_bytes() for path in before} == before
