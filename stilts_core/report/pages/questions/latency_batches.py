"""Q4 by batch size: latency (one input at a time) and throughput (the largest batch), which the question asks for.

The registered contrast and its gate average over batch sizes; these parts of the chapter tell them apart.
"""

from collections.abc import Sequence

from stilts_core.report.escape import code_span, markdown_text
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.names import arm_words, list_words
from stilts_core.report.pages.questions.wording import estimate, p_words
from stilts_core.report.tables.html import markdown_table
from stilts_core.report.tables.numbers import NO_BREAK, interval, signed
from stilts_core.studies.latency import ALPHA, BatchComparison, LatencyGate, check_gate, compare_batches
from stilts_core.studies.power import detectable_margin, replicates_for_equivalence
from stilts_core.studies.protocol import Protocol

HEADING = "### Does it hold for latency and for throughput?"
STATUS = "This was not in the protocol, and is exploratory and not corrected."


def explain_batches(chapter: Chapter) -> list[str]:
    """The section with the primary contrast and the gate at every batch size alone."""
    found, protocol = _compare(chapter), chapter.protocol
    sizes = [one.batch for one in found]
    if len(found) == 1:
        return [HEADING, _explain_single(sizes[0])]
    if not check_gate(chapter.require_table(), protocol).passed:
        return [HEADING, "The gate is not passed, so no contrast is shown at a single batch size either."]
    columns = ["batch", "comparison", "tested", "difference", "p", "SD", "shown?"]
    return [
        HEADING,
        f"The registered contrast and the gate average over batches of {_list(sizes)}. The question asks for latency, "
        "which is the time of a single input, and for throughput, which is the rate in large batches. So each batch "
        f"size is tested alone here. {STATUS}",
        markdown_table(columns, [row for one in found for row in _rows(one, protocol)]),
        "\n".join(f"- {_name(one.batch, sizes)}: {markdown_text(_explain(one, protocol))}" for one in found),
    ]


def answer_batches(chapter: Chapter) -> list[str]:
    """What the answer says about latency and about throughput, in a sentence for each batch size."""
    found, protocol = _compare(chapter), chapter.protocol
    sizes = [one.batch for one in found]
    if len(found) == 1:
        return [_explain_single(sizes[0])]
    lines = [f"- {_name(one.batch, sizes)}: {markdown_text(_answer(one, protocol))}" for one in found]
    return [
        f"**Latency and throughput apart.** The primary contrast averages over batches of {_list(sizes)}. Here is each "
        f"batch size alone, with 90 % intervals. {STATUS}",
        "\n".join(lines),
    ]


def qualify_gate(chapter: Chapter) -> str:
    """That the gate is registered for the mean over batch sizes, and which of them pass it alone; empty for one."""
    found = _compare(chapter)
    if len(found) == 1:
        return ""
    failed = [one.batch for one in found if not one.gate.passed]
    alone = f"Alone, batches of {_list(failed)} do not pass it" if failed else "Each of them passes it alone, too"
    return f"It is registered for the mean over batches of {_list([one.batch for one in found])}. {alone}."


def _compare(chapter: Chapter) -> list[BatchComparison]:
    return compare_batches(chapter.require_table(), chapter.protocol)


def _explain_single(batch: int) -> str:
    """What a study with one batch size cannot say."""
    if batch == 1:
        return "Only single inputs were measured. So this study says nothing about larger batches (throughput)."
    return (
        f"Only batches of {batch} inputs were measured. So this study says nothing about a single input (latency in "
        "the narrow sense), and nothing about other batch sizes."
    )


def _rows(one: BatchComparison, protocol: Protocol) -> list[list[object]]:
    """The rows of the table at one batch size: the primary contrast, and both checks of the gate."""
    primary, gate = protocol.primary, one.gate
    compared = f"{code_span(primary.treatment)} − {code_span(primary.control)}"
    checks = [
        (compared, f"equivalent within ±{primary.sesoi:g} %", one.effect),
        ("A/A: the control against itself", f"equivalent within ±{gate.margin:g} %", gate.again),
        ("positive control: one layer more", "slower", gate.positive),
    ]
    return [
        [
            one.batch,
            name,
            tested,
            f"{estimate(effect)} %",
            p_words(effect.p),
            f"{effect.sd:.2f}",
            "yes" if effect.p < ALPHA else "**no**",
        ]
        for name, tested, effect in checks
    ]


def _name(batch: int, sizes: Sequence[int]) -> str:
    """A batch size by what it stands for, as MyST."""
    if batch == 1:
        return "**Latency** (batches of 1)"
    return f"**Throughput** (batches of {batch})" if batch == max(sizes) else f"**Batches of {batch}**"


def _answer(one: BatchComparison, protocol: Protocol) -> str:
    """The claim at one batch size with its number, and whether the gate alone passes there."""
    effect = one.effect
    number = f"{signed(effect.value)}{NO_BREAK}% {interval(effect.low, effect.high)}"
    doubt = "" if one.gate.passed else " The gate does not pass at this batch size alone."
    return f"{_claim(one, protocol)}: {number}.{doubt}"


def _explain(one: BatchComparison, protocol: Protocol) -> str:
    """The claim at one batch size, and what became of the gate there."""
    reason = "The gate passes at this batch size alone." if one.gate.passed else _explain_failure(one.gate)
    return f"{_claim(one, protocol)}. {reason}"


def _claim(one: BatchComparison, protocol: Protocol) -> str:
    """What the verdict at one batch size allows to say, without the number."""
    subject, limit = arm_words(protocol, protocol.primary.treatment), f"{protocol.primary.sesoi:g}{NO_BREAK}%"
    verb = "raises" if one.effect.value > 0 else "lowers"
    return {
        "supported": f"{subject} leaves processor time unchanged within ±{limit}",
        "not supported": f"{subject} {verb} processor time by more than {limit}",
        "cannot tell": f"whether {subject} leaves processor time unchanged within ±{limit} is open",
    }[one.verdict]


def _explain_failure(gate: LatencyGate) -> str:
    """Why the gate does not pass, and how many blocks the spread would need."""
    again = gate.again
    if again.p < ALPHA:
        return "One layer more is not detected at this batch size, so equivalence there would show nothing."
    failure = f"The control is not shown to be equivalent to itself within ±{gate.margin:g} %"
    if not again.low < 0 < again.high:
        return f"{failure}, and its interval excludes zero: the measurement at this batch size is not to be trusted."
    margin = detectable_margin(again.sd, again.n, ALPHA)
    needed = replicates_for_equivalence(gate.margin, again.sd, ALPHA)
    return (
        f"{failure}: times within a block differ too much (SD {again.sd:.1f}). With this spread, {again.n} blocks show "
        f"equivalence within ±{margin:.1f} % with power .9, and ±{gate.margin:g} % would need {needed:,} blocks."
    )


def _list(sizes: Sequence[int]) -> str:
    return list_words(map(str, sizes))
