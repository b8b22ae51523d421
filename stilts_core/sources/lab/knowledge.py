"""What everybody in the laboratory knows: what follows from what, what usually comes next, and what is always so.

Rules and stories are written in a little English without inflection: X and Y are people, Z is a thing of the kind that
follows its first mention ("the Z:toy").
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from stilts_core.sources.lab import lexicon
from stilts_core.sources.lab.dice import Dice
from stilts_core.sources.lab.lexicon import NOUNS
from stilts_core.sources.lab.meanings import Adjunct, Clause, Name, Noun, Question, Thing

# cause > effect. No two rules have the same cause or the same effect.
_CAUSES = """
X not sleep at night > X be tired
X not eat in the morning > X be hungry
X work in the desert > X be thirsty
X lose the Z:treasure > X be sad
Y give the Z:toy to X > X be happy
Y break the Z:instrument > X be angry
the bear chase X > X be afraid
X drink the old milk > X be ill
X fall near the river > X be wet
X not wear the coat > X be cold
X find the gold > X be rich
X be tired > X rest in the bedroom
X be hungry > X eat the Z:fruit
X be thirsty > X drink the water
X be sad > X cry
X be happy > X laugh
X be angry > X throw the Z:container
X be afraid > X run
X be ill > X call the doctor
X be cold > X burn the wood
X be rich > X buy the palace
X be busy > X not visit Y
X steal the Z:vehicle > Y follow X
X teach Y > Y write the book
X help Y > Y thank X
X push Y > Y fall
X play the Z:instrument > Y dance
X hide the key > Y not open the box
X break the lamp > Y not read the newspaper
X sell the bicycle > X walk
X see the thief > X call the soldier
X burn the bread > Y not eat the bread
the dog bite X > X not feed the dog
X lose the ticket > X not travel
X repair the Z:vehicle > Y drive the Z
X wash the Z:garment > Y wear the Z
X bring the flower > Y greet X
X clean the Z:room > Y sleep in the Z
"""

# What usually happens, one event after the other. No event stands in two stories.
_STORIES = """
X buy the flour at the market > X bake the cake > X cut the cake > Y eat the cake > Y wash the plate
X arrive at the lake > X catch the trout > X cook the trout > Y eat the trout > Y clean the kitchen
X find the paper > X write the letter > X send the letter to Y > Y open the letter > Y read the letter
X cut the wood in the forest > X carry the wood > X build the house > X paint the house > X live in the house
X buy the rose > X carry the rose > X plant the rose in the garden > X pick the flower > X give the flower to Y
X catch the horse > X feed the horse > X wash the horse > X ride the horse > X sell the horse
X steal the Z:treasure > Y see X > Y call the soldier > the soldier chase X > the soldier catch X
X buy the wool > X make the coat > X wear the coat > X lose the coat > Y find the coat
X buy the paint > X draw the king > X paint the picture > X show the picture to Y > Y buy the picture
X find the violin > X repair the violin > X play the violin > Y sing > Y dance in the theatre
X lose the key > X wait near the house > Y find the key > Y bring the key to X > X open the box
X buy the ticket > X wait at the station > X see the train > X travel > X visit Y
X drink the old milk > X be ill > X call the doctor > the doctor visit X > X thank the doctor
X carry the water > X make the tea > X give the tea to Y > Y drink the tea > Y wash the cup
X pick the Z:fruit > X wash the Z > X sell the Z at the market > Y buy the Z > Y eat the Z
X meet the wolf > X be afraid > X run > X fall > Y help X
X work in the museum > X be tired > X walk in the park > X rest > X sleep
"""

# verb, adposition or none: who > what, always.
_FACTS = """
live in: trout > river, salmon > sea, bee > garden, fox > forest, lion > desert, horse > field, mouse > cellar,
 king > palace, queen > palace, guest > hotel, bear > forest, duck > lake, neighbour > street, book > library
work in: teacher > school, doctor > hospital, nurse > hospital, baker > bakery, farmer > field, judge > court,
 cook > kitchen, singer > theatre, painter > museum, hunter > forest, tailor > shop, student > library
eat: mouse > cheese, rabbit > carrot, bear > honey, cat > fish, dog > meat, pig > potato, goat > cabbage,
 crow > cherry, cow > grass, sheep > grass, wolf > sheep, fox > hen, lion > horse, owl > mouse, duck > bread
make: baker > bread, tailor > coat, cook > soup, painter > picture, bee > honey, hen > egg, cow > milk,
 farmer > cheese, sheep > wool
use: farmer > shovel, tailor > needle, cook > knife, sailor > boat, driver > truck, painter > paint,
 student > book, hunter > axe, queen > mirror, baker > flour
