"""The same sets on the Hugging Face hub, read as Parquet through `datasets`, or from a mirror in a folder.

Each schema converts a hub row to the row of the publisher's file, so that both become examples by the same functions.
`STILTS_HUB_MIRROR` names a folder with `<owner>/<name>/<config>/<split>.parquet` for clusters without network, and
`STILTS_HUB_REVISIONS` the revisions of sets, `<owner>/<name>=<revision>`, which are not read from their main branch.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    import datasets

from stilts_core.errors import DataError, DataNotFound, shown
from stilts_core.sources.rows import Row
from stilts_core.tasks.languages import get_language

# The hub has a copy of every public set on this branch, converted to Parquet, also of sets that need a loading script.
CONVERTED = "refs/convert/parquet"
REVISIONS = "STILTS_HUB_REVISIONS"  # the environment variable that names the revisions of sets
_NLI = {name: name for name in ("entailment", "neutral", "contradiction")}
_ZERO_ONE = {"0": "0", "1": "1"}


class Schema(NamedTuple):
    """The publisher's folder whose format a hub set is converted to, and how one of its rows is converted.

    `convert(row, language)` returns the fields of the publisher's row, or None for a row of another language. `labels`
    maps the hub's names of the labels, in the hub's order, to the publisher's. `revision` is the revision of the set
    that has this schema (None: the main branch).
    """

    folder: str
    convert: Callable[[Row, str], dict | None]
    labels: Mapping[str, str] = {}
    revision: str | None = None


def _renamed(**names: str) -> Callable[[Row, str], dict]:
    """The conversion of a set that differs from the publisher's in its column names: publisher=hub."""
    return lambda row, language: row | {ours: row[theirs] for ours, theirs in names.items()}


def _question(row: Row, language: str) -> dict:
    group = row.get("title") or row["context"]
    if row["answers"] is None:
        return row | {"group": group}
    answers = row.nested("answers")
    if answers["answer_start"] is None and answers["text"] is None:
        return row | {"answers": None, "group": group}
    return row | {"answers": _paired(row, answers["answer_start"], answers["text"]), "group": group}


def _paired(row: Row, *columns: Any) -> list[tuple]:
    """Two lists of equal length as pairs."""
    if not all(isinstance(column, list) for column in columns) or len(columns[0]) != len(columns[1]):
        raise DataError(
            f"{row.where}: {shown(columns[0])} and {shown(columns[1])} are not two lists of the same length; restore "
            "the row"
        )
    return list(zip(*columns, strict=True))


def _tydiqa(row: Row, language: str) -> dict | None:
    """TyDiQA-GoldP: one split holds all languages; an id begins with its language's name ('swahili-...')."""
    ours = row.text("id").startswith(f"{get_language(language).name.lower()}-")
    return _question(row, language) | {"group": row["context"]} if ours else None


def _copa(row: Row, language: str) -> dict:
    question = row["question"]
    return row | {"question": {0: "cause", 1: "effect"}.get(question, question) if _is_plain(question) else question}


def _commonsenseqa(row: Row, language: str) -> dict:
    choices = row.nested("choices")
    pairs = _paired(row, choices["text"], choices["label"])
    return row | {
        "question": {"stem": row["question"], "choices": [{"text": text, "label": letter} for text, letter in pairs]}
    }


def _socialiqa(row: Row, language: str) -> dict:
    label = row["label"]
    letters = dict(zip("123", "ABC", strict=True))
    return row | {"correct": letters.get(label, label) if isinstance(label, str) else label}


def _ar_lsat(row: Row, language: str) -> dict:
    label = row["label"]
    known = isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len("ABCDE")
    fields = {"id": row["id_string"], "passage": row["context"], "options": row["answers"]}
    return row | fields | {"answer": "ABCDE"[label] if known else label}


def _ecare(row: Row, language: str) -> dict:
    names = {"ask-for": "question", "hypothesis1": "choice1", "hypothesis2": "choice2", "index": "idx"}
    return row | {ours: row[theirs] for ours, theirs in names.items()}


def _codah(row: Row, language: str) -> dict:
    answers = row.array("candidate_answers")
    if len(answers) != 4:
        raise DataError(f"{row.where}: {len(answers)} candidate answers; expected 4")
    fields = {f"answer{number}": answer for number, answer in enumerate(answers)}
    return row | fields | {"prompt": row["question_propmt"], "label": row["correct_answer_idx"]}


