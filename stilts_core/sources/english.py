"""The English sets: intermediate tasks and training sets, each in its publisher's format.

Every function turns one row of a publisher's file into an example; `load.py` says which file goes to which function.
"""

from stilts_core.families.examples import ChoiceExample, PairExample, TaggingExample
from stilts_core.sources.reading import DataError, EmptyText, Row, normalized

_ANLI_LABELS = {"e": "entailment", "n": "neutral", "c": "contradiction"}
_COPA_QUESTIONS = {"cause": "What was the cause?", "effect": "What happened as a result?"}


def _pair(row: Row, task, language: str, a: str, b: str, label: str, id: str | None = None) -> PairExample:
    premise = row.text(a)
    return PairExample(row.id(id), language, premise, row.text(b), row.label(label, task.labels), group=premise)


def mnli(row: Row, task, language: str) -> PairExample:
    """MultiNLI as GLUE gives it, and SNLI's JSON lines, which name their columns alike."""
    return _pair(row, task, language, "sentence1", "sentence2", "gold_label", "pairID")


def anli(row: Row, task, language: str) -> PairExample:
    """One round of Adversarial NLI; the labels are e, n and c."""
    row["label"] = _ANLI_LABELS.get(row["label"], row["label"])
    return _pair(row, task, language, "context", "hypothesis", "label", "uid")


def qqp(row: Row, task, language: str) -> PairExample:
    """Quora question pairs as GLUE gives them."""
    return _pair(row, task, language, "question1", "question2", "is_duplicate", "id")


def mrpc(row: Row, task, language: str) -> PairExample:
    """The Microsoft Research Paraphrase Corpus, which stands in for QQP."""
    return _pair(row, task, language, "#1 String", "#2 String", "Quality")


def _choice(row: Row, language: str, context: str, question: str, choices: list, label: int | None, id: str | None):
    if not (context + question).strip():
        raise EmptyText(f"{row.where}: neither context nor question has text; restore it or remove the item")
    if not all(isinstance(choice, str) and choice.strip() for choice in choices):
        raise EmptyText(f"{row.where}: an empty choice among {choices!r}; restore the text or remove the item")
    group = normalized(context or question)
    return ChoiceExample(row.id(id), language, context, question, tuple(choices), label, group)


def hellaswag(row: Row, task, language: str) -> ChoiceExample:
    """HellaSwag; the activity goes before the context, as in copies of the set that have joined the two."""
    activity = f"{row['activity_label']}: " if row.get("activity_label") else ""
    endings = row["endings"]
    return _choice(row, language, activity + row.text("ctx"), "", endings, row.choice("label", len(endings)), "ind")


def cosmosqa(row: Row, task, language: str) -> ChoiceExample:
    """Cosmos QA: the publisher's CSV with four answers, or the rebuilt JSON lines with three or four."""
    choices = row["answers"] if "answers" in row else [row[f"answer{i}"] for i in range(4)]
    label = row.choice("label", len(choices))
    return _choice(row, language, row.text("context"), row.text("question"), choices, label, "id")


def commonsenseqa(row: Row, task, language: str) -> ChoiceExample:
    """CommonsenseQA: a question without context and five choices, A to E."""
    question = row["question"]
    choices = [choice["text"] for choice in question["choices"]]
    letters = [choice["label"] for choice in question["choices"]]
    key = row.get("answerKey")
    if key and key not in letters:
        raise DataError(f"{row.where}: answerKey is {key!r}; expected one of {', '.join(letters)}")
    return _choice(row, language, "", question["stem"], choices, letters.index(key) if key else None, "id")


def socialiqa(row: Row, task, language: str) -> ChoiceExample:
    """Social IQa as XTREME-R gives it; `correct` is a letter."""
    choices = [row[f"answer{letter}"] for letter in "ABC"]
    if row["correct"] not in ("A", "B", "C"):
        raise DataError(f"{row.where}: 'correct' is {row['correct']!r}; expected A, B or C")
    label = "ABC".index(row["correct"])
    return _choice(row, language, row.text("context"), row.text("question"), choices, label, None)


def copa(row: Row, task, language: str) -> ChoiceExample:
    """COPA and XCOPA; the question is asked in English in every language, as the files only say cause or effect.

    The group is the number of the item, which is parallel in all languages.
    """
    kind = row["question"]
    if kind not in _COPA_QUESTIONS:
        raise DataError(f"{row.where}: 'question' is {kind!r}; expected cause or effect")
    choices = [row.text("choice1"), row.text("choice2")]
    number, label = row.id("idx"), row.choice("label", 2)
    return ChoiceExample(number, language, row.text("premise"), _COPA_QUESTIONS[kind], tuple(choices), label, number)


def tagged(row: Row, task, language: str) -> TaggingExample:
    """A tagged sentence: UD, PAN-X (whose originals write 'en:word'), CCG supertags, Brown.

    Raises DataError on a tag that the task does not have.
    """
    words, tags = tuple(row["words"]), row["tags"]
    if all(word.startswith(f"{language}:") for word in words):
        words = tuple(word.removeprefix(f"{language}:") for word in words)
    if not words or not all(words):
        raise EmptyText(f"{row.where}: an empty word in the sentence {' '.join(words)!r}; remove it with its tag")
    if tags is not None and task.labels and not set(tags) <= set(task.labels):
        unknown = next(tag for tag in tags if tag not in task.labels)
        raise DataError(f"{row.where}: unknown tag {unknown!r} in the sentence; expected {', '.join(task.labels)}")
    return TaggingExample(row.id(), language, words, None if tags is None else tuple(tags), " ".join(words))
