from .autocast import AutocastInferer as AutocastInferer
from .masks import SaveMasks as SaveMasks
from .model import Model as Model
from .model import Prediction as Prediction
from .model import load as load
from .predict import find_images as find_images
from .segment import Segmenter as Segmenter
from .segment import as_list as as_list
