"""Logical and causal reasoning as multiple choice: AR-LSAT, Logic-LLM's sets, FOLIO, e-CARE, COPA's twins, CODAH, PIQA.

Every function turns one row of a publisher's file into an example, or cuts such a file into rows.
"""

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from stilts_core.errors import DataError, shown
from stilts_core.sources.english import choice_example, copa, letter
from stilts_core.sources.rows import EmptyText, LeftOut, Row, parse_json
from stilts_core.tasks.catalogue import Task
from stilts_core.tasks.examples import ChoiceExample

LETTERS = "ABCDEFG"
CODAH_COLUMNS = ("category", "prompt", "answer0", "answer1", "answer2", "answer3", "label")
_OPTION = re.compile(r"([A-G])\)\s+(\S.*)", re.DOTALL)
_TRUTH = {"True": 0, "False": 1, "Unknown": 2, "Uncertain": 2}  # FOLIO's parts name the third label differently
_TWIN = 1000  # the twin of Balanced COPA's item i has the id 1000 + i
_VALIDATION = range(401, 501)  # Balanced COPA's items that are XCOPA's validation part


class ValidationItem(LeftOut):
    """An item of Balanced COPA, or its twin, that XCOPA's validation part has in other languages."""

    reason = "item of XCOPA's validation part, or its twin"


def json_array(text: str, name: str) -> Iterator[Row]:
    """Rows of a file with one JSON array of objects; a row is named by its place in the array."""
    items = parse_json(text, name)
    if not isinstance(items, list):
        raise DataError(f"{name}: {shown(items)} is not a JSON array; expected an array of objects")
    for number, item in enumerate(items, start=1):
        if not isinstance(item, dict):
            raise DataError(f"{name}, item {number}: {shown(item)} is not a JSON object")
        yield Row(item, name, number, place=f"item {number}")


def passage_questions(text: str, name: str) -> Iterator[Row]:
    """The questions of AR-LSAT, one row each, with the passage that they share."""
    for passage in json_array(text, name):
        for question in passage.nested_array("questions"):
            yield Row(question | {"passage": passage["passage"]}, name, passage.line, place=passage.place)


def ar_lsat(row: Row, task: Task, language: str) -> ChoiceExample:
    """AR-LSAT: a passage with a question that has four or five options; the answer is a letter."""
    row.id("id", required=True)
    row.place = f"question {row['id']}"
    options = row.texts("options")
    label = letter(row, "answer", list(LETTERS[: len(options)]))
    return choice_example(row, language, row.text("passage"), row.text("question"), options, label, "id")


def logic_llm(row: Row, task: Task, language: str) -> ChoiceExample:
    """ProofWriter, ProntoQA or LogicalDeduction as Logic-LLM publishes them: options such as 'A) True'."""
    options = [_OPTION.fullmatch(option) for option in row.texts("options")]
    letters = [option[1] if option else None for option in options]
    if letters != list(LETTERS[: len(letters)]):
        raise DataError(
            f"{row.where}: the options are {shown(row['options'])}; expected them to begin with A), B), … and a text"
        )
    texts = [option[2] for option in options if option]
    label = letter(row, "answer", list(LETTERS[: len(texts)]))
    return choice_example(row, language, row.text("context"), row.text("question"), texts, label, "id")


def folio(row: Row, task: Task, language: str) -> ChoiceExample:
    """FOLIO: premises and a conclusion that is true, false, or unknown; asked as ProofWriter asks."""
    premises = row["premises"]
    if isinstance(premises, str):  # the hub's copy has one premise a line
        premises = premises.split("\n")
    if not isinstance(premises, list) or not all(isinstance(premise, str) for premise in premises):
        raise DataError(f"{row.where}: 'premises' is {shown(row['premises'])}; expected a list of texts")
    context = " ".join(premise.strip() for premise in premises if premise.strip())
    if not context:
        raise EmptyText(f"{row.where}: 'premises' is empty ({shown(premises)}); restore the text or remove the item")
    value = row["label"]
    if value not in (None, "") and (not isinstance(value, str) or value not in _TRUTH):
        raise DataError(f"{row.where}: 'label' is {shown(value)}; expected {', '.join(_TRUTH)}")
    question = (
        f"Based on the above information, is the following statement true, false, or unknown? {row.text('conclusion')}"
    )
    label = _TRUTH[value] if value else None
    return choice_example(row, language, context, question, ["True", "False", "Unknown"], label, None)


def ecare(row: Row, task: Task, language: str) -> ChoiceExample:
    """e-CARE, which has COPA's form under other names."""
    return copa(row, task, language, "ask-for", ("hypothesis1", "hypothesis2"), "index")


def copa_items(text: str, name: str) -> Iterator[Row]:
    """The items of a COPA corpus in XML, with XCOPA's names of the fields.

    The encoding that the file declares is ignored, because `text` is decoded. Markup inside a text is removed.
    """
    try:
        corpus = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DataError(f"{name}, line {error.position[0]}: {error}; download the file again") from None
    for number, item in enumerate(corpus.iter("item"), start=1):
        id, answer = item.get("id"), item.get("most-plausible-alternative")
        place = f"item {id or number}"
        if answer not in ("1", "2"):
            raise DataError(f"{name}, {place}: most-plausible-alternative is {shown(answer)}; expected 1 or 2")
        fields = {"idx": id, "question": item.get("asks-for"), "label": int(answer) - 1}
        for ours, theirs in (("premise", "p"), ("choice1", "a1"), ("choice2", "a2")):
            element = item.find(theirs)
            fields[ours] = None if element is None else "".join(element.itertext())
        yield Row(fields, name, number, place=place)


def balanced_copa(row: Row, task: Task, language: str) -> ChoiceExample:
    """Balanced COPA; an item and its twin, which has the other answer, are one group."""
    id = str(row["idx"])
    if not id.isascii() or not id.isdigit():
        raise DataError(f"{row.where}: the id is {shown(row['idx'])}; expected a whole number")
    number = int(id) % _TWIN
    if number in _VALIDATION:
        raise ValidationItem(f"{row.where}: an item of XCOPA's validation part; leave it out")
    example = copa(row, task, language)
    return ChoiceExample(
        example.id, language, example.context, example.question, example.choices, example.label, str(number)
    )


def codah(row: Row, task: Task, language: str) -> ChoiceExample:
    """CODAH: the beginning of a sentence and four ends."""
    choices = [row.text(column) for column in CODAH_COLUMNS[2:6]]
    return choice_example(row, language, row.text("prompt"), "", choices, row.choice("label", 4), None)


def piqa(row: Row, task: Task, language: str) -> ChoiceExample:
    """PIQA: a goal and two ways to reach it."""
    choices = [row.text("sol1"), row.text("sol2")]
    return choice_example(row, language, row.text("goal"), "", choices, row.choice("label", 2), None)
