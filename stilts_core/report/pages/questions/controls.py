"""The section "Controls" of a chapter: what each control shows, and the primary family under other models."""

from collections.abc import Mapping
from typing import NamedTuple

from stilts_core.report.escape import html_text
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.contrasts import contrast_cell, explain_untested, two_lines, value_cell
from stilts_core.report.pages.questions.wording import EQUIVALENCE, status, verdict
from stilts_core.report.tables.html import CellValue, table
from stilts_core.report.tables.numbers import NO_BREAK, interval, signed
from stilts_core.studies.differences import TooFewPairs, pair_runs
from stilts_core.studies.findings import Finding, evaluate
from stilts_core.studies.protocol import Contrast
from stilts_core.studies.results import StudyTable
from stilts_core.studies.sensitivity import Sensitivity


class Control(NamedTuple):
    """Another explanation of a result, and what the contrast that examines it would show if it were true."""

    explanation: str
    sign: str


# By (treatment, control), or by the name of a contrast, which comes first; None leaves a contrast out.
Controls = Mapping[tuple[str, str] | str, Control | None]


def find_control(controls: Controls, contrast: Contrast) -> Control | None:
    """The other explanation that a contrast examines, if it is a control."""
    key = contrast.name if contrast.name in controls else (contrast.treatment, contrast.control)
    return controls.get(key)


def build_controls(chapter: Chapter, controls: Controls) -> str:
    """The section, as MyST: every control contrast with what it shows, then the sensitivity to the model."""
    if not chapter.findings:
        return "The controls are compared here when the study has enough results.\n"
    rows = [
        [
            contrast_cell(contrast, html_text(control.explanation)),
            html_text(control.sign),
            value_cell(finding),
            two_lines(html_text(_reading(chapter, contrast, control, finding)), status(chapter, finding)),
        ]
        for contrast, finding in chapter.pairs
        if (control := find_control(controls, contrast))
    ]
    parts = [
        "Each row names another explanation, and the value that it would lead to. Values are those of the table above.",
        f"{table(['other explanation', 'if it were true', 'value', 'what the test says'], rows).data}\n",
        *_beyond(chapter, controls),
        *_sensitivity(chapter),
        *_without_exclusions(chapter),
    ]
    return "\n\n".join(parts) + "\n"


def _reading(chapter: Chapter, contrast: Contrast, control: Control, finding: Finding) -> str:
    """What the verdict of a control's test says."""
    if chapter.is_interim:
        return verdict(chapter, finding)
    if finding.untested:
        return explain_untested(finding)
    limit = f"{finding.sesoi:g} {finding.unit_of_value}"
    if contrast.test in EQUIVALENCE:
        return {
            "supported": f"within ±{limit}",
            "not supported": f"beyond ±{limit}",
            "cannot tell": f"open: detectable margin {finding.detectable:.2f}",
        }[finding.verdict]
    sign = "positive" if finding.value > 0 else "negative"
    tested = {"greater": f"+{limit} or more", "less": f"−{limit} or less", "two-sided": f"±{limit} or beyond"}
    words = {
        "supported": sign,
        "not supported": f"excludes {tested[contrast.direction]}",
        "cannot tell": f"open: detectable effect {finding.detectable:.2f}",
    }[finding.verdict]
    return words + _with_zero(control, finding)


def _with_zero(control: Control, finding: Finding) -> str:
    """That the other explanation remains possible, where it leads to zero and the interval contains zero."""
    possible = control.sign.startswith("zero") and finding.low <= 0 <= finding.high
    return "; the other explanation is not excluded: the interval contains zero" * possible


