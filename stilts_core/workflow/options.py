"""The options of a sweep itself; those of its runs are the fields of RunConfig."""

from dataclasses import dataclass, fields

from stilts_core.parameters import POSITIVE, parameter, read_value


@dataclass(frozen=True)
class SweepOptions:
    """How a sweep computes its runs. Values are read as those of RunConfig are: '4' and 4.0 are four cores."""

    cores: int | None = parameter(
        None, "number of runs at once, with one thread each (default: the number of cores)",
        decides="nothing", bounds=POSITIVE,
    )  # fmt: skip
    jobs_per_gpu: int = parameter(1, "number of runs that share a GPU", decides="nothing", bounds=POSITIVE)
    executor: str = parameter(
        "local", "this machine or a Slurm cluster: local or slurm", decides="nothing", choices=("local", "slurm")
    )
    dry_run: bool = parameter(False, "only the numbers of finished and missing runs", decides="nothing")

    no_page: bool = parameter(
        False, "only records and predictions; a later sweep without this option adds the pages", decides="nothing"
    )

    def __post_init__(self) -> None:
        """Read every field, whoever gave it. Raises ConfigError for a value that the field cannot have."""
        for f in fields(self):
            object.__setattr__(self, f.name, read_value(f, getattr(self, f.name)))
