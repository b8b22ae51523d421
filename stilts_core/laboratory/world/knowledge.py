"""World knowledge: causal rules, stories (usual sequences of events), and facts (general truths).

Rules and stories are templates in simple English without inflection. X and Y are people; Z is a thing, whose class
follows its first mention ("the Z:toy").
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from stilts_core.laboratory.dice import Dice
from stilts_core.laboratory.world import lexicon
from stilts_core.laboratory.world.lexicon import NOUNS
from stilts_core.laboratory.world.meanings import Adjunct, Clause, Name, Noun, Question, Thing, with_role

# cause > effect. All causes differ, and so do all effects.
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

# Events in their usual order. No event occurs in two stories.
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

# verb, adposition (if any): subject > object or place of general truths.
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


class CausalRule(NamedTuple):
    """A cause and its effect as templates; `kind` is the class of Z, "" where they have no Z."""

    cause: Clause
    effect: Clause
    kind: str


class Story(NamedTuple):
    """Events in their usual order as templates; `kind` is the class of Z, "" where they have no Z."""

    events: tuple[Clause, ...]
    kind: str


class Fact(NamedTuple):
    """A general truth: "bakers make bread", "trout are fish"; `answer` is its last noun."""

    verb: str
    relation: str
    subject: str
    answer: str


def _parse_template(text: str) -> Clause:
    """Parse an event in simple English."""
    words = text.split()

    def next_thing() -> Thing:
        if words[0] in ("X", "Y"):
            return Name((words.pop(0),), "PER")
        words.pop(0)  # "the"
        adjectives = (words.pop(0),) if words[0] in lexicon.ADJECTIVES["thing"] else ()
        return Noun(words.pop(0).split(":")[0], "the", adjectives)

    clause = Clause("", next_thing())
    if words[0] == "not":
        words.pop(0)
        clause = clause._replace(negated=True)
    clause = clause._replace(verb=words.pop(0))
    if clause.verb == "be":
        return clause._replace(state=words[0])
    if words and words[0] in ("X", "Y", "the"):
        clause = clause._replace(patient=next_thing())
    if words and words[0] == "to":
        words.pop(0)
        clause = clause._replace(recipient=next_thing())
    if words:
        relation = words.pop(0)
        role = "time" if NOUNS.is_a(words[-1], "season") else "place"
        bare = Noun(words[-1], "") if words[0] != "the" else None
        clause = with_role(clause, role, Adjunct(relation, bare or next_thing()))
    return clause


def _parse_line(line: str) -> tuple[tuple[Clause, ...], str]:
    """Parse a line of events between ">" into templates and the class of Z."""
    kind = line.partition("Z:")[2].split()[0] if "Z:" in line else ""
    return tuple(_parse_template(event) for event in line.split(">")), kind


def _parse_rule(line: str) -> CausalRule:
    (cause, effect), kind = _parse_line(line)
    return CausalRule(cause, effect, kind)


# The classes whose members have "be" facts.
_THINGS = "animal food tool vehicle furniture garment treasure document toy instrument plant container building room"


def _parse_facts() -> list[Fact]:
    """Parse _FACTS, and add the superclass of every thing that has one: "trout are fish"."""
    facts = []
    for line in lexicon.logical_lines(_FACTS):
        head, pairs = line.split(": ")
        verb, _, relation = head.partition(" ")
        facts += [Fact(verb, relation, *pair.strip().split(" > ")) for pair in pairs.split(",")]
    leaves = [noun for kind in _THINGS.split() for noun in NOUNS.leaves(kind)]
    return facts + [Fact("be", "", noun, NOUNS.parent[noun]) for noun in leaves if NOUNS.parent[noun] != "thing"]


CAUSAL_RULES = [_parse_rule(line) for line in _CAUSES.strip().splitlines()]
STORIES = [Story(*_parse_line(line)) for line in _STORIES.strip().splitlines()]
FACTS = _parse_facts()


class Cast(NamedTuple):
    """The people and the noun that the variables X, Y and Z stand for."""

    x: Thing
    y: Thing
    z: str


def bind(template: Clause, cast: Cast) -> Clause:
    """Replace the variables of a template by a cast."""
    place = template.place
    if isinstance(place, Adjunct) and not isinstance(place.thing, str):
        place = place._replace(thing=_bind_thing(place.thing, cast))
    return template._replace(
        agent=_bind_thing(template.agent, cast),
        patient=template.patient and _bind_thing(template.patient, cast),
        recipient=template.recipient and _bind_thing(template.recipient, cast),
        place=place,
    )


def _bind_thing(thing: Thing, cast: Cast) -> Thing:
    match thing:
        case Name(("X",)):
            return cast.x
        case Name(("Y",)):
            return cast.y
        case Noun("Z"):
            return thing._replace(noun=cast.z)
    return thing


def draw_cast(dice: Dice, kind: str, people: Sequence[Thing]) -> Cast:
    """Draw a noun of class `kind` for Z ("" draws none) and add it to the two people."""
    x, y = people
    return Cast(x, y, dice.pick(NOUNS.leaves(kind)) if kind else "")


def leads_to(number: int, other: int) -> bool:
    """Whether the effect of a rule is the cause of another one."""
    return number != other and CAUSAL_RULES[number].effect == CAUSAL_RULES[other].cause


@cache
def find_ancestors(number: int) -> frozenset[int]:
    """Return the numbers of the rules that lead, directly or through others, to the cause of a rule, and its own."""
    ancestors = {number}
    for other in range(len(CAUSAL_RULES)):
        if leads_to(other, number):
            ancestors |= find_ancestors(other)
    return frozenset(ancestors)


def generic_noun(noun: str) -> Noun:
    """Return a noun phrase for a whole class: "hammers", "bread"."""
    return Noun(noun, "", (), noun not in lexicon.MASS)


def answer_phrase(fact: Fact, noun: str) -> Noun:
    """Return the noun phrase by which a noun, right or wrong, answers the question about a fact."""
    return Noun(noun) if fact.relation else generic_noun(noun)


def state_fact(fact: Fact) -> Clause:
    """Return the statement of a fact."""
    clause = Clause(fact.verb, generic_noun(fact.subject), general=True)
    if fact.verb == "be":
        return clause._replace(state=generic_noun(fact.answer))
    if fact.relation:
        return clause._replace(place=Adjunct(fact.relation, answer_phrase(fact, fact.answer)))
    return clause._replace(patient=generic_noun(fact.answer))


def ask_fact(fact: Fact) -> Clause:
    """Return the question whose answer completes a fact."""
    clause = Clause(fact.verb, generic_noun(fact.subject), general=True)
    return clause._replace(place=Question("where")) if fact.relation else clause._replace(patient=Question("what"))
