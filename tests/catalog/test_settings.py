"""Settings are held to their types, units and ranges, and to each other, before anything is built."""

import json
import shutil
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import build_workflow, check_settings, read_config
from covid_monai.catalog.literals import parse_setting
from covid_monai.catalog.settings import allowed, settings_schema
from covid_monai.errors import InputError, building
from tests.contract.test_bundles import BUNDLES


@cache
def configuration(bundle: str) -> dict:
    return read_config(bundle_folder(bundle), "train")


def check(*assignments: str, bundle: str = "a_segnet", training: bool = True) -> None:
    given_settings = dict(parse_setting(text) for text in assignments)
    check_settings(configuration(bundle), given_settings, bundle, bundle=bundle_folder(bundle), training=training)


REFUSED = {
    "epochs=1:02": "epochs is '1:02'; it must be a whole number from 1 to 1000000, such as 50",
    "epochs=5.0": "epochs is 5.0; it must be a whole number",
    "epochs=true": "epochs is True; it must be a whole number",
    "attention=no": "attention is 'no'; it must be true or false",
    "image_size=[0,32]": r"image_size is \[0, 32\]; it must be a list of 2 whole numbers from 1",
    "image_size=[32.5,32]": r"image_size is \[32.5, 32\]; it must be a list of 2 whole numbers",
    "image_size=[48]": r"image_size is \[48\]; it must be a list of 2 whole numbers .*such as \[256, 256\]",
    "image_size=[48,48,48]": "a list of 2 whole numbers",
    "image_size#0=0": r"image_size is \[0, 256\]",
    "image_size=[31,64]": r"image_size is \[31, 64\]; with the 5 levels of channels each side must be at least 32",
    "window=[600,-1024]": r"window is \[600, -1024\]; its lower end must be below its upper one",
    "window=[0,0]": r"window is \[0, 0\]; its lower end",
    "window=[-.inf,0]": r"window is \[-inf, 0\]; it must be a list of 2 numbers",
    "channels=[4,4,4,4,0]": r"channels is \[4, 4, 4, 4, 0\]; it must be a list of 2 to 10 whole numbers from 1",
    "learning_rate=.nan": "learning_rate is nan; it must be a number from 0",
    "learning_rate=1e999": "learning_rate is inf; it must be a number from 0",
    "alpha=.inf": "alpha is inf; it must be a number",
    "momentum=1": "momentum is 1; it must be a number of at least 0 and below 1",
    "learning_rate_factor=0": "learning_rate_factor is 0; it must be a number above 0 and at most 1",
    "learning_rate_step=0": "learning_rate_step is 0; it must be a whole number from 1",
    "patience=0": "patience is 0; it must be a whole number from 1 to 1000000 or null",
    "patience_metric=dice": "patience_metric is 'dice'; it must be one of validation_dice, loss",
    "validation_interval=51": "validation_interval is 51 and epochs is 50.*at most epochs, or weights_kept to last",
    "loss=jaccard": "loss is 'jaccard'; it must be one of dice, tversky, focal_tversky",
    "softmax=false": "softmax is False; it must be true",
    "padding_mode=zero": "it must be one of zeros, border, reflection",
    "class_names=[lesion]": "a list of 2 or more different texts",
    "lesion_labels=[1,1]": "a list of 1 or more different whole numbers",
    "network_def#out_channels=5": "is 5, but class_names has 2 names; leave it away and set class_names",
    "network_def::out_channels=.nan": "is nan, but class_names has 2 names",
    "optimizer#lr=.nan": "optimizer#lr is nan; it must be of finite numbers",
    "network_def#in_channels=3": "network_def#in_channels is 3, but the images need 1",
}


@pytest.mark.parametrize("assignment", REFUSED)
def test_a_value_that_a_setting_cannot_have_is_refused_with_what_is_allowed(assignment):
    with pytest.raises(InputError, match=REFUSED[assignment]) as error:
        check(assignment)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("bundle", "assignments", "message"),
    [
        ("a_segnet", ["alpha=0", "beta=0"], "alpha and beta are both 0"),
        ("a_segnet", ["validation_interval=5", "patience=2"], "patience to at least 5, or to null"),
        ("au_net", ["learning_rate_factor=1"], "above 0 and below 1"),
        ("unet", ["channels=[4,4,8,8]"], "a list of 5 whole numbers"),
        ("unet", ["network_def#spatial_dims=3"], "the images need 2"),
    ],
)
def test_values_that_do_not_fit_together_or_the_bundle_are_refused(bundle, assignments, message):
    with pytest.raises(InputError, match=message):
        check(*assignments, bundle=bundle)


@pytest.mark.parametrize(
    ("bundle", "assignments"),
    [
        ("a_segnet", ["epochs=1", "validation_interval=1"]),
        ("a_segnet", ["epochs=1", "validation_interval=5", "weights_kept=last"]),
        ("a_segnet", ["patience=5", "validation_interval=5"]),
        ("a_segnet", ["class_names=[a,b,c]", "network_def#out_channels=3"]),
        ("a_segnet", ["image_size=[32,32]"]),
        ("a_segnet", ["patience=1", "patience_metric=loss", "validation_interval=2"]),
        ("a_segnet", ["alpha=0", "beta=0", "loss=dice"]),
        ("au_net", ["patience_metric=validation_loss"]),
    ],
)
def test_the_advice_of_the_messages_is_taken(bundle, assignments):
    check(*assignments, bundle=bundle)


