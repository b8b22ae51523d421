"""What the benchmark measures: its measures, its workloads with their sizes and aims, and its peers."""

from dataclasses import dataclass, replace
from typing import Literal

from stilts_core.config import ResolvedConfig, RunConfig
from stilts_core.errors import ConfigError

Kind = Literal["training", "evaluation", "mining", "tatoeba", "startup", "growth", "sweep"]


@dataclass(frozen=True)
class Measure:
    """A measure: its title in tables, its unit, and how its ratio to a peer is computed.

    A ratio of speeds is above 1 if ours is faster. A ratio of memory is below 1 if ours needs less. `ratio` is None if
    a ratio would not be informative.
    """

    title: str
    unit: str
    ratio: Literal["ours / theirs", "theirs / ours"] | None = "ours / theirs"


MEASURES = {
    "examples_per_second": Measure("examples a second", "1/s"),
    "tokens_per_second": Measure("sub-words a second, without padding", "1/s"),
    "seconds": Measure("seconds", "s", "theirs / ours"),
    "peak_memory_bytes": Measure("peak memory", "bytes"),
    "padding_share": Measure("share of padding", "share", None),
    "useful_flops_share": Measure("useful arithmetic, as a share of the rate of large matrix products", "share", None),
    "updates": Measure("optimiser steps of a repetition", "steps", None),
    "dev": Measure("English dev score", "0-100", None),
    "agreement": Measure("predictions that equal the peer's, with an untrained head", "share", None),
    "identical_neighbours": Measure("neighbours that equal the peer's, or tie with them", "share", None),
    "score": Measure("score", "0-100", None),
    "help_seconds": Measure("`stilts --help`", "s", None),
    "import_seconds": Measure("imports of a run", "s", None),
    "first_step_seconds": Measure("from the start of the kernel to the end of the first training step", "s", None),
    "languages": Measure("scoring more languages of XNLI", "s", None),
    "examples": Measure("training on more examples of XNLI", "s", None),
    "length": Measure("training on longer inputs, equally many", "s", None),
    "corpus": Measure("searching n vectors among n others", "s", None),
    "corpus_memory": Measure("memory that this search adds to its vectors", "bytes", None),
    "grid": Measure("more runs of a grid, from their records", "s", None),
    "planning": Measure("planning more runs of a sweep, processor seconds", "s", None),
    "locking": Measure("locking more runs, processor seconds", "s", None),
    "computing": Measure("computing more runs of a sweep, processor seconds", "s", None),
    "reporting": Measure("a report over more records, processor seconds", "s", None),
}
INCREMENTS = {  # 1 if the cost grows linearly
    f"{name}_increment": Measure(f"{MEASURES[name].title}: a further run at the end, beside one at the start", "times")
    for name in ("planning", "locking", "computing", "reporting")
}
MEASURES |= INCREMENTS


@dataclass(frozen=True)
class Aim:
    """A bound for the median of a measure: of its ratio to a peer, or of our own figure where there is no ratio."""

    measure: str
    peer: str
    bound: float
    at_most: bool = False

    def is_reached_by(self, value: float) -> bool:
        """Whether `value` reaches the bound."""
        return value <= self.bound if self.at_most else value >= self.bound


@dataclass(frozen=True)
class Workload:
    """One workload of the benchmark. The names of the fields are keys of the JSON file.

    `kind` selects the function that measures it (see `bench.suite.MEASUREMENTS`). `examples` counts English training
    examples, test examples a language, rows of a synthetic set, or runs of a sweep (0 = all). `learnt_from` counts the
    training examples before dev scores are compared. `large` replaces the chosen encoder by one of XLM-R Large's sizes
    with random weights, which needs a GPU. `peers` are the peers that `make bench` installs.
    """

    name: str
    title: str
    kind: Kind
    target: str = "xnli"
    examples: int = 0
    learnt_from: int = 2000
    dev_examples: int = 500
    batch_size: int = 32
    max_length: int = 256
    large: bool = False
    peers: tuple[str, ...] = ()
    aims: tuple[Aim, ...] = ()

    def reduced(self) -> "Workload":
        """The same workload at a size that only shows that it runs; its figures mean nothing."""
        examples = {
            "training": 24,
            "evaluation": 4,
            "mining": 500,
            "tatoeba": 20,
            "growth": 16,
            "startup": 16,
            "sweep": 8,
        }
        return replace(
            self,
            examples=examples[self.kind],
            learnt_from=24,
            dev_examples=12,
            batch_size=min(self.batch_size, 8),
        )

    def make_config(self, encoder: str) -> ResolvedConfig:
        """The configuration of a run that does the same work, with one learning rate and without dropout.

        A text is represented by its first sub-word, as in the peers' models.
        """
        return RunConfig(
            profile="small",
            encoder=encoder,
            target=self.target,
            target_examples=self.examples,
            dev_examples=self.dev_examples,
            test_examples=self.examples,
            target_lr=LEARNING_RATE,
            batch_size=self.batch_size,
            max_length=self.max_length,
            dropout=0.0,
            pooling="first",
            quiet=True,
        ).resolved()


