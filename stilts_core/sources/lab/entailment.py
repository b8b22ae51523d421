"""What follows from what: a logic of quantifiers, kinds and roles, and premises for a hypothesis and a label.

It is natural logic (MacCartney & Manning 2007) cut down to what the laboratory says: an event with fewer roles, or with
wider kinds in them, is implied by one with more or narrower ones; negation turns that round; every kind has members.
"""

from functools import cache

from stilts_core.sources.lab import lexicon, worlds
from stilts_core.sources.lab.dice import Dice
from stilts_core.sources.lab.lexicon import NOUNS, VERBS, sense
from stilts_core.sources.lab.meanings import Adjunct, Clause, Name, Noun, Thing

OPPOSITE = {"some": "no", "no": "some", "every": "not every", "not every": "every"}
LABELS = ("entailment", "neutral", "contradiction")


def relation(premise: Clause, hypothesis: Clause) -> str:
    """'entailment', 'contradiction' or 'neutral' between two statements about the same verb."""
    if _follows(premise, hypothesis):
        return "entailment"
    return "contradiction" if _follows(premise, denied(hypothesis)) else "neutral"


def denied(statement: Clause) -> Clause:
    """The statement that is true exactly where this one is false."""
    agent = statement.agent
    if isinstance(agent, Noun):
        agent = agent._replace(det=OPPOSITE[agent.det], plural=agent.det == "no")
        return statement._replace(agent=agent)
    return statement._replace(negated=not statement.negated)


def _follows(premise: Clause, hypothesis: Clause) -> bool:
    inside, around = narrower(premise.agent, hypothesis.agent), narrower(hypothesis.agent, premise.agent)
    up, down = implies(premise, hypothesis), implies(hypothesis, premise)
    holds = {
        ("some", "some"): inside and up,
        ("every", "some"): (inside or around) and up,
        ("every", "every"): around and up,
        ("no", "no"): around and down,
        ("no", "not every"): (inside or around) and down,
        ("not every", "not every"): inside and down,
    }
    return any(holds.get((ours, theirs)) for ours in _quantifiers(premise) for theirs in _quantifiers(hypothesis))


def _quantifiers(statement: Clause) -> tuple[str, ...]:
    """A name is a kind with one member: some of it is every one of it."""
    if isinstance(statement.agent, Noun):
        return (statement.agent.det,)
    return ("no", "not every") if statement.negated else ("some", "every")


def implies(event: Clause, wider: Clause) -> bool:
    """Whether whoever took part in an event of the first description took part in one of the second."""
    return sense(event.verb) == sense(wider.verb) and all(
        narrower(getattr(event, role), getattr(wider, role)) for role in ("patient", "recipient", "place", "time")
    )


def narrower(thing: Thing | Adjunct | None, wider: Thing | Adjunct | None) -> bool:
    """Whether everything that the first describes is described by the second, too; None describes anything."""
    if wider is None or thing == wider:
        return True
    if isinstance(wider, Noun) and isinstance(thing, Noun):
        said, wanted = ({sense(word) for word in noun.adjectives} for noun in (thing, wider))
        return NOUNS.is_a(thing.noun, wider.noun) and wanted <= said
    if isinstance(wider, Noun) and isinstance(thing, Name):
        return thing.kind == "PER" and wider.noun == "person" and not wider.adjectives
    if isinstance(wider, Adjunct) and isinstance(thing, Adjunct) and isinstance(wider.thing, Noun):
        return thing.relation == wider.relation and narrower(thing.thing, wider.thing)
    return False


def hypothesis(dice: Dice) -> Clause:
    """A statement about every, some, no or not every one of a kind, or about somebody by name."""
    verb = dice.pick(worlds.EVENT_VERBS)
    frame = VERBS[verb]
    kind = _noun(dice, frame.agents)
    if NOUNS.above[kind] == "thing":  # only a still wider kind would imply what is said of every or no person
        kind = dice.pick(frame.agents)
    agent = worlds.person(dice) if dice.chance(70) else worlds.quantifier(dice, kind)
    return Clause(
        verb,
        agent,
        _indefinite(dice, frame.patients),
        _indefinite(dice, frame.recipients),
        worlds.place(dice) if dice.chance(30) else None,
        worlds.time(dice) if dice.chance(20) else None,
        negated=isinstance(agent, Name) and dice.chance(50),
    )


