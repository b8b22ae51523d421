"""Natural-language inference: a logic of quantifiers, classes and roles, and premises for a hypothesis and a label.

This is natural logic (MacCartney & Manning 2007), reduced to the statements of the laboratory. An event implies the
same event with fewer roles or with wider classes in its roles. Negation reverses the direction. No class is empty.
"""

from functools import cache

from stilts_core.laboratory.dice import Dice
from stilts_core.laboratory.world.events import EVENT_VERBS, draw_quantified_noun
from stilts_core.laboratory.world.lexicon import MASS, NOUNS, VERBS, adjectives_of, sense
from stilts_core.laboratory.world.meanings import Adjunct, Clause, Name, Noun, Thing, with_role
from stilts_core.laboratory.world.participants import draw_person, draw_place, draw_time, vary_word

OPPOSITE = {"some": "no", "no": "some", "every": "not every", "not every": "every"}


def infer_label(premise: Clause, hypothesis: Clause) -> str:
    """Return 'entailment', 'contradiction' or 'neutral' for two statements."""
    if _entails(premise, hypothesis):
        return "entailment"
    return "contradiction" if _entails(premise, negate(hypothesis)) else "neutral"


def negate(statement: Clause) -> Clause:
    """Return the statement that is true exactly where this one is false."""
    agent = statement.agent
    if isinstance(agent, Noun):
        agent = agent._replace(det=OPPOSITE[agent.det], plural=agent.det == "no")
        return statement._replace(agent=agent)
    return statement._replace(negated=not statement.negated)


def _entails(premise: Clause, hypothesis: Clause) -> bool:
    narrower = is_narrower(premise.agent, hypothesis.agent)
    wider = is_narrower(hypothesis.agent, premise.agent)
    weaker, stronger = event_implies(premise, hypothesis), event_implies(hypothesis, premise)
    holds = {  # (quantifier of the premise, quantifier of the hypothesis)
        ("some", "some"): narrower and weaker,
        ("every", "some"): (narrower or wider) and weaker,
        ("every", "every"): wider and weaker,
        ("no", "no"): wider and stronger,
        ("no", "not every"): (narrower or wider) and stronger,
        ("not every", "not every"): narrower and stronger,
    }
    return any(holds.get((one, other)) for one in _quantifiers(premise) for other in _quantifiers(hypothesis))


def _quantifiers(statement: Clause) -> tuple[str, ...]:
    """Return the quantifiers of the agent. A name is a class with one member, for which some and every are the same."""
    if isinstance(statement.agent, Noun):
        return (statement.agent.det,)
    return ("no", "not every") if statement.negated else ("some", "every")


def event_implies(event: Clause, other: Clause) -> bool:
    """Whether every agent of an event of the first description is also an agent of one of the second description."""
    return sense(event.verb) == sense(other.verb) and all(
        is_narrower(getattr(event, role), getattr(other, role)) for role in ("patient", "recipient", "place", "time")
    )


def is_narrower(thing: Thing | Adjunct | str | None, wider: Thing | Adjunct | str | None) -> bool:
    """Whether the second description applies to everything that the first applies to; None applies to everything."""
    if wider is None or thing == wider:
        return True
    if isinstance(wider, Noun) and isinstance(thing, Noun):
        adjectives, required = ({sense(word) for word in noun.adjectives} for noun in (thing, wider))
        return NOUNS.is_a(thing.noun, wider.noun) and required <= adjectives
    if isinstance(wider, Noun) and isinstance(thing, Name):
        return thing.kind == "PER" and wider.noun == "person" and not wider.adjectives
    if isinstance(wider, Adjunct) and isinstance(thing, Adjunct) and isinstance(wider.thing, Noun):
        return thing.relation == wider.relation and is_narrower(thing.thing, wider.thing)
    return False


def draw_hypothesis(dice: Dice) -> Clause:
    """Draw a statement about a named person, or about every, some, no or not every member of a class."""
    verb = dice.pick(EVENT_VERBS)
    frame = VERBS[verb]
    kind = _draw_kind(dice, frame.agents)
    if (
        NOUNS.parent[kind] == "thing"
    ):  # a hypothesis about every or no person would need a still wider class to imply it
        kind = dice.pick(frame.agents)
    agent = draw_person(dice) if dice.chance(70) else draw_quantified_noun(dice, kind)
    return Clause(
        verb,
        agent,
        _draw_object(dice, frame.patients),
        _draw_object(dice, frame.recipients),
        draw_place(dice) if dice.chance(30) else None,
        draw_time(dice) if dice.chance(20) else None,
        negated=isinstance(agent, Name) and dice.chance(50),
    )


