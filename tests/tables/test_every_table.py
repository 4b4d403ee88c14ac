"""Every table from its YAML to its page, trained for an epoch on the phantom."""

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from covid_monai.cli import root
from covid_monai.data.manifest import write_dataset
from covid_monai.data.sources.phantom import prepare_phantom
from covid_monai.tables.spec import table_names

TINY = {"image_size": [32, 32], "channels": [4, 8, 16, 32, 64], "epochs": 1}
TINY_ATTENTION = {"cardinality": 2, "attention_heads": 2, "attention_rounds": 1, "attention_chunk": 16}


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    """The two middle slices of six patients, the last two patients as the source's test part."""
    dataset = prepare_phantom(tmp_path_factory.mktemp("phantom") / "data", patients=6, size=64, slices=4)
    tested = ("phantom_05", "phantom_06")
    cases = [
        replace(case, part="test" if case.patient in tested else "train")
        for case in dataset.cases
        if case.slice in (1, 2)
    ]
    write_dataset(replace(dataset, cases=tuple(cases)))
    return dataset.folder


def tiny(name: str, folder: Path) -> Path:
    """A package's table with all its rows, as small as it can be under the budget quick."""
    content = yaml.safe_load(files("covid_monai.tables").joinpath(f"{name}.yaml").read_text(encoding="utf-8"))
    quick = content["budgets"]["quick"]
    quick["settings"] |= TINY
    bundles = {row.get("bundle") for row in content["rows"]}
    if "residual_attention_unet" in bundles:
        quick["bundle_settings"] = {"residual_attention_unet": TINY_ATTENTION}
    # six patients are too few for ten folds
    content["folds"] = min(content["folds"], 2)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


# all tables together take two minutes of a processor
@pytest.mark.slow
@pytest.mark.parametrize("name", table_names())
def test_a_table_runs_from_its_rows_to_its_page(name, phantom, tmp_path):
    table, output = tiny(name, tmp_path), tmp_path / "output"
    arguments = ["reproduce", str(table), "--data", str(phantom), "-o", str(output), "--budget", "quick"]
    arguments += ["--allow-deviation", "sources"]
    result = CliRunner().invoke(root, [*arguments, "--device", "cpu"])
    assert result.exit_code == 0, result.output
    stored = json.loads((output / "table.json").read_text())
    rows = yaml.safe_load(table.read_text())["rows"]
    run = [row["label"] for row in rows if "bundle" in row]
    assert len(stored["jobs"]) == 2 * len(run) > 0
    assert stored["missing"] == []
    lines = pd.read_csv(output / "table.csv", keep_default_na=False)
    assert set(lines["budget"]) == {"quick"}
    assert list(dict.fromkeys(lines["row"])) == [row["label"] for row in rows]
    assert set(lines.loc[lines["protocol"] != "", "row"]) == set(run)
    # a phantom is not what any paper measured
    assert set(lines["verdict"]) <= {"", "not comparable"}
    assert (output / "table.md").read_text().startswith(f"# {stored['title']}\n")
    assert stored["title"].endswith("(quick)")
    page = (output / "report.html").read_text(encoding="utf-8")
    several = any(line["kind"] == "patients" for line in stored["patients"])
    assert (output / "patients.png").is_file() == several
    assert page.count("data:image/") == 6 + several
    assert "quick: small images" in page
