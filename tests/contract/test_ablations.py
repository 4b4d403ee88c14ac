"""The ablations that a bundle's metadata name, and the page of all networks' sizes."""

from pathlib import Path

import pytest

from covid_monai.catalog.bundles import bundle_folder, bundle_names
from covid_monai.catalog.config import build_workflow, read_config
from covid_monai.catalog.metadata import read_ablations
from covid_monai.catalog.sizes import Size, network_sizes, size_table, table_in

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sizes.md"


@pytest.fixture(scope="module")
def sizes() -> dict[str, list[Size]]:
    return {name: network_sizes(name) for name in bundle_names()}


@pytest.mark.parametrize("name", bundle_names())
def test_ablations_have_settings_of_training_and_inference(name):
    folder = bundle_folder(name)
    for settings in read_ablations(folder).values():
        for kind in ("train", "inference"):
            assert set(settings) <= set(read_config(folder, kind))
            build_workflow(folder, kind, settings)


@pytest.mark.parametrize("name", bundle_names())
def test_ablations_build_another_network(name, sizes):
    own, *others = sizes[name]
    assert [size.label for size in others] == list(read_ablations(bundle_folder(name)))
    for other in others:
        assert (other.parameters, other.operations) != (own.parameters, own.operations)


def test_the_page_of_sizes_is_what_the_bundles_have_now(sizes):
    now = size_table([size for name in bundle_names() for size in sizes[name]])
    assert table_in(PAGE) == now, "run: covid-monai bundle sizes --into docs/sizes.md"