def _kobest(row: Row, language: str) -> dict:
    """KoBEST's COPA, whose question is the Korean word for cause or effect."""
    question = row["question"]
    names = {"원인": "cause", "결과": "effect"}
    return row | {
        "question": names.get(question, question) if isinstance(question, str) else question,
        "choice1": row["alternative_1"],
        "choice2": row["alternative_2"],
    }


def _treebank(row: Row, language: str) -> dict:
    """Universal Dependencies; a token that stands for several words has the tag '_', and XTREME leaves it out."""
    words, tags = row.array("tokens"), row["upos"]
    if not isinstance(tags, list):
        return row | {"words": words, "tags": tags}
    pairs = [(word, tag) for word, tag in _paired(row, words, tags) if tag != "_"]
    return row | {"words": [word for word, _ in pairs], "tags": [tag for _, tag in pairs]}


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


SCHEMAS: dict[str, Schema] = {
    "nyu-mll/glue/mnli": Schema(
        "english/mnli", _renamed(sentence1="premise", sentence2="hypothesis", gold_label="label"), _NLI
    ),
    "nyu-mll/glue/qqp": Schema("english/qqp", _renamed(is_duplicate="label"), {"not_duplicate": "0", "duplicate": "1"}),
    "stanfordnlp/snli": Schema(
        "english/snli", _renamed(sentence1="premise", sentence2="hypothesis", gold_label="label"), _NLI
    ),
    "facebook/anli": Schema("english/anli", _renamed(context="premise"), _NLI),
    "rajpurkar/squad": Schema("english/squad", _question),
    "rajpurkar/squad_v2": Schema("english/squad_v2", _question),
    "Rowan/hellaswag": Schema("english/hellaswag", _renamed()),
    "allenai/cosmos_qa": Schema("english/cosmosqa", _renamed(), revision=CONVERTED),
    "tau/commonsense_qa": Schema("english/commonsense_qa", _commonsenseqa),
    "allenai/social_i_qa": Schema("xtreme/socialiqa", _socialiqa, revision=CONVERTED),
    "aps/super_glue": Schema("xtreme/xcopa", _copa, {"choice1": "0", "choice2": "1"}),
    "cambridgeltl/xcopa": Schema("xtreme/xcopa", _copa, {"choice1": "0", "choice2": "1"}),
    "facebook/xnli": Schema("xtreme/xnli", _renamed(), _NLI),
    "google-research-datasets/paws-x": Schema("xtreme/pawsx", _renamed(), _ZERO_ONE),
    "google/xtreme/udpos": Schema("xtreme/udpos", _renamed(words="tokens", tags="pos_tags")),
    "unimelb-nlp/wikiann": Schema("xtreme/panx", _renamed(words="tokens", tags="ner_tags")),
    "google/xquad": Schema("xtreme/xquad", _question),
    "google/xtreme/MLQA": Schema("xtreme/mlqa", _question),
    "google-research-datasets/tydiqa": Schema("xtreme/tydiqa", _tydiqa),
    "baber/logiqa2": Schema("english/logiqa2", _renamed(), revision=CONVERTED),
    "olegbask/AR-LSAT": Schema("english/ar_lsat", _ar_lsat),
    "tasksource/folio": Schema("english/folio", _renamed()),
    "renma/ProofWriter": Schema("english/logic_llm", _renamed()),
    "renma/ProntoQA": Schema("english/logic_llm", _renamed()),
    "12ml/e-CARE": Schema("english/e-care", _ecare, {"choice1": "0", "choice2": "1"}),
    "pkavumba/balanced-copa": Schema("english/balanced_copa", _renamed(idx="id"), {"choice1": "0", "choice2": "1"}),
    "jaredfern/codah": Schema("english/codah", _codah, {"0": "0", "1": "1", "2": "2", "3": "3"}, CONVERTED),
    "ybisk/piqa": Schema("english/piqa", _renamed(), _ZERO_ONE, CONVERTED),
    "nala-cub/americas_nli": Schema("lowres/americasnli", _renamed(), _NLI, CONVERTED),
    "akhtet/myXNLI": Schema(
        "lowres/xnli", _renamed(premise="sentence1_my", hypothesis="sentence2_my"), _NLI, CONVERTED
    ),
    "kakaobrain/kor_nli": Schema("lowres/xnli", _renamed(), _NLI, CONVERTED),
    "commul/universal_dependencies": Schema("lowres/udpos", _treebank),
    "masakhane/masakhapos": Schema("lowres/masakhapos", _renamed(words="tokens", tags="upos"), revision=CONVERTED),
    "masakhane/masakhaner2": Schema(
        "lowres/masakhaner2", _renamed(words="tokens", tags="ner_tags"), revision=CONVERTED
    ),
    "skt/kobest_v1": Schema("lowres/xcopa", _kobest, revision=CONVERTED),
    "haryoaw/COPAL": Schema("lowres/xcopa", _copa, revision=CONVERTED),
    "mteb/bucc-bitext-mining": Schema("xtreme/bucc2018", _renamed(), revision=CONVERTED),
    "mteb/tatoeba-bitext-mining": Schema("xtreme/tatoeba", _renamed(), revision=CONVERTED),
}


