"""What a job of a sweep asks a cluster for; on one machine only its GPU counts."""

from typing import NamedTuple


class Resources(NamedTuple):
    """The request of one job: cores, memory in MB, and minutes; `gpu`: also a GPU, if the sweep's jobs have one."""

    cpus: int
    mem_mb: int
    runtime: int
    gpu: bool = True


# By rule of the Snakefile. `stilts sweep --executor slurm -- --set-resources pair:runtime=720` changes one of them.
REQUESTS = {
    "pretrain": Resources(8, 8_000, 120, gpu=False),
    "intermediate": Resources(4, 32_000, 720),
    "pair": Resources(4, 32_000, 360),
    "batch": Resources(4, 8_000, 120),
}
CLUSTER_JOBS = 64  # Slurm jobs at once, as in profiles/slurm/config.yaml
