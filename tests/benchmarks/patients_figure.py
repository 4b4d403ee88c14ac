"""The figure of docs/reproduction.md: the optimism of a split by slices, patient by patient.

    python -m tests.benchmarks.patients_figure

Draws ``docs/images/optimism-by-patient.png`` from what is published of the two tables whose patients are known.
"""

from dataclasses import replace
from pathlib import Path

from covid_monai.report.forest import draw_forest
from covid_monai.tables.forests import patient_panels
from covid_monai.tables.published import read_published
from covid_monai.tables.table import CONTROL_ARMS

DOCS = Path(__file__).parents[2] / "docs"
TABLES = {"zhou2021-v4": "Zhou et al. 2021", "budak2021": "Budak et al. 2021"}


def main() -> None:
    """A panel a table, of the paper's protocol against the grouped one."""
    panels = []
    for name, paper in TABLES.items():
        patients = read_published(DOCS / "results" / name).patients
        own = [each for each in patients if each.first not in CONTROL_ARMS]
        panels += [replace(panel, heading=f"{paper}, {panel.heading}") for panel in patient_panels(own)]
    draw_forest(panels, DOCS / "images" / "optimism-by-patient.png")


if __name__ == "__main__":
    main()
