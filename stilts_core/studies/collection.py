"""From records to the table of a study: which record belongs to which cell, and which runs a rule excludes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from stilts_core.errors import StudyError
from stilts_core.runs.record import Record
from stilts_core.studies import measures
from stilts_core.studies.design import DesignCell, expand
from stilts_core.studies.fields import identify
from stilts_core.studies.protocol import Exclusion, Protocol
from stilts_core.studies.results import FACTOR, StudyTable, make_frame, pack_items

# The correctness of the items of one language (n,), in the order of the test part; None if it is not recorded.
ReadItems = Callable[[Record, str], np.ndarray | None]
# Further measures of a run: (metric, language, value), such as the MLM loss by language before and after a phase.
ReadMeasures = Callable[[Record], Iterable[tuple[str, str, float]]]


def collect(
    protocol: Protocol,
    records: Iterable[Record],
    *,
    read_items: ReadItems = measures.read_items,
    read_measures: ReadMeasures = measures.read_measures,
) -> StudyTable:
    """Return the table of a study from the records of its runs; other records are left out.

    Of a repeated run the latest counts. Missing runs are not an error here: `require_arms` refuses what cannot be
    answered. Raises StudyError if no record belongs to the study.
    """
    by_identity: dict[tuple, Record] = {}
    for latest in sorted(records, key=lambda record: record.finished):
        by_identity[identify(latest.config.to_dict())] = latest
    used: dict[str, Record] = {}
    rows: list[dict[str, Any]] = []
    measured: dict[str, list[dict[str, Any]]] = {}
    for cell in expand(protocol).cells:
        record = by_identity.get(cell.identity)
        if record is None:
            continue
        used[record.run_id] = record
        if record.run_id not in measured:
            measured[record.run_id] = list(_rows(record, read_items, read_measures))
        shared = _cell_columns(cell, record, protocol.exclusions)
        rows += [shared | measure for measure in measured[record.run_id]]
    if not rows:
        raise StudyError(f"no record belongs to the study {protocol.name}; run `stilts study {protocol.name}` first")
    frame = make_frame(rows, list(protocol.factors))
    return StudyTable(frame, _provenance(protocol, list(used.values()), _primary_runs(rows, protocol)))


def _primary_runs(rows: Iterable[Mapping[str, Any]], protocol: Protocol) -> set[str]:
    """The ids of the runs that the primary contrast uses: those of its arms, or of all where it compares rules."""
    arms = {protocol.primary.treatment, protocol.primary.control} & set(protocol.arms) or set(protocol.arms)
    return {row["run"] for row in rows if row["arm"] in arms and row["target"] == protocol.primary.target}


def _cell_columns(cell: DesignCell, record: Record, rules: Sequence[Exclusion]) -> dict[str, Any]:
    reasons = [reason for rule in rules if (reason := exclusion_reason(rule, cell.arm, record))]
    levels = {FACTOR + factor: level for factor, level in cell.levels.items()}
    return levels | {
        "run": record.run_id,
        "arm": cell.arm,
        "encoder": cell.encoder,
        "seed": cell.seed,
        "target": cell.target,
        "excluded": "; ".join(reasons),
    }


def exclusion_reason(rule: Exclusion, arm: str, record: Record) -> str | None:
    """Return why a rule excludes a run, with the score that decided; None if it does not."""
    if not rule.applies(arm):
        return None
    scores = {
        task: dev.score
        for phase in record.phases
        if phase.name == rule.phase
        for task, dev in phase.dev.items()
        if rule.task in ("", task)
    }
    low = [f"{task} {score:.1f}" for task, score in scores.items() if score < rule.below]
    return f"{rule.reason} ({rule.phase} dev: {', '.join(low)}, below {rule.below:g})" if low else None


def _rows(record: Record, read_items: ReadItems, read_measures: ReadMeasures) -> Iterator[dict[str, Any]]:
    """The rows of one run without the columns of its cell."""
    for language, score in record.scores.items():
        items = read_items(record, language)
        packed = pack_items(items) if items is not None else None
        bounds = {"low": score.low, "high": score.high, "n": score.n}
        yield {"metric": "score", "language": language, "score": score.score, "items": packed} | bounds
        for metric, value in score.metrics.items():
            if metric != record.metric:
                yield _plain_row(metric, language, value, score.n)
    for phase in record.phases:
        for task, dev in phase.dev.items():
            yield _plain_row(f"dev:{phase.name}:{task}", "en", dev.score, dev.n)
    for metric, language, value in read_measures(record):
        yield _plain_row(metric, language, value, 0)


def _plain_row(metric: str, language: str, value: float, n: int) -> dict[str, Any]:
    return {"metric": metric, "language": language, "score": value, "n": n}


def _provenance(protocol: Protocol, records: Sequence[Record], primary: set[str]) -> dict[str, Any]:
    packages: dict[str, Mapping[str, str | None]] = {}
    by_block: dict[str, list[Record]] = {}
    for record in records:
        packages.setdefault(repr(sorted(record.environment.packages.items())), record.environment.packages)
        by_block.setdefault(protocol.block_of(str(record.config.encoder), record.seed), []).append(record)
    return {
        "study": protocol.name,
        "digest": protocol.digest,
        "packages": [dict(versions) for versions in packages.values()],
        "notes": list(dict.fromkeys(note for record in records for note in record.notes)),
        "blocks": {name: _describe_block(by_block[name], primary) for name in sorted(by_block)},
    }


def _describe_block(records: Sequence[Record], primary: set[str]) -> dict[str, Any]:
    """The origin of the runs of one block; `primary` are the ids of the runs that the primary contrast uses.

    `origins` has the earliest start, in UTC, of the primary runs at each revision.
    """
    origins: dict[str, str] = {}
    for record in records:
        if record.run_id in primary:
            revision = record.environment.git_revision or ""
            origins[revision] = min(record.started, origins.get(revision, record.started))
    return {
        "fingerprint": records[0].encoder.fingerprint,
        "records": len(records),
        "seconds": round(sum(record.cost.seconds for record in records), 1),
        "revisions": sorted({record.environment.git_revision or "unknown" for record in records}),
        "processors": sorted({record.environment.cpu for record in records}),
        "first_started": min(record.started for record in records),
        "last_finished": max(record.finished for record in records),
        "origins": origins,
    }
