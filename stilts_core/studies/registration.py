"""The registration of a study: what was fixed, at which revision and when, before its first run.

A result is confirmatory only if the protocol is unchanged since then, the source tree was clean, and no record of the
primary contrast is older than the registration.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stilts_core.errors import RecordError, shown
from stilts_core.storage.atomic import write_whole
from stilts_core.storage.git import ask_git
from stilts_core.studies.design import expand
from stilts_core.studies.forecast import forecast
from stilts_core.studies.power import detectable_effect, detectable_margin, overlap_factor
from stilts_core.studies.protocol import REGISTERED, Contrast, Protocol
from stilts_core.studies.results import StudyTable

SCHEMA = 1
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Revision:
    """The git revision of this package's source: its hash (None outside a repository), and whether nothing differs."""

    commit: str | None
    clean: bool


@dataclass(frozen=True)
class Amendment:
    """A deviation from a registered protocol, decided before the runs that it concerns: the study stops early.

    Only the first `blocks` blocks of the protocol are run. `seen` is the number of blocks whose results were known,
    `digest` that of the protocol, and `time` is in UTC, as ISO 8601.
    """

    digest: str
    time: str
    blocks: int
    seen: int
    reason: str


@dataclass(frozen=True)
class Registration:
    """What was registered. `detectable` has the minimum detectable effect (or margin) of every confirmatory contrast.

    `earlier` are the registrations that this one replaced, the oldest first, each with a `reason` where somebody wrote
    it there, and `amendment` is what was changed without another protocol: the deviations that a page must show. `time`
    is in UTC, as ISO 8601.
    """

    schema: int
    name: str
    digest: str
    commit: str | None
    clean: bool
    time: str
    runs: int
    core_hours: float
    detectable: dict[str, float | None]
    earlier: tuple[dict[str, Any], ...] = ()
    amendment: Amendment | None = None


@dataclass(frozen=True)
class Standing:
    """Whether the primary result is confirmatory, and every reason why it is not."""

    confirmatory: bool
    reasons: tuple[str, ...] = ()


def read_revision(folder: Path = _PACKAGE) -> Revision:
    """Return the git revision of the repository of `folder`; files of registrations do not count as changes."""
    commit = ask_git(folder, "rev-parse", "HEAD")
    changes = ask_git(folder, "status", "--porcelain", "--", ":/", f":(exclude,top)protocols/{REGISTERED}")
    return Revision(commit, commit is not None and changes == "")


def minimum_detectable(protocol: Protocol, contrast: Contrast) -> float | None:
    """Return the smallest effect that a contrast will detect with power .9, or the smallest margin of equivalence.

    The replicates are those of the test: encoders, or seeds if they are too few; for latency its blocks. The contrast
    states the expected standard deviation. The level is that of Holm's first step over the confirmatory family. None
    with one replicate.
    """
    replicates = protocol.latency.blocks if protocol.latency else len(protocol.blocks)
    count = len(protocol.family) if contrast.status == "confirmatory" else 1
    alpha = contrast.alpha / count
    if replicates < 2:
        return None
    sd = contrast.sd * (overlap_factor(replicates) if contrast.treatment in protocol.selectors else 1)
    if contrast.test in ("equivalence", "flat-slope"):
        return detectable_margin(sd, replicates, alpha)
    return detectable_effect(sd, replicates, alpha, contrast.direction)


def register(protocol: Protocol, path: Path, revision: Revision | None = None) -> Registration:
    """Return the registration of a protocol at `path`; write it if there is none, or if the protocol has changed.

    An unchanged protocol keeps its first registration, unless that one was made on changed sources and these are clean.
    """
    revision = revision or read_revision()
    earlier: tuple[dict[str, Any], ...] = ()
    if path.exists():
        old = read_registration(path, protocol)
        if old.digest == protocol.digest and (old.clean or not revision.clean):
            return old
        content = _content(old)
        earlier = (*content.pop("earlier"), content)
    size = forecast(protocol, expand(protocol))
    registration = Registration(
        schema=SCHEMA,
        name=protocol.name,
        digest=protocol.digest,
        commit=revision.commit,
        clean=revision.clean,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        runs=size.runs,
        core_hours=round(size.core_hours, 3),
        detectable={contrast.name: minimum_detectable(protocol, contrast) for contrast in protocol.family},
        earlier=earlier,
    )
    write_whole(path, json.dumps(_content(registration), indent=1, allow_nan=False) + "\n")
    return registration


