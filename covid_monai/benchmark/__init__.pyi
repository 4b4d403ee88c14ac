from .measure import measure_machine as measure_machine
from .table import Benchmark as Benchmark
