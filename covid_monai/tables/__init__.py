"""The papers' tables as YAML files, and the runs that reproduce them: row by row, fold by fold, seed by seed."""

from covid_monai.lazy import lazy_names

__getattr__ = lazy_names(
    __name__,
    {
        "plan": "covid_monai.tables.plan",
        "read_table": "covid_monai.tables.spec",
        "reproduce": "covid_monai.tables.reproduction",
        "table_names": "covid_monai.tables.spec",
    },
)
