import pytest
from judge import accuracy

from stilts_core.sources import lab
from stilts_core.sources.lab.languages import LANGUAGES
from stilts_core.sources.lab.lexicon import NOUNS, SYNONYMS
from stilts_core.sources.lab.meanings import Noun, Question

TASKS = ("squad", "squad_v2", "tydiqa")


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("name", ["xquad", "mlqa", "tydiqa"])
def test_answers_stand_at_their_offsets_in_every_script(name, code):
    for example in lab.load(name, "test", code, examples=60).items:
        ((start, text),) = example.answers
        assert text.strip() == text and example.context[start : start + len(text)] == text
        assert example.context.count(".") == (2 if name == "xquad" else 3)


def matches(event, question):
    """Whether an event is what a question asks about, by a reading of its own."""
    same = {main: word for word, main in SYNONYMS.items()} | SYNONYMS
    if event.verb != question.verb and same.get(event.verb) != question.verb:
        return False
    for role in ("agent", "patient"):
        named, found = getattr(question, role), getattr(event, role)
        if isinstance(named, Question):
            continue
        if isinstance(named, Noun):
            if not isinstance(found, Noun) or not NOUNS.is_a(found.noun, named.noun):
                return False
        elif named != found:
            return False
    return True


@pytest.mark.parametrize("name", [*TASKS, "xquad", "mlqa"])
def test_an_oracle_that_reads_meanings_finds_the_one_event_that_is_asked_about(name):
    unanswered = 0
    for item in lab.items(name, "test", examples=200):
        found = [index for index, event in enumerate(item.told) if matches(event, item.question)]
        assert found == ([] if item.index is None else [item.index])
        unanswered += item.index is None
    assert unanswered == 0 or abs(unanswered / 200 - 1 / 3) < 0.11


def test_every_sentence_has_what_is_asked_for_and_no_two_the_same():
    for item in lab.items("squad", "train", examples=200):
        asked = [getattr(event, item.question.asked) for event in item.told]
        assert None not in asked and len(set(asked)) == len(asked)


@pytest.mark.parametrize("name", TASKS)
def test_neither_position_nor_length_tells_the_answer(name):
    """Of the two or three things of the right kind in a text, the right one is as often first, or longest, as any."""
    said, items = lab.realiser("en"), [i for i in lab.items(name, "train", examples=1500) if i.index is not None]
    sentences = len(items[0].told)
    for pick in (min, max):
        right = 0
        for item in items:
            lengths = [len(said.span(item.told, i, item.question.asked)[1]) for i in range(sentences)]
            right += pick(range(sentences), key=lengths.__getitem__) == item.index
        assert abs(100 * right / len(items) - 100 / sentences) < 5
    for position in range(sentences):
        share = sum(item.index == position for item in items) / len(items)
        assert abs(100 * share - 100 / sentences) < 5


@pytest.mark.parametrize("text", ["question", "context"])
def test_neither_question_nor_text_alone_tells_whether_there_is_an_answer(text):
    """Answered and unanswered ones in equal number."""
    parts = []
    for split, count in (("train", 4500), ("dev", 2700)):
        examples = lab.load("squad_v2", split, examples=count).items
        unanswered = [example for example in examples if not example.answers]
        chosen = unanswered + [example for example in examples if example.answers][: len(unanswered)]
        parts.append(([getattr(example, text) for example in chosen], [bool(example.answers) for example in chosen]))
    assert abs(accuracy(*parts) - 50) < 5


def test_questions_are_asked_as_often_for_each_role():
    asked = [item.question.asked for item in lab.items("squad", "train", examples=2000)]
    assert all(abs(asked.count(role) / 2000 - 1 / 4) < 0.05 for role in ("agent", "patient", "place", "time"))


def test_questions_of_those_who_have_not_read_use_other_words():
    """Fewer words of TyDiQA's questions than of SQuAD's stand in the sentence of the answer."""

    def shared(name):
        said, shares = lab.realiser("en"), []
        for item in lab.items(name, "train", examples=300):
            asked = set(said.text(item.question).lower().strip("?").split()[1:])
            shares.append(len(asked & set(said.text(item.told[item.index]).lower().split())) / len(asked))
        return sum(shares) / len(shares)

    assert shared("tydiqa") < shared("squad") - 0.1
