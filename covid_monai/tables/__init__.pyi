from .plan import plan as plan
from .reproduction import reproduce as reproduce
from .spec import read_table as read_table
from .spec import table_names as table_names
