"""The English sets: intermediate tasks and training sets, in the formats of their publishers.

Every function turns one row of a publisher's file into an example; `formats.py` says which folder uses which function.
"""

from stilts_core.errors import DataError, shown
from stilts_core.sources.rows import EmptyText, Row, normalize
from stilts_core.tasks.catalogue import Task
from stilts_core.tasks.examples import ChoiceExample, PairExample, TaggingExample

_ANLI_LABELS = {"e": "entailment", "n": "neutral", "c": "contradiction"}
_COPA_QUESTIONS = {"cause": "What was the cause?", "effect": "What happened as a result?"}


def _pair(row: Row, task: Task, language: str, a: str, b: str, label: str, id: str | None = None) -> PairExample:
    premise = row.text(a)
    return PairExample(row.id(id), language, premise, row.text(b), row.label(label, task.labels), group=premise)


def mnli(row: Row, task: Task, language: str) -> PairExample:
    """MultiNLI in GLUE's format, and SNLI's JSON lines, which have the same column names."""
    return _pair(row, task, language, "sentence1", "sentence2", "gold_label", "pairID")


def anli(row: Row, task: Task, language: str) -> PairExample:
    """One round of Adversarial NLI; its labels are e, n and c."""
    label = row["label"]
    row["label"] = _ANLI_LABELS.get(label, label) if isinstance(label, str) else label
    return _pair(row, task, language, "context", "hypothesis", "label", "uid")


def qqp(row: Row, task: Task, language: str) -> PairExample:
    """Quora question pairs in GLUE's format."""
    return _pair(row, task, language, "question1", "question2", "is_duplicate", "id")


def mrpc(row: Row, task: Task, language: str) -> PairExample:
    """The Microsoft Research Paraphrase Corpus, the stand-in for QQP."""
    return _pair(row, task, language, "#1 String", "#2 String", "Quality")


def choice_example(
    row: Row, language: str, context: str, question: str, choices: list[str], label: int | None, id: str | None
) -> ChoiceExample:
    """A multiple-choice example, whose group is its context. Raises DataError for fewer than two choices.

    `id` is the column of the publisher's id, None where the file has none that are unique.
    """
    if not (context + question).strip():
        raise EmptyText(f"{row.where}: context and question are both empty; restore the text or remove the item")
    if len(choices) < 2:
        raise DataError(f"{row.where}: {len(choices)} choices; expected at least 2")
    group = normalize(context or question)
    return ChoiceExample(row.id(id), language, context, question, tuple(choices), label, group)


def hellaswag(row: Row, task: Task, language: str) -> ChoiceExample:
    """HellaSwag; the activity is put before the context, as in the copies of the set that join them."""
    activity = f"{row.text('activity_label')}: " if row.get("activity_label") else ""
    endings = row.texts("endings")
    return choice_example(
        row, language, activity + row.text("ctx"), "", endings, row.choice("label", len(endings)), "ind"
    )


def cosmosqa(row: Row, task: Task, language: str) -> ChoiceExample:
    """Cosmos QA: the publisher's CSV with four answers, or the rebuilt JSON lines with three or four answers."""
    choices = row.texts("answers") if "answers" in row else [row.text(f"answer{i}") for i in range(4)]
    label = row.choice("label", len(choices))
    return choice_example(row, language, row.text("context"), row.text("question"), choices, label, "id")


def commonsenseqa(row: Row, task: Task, language: str) -> ChoiceExample:
    """CommonsenseQA: a question without context and five choices, A to E."""
    question = row.nested("question")
    items = question.nested_array("choices")
    choices, letters = [item.text("text") for item in items], [item.text("label") for item in items]
    if len(set(letters)) < len(letters):
        raise DataError(f"{row.where}: two choices have the same letter ({', '.join(letters)}); correct one of them")
    label = letter(row, "answerKey", letters)
    return choice_example(row, language, "", question.text("stem"), choices, label, "id")


def socialiqa(row: Row, task: Task, language: str) -> ChoiceExample:
    """Social IQa in XTREME-R's format; `correct` is a letter."""
    choices = [row.text(f"answer{letter}") for letter in "ABC"]
    label = letter(row, "correct", list("ABC"))
    return choice_example(row, language, row.text("context"), row.text("question"), choices, label, None)


def logiqa(row: Row, task: Task, language: str) -> ChoiceExample:
    """LogiQA 2.0: a text, a question, options, and the number of the right one; its own ids are not unique."""
    choices = row.texts("options")
    label = row.choice("answer", len(choices))
    return choice_example(row, language, row.text("text"), row.text("question"), choices, label, None)


def letter(row: Row, column: str, letters: list[str]) -> int | None:
    """The index of the letter that names the right choice; None where it is unknown."""
    value = row.get(column)
    if value in (None, ""):
        return None
    if value not in letters:
        raise DataError(f"{row.where}: {column} is {shown(value)}; expected one of {', '.join(letters)}")
    return letters.index(value)


def copa(
    row: Row,
    task: Task,
    language: str,
    asked: str = "question",
    alternatives: tuple[str, str] = ("choice1", "choice2"),
    id: str = "idx",
) -> ChoiceExample:
    """COPA and XCOPA. The question is in English in every language, because the files only say cause or effect.

    The group is the number of the item, because items are parallel in all languages. The last arguments are names of
    columns.
    """
    kind = row[asked]
    if not isinstance(kind, str) or kind not in _COPA_QUESTIONS:
        raise DataError(f"{row.where}: '{asked}' is {shown(kind)}; expected cause or effect")
    choices = [row.text(column) for column in alternatives]
    number, label = row.id(id, required=True), row.choice("label", 2)
    return ChoiceExample(number, language, row.text("premise"), _COPA_QUESTIONS[kind], tuple(choices), label, number)


def tagged(row: Row, task: Task, language: str) -> TaggingExample:
    """A tagged sentence of UD, PAN-X, CCGbank or Brown. Raises DataError for a tag that the task does not have."""
    words, tags = tuple(row.array("words")), _tags(row)
    if not all(isinstance(word, str) for word in words):
        raise DataError(f"{row.where}: {shown(list(words))} are not all texts; restore the words of the sentence")
    if not words or not all(word.strip() for word in words):
        raise EmptyText(f"{row.where}: empty word in the sentence {shown(' '.join(words))}; remove it with its tag")
    if tags is not None and task.labels and not set(tags) <= set(task.labels):
        unknown = next(tag for tag in tags if tag not in task.labels)
        raise DataError(f"{row.where}: unknown tag {shown(unknown)} in the sentence; expected {', '.join(task.labels)}")
    if tags is not None and len(tags) != len(words):
        raise DataError(f"{row.where}: {len(words)} words and {len(tags)} tags; every word must have one tag")
    return TaggingExample(row.id(), language, words, tags, " ".join(words))


def panx(row: Row, task: Task, language: str) -> TaggingExample:
    """A sentence of PAN-X, whose words may say which language they are of."""
    row.check_language(language)
    return tagged(row, task, language)


def _tags(row: Row) -> tuple[str, ...] | None:
    """The tags of a sentence; None where no word has one. Raises DataError where only some words lack their tag."""
    if row["tags"] is None:
        return None
    tags = tuple(row.array("tags"))
    if tags and all(tag is None for tag in tags):
        return None
    if not all(isinstance(tag, str) and tag for tag in tags):
        raise DataError(f"{row.where}: some words have no tag ({shown(list(tags))}); restore the tags")
    return tags
