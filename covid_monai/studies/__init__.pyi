from .finding import Found as Found
from .finding import FoundStudy as FoundStudy
from .finding import find_studies as find_studies
from .reading import read_study as read_study
from .series import FoundSeries as FoundSeries
from .study import Identity as Identity
from .study import Study as Study
from .table import read_study_table as read_study_table
