from .definitions import DEFINITIONS_VERSION as DEFINITIONS_VERSION
from .definitions import Unknown as Unknown
from .document import Measurements as Measurements
from .measure import measure as measure
from .region import classes_of as classes_of
