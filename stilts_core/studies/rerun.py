"""A study rerun at a reader's size: how it differs from the registered one, and what its primary contrast shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stilts_core.errors import ConfigError, shown
from stilts_core.notebooks.reader import READER_SIZES
from stilts_core.parameters import read_count
from stilts_core.studies.choice import analyse as analyse_choice
from stilts_core.studies.choice import compare_rules, encoders_or_seeds, tabulate_choices
from stilts_core.studies.conduct import Study, open_study
from stilts_core.studies.design import Design, expand
from stilts_core.studies.differences import Pairs, pair_runs
from stilts_core.studies.findings import Finding, evaluate, judge_effects
from stilts_core.studies.groups import in_group, language_distances
from stilts_core.studies.inference import Effect, compare_equivalence, compare_means, describe_p
from stilts_core.studies.latency import LatencyGate, check_gate, judge_times, log_differences, to_percent
from stilts_core.studies.power import Direction
from stilts_core.studies.protocol import Protocol, read_protocol
from stilts_core.studies.ratio import cell_effects
from stilts_core.studies.regression import ratio_and_size
from stilts_core.studies.results import StudyTable

FEW = 4  # names that are listed; of more, only the number is given


@dataclass(frozen=True)
class PrimaryDifferences:
    """What a rerun shows about the primary contrast of its study.

    `direction` is that of its test. `parts` are the paired differences of which it consists (languages, steps, rules of
    choice or arms), each with its 95 % interval over replicates, and `kind` names them. `gate` is the check of a
    measurement of latency, else None.
    """

    finding: Finding
    kind: str
    parts: Mapping[str, Effect]
    direction: Direction = "two-sided"
    gate: LatencyGate | None = None

    @property
    def is_slope(self) -> bool:
        """Whether the contrast as a whole is a slope, in another unit than its parts."""
        return self.finding.test.endswith("slope")

    @property
    def unit(self) -> str:
        """The unit of the parts."""
        return "points" if self.is_slope else self.finding.unit_of_value

    @property
    def sentence(self) -> str:
        """What the primary contrast shows at this size; that the measurement cannot be trusted, where this is so."""
        if self.gate and not self.gate.passed:
            again, positive = self.gate.again, self.gate.positive
            return (
                f"The check did not pass, so these times show nothing about the question. The control against itself "
                f"differs by {again.value:+z.2f} % [{again.low:+z.2f}, {again.high:+z.2f}], and one layer more by "
                f"{positive.value:+z.2f} % ({describe_p(positive.p)}). The first must lie within "
                f"±{self.gate.margin:g} %, and the second must be detected. A busy machine is the usual reason, and "
                "the study itself measures in more blocks."
            )
        finding = self.finding
        test = "" if self.direction == "two-sided" else f" (one-sided: {self.direction})"
        if finding.test in ("equivalence", "flat-slope"):
            test = f" (of equivalence within ±{finding.sesoi:g})"
        return (
            f"{finding.name[:1].upper()}{finding.name[1:]}: {finding.value:+z.2f} {finding.unit_of_value} "
            f"[{finding.low:+z.2f}, {finding.high:+z.2f}], {100 * finding.coverage:.0f} % interval over {finding.n} "
            f"{finding.unit}s, {describe_p(finding.p)}{test}. This is exploratory."
        )


def open_rerun(name: str, changes: str = "", seeds: int = 0, folder: Path | None = None) -> Study:
    """Return a study at a reader's size, with more changes, which are joined by spaces; with 0 seeds, the usual number.

    Rules of exclusion are dropped, because a short phase does not learn its task. Raises ConfigError for an unknown
    study or change, and for seeds that are no whole number.
    """
    if name not in READER_SIZES:
        raise ConfigError(f"study is {shown(name)}; choose one of {', '.join(READER_SIZES)}")
    size = READER_SIZES[name]
    pairs = [change.partition("=") for change in f"{size.changes} {changes}".split()]
    if wrong := [key for key, sign, _ in pairs if not sign]:
        raise ConfigError(f"changes has {shown(wrong[0])}; write NAME=VALUES, such as targets=udpos,panx")
    study = open_study(name, folder, {key: value for key, _, value in pairs}, read_count("seeds", seeds) or size.seeds)
    protocol = study.protocol
    plan = protocol.latency and protocol.latency.model_copy(update=dict(size.latency))
    protocol = protocol.model_copy(update={"exclusions": (), "latency": plan})
    return replace(study, protocol=protocol, changed=True)


def compare_designs(study: Study) -> list[tuple[str, str, str]]:
    """Return what differs between the protocol of a study and a rerun: a name, the registered and the present value."""
    registered, here = read_protocol(study.path), study.protocol
    rows = [(name, *(_listed(values) for values in pair)) for name, *pair in _lists(registered, here)]
    every = dict.fromkeys([*registered.base, *here.base])
    fields = [name for name in every if registered.base.get(name) != here.base.get(name)]
    designs = (expand(registered), study.design)
    both = [*zip((registered, here), designs, strict=True)]
    rows += [(name, *(_values(protocol, design, name) for protocol, design in both)) for name in fields]
    if registered.latency and here.latency:
        plans = (registered.latency.model_dump(), here.latency.model_dump())
        rows += [(f"latency: {name}", *(str(plan[name]) for plan in plans)) for name in plans[0]]
    rows.append(("exclusion rules", *(str(len(protocol.exclusions) or "none") for protocol in (registered, here))))
    rows.append(("runs", *(str(len(design.configs)) for design in designs)))
    return [(name, before, now) for name, before, now in rows if before != now]


def primary_differences(study: Study, table: StudyTable) -> PrimaryDifferences:
    """Return what a rerun shows about its primary contrast. Raises StudyError if arms are missing or have few pairs."""
    if study.protocol.latency:
        return _of_latency(study.protocol, table)
    if study.protocol.selectors:
        return _of_choice(study.protocol, table)
    pairs = pair_runs(table, study.protocol.primary)
    slope = study.protocol.primary.test.endswith("slope")
    parts = _by_steps(pairs, study.protocol) if slope else _by_language(pairs)
    (finding,) = judge_effects([pairs.contrast], [evaluate(pairs, study.protocol)], [pairs], None)
    return PrimaryDifferences(finding, "steps" if slope else "language", parts, pairs.contrast.direction)


def _by_language(pairs: Pairs) -> dict[str, Effect]:
    """The differences in every language of the contrast's group, nearest to English first."""
    distances = dict(zip(pairs.codes, language_distances(pairs.codes), strict=True))
    chosen = [code for code in sorted(pairs.codes, key=distances.__getitem__) if in_group(code, pairs.contrast.group)]
    differences = pairs.by_unit(pairs.by_language)
    return {code: compare_means(differences[:, pairs.codes.index(code)]) for code in chosen}


