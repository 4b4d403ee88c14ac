from .crop import CropToLungsd as CropToLungsd
from .crop import box_of_lungs as box_of_lungs
from .find import find_lungs as find_lungs
from .given import from_labels as from_labels
from .lungs import Lungs as Lungs