"""


class Link(NamedTuple):
    """A rule: the cause and the effect, with variables; `kind` is that of Z, "" without one."""

    cause: Clause
    effect: Clause
    kind: str


class Story(NamedTuple):
    """Events in their usual order, with variables."""

    events: tuple[Clause, ...]
    kind: str


class Fact(NamedTuple):
    """What is always so: "bakers make bread", "trout are fish"; `answer` is its last noun."""

    verb: str
    relation: str
    subject: str
    answer: str


def _template(text: str) -> Clause:
    """The clause that a line of little English says."""
    words = text.split()

    def thing() -> Thing:
        if words[0] in ("X", "Y"):
            return Name((words.pop(0),), "PER")
        words.pop(0)  # "the"
        adjectives = (words.pop(0),) if words[0] in lexicon.ADJECTIVES["thing"] else ()
        return Noun(words.pop(0).split(":")[0], "the", adjectives)

    clause = Clause("", thing())
    if words[0] == "not":
        words.pop(0)
        clause = clause._replace(negated=True)
    clause = clause._replace(verb=words.pop(0))
    if clause.verb == "be":
        return clause._replace(state=words[0])
    if words and words[0] in ("X", "Y", "the"):
        clause = clause._replace(patient=thing())
    if words and words[0] == "to":
        words.pop(0)
        clause = clause._replace(recipient=thing())
    if words:
        relation = words.pop(0)
        role = "time" if NOUNS.is_a(words[-1], "season") else "place"
        bare = Noun(words[-1], "") if words[0] != "the" else None
        clause = clause._replace(**{role: Adjunct(relation, bare or thing())})
    return clause


def _kind(text: str) -> str:
    return text.partition("Z:")[2].split()[0] if "Z:" in text else ""


def _lines(text: str) -> list[tuple[list[Clause], str]]:
    return [([_template(part) for part in line.split(">")], _kind(line)) for line in text.strip().splitlines()]


_THINGS = "animal food tool vehicle furniture garment treasure document toy instrument plant container building room"


def _facts() -> list[Fact]:
    facts = []
    for line in _FACTS.strip().replace("\n ", " ").splitlines():
        head, pairs = line.split(": ")
        verb, _, relation = head.partition(" ")
        facts += [Fact(verb, relation, *pair.strip().split(" > ")) for pair in pairs.split(",")]
    leaves = [noun for kind in _THINGS.split() for noun in NOUNS.below(kind)]
    return facts + [Fact("be", "", noun, NOUNS.above[noun]) for noun in leaves if NOUNS.above[noun] != "thing"]


LINKS = [Link(*clauses, kind) for clauses, kind in _lines(_CAUSES)]
STORIES = [Story(tuple(clauses), kind) for clauses, kind in _lines(_STORIES)]
FACTS = _facts()


class Cast(NamedTuple):
    """Who and what the variables stand for."""

    x: Thing
    y: Thing
    z: str


def bind(template: Clause, cast: Cast) -> Clause:
    """The event that a template tells of a cast."""

    def bound(thing):
        match thing:
            case Name(("X",)):
                return cast.x
            case Name(("Y",)):
                return cast.y
            case Noun("Z"):
                return thing._replace(noun=cast.z)
            case Adjunct():
                return thing._replace(thing=bound(thing.thing))
        return thing

    return template._replace(
        agent=bound(template.agent),
        patient=bound(template.patient),
        recipient=bound(template.recipient),
        place=bound(template.place),
    )


def cast(dice: Dice, kind: str, people: Sequence[Thing]) -> Cast:
    """A cast of two people and a thing of the kind."""
    return Cast(*people, dice.pick(NOUNS.below(kind)) if kind else "")


@cache
def ancestors(number: int) -> frozenset[int]:
    """The rules whose effect leads, over any number of rules, to the cause of this one; itself included."""
    found = {number}
    for other, link in enumerate(LINKS):
        if other != number and link.effect == LINKS[number].cause:
            found |= ancestors(other)
    return frozenset(found)


def subject(noun: str) -> Noun:
    """All of a kind, as the subject of what is always so: "trout", "hammers", "bread"."""
    return Noun(noun, "", (), noun not in lexicon.MASS)


def answer(fact: Fact, noun: str) -> Noun:
    """An answer, right or wrong, to the question for a fact."""
    return Noun(noun) if fact.relation else subject(noun)


def stated(fact: Fact) -> Clause:
    """The fact as a sentence."""
    clause = Clause(fact.verb, subject(fact.subject), general=True)
    if fact.verb == "be":
        return clause._replace(state=subject(fact.answer))
    if fact.relation:
        return clause._replace(place=Adjunct(fact.relation, answer(fact, fact.answer)))
    return clause._replace(patient=subject(fact.answer))


def asked(fact: Fact) -> Clause:
    """The fact as a question for its answer."""
    clause = Clause(fact.verb, subject(fact.subject), general=True)
    return clause._replace(place=Question("where")) if fact.relation else clause._replace(patient=Question("what"))