def premise(dice: Dice, statement: Clause, label: str) -> Clause:
    """A statement to which `statement` stands in the relation `label`.

    The hypothesis is there first and the label is drawn without a look at it: so nothing in a hypothesis tells its
    label, as it does where people were asked to write one for each (Gururangan et al. 2018; Poliak et al. 2018).
    """
    while True:
        found = dice.pick((statement, denied(statement)))
        for _ in range(dice.pick((1, 1, 2))):
            found = dice.pick((_other_agent, _other_object, _other_object, _other_place, _other_time))(dice, found)
        if found != statement and relation(found, statement) == label:
            return found._replace(verb=worlds.worded(dice, found.verb))


def _other_agent(dice: Dice, statement: Clause) -> Clause:
    """Another quantifier or kind; everybody instead of somebody by name."""
    agent = statement.agent
    if isinstance(agent, Name):
        det = dice.pick(tuple(OPPOSITE))
        return statement._replace(agent=Noun("person", det, (), det == "some"), negated=False)
    if dice.chance(50):
        det = dice.pick([det for det in OPPOSITE if det != agent.det])
        return statement._replace(agent=agent._replace(det=det, plural=det == "some"))
    return statement._replace(agent=_other(dice, agent))


def _other_object(dice: Dice, statement: Clause) -> Clause:
    role = "recipient" if statement.recipient and dice.chance(50) else "patient"
    thing = getattr(statement, role)
    return statement._replace(**{role: _other(dice, thing)}) if thing else statement


def _other_place(dice: Dice, statement: Clause) -> Clause:
    return statement._replace(place=None if statement.place else worlds.place(dice))


def _other_time(dice: Dice, statement: Clause) -> Clause:
    return statement._replace(time=None if statement.time else worlds.time(dice))


def _other(dice: Dice, noun: Noun) -> Noun:
    """A wider, a narrower or a neighbouring kind."""
    change = dice.below(4)
    above = NOUNS.above[sense(noun.noun)]
    if change == 0:
        said = () if noun.adjectives else (dice.pick(lexicon.adjectives(noun.noun)),)
        return noun._replace(adjectives=said)
    if above == "thing":  # that some thing slept or bought a thing would be odd to say
        return _article(noun._replace(noun=dice.pick(NOUNS.below(noun.noun))))
    if change == 1:
        return _article(noun._replace(noun=above, adjectives=()))
    if change == 2:
        return _article(noun._replace(noun=dice.pick(NOUNS.below(noun.noun))))
    return _article(noun._replace(noun=dice.pick(NOUNS.below(above))))


def _article(noun: Noun) -> Noun:
    """The noun as an object, "a" horse or bare milk, so that negation is about any; an agent keeps its quantifier."""
    return noun if noun.det in OPPOSITE else noun._replace(det="" if noun.noun in lexicon.MASS else "a")


def _indefinite(dice: Dice, nouns: tuple[str, ...]) -> Noun | None:
    if not nouns:
        return None
    noun = _noun(dice, nouns)
    return _article(Noun(noun, "a", (dice.pick(lexicon.adjectives(noun)),) if dice.chance(25) else ()))


def _noun(dice: Dice, nouns: tuple[str, ...]) -> str:
    """One of the nouns, or a kind all of whose members are among them."""
    return dice.pick(_kinds(nouns) or nouns) if dice.chance(50) else dice.pick(nouns)


@cache
def _kinds(nouns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(kind for kind in NOUNS.above if NOUNS.below(kind) != (kind,) and set(NOUNS.below(kind)) <= set(nouns))
