"""What was run, in words: the title of a run, its task cards with real examples, and errors to read."""

from html import escape

from IPython.display import HTML

from stilts_core.catalogue import INTERMEDIATE_TASKS, task
from stilts_core.languages import language
from stilts_core.report.grid import parts_of, row_of
from stilts_core.report.markup import metric_name, notes, table, text

LONGEST_TEXT = 400  # characters of one field that a card or an error shows
TITLES = {
    "none": "No intermediate task",
    "all": f"All {len(INTERMEDIATE_TASKS)} intermediate tasks",
    "mlm": "Multilingual MLM",
}
SHORT = {
    "none": "none",
    "all": "all nine",
    "mlm": "MLM alone",
    "anli": "ANLI+",
    "mnli": "MNLI",
    "qqp": "QQP",
    "ccg": "CCG",
    "udpos": "POS",
    "panx": "PAN-X",
    "tydiqa": "TyDiQA",
    "bucc2018": "BUCC",
    "lareqa": "LAReQA",
}


def title(record: dict) -> str:
    """The run's title as a page bears it: `MNLI → XNLI`."""
    return f"{row_title(row_of(record))} → {task(record['config']['target']).title}"


def row_title(row: str) -> str:
    """The title of a row of the grid: none, all, mlm, one task, or several joined by commas, with +mlm and +sham."""
    tasks, mlm, sham = parts_of(row)
    named = " + ".join(TITLES.get(name) or task(name).title for name in tasks)
    return named + " with MLM" * mlm + ", labels shuffled" * sham


def short_title(row: str) -> str:
    """A row's or a task's name where there is little room."""
    tasks, mlm, sham = parts_of(row)
    named = " + ".join(SHORT.get(name) or task(name).title for name in tasks)
    return named + " + MLM" * mlm + ", shuffled" * sham


def summary(record: dict) -> HTML:
    """The run in one sentence, and the warning that belongs to a pair that shares its training data."""
    trained = ", then on ".join(
        f"{sum(phase['examples'].values()):,} English examples of {' + '.join(phase['tasks'])}"
        for phase in record["phases"]
    )
    said = f"<b>{escape(title(record))}</b>: {escape(record['encoder']['name'])}"
    said += f", fine-tuned on {escape(trained)}," if trained else ", as it is,"
    said += f" scored in {_count(len(record['scores']), 'language')} (seed {record['config']['seed']})."
    if record["same_data"]:
        said += " <b>Same data:</b> the intermediate task is the target's own training set, so this is no transfer."
    return HTML(f"<p>{said}</p>")


def tasks(record: dict) -> HTML:
    """One card for each task: what it asks, how it is scored, and two examples of what the encoder saw."""
    return HTML("".join(_card(name, examples) for name, examples in record["cards"].items()) + notes(record["notes"]))


def errors(record: dict) -> HTML:
    """Wrong predictions to read: the source text in its own direction, the right answer and the one given."""
    rows = [
        [
            f"{language(error['language']).name}<br><small>{escape(str(error['id']))}</small>",
            _fields(error["text"], error["language"]),
            text(_shortened(error["gold"]), error["language"]),
            text(_shortened(error["prediction"]), error["language"]),
        ]
        for error in record["errors"]
    ]
    if not rows:
        return HTML("<p>No errors: every prediction that was looked at is right.</p>")
    return table(["language", "text", "right", "predicted"], rows, record["notes"])


def _card(name: str, examples: list[dict]) -> str:
    facts = task(name)
    ruled = "border-top: 1px solid; padding: 0.4em 0"
    shown = "".join(
        f'<div style="{ruled}">{_fields(example["text"] | {"label": example["label"]})}</div>' for example in examples
    )
    heading = f"<b>{escape(facts.title)}</b> · {escape(facts.family)} · scored by {escape(metric_name(facts.metric))}"
    frame = "border: 1px solid; border-radius: 4px; padding: 0.6em 1em; margin: 1em 0"
    return f'<div class="stilts-card mathjax_ignore" style="{frame}">{heading}{shown}</div>'


def _fields(fields: dict[str, object], language: str | None = None) -> str:
    return "".join(_field(name, text(_shortened(value), language)) for name, value in fields.items())


def _field(name: str, content: str) -> str:
    return f'<div><small style="opacity: 0.7">{escape(name.replace("_", " "))}</small>{content}</div>'


def _shortened(value: object) -> str:
    written = str(value)
    return written if len(written) <= LONGEST_TEXT else written[:LONGEST_TEXT].rstrip() + " …"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
