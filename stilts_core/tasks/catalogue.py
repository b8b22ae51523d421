"""Every task is one row of a table: what it asks, how it is scored, where its data lie, and its published recipe."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from stilts_core.errors import ConfigError, suggestion
from stilts_core.tasks.facts import read_facts
from stilts_core.tasks.hub_layouts import HUB
from stilts_core.tasks.layouts import FILES, Layout
from stilts_core.tasks.recipes import PublishedRecipe, published_recipe

NLI = ("entailment", "neutral", "contradiction")
UPOS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ",
    "SYM", "VERB", "X",
)  # fmt: skip
IOB2 = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")


@dataclass(frozen=True)
class HeldOut:
    """Text that is scored elsewhere and therefore left out of a task's training and dev parts.

    `reason` is the name under which records count the left-out items. The text is English; with `every_language` the
    files of all other languages are compared, too, as sets of names and headings quote English.
    """

    task: str
    split: str
    reason: str
    every_language: bool = False


@dataclass(frozen=True)
class Task:
    """One row of the catalogue. A new task is a new row, for code asks for its fields, not for its name.

    Exceptions name tasks that they know: the generator of the laboratory, profiles, and the layouts of submissions.

    name, title, short_title  for the command line, for headings, and for tables with little room
    family           the module of `stilts_core.families` that handles it
    roles            intermediate, target, or training (used only as another task's training set)
    metric, metrics  the primary metric, and all that are reported
    metric_in_xtreme the metric that enters XTREME's published averages, where it is another than `metric`
    trained_on       the task whose English training set a target uses; None: scored without training
    labels           label or tag names in order; empty where the training data give them
    same_data        intermediate tasks whose training set holds this target's training set
    parallel         item i is the same item in every language
    null_answers     some questions have no answer (SQuAD 2)
    answer_rules     how answers are normalised before they are compared: squad, or mlqa
    mined            pairs are mined above a margin that each language's dev part sets (BUCC)
    questions_from   languages whose agreement repairs the `question` field of the others (XCOPA)
    held_out         text to leave out of the training and dev parts
    extends          the target of which a low-resource set has further languages, and whose recipe it has
    recipe           the name under which `facts/hyperparameters.csv` has XTREME-R's recipe, where the paper has none
    published        the recipe itself, where that table does not have it
    note             what a reader of the card must know about the data
    citations        keys of the book's bibliography, joined by commas
    files, hub       where the data lie: under the data root (the real set first), and on the Hugging Face hub
    benchmarks       the target's languages by benchmark version, where `facts/xtreme_languages.csv` does not list them
    """

    name: str
    title: str
    family: str
    roles: tuple[str, ...]
    metric: str
    metrics: tuple[str, ...]
    trained_on: str | None
    short: str | None = None
    metric_in_xtreme: str | None = None
    labels: tuple[str, ...] = ()
    same_data: tuple[str, ...] = ()
    parallel: bool = False
    null_answers: bool = False
    answer_rules: str = "squad"
    mined: bool = False
    questions_from: tuple[str, ...] = ()
    held_out: tuple[HeldOut, ...] = ()
    extends: str | None = None
    recipe: str | None = None
    published: PublishedRecipe | None = None
    note: str = ""
    citations: str = ""
    files: tuple[Layout, ...] = ()
    hub: Layout | None = None
    benchmarks: Mapping[str, tuple[str, ...]] | None = field(default=None, hash=False)

    @property
    def short_title(self) -> str:
        """The name that tables with little room print."""
        return self.short or self.title

    @property
    def is_target(self) -> bool:
        """Whether the task is scored in many languages."""
        return "target" in self.roles

    @property
    def xtreme_metric(self) -> str:
        """The metric that enters XTREME's published averages."""
        return self.metric_in_xtreme or self.metric

    def metric_for(self, pos_metric: str) -> str:
        """The metric that enters averages: XTREME's where `pos_metric` is 'xtreme', else the primary one."""
        return self.xtreme_metric if pos_metric == "xtreme" else self.metric

    @property
    def languages(self) -> Mapping[str, tuple[str, ...]]:
        """The languages of the task by benchmark version."""
        if not self.is_target:
            return {"english": ("en",)}
        return self.benchmarks or _benchmark_languages(self.name)

    @property
    def licences(self) -> str:
        """The licences of the data sets, as their publishers state them; empty where the table lacks the task."""
        return next((row["licences"] for row in read_facts("licences") if row["task"] == self.name), "")

    @property
    def stand_in(self) -> str | None:
        """The sentence that every table prints where another set replaces the real one."""
        return next((layout.stand_in for layout in self.files if layout.stand_in), None)

    def shares_training_with(self, other: "Task") -> bool:
        """Whether this target's training set is, or is part of, that of another task."""
        return self.trained_on is not None and other.trained_on in (self.trained_on, *self.same_data)

    @property
    def paper(self) -> PublishedRecipe:
        """The paper's recipe (jiant's), or XTREME-R's for the targets that the paper does not have."""
        if self.extends:
            return get_task(self.extends).paper
        return self.published or published_recipe(
            self.recipe or self.name, target=self.is_target, xtreme_r=self.recipe is not None
        )


_INTERMEDIATE, _TARGET, _TRAINING = ("intermediate",), ("target",), ("training",)
_ACCURACY: Any = {"metric": "accuracy", "metrics": ("accuracy",)}
_EM_F1: Any = {"metric": "em_f1", "metrics": ("em_f1", "exact_match", "f1")}
_POS: Any = {"metric": "accuracy", "metrics": ("accuracy", "f1")}
_SPAN_F1: Any = {"metric": "f1", "metrics": ("f1", "precision", "recall")}
_MAP: Any = {"metric": "map", "metrics": ("map",)}

_IN_XNLI = (HeldOut("xnli", "test", "premise also in XNLI"),)
_IN_XQUAD = (HeldOut("xquad", "test", "paragraph also in XQuAD"),)
_TAGGED = tuple(
    HeldOut(name, "test", f"sentence also in the test part of {name}", every_language=True)
    for name in ("udpos", "panx", "udpos_lowres", "masakhapos", "masakhaner")
)
_MULTINLI = ("mnli", "anli", "taxinli")
_COPA = ("copa_balanced",)
_LOGIC = (
    "LogiQA 2.0, AR-LSAT, ProofWriter, ProntoQA, LogicalDeduction and FOLIO. The label words of FOLIO (true, false, "
    "unknown) are its choices, as they are ProofWriter's. MED is a task of its own: the words 'entailment' and "
    "'neutral' would be the choices of a third of the mix, and its pairs are those of natural-language inference, "
    "which the mix is compared with. AR-LSAT's test part is not read."
)
_BALANCED = (
    "COPA's training items and their twins, which have the other answer. The items 401 to 500 and their twins 1401 to "
    "1500 are left out: XCOPA's validation part has them in other languages. No training part is published apart; a "
    "tenth of the pairs of twins is the dev part."
)
_MED = "Published as a test set for encoders trained on other data; here a training set, split by premise."
_TAXINLI = (
    "MultiNLI pairs that are neither in its matched dev part nor in XNLI's dev part, so that they are a sample of "
    "MultiNLI apart from the stand-in of `mnli`."
)
_MASAKHANE = "bm ha ig pcm rw sn sw wo xh yo zu"
_AGREEING = ("et", "ht", "qu", "ta", "vi", "zh")  # XCOPA's files that agree on which questions ask for the cause


def _lowres(codes: str) -> Mapping[str, tuple[str, ...]]:
    return {"lowres": tuple(codes.split())}


def _with_layouts(task: Task) -> Task:
    return replace(task, files=task.files or FILES[task.name], hub=task.hub or HUB.get(task.name))


TASKS: dict[str, Task] = {
    task.name: _with_layouts(task)
    for task in (
        # The nine intermediate tasks, in the paper's order
        Task(
            "anli", "ANLI+ (ANLI, MNLI, SNLI)", "pair", _INTERMEDIATE, **_ACCURACY, trained_on="anli", short="ANLI+",
            labels=NLI, held_out=_IN_XNLI,
            citations="nie2020anli,williams2018mnli,bowman2015snli",
        ),
        Task(
            "mnli", "MultiNLI", "pair", _INTERMEDIATE, **_ACCURACY, trained_on="mnli", short="MNLI", labels=NLI,
            held_out=_IN_XNLI, citations="williams2018mnli",
        ),
        Task(
            "qqp", "Quora Question Pairs", "pair", _INTERMEDIATE, **_ACCURACY, trained_on="qqp", short="QQP",
            labels=("0", "1"), citations="iyer2017qqp",
        ),
        Task(
            "squad_v2", "SQuAD 2.0", "span", _INTERMEDIATE, **_EM_F1, trained_on="squad_v2", null_answers=True,
            held_out=_IN_XQUAD, citations="rajpurkar2018squad2",
        ),
        Task(
            "squad", "SQuAD 1.1", "span", _INTERMEDIATE, **_EM_F1, trained_on="squad",
            held_out=_IN_XQUAD, citations="rajpurkar2016squad",
        ),
        Task(
            "hellaswag", "HellaSwag", "choice", _INTERMEDIATE, **_ACCURACY, trained_on="hellaswag",
            citations="zellers2019hellaswag",
        ),
        Task(
            "ccg", "CCG supertagging", "tagging", _INTERMEDIATE, **_ACCURACY, trained_on="ccg", short="CCG",
            held_out=_TAGGED, citations="hockenmaier2007ccgbank",
        ),
        Task(
            "cosmosqa", "Cosmos QA", "choice", _INTERMEDIATE, **_ACCURACY, trained_on="cosmosqa",
            held_out=(HeldOut("cosmosqa", "dev", "context also in the dev part"),), citations="huang2019cosmosqa",
        ),
        Task(
            "commonsenseqa", "CommonsenseQA", "choice", _INTERMEDIATE, **_ACCURACY, trained_on="commonsenseqa",
            citations="talmor2019commonsenseqa",
        ),
        # Three more English sets: XTREME-R's intermediate task for XCOPA, logical reasoning, and XCOPA's training set
        Task(
            "socialiqa", "Social IQa", "choice", _INTERMEDIATE, **_ACCURACY, trained_on="socialiqa",
            citations="sap2019socialiqa",
        ),
        Task(
            "logic", "Logical reasoning (LogiQA 2.0 and five others)", "choice", _INTERMEDIATE, **_ACCURACY,
            trained_on="logic", short="Logic", held_out=(HeldOut("logic", "dev", "text also in the dev part"),),
            note=_LOGIC, citations="liu2023logiqa2,zhong2022arlsat,tafjord2021proofwriter,saparov2023prontoqa,"
            "srivastava2023bigbench,pan2023logiclm,han2024folio",
        ),
        # Causal and physical common sense, and two more sets of inferences
        Task(
            "ecare", "e-CARE", "choice", _INTERMEDIATE, **_ACCURACY, trained_on="ecare", citations="du2022ecare",
        ),
        Task(
            "copa_balanced", "Balanced COPA", "choice", _INTERMEDIATE, **_ACCURACY, trained_on="copa_balanced",
            note=_BALANCED, citations="kavumba2019balanced",
        ),
        Task("codah", "CODAH", "choice", _INTERMEDIATE, **_ACCURACY, trained_on="codah", citations="chen2019codah"),
        Task("piqa", "PIQA", "choice", _INTERMEDIATE, **_ACCURACY, trained_on="piqa", citations="bisk2020piqa"),
        Task(
            "med", "MED (monotonicity)", "pair", _INTERMEDIATE, **_ACCURACY, trained_on="med", short="MED",
            labels=("entailment", "neutral"), note=_MED, citations="yanaka2019med",
        ),
        Task(
            "taxinli", "TaxiNLI (further MultiNLI pairs)", "pair", _INTERMEDIATE, **_ACCURACY, trained_on="taxinli",
            short="TaxiNLI", labels=NLI, held_out=_IN_XNLI, note=_TAXINLI,
            citations="joshi2020taxinli,williams2018mnli",
        ),
        Task(
            "copa", "COPA", "choice", _TRAINING, **_ACCURACY, trained_on="copa", recipe="xcopa",
            citations="roemmele2011copa",
        ),
        # XTREME's nine targets
        Task(
            "xnli", "XNLI", "pair", _TARGET, **_ACCURACY, trained_on="mnli", labels=NLI,
            same_data=_MULTINLI, parallel=True, citations="conneau2018xnli",
        ),
        Task(
            "pawsx", "PAWS-X", "pair", _TARGET, **_ACCURACY, trained_on="pawsx", labels=("0", "1"), parallel=True,
            citations="yang2019pawsx",
        ),
        Task(
            "udpos", "UD part-of-speech tagging", "tagging", _TARGET, **_POS, trained_on="udpos", short="POS",
            metric_in_xtreme="f1", labels=UPOS, held_out=_TAGGED, citations="nivre2020ud",
        ),
        Task(
            "panx", "PAN-X named entities", "tagging", _TARGET, **_SPAN_F1, trained_on="panx", short="PAN-X",
            labels=IOB2, held_out=_TAGGED, citations="pan2017panx",
        ),
        Task(
            "xquad", "XQuAD", "span", _TARGET, **_EM_F1, trained_on="squad",
            same_data=("squad", "squad_v2"), parallel=True, citations="artetxe2020xquad",
        ),
        Task(
            "mlqa", "MLQA", "span", _TARGET, **_EM_F1, trained_on="squad", same_data=("squad", "squad_v2"),
            answer_rules="mlqa", citations="lewis2020mlqa",
        ),
        Task(
            "tydiqa", "TyDiQA-GoldP", "span", _TARGET, **_EM_F1, trained_on="tydiqa", short="TyDiQA",
            held_out=(
                HeldOut("tydiqa", "test", "paragraph also in the test part"),
                HeldOut("mlqa", "test", "paragraph also in MLQA"),
            ),
            citations="clark2020tydiqa",
        ),
        Task(
            "bucc2018", "BUCC 2018", "retrieval", _TARGET, **_SPAN_F1, trained_on=None, short="BUCC", mined=True,
            citations="zweigenbaum2018bucc",
        ),
        Task(
            "tatoeba", "Tatoeba", "retrieval", _TARGET, **_ACCURACY, trained_on=None,
            citations="artetxe2019massively",
        ),
        # XTREME-R's own
        Task(
            "xcopa", "XCOPA", "choice", _TARGET, **_ACCURACY, trained_on="copa", parallel=True, recipe="xcopa",
            same_data=_COPA, questions_from=_AGREEING, citations="ponti2020xcopa",
        ),
        Task(
            "lareqa", "LAReQA (XQuAD-R)", "retrieval", _TARGET, **_MAP, trained_on="squad", short="LAReQA",
            same_data=("squad", "squad_v2"), parallel=True, recipe="lareqa", citations="roy2020lareqa",
        ),
        Task(
            "mewslix", "Mewsli-X", "retrieval", _TARGET, **_MAP, trained_on="mewslix", recipe="mewslix",
            citations="ruder2021xtremer,botha2020mewsli",
        ),
        # Further languages of these targets, with little pretraining text or none
        Task(
            "americasnli", "AmericasNLI", "pair", _TARGET, **_ACCURACY, trained_on="mnli", labels=NLI,
            same_data=_MULTINLI, extends="xnli", citations="ebrahimi2022americasnli",
            benchmarks=_lowres("aym bzd cni gn hch nah oto quy shp tar"),
        ),
        Task(
            "xnli_lowres", "XNLI in Burmese and Korean", "pair", _TARGET, **_ACCURACY, trained_on="mnli",
            short="XNLI my, ko", labels=NLI, same_data=_MULTINLI, parallel=True, extends="xnli",
            citations="htet2025myxnli,ham2020kornli", benchmarks=_lowres("my ko"),
        ),
        Task(
            "udpos_lowres", "UD part-of-speech tagging, low-resource", "tagging", _TARGET, **_POS, trained_on="udpos",
            short="POS, low-resource", metric_in_xtreme="f1", labels=UPOS, extends="udpos", citations="nivre2020ud",
            benchmarks=_lowres("am bm br ceb cy fo ga gsw hsb ht hy jv kmr ky mt quc si sq ug"),
        ),
        Task(
            "masakhapos", "MasakhaPOS", "tagging", _TARGET, **_POS, trained_on="udpos", metric_in_xtreme="f1",
            labels=UPOS, extends="udpos", citations="dione2023masakhapos", benchmarks=_lowres(_MASAKHANE),
        ),
        Task(
            "masakhaner", "MasakhaNER 2.0", "tagging", _TARGET, **_SPAN_F1, trained_on="panx", short="MasakhaNER",
            labels=IOB2, extends="panx", citations="adelani2022masakhaner", benchmarks=_lowres(_MASAKHANE),
        ),
        Task(
            "copa_lowres", "COPA in Korean and Indonesian (KoBEST, COPAL-ID)", "choice", _TARGET, **_ACCURACY,
            trained_on="copa", short="COPA ko, id", same_data=_COPA, extends="xcopa",
            citations="jang2022kobest,wibowo2024copal", benchmarks=_lowres("ko id"),
        ),
        Task(
            "copal_colloquial", "COPAL-ID in colloquial Indonesian", "choice", _TARGET, **_ACCURACY,
            trained_on="copa", short="COPAL colloquial", same_data=_COPA, extends="xcopa", citations="wibowo2024copal",
            benchmarks=_lowres("id"),
        ),
    )
}  # fmt: skip

INTERMEDIATE_TASKS = (
    "anli", "mnli", "qqp", "squad_v2", "squad", "hellaswag", "ccg", "cosmosqa", "commonsenseqa",
)  # fmt: skip
TARGET_TASKS = tuple(task.name for task in TASKS.values() if task.is_target)


def get_task(name: str) -> Task:
    """The row of one task; raises ConfigError that lists the known tasks and suggests the closest."""
    if name not in TASKS:
        raise ConfigError(f"no task {name!r} in the catalogue{suggestion(name, TASKS)}. Known: {', '.join(TASKS)}")
    return TASKS[name]


def require_target(name: str) -> Task:
    """The row of a target task. Raises ConfigError for any other name."""
    task = get_task(name)
    if not task.is_target:
        raise ConfigError(f"{name!r} is not a target task; choose one of {', '.join(TARGET_TASKS)}")
    return task


def require_intermediate(name: str) -> Task:
    """The row of a task that can be an intermediate task: one of these, or a target with English training data.

    Raises ConfigError for any other name.
    """
    task = get_task(name)
    if task.is_target and not task.trained_on:
        raise ConfigError(f"{name!r} is not an intermediate task: it has no English training data; choose another")
    if not task.is_target and "intermediate" not in task.roles:
        known = [task.name for task in TASKS.values() if "intermediate" in task.roles]
        choices = ", ".join(["none", *known, "all", "mlm"])
        raise ConfigError(f"{name!r} is not an intermediate task; choose from {choices}, or a target task")
    return task


def trains_on_same_data(target: str, tasks: Iterable[str]) -> bool:
    """Whether the training set of one of these tasks holds that of a target."""
    return any(get_task(target).shares_training_with(get_task(name)) for name in tasks)


@cache
def _benchmark_languages(name: str) -> dict[str, tuple[str, ...]]:
    facts = [row for row in read_facts("xtreme_languages") if row["task"] == name]
    # XTREME-R's evaluate.py leaves LAReQA's open; the file has the languages of XTREME's XQuAD, as XQuAD-R does.
    return {row["benchmark"]: tuple(row["langs"].split()) for row in facts}
