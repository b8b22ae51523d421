"""The record of a run: everything that it leaves behind for tables, figures and later studies, in one JSON file.

The classes below are the schema. SCHEMA rises when an old file can no longer be read as one of them; a new optional
field does not raise it. Scores are on a scale of 0 to 100.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired

from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_core import from_json
from typing_extensions import TypedDict

from stilts_core.config import RunConfig
from stilts_core.errors import RecordError, shown
from stilts_core.parameters import LINK
from stilts_core.runs.kept_model import MODEL, is_whole_model
from stilts_core.runs.measures import Languages, PackedItems, Retrieval
from stilts_core.runs.record_part import Amount, Bound, Count, Cut, RecordPart, Score, Seconds
from stilts_core.storage.atomic import write_whole
from stilts_core.tasks.auxiliaries import rename_replaced

SCHEMA = 1
RECORD = "record.json"  # the file's name in the folder of a run
# What is used as a name of files, in links and in lists: letters, digits and signs that mean nothing to any of them.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,199}")
NAME_RULE = "a letter or digit, then up to 199 letters, digits, or any of _ . + -"
LONGEST_ITEMS = 2048  # characters of one language's item scores in recorded results; longer ones are left out
REMEDY = "; delete its folder and run again"  # the end of every message about a record that cannot be used

PhaseName = Literal["intermediate", "target", "joint"]  # joint: the target with the last intermediate tasks


class Interval(RecordPart):
    """A score with its 95 % bootstrap interval over test items."""

    score: Score
    low: Bound
    high: Bound


class LanguageScore(Interval):
    """The score of one language: its primary metric, all metrics, and the number of items that the bootstrap draws.

    `predictions` is the prediction file, relative to the folder of the run; `cut` counts what truncation lost. `items`
    has the primary metric of every item alone, in the order of the test set (see `item_scores`).
    """

    metrics: dict[str, Score]
    n: Count
    predictions: str
    cut: Cut
    items: PackedItems | None = None


class Unscored(RecordPart):
    """A language whose test part has no labels: its prediction file, the number of its items, and truncation."""

    n: Count
    predictions: str
    cut: Cut


class MeanScore(Interval):
    """The unweighted mean over several languages."""

    languages: Count


class Averages(RecordPart):
    """The mean over all languages, as XTREME reports it, and over those that are not English; None without any."""

    all: MeanScore | None
    non_english: MeanScore | None


class DevScore(RecordPart):
    """The English dev score of a task after a phase."""

    metric: str
    score: Score
    metrics: dict[str, Score] = {}
    n: Count


class CurvePoint(TypedDict):
    """The mean training loss of one task since the point before, and the phase's progress up to here.

    `accuracy` is that of a discriminator, in the batches of these steps. A plain dict, because a record has hundreds of
    points and a grid thousands of records.
    """

    step: Count
    task: str
    loss: Amount
    lr: Amount
    tokens: Count
    seconds: Seconds
    accuracy: NotRequired[Amount]


class PhaseRecord(RecordPart):
    """One training phase.

    `examples`, `dev` and `cut` are by task. `reused`: the phase was computed by an earlier run, and its costs are that
    run's. `processor_seconds` are user and system time of all its processes. `first_step_seconds` counts from the start
    of the process to the end of its first step. `tokens` are sub-words without padding. `texts` are the unlabelled
    texts by language that the phase had.
    """

    name: PhaseName
    tasks: list[str]
    examples: dict[str, Count]
    steps: Count
    epochs: Amount
    reused: bool
    curve: list[CurvePoint]
    dev: dict[str, DevScore]
    seconds: Seconds
    processor_seconds: Seconds | None = None
    first_step_seconds: Seconds | None = None
    tokens: Count
    tokens_per_second: Amount | None
    padding_share: Annotated[float, Field(ge=-0.001, le=1.001)]
    flops: Amount
    cut: dict[str, Cut]
    checkpoint: str | None = None
    texts: dict[str, int] = {}


class EncoderFacts(RecordPart):
    """The encoder that was fine-tuned; `rows_used` counts the word embeddings that the data needed.

    `pretraining_seed` is that of an encoder of the laboratory.
    """

    name: str
    fingerprint: str
    architecture: str
    layers: Count
    hidden_size: Count
    parameters: Count
    vocabulary_rows: Count
    rows_used: Count
    pretraining_seed: Count | None = None


class CardRecord(RecordPart):
    """One example of a task for a reader: its texts by name, and the right answer."""

    text: dict[str, str]
    label: str


class MistakeRecord(RecordPart):
    """One wrong prediction for a reader."""

    language: str
    id: str
    text: dict[str, str]
    gold: str
    prediction: str


class DataFacts(RecordPart):
    """The SHA-256 of every file that was read, and the numbers of items that were left out, by reason."""

    files: dict[str, str]
    dropped: dict[str, Count]


class Cost(RecordPart):
    """Time in seconds, peak memory, and floating-point operations of what this run computed itself.

    `seconds` is wall time, `processor_seconds` the user and system time of all processes of the run.
    """

    seconds: Seconds
    processor_seconds: Seconds | None = None
    seconds_by_part: dict[str, Seconds]
    first_step_seconds: Seconds | None = None
    peak_memory_bytes: Count
    flops: Amount


class Environment(RecordPart):
    """The machine and the software; `layers` says which code computed the transformer layers on a CPU."""

    python: str
    platform: str
    cpu: str
    processes: Count = 1
    threads: Count
    device: str
    driver: str | None
    precision: str
    layers: str | None = None
    packages: dict[str, str | None]
    git_revision: str | None


class Record(RecordPart):
    """One run: a configuration, what it did, and how it scored.

    `notes` are sentences that every table of the run must print (stand-ins, reduced sets). `same_data`: the
    intermediate task's training set holds the target's. `unscored` has the languages with predictions and no score.
    `layers` has the retrieval score from every hidden state, by language, for targets that are scored without training;
    `retrieval` has the same before any phase, too, and with centred embeddings. `language_measures` are there if the
    configuration asks for them. `cards` and `errors` quote the data; recorded results leave them and `folder` out.
    """

    schema_version: int = Field(validation_alias=AliasChoices("schema", "schema_version"), serialization_alias="schema")
    run_id: str
    folder: str = ""
    profile: str
    started: str
    finished: str
    config: RunConfig
    notes: list[str]
    same_data: bool
    encoder: EncoderFacts
    phases: list[PhaseRecord]
    metric: str
    metrics: list[str]
    scores: dict[str, LanguageScore]
    unscored: dict[str, Unscored] = {}
    averages: Averages
    layers: dict[str, list[Score]] = {}
    retrieval: Retrieval | None = None
    language_measures: Languages | None = None
    cards: dict[str, list[CardRecord]] = {}
    errors: list[MistakeRecord] = []
    data: DataFacts
    cost: Cost
    environment: Environment

    @field_validator("config", mode="before")
    @classmethod
    def _known_fields(cls, value: Any) -> Any:
        if isinstance(value, dict):
            value = rename_replaced(value)
            RunConfig.from_dict(value)  # refuses unknown fields; the types of the others are checked after this
        return value

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return self.config.seed

    @property
    def target(self) -> str:
        """The target task."""
        return self.config.target

    @property
    def row(self) -> str:
        """The row of the grid that the run belongs to (see `RunConfig.row`)."""
        return self.config.row

    @property
    def encoder_fingerprint(self) -> str:
        """The fingerprint of the encoder's files: a folder of one name may have had other weights before."""
        return self.encoder.fingerprint

    @property
    def encoder_name(self) -> str:
        """The name of the encoder; that of a laboratory encoder holds its pretraining seed."""
        return self.encoder.name

    @property
    def target_dev(self) -> float | None:
        """The English dev score of the target after its phase; None if it has no training or dev part."""
        scores = (phase.dev[self.target].score for phase in self.phases
                  if phase.name != "intermediate" and self.target in phase.dev)  # fmt: skip
        return next(scores, None)

    def to_json(self, indent: int | None = 1) -> str:
        """The record as JSON text; fields that were never set are left out. Raises ValueError for NaN."""
        content = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return json.dumps(content, ensure_ascii=False, indent=indent, allow_nan=False)

    def without_text(self) -> "Record":
        """The record without its quotations of the data and without the folder of the machine that made it.

        It is for a repository: item scores of large test sets are left out, too.
        """
        content = self.model_dump(by_alias=True, exclude_unset=True, exclude={"cards", "errors", "folder"})
        for score in content["scores"].values():
            if (items := score.get("items")) and len(items["packed"]) > LONGEST_ITEMS:
                del score["items"]
        return Record.model_validate(content)


