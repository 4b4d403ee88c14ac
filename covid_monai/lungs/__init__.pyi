from .crop import CropToLungsd as CropToLungsd
from .crop import box_of_lungs as box_of_lungs
from .crop import box_to_crop as box_to_crop
from .find import find_lungs as find_lungs
from .given import from_labels as from_labels
from .lungs import Lungs as Lungs
