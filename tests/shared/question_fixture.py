"""Invented results of the studies: protocols with few encoders, and tables with all metrics that chapters read."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from study_fixture import CODES, Simulation

from stilts_core.studies.groups import in_group
from stilts_core.studies.latency_blocks import LatencyRequest, measure_blocks
from stilts_core.studies.protocol import Protocol, read_protocol
from stilts_core.studies.registration import Revision, register
from stilts_core.studies.results import StudyTable, kept_table, make_frame, write_table

SOURCES = Path(__file__).parents[2] / "protocols"
NAMES = ("ratio", "continued", "choice", "latency", "adversary")
CLAIMS = ("retrieval", "retrieval-dose")  # studies of a claim of the paper
GRID = "grid"  # the study of the recorded grid on real languages
STATES = 13  # hidden states of the invented encoders, in studies of a claim
ENCODERS = 4  # of the invented protocols
REAL_ENCODERS = 3  # of the invented real arms
COMMIT = "c" * 40
UNSEEN = np.array([in_group(code, "unseen") for code in CODES], float)


def write_protocols(folder: Path, registered: bool = True) -> Path:
    """Write the committed protocols with ENCODERS encoders to a folder, with registrations, and return the folder."""
    folder.mkdir(parents=True)
    for name in (*NAMES, *CLAIMS, GRID):
        text = (SOURCES / f"{name}.toml").read_text()
        text = re.sub(r"(?m)^encoders = .*$", f"encoders = {[f'lab-wide-{k}' for k in range(ENCODERS)]}", text)
        text = re.sub(r"(?m)^seeds = .*$", "seeds = [0]", text)
        (folder / f"{name}.toml").write_text(text)
        if registered:
            protocol = read_protocol(folder / f"{name}.toml")
            register(protocol, folder / "registered" / f"{name}.json", Revision(COMMIT, True))
    return folder


def write_real_arm(protocols: Path, name: str) -> Path:
    """Write the protocol of a real arm with REAL_ENCODERS encoders beside that of a study, and return its path."""
    text = (protocols / f"{name}.toml").read_text().replace(f'name = "{name}"', f'name = "{name}-real"', 1)
    encoders = [f"lab-wide-{k}" for k in range(REAL_ENCODERS)]
    path = protocols / f"{name}-real.toml"
    path.write_text(re.sub(r"(?m)^encoders = .*$", f"encoders = {encoders}", text))
    return path


def keep_table(book: Path, protocols: Path, name: str, count: int = ENCODERS, **changes: Any) -> StudyTable:
    """Write an invented table of a study with `count` encoders where the book keeps it, and return it.

    `changes` are those of `invent_table`.
    """
    table = invent_table(read_protocol(protocols / f"{name}.toml"), count, **changes)
    write_table(kept_table(name, book), table)
    return table


def invent_table(protocol: Protocol, count: int = ENCODERS, effect: float = 3.0, text: str = "invented") -> StudyTable:
    """A table in which every treatment changes scores by `effect` points; `text` stands in its provenance."""
    encoders = protocol.encoders[:count]
    facts = {"study": protocol.name, "digest": protocol.digest, "packages": [], "blocks": {
        name: {
            "fingerprint": text, "records": 7, "seconds": 90.0, "revisions": [text], "processors": [text],
            "first_started": text, "last_finished": text, "origins": {COMMIT: "2999-01-01T00:00:00Z"},
        } for name in encoders
    }}  # fmt: skip
    if protocol.latency:
        folders = {(arm, encoder): Path(arm) for arm in protocol.arms for encoder in protocol.encoders}
        return measure_blocks(protocol, folders, measure=_measure, provenance=facts | {"machine": text})
    simulation = Simulation(
        protocol, lambda cell: 0.0 if protocol.arms[cell.arm].control else effect, encoder=0.3, run=0.1, score=0.1
    )
    frame = simulation.table().frame
    frame = _add_metrics(frame[frame["encoder"].isin(encoders)], STATES * (protocol.name in CLAIMS))
    return StudyTable(make_frame(frame.to_dict("list"), list(protocol.factors)), facts)


def _add_metrics(frame: pd.DataFrame, states: int) -> pd.DataFrame:
    """The rows of scores with those of centred retrieval, of probes, of the MLM loss, and of dev scores."""
    rng = np.random.default_rng(0)
    frame = frame[(frame["target"] != "tatoeba") | (frame["language"] != "en")]
    plain = frame.assign(items=None, n=0)
    retrieval = plain[plain["target"] == "tatoeba"]
    runs = plain.drop_duplicates(["run", "arm", "target"])
    parts = [frame]
    for metric, offset in (("centred", 20.0), ("globally_centred", 2.0)):
        noise = rng.normal(0, 0.1, len(retrieval))
        parts.append(retrieval.assign(metric=metric, score=retrieval["score"] + offset + noise))
    for state in range(states):
        for prefix, offset in (("layer", 0.0), ("centred:layer", 20.0)):
            score = retrieval["score"] + offset - abs(state - 1)
            parts.append(retrieval.assign(metric=f"{prefix}:{state}", score=score))
    parts.append(runs.assign(metric="language_probe", language="", score=99 + rng.normal(0, 0.2, len(runs))))
    unseen = plain["language"].map(dict(zip(CODES, UNSEEN, strict=True)))
    loss = 3.0 - unseen * (plain["arm"] == "text-unseen") + rng.normal(0, 0.05, len(plain))
    parts.append(plain.assign(metric="mlm_loss", score=loss))
    for phase, task in (("intermediate", "qqp"), ("target", "udpos")):
        own = runs if phase == "intermediate" else runs[runs["target"] == task]
        parts.append(own.assign(metric=f"dev:{phase}:{task}", language="en", score=90 + rng.normal(0, 1, len(own))))
    return pd.concat(parts, ignore_index=True)


def _measure(request: LatencyRequest) -> dict[str, float]:
    """The times of one simulated process: blocks differ, arms do not."""
    noise = np.random.default_rng([request.seed, request.batch, len(request.arm)]).normal(0, 0.01)
    time = 0.001 * (1 + request.seed % 3) * (1 + 0.1 * request.extra_layer) * np.exp(noise)
    names = ("processor_seconds", "wall_seconds", "p50_ms", "p90_ms", "p99_ms", "inputs_per_second",
             "subwords_per_second")  # fmt: skip
    return dict.fromkeys(names, float(time))


def to_toml(content: dict[str, Any]) -> str:
    """A protocol's content as TOML; tables are written in line."""
    return "".join(f"{_toml(name)} = {_toml(value)}\n" for name, value in content.items())


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(name)} = {_toml(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)
