"""The colours of all figures and pages: Okabe and Ito's palette, which people with colour-blindness tell apart.

Source: https://jfly.uni-koeln.de/color/
"""

BLUE = "#0072B2"
SKY_BLUE = "#56B4E9"
BLUISH_GREEN = "#009E73"
YELLOW = "#F0E442"
ORANGE = "#E69F00"
VERMILION = "#D55E00"
REDDISH_PURPLE = "#CC79A7"
GREY = "#595959"
LIGHT_GREY = "#B8BCC2"

CLASS_COLOURS = (VERMILION, BLUE, ORANGE, REDDISH_PURPLE)
"""Of the values 1, 2, ... of a mask."""

FINDING_COLOURS = {
    "lesion": VERMILION,
    "ground_glass": VERMILION,
    "consolidation": BLUE,
    "effusion": ORANGE,
    "not_counted": LIGHT_GREY,
}
"""Of what a mask can hold, as the bundles order their classes; and of lesion that is in no number."""

LUNG_WINDOW = (-1350.0, 150.0)
"""HU of black and white: centre -600, width 1500."""

SOFT_TISSUE_WINDOW = (-160.0, 240.0)
"""HU of black and white: centre 40, width 400."""
