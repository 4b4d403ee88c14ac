"""A benchmark of a small network and a small study, each in its own process: its table, its JSON, its failures."""

import json
import subprocess
from types import SimpleNamespace

import nibabel
import pytest
from click.testing import CliRunner

import covid_monai as cm
from covid_monai.benchmark import Benchmark, measure_machine, process
from covid_monai.benchmark.process import measure_apart
from covid_monai.benchmark.study import PHANTOM_SIZE, WHOLE, one_study
from covid_monai.benchmark.table import COLUMNS, STAGE_COLUMNS
from covid_monai.cli.root import root
from covid_monai.data.phantom import write_phantom
from covid_monai.errors import InputError

SMALL = {"channels": [4, 4, 8, 8, 8]}


def rows_of(text):
    """The cells of the first Markdown table in a text, by column."""
    lines = [line[1:-1].split("|") for line in text.splitlines() if line.startswith("|")]
    header, _, *rows = [[cell.strip() for cell in line] for line in lines]
    return [dict(zip(header, row, strict=True)) for row in rows if len(row) == len(header)]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    (image,) = write_phantom(tmp_path_factory.mktemp("study"), 1, size=64, slices=8)
    return image


@pytest.fixture(scope="module")
def lines():
    return []


@pytest.fixture(scope="module")
def done(study, lines, tmp_path_factory):
    """A benchmark of one network, and of a study."""
    with pytest.MonkeyPatch.context() as patch:
        # what OpenVINO's trial keeps for the process of the study
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return measure_machine(
            bundles=["unet"],
            sizes=[32],
            device="cpu",
            precisions=["float32"],
            batch=2,
            repeats=2,
            study=study,
            settings=SMALL,
            report=lines.append,
        )


@pytest.mark.slow
def test_the_table_has_a_row_for_each_limit_and_each_work_of_the_network(done):
    rows = rows_of(done.table())
    assert tuple(rows[0]) == COLUMNS
    assert [(row["what"], row["work"]) for row in rows] == [
        ("convolution", ""),
        ("matrix product", ""),
        ("unet", "training step"),
        ("unet", "inference"),
    ]
    assert all(row["computed by"] == "torch" and row["precision"] == "float32" for row in rows)
    assert all(row["batch"] == "2" and row["peak memory"].endswith(" MiB") for row in rows[2:])


@pytest.mark.slow
def test_a_share_is_a_networks_operations_a_second_by_those_of_the_limit(done):
    reached = {row["name"]: row["flops_per_second"] for row in done.document["limits"]}
    for row in done.document["networks"]:
        assert 0 < row["share_of_convolution"] <= 1.2
        assert 0 < row["share_of_matrix_product"] <= 1.2
        assert row["share_of_convolution"] == pytest.approx(row["flops_per_second"] / reached["convolution"])
        assert row["share_of_matrix_product"] == pytest.approx(row["flops_per_second"] / reached["matrix product"])


@pytest.mark.slow
def test_the_stages_of_the_study_are_those_of_its_record(done):
    study = done.document["study"]
    assert {"read", "lungs", "measure", "write", WHOLE} < set(study["stages"])
    assert all(len(seconds) == 2 for seconds in study["stages"].values())
    parts = [stage for stage in study["stages"] if stage != WHOLE]
    assert all(sum(study["stages"][stage][turn] for stage in parts) < study["stages"][WHOLE][turn] for turn in (0, 1))
    assert study["shape"] == [64, 64, 8]
    text = done.table()
    assert [row[STAGE_COLUMNS[0]] for row in rows_of(text[text.index(f"| {STAGE_COLUMNS[0]}") :])] == list(
        study["stages"]
    )


@pytest.mark.slow
def test_the_study_given_is_not_named(done, study):
    assert study.name not in json.dumps(done.document)
    assert study.name not in done.table()


@pytest.mark.slow
def test_the_json_says_on_what_it_was_measured_and_is_read_again(done, tmp_path):
    assert done.document["environment"]["packages"]["torch"]
    assert done.document["device"] == "cpu"
    assert done.document["processors"] >= 1
    done.save(tmp_path / "figures.json")
    again = Benchmark.read(tmp_path / "figures.json")
    assert again == done
    assert again.table() == done.table()
    with pytest.raises(InputError, match="exists already"):
        done.save(tmp_path / "figures.json")


def test_a_file_of_another_kind_is_no_benchmark(tmp_path):
    (tmp_path / "other.json").write_text('{"format": "covid-monai doctor", "version": 1}')
    with pytest.raises(InputError, match="is no covid-monai benchmark of version 1"):
        Benchmark.read(tmp_path / "other.json")


@pytest.mark.slow
def test_each_measurement_is_told_of(done, lines):
    assert lines[0] == "3 measurements and a study"
    assert "1/2 unet 32 x 32, training step, torch float32" in lines
    assert sum(line.endswith(" slices/s") for line in lines) == len(done.document["networks"])


def test_the_package_offers_it():
    assert cm.benchmark.measure_machine is measure_machine


def fake_process(monkeypatch, *, status, errors=""):
    def ended(command, **_):
        return subprocess.CompletedProcess(command, status, stderr=errors)

    pretended = SimpleNamespace(run=ended, PIPE=subprocess.PIPE, DEVNULL=subprocess.DEVNULL)
    monkeypatch.setattr(process, "subprocess", pretended)


