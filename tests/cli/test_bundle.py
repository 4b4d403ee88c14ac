import json
import subprocess
import sys

import pytest
import torch
from click.testing import CliRunner

from covid_monai.catalog.sizes import BEGIN, END
from covid_monai.cli import root


def run(*arguments):
    return CliRunner().invoke(root, [str(argument) for argument in arguments])


def test_show_tells_paper_size_input_losses_and_how_to_make_the_ablations():
    shown = run("bundle", "show", "a_segnet").output
    for entry in (
        "Budak",
        "35,585,031",
        "105.8 GFLOP for a slice of 256 x 256",
        "a multiply-add as two",
        "HU window [-1024, 600]",
        "ScaleIntensityRanged",
        "0 background, 1 lesion",
        "dice, tversky, focal_tversky (its own), generalised_dice, cross_entropy",
        "SegNet (the paper's baseline)  --set attention=false",
    ):
        assert entry in shown


def test_show_gives_values_as_set_takes_them():
    lines = [line.split(maxsplit=1) for line in run("bundle", "show", "a_segnet").output.splitlines()]
    assert ["attention", "true"] in lines
    assert ["patience", "null"] in lines
    assert ["loss", "focal_tversky"] in lines


def test_show_says_what_settings_mean_with_unit_and_range():
    lines = [line.strip() for line in run("bundle", "show", "a_segnet").output.splitlines()]
    meaning = lines[lines.index(next(line for line in lines if line.startswith("rotation "))) + 1]
    assert meaning == "largest random rotation to either side; 0.26 is 15 degrees (radians; a number from 0 to 3.14159)"
    shown = json.loads(run("bundle", "show", "au_net", "--json").output)
    assert shown["setting_details"]["alpha"]["meaning"].startswith("weight of false negatives")
    assert shown["setting_details"]["learning_rate_factor"]["allowed"] == "a number above 0 and below 1"
    assert {"bundle_root", "bundle_name"} == set(shown["settings"]) - set(shown["setting_details"])


def test_show_computes_nothing_of_a_bundle_of_the_package():
    code = (
        "import sys; from click.testing import CliRunner; from covid_monai.cli import root\n"
        "assert CliRunner().invoke(root, ['bundle', 'show', 'a_segnet']).exit_code == 0\n"
        "sys.exit(bool({'torch', 'monai'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_show_as_json_has_what_the_text_has():
    shown = json.loads(run("bundle", "show", "a_segnet", "--json").output)
    assert (shown["format"], shown["version"]) == ("covid-monai bundle", 1)
    assert shown["parameters"] == 35_585_031
    assert shown["input"]["image_size"] == [256, 256]
    assert shown["classes"] == ["background", "lesion"]
    assert shown["losses"] == ["dice", "tversky", "focal_tversky", "generalised_dice", "cross_entropy"]
    (baseline,) = shown["ablations"]
    assert baseline["settings"] == {"attention": False}
    assert baseline["operations"] < shown["operations"]


def test_sizes_prints_a_row_for_every_network(monkeypatch):
    monkeypatch.setattr("covid_monai.catalog.bundles.bundle_names", lambda: ["a_segnet_ct_segmentation"])
    rows = run("bundle", "sizes").output.splitlines()
    assert len(rows) == 4
    assert "35.59" in rows[2]
    assert "SegNet (the paper's baseline): `attention: false`" in rows[3]


def test_sizes_puts_the_table_into_a_page(monkeypatch, tmp_path):
    monkeypatch.setattr("covid_monai.catalog.bundles.bundle_names", lambda: ["a_segnet_ct_segmentation"])
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    assert run("bundle", "sizes", "--into", page).exit_code == 0
    assert page.read_text().startswith(f"before\n{BEGIN}\n| bundle ")
    assert page.read_text().endswith(f" |\n{END}\nafter\n")


def test_export_tells_how_far_the_file_is_from_the_network(tiny_run, tmp_path):
    target = tmp_path / "network.ts"
    result = run("bundle", "export", "a_segnet", "--run", tiny_run, "--format", "torchscript", "-o", target)
    assert result.exit_code == 0, result.output
    assert "1 x 1 x 65 x 97 images differ by at most" in result.output
    assert torch.jit.load(target)(torch.rand(1, 1, 40, 50)).shape == (1, 2, 40, 50)


EXPORT = ["bundle", "export", "a_segnet", "--format", "torchscript", "--run"]
BAD = {
    "show an unknown bundle": (["bundle", "show", "a_segmet"], "did you mean 'a_segnet'"),
    "sizes into no page": (["bundle", "sizes", "--into", "{tmp}/none.md"], "cannot read"),
    "sizes into a page without marks": (["bundle", "sizes", "--into", "{tmp}/page.md"], "once each"),
    "export an unknown bundle": (
        ["bundle", "export", "x", "--format", "onnx", "--run", "{run}", "-o", "{tmp}/new"],
        "no bundle 'x'",
    ),
    "export no run": ([*EXPORT, "{tmp}", "-o", "{tmp}/new"], "not a run folder"),
    "export a run without weights": ([*EXPORT, "{tmp}/unfinished", "-o", "{tmp}/new"], "no model.safetensors"),
    "export over something": ([*EXPORT, "{run}", "-o", "{tmp}/page.md"], "exists already"),
    "export over a folder": ([*EXPORT, "{run}", "-o", "{tmp}"], "exists already"),
    "export where one may not write": ([*EXPORT, "{run}", "-o", "/proc/new"], "cannot write"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_status_1(name, tiny_run, tmp_path):
    arguments, message = BAD[name]
    (tmp_path / "page.md").write_text("nothing here")
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "run.json").write_bytes((tiny_run / "run.json").read_bytes())
    result = run(*(argument.format(tmp=tmp_path, run=tiny_run) for argument in arguments))
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("Error: ")
    assert message in line
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "page.md").read_text() == "nothing here"


def test_an_unknown_format_is_wrong_usage(tiny_run, tmp_path):
    result = run("bundle", "export", "a_segnet", "--run", tiny_run, "--format", "x", "-o", tmp_path / "new")
    assert result.exit_code == 2
    assert "torchscript" in result.stderr