def _beyond(chapter: Chapter, controls: Controls) -> list[str]:
    """What the primary arm changes beyond every control that has its baseline, target, languages and test."""
    protocol, rows = chapter.protocol, list[list[CellValue]]()
    primary = protocol.primary
    for contrast in protocol.contrasts if primary.treatment in protocol.arms and not protocol.latency else ():
        same = all(getattr(contrast, name) == getattr(primary, name) for name in ("control", "target", "group", "test"))
        control = find_control(controls, contrast)
        if not same or control is None or not control.sign.startswith("that of"):
            continue
        beyond = primary.model_copy(update={"control": contrast.treatment, "direction": "two-sided"})
        try:
            effect = evaluate(pair_runs(chapter.require_table(), beyond), protocol)
        except TooFewPairs:
            continue
        bounds = two_lines(signed(effect.value), interval(effect.low, effect.high))
        rows.append([contrast_cell(beyond, html_text(control.explanation)), bounds, effect.n])
    if not rows:
        return []
    return [
        "### Is it more than its controls?",
        "A control that shows no effect of its own need not differ from the treatment. So the treatment of the primary "
        "contrast is also compared with the control itself. These comparisons were not in the protocol, and are "
        "exploratory and not corrected:",
        f"{table(['other explanation', 'beyond it', chapter.protocol.block_noun + 's'], rows).data}\n",
    ]


def _sensitivity(chapter: Chapter) -> list[str]:
    """Confirmatory differences under other models, where their endpoint is a mean over languages."""
    if chapter.protocol.latency:
        return []
    found = [(contrast, models) for contrast in chapter.protocol.family if (models := chapter.models[contrast.name])]
    if not found:
        return []
    rows = [
        [
            contrast_cell(contrast, html_text(contrast.name)),
            two_lines(signed(models.encoders.value), interval(models.encoders.low, models.encoders.high)),
            two_lines("", interval(*models.languages)),
            two_lines(signed(models.mixed.value), interval(models.mixed.low, models.mixed.high))
            + "<br>not converged" * (not models.mixed.converged),
            _spread(models),
            "yes" if models.agrees else "<b>no</b>",
        ]
        for contrast, models in found
    ]
    items = "languages and test items" if all(models.with_items for _, models in found) else "languages"
    return [
        "### Does the result depend on the model?",
        "The test over encoders generalises to other encoders, for these languages. A hierarchical bootstrap "
        f"(encoders, then seeds, with {items} drawn anew, too) generalises to other languages of these kinds. A mixed "
        "model has crossed random effects of encoder and language. They agree if all three 95 % intervals lie on the "
        "same side of zero, or all three contain it.",
        f"{table(['contrast', 'encoders', 'bootstrap', 'mixed model', 'above 0', 'agree'], rows).data}\n",
    ]


def _without_exclusions(chapter: Chapter) -> list[str]:
    """Every contrast that loses pairs to the protocol's rules, with these pairs."""
    results, rows = chapter.require_table(), []
    if not results.frame["excluded"].any():
        return []
    whole = StudyTable(results.frame.assign(excluded=""), results.provenance)
    known = {contrast.name: finding for contrast, finding in chapter.pairs}
    for contrast in chapter.protocol.contrasts:
        if contrast.treatment not in chapter.protocol.arms:
            continue
        effect, finding = evaluate(pair_runs(whole, contrast), chapter.protocol), known.get(contrast.name)
        if finding is None or pair_runs(results, contrast).dropped:
            cells = [
                two_lines(signed(found.value), f"{interval(found.low, found.high)}<br>n{NO_BREAK}={NO_BREAK}{found.n}")
                if found
                else "–"
                for found in (finding, effect)
            ]
            rows.append([contrast_cell(contrast, html_text(contrast.name)), *cells])
    if not rows:
        return []
    return [
        "### Does the result depend on the exclusions?",
        "The rule looks at how well the intermediate task was learnt, and an arm can change that, so that an exclusion "
        "can favour an arm. The same contrasts with every run, exploratory and not corrected; n counts replicates, "
        "also those that lose only some of their pairs:",
        f"{table(['contrast', 'with the exclusions', 'with every run'], rows).data}\n",
    ]


def _spread(models: Sensitivity) -> str:
    """How many encoders have a positive difference."""
    return f"{sum(value > 0 for value in models.by_encoder.values())} of {len(models.by_encoder)}"