def test_settings_of_training_alone_do_not_keep_an_old_run_from_being_evaluated():
    check("rotation=5", "validation_interval=51", training=False)
    with pytest.raises(InputError, match="its lower end"):
        check("window=[0,0]", training=False)


def test_a_part_of_the_slice_that_the_network_uses_up_is_refused():
    with pytest.raises(InputError, match=r"roi_size is \[8, 8\]; with the 5 levels of channels .* at least 32"):
        build_workflow(bundle_folder("au_net"), "inference", {"roi_size": [8, 8]})


@pytest.mark.parametrize(("written", "read"), [("010", "010 is 8 in YAML 1.1"), ("1:02", "1:02 is 62 in YAML 1.1")])
def test_a_copied_bundles_number_that_monai_reads_otherwise_is_refused(tmp_path, written, read):
    shutil.copytree(bundle_folder("a_segnet"), tmp_path / "mine")
    file = tmp_path / "mine" / "configs" / "train.yaml"
    file.write_text(file.read_text().replace("epochs: 50", f"epochs: {written}"))
    with pytest.raises(InputError, match=rf"train\.yaml, line \d+: {read}, which MONAI reads"):
        build_workflow(tmp_path / "mine", "train", {})


def test_an_expression_is_held_to_the_same_ranges():
    with pytest.raises(InputError, match=r"image_size is \[0, 0\]"):
        build_workflow(bundle_folder("a_segnet"), "train", {"image_size": "$[0, 0]"})
    with pytest.raises(InputError, match=r"cannot be built with these settings: .*division"):
        build_workflow(bundle_folder("a_segnet"), "train", {"epochs": "$1 // 0"})


def test_a_bundle_without_a_schema_is_held_to_the_kinds_of_its_values(tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(bundle_folder("a_segnet"), folder)
    (folder / "configs" / "settings_schema.json").unlink()
    config = read_config(folder, "train")
    check_settings(config, {"rotation": 5.0}, "mine", bundle=folder)
    with pytest.raises(InputError, match="epochs is 'ten'; it must be a whole number, such as 50"):
        check_settings(config, {"epochs": "ten"}, "mine", bundle=folder)


@pytest.mark.parametrize(
    "properties", [["epochs"], {"epochs": 1}, {"epochs": {"$ref": "urn:covid-monai:settings#/$defs/epoch"}}]
)
def test_a_damaged_schema_is_named(tmp_path, properties):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "settings_schema.json").write_text(json.dumps({"properties": properties}))
    with pytest.raises(InputError, match=r"settings_schema\.json is no schema of settings"):
        settings_schema(tmp_path)


def test_what_is_allowed_is_said_in_words():
    assert allowed({"type": "array", "items": {"type": "number"}}) == "a list of numbers"
    assert allowed({"type": "array", "minItems": 1, "items": {"type": "string"}}) == "a list of 1 or more texts"
    assert allowed({"type": "number", "exclusiveMinimum": 0}) == "a number above 0"
    assert allowed({"enum": [True]}) == "true"


ODD_NUMBERS = st.one_of(
    st.integers(-3, 70),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0, 1, -1, 10**400, 1e308, 5e-324, True, None, "", "1e-3", "yes", "zeros", "é"]),
)
ODD_VALUES = st.one_of(ODD_NUMBERS, st.lists(st.one_of(st.integers(0, 9), ODD_NUMBERS), max_size=6))


@pytest.mark.parametrize("name", BUNDLES)
def test_any_value_of_any_setting_builds_or_is_refused_in_one_line(name, tiny_dataset, tmp_path):
    folder = bundle_folder(name)
    names = sorted({*settings_schema(folder)} & {*read_config(folder, "train")})
    fixed = {**BUNDLES[name], "dataset_dir": str(tiny_dataset), "output_dir": str(tmp_path), "epochs": 1}

    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(st.dictionaries(st.sampled_from(names), ODD_VALUES, min_size=1, max_size=2))
    def builds_or_is_refused(changes):
        refusal = ""
        try:
            workflow = build_workflow(folder, "train", {**fixed, **changes})
            with building(name):
                workflow.initialize()
                assert workflow.trainer is not None
        except InputError as error:
            refusal = str(error)
        assert "\n" not in refusal
        # what a network or a loss refuses by itself is told in its own words
        assert not refusal or "cannot be built with these settings" in refusal or any(key in refusal for key in changes)

    builds_or_is_refused()


def test_building_a_workflow_says_nothing_of_decoders_that_no_bundle_uses(recwarn, caplog):
    workflow = build_workflow(bundle_folder("a_segnet"), "inference", {})
    workflow.initialize()
    workflow.parser.get_parsed_content("preprocessing")
    assert not [str(warning.message) for warning in recwarn if "nvimgcodec" in str(warning.message).lower()]
    assert "nvImageCodec" not in caplog.text