def _by_steps(pairs: Pairs, protocol: Protocol) -> dict[str, Effect]:
    """The differences at every combination of intermediate and target steps, the smallest ratio first."""
    cells = cell_effects(pairs, ratio_and_size(pairs, protocol)[0])
    varied = [place for place, factor in enumerate(pairs.factors) if len(protocol.factors[factor]) > 1]
    return {" ".join(cell.levels[place] for place in varied): cell.effect for cell in cells}


def _of_choice(protocol: Protocol, table: StudyTable) -> PrimaryDifferences:
    """The gains of the rules of choice."""
    primary = protocol.primary
    contrast = primary.model_copy(update={"test": "difference", "direction": "two-sided"})
    choices = tabulate_choices(encoders_or_seeds(table), protocol, primary.target, primary.group)
    parts = {choice.rule: compare_rules(contrast, choice.gains, np.zeros_like(choice.gains)) for choice in choices}
    return PrimaryDifferences(analyse_choice(table, protocol)[0], "rule of choice", parts)


def _of_latency(protocol: Protocol, table: StudyTable) -> PrimaryDifferences:
    """The differences of all measured arms from the control, in percent of its processor time."""
    primary, plan = protocol.primary, protocol.latency
    arms = [*protocol.arms, *((plan.again, plan.positive_control) if plan else ())]
    differences = {
        arm: log_differences(table, primary.model_copy(update={"treatment": arm}))
        for arm in arms
        if arm != primary.control
    }
    tested = differences[primary.treatment]
    effect = compare_equivalence(tested, np.zeros_like(tested), primary.sesoi, primary.alpha)
    (finding,) = judge_times([primary], [effect])
    parts = {arm: to_percent(compare_means(values)) for arm, values in differences.items()}
    return PrimaryDifferences(finding, "arm", parts, gate=check_gate(table, protocol))


def _values(protocol: Protocol, design: Design, name: str) -> str:
    """The values of a field in those runs that set it; where it decides nothing, that of the protocol."""
    values = dict.fromkeys(run[name] for run in design.configs if name in run)
    return _listed([*values]) if values else str(protocol.base.get(name, "as in the profile"))


def _lists(registered: Protocol, here: Protocol) -> list[tuple[str, list, list]]:
    """The lists of names in both protocols."""
    names = ("encoders", "seeds", "arms", "targets")
    rows = [(name, list(getattr(registered, name)), list(getattr(here, name))) for name in names]
    return rows + [
        (f"levels of {name}", list(registered.factors[name]), list(here.factors[name])) for name in here.factors
    ]


def _listed(values: Sequence) -> str:
    """The values, or only their number if there are many."""
    return ", ".join(map(str, values)) if len(values) <= FEW else str(len(values))
