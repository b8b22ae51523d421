"""Tables of one run, from its record: phases, scores by language, cost, provenance."""

import shlex
from dataclasses import fields

from IPython.display import HTML

from stilts_core.config import PROFILES, RunConfig
from stilts_core.laboratory.languages import get_language
from stilts_core.report.analysis.centring import EXPLANATION, KINDS, When, mean_by_state
from stilts_core.report.analysis.distances import describe_distance, sort_by_distance
from stilts_core.report.escape import html_text
from stilts_core.report.tables.html import (
    CellValue,
    count,
    format_duration,
    format_number,
    format_power,
    metric_name,
    minute,
    table,
)
from stilts_core.report.tables.numbers import score_interval
from stilts_core.runs.record import DevScore, Record

MISSING = "–"  # in place of a score, where there is none
WHEN: tuple[When, ...] = ("before", "after")


def phases(record: Record) -> HTML:
    """What each phase trained on, how long it took, and the English dev score after it."""
    rows: list[list[CellValue]] = [
        [
            phase.name,
            html_text(task),
            phase.examples.get(task),
            phase.steps,
            "reused" if phase.reused else format_duration(phase.seconds),
            _format_dev(phase.dev.get(task)),
        ]
        for phase in record.phases
        for task in phase.tasks
    ]
    columns = ["phase", "task", "examples", "steps", "time", "English dev score"]
    return table(columns, rows, [*record.notes, *_truncation_notes(record)])


def scores(record: Record) -> HTML:
    """All metrics of every language with n and a 95 % interval, nearest to English first, then the means."""
    codes = sort_by_distance(record.scores)
    of_languages = [metric for code in codes for metric in record.scores[code].metrics]
    metrics = list(dict.fromkeys([*record.metrics, *of_languages]))
    means = _mean_rows(record, metrics)
    unscored = [_unscored_row(record, code, metrics) for code in sort_by_distance(record.unscored)]
    rows = [*(_language_row(record, code, metrics) for code in codes), *unscored, *means]
    names = {name: html_text(metric_name(name)) for name in metrics}
    headings = [f"<b>{names[name]}</b>" if name == record.metric else names[name] for name in metrics]
    explanation = (
        f"Scores are on a scale of 0 to 100. The interval is that of {metric_name(record.metric)}, by bootstrap over "
        f"test items. Distance to English is {describe_distance(record.config.data_source)}."
    )
    columns = ["language", *headings, "95 % interval", "n", "family", "distance"]
    return table(columns, rows, [explanation, *record.notes], totals=len(means))


def retrieval(record: Record) -> HTML | None:
    """Retrieval from every hidden state, raw and centred, before and after the phases; None for a run without it."""
    columns = [mean_by_state(record, when, kind) for kind in KINDS for when in WHEN]
    if not any(columns):
        return None
    scored = record.retrieval.state if record.retrieval else None
    rows: list[list[CellValue]] = [
        [f"{state}{' (scored)' * (state == scored)}", *scores]
        for state, scores in enumerate(zip(*columns, strict=True))
    ]
    headings = [f"{name}, {when}" for name in KINDS.values() for when in WHEN]
    return table(["hidden state", *headings], rows, [EXPLANATION])


def languages(record: Record) -> HTML | None:
    """A language probe and masked-LM losses, before and after the phases; None for a run that did not measure them."""
    measured = record.language_measures
    if measured is None:
        return None
    before, after = measured.before, measured.after
    rows: list[list[CellValue]] = [
        [f"language told from hidden state {html_text(state)}, % right", share, after.probe.get(state)]
        for state, share in before.probe.items()
    ]
    rows += [
        [f"masked-LM loss, {html_text(get_language(code).name)} ({code})", f"{loss:.3f}", f"{after.mlm_loss[code]:.3f}"]
        for code, loss in before.mlm_loss.items()
        if code in after.mlm_loss
    ]
    remark = (
        f"A fresh linear probe on the frozen encoder, and the loss of its pretrained MLM head in nats, on "
        f"{sum(measured.texts.values()):,} texts in {len(measured.texts)} languages"
    )
    remark += "." if measured.held_out else ", some of which the intermediate phase may have trained on."
    return table(["measure", "before the phases", "after"], rows, [remark])


