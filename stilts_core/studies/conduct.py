"""`stilts study`: what a study will do, its registration, its runs, and what they show."""

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from stilts_core.config import RunConfig
from stilts_core.errors import ConfigError, StudyError
from stilts_core.runs.encoders import is_present
from stilts_core.runs.kept_model import MODEL
from stilts_core.runs.record import find_records
from stilts_core.studies import choice, latency
from stilts_core.studies.collection import collect
from stilts_core.studies.design import Design, DesignCell, change_protocol, expand
from stilts_core.studies.feasibility import check_design, check_encoders, find_encoders
from stilts_core.studies.fields import identify
from stilts_core.studies.findings import Finding, conclude
from stilts_core.studies.forecast import Forecast, forecast
from stilts_core.studies.latency_blocks import measure_blocks
from stilts_core.studies.measures import read_measures
from stilts_core.studies.protocol import Contrast, Protocol, locate_protocol, read_protocol, registration_path
from stilts_core.studies.registration import (
    Registration,
    Standing,
    judge,
    minimum_detectable,
    read_registration,
    read_revision,
    register,
    required_blocks,
)
from stilts_core.studies.results import StudyTable, merge_tables, read_table, write_table
from stilts_core.studies.transferability import read_measures_and_scores

# Executes runs, given by the fields that differ from the defaults; finished ones are reused.
Execute = Callable[[Sequence[Mapping[str, Any]]], None]
SHORT = 0.1  # core-hours; the forecast of a shorter study is in minutes


# The pages of a book ask for the same ones several times.
_expand = lru_cache(maxsize=32)(expand)


@lru_cache(maxsize=32)
def _forecast(protocol: Protocol) -> Forecast:
    return forecast(protocol, _expand(protocol))


@dataclass(frozen=True)
class Study:
    """A protocol, and the file that it is from; `changed`: options changed it, so that it is exploratory."""

    path: Path
    protocol: Protocol
    changed: bool

    @property
    def design(self) -> Design:
        """The cells of the protocol, and their runs."""
        return _expand(self.protocol)

    @property
    def forecast(self) -> Forecast:
        """The size of the study. Raises ConfigError, which names the file, for a run that cannot be done."""
        with self._named_errors():
            return _forecast(self.protocol)

    @property
    def registration(self) -> Registration | None:
        """The registration of the protocol, if there is one."""
        path = registration_path(self.path)
        return read_registration(path, self.protocol) if path.exists() else None

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Let a ConfigError of a run name the file of the protocol."""
        try:
            yield
        except ConfigError as error:
            raise ConfigError(f"{self.path}: {error}") from error

    def check_runs(self) -> None:
        """Raise ConfigError for a run that cannot be done, and EncoderError for an encoder that does not exist."""
        with self._named_errors():
            for config in self.design.configs:
                RunConfig.from_dict(dict(config)).resolved()
        find_encoders(self.protocol)

    def results_path(self, runs_dir: Path) -> Path:
        """The file of the study's table, under the folder of runs."""
        return runs_dir / "studies" / f"{self.protocol.name}{'-changed' * self.changed}.parquet"


def open_study(
    name: str, folder: Path | None = None, changes: Mapping[str, str] | None = None, seeds: int | None = None
) -> Study:
    """Return a study by its name, with the changes that options ask for.

    Raises ConfigError for a wrong protocol, and for one whose runs cannot answer its contrasts.
    """
    path = locate_protocol(name, folder)
    original = read_protocol(path)
    check_design(original, str(path))
    protocol = change_protocol(original, changes or {}, seeds) if changes or seeds is not None else original
    check_encoders(protocol, str(path))
    return Study(path, protocol, protocol.digest != original.digest)


def has_study(name: str, folder: Path | None = None) -> bool:
    """Whether there is a protocol of this name."""
    try:
        locate_protocol(name, folder)
    except ConfigError:
        return False
    return True


def describe(study: Study, part: Design | None = None) -> str:
    """Return what a study will do: its runs, its forecast, what of it is done now, and what it can detect."""
    protocol = study.protocol
    lines = [
        protocol.question,
        f"Hypothesis: {protocol.hypothesis}",
        "",
        f"{len(study.design.cells)} cells: {_count(protocol.arms, 'arm')}, {_count(protocol.targets, 'target')}, "
        f"{_count(protocol.encoders, 'encoder')}, {_count(protocol.seeds, 'seed')}"
        + "".join(f", {_count(levels, 'level')} of {factor}" for factor, levels in protocol.factors.items()),
        _size_line(study.forecast),
        *([f"Now: {_size_line(forecast(protocol, part))}"] if part else []),
        *_absent_encoders(protocol),
        f"Protocol: {study.path} (digest {protocol.digest[:12]})",
        f"Status: {_status(study)}",
        "",
        "Minimum detectable effects at power .9, after Holm's correction:",
        *(_detectable_line(protocol, contrast) for contrast in protocol.family),
    ]
    return "\n".join(lines)


