"""The compact table of a study: one row for every score, in one Parquet file of at most 5 MB."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stilts_core.errors import RecordError, StudyError, shown
from stilts_core.storage.atomic import whole_file
from stilts_core.studies.protocol import Protocol

if TYPE_CHECKING:  # pandas and pyarrow take a second to import
    import pandas as pd
    import pyarrow as pa

SCHEMA = 1
LARGEST = 5 * 10**6  # bytes
FACTOR = "factor:"  # begins the name of a factor's column
# Every column but those of the factors, with the type that it has in the file.
COLUMNS = {
    "run": "text", "arm": "text", "encoder": "text", "seed": "int64", "target": "text", "language": "text",
    "metric": "text", "score": "float64", "low": "float64", "high": "float64", "n": "int64", "items": "binary",
    "excluded": "text",
}  # fmt: skip
_PROVENANCE = b"stilts"  # the key in the file's metadata
_BOOK = Path("book")
# A wheel has the kept tables beside this module (see pyproject.toml), a checkout has them in its book.
_INSTALLED = Path(__file__).with_name("tables")
_CHECKOUT = Path(__file__).resolve().parents[2] / "book" / "results" / "studies"


@dataclass(frozen=True)
class StudyTable:
    """The results of a study.

    `frame` has the columns COLUMNS and one for every factor (`factor:NAME`, with names of levels). `metric` is `score`
    for the target's primary metric, the name of another metric, or `dev:PHASE:TASK` for an English dev score. `low` and
    `high` bound the 95 % interval over test items (NaN: none). `items` has the correctness of each of `n` items,
    packed into bits (None: not binary, or not recorded). `excluded` is the reason why a rule drops the run, or empty.

    `provenance` holds once what all rows share: the study, the protocol's digest, versions of packages, the notes that
    a page must print, and for every block (`blocks`) its encoder's fingerprint, its cost, and when and at which
    revision its runs were done.
    """

    frame: "pd.DataFrame"
    provenance: Mapping[str, Any]

    @cached_property
    def factors(self) -> list[str]:
        """The names of the factors."""
        return [name.removeprefix(FACTOR) for name in self.frame.columns if name.startswith(FACTOR)]


def kept_table(name: str, book_dir: Path) -> Path:
    """Return where the book keeps the table of a study; it may not exist."""
    return book_dir / "results" / "studies" / f"{name}.parquet"


def locate_table(name: str) -> Path:
    """Return the path of a recorded table: in the book here, else among those of this package.

    Raises StudyError that lists the recorded tables.
    """
    here = kept_table(name, _BOOK)
    folders = [here.parent, _INSTALLED, _CHECKOUT]
    for folder in folders:
        if (path := folder / here.name).is_file():
            return path
    known = sorted({path.stem for folder in folders for path in folder.glob("*.parquet")})
    raise StudyError(
        f"no recorded table of study {shown(name)} in {here.parent}; recorded: {', '.join(known) or 'none'}. "
        f"`stilts study {name} --keep` writes one"
    )


def read_recorded(protocol: Protocol) -> StudyTable:
    """Return the recorded table of a study. Raises StudyError if there is none, or if it is of another protocol."""
    return check_table(read_table(locate_table(protocol.name)), protocol)


def check_table(table: StudyTable, protocol: Protocol) -> StudyTable:
    """Return a recorded table. Raises StudyError if it does not belong to the protocol."""
    digest = str(table.provenance.get("digest"))
    if digest != protocol.digest:
        raise StudyError(
            f"the table in the book belongs to another version of the protocol (digest {digest[:12]}, and the "
            f"protocol has {protocol.digest[:12]}); run `stilts study {protocol.name} --keep` again"
        )
    if not isinstance(table.provenance.get("blocks"), dict):
        raise StudyError(f"the table does not say where its runs come from; run `stilts study {protocol.name} --keep`")
    return table


def merge_tables(protocol: Protocol, earlier: StudyTable, later: StudyTable) -> StudyTable:
    """Return a table with the blocks of both; a block that both have is taken from `later`.

    Raises StudyError if they are tables of different protocols.
    """
    if (old := earlier.provenance["digest"]) != (new := later.provenance["digest"]):
        raise StudyError(f"tables of two protocols (digests {old[:12]}, {new[:12]}) cannot be joined; remove one")
    import pandas as pd

    cells = zip(earlier.frame["encoder"], earlier.frame["seed"], strict=True)
    frame = earlier.frame[[protocol.block_of(*cell) not in later.provenance["blocks"] for cell in cells]]
    rows = pd.concat([frame, later.frame]).to_dict("records")
    blocks = dict(earlier.provenance["blocks"]) | dict(later.provenance["blocks"])
    provenance = dict(later.provenance) | {"blocks": dict(sorted(blocks.items()))}
    for name in ("packages", "notes"):
        both = [*earlier.provenance.get(name, ()), *later.provenance.get(name, ())]
        provenance[name] = [entry for place, entry in enumerate(both) if entry not in both[:place]]
    return StudyTable(make_frame(rows, later.factors), provenance)


def pack_items(correct: np.ndarray) -> bytes:
    """Return the correctness of items (n,) as bits, the first item in the highest bit of the first byte."""
    return np.packbits(np.asarray(correct, bool)).tobytes()


def unpack_items(packed: bytes, n: int) -> np.ndarray:
    """Return the correctness (n,) that `pack_items` packed. Raises RecordError if there are too few bits."""
    bits = np.frombuffer(packed, np.uint8)
    if len(bits) != -(-n // 8):
        raise RecordError(f"{len(bits)} bytes of item scores cannot hold {n} items; rebuild the table from records")
    return np.unpackbits(bits, count=n).astype(bool)


def make_frame(rows: list[dict[str, Any]] | Mapping[str, list], factors: list[str]) -> "pd.DataFrame":
    """Return rows as a frame with the columns of a StudyTable, sorted, with a fixed type for every column.

    `rows` may also be given as columns, which is faster: 168,000 rows take 1.5 s instead of 10 s.
    """
    import pandas as pd

    names = [*COLUMNS, *(FACTOR + factor for factor in factors)]
    frame = pd.DataFrame(rows, columns=names)
    for name in names:
        kind = COLUMNS.get(name, "text")
        if kind == "text":
            texts = frame[name].astype(object)
            frame[name] = texts.where(texts.notna(), "").astype("str")
        elif kind == "binary":
            packed = frame[name].astype(object)
            frame[name] = packed.where(packed.notna(), None)
        else:
            frame[name] = frame[name].astype(kind)
    keys = ["arm", *names[len(COLUMNS) :], "target", "encoder", "seed", "metric", "language", "run"]
    return frame.sort_values(keys, ignore_index=True, kind="stable")


def write_table(path: Path, table: StudyTable) -> Path:
    """Write a table, whole or not at all, and return its path.

    Raises StudyError if it is larger than LARGEST, because tables are committed with the book.
    """
    import pyarrow.parquet as pq

    content = _to_arrow(table)
    with whole_file(path) as temporary:
        pq.write_table(content, temporary, compression="zstd", compression_level=9, write_statistics=False)
        if (size := temporary.stat().st_size) > LARGEST:
            raise StudyError(
                f"{path} would have {size / 1e6:.1f} MB, and {LARGEST / 1e6:.0f} MB is the limit; leave out item "
                "scores or metrics that no contrast uses"
            )
    return path


def read_table(path: Path) -> StudyTable:
    """Read a table, equal to the one that was written. Raises RecordError for a damaged or foreign file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    remedy = "; restore it from git, or rebuild it from records"
    try:
        content = pq.read_table(path)
        provenance = json.loads((content.schema.metadata or {})[_PROVENANCE])
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise RecordError(f"{path} is not a readable table of a study ({error}){remedy}") from error
    if provenance.get("schema") != SCHEMA:
        raise RecordError(f"{path} has schema {provenance.get('schema')}, and this version reads {SCHEMA}{remedy}")
    if missing := [name for name in COLUMNS if name not in content.column_names]:
        raise RecordError(f"{path} has no column {missing[0]!r}{remedy}")
    columns = {name: content.column(name).to_pylist() for name in content.column_names}
    factors = [name.removeprefix(FACTOR) for name in content.column_names if name.startswith(FACTOR)]
    del provenance["schema"]
    return StudyTable(make_frame(columns, factors), provenance)


def _to_arrow(table: StudyTable) -> "pa.Table":
    import pyarrow as pa

    types = {"text": pa.string(), "int64": pa.int64(), "float64": pa.float64(), "binary": pa.binary()}
    columns = {}
    for name in table.frame.columns:
        kind = types[COLUMNS.get(name, "text")]
        columns[name] = pa.array(table.frame[name].tolist(), kind)
    provenance = json.dumps({"schema": SCHEMA} | dict(table.provenance), sort_keys=True, allow_nan=False)
    return pa.table(columns).replace_schema_metadata({_PROVENANCE: provenance.encode()})
