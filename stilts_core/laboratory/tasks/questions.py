"""Items of span tasks: questions about a text, whose other sentences are distractors."""

from functools import cache, partial
from typing import NamedTuple

from stilts_core.laboratory.dice import Dice
from stilts_core.laboratory.language.realiser import Realiser
from stilts_core.laboratory.world.entailment import is_narrower
from stilts_core.laboratory.world.events import TRANSITIVE, ask_for_role, draw_event
from stilts_core.laboratory.world.lexicon import ALTERNATIVES, NOUNS, VERBS, sense
from stilts_core.laboratory.world.meanings import Clause, Noun, Question, Thing, with_role
from stilts_core.laboratory.world.participants import PEOPLE, draw_participant, draw_place, draw_time
from stilts_core.laboratory.world.splits import draw_for_split
from stilts_core.tasks.examples import SpanExample

_ROLES = ("agent", "patient", "place", "time")
_VERBS = tuple(verb for verb in TRANSITIVE if not VERBS[verb].recipients)


class SpanItem(NamedTuple):
    """A text, a question, and the number of the sentence that answers it (None where the text has no answer)."""

    context: tuple[Clause, ...]
    question: Clause
    answer_index: int | None

    def to_example(self, number: int, realiser: Realiser) -> SpanExample:
        answers: tuple[tuple[int, str], ...] = ()
        if self.answer_index is not None:
            answers = (realiser.span(self.context, self.answer_index, self.question.asked_role),)
        question, context = realiser.text(self.question), realiser.text(*self.context)
        return SpanExample(str(number), realiser.language.code, question, context, answers, str(number))


def draw_squad(dice: Dice, split: str) -> SpanItem:
    """Draw a text of two sentences and a question that one of them answers."""
    return _draw_item(dice, split, sentences=2)


def draw_squad_v2(dice: Dice, split: str) -> SpanItem:
    """Draw a text of two sentences and a question; one question in three has no answer."""
    return _draw_item(dice, split, sentences=2, answerable=dice.below(3) > 0)


def draw_mlqa(dice: Dice, split: str) -> SpanItem:
    """Draw a text of three sentences and a question that one of them answers."""
    return _draw_item(dice, split, sentences=3)


def draw_tydiqa(dice: Dice, split: str) -> SpanItem:
    """Draw a text of three sentences and a question in other words: its author has not seen the text."""
    return _draw_item(dice, split, sentences=3, reworded=True)


def _draw_item(dice: Dice, split: str, sentences: int, answerable: bool = True, reworded: bool = False) -> SpanItem:
    """Draw an event, a question about it, and distractors: events that do not answer the question.

    Every sentence fills the role that the question asks for, so the type of a phrase does not reveal the answer. In an
    unanswerable item the text is about an event that differs from the question in the same way as a distractor.
    """
    role = dice.pick(_ROLES)
    while True:
        event = draw_for_split(_draw_full_event, dice, split)
        target = event if answerable else draw_for_split(partial(_draw_distractor, event, role), dice, split)
        draw_distractor = partial(_draw_distractor, target, role)
        distractors = [draw_for_split(draw_distractor, dice, split) for _ in range(sentences - 1)]
        text = tuple(dice.sample([target, *distractors], sentences))
        question = _reword(_ask(event, role)) if reworded else _ask(event, role)
        answers = [index for index, sentence in enumerate(text) if answers_question(sentence, question)]
        all_differ = len({getattr(sentence, role) for sentence in text}) == sentences
        if all_differ and answers == ([text.index(target)] if answerable else []):
            return SpanItem(text, question, answers[0] if answerable else None)


def _draw_full_event(dice: Dice) -> Clause:
    """Draw an event with a patient, a place and a time."""
    event = draw_event(dice, _VERBS, typical=False)
    return event._replace(place=draw_place(dice), time=draw_time(dice), negated=False, moved=dice.pick(("", "time")))


def _ask(event: Clause, role: str) -> Clause:
    """Return the question for a role. It names the other participants without adjectives and numbers."""
    bare = event._replace(
        agent=_make_definite(event.agent),
        patient=event.patient and _make_definite(event.patient),
        place=None,
        time=None,
    )
    return ask_for_role(with_role(bare, role, getattr(event, role)), role)


def _make_definite(thing: Thing) -> Thing:
    return Noun(thing.noun, "the", (), thing.plural) if isinstance(thing, Noun) else thing


def _reword(question: Clause) -> Clause:
    """Replace the verb by its synonym and each noun by its superclass."""
    return question._replace(
        verb=ALTERNATIVES.get(question.verb, question.verb),
        agent=_widen(question.agent),
        patient=question.patient and _widen(question.patient),
    )


def _widen(thing: Thing) -> Thing:
    if not isinstance(thing, Noun):
        return thing
    parent = NOUNS.parent[sense(thing.noun)]
    return thing._replace(noun=thing.noun if parent == "thing" else parent)


def _draw_distractor(event: Clause, role: str, dice: Dice) -> Clause:
    """Draw an event; half of the time it agrees with `event` in all but one of the things that a question names.

    `role` is the role that the question asks for.
    """
    distractor = _draw_full_event(dice)
    named = [name for name in ("agent", "patient") if name != role]
    if dice.chance(50):
        return distractor
    change = dice.pick(("verb", *named))
    verbs = _verbs_between(_noun_of(event.agent), _noun_of(event.patient))
    if change == "verb" and len(verbs) > 1:
        verb = dice.pick([verb for verb in verbs if verb != sense(event.verb)])
        return _recast(dice, distractor, verb, {name: getattr(event, name) for name in named})
    return _recast(dice, distractor, event.verb, {name: getattr(event, name) for name in named if name != change})


def _recast(dice: Dice, event: Clause, verb: str, fixed: dict[str, Thing]) -> Clause:
    """Change the verb of an event, and draw new participants for the roles that are not in `fixed`."""
    new = {role: draw_participant(dice, getattr(VERBS[verb], f"{role}s")) for role in ("agent", "patient")} | fixed
    return event._replace(verb=verb, agent=new["agent"], patient=new["patient"])


def _noun_of(thing: Thing | None) -> str:
    return sense(thing.noun) if isinstance(thing, Noun) else ""


@cache
def _verbs_between(agent: str, patient: str) -> tuple[str, ...]:
    """List the verbs that allow an agent and a patient; "" stands for a named person."""

    def allows(nouns: tuple[str, ...], noun: str) -> bool:
        return noun in nouns or (not noun and PEOPLE[0] in nouns)

    return tuple(v for v in _VERBS if allows(VERBS[v].agents, agent) and allows(VERBS[v].patients, patient))


def answers_question(event: Clause, question: Clause) -> bool:
    """Whether an event is one that a question asks about."""
    return sense(event.verb) == sense(question.verb) and all(
        isinstance(getattr(question, role), Question) or is_narrower(getattr(event, role), getattr(question, role))
        for role in _ROLES
    )
