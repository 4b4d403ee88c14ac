"""Values as users write them are read by YAML 1.2, and the package's own files are the same in YAML 1.1."""

import math
from pathlib import Path

import pytest
import yaml

from covid_monai.catalog.literals import parse_setting, read_settings, read_yaml
from covid_monai.errors import InputError

ROOT = Path(__file__).resolve().parents[2]

# the last column of https://yaml.org/spec/1.2.2/#1032-tag-resolution, and what YAML 1.1 read otherwise
READ = {
    "010": 10,
    "-017": -17,
    "+1": 1,
    "0o17": 15,
    "0x1F": 31,
    "1e-3": 0.001,
    "1E3": 1000.0,
    "1.5e3": 1500.0,
    "5.0e-5": 5e-5,
    ".5": 0.5,
    "1.": 1.0,
    "-.inf": -math.inf,
    "1:02": "1:02",
    "1_000": "1_000",
    "0b11": "0b11",
    "yes": "yes",
    "no": "no",
    "on": "on",
    "off": "off",
    "2020-01-01": "2020-01-01",
    "<<": "<<",
    "=": "=",
    "true": True,
    "FALSE": False,
    "~": None,
    "": None,
    "Null": None,
    "'010'": "010",
    "[010, 1e-3, no]": [10, 0.001, "no"],
    "{a: 010}": {"a": 10},
}


@pytest.mark.parametrize("text", READ)
def test_values_are_those_of_yaml_1_2(text):
    key, value = parse_setting(f"x={text}")
    assert (key, value, type(value)) == ("x", READ[text], type(READ[text]))


def test_nan_is_read_as_what_it_is():
    assert math.isnan(parse_setting("x=.nan")[1])


@pytest.mark.parametrize(
    "text", ["[1, 2", "&a [*a]", "!!int x", "!!binary aGk=", "!!python/name:os.getcwd", "{a: 1, a: 2}", "9" * 5000]
)
def test_what_is_no_literal_is_refused(text):
    with pytest.raises(InputError, match="not YAML"):
        parse_setting(f"x={text}")


def test_a_settings_file_is_read_likewise_and_names_a_key_that_stands_twice(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("\ufeffepochs: 010\nlearning_rate: 1e-3\nsoftmax: $not False\n")
    assert read_settings(file) == {"epochs": 10, "learning_rate": 0.001, "softmax": "$not False"}
    file.write_text("epochs: 5\nbatch_size: 2\nepochs: 50\n")
    with pytest.raises(InputError, match="epochs is given twice"):
        read_settings(file)


@pytest.mark.parametrize("file", sorted([*ROOT.glob("bundles/*/configs/*.yaml"), *ROOT.glob("covid_monai/*/*.yaml")]))
def test_the_packages_own_files_mean_the_same_in_both_versions(file):
    text = file.read_text(encoding="utf-8")
    # MONAI reads YAML 1.1
    assert repr(read_yaml(text)) == repr(yaml.safe_load(text))