LEARNING_RATE = 5e-5
BEST, DEFAULT, FAISS, MTEB, ALONE = "trainer-best", "trainer-default", "faiss", "mteb", "alone"
PEERS = {
    BEST: "HF Trainer at its best: batches by length, bf16, fused AdamW, the faster attention",
    DEFAULT: "HF Trainer with its defaults: random batches, fp32",
    FAISS: "FAISS IndexFlatIP with as many threads",
    MTEB: "mteb's BitextMiningEvaluator, if STILTS_BENCH_PYTHON names a Python that has mteb",
    ALONE: "no peer",
}


def _training(
    name: str,
    title: str,
    target: str,
    speed: dict[str, float],
    *,
    examples: int,
    useful: float = 0.75,
    batch_size: int = 32,
    max_length: int = 256,
    large: bool = False,
) -> Workload:
    """A training workload: `speed` has the aims for examples a second by peer, `useful` the aim for useful work."""
    aims = [Aim("examples_per_second", peer, bound) for peer, bound in speed.items()]
    aims += [Aim("peak_memory_bytes", BEST, 0.5, at_most=True), Aim("useful_flops_share", BEST, useful)]
    return Workload(
        name, title, "training", target, examples=examples, batch_size=batch_size, max_length=max_length, large=large,
        peers=(BEST, DEFAULT), aims=tuple(aims),
    )  # fmt: skip


def _evaluation(name: str, title: str, target: str, *, examples: int, max_length: int = 256) -> Workload:
    aims = (Aim("examples_per_second", BEST, 2.0),)
    return Workload(
        name, title, "evaluation", target, examples=examples, max_length=max_length, peers=(BEST,), aims=aims
    )


WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        _training("train-xnli", "training on XNLI's pairs", "xnli", {BEST: 2.2, DEFAULT: 4.0}, examples=640),
        _training("train-udpos", "training on UD's part-of-speech tags", "udpos", {BEST: 3.0}, examples=480),
        _training("train-panx", "training on PAN-X's named entities", "panx", {BEST: 3.0}, examples=480),
        _training(
            "train-xquad", "training on XQuAD's windows of 384 sub-words", "xquad", {BEST: 1.4},
            examples=64, batch_size=8, max_length=384,
        ),
        _training("train-xcopa", "training on XCOPA's choices", "xcopa", {}, examples=160, batch_size=16),
        _training(
            "train-large", "training an encoder of XLM-R Large's sizes on XNLI's pairs", "xnli", {BEST: 2.0},
            examples=1280, large=True,
        ),
        _training(
            "train-large-512", "the same in batches of 512 examples", "xnli", {}, useful=0.45,
            examples=8192, batch_size=512, large=True,
        ),
        _evaluation("eval-xnli", "scoring XNLI in all languages", "xnli", examples=40),
        _evaluation("eval-xquad", "scoring XQuAD in all languages", "xquad", examples=16, max_length=384),
        _evaluation("eval-panx", "scoring PAN-X in all languages", "panx", examples=40),
        Workload(
            "bucc", "searching BUCC's sentences", "mining", "bucc2018",
            peers=(FAISS,), aims=(Aim("seconds", FAISS, 1.0), Aim("identical_neighbours", FAISS, 1.0)),
        ),
        Workload(
            "bucc-100k", "searching 100,000 random vectors among 100,000 others", "mining", "", examples=100_000,
            peers=(FAISS,), aims=(Aim("seconds", FAISS, 1.0), Aim("identical_neighbours", FAISS, 1.0)),
        ),
        Workload(
            "tatoeba", "scoring Tatoeba from embeddings, in all languages", "tatoeba", "tatoeba",
            peers=(FAISS, MTEB), aims=(Aim("seconds", MTEB, 3.0),),
        ),
        Workload(
            "startup", "starting the command, its modules and a run", "startup", examples=64,
            aims=(Aim("first_step_seconds", ALONE, 6.0, at_most=True),),
        ),
        Workload("growth", "cost as a function of size", "growth", examples=64),
        Workload(
            "sweep", "cost of a sweep as a function of its runs", "sweep", "udpos", examples=200,
            aims=tuple(Aim(measure, ALONE, 1.5, at_most=True) for measure in INCREMENTS),
        ),
    )
}  # fmt: skip


def find_workload(name: str) -> Workload:
    """The workload of this name. Raises ConfigError, with all names, for an unknown one."""
    if name not in WORKLOADS:
        raise ConfigError(f"unknown workload {name!r}; choose one of {', '.join(WORKLOADS)}")
    return WORKLOADS[name]
