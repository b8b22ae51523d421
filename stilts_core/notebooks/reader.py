"""The sizes at which a reader reruns a study in a notebook: one encoder, few arms, few seeds, short phases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stilts_core.config import RunConfig
from stilts_core.notebooks.pair import run_without_page


@dataclass(frozen=True)
class ReaderSize:
    """How a reader reruns one study, in about half a minute of one core (latency: in a minute).

    `changes` are those of `stilts study --set`, joined by spaces, and `latency` are changed values of the plan of
    measurement. `tries` has changes that a reader may make, each with a reason.
    """

    title: str
    changes: str
    tries: Mapping[str, str]
    seeds: int = 3
    latency: Mapping[str, Any] = field(default_factory=dict)


_COMMON = "profile=lab encoders=lab batch_size=8 dev_examples=50 test_examples=50"
MORE_SEEDS = "narrower intervals: the half-width falls with the root of the number of seeds, and faster from three"

READER_SIZES: Mapping[str, ReaderSize] = {
    "ratio": ReaderSize(
        title="the ratio of the phases",
        changes=f"{_COMMON} arms=direct,mnli targets=udpos rate=3e-4 steps=128:64,512:64 "
        "languages=qil,qja,qko,qlu,qme,qno,qor,qpa",
        tries={
            "-p seeds 6": MORE_SEEDS,
            '-p changes "steps=128:64,512:64,512:256"': "the same ratio, 2, with four times the steps of both phases",
            '-p changes "steps=128:64,512:64,2048:64"': "the slice of a short target phase over a wider range",
            '-p changes "intermediate_frozen=2"': "a gentler intermediate phase: half of the encoder stays as it was",
        },
    ),
    "continued": ReaderSize(
        title="continued pretraining",
        changes=f"{_COMMON} arms=direct,text-unseen targets=udpos measure_languages=false intermediate_steps=150 "
        "target_steps=64 languages=qal,qes,qil,qme",
        tries={
            "-p seeds 6": MORE_SEEDS,
            '-p changes "intermediate_steps=1500"': "half as many steps on text as in the study",
            '-p changes "target_steps=250"': "a longer target phase, after which there is less left to gain",
        },
    ),
    "choice": ReaderSize(
        title="the choice of the intermediate task",
        changes=f"{_COMMON} arms=direct,mnli,ccg,qqp targets=udpos measure_languages=false intermediate_steps=48 "
        "target_steps=64",
        tries={
            "-p seeds 6": MORE_SEEDS,
            '-p changes "intermediate_steps=1000"': "intermediate tasks that are learnt, so that they differ",
            '-p changes "arms=direct,mnli,ccg,qqp,squad,hellaswag"': "more tasks to choose from",
        },
    ),
    "latency": ReaderSize(
        title="latency",
        changes=f"{_COMMON} arms=direct,logic intermediate_steps=64 target_steps=32 languages=en",
        seeds=1,
        latency={"blocks": 4, "seconds": 0.5, "batch_sizes": (8,)},
        tries={
            '-p changes "intermediate_steps=1000"': "a longer intermediate phase: the graph stays the same",
            '-p changes "arms=direct,logic,logic-sham"': "permuted labels: one more process in a block",
        },
    ),
    "adversary": ReaderSize(
        title="the language adversary",
        changes=f"{_COMMON} arms=lambda-0,reversal targets=tatoeba measure_languages=false intermediate_steps=80 "
        "intermediate_lr=1e-3 test_examples=100",
        tries={
            "-p seeds 6": MORE_SEEDS,
            '-p changes "intermediate_lr=3e-4"': "the learning rate of the study, at which few steps change little",
            '-p changes "intermediate_steps=800"': "a task that is learnt beside the adversary",
        },
    ),
}


def run_one_by_one(configs: Sequence[Mapping[str, Any]], runs_dir: Path) -> None:
    """Do runs in this process, one after another and without pages; finished ones are reused."""
    for config in configs:
        run_without_page(RunConfig.from_dict({**config, "runs_dir": str(runs_dir), "quiet": True}))