def write_record(folder: Path, record: Record) -> Path:
    """Write `record` into `folder`, whole or not at all, and return its path."""
    return write_whole(folder / RECORD, record.to_json())


def read_record(path: Path) -> Record:
    """Read a record.

    Raises RecordError for a damaged file, an unknown schema, fields that do not fit the schema, or names that could not
    be names of files (see NAME), because a report uses them so.
    """
    remedy = REMEDY if path.name == RECORD else "; restore this file, or delete it alone"
    try:
        text = path.read_text(encoding="utf-8")
        record = Record.model_validate_json(text)
    except UnicodeDecodeError as error:
        raise RecordError(f"{path} is not a readable record ({error}){remedy}") from error
    except ValidationError as error:
        raise RecordError(f"{path} {_reason(error, text)}{remedy}") from error
    if record.schema_version != SCHEMA:
        raise RecordError(f"{path} {_other_schema(record.schema_version)}{remedy}")
    for field, name in _names(record):
        if not NAME.fullmatch(name):
            raise RecordError(f"{path} has {field} {shown(name)}, which must be {NAME_RULE}{remedy}")
    return record


def _names(record: Record) -> Iterator[tuple[str, str]]:
    """The names in a record that are used as names of files, in links, or to look things up."""
    yield from (("run_id", record.run_id), ("profile", record.profile), ("metric", record.metric))
    yield from (("config.profile", record.config.profile), ("config.target", record.config.target))
    links = record.config.intermediate.split(LINK)
    yield from (("config.intermediate", name) for link in links for name in link.split(","))
    yield from (("metrics", name) for name in record.metrics)
    for field in ("scores", "unscored", "layers"):
        yield from ((field, language) for language in getattr(record, field))
    for scores in (record.retrieval.before, record.retrieval.after) if record.retrieval else ():
        for by_language in (scores.raw, scores.globally_centred, scores.language_centred):
            yield from (("retrieval", language) for language in by_language)
    if measured := record.language_measures:
        yield from (("language_measures", language) for language in measured.texts)
        for measures in (measured.before, measured.after):
            yield from (("language_measures", name) for name in (*measures.probe, *measures.mlm_loss))
    yield from (("errors.language", mistake.language) for mistake in record.errors)
    yield from (("cards", task) for task in record.cards)
    yield from (("phases.tasks", task) for phase in record.phases for task in phase.tasks)


