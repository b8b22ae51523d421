"""A run in words: one sentence about it, its task cards with real examples, and wrong predictions to read."""

from collections.abc import Mapping, Sequence

from IPython.display import HTML

from stilts_core.laboratory.languages import get_language
from stilts_core.report.escape import html_text
from stilts_core.report.tables.html import count, metric_name, notes, table, text
from stilts_core.report.tables.titles import run_title
from stilts_core.runs.record import CardRecord, Record
from stilts_core.tasks.catalogue import get_task

LONGEST_TEXT = 400  # characters of one field that a card or an error shows


def summary(record: Record) -> HTML:
    """The run in one sentence, with a warning if the pair shares its training data."""
    training = ", then on ".join(
        f"{sum(phase.examples.values()):,} English examples of {' + '.join(phase.tasks)}" for phase in record.phases
    )
    sentence = f"<b>{html_text(run_title(record.config))}</b>: {html_text(record.encoder.name)}"
    sentence += f", fine-tuned on {html_text(training)}," if training else ", without fine-tuning,"
    sentence += f" scored in {count(len(record.scores), 'language')} (seed {record.seed})."
    if record.same_data:
        sentence += (
            " <b>Same data:</b> the intermediate task is the target's own training set, so nothing transfers between "
            "tasks."
        )
    return HTML(f"<p>{sentence}</p>")


def tasks(record: Record) -> HTML:
    """One card for each task: its name, its metric, and two examples that the encoder was trained or scored on."""
    return HTML("".join(_card(name, examples) for name, examples in record.cards.items()) + notes(record.notes))


def errors(record: Record) -> HTML:
    """A table of wrong predictions: the text in its own direction, the right answer, and the predicted one."""
    rows = [
        [
            f"{get_language(mistake.language).name}<br><small>item {html_text(mistake.id)}</small>",
            _fields(mistake.text, mistake.language),
            text(_shorten(mistake.gold), mistake.language),
            text(_shorten(mistake.prediction), mistake.language),
        ]
        for mistake in record.errors
    ]
    if not rows:
        return HTML("<p>No errors: all predictions that were checked are right.</p>")
    return table(["language", "text", "right", "predicted"], rows, record.notes)


def _card(name: str, examples: Sequence[CardRecord]) -> str:
    task = get_task(name)
    example_style = "border-top: 1px solid; padding: 0.4em 0"
    content = "".join(
        f'<div style="{example_style}">{_fields(example.text | {"label": example.label})}</div>' for example in examples
    )
    heading = (
        f"<b>{html_text(task.title)}</b> · {html_text(task.family)} · scored by {html_text(metric_name(task.metric))}"
    )
    frame = "border: 1px solid; border-radius: 4px; padding: 0.6em 1em; margin: 1em 0"
    return f'<div class="stilts-card mathjax_ignore" style="{frame}">{heading}{content}</div>'


def _fields(fields: Mapping[str, str], language: str | None = None) -> str:
    return "".join(_field(name, text(_shorten(value), language)) for name, value in fields.items())


def _field(name: str, content: str) -> str:
    return f'<div><small style="opacity: 0.7">{html_text(name.replace("_", " "))}</small>{content}</div>'


def _shorten(value: str) -> str:
    return value if len(value) <= LONGEST_TEXT else value[:LONGEST_TEXT].rstrip() + " …"
