"""Everything that is written of an output folder of ``covid-monai reproduce``."""

from pathlib import Path

from covid_monai.report.curves import draw_curves
from covid_monai.report.forest import draw_forest
from covid_monai.report.table_forests import table_forests
from covid_monai.report.table_page import write_table_page
from covid_monai.tables.collect import Results
from covid_monai.tables.results import find
from covid_monai.tables.write import write_table


def write_results(output: Path) -> None:
    """Write table.md, table.csv, table.json, report.html, the forest plots and each cell's curves.png.

    Raises:
        InputError: no cell is done, table, data or cells have changed since, or a file cannot be read or written.
    """
    findings = find(output)
    write_table(findings, output)
    for forest in table_forests(findings):
        draw_forest(forest.panels, output / f"{forest.name}.png", f"{findings.title}. {forest.caption}")
    _draw_curves(findings.results)
    write_table_page(findings, output / "report.html")


def _draw_curves(results: Results) -> None:
    for folder in results.cells["folder"]:
        home = results.output / folder
        if not (home / "curves.png").exists():
            draw_curves(home / "log.jsonl", home / "curves.png")