def test_what_the_system_ends_is_a_row_with_the_reason(monkeypatch):
    fake_process(monkeypatch, status=-9)
    found = measure_machine(bundles=["unet"], sizes=[32], device="cpu", study="none")
    reason = "its process was ended by SIGKILL, as the system does where memory runs out"
    assert [row["error"] for row in (*found.document["limits"], *found.document["networks"])] == [reason] * 4
    rows = rows_of(found.table())
    assert [row["slices/s"] for row in rows] == ["failed"] * 4
    assert found.table().count(reason) == 4
    assert "failed: unet, 32 x 32, training step, torch, " in found.table()


def test_openvino_has_a_row_where_it_is_installed(monkeypatch):
    fake_process(monkeypatch, status=-9)
    monkeypatch.setattr("covid_monai.environment.openvino_version", lambda: "2026.0.0")
    found = measure_machine(bundles=["unet"], sizes=[32], device="cpu", precisions=["float32"], study="none")
    rows = [(row["work"], row["backend"]) for row in found.document["networks"]]
    assert rows == [("training step", "torch"), ("inference", "torch"), ("inference", "openvino")]
    assert found.document["openvino"] == "2026.0.0"


def test_each_precision_has_its_own_limits(monkeypatch):
    speeds = {"float32": 100.0, "bfloat16": 400.0}

    def measured(kind, arguments):
        speed = {"flops_per_second": speeds[arguments["precision"]], "precision": arguments["precision"]}
        if kind == "limits":
            return [{"name": "convolution", **speed}, {"name": "matrix product", **speed}]
        return {"flops_per_second": 50.0, "slices_per_second": 1.0}

    monkeypatch.setattr("covid_monai.benchmark.measure.measure_apart", measured)
    found = measure_machine(bundles=["unet"], sizes=[32], device="cpu", precisions=list(speeds), study="none")
    shares = {row["precision"]: row["share_of_convolution"] for row in found.document["networks"]}
    assert shares == {"float32": 0.5, "bfloat16": 0.125}


def test_a_process_without_a_result_has_its_last_words_as_the_reason(monkeypatch):
    fake_process(monkeypatch, status=1, errors="Traceback\nImportError: no torch\n\n")
    with pytest.raises(InputError, match=r"it failed \(ImportError: no torch\)"):
        measure_apart("limits", {})


def test_an_error_in_the_process_is_raised_here():
    arguments = {"device": "cpu", "precision": "float16x", "rounds": 1}
    with pytest.raises(InputError, match="AttributeError: module 'torch' has no attribute 'float16x'"):
        measure_apart("limits", arguments)


def test_a_phantom_is_drawn_in_a_process_of_its_own(tmp_path):
    place = measure_apart("phantom", {"folder": str(tmp_path), "slices": 4})
    assert nibabel.load(place).shape == (PHANTOM_SIZE, PHANTOM_SIZE, 4)


def test_several_studies_are_not_one(study, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.nii.gz").write_bytes(study.read_bytes())
    with pytest.raises(InputError, match="is 2 studies; give one of them"):
        one_study(tmp_path)


BAD = {
    "a size that the network does not take": (["--bundle", "unet", "--size", "31"], "unet at 31 x 31: image_size is"),
    "an unknown bundle": (["--bundle", "unett"], "did you mean 'unet'"),
    "an absent device": (["--bundle", "unet", "--device", "cuda:99"], "cpu always can"),
    "no study": (["--bundle", "unet", "--study", "{tmp}/none.nii.gz"], "none.nii.gz"),
    "a file that exists": (["-o", "{tmp}/there.json"], "exists already"),
    "a folder that cannot be": (["-o", "{tmp}/there.json/figures.json"], "cannot write"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_before_anything_is_measured(name, tmp_path):
    arguments, message = BAD[name]
    (tmp_path / "there.json").write_text("mine")
    result = CliRunner().invoke(root, ["benchmark", *(argument.format(tmp=tmp_path) for argument in arguments)])
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("Error: ")
    assert message in line
    assert [path.name for path in tmp_path.iterdir()] == ["there.json"]
    assert (tmp_path / "there.json").read_text() == "mine"


@pytest.mark.slow
def test_the_command_prints_the_table_and_writes_the_json(done, tmp_path, monkeypatch):
    asked = {}

    def measured(**options):
        asked.update(options)
        return done

    monkeypatch.setattr("covid_monai.benchmark.measure.measure_machine", measured)
    monkeypatch.setattr("covid_monai.benchmark.measure_machine", measured)
    command = ["benchmark", "--bundle", "unet", "--size", "32", "--size", "48", "--study", "none", "--repeats", "3"]
    result = CliRunner().invoke(root, [*command, "-o", str(tmp_path / "new" / "figures.json")])
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == done.table()
    assert Benchmark.read(tmp_path / "new" / "figures.json") == done
    assert (asked["bundles"], asked["sizes"], asked["repeats"], asked["study"]) == (("unet",), (32, 48), 3, "none")


@pytest.mark.slow
def test_a_study_that_failed_is_status_1_after_the_table(done, monkeypatch):
    failed = Benchmark({**done.document, "study": {"name": "phantom", "error": "no weights"}})
    monkeypatch.setattr("covid_monai.benchmark.measure_machine", lambda **_: failed)
    result = CliRunner().invoke(root, ["benchmark"])
    assert result.exit_code == 1
    assert "failed: phantom: no weights" in result.stdout
    assert result.stderr.strip().endswith("Error: the study could not be measured: no weights")
