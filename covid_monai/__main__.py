"""``python -m covid_monai`` is ``covid-monai``."""

from covid_monai.cli import main

main()
