from . import benchmark as benchmark
from . import data as data
from . import inference as inference
from . import losses as losses
from . import lungs as lungs
from . import measurements as measurements
from . import networks as networks
from . import scoring as scoring
from . import studies as studies
from . import tables as tables
from . import transforms as transforms
from .errors import InputError as InputError
from .inference.corrected import measure_files as measure_files
from .inference.model import Model as Model
from .inference.model import load as load
from .inference.predict import predict as predict
from .inference.prediction import Prediction as Prediction
from .run.evaluation import evaluate as evaluate
from .run.run import Run as Run
from .run.training import train as train
from .scoring.score import Scores as Scores
from .scoring.score import score as score
from .tables.reproduction import reproduce as reproduce

__version__: str
