"""The same sets on the Hugging Face hub, read as Parquet through `datasets`, or from a mirror in a folder.

Each schema converts a hub row to the row of the publisher's file, so that both become examples by the same functions.
`STILTS_HUB_MIRROR` names a folder with `<owner>/<name>/<config>/<split>.parquet` for clusters without network.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import datasets

from stilts_core.errors import DataError, DataNotFound
from stilts_core.sources.rows import Row
from stilts_core.tasks.languages import get_language

# These sets are not Parquet on their main branch; the hub has a converted copy of every public set on this branch.
_CONVERTED = "refs/convert/parquet"
_REVISIONS = dict.fromkeys(
    ("allenai/cosmos_qa", "allenai/social_i_qa", "mteb/bucc-bitext-mining", "mteb/tatoeba-bitext-mining"), _CONVERTED
)


class Schema(NamedTuple):
    """The publisher's folder whose format a hub set is converted to, and how one of its rows is converted.

    `convert(row, language)` returns the fields of the publisher's row, or None for a row of another language.
    """

    folder: str
    convert: Callable[[dict, str], dict | None]


def _renamed(**names: str) -> Callable[[dict, str], dict]:
    """The conversion of a set that differs from the publisher's in its column names: publisher=hub."""
    return lambda row, language: row | {ours: row[theirs] for ours, theirs in names.items()}


def _question(row: dict, language: str) -> dict:
    answers = row["answers"]
    group = row.get("title") or row["context"]
    return row | {"answers": list(zip(answers["answer_start"], answers["text"], strict=True)), "group": group}


def _tydiqa(row: dict, language: str) -> dict | None:
    """TyDiQA-GoldP: one split holds all languages; an id begins with its language's name ('swahili-...')."""
    ours = row["id"].startswith(f"{get_language(language).name.lower()}-")
    return _question(row, language) | {"group": row["context"]} if ours else None


def _copa(row: dict, language: str) -> dict:
    return row | {"question": {0: "cause", 1: "effect"}.get(row["question"], row["question"])}


def _commonsenseqa(row: dict, language: str) -> dict:
    texts, letters = row["choices"]["text"], row["choices"]["label"]
    choices = [{"text": text, "label": letter} for text, letter in zip(texts, letters, strict=True)]
    return row | {"question": {"stem": row["question"], "choices": choices}}


def _socialiqa(row: dict, language: str) -> dict:
    return row | {"correct": dict(zip("123", "ABC", strict=True)).get(row["label"], row["label"])}


SCHEMAS: dict[str, Schema] = {
    "nyu-mll/glue/mnli": Schema(
        "english/mnli", _renamed(sentence1="premise", sentence2="hypothesis", gold_label="label")
    ),
    "nyu-mll/glue/qqp": Schema("english/qqp", _renamed(is_duplicate="label")),
    "stanfordnlp/snli": Schema(
        "english/snli", _renamed(sentence1="premise", sentence2="hypothesis", gold_label="label")
    ),
    "facebook/anli": Schema("english/anli", _renamed(context="premise")),
    "rajpurkar/squad": Schema("english/squad", _question),
    "rajpurkar/squad_v2": Schema("english/squad_v2", _question),
    "Rowan/hellaswag": Schema("english/hellaswag", _renamed()),
    "allenai/cosmos_qa": Schema("english/cosmosqa", _renamed()),
    "tau/commonsense_qa": Schema("english/commonsense_qa", _commonsenseqa),
    "allenai/social_i_qa": Schema("xtreme/socialiqa", _socialiqa),
    "aps/super_glue": Schema("xtreme/xcopa", _copa),
    "cambridgeltl/xcopa": Schema("xtreme/xcopa", _copa),
    "facebook/xnli": Schema("xtreme/xnli", _renamed()),
    "google-research-datasets/paws-x": Schema("xtreme/pawsx", _renamed()),
    "google/xtreme/udpos": Schema("xtreme/udpos", _renamed(words="tokens", tags="pos_tags")),
    "unimelb-nlp/wikiann": Schema("xtreme/panx", _renamed(words="tokens", tags="ner_tags")),
    "google/xquad": Schema("xtreme/xquad", _question),
    "google/xtreme/MLQA": Schema("xtreme/mlqa", _question),
    "google-research-datasets/tydiqa": Schema("xtreme/tydiqa", _tydiqa),
    "mteb/bucc-bitext-mining": Schema("xtreme/bucc2018", _renamed()),
    "mteb/tatoeba-bitext-mining": Schema("xtreme/tatoeba", _renamed()),
}


def schema(address: str) -> Schema:
    """The schema of a hub split."""
    return next(SCHEMAS[key] for key in sorted(SCHEMAS, key=len, reverse=True) if address.startswith(key))


def rows(address: str, language: str) -> tuple[list[Row], str]:
    """The rows of a hub split `owner/name/config/split` in the publisher's format, and the SHA-256 of its content.

    Raises DataNotFound, which names the settings, where neither the hub nor a mirror can be reached.
    """
    convert = schema(address).convert
    digest = hashlib.sha256()
    found = []
    try:
        for number, row in enumerate(_records(_dataset(address)), start=1):
            digest.update(json.dumps(row, ensure_ascii=False, sort_keys=True).encode() + b"\n")
            if (fields := convert(row, language)) is not None:
                found.append(Row(fields, address, number))
    except KeyError as error:
        raise DataError(f"{address}: no column {error} on the hub; has its schema changed?") from None
    return found, digest.hexdigest()


def _dataset(address: str) -> "datasets.Dataset":
    owner, name, config, split = address.split("/")
    mirror = os.environ.get("STILTS_HUB_MIRROR")
    file = Path(mirror) / owner / name / config / f"{split}.parquet" if mirror else None
    if file and not file.is_file():
        raise DataNotFound(
            f"{address} is not in the hub mirror. Expected file: {file}; save the split there as Parquet"
        )
    import datasets
    import pyarrow.parquet

    try:
        if file:
            return datasets.Dataset(pyarrow.parquet.read_table(file))
        revision = _REVISIONS.get(f"{owner}/{name}")
        return datasets.load_dataset(f"{owner}/{name}", config, split=split, revision=revision)
    except (OSError, ValueError) as error:
        raise DataNotFound(
            f"{address} could not be loaded from the hub ({str(error).splitlines()[0]}); set STILTS_DATA to a folder "
            "with the publishers' files, or STILTS_HUB_MIRROR to a mirror of the hub, or unset HF_HUB_OFFLINE"
        ) from error


def _records(dataset: "datasets.Dataset") -> Iterator[dict]:
    """The rows as dicts. Tags are given by name, because their numbers are the hub's own."""
    tag_names = {}
    for column, feature in dataset.features.items():
        inner = getattr(feature, "feature", None)
        if names := getattr(inner, "names", None):
            tag_names[column] = names
    for batch in dataset.iter(1000):
        for values in zip(*batch.values(), strict=True):
            row = dict(zip(batch, values, strict=True))
            for column, names in tag_names.items():
                row[column] = [names[number] for number in row[column]]
            yield row