def verify_record(folder: Path) -> Record:
    """The record of a finished run, from the run's folder.

    Raises FileNotFoundError if there is none, and RecordError if it cannot be read, belongs to another run, has no
    language, or names a prediction file that does not exist.
    """
    path = folder / RECORD
    record = read_record(path)
    if record.run_id != folder.name:
        raise RecordError(f"{path} is the record of another run, {record.run_id}{REMEDY}")
    files = [score.predictions for score in record.scores.values()]
    files += [part.predictions for part in record.unscored.values()]
    if not files:
        raise RecordError(f"{path} has neither scores nor predictions of any language{REMEDY}")
    if missing := [file for file in files if not (folder / file).is_file()]:
        raise RecordError(f"{path} names {missing[0]}, which does not exist{REMEDY}")
    return record


def finished_record(folder: Path, *, with_model: bool = False) -> Record | None:
    """The record in the folder of a run that is finished (see `verify_record`); None if the run has to be done.

    A run of which `keep_checkpoint` asks for the trained encoder is not finished without a whole one in MODEL.
    """
    try:
        return verify_record(folder) if not with_model or is_whole_model(folder / MODEL) else None
    except (FileNotFoundError, RecordError):
        return None


def _reason(error: ValidationError, text: str) -> str:
    """Why a text is not a record: damaged JSON, another schema, or the first field that does not fit."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return f"is not a readable record ({first['msg']})"
    content = from_json(text)
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        return _other_schema(schema)
    place = shown(".".join(map(str, first["loc"]))).strip("'\"")
    return f"does not fit schema {SCHEMA}: {place}: {first['msg']}{value_of(first)}"


def value_of(error: Mapping[str, Any]) -> str:
    """The end of the message about one of pydantic's errors: the value, unless there is none or the message has it."""
    has_value = error["type"] not in ("missing", "value_error", "json_invalid")
    return f", not {shown(error['input'])}" if has_value else ""


def _other_schema(schema: object) -> str:
    return f"has schema {shown(schema)}, and this version reads schema {SCHEMA}"


def find_records(runs: Path, profile: str | None = None) -> list[Record]:
    """All records under `runs`, of one profile or of all, ordered by run id."""
    return [read_record(path) for path in sorted(runs.glob(f"{profile or '*'}/*/{RECORD}"))]
