from .batches import BatchDataset as BatchDataset
from .batches import as_gathered as as_gathered
from .epochs import EpochDataset as EpochDataset
from .epochs import EpochSampler as EpochSampler
from .manifest import read_dataset as read_dataset
from .sources.augmented import augmented_copies as augmented_copies
from .splits import datalist as datalist
from .splits import read_split as read_split