def schema(address: str) -> Schema:
    """The schema of a hub split."""
    return next(SCHEMAS[key] for key in sorted(SCHEMAS, key=len, reverse=True) if address.startswith(key))


class HubRow(Row):
    """A row of a hub split; a missing column means that the set has changed its form."""

    def __missing__(self, column: str) -> NoReturn:
        raise DataError(
            f"{self.name}: no column '{column}' on the hub, only {', '.join(map(str, self))}; has its schema changed? "
            f"{_remedy(self.name)}"
        )

    def id(self, column: str | None = None, *, required: bool = False) -> str:
        """The publisher's id, or the row's number, because some copies on the hub have no ids."""
        return super().id(column)


def _remedy(address: str) -> str:
    """How to get a split in the form that is read."""
    repository, pinned = _repository(address), schema(address).revision
    which = f"its revision {pinned!r} had" if pinned else f"its main branch had, or its revision {CONVERTED!r} has,"
    example = f"a commit of its history, {REVISIONS}={repository}=COMMIT" if pinned else (
        f"that one, {REVISIONS}={repository}={CONVERTED}, or a commit of its history, {REVISIONS}={repository}=COMMIT"
    )  # fmt: skip
    return (
        f"{which} the form that is read here. Name {example}; or save the split of that revision as {address}.parquet "
        "in a folder, and set STILTS_HUB_MIRROR to the folder"
    )


def _repository(address: str) -> str:
    return "/".join(address.split("/")[:2])


def find_revision(address: str) -> str | None:
    """The revision of the set of a hub split: the one that STILTS_HUB_REVISIONS names, else that of its schema.

    The variable holds `owner/name=revision`, several joined by commas. Raises DataError for another text.
    """
    revisions = {}
    for entry in filter(None, map(str.strip, os.environ.get(REVISIONS, "").split(","))):
        repository, _, revision = entry.partition("=")
        if repository.count("/") != 1 or not revision:
            raise DataError(f"{REVISIONS} has {shown(entry)}; write owner/name=revision, several joined by commas")
        revisions[repository] = revision
    return revisions.get(_repository(address), schema(address).revision)


def rows(address: str, language: str) -> tuple[list[Row], str]:
    """The rows of a hub split `owner/name/config/split` in the publisher's format, and the SHA-256 of its content.

    Raises DataNotFound, which names the settings, where neither the hub nor a mirror can be reached, and DataError
    where the split has another form.
    """
    convert = schema(address).convert
    digest = hashlib.sha256()
    found: list[Row] = []
    for number, fields in _numbered(address, digest):
        row = HubRow(fields, address, number, place=f"row {number}")
        if (converted := convert(row, language)) is not None:
            found.append(HubRow(converted, address, number, place=f"row {number}"))
    return found, digest.hexdigest()


def checksum(address: str) -> str:
    """The SHA-256 of a split's content, as `rows` returns it. A process reads each version of a split once for it.

    A split must be read to know its checksum. Its version is the time and size of its file in a mirror; else it is the
    revision, and the hub's latest content counts as one version while the process lasts.
    """
    file = _mirror_file(address)
    if file is None:
        return _checksum(address, None, find_revision(address))
    status = file.stat() if file.is_file() else None
    return _checksum(address, file, (status.st_mtime_ns, status.st_size) if status else None)


@cache
def _checksum(address: str, file: Path | None, version: tuple[int, int] | str | None) -> str:
    digest = hashlib.sha256()
    for _ in _numbered(address, digest):
        pass
    return digest.hexdigest()