def _absent_encoders(protocol: Protocol) -> list[str]:
    """A line about encoders that this machine does not have, if there are any."""
    absent = [name for name in protocol.encoders if not is_present(name)]
    return [f"Not on this machine, so looked up on the hub before the first run: {', '.join(absent)}"] if absent else []


def _size_line(size: Forecast) -> str:
    long = size.core_hours >= SHORT
    cost = f"{size.core_hours:.1f} core-hours" if long else f"{60 * size.core_hours:.1f} core-minutes"
    if size.measuring:
        cost += f" ({size.measuring:.1f} of them measuring latency)"
    phases = _count(range(size.phases), "shared intermediate phase")
    return f"{_count(range(size.runs), 'run')} with {phases}; forecast: {cost}"


def register_study(study: Study) -> Registration:
    """Register the protocol of a study, or return its registration if it is unchanged.

    Studies share runs. So register all of them before the first one runs: a run that is older than the registration
    makes a result exploratory. Raises ConfigError, before anything is registered, for a changed study and for a run
    that cannot be done, and EncoderError for an encoder that does not exist.
    """
    if study.changed:
        raise ConfigError(
            "options change the protocol, and only an unchanged one is registered; leave out --set, --seeds"
        )
    study.check_runs()
    return register(study.protocol, registration_path(study.path))


def conduct(
    study: Study, execute: Execute, runs_dir: Path, *, blocks: Sequence[str] = (), kept: Path | None = None
) -> StudyTable:
    """Register a study, execute its runs, write the table of its results, and return it.

    `blocks` are those whose runs are done now (default: all that the study requires). The results of the others come
    from the table at `kept`, if it belongs to the same protocol. A changed study is not registered. `execute` raises an
    error if a run failed; then the same command resumes. Raises ConfigError as `register_study` does, and for an
    unknown block.
    """
    protocol = study.protocol
    part = choose_part(study, blocks)
    if not study.changed:
        register_study(study)
    execute(part.configs)
    table = gather(study, runs_dir)
    # A measurement of latency is whole: it belongs to one machine and one time.
    if kept and not protocol.latency and not study.changed and kept.exists():
        earlier = read_table(kept)
        if earlier.provenance["digest"] == protocol.digest:
            table = merge_tables(protocol, earlier, table)
    write_table(study.results_path(runs_dir), table)
    return table


def choose_part(study: Study, blocks: Sequence[str] = (), parts: Mapping[str, str] | None = None) -> Design:
    """Return the cells of some blocks (default: all that the study requires).

    `parts` limits them to arms, targets or levels of factors, joined by commas. Raises ConfigError for an unknown name,
    or if no run is left.
    """
    protocol = study.protocol
    known = {"arms": [*protocol.arms], "targets": [*protocol.targets]}
    known |= {factor: [*levels] for factor, levels in protocol.factors.items()}
    wanted = {name: text.split(",") for name, text in (parts or {}).items()}
    for name, values in wanted.items():
        if name not in known:
            raise ConfigError(f"--only {name}: choose {', '.join(known)}")
        if unknown := [value for value in values if value not in known[name]]:
            raise ConfigError(f"--only {name}: there is no {unknown[0]!r}; choose from {', '.join(known[name])}")
    if unknown := [name for name in blocks if name not in protocol.blocks]:
        names = f"the {protocol.block_noun}s {', '.join(protocol.blocks)}"
        raise ConfigError(f"there is no block {unknown[0]!r}; choose from {names}")
    chosen = set(blocks or required_blocks(protocol, study.registration))
    cells = tuple(
        cell
        for cell in study.design.cells
        if protocol.block_of(cell.encoder, cell.seed) in chosen and _is_among(cell, wanted)
    )
    if not cells:
        raise ConfigError("--only leaves no run: no arm has such a target and level; name others")
    return Design(cells)


