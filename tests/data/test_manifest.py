import json
from pathlib import Path

import pytest

from covid_monai.data.manifest import Canvas, Case, Dataset, read_dataset, write_dataset
from covid_monai.errors import InputError


def make_case(name: str = "a", **changes) -> Case:
    values = {
        "image": f"images/{name}.nii.gz",
        "label": f"labels/{name}.nii.gz",
        "case": name,
        "source": "test",
        "patient": None,
        "volume": None,
        "slice": None,
        "part": None,
        "intensity": "hu",
        "spacing_known": False,
        "canvas": None,
        "pixels": {},
        "sha256": {"image": "0" * 64, "label": "1" * 64},
    }
    return Case(**{**values, **changes})


def make_dataset(folder: Path, *cases: Case) -> Dataset:
    return Dataset(folder, "test", "none", {0: "background", 1: "ground-glass"}, {255: 1}, cases)


@pytest.fixture
def written(tmp_path):
    write_dataset(make_dataset(tmp_path, make_case("a"), make_case("b")))
    return tmp_path


@pytest.mark.parametrize("warnings", [7.5, "text", {"a": 1}])
def test_warnings_that_are_no_list_are_refused(written, warnings):
    path = written / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "warnings": warnings}))
    with pytest.raises(InputError, match=r"warnings is .*, expected list"):
        read_dataset(written)


def test_a_data_set_reads_back_as_it_was_written(tmp_path):
    full = make_case(
        "full",
        patient="p",
        volume="v",
        slice=3,
        part="train",
        canvas=Canvas((630, 630), (5, 7)),
        pixels={1: 12},
    )
    dataset = make_dataset(tmp_path, full, make_case("bare"))
    write_dataset(dataset)
    assert read_dataset(tmp_path) == dataset


def test_monai_reads_the_manifest_as_a_datalist(written):
    from monai.data import load_decathlon_datalist

    items = load_decathlon_datalist(str(written / "dataset.json"), data_list_key="training")
    assert [item["case"] for item in items] == ["a", "b"]
    assert items[0]["image"] == str(written / "images/a.nii.gz")


def test_a_folder_without_manifest_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"has no dataset\.json"):
        read_dataset(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"format": "nnU-Net"}'])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(InputError, match=r"dataset\.json"):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("case", "b", "more than once"),
        ("case", "../a", "no plain name"),
        ("case", 7, "expected str"),
        ("image", "../../etc/passwd", "leaves the data set"),
        ("label", "/etc/passwd", "leaves the data set"),
        ("slice", "3", "expected int"),
        ("slice", True, "expected int"),
        ("spacing_known", "yes", "expected bool"),
        ("part", "exam", "allowed: null, train, test"),
        ("intensity", "8-bit", "allowed: hu, anchored, window"),
        ("pixels", {"one": 1}, "expected integers as keys"),
        ("canvas", {"shape": [1], "offset": [0, 0]}, "two integers"),
        ("sha256", {"image": "0"}, "'label' is missing"),
    ],
)
def test_a_broken_entry_is_refused_and_named(written, key, value, message):
    content = json.loads((written / "dataset.json").read_text())
    content["training"][0][key] = value
    (written / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message) as error:
        read_dataset(written)
    assert "dataset.json" in str(error.value)


@pytest.mark.parametrize("key", ["training", "labels", "label_map", "name", "licence"])
def test_a_missing_key_is_named(written, key):
    content = json.loads((written / "dataset.json").read_text())
    del content[key]
    (written / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=f"'{key}' is missing"):
        read_dataset(written)


def test_a_newer_version_is_refused(written):
    content = json.loads((written / "dataset.json").read_text())
    (written / "dataset.json").write_text(json.dumps({**content, "version": 2}))
    with pytest.raises(InputError, match="version 2"):
        read_dataset(written)


def test_two_cases_of_one_name_are_not_written(tmp_path):
    with pytest.raises(InputError, match="more than once"):
        write_dataset(make_dataset(tmp_path, make_case("a"), make_case("a")))
    assert not (tmp_path / "dataset.json").exists()
