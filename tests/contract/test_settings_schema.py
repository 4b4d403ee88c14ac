"""A bundle's schema names exactly its settings, with their meaning, and the bundle's own values satisfy it."""

import shutil
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from covid_monai.catalog.bundles import bundle_folder, bundle_names
from covid_monai.catalog.config import CONFIGS, build_workflow, check_settings, read_config
from covid_monai.catalog.literals import is_code
from covid_monai.catalog.metadata import read_ablations
from covid_monai.catalog.settings import settings_schema
from covid_monai.data.splits import SUBSETS
from covid_monai.errors import InputError
from covid_monai.files import read_json
from covid_monai.handlers.checkpoint import KEPT
from covid_monai.inference.autocast import PRECISIONS
from covid_monai.losses import LOSSES
from covid_monai.networks.a_segnet import GATE_INPUTS, GATE_MERGES
from covid_monai.networks.au_net import HEAD_ENLARGEMENTS
from covid_monai.transforms.intensity import MODES, OLD_MODES

NOT_SETTINGS = {"bundle_name", "bundle_root", "imports", "handlers", "initialize", "run", "finalize"}
"""Keys with plain values that are not for the user to set."""

COMPUTED = {"deterministic", "roi_size"}
"""Settings whose value in the configuration is an expression."""


@pytest.fixture(scope="module", params=bundle_names())
def bundle(request) -> Path:
    return bundle_folder(request.param)


def test_the_schema_names_exactly_the_bundles_settings(bundle):
    config = {key: value for kind in CONFIGS for key, value in read_config(bundle, kind).items()}
    plain = {key for key, value in config.items() if not isinstance(value, dict) and not is_code(value)}
    assert set(settings_schema(bundle)) == (plain - NOT_SETTINGS) | COMPUTED


def test_every_setting_has_a_meaning_and_a_range(bundle):
    for name, schema in settings_schema(bundle).items():
        Draft202012Validator.check_schema(schema)
        assert len(schema["description"]) > 10, name
        assert "type" in schema or "enum" in schema, name
        assert set(schema) <= {
            *("description", "unit", "type", "enum", "items", "minItems", "maxItems", "uniqueItems", "minLength"),
            *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        }, name
        for numbers in (schema, schema.get("items", {})):
            if {"integer", "number"} & {*([numbers.get("type")] if isinstance(numbers.get("type"), str) else ())}:
                assert {"minimum", "exclusiveMinimum"} & set(numbers), name
                assert {"maximum", "exclusiveMaximum"} & set(numbers), name


def test_the_bundles_own_values_and_ablations_satisfy_it(bundle):
    for kind in CONFIGS:
        config = read_config(bundle, kind)
        for settings in ({}, *read_ablations(bundle).values()):
            check_settings(config, settings, bundle.name, bundle=bundle, training=kind == "train")


def test_choices_are_those_of_the_code(bundle):
    choices = {
        "loss": LOSSES,
        "gate_merge": GATE_MERGES,
        "gate_input": GATE_INPUTS,
        "head_enlargement": HEAD_ENLARGEMENTS,
        "weights_kept": KEPT,
        "precision": PRECISIONS,
        "intensity": (*MODES, *OLD_MODES),
        "subset": (*SUBSETS, "all"),
    }
    schema = settings_schema(bundle)
    for name, values in choices.items():
        if name in schema:
            assert set(schema[name]["enum"]) == set(values), name


def test_every_common_setting_is_one_of_at_least_two_bundles():
    shared = read_json(bundle_folder("unet").parent / "settings_schema.json")["$defs"]
    files = [read_json(bundle_folder(name) / "configs" / "settings_schema.json") for name in bundle_names()]
    referred = [
        own["$ref"].rpartition("/")[2] for file in files for own in file["properties"].values() if "$ref" in own
    ]
    assert all(referred.count(name) >= 2 for name in shared)
    assert set(referred) == set(shared)


def test_a_copied_bundle_is_held_to_it(bundle, tmp_path):
    shutil.copytree(bundle, tmp_path / "mine")
    with pytest.raises(InputError, match="epochs is 0; it must be a whole number from 1"):
        build_workflow(tmp_path / "mine", "train", {"epochs": 0})
