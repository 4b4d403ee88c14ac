"""Chest CT volumes in HU with COVID-19 lesions, drawn by seed, for tests and demonstrations.

They stand in for patients where no data may be shared; scores on them say nothing about scores on patients.
"""

from covid_monai.data.phantom.draw import Phantom, draw_phantom
from covid_monai.data.phantom.write import write_phantom

__all__ = ["Phantom", "draw_phantom", "write_phantom"]
