"""Everything that is written of an output folder of ``covid-monai reproduce``."""

from pathlib import Path

from covid_monai.report.table_page import write_table_page
from covid_monai.tables.results import find
from covid_monai.tables.write import write_table


def write_results(output: Path) -> None:
    """Write table.md, table.csv, table.json and report.html into ``output``, from the cells that are done.

    Raises:
        InputError: no cell is done, table, data or cells have changed since, or a file cannot be read or written.
    """
    findings = find(output)
    write_table(findings, output)
    write_table_page(findings, output / "report.html")