def _numbered(address: str, digest: Any) -> Iterator[tuple[int, dict]]:
    """The numbers of a split's rows, from 1, and their fields; what is read enters `digest`."""
    for number, (raw, fields) in enumerate(_records(_dataset(address), address, digest), start=1):
        digest.update(_canonical(raw, f"{address}, row {number}") + b"\n")
        yield number, fields


def _canonical(raw: dict, where: str) -> bytes:
    """A row in the form whose checksum is taken. Raises DataError for NaN, which stands where a value was removed."""
    try:
        text = json.dumps(raw, ensure_ascii=False, sort_keys=True, default=str, allow_nan=False)
    except ValueError as error:
        wrong = [name for name, value in raw.items() if isinstance(value, float) and not math.isfinite(value)]
        place = f"column {shown(wrong[0])} is {raw[wrong[0]]}" if wrong else "a number is NaN or infinite"
        raise DataError(f"{where}: {place}; write null where there is no value") from error
    return text.encode(errors="replace")


def _dataset(address: str) -> "datasets.Dataset":
    owner, name, config, split = address.split("/")
    if file := _mirror_file(address):
        return _mirrored(address, file)
    import datasets

    revision = find_revision(address)
    try:
        return datasets.load_dataset(f"{owner}/{name}", config, split=split, revision=revision)
    except RuntimeError as error:  # datasets 4 no longer runs loading scripts
        raise DataError(
            f"{address}{_at(revision)} cannot be read from the hub ({_first_line(error)}); expected the split as data "
            f"files, without a script; {_remedy(address)}"
        ) from error
    except (OSError, ValueError) as error:
        raise DataNotFound(
            f"{address}{_at(revision)} could not be loaded from the hub ({_first_line(error)}); set STILTS_DATA to a "
            "folder with the publishers' files, or STILTS_HUB_MIRROR to a mirror of the hub, or unset HF_HUB_OFFLINE; "
            f"if the set has changed its form, {_remedy(address)}"
        ) from error


def _mirror_file(address: str) -> Path | None:
    """The file of a split in the mirror of the hub; None without a mirror."""
    mirror = os.environ.get("STILTS_HUB_MIRROR")
    return Path(mirror) / f"{address}.parquet" if mirror else None


def _at(revision: str | None) -> str:
    return f" at revision {revision!r}" if revision else ""


def _mirrored(address: str, file: Path) -> "datasets.Dataset":
    if not file.is_file():
        raise DataNotFound(
            f"{address} is not in the hub mirror. Expected file: {file}; save the split there as Parquet"
        )
    import datasets
    import pyarrow.parquet

    try:
        return datasets.Dataset(pyarrow.parquet.read_table(file))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{file} is not readable Parquet ({_first_line(error)}); save the split there again") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _records(dataset: "datasets.Dataset", address: str, digest: Any) -> Iterator[tuple[dict, dict]]:
    """The rows as the hub numbers their labels, for the checksum, and with labels and tags by name.

    A number means what the column's own names say, because the hub orders them as it likes; -1 is no label. Names in
    another order than usual enter `digest`.
    """
    usual = schema(address).labels
    label_names, tag_names = {}, {}
    for column, feature in dataset.features.items():
        if names := getattr(feature, "names", None):
            label_names[column] = names
            if usual and tuple(names) != tuple(usual):
                digest.update(f"{column} {names}".encode())
        elif names := getattr(getattr(feature, "feature", None), "names", None):
            tag_names[column] = names
    number = 0
    for batch in dataset.iter(1000):
        for values in zip(*batch.values(), strict=True):
            number += 1
            raw = dict(zip(batch, values, strict=True))
            where = f"{address}, row {number}"
            for column, names in tag_names.items():
                if isinstance(raw[column], list):
                    raw[column] = [_name(value, names, where, column) for value in raw[column]]
            named = {column: _name(raw[column], names, where, column) for column, names in label_names.items()}
            yield raw, raw | {column: usual.get(name or "", name) for column, name in named.items()}


def _name(number: int | None, names: list[str], where: str, column: str) -> str | None:
    """The name of a label or tag; None where there is none."""
    if number is None or number == -1:
        return None
    if not 0 <= number < len(names):
        raise DataError(f"{where}: '{column}' is {number}, and its names have the numbers 0 to {len(names) - 1}")
    return names[number]