def draw_premise(dice: Dice, hypothesis: Clause, label: str) -> Clause:
    """Draw a premise that stands in the relation `label` to a hypothesis.

    The hypothesis is drawn before the premise, and the label independently of it. So a hypothesis does not reveal its
    label, as it does where people wrote a hypothesis for each label (Gururangan et al. 2018; Poliak et al. 2018).
    """
    changes = (_change_agent, _change_object, _change_object, _change_place, _change_time)
    while True:
        premise = dice.pick((hypothesis, negate(hypothesis)))
        for _ in range(dice.pick((1, 1, 2))):
            premise = dice.pick(changes)(dice, premise)
        if premise != hypothesis and infer_label(premise, hypothesis) == label:
            return premise._replace(verb=vary_word(dice, premise.verb))


def _change_agent(dice: Dice, statement: Clause) -> Clause:
    """Change the quantifier or the class of the agent; a named person becomes a quantified "person"."""
    agent = statement.agent
    if not isinstance(agent, Noun):
        det = dice.pick(tuple(OPPOSITE))
        return statement._replace(agent=Noun("person", det, (), det == "some"), negated=False)
    if dice.chance(50):
        det = dice.pick([det for det in OPPOSITE if det != agent.det])
        return statement._replace(agent=agent._replace(det=det, plural=det == "some"))
    return statement._replace(agent=_change_noun(dice, agent))


def _change_object(dice: Dice, statement: Clause) -> Clause:
    role = "recipient" if statement.recipient and dice.chance(50) else "patient"
    thing = getattr(statement, role)
    return with_role(statement, role, _change_noun(dice, thing)) if thing else statement


def _change_place(dice: Dice, statement: Clause) -> Clause:
    return statement._replace(place=None if statement.place else draw_place(dice))


def _change_time(dice: Dice, statement: Clause) -> Clause:
    return statement._replace(time=None if statement.time else draw_time(dice))


def _change_noun(dice: Dice, noun: Noun) -> Noun:
    """Add or remove an adjective, or take a wider, a narrower or a neighbouring class."""
    change = dice.below(4)
    parent = NOUNS.parent[sense(noun.noun)]
    if change == 0:
        adjectives = () if noun.adjectives else (dice.pick(adjectives_of(noun.noun)),)
        return noun._replace(adjectives=adjectives)
    if parent == "thing":  # "thing" itself would be odd as an agent or an object: "some thing slept"
        return _fit_determiner(noun._replace(noun=dice.pick(NOUNS.leaves(noun.noun))))
    if change == 1:
        return _fit_determiner(noun._replace(noun=parent, adjectives=()))
    if change == 2:
        return _fit_determiner(noun._replace(noun=dice.pick(NOUNS.leaves(noun.noun))))
    return _fit_determiner(noun._replace(noun=dice.pick(NOUNS.leaves(parent))))


def _fit_determiner(noun: Noun) -> Noun:
    """Make an object indefinite ("a horse", "milk"), so that its negation means "no horse"; keep a quantifier."""
    return noun if noun.det in OPPOSITE else noun._replace(det="" if noun.noun in MASS else "a")


def _draw_object(dice: Dice, nouns: tuple[str, ...]) -> Noun | None:
    if not nouns:
        return None
    noun = _draw_kind(dice, nouns)
    return _fit_determiner(Noun(noun, "a", (dice.pick(adjectives_of(noun)),) if dice.chance(25) else ()))


def _draw_kind(dice: Dice, nouns: tuple[str, ...]) -> str:
    """Draw one of the nouns, or a class all of whose members are among them."""
    return dice.pick(_classes_within(nouns) or nouns) if dice.chance(50) else dice.pick(nouns)


@cache
def _classes_within(nouns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        kind for kind in NOUNS.parent if NOUNS.leaves(kind) != (kind,) and set(NOUNS.leaves(kind)) <= set(nouns)
    )
