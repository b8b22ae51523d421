"""Tables of a study that is rerun at a reader's size."""

from collections.abc import Mapping

from IPython.display import HTML

from stilts_core.laboratory.languages import get_language
from stilts_core.report.escape import html_text
from stilts_core.report.tables.html import table, text
from stilts_core.report.tables.numbers import interval, signed, with_minus_signs
from stilts_core.studies.conduct import Study
from stilts_core.studies.rerun import PrimaryDifferences, compare_designs


def show_question(study: Study) -> HTML:
    """The question and the hypothesis of a study, and what differs between the registered study and this rerun."""
    protocol = study.protocol
    rows = [[text(cell) for cell in row] for row in compare_designs(study)]
    differences = table(["", "registered", "here"], rows).data
    return HTML(f"{_paragraph(protocol.question)}{_paragraph(f'Hypothesis: {protocol.hypothesis}')}{differences}")


def show_answer(differences: PrimaryDifferences) -> HTML:
    """What the primary contrast shows, as a paragraph."""
    return HTML(_paragraph(with_minus_signs(differences.sentence)))


def difference_table(differences: PrimaryDifferences) -> HTML:
    """The paired differences of the primary contrast, each with its 95 % interval, and the contrast as a whole."""
    finding = differences.finding
    replicates = f"{finding.n} {finding.unit}s"
    rows = [
        [text(part_name(differences, name)), signed(effect.value), interval(effect.low, effect.high), replicates]
        for name, effect in differences.parts.items()
    ]
    value = signed(finding.value) + f" {finding.unit_of_value}" * differences.is_slope
    bounds = interval(finding.low, finding.high) + " (90 %)" * (finding.coverage < 0.94)
    rows.append([f"<b>{text(finding.name)}</b>", value, bounds, replicates])
    columns = [differences.kind, f"difference, {differences.unit}", "95 % interval", "over"]
    return table(columns, rows, totals=1)


def part_name(differences: PrimaryDifferences, name: str) -> str:
    """The name of a part for a reader: that of a language instead of its code."""
    return get_language(name).name if differences.kind == "language" else name


def tries_table(tries: Mapping[str, str]) -> HTML:
    """The changes that a reader may try, each with its reason."""
    return table(
        ["option", "shows"], [[f"<code>{html_text(option)}</code>", text(why)] for option, why in tries.items()]
    )


def _paragraph(sentence: str) -> str:
    return f'<p class="mathjax_ignore">{html_text(sentence)}</p>'
