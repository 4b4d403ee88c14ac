"""The figure of docs/reproduction.md: the optimism of a split by slices, patient by patient.

    python -m tests.benchmarks.patients_figure

Draws ``docs/images/optimism-by-patient.png`` from what is published of the two tables whose patients are known.
"""

from dataclasses import replace
from pathlib import Path

from covid_monai.report.forest import draw_forest
from covid_monai.tables.forests import patient_panels
from covid_monai.tables.published import read_published

DOCS = Path(__file__).parents[2] / "docs"
TABLES = {"zhou2021-v4": "Zhou et al. 2021", "budak2021": "Budak et al. 2021"}


def main() -> None:
    """A panel a table and pair of protocols."""
    panels = []
    for name, paper in TABLES.items():
        own = patient_panels(read_published(DOCS / "results" / name).patients)
        panels += [replace(panel, heading=f"{paper}, {panel.heading}") for panel in own]
    draw_forest(panels, DOCS / "images" / "optimism-by-patient.png")


if __name__ == "__main__":
    main()
