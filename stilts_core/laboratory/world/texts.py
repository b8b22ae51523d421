"""Short texts of one to three sentences: stories, causes and effects, facts, questions with their answers."""

from collections.abc import Callable
from functools import partial

from stilts_core.laboratory.dice import Dice
from stilts_core.laboratory.world import knowledge
from stilts_core.laboratory.world.events import (
    answerable_roles,
    ask_for_role,
    draw_event,
    draw_quantified_event,
    draw_question,
    draw_state,
)
from stilts_core.laboratory.world.meanings import (
    Bare,
    Clause,
    Joined,
    Name,
    Question,
    Sentence,
    Text,
    adjunct_roles,
    with_role,
)
from stilts_core.laboratory.world.participants import draw_place, draw_two_people, pronoun_for
from stilts_core.laboratory.world.splits import belongs_to


def use_pronouns(events: list[Clause]) -> tuple[Clause, ...]:
    """Replace the agent of an event by a pronoun where the event before has the same agent."""
    text: list[Clause] = []
    previous = None
    for event in events:
        agent = event.agent
        if isinstance(agent, Name) and agent == previous:
            event = event._replace(agent=pronoun_for(agent))
        text.append(event)
        previous = agent
    return tuple(text)


def draw_story(dice: Dice, length: int) -> tuple[Clause, ...]:
    """Draw `length` successive events of a story."""
    story = dice.pick(knowledge.STORIES)
    cast = knowledge.draw_cast(dice, story.kind, draw_two_people(dice))
    start = dice.below(len(story.events) - length + 1)
    return use_pronouns([knowledge.bind(template, cast) for template in story.events[start : start + length]])


def ask_why(effect: Clause) -> Clause:
    """Return the question that asks for the cause of an event."""
    return effect._replace(time=Question("why"))


def draw_explanation(dice: Dice) -> Text:
    """Draw a cause and its effect: in one sentence, or as question and answer."""
    rule = dice.pick(knowledge.CAUSAL_RULES)
    cast = knowledge.draw_cast(dice, rule.kind, draw_two_people(dice))
    cause, effect = knowledge.bind(rule.cause, cast), knowledge.bind(rule.effect, cast)
    main_clause, reason = use_pronouns([effect, cause])
    forms: tuple[Text, ...] = (
        (Joined(main_clause, "because", reason),),
        (ask_why(effect), cause),
        (effect, Bare("why"), cause),
        (cause, Bare("then"), effect),
    )
    return dice.pick(forms)


def draw_fact(dice: Dice) -> Text:
    """Draw a general truth, in one case of four after the question about it."""
    fact = dice.pick(knowledge.FACTS)
    statement = knowledge.state_fact(fact)
    return (knowledge.ask_fact(fact), statement) if dice.chance(25) else (statement,)


def draw_joined_events(dice: Dice) -> Text:
    """Draw two unrelated events in one sentence."""
    return (Joined(draw_event(dice), dice.pick(("and", "but")), draw_event(dice)),)


def draw_answered_question(dice: Dice) -> Text:
    """Draw a question about an event and the event that answers it, with or without another event."""
    event = draw_event(dice, typical=dice.chance(50))._replace(negated=False)
    question = ask_for_role(event, dice.pick(answerable_roles(event)))
    events = dice.sample((event, draw_event(dice)), 2)
    forms: tuple[Text, ...] = (
        (question, event),
        (question, *events),
        (*events, question, event._replace(moved="")),
    )
    return dice.pick(forms)


def draw_restatement(dice: Dice) -> Text:
    """Draw an event that is reported twice: once with another order of its adjuncts, or without one of them."""
    event = draw_event(dice, typical=dice.chance(50))
    if not adjunct_roles(event):
        event = event._replace(place=draw_place(dice))
    if dice.chance(50):
        variant = with_role(event, dice.pick(adjunct_roles(event)), None)._replace(moved="")
    else:
        variant = event._replace(moved=dice.pick([role for role in ("", *adjunct_roles(event)) if role != event.moved]))
    return (event, variant) if dice.chance(50) else (variant, event)


def _single(draw: Callable[[Dice], Sentence]) -> Callable[[Dice], Text]:
    """Turn a function that draws a sentence into one that draws a text of this sentence."""
    return lambda dice: (draw(dice),)


# The kinds of text, each with the cumulative percentage of texts up to and including it.
_KINDS: tuple[tuple[int, Callable[[Dice], Text]], ...] = (
    (18, _single(draw_event)),
    (22, _single(draw_state)),
    (25, _single(draw_question)),
    (32, _single(draw_quantified_event)),
    (39, draw_fact),
    (48, draw_explanation),
    (51, draw_joined_events),
    (58, partial(draw_story, length=3)),
    (76, draw_answered_question),
    (100, draw_restatement),
)


def draw_text(dice: Dice, split: str = "train") -> Text:
    """Draw a text of one to three sentences that belongs to a part: mostly events, and some of what each task uses."""
    percentile = dice.below(100)
    return _draw_for_split(next(draw for limit, draw in _KINDS if percentile < limit), dice, split)


def draw_retold_text(dice: Dice, split: str = "train") -> Text:
    """Draw a text that tells an event twice, or asks about it and answers: sentences that must be compared."""
    return _draw_for_split(draw_answered_question if dice.chance(50) else draw_restatement, dice, split)


def _draw_for_split(draw: Callable[[Dice], Text], dice: Dice, split: str) -> Text:
    while True:
        text = draw(dice)
        if all(belongs_to(sentence, split) for sentence in text):
            return text
