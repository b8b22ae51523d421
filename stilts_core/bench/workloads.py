"""What the benchmark measures: workloads with their sizes and what they must reach, measures, peers."""

from dataclasses import dataclass, replace

from stilts_core.config import ConfigError, RunConfig


@dataclass(frozen=True)
class Measure:
    """What is measured, in which unit, and whether the ratio is ours by theirs or theirs by ours.

    A ratio of speeds is above 1 where ours is faster. A ratio of memory is below 1 where ours needs less. `ratio` is
    None where a ratio would say nothing.
    """

    title: str
    unit: str
    ratio: str | None = "ours / theirs"


MEASURES = {
    "examples_per_second": Measure("examples a second", "1/s"),
    "tokens_per_second": Measure("sub-words a second, without padding", "1/s"),
    "seconds": Measure("seconds", "s", "theirs / ours"),
    "peak_memory_bytes": Measure("peak memory", "bytes"),
    "padding_share": Measure("share of padding", "share", None),
    "useful_flops_share": Measure("useful arithmetic, as a share of the largest matrix products' rate", "share", None),
    "updates": Measure("optimiser steps of a repetition", "steps", None),
    "dev": Measure("English dev score", "0-100", None),
    "agreement": Measure("examples predicted as the peer does, by an untrained head", "share", None),
    "identical_neighbours": Measure("neighbours equal to the peer's, but for ties", "share", None),
    "score": Measure("score", "0-100", None),
    "help_seconds": Measure("`stilts --help`", "s", None),
    "import_seconds": Measure("import of all that a run needs", "s", None),
    "first_step_seconds": Measure("kernel start to the first training step", "s", None),
    "languages": Measure("scoring more languages of XNLI", "s", None),
    "examples": Measure("training on more examples of XNLI", "s", None),
    "length": Measure("training on longer inputs, as many examples", "s", None),
    "corpus": Measure("searching more vectors among as many", "s", None),
    "corpus_memory": Measure("memory of that search, beside its input", "bytes", None),
    "grid": Measure("more runs of a grid, from their records", "s", None),
}


@dataclass(frozen=True)
class Aim:
    """What the median of a measure must reach: its ratio to a peer, or our own figure where no ratio is taken."""

    measure: str
    peer: str
    bound: float
    at_most: bool = False

    def met(self, value: float) -> bool:
        return value <= self.bound if self.at_most else value >= self.bound


@dataclass(frozen=True)
class Workload:
    """One thing to measure.

    `kind` is the module of `stilts_core.bench` that does it. `examples` counts English training examples, test examples
    a language, or rows of a synthetic set (0 = all there are); `peers` are those that any environment of the
    project has. `large` takes, in the place of any other encoder, an untrained one of XLM-R Large's sizes: it wants a
    GPU.
    """

    name: str
    title: str
    kind: str
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
        """The same work at a size for trying out: nothing that it measures says anything."""
        sizes = {"training": 24, "evaluation": 4, "mining": 500, "tatoeba": 20, "growth": 16, "startup": 16}
        few = {"examples": sizes[self.kind], "learnt_from": 24, "dev_examples": 12}
        return replace(self, **few, batch_size=min(self.batch_size, 8))

    def config(self, encoder: str) -> RunConfig:
        """The configuration of a run that would do the same work, at one learning rate and without dropout.

        The first sub-word stands for a text, as in the peers' models.
        """
        return RunConfig(
            profile="small",
            encoder=encoder,
            target=self.target,
            target_examples=self.examples,
            dev_examples=self.dev_examples,
            test_examples=self.examples,
            target_lr=5e-5,
            batch_size=self.batch_size,
            max_length=self.max_length,
            dropout=0.0,
            pooling="first",
            quiet=True,
        ).resolved()


BEST, DEFAULT, FAISS, MTEB, ALONE = "trainer-best", "trainer-default", "faiss", "mteb", "alone"
PEERS = {
    BEST: "HF Trainer, best: batches by length, bf16, fused AdamW, the faster attention",
    DEFAULT: "HF Trainer as it comes: random batches, fp32",
    FAISS: "FAISS IndexFlatIP, same threads",
    MTEB: "mteb's BitextMiningEvaluator, where STILTS_BENCH_PYTHON names a Python that has it",
    ALONE: "no peer",
}


def _training(name: str, title: str, target: str, speed: dict[str, float], useful: float = 0.75, **sizes) -> Workload:
    aims = [Aim("examples_per_second", peer, bound) for peer, bound in speed.items()]
    aims += [Aim("peak_memory_bytes", BEST, 0.5, at_most=True), Aim("useful_flops_share", BEST, useful)]
    return Workload(name, title, "training", target, peers=(BEST, DEFAULT), aims=tuple(aims), **sizes)


def _evaluation(name: str, title: str, target: str, **sizes) -> Workload:
    aims = (Aim("examples_per_second", BEST, 2.0),)
    return Workload(name, title, "evaluation", target, peers=(BEST,), aims=aims, **sizes)


WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        _training("train-xnli", "training on XNLI's pairs", "xnli", {BEST: 2.2, DEFAULT: 4.0}, examples=640),
        _training("train-udpos", "training on UD's part-of-speech tags", "udpos", {BEST: 3.0}, examples=480),
        _training("train-panx", "training on PAN-X's named entities", "panx", {BEST: 3.0}, examples=480),
        _training(
            "train-xquad", "training on XQuAD's windows of 384", "xquad", {BEST: 1.4},
            examples=64, batch_size=8, max_length=384,
        ),
        _training("train-xcopa", "training on XCOPA's choices", "xcopa", {}, examples=160, batch_size=16),
        _training(
            "train-large", "training an encoder of XLM-R Large's sizes on XNLI's pairs", "xnli", {BEST: 2.0},
            examples=1280, large=True,
        ),
        _training(
            "train-large-512", "the same in batches of 512", "xnli", {}, useful=0.45,
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
            "bucc-100k", "searching 100,000 random vectors among as many", "mining", "", examples=100_000,
            peers=(FAISS,), aims=(Aim("seconds", FAISS, 1.0), Aim("identical_neighbours", FAISS, 1.0)),
        ),
        Workload(
            "tatoeba", "scoring Tatoeba from embeddings, all languages", "tatoeba", "tatoeba",
            peers=(FAISS, MTEB), aims=(Aim("seconds", MTEB, 3.0),),
        ),
        Workload(
            "startup", "start of the command, of its modules and of a run", "startup", examples=64,
            aims=(Aim("first_step_seconds", ALONE, 6.0, at_most=True),),
        ),
        Workload("growth", "cost against size", "growth", examples=64),
    )
}  # fmt: skip


def workload(name: str) -> Workload:
    """The row of one workload; raises ConfigError that names them all."""
    if name not in WORKLOADS:
        raise ConfigError(f"no workload '{name}'; choose from {', '.join(WORKLOADS)}")
    return WORKLOADS[name]
