import pytest
from judge import accuracy

from stilts_core.laboratory import generator
from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.laboratory.world.lexicon import NOUNS, SYNONYMS
from stilts_core.laboratory.world.meanings import Noun, Question

TASKS = ("squad", "squad_v2", "tydiqa")


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("name", ["xquad", "mlqa", "tydiqa"])
def test_answers_are_substrings_at_their_offsets_in_every_script(name, code):
    for example in generator.load(name, "test", code, examples=60).items:
        ((start, text),) = example.answers
        assert text.strip() == text and example.context[start : start + len(text)] == text
        assert example.context.count(".") == (2 if name == "xquad" else 3)


def matches(event, question):
    """Whether an event answers a question, by an implementation that is independent of the package."""
    same = {main: word for word, main in SYNONYMS.items()} | SYNONYMS
    if event.verb != question.verb and same.get(event.verb) != question.verb:
        return False
    for role in ("agent", "patient"):
        named, thing = getattr(question, role), getattr(event, role)
        if isinstance(named, Question):
            continue
        if isinstance(named, Noun):
            if not isinstance(thing, Noun) or not NOUNS.is_a(thing.noun, named.noun):
                return False
        elif named != thing:
            return False
    return True


@pytest.mark.parametrize("name", [*TASKS, "xquad", "mlqa"])
def test_oracle_on_meanings_finds_exactly_one_answer_or_none(name):
    unanswered = 0
    for item in generator.draw_items(name, "test", examples=200):
        answers = [index for index, event in enumerate(item.context) if matches(event, item.question)]
        assert answers == ([] if item.answer_index is None else [item.answer_index])
        unanswered += item.answer_index is None
    assert unanswered == 0 or abs(unanswered / 200 - 1 / 3) < 0.11


def test_every_sentence_fills_the_role_that_is_asked_for_differently():
    for item in generator.draw_items("squad", "train", examples=200):
        things = [getattr(event, item.question.asked_role) for event in item.context]
        assert None not in things and len(set(things)) == len(things)


@pytest.mark.parametrize("name", TASKS)
def test_position_and_length_do_not_reveal_the_answer(name):
    """Among the two or three candidates in a text, the answer is as often first, or longest, as any other."""
    realiser = generator.get_realiser("en")
    items = [i for i in generator.draw_items(name, "train", examples=1500) if i.answer_index is not None]
    sentences = len(items[0].context)
    for pick in (min, max):
        right = 0
        for item in items:
            lengths = [len(realiser.span(item.context, i, item.question.asked_role)[1]) for i in range(sentences)]
            right += pick(range(sentences), key=lengths.__getitem__) == item.answer_index
        assert abs(100 * right / len(items) - 100 / sentences) < 5
    for position in range(sentences):
        share = sum(item.answer_index == position for item in items) / len(items)
        assert abs(100 * share - 100 / sentences) < 5


@pytest.mark.parametrize("text", ["question", "context"])
def test_question_or_text_alone_does_not_reveal_whether_there_is_an_answer(text):
    """The data are balanced: as many questions with an answer as without."""
    parts = []
    for split, count in (("train", 4500), ("dev", 2700)):
        examples = generator.load("squad_v2", split, examples=count).items
        unanswered = [example for example in examples if not example.answers]
        chosen = unanswered + [example for example in examples if example.answers][: len(unanswered)]
        parts.append(([getattr(example, text) for example in chosen], [bool(example.answers) for example in chosen]))
    assert abs(accuracy(*parts) - 50) < 5


def test_questions_ask_for_every_role_equally_often():
    roles = [item.question.asked_role for item in generator.draw_items("squad", "train", examples=2000)]
    assert all(abs(roles.count(role) / 2000 - 1 / 4) < 0.05 for role in ("agent", "patient", "place", "time"))


def test_tydiqa_questions_share_fewer_words_with_the_answer_sentence_than_squad_questions():

    def shared(name):
        realiser, shares = generator.get_realiser("en"), []
        for item in generator.draw_items(name, "train", examples=300):
            question = set(realiser.text(item.question).lower().strip("?").split()[1:])
            sentence = set(realiser.text(item.context[item.answer_index]).lower().split())
            shares.append(len(question & sentence) / len(question))
        return sum(shares) / len(shares)

    assert shared("tydiqa") < shared("squad") - 0.1
