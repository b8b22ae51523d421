"""XTREME's and XTREME-R's classification and question-answering files.

Items of XNLI and PAWS-X are parallel: line i is the same item in every language, and its group is the line number.
"""

from collections import Counter
from collections.abc import Iterator

from stilts_core.errors import DataError
from stilts_core.sources.rows import EmptyText, MisplacedAnswer, Row, parse_json, tsv
from stilts_core.tasks.catalogue import Task
from stilts_core.tasks.examples import PairExample, SpanExample

XNLI_COLUMNS = ("premise", "hypothesis", "label")
PAWSX_COLUMNS = ("sentence1", "sentence2", "label")


def xnli(row: Row, task: Task, language: str) -> PairExample:
    """XNLI: premise, hypothesis, label."""
    return PairExample(
        row.id(), language, row.text("premise"), row.text("hypothesis"), row.label("label", task.labels), row.id()
    )


def pawsx(row: Row, task: Task, language: str) -> PairExample:
    """PAWS-X: two sentences, and label 1 for paraphrases. Labels of one item may differ between languages."""
    return PairExample(
        row.id(), language, row.text("sentence1"), row.text("sentence2"), row.label("label", task.labels), row.id()
    )


def shared_sentences(text: str, name: str) -> dict[str, str]:
    """The group of each PAWS-X item, by id: items that share an English sentence, directly or through other items.

    A sentence is in up to seven pairs, so a split by item alone would put it on both sides.
    """
    parent: dict[str, str] = {}

    def root(sentence: str) -> str:
        while parent.setdefault(sentence, sentence) != sentence:
            sentence = parent[sentence]
        return sentence

    rows = list(tsv(text, name, PAWSX_COLUMNS))
    for row in rows:
        parent[root(row["sentence1"])] = root(row["sentence2"])
    first: dict[str, str] = {}
    return {row.id(): first.setdefault(root(row["sentence1"]), row.id()) for row in rows}


def squad_rows(text: str, name: str) -> Iterator[Row]:
    """Questions of a SQuAD-format JSON file (1.1 or 2), one row each.

    The group is the article, or the paragraph where the file has no articles. TyDiQA-GoldP repeats its ids: the
    second '12' of a file becomes '12#2'.
    """
    try:
        articles = parse_json(text, name)["data"]
        titles = {article.get("title") for article in articles}
        seen: Counter = Counter()
        for article in articles:
            for paragraph in article["paragraphs"]:
                context = paragraph["context"]
                group = article["title"] if len(titles) > 1 else context
                for item in paragraph["qas"]:
                    seen[item["id"]] += 1
                    repeat = f"#{seen[item['id']]}" if seen[item["id"]] > 1 else ""
                    answers = [(answer["answer_start"], answer["text"]) for answer in item["answers"]]
                    fields = {"id": f"{item['id']}{repeat}", "context": context, "group": group, "answers": answers}
                    yield Row({"question": item["question"]} | fields, name, seen.total())
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{name}: not in SQuAD's format (data, paragraphs, context, qas, id, question, answers): {error!r}; "
            "download the publisher's file again"
        ) from None


def span(row: Row, task: Task, language: str) -> SpanExample:
    """A question of SQuAD, XQuAD, MLQA or TyDiQA-GoldP.

    Raises MisplacedAnswer where an answer is not at its offset, and DataError for a question without answer in a task
    in which every question has one.
    """
    where = f"{row.name}, question {row['id']}"
    context, answers = row["context"], row["answers"]
    for start, text in answers:
        if not text or context[start : start + len(text)] != text:
            found = context[start : start + len(text)]
            raise MisplacedAnswer(
                f"{where}: the answer {text!r} is not at its offset {start}, where the context has {found!r}; "
                "correct answer_start (in characters, not bytes) or remove the question"
            )
    if not row["question"].strip() or not context.strip():
        raise EmptyText(f"{where}: the question or its context is empty; restore the text or remove the question")
    if not answers and not task.null_answers:
        raise DataError(f"{where}: no answer, but every question of {task.name} has one; is this a SQuAD 2 file?")
    return SpanExample(row.id("id"), language, row["question"], context, tuple(answers), row.get("group") or context)