def _content(registration: Registration) -> dict[str, Any]:
    """What the file of a registration holds: an amendment has a file of its own."""
    content = asdict(registration)
    del content["amendment"]
    return content


def read_registration(path: Path, protocol: Protocol | None = None) -> Registration:
    """Read a registration with its amendment, NAME.amendment.toml beside it, if that is one of the same protocol.

    Raises RecordError for a damaged file or an unknown schema, and for an amendment with impossible numbers of blocks;
    how many there are is known with the protocol.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["earlier"] = tuple(content["earlier"])
        registration = Registration(**content)
    except (ValueError, TypeError, KeyError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} is not a readable registration ({error}); restore it from git") from error
    if registration.schema != SCHEMA:
        schema = shown(registration.schema)
        raise RecordError(f"{path} has schema {schema}, and this version reads schema {SCHEMA}; restore it from git")
    amended = path.with_suffix(".amendment.toml")
    amendment = _read_amendment(amended)
    if amendment is None or amendment.digest != registration.digest:
        return registration
    if protocol and amendment.digest == protocol.digest and amendment.blocks > (most := len(protocol.blocks)):
        raise RecordError(f"{amended}: blocks is {amendment.blocks}; the protocol has {most}, write a number up to it")
    return replace(registration, amendment=amendment)


def _read_amendment(path: Path) -> Amendment | None:
    if not path.exists():
        return None
    try:
        amendment = Amendment(**tomllib.loads(path.read_text(encoding="utf-8")))
        datetime.fromisoformat(amendment.time)
        if wrong := [name for name in ("digest", "reason") if not isinstance(getattr(amendment, name), str)]:
            raise TypeError(f"{wrong[0]} is {shown(getattr(amendment, wrong[0]))} and not text")
    except (ValueError, TypeError) as error:
        raise RecordError(f"{path} is not a readable amendment ({error}); restore it from git") from error
    for name, lowest, highest in (("blocks", 1, None), ("seen", 0, amendment.blocks)):
        value = getattr(amendment, name)
        if type(value) is not int or value < lowest or (highest is not None and value > highest):
            bounds = f"{lowest} or more" if highest is None else f"from {lowest} to blocks, {highest}"
            raise RecordError(f"{path}: {name} is {shown(value)}; write a whole number, {bounds}")
    return amendment


def required_blocks(protocol: Protocol, registration: Registration | None) -> tuple[str, ...]:
    """Return the blocks that make a study complete: the protocol's, or the first of them if it was amended."""
    amendment = registration.amendment if registration else None
    amended = amendment is not None and amendment.digest == protocol.digest
    return tuple(protocol.blocks[: amendment.blocks]) if amendment and amended else tuple(protocol.blocks)


def judge(
    protocol: Protocol, registration: Registration | None, table: StudyTable | None = None, *, changed: bool = False
) -> Standing:
    """Return whether the primary result is confirmatory; without a table, whether it can become so.

    `changed`: options of the command changed the protocol (`--set`, `--seeds`).
    """
    if registration is None:
        return Standing(False, ("the study was not registered",))
    reasons = []
    if changed:
        reasons.append("options of the command changed the protocol")
    if registration.digest != protocol.digest:
        reasons.append("the protocol was changed after its registration")
    if not registration.clean:
        reasons.append("the source tree was not clean when the study was registered")
    if table:
        reasons += _judge_runs(protocol, registration, table.provenance["blocks"])
    return Standing(not reasons, tuple(reasons))


def _judge_runs(protocol: Protocol, registration: Registration, blocks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What keeps the runs of the primary contrast, by block, from being confirmatory."""
    reasons, registered = [], _time(registration.time)
    required = required_blocks(protocol, registration)
    if missing := [name for name in required if name not in blocks]:
        verb = "is" if len(missing) == 1 else "are"
        reasons.append(f"{len(missing)} of {len(required)} {protocol.block_noun}s {verb} missing")
    origins = [(revision, _time(time)) for block in blocks.values() for revision, time in block["origins"].items()]
    if any(started < registered for _, started in origins):
        reasons.append("runs of the primary contrast are older than the registration")
    if any((revision or "-dirty").endswith("-dirty") for revision, _ in origins):
        reasons.append("runs of the primary contrast come from changed or unknown sources")
    return reasons


def _time(text: str) -> datetime:
    """A time; one without a zone is UTC."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
