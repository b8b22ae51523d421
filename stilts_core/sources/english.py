"""The English sets: intermediate tasks and training sets, in the formats of their publishers.

Every function turns one row of a publisher's file into an example; `formats.py` says which folder uses which function.
"""

from stilts_core.errors import DataError
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
    row["label"] = _ANLI_LABELS.get(row["label"], row["label"])
    return _pair(row, task, language, "context", "hypothesis", "label", "uid")


def qqp(row: Row, task: Task, language: str) -> PairExample:
    """Quora question pairs in GLUE's format."""
    return _pair(row, task, language, "question1", "question2", "is_duplicate", "id")


def mrpc(row: Row, task: Task, language: str) -> PairExample:
    """The Microsoft Research Paraphrase Corpus, the stand-in for QQP."""
    return _pair(row, task, language, "#1 String", "#2 String", "Quality")


def _choice(
    row: Row, language: str, context: str, question: str, choices: list, label: int | None, id: str | None
) -> ChoiceExample:
    if not (context + question).strip():
        raise EmptyText(f"{row.where}: context and question are both empty; restore the text or remove the item")
    if not all(isinstance(choice, str) and choice.strip() for choice in choices):
        raise EmptyText(f"{row.where}: one of the choices {choices!r} is empty; restore the text or remove the item")
    group = normalize(context or question)
    return ChoiceExample(row.id(id), language, context, question, tuple(choices), label, group)


def hellaswag(row: Row, task: Task, language: str) -> ChoiceExample:
    """HellaSwag; the activity is put before the context, as in the copies of the set that join them."""
    activity = f"{row['activity_label']}: " if row.get("activity_label") else ""
    endings = row["endings"]
    return _choice(row, language, activity + row.text("ctx"), "", endings, row.choice("label", len(endings)), "ind")


def cosmosqa(row: Row, task: Task, language: str) -> ChoiceExample:
    """Cosmos QA: the publisher's CSV with four answers, or the rebuilt JSON lines with three or four answers."""
    choices = row["answers"] if "answers" in row else [row[f"answer{i}"] for i in range(4)]
    label = row.choice("label", len(choices))
    return _choice(row, language, row.text("context"), row.text("question"), choices, label, "id")


def commonsenseqa(row: Row, task: Task, language: str) -> ChoiceExample:
    """CommonsenseQA: a question without context and five choices, A to E."""
    question = row["question"]
    choices = [choice["text"] for choice in question["choices"]]
    letters = [choice["label"] for choice in question["choices"]]
    key = row.get("answerKey")
    if key and key not in letters:
        raise DataError(f"{row.where}: answerKey is {key!r}; expected one of {', '.join(letters)}")
    return _choice(row, language, "", question["stem"], choices, letters.index(key) if key else None, "id")


def socialiqa(row: Row, task: Task, language: str) -> ChoiceExample:
    """Social IQa in XTREME-R's format; `correct` is a letter."""
    choices = [row[f"answer{letter}"] for letter in "ABC"]
    if row["correct"] not in ("A", "B", "C"):
        raise DataError(f"{row.where}: 'correct' is {row['correct']!r}; expected A, B or C")
    label = "ABC".index(row["correct"])
    return _choice(row, language, row.text("context"), row.text("question"), choices, label, None)


def copa(row: Row, task: Task, language: str) -> ChoiceExample:
    """COPA and XCOPA. The question is in English in every language, because the files only say cause or effect.

    The group is the number of the item, because items are parallel in all languages.
    """
    kind = row["question"]
    if kind not in _COPA_QUESTIONS:
        raise DataError(f"{row.where}: 'question' is {kind!r}; expected cause or effect")
    choices = [row.text("choice1"), row.text("choice2")]
    number, label = row.id("idx"), row.choice("label", 2)
    return ChoiceExample(number, language, row.text("premise"), _COPA_QUESTIONS[kind], tuple(choices), label, number)


def tagged(row: Row, task: Task, language: str) -> TaggingExample:
    """A tagged sentence of UD, PAN-X (whose original files write 'en:word'), CCGbank or Brown.

    Raises DataError for a tag that the task does not have.
    """
    words, tags = tuple(row["words"]), row["tags"]
    if all(word.startswith(f"{language}:") for word in words):
        words = tuple(word.removeprefix(f"{language}:") for word in words)
    if not words or not all(words):
        raise EmptyText(f"{row.where}: empty word in the sentence {' '.join(words)!r}; remove it with its tag")
    if tags is not None and task.labels and not set(tags) <= set(task.labels):
        unknown = next(tag for tag in tags if tag not in task.labels)
        raise DataError(f"{row.where}: unknown tag {unknown!r} in the sentence; expected {', '.join(task.labels)}")
    return TaggingExample(row.id(), language, words, None if tags is None else tuple(tags), " ".join(words))