def cost(record: Record) -> HTML:
    """Time, memory and arithmetic of the run, and the machine."""
    used, machine = record.cost, record.environment
    rows = [["whole run", format_duration(used.seconds)]]
    if used.processor_seconds is not None:
        rows.append(["processor time", format_duration(used.processor_seconds)])
    rows += [[html_text(name), format_duration(seconds)] for name, seconds in used.seconds_by_part.items()]
    rows += [
        [f"sub-words per second, {phase.name} phase", format_number(phase.tokens_per_second, 0)]
        for phase in record.phases
        if not phase.reused and phase.tokens_per_second is not None
    ]
    rows += [
        ["peak memory", f"{used.peak_memory_bytes / 2**30:.2f} GiB"],
        ["floating-point operations", format_power(used.flops, 2)],
        [
            "device",
            f"{html_text(machine.device)} ({html_text(machine.cpu)}, {count(machine.threads, 'thread')})",
        ],
        ["precision", html_text(machine.precision)],
    ]
    if machine.layers:
        rows.append(["layers computed by", html_text(machine.layers)])
    return table(["cost", ""], rows, record.notes)


def provenance(record: Record) -> HTML:
    """The origin of every number: encoder, versions, revision, checksums, and the command that repeats the run."""
    encoder, machine = record.encoder, record.environment
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items() if version)
    rows: list[list[CellValue]] = [
        ["run", f"<code>{html_text(record.run_id)}</code>"],
        ["finished (UTC)", html_text(minute(record.finished))],
        [
            "encoder",
            f"{html_text(encoder.name)}: {html_text(encoder.architecture)}, {encoder.layers} layers of "
            f"{encoder.hidden_size}, {encoder.parameters:,} parameters, {encoder.rows_used:,} of "
            f"{encoder.vocabulary_rows:,} vocabulary rows used",
        ],
        ["encoder's fingerprint", f"<code>{html_text(encoder.fingerprint)}</code>"],
        ["packages", html_text(f"Python {machine.python}, {packages}")],
        ["revision", html_text(machine.git_revision)],
    ]
    if encoder.pretraining_seed is not None:
        rows.append(["pretraining seed", str(encoder.pretraining_seed)])
    rows += [[f"dropped: {html_text(reason)}", count] for reason, count in record.data.dropped.items()]
    rows.append(["to run it again", f"<code>{html_text(format_command(record.config))}</code>"])
    return HTML(table(["provenance", ""], rows, record.notes).data + _list_checksums(record.data.files))


def format_command(config: RunConfig) -> str:
    """The `stilts run` command of a configuration, without fields at their default or at the profile's value."""
    defaults = {field.name: field.default for field in fields(config)}
    usual = defaults | PROFILES[config.profile]
    chosen = config.deciding() | {"source": config.source}
    flags = (
        f"--{name.replace('_', '-')}" + f" {shlex.quote(str(value))}" * (value is not True)
        for name, value in chosen.items()
        if value not in (None, defaults[name], usual[name])
    )
    return " ".join(["stilts run", *flags])


def _language_row(record: Record, code: str, metrics: list[str]) -> list[CellValue]:
    language, score = get_language(code), record.scores[code]
    return [
        html_text(f"{language.name} ({code})"),
        *(score.metrics.get(metric, MISSING) for metric in metrics),
        score_interval(score.low, score.high),
        score.n,
        html_text(language.family),
        f"{language.syntax_distance_en:.2f}",
    ]


def _unscored_row(record: Record, code: str, metrics: list[str]) -> list[CellValue]:
    """A language whose test part has no labels: predictions were written, and no score."""
    language = get_language(code)
    distance = f"{language.syntax_distance_en:.2f}"
    n = record.unscored[code].n
    name, family = html_text(f"{language.name} ({code})"), html_text(language.family)
    return [name, *(MISSING for _ in metrics), MISSING, n, family, distance]


def _mean_rows(record: Record, metrics: list[str]) -> list[list[CellValue]]:
    """The means over languages: only the primary metric has one."""
    averages = {"mean": record.averages.all, "mean without English": record.averages.non_english}
    return [
        [
            f"{name}, {mean.languages} languages",
            *(mean.score if metric == record.metric else None for metric in metrics),
            score_interval(mean.low, mean.high),
            None,
            None,
            None,
        ]
        for name, mean in averages.items()
        if mean
    ]


def _list_checksums(files: dict[str, str]) -> str:
    """The checksums of all data files, folded away."""
    rows = [[html_text(file), f"<code>{html_text(checksum[:16])}</code>"] for file, checksum in files.items()]
    content = table(["file", "sha256"], rows).data
    return f"<details><summary>{count(len(files), 'data file')}</summary>{content}</details>"


def _format_dev(dev: DevScore | None) -> str:
    return html_text(metric_name(dev.metric)) + f" {dev.score:.1f} (n = {dev.n:,})" if dev else "none"


def _truncation_notes(record: Record) -> list[str]:
    """One sentence for every task with inputs that were too long."""
    return [
        f"{task}: {cut.cut:,} of {cut.inputs:,} training inputs were too long and lost {cut.tokens_lost:,} sub-words."
        for phase in record.phases
        for task, cut in phase.cut.items()
        if cut.cut
    ]
