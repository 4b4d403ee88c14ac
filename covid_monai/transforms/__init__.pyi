from .label_resizing import ResizeLabelsd as ResizeLabelsd
from .labels import LabelsToClassesd as LabelsToClassesd
from .reader import HounsfieldReader as HounsfieldReader
from .slices import AugmentedCopyd as AugmentedCopyd
from .slices import NormalizeSlicesd as NormalizeSlicesd