def _is_among(cell: DesignCell, wanted: Mapping[str, Sequence[str]]) -> bool:
    names = {"arms": cell.arm, "targets": cell.target, **cell.levels}
    return all(names[name] in values for name, values in wanted.items())


def conclude_study(study: Study, table: StudyTable) -> list[Finding]:
    """Return the findings of a study from its table. Raises StudyError if arms are missing."""
    standing = judge(study.protocol, study.registration, table, changed=study.changed)
    return analyse(table, study.protocol, standing)


def describe_findings(study: Study, table: StudyTable) -> str:
    """Return the findings of a study in words; if blocks that it needs are missing, say what is too few.

    Raises StudyError as `conclude_study` does.
    """
    try:
        return "\n".join(finding.sentence for finding in conclude_study(study, table))
    except StudyError as error:
        if {*required_blocks(study.protocol, study.registration)} <= {*table.provenance["blocks"]}:
            raise
        return f"No findings yet: {error}"


def analyse(table: StudyTable, protocol: Protocol, standing: Standing | None = None) -> list[Finding]:
    """Return the findings of a study: measured times and rules of choice have an analysis of their own."""
    if protocol.latency:
        return latency.analyse(table, protocol, standing)
    if protocol.selectors:
        return choice.analyse(table, protocol, standing)
    return conclude(table, protocol, standing)


def gather(study: Study, runs_dir: Path) -> StudyTable:
    """Return the table of a study from the records of its runs.

    A study of latency measures the trained encoders of its runs; finished measurements are reused.
    """
    protocol = study.protocol
    cells = {cell.identity: cell for cell in study.design.cells}
    records = [
        (cells[identity], record)
        for record in find_records(runs_dir, str(protocol.base.get("profile", "lab")))
        if (identity := identify(record.config.to_dict())) in cells
    ]
    reader = read_measures_and_scores if protocol.selectors else read_measures
    scores = collect(protocol, [record for _, record in records], read_measures=reader)
    if not protocol.latency:
        return scores
    path = study.results_path(runs_dir)
    if path.exists() and (table := read_table(path)).provenance.get("digest") == protocol.digest:
        return table
    models = {cell.identity: runs_dir / record.profile / record.run_id / MODEL for cell, record in records}
    if missing := [folder for folder in models.values() if not folder.is_dir()]:
        raise StudyError(f"{missing[0]} not found: the run kept no encoder; delete the run's folder and run again")
    folders = {
        (cell.arm, cell.encoder): models[cell.identity] for cell in study.design.cells if cell.identity in models
    }
    provenance = dict(scores.provenance) | {"machine": platform.platform(), "blocks": _measured_now(scores)}
    return measure_blocks(protocol, folders, provenance=provenance)


def _measured_now(scores: StudyTable) -> dict[str, dict[str, Any]]:
    """The blocks of trained encoders whose measurement begins now, at this revision: its times are the results."""
    revision = read_revision()
    name = f"{(revision.commit or '')[:12]}{'' if revision.clean else '-dirty'}"
    origins = {name: datetime.now(UTC).isoformat(timespec="seconds")}
    return {block: dict(facts) | {"origins": origins} for block, facts in scores.provenance["blocks"].items()}


def _status(study: Study) -> str:
    if study.changed:
        return "exploratory, because options change the protocol"
    registration = study.registration
    if registration is None:
        return "not registered yet; the first run registers it"
    standing = judge(study.protocol, registration)
    reasons = "" if standing.confirmatory else f"; exploratory, because {'; '.join(standing.reasons)}"
    required = len(required_blocks(study.protocol, registration))
    if required < len(study.protocol.blocks):
        reasons += f"; amended: it stops after {_count(range(required), study.protocol.block_noun)}"
    return f"registered {registration.time} at {(registration.commit or 'no revision')[:12]}{reasons}"


def _detectable_line(protocol: Protocol, contrast: Contrast) -> str:
    detectable = minimum_detectable(protocol, contrast)
    unit = "%" if protocol.latency else "points"
    unit += " a doubling" * contrast.test.endswith("slope")
    size = "none (one replicate)" if detectable is None else f"{detectable:.2f} {unit}"
    what = "margin" if contrast.test in ("equivalence", "flat-slope") else "effect"
    mark = " (primary)" if contrast is protocol.primary else ""
    interest = f"smallest effect of interest {contrast.sesoi:g}, expected SD {contrast.sd:g}"
    return f"  {what} {size}: {contrast.name}{mark} [{interest}]"


def _count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"
