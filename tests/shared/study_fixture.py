"""Invented studies for tests: small protocols, and tables of results with a known answer."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

from stilts_core.studies.design import DesignCell, expand
from stilts_core.studies.differences import Pairs, pair_runs
from stilts_core.studies.findings import Finding, evaluate, judge_effects
from stilts_core.studies.protocol import Contrast, Protocol, make_protocol
from stilts_core.studies.results import FACTOR, StudyTable, make_frame, pack_items

CODES = ("en", "qal", "qbe", "qco", "qdu", "qes", "qfa", "qge", "qha", "qil", "qja", "qko", "qlu", "qme", "qno",
         "qor", "qpa")  # fmt: skip
CONTENT: dict[str, Any] = {
    "name": "invented",
    "question": "Does an invented task help?",
    "hypothesis": "It helps.",
    "base": {"profile": "lab", "target_steps": 250},
    "arms": {
        "direct": {"intermediate": "none", "control": True},
        "mnli": {"intermediate": "mnli", "intermediate_steps": 400},
    },
    "targets": ["udpos"],
    "encoders": [f"lab-{number}" for number in range(12)],
    "seeds": [0],
    "primary": {
        "name": "mnli against direct", "treatment": "mnli", "control": "direct", "target": "udpos",
        "test": "difference", "sesoi": 1.0, "sd": 1.0,
    },
    "costs": {"run": 1.0, "target_step": 0.01, "intermediate_step": 0.02},
}  # fmt: skip


def content(**changes: Any) -> dict[str, Any]:
    """The content of the invented protocol with other tables; `primary` only changes the keys that it has."""
    made = deepcopy(CONTENT)
    made["primary"] |= changes.pop("primary", {})
    return made | changes


def invented(**changes: Any) -> Protocol:
    """The invented protocol with other tables."""
    return make_protocol(content(**changes), "invented.toml")


class Simulation:
    """Tables of a protocol's results: the rows are made once, and every table draws its own noise.

    `effect` gives the true effect (languages,) of a cell, in points. The standard deviations are those of an encoder's
    own effect (`encoder`), of a run (`run`), and of a score (`score`). Cells that share a run share its noise. All
    scores of one encoder share a level, which differences must remove.
    """

    def __init__(
        self,
        protocol: Protocol,
        effect: Callable[[DesignCell], float | np.ndarray],
        encoder: float = 0.6,
        run: float = 0.0,
        score: float = 0.0,
        items: int = 0,
    ):
        self.protocol, self.deviations, self.items = protocol, (encoder, run, score), items
        self.cells = expand(protocol).cells
        rows = [self._row(cell, code) for cell in self.cells for code in CODES]
        frame = make_frame([row | {"low": place} for place, row in enumerate(rows)], list(protocol.factors))
        self.order = frame["low"].to_numpy(int)
        self.frame = frame.assign(low=np.nan)
        keys = [(cell.arm, cell.encoder) for cell in self.cells]
        self.encoder, self.arm = (
            np.unique(names, axis=0, return_inverse=True)[1] for names in ([key[1] for key in keys], keys)
        )
        numbers: dict[tuple, int] = {}
        self.run = np.array([numbers.setdefault(cell.identity, len(numbers)) for cell in self.cells])
        self.truth = np.array([np.broadcast_to(effect(cell), len(CODES)) for cell in self.cells], float)

    @staticmethod
    def _row(cell: DesignCell, code: str) -> Mapping[str, Any]:
        levels = {FACTOR + name: level for name, level in cell.levels.items()}
        name = f"{cell.arm}-{'-'.join(cell.levels.values())}-{cell.target}-{cell.encoder}-{cell.seed}"
        return levels | {
            "run": name, "arm": cell.arm, "encoder": cell.encoder, "seed": cell.seed, "target": cell.target,
            "language": code, "metric": "score", "score": 0.0, "n": 200,
        }  # fmt: skip

    def draw(self, seed: int) -> np.ndarray:
        """Scores (cells, languages), drawn with `seed`."""
        rng = np.random.default_rng(seed)
        encoder, run, score = self.deviations
        level = rng.normal(50, 5, (self.encoder.max() + 1, len(CODES)))
        own = rng.normal(0, encoder / np.sqrt(2), self.arm.max() + 1)  # the same at all levels and for all targets
        runs = self.run.max() + 1
        noise = rng.normal(0, run, (runs, 1)) + rng.normal(0, score, (runs, len(CODES)))
        return self.truth + level[self.encoder] + own[self.arm][:, None] + noise[self.run]

    def table(self, seed: int = 0) -> StudyTable:
        """A table of results, drawn with `seed`."""
        frame = self.frame.assign(score=self.draw(seed).ravel()[self.order])
        if self.items:
            shares = np.clip(frame["score"].to_numpy() / 100, 0, 1)
            correct = np.random.default_rng(seed).random((len(frame), self.items)) < shares[:, None]
            frame["items"] = [pack_items(row) for row in correct]
            frame["score"] = 100 * correct.mean(axis=1)
            frame["n"] = self.items
        return StudyTable(frame, {"study": self.protocol.name})

    def pairs(self, contrast: Contrast, seeds: Iterable[int]) -> Iterator[Pairs]:
        """The pairs of `pair_runs(self.table(seed), contrast)`, without making the tables."""
        places = pair_runs(StudyTable(self.frame.assign(score=self.order.astype(float)), {}), contrast)
        treatment, control = places.treatment.astype(int), places.control.astype(int)
        for seed in seeds:
            values = self.draw(seed).ravel()
            yield replace(places, treatment=values[treatment], control=values[control])

    def findings(self, seeds: Iterable[int], contrast: Contrast | None = None) -> list[Finding]:
        """The finding of a contrast (default: the primary one, as if it were alone) for every seed."""
        contrast = contrast or self.protocol.primary
        every = [(pairs, evaluate(pairs, self.protocol)) for pairs in self.pairs(contrast, seeds)]
        return [judge_effects([contrast], [effect], [pairs], None)[0] for pairs, effect in every]

    def support(self, count: int = 200) -> float:
        """The share of tables in which the primary contrast is supported."""
        return float(np.mean([finding.verdict == "supported" for finding in self.findings(range(count))]))


def rejection_bounds(rate: float, count: int) -> tuple[float, float]:
    """The shares between which 99.9 % of `count` simulations with this rate of rejection fall."""
    from scipy.stats import binom

    low, high = binom.ppf([0.0005, 0.9995], count, rate)
    return low / count, high / count
