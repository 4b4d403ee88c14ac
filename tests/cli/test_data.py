import json
import subprocess
import sys

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from covid_monai.cli.data import _LAYOUTS, data
from covid_monai.cli.options import INTENSITY
from covid_monai.cli.root import root
from covid_monai.data.manifest import read_dataset
from covid_monai.data.sources.picture_index import LAYOUTS
from covid_monai.data.splits import OLD_PROTOCOLS, PROTOCOLS, datalist
from covid_monai.transforms.intensity import MODES, OLD_MODES


def run(*arguments: object):
    return CliRunner().invoke(data, list(map(str, arguments)))


def refused(*arguments: object) -> str:
    """The one-line message of a command that has to refuse its input."""
    result = CliRunner().invoke(root, ["data", *map(str, arguments)])
    assert result.exit_code == 1, result.output
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("Error: ")
    return line.removeprefix("Error: ")


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    random = np.random.default_rng(0)
    rows = ["name,patient,part"]
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for index in range(8):
        Image.fromarray(random.integers(0, 256, (12, 10), dtype=np.uint8)).save(folder / f"images/s{index}.png")
        mask = np.zeros((12, 10), np.uint8)
        mask[: index + 1, 0] = 255
        Image.fromarray(mask).save(folder / f"labels/s{index}.png")
        rows.append(f"s{index},p{index // 2},{'test' if index < 4 else 'train'}")
    (folder / "index.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def volumes(tmp_path):
    folder = tmp_path / "volumes"
    random = np.random.default_rng(0)
    for name, array in (
        ("images", random.integers(-1000, 300, (12, 10, 3)).astype(np.int16)),
        ("labels", random.integers(0, 2, (12, 10, 3)).astype(np.uint8)),
    ):
        (folder / name).mkdir(parents=True)
        nibabel.save(nibabel.Nifti1Image(array, np.diag([-1, -1, 3, 1.0])), folder / name / "v.nii.gz")
    return folder


def test_slices_are_prepared_described_and_split(pictures, tmp_path):
    out, split_file = tmp_path / "out", tmp_path / "split.json"
    result = run("prepare", "slices", pictures, "-o", out, "--label-map", "255=lesion", "--name", "mine")
    assert result.exit_code == 0, result.output
    assert "8 slices (8 window)" in result.output
    shown = run("info", out)
    assert shown.exit_code == 0
    assert "label 4 lesion" in shown.output
    assert "36 pixels, 3.75% of all, in 8 cases" in shown.output
    result = run("split", out, "-o", split_file, "--protocol", "grouped", "--folds", 4, "--validation-fraction", 0.3)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[1].split() == ["0", "4", "2", "2", "1"]
    assert len(datalist(out, split_file, 0, "test")) == 2
    assert {item["source"] for item in datalist(out, split_file, 0, "train")} == {"mine"}


def test_given_parts_are_kept(pictures, tmp_path):
    assert run("prepare", "slices", pictures, "-o", tmp_path / "out", "--label-map", "255=4").exit_code == 0
    result = run("split", tmp_path / "out", "-o", tmp_path / "split.json", "--protocol", "given")
    assert result.exit_code == 0, result.output
    names = [item["case"] for item in datalist(tmp_path / "out", tmp_path / "split.json", 0, "test")]
    assert names == ["s0", "s1", "s2", "s3"]


def test_canvas_and_spacing_reach_the_files(pictures, tmp_path):
    arguments = ("--label-map", "255=4", "--canvas", 16, "--spacing", 0.5, 0.5, 2)
    result = run("prepare", "slices", pictures, "-o", tmp_path / "out", *arguments)
    assert result.exit_code == 0, result.output
    assert "spacing is not known" not in result.output
    case = read_dataset(tmp_path / "out").cases[0]
    image = nibabel.load(tmp_path / "out" / case.image)
    assert image.shape == (16, 16, 1)
    assert image.header.get_zooms() == (0.5, 0.5, 2.0)


def test_volumes_are_prepared(volumes, tmp_path):
    result = run("prepare", "nifti", volumes, "-o", tmp_path / "out", "--label-map", "1=lesion")
    assert result.exit_code == 0, result.output
    assert "3 slices (3 hu)" in result.output
    assert {case.patient for case in read_dataset(tmp_path / "out").cases} == {"v"}


def test_a_phantom_is_drawn(tmp_path):
    result = run("phantom", "-o", tmp_path / "out", "--patients", 1, "--size", 48, "--slices", 4)
    assert result.exit_code == 0, result.output
    described = json.loads((tmp_path / "out/dataset.json").read_text())
    assert described["name"] == "phantom"
    assert len(described["training"]) == 4
    assert (tmp_path / "out/volumes/images/phantom_01.nii.gz").is_file()


def test_bad_input_is_refused_in_one_line(pictures, volumes, tmp_path):
    out = ("-o", tmp_path / "out")
    assert "is not a folder" in refused("prepare", "slices", tmp_path / "no", *out, "--label-map", "1=1")
    assert "give --label-map" in refused("prepare", "slices", pictures, *out)
    assert "is not SOURCE=LABEL" in refused("prepare", "slices", pictures, *out, "--label-map", "1=9")
    assert "no.csv: No such file" in refused(
        "prepare", "slices", pictures, *out, "--label-map", "1=1", "--index", "no.csv"
    )
    assert "no clear peaks" in refused(
        "prepare", "slices", pictures, *out, "--label-map", "255=4", "--intensity", "anchors"
    )
    assert "does not exist" in refused("prepare", "nifti", tmp_path / "no", *out, "--label-map", "1=1")
    assert "is for 8-bit values" in refused(
        "prepare", "nifti", volumes, *out, "--label-map", "1=4", "--intensity", "window"
    )
    assert "cannot read" in refused(
        "prepare", "nifti", volumes, *out, "--label-map", "1=4", "--patients", tmp_path / "no.csv"
    )
    assert "has no dataset.json" in refused("info", tmp_path)
    assert "has no dataset.json" in refused("split", tmp_path, *out, "--protocol", "given")
    assert not (tmp_path / "out").exists()


def test_a_data_set_is_not_written_over_its_source(volumes):
    message = refused("prepare", "nifti", volumes, "-o", volumes, "--label-map", "1=4", "--overwrite")
    assert "is the source folder" in message


def test_an_existing_folder_needs_overwrite(volumes, tmp_path):
    command = ("prepare", "nifti", volumes, "-o", tmp_path / "out", "--label-map", "1=4")
    assert run(*command).exit_code == 0
    assert "--overwrite" in refused(*command)
    assert run(*command, "--overwrite").exit_code == 0


def test_a_split_or_a_check_never_replaces_the_data_set(volumes, tmp_path):
    out = tmp_path / "out"
    assert run("prepare", "nifti", volumes, "-o", out, "--label-map", "1=4").exit_code == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    (out / "linked.json").symlink_to(out / "dataset.json")
    options = ("--protocol", "paper", "--test-fraction", "0.4")
    for target in (out / "dataset.json", out / "linked.json", out / "images" / "v_s000.nii.gz"):
        assert "would replace the input" in refused("split", out, "-o", target, *options)
        assert "would replace the input" in refused("check", out, "--json", target)
    assert {path: path.read_bytes() for path in before} == before
    split = out / "split.json"
    for _ in range(2):
        assert run("split", out, "-o", split, *options).exit_code == 0
    assert "would replace the input" in refused("check", out, "--split", split, "--json", split)


def test_a_label_of_minus_one_is_mapped_as_its_error_says(volumes, tmp_path):
    mask = np.zeros((12, 10, 3), np.int16)
    mask[2:4], mask[6:8] = 1, -1
    nibabel.save(nibabel.Nifti1Image(mask, np.diag([-1, -1, 3, 1.0])), volumes / "labels" / "v.nii.gz")
    command = ("prepare", "nifti", volumes, "-o", tmp_path / "out", "--label-map")
    assert "say which by --label-map 1=lesion,-1=LABEL" in refused(*command, "1=lesion")
    assert run(*command, "1=lesion,-1=background").exit_code == 0
    assert {case.pixels[4] for case in read_dataset(tmp_path / "out").cases} == {20}


@pytest.mark.parametrize(
    "arguments",
    [
        ("split", "d", "-o", "s.json", "--protocol", "paper"),
        ("split", "d", "-o", "s.json", "--protocol", "paper", "--folds", "3", "--test-fraction", "0.2"),
        ("split", "d", "-o", "s.json", "--protocol", "given", "--folds", "3"),
        ("split", "d", "-o", "s.json", "--protocol", "paper", "--folds", "1"),
        ("split", "d", "-o", "s.json", "--protocol", "paper", "--test-fraction", "1"),
        ("prepare", "slices", "d"),
        ("prepare", "slices", "d", "-o", "out", "--layout", "other"),
        ("prepare", "slices", "d", "-o", "out", "--spacing", "0", "1", "1"),
        ("phantom", "-o", "out", "--patients", "0"),
    ],
)
def test_wrong_use_exits_with_2(arguments):
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert "Usage:" in result.output


def test_choices_are_those_of_the_code():
    assert tuple(_LAYOUTS.choices) == tuple(LAYOUTS)
    assert (tuple(INTENSITY.choices), INTENSITY.renamed) == (MODES, OLD_MODES)
    protocol = next(option for option in data.commands["split"].params if option.name == "protocol")
    assert (tuple(protocol.type.choices), protocol.type.renamed) == (PROTOCOLS, OLD_PROTOCOLS)


def test_the_commands_load_nothing_heavy():
    heavy = ["torch", "monai", "numpy", "pandas", "scipy", "nibabel", "matplotlib", "PIL"]
    code = f"import sys, covid_monai.cli.data; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
