from .autocast import AutocastInferer as AutocastInferer
from .inputs import find_images as find_images
from .masks import SaveMasks as SaveMasks
from .model import Model as Model
from .model import load as load
from .prediction import Prediction as Prediction
from .segment import Segmenter as Segmenter
from .segment import as_list as as_list
