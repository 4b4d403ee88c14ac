from .find import find_lungs as find_lungs
from .given import from_labels as from_labels
from .lungs import Lungs as Lungs
