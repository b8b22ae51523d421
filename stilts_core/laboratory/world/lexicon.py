"""The concepts of the laboratory, named by English words: a taxonomy of nouns, verb frames, and adjectives."""

from functools import cache
from typing import NamedTuple

# class < superclass: members. The name of a class is a noun, too.
_NOUNS = """
thing
person < thing: king queen guest thief neighbour
worker < person: farmer baker teacher doctor nurse driver singer soldier cook judge painter sailor hunter tailor
child < person: boy girl student
adult < person: man woman
animal < thing: horse cow sheep goat pig rabbit mouse bee
pet < animal: dog cat
beast < animal: wolf bear lion fox
bird < animal: hen duck crow owl
fish < animal: trout salmon
food < thing: bread cheese soup meat honey egg cake
fruit < food: apple pear cherry
vegetable < food: carrot potato cabbage
drink < thing: water milk tea
tool < thing: knife axe shovel needle key
vehicle < thing: train bicycle boat truck
furniture < thing: table chair lamp mirror
garment < thing: coat hat shoe
treasure < thing: ring coin crown
document < thing: book letter map ticket newspaper picture
toy < thing: ball doll
instrument < thing: piano violin drum
plant < thing: tree flower rose grass
container < thing: cup plate box bag
building < thing: house school hospital library museum hotel shop bakery court theatre station palace bank
 company
room < thing: kitchen bedroom cellar
land < thing: garden forest field desert park market street road bridge
waterway < thing: river lake sea
material < thing: wood paper stone wool gold paint flour
season < thing: morning evening night summer winter
"""

IRREGULAR_PLURALS = {
    "person": "people", "child": "children", "man": "men", "woman": "women", "mouse": "mice", "wolf": "wolves",
    "knife": "knives", "sheep": "sheep", "fish": "fish", "trout": "trout", "salmon": "salmon", "thief": "thieves",
    "potato": "potatoes",
}  # fmt: skip

# Mass nouns take neither "a" nor a number.
_MASS = """
food drink bread cheese soup meat honey water milk tea furniture treasure wood stone wool gold paint flour grass paper
"""

# verb, irregular past: classes of agents | of patients | of recipients. A verb with agents only is intransitive.
_VERBS = """
sleep slept: person animal
work: worker
dance: person
sing sang: person bird
run ran: person animal
walk: person animal
laugh: person
cry: person
wait: person pet
rest: person animal
travel travelled: person
arrive: person vehicle
fall fell: person container plant
buy bought: person | food drink tool vehicle furniture garment treasure document toy instrument container pet
sell sold: person | food drink tool vehicle furniture garment treasure document toy instrument container horse cow
find found: person | tool garment treasure document toy container pet
lose lost: person | tool garment treasure document toy
carry: person | food tool furniture garment document instrument container material child
steal stole: thief child beast | treasure food vehicle instrument document
see saw: person animal | person animal vehicle building
paint: painter child adult | furniture building picture vehicle
clean: person | room furniture vehicle building container garment
wash: person | garment container vehicle pet fruit vegetable
break broke: person pet | container lamp mirror chair toy
repair: worker adult | vehicle furniture toy bridge road
hide hid: person fox crow | treasure food document toy
burn burnt: person | document paper wood furniture
throw threw: person | toy stone container fruit
draw drew: person | person animal building plant map
eat ate: person animal | food
cook: person | soup meat egg vegetable fish
bake: baker person | bread cake
drink drank: person animal | drink
feed fed: person | animal child
chase: pet beast person | mouse rabbit bird sheep thief
catch caught: person beast owl cat | fish mouse rabbit thief ball
bite bit: pet beast | person animal
follow: person animal | person animal
help: person | person animal
visit: person | person building village
meet met: person | person
greet: person | person
thank: person | person
love: person | person pet instrument
teach taught: teacher adult | child
call: person | doctor neighbour soldier pet
push: person | person furniture vehicle
drive drove: driver adult | vehicle
ride rode: person | horse bicycle
wear wore: person | garment ring crown
read read: person | book letter map newspaper
write wrote: person | book letter
play: person | instrument
build built: worker adult | building bridge boat furniture
open: person | box bag shop letter
plant: farmer person | tree flower vegetable
pick: person | fruit flower
cut cut: person | wood meat bread vegetable
give gave: person | food drink tool garment treasure document toy flower | person
send sent: person | document treasure food garment | person
show showed: person | document treasure animal instrument | person
bring brought: person | food drink tool garment document toy container | person
live: person animal
make made: person animal | food garment furniture picture honey
use: person | tool material vehicle
"""

# The adjectives that can modify the members of a class. A class without a line takes the adjectives of its
# superclass. The adjectives of "state" are predicates only ("was happy").
_ADJECTIVES = """
person: old young tall poor rich kind brave
animal: old young black white brown big small wild
food: fresh cheap dear cold warm
drink: fresh cheap dear cold warm
building: old new big small white empty
room: dark big small cold warm empty
land: wide quiet green big small
waterway: wide deep cold quiet
thing: old new big small red blue green yellow black white heavy light cheap dear clean dirty
state: happy sad tired hungry thirsty angry afraid ill wet cold busy late
"""

# synonym: main word. A synonym has the class, the frame and the adjectives of its main word.
SYNONYMS = {
    "kid": "child", "ship": "boat", "bike": "bicycle", "physician": "doctor", "robber": "thief", "jacket": "coat",
    "dish": "plate", "lane": "street", "store": "shop", "sack": "bag",
    "purchase": "buy", "mend": "repair", "large": "big", "little": "small", "expensive": "dear", "glad": "happy",
    "sick": "ill", "wealthy": "rich",
}  # fmt: skip

SYNONYM_OF = {main: synonym for synonym, main in SYNONYMS.items()}
ALTERNATIVES = SYNONYMS | SYNONYM_OF  # each word of a synonymous pair -> the other word

# adposition: the places that it can stand with.
_PLACES = """
in: house school hospital library museum hotel shop bakery court theatre palace kitchen bedroom cellar garden forest
 field park street
at: station market river lake
on: road bridge field
near: house river lake sea forest bridge palace
"""

# Some families share their names with towns, and organisations are named after both. So the form of a name does not
# reveal the type of the entity.
_LISTS = """
numbers: two three four five six seven
adverbs: yesterday today later soon often once
days: Monday Tuesday Wednesday Thursday Friday Saturday Sunday
women: Anna Berta Clara Dora Ella Flora Greta Hanna Irma Julia Kira Lena
men: Adam Boris David Emil Felix Gustav Hugo Ivan Jonas Karl Leo Otto
families: Marlow Torvale Keld Brandt Orsini Havel Lindal Pereko Sandor Varga Moreau Duval
towns: Marlow Torvale Keld Havel Lindal Sandor Belmora Castrin Delvik Fjorda Gorrin Istria
companies: bank school hospital museum hotel company theatre
"""


def _parse_table(text: str) -> dict[str, tuple[str, ...]]:
    """Parse lines of "name: words" into name -> words."""
    return {name: tuple(words.split()) for name, words in (line.split(":") for line in logical_lines(text))}


def logical_lines(text: str) -> list[str]:
    """Split a table into lines; a line that starts with a space continues the one before."""
    return text.strip().replace("\n ", " ").splitlines()


MASS = frozenset(_MASS.split())
ADJECTIVES, PLACES, WORD_LISTS = _parse_table(_ADJECTIVES), _parse_table(_PLACES), _parse_table(_LISTS)
STATES = ADJECTIVES["state"]


class Taxonomy:
    """A tree of nouns: `parent` maps each noun to its superclass ("" for the root)."""

    def __init__(self, text: str) -> None:
        self.parent: dict[str, str] = {}
        for line in logical_lines(text):
            head, _, members = line.partition(":")
            name, _, parent = head.partition(" < ")
            self.parent |= {name: parent} | dict.fromkeys(members.split(), name)
        self.parent |= {word: self.parent[main] for word, main in SYNONYMS.items() if main in self.parent}

    @cache  # noqa: B019 (there is one taxonomy in a process)
    def is_a(self, noun: str, kind: str) -> bool:
        """Whether every `noun` is a `kind`. A noun is its own kind; synonyms are equal."""
        noun, kind = sense(noun), sense(kind)
        return noun == kind or (noun in self.parent and self.is_a(self.parent[noun], kind))

    @cache  # noqa: B019
    def leaves(self, kind: str) -> tuple[str, ...]:
        """List the most specific nouns of a kind, without synonyms: for "fruit", apple, pear and cherry."""
        inner = set(self.parent.values())
        return tuple(n for n in self.parent if n not in inner and n not in SYNONYMS and self.is_a(n, kind))


def sense(word: str) -> str:
    """Return the main word among the synonyms of a word."""
    return SYNONYMS.get(word, word)


NOUNS = Taxonomy(_NOUNS)


class Frame(NamedTuple):
    """A verb's irregular past ("" if regular), and the nouns that can be its agents, patients and recipients."""

    past: str
    agents: tuple[str, ...]
    patients: tuple[str, ...]
    recipients: tuple[str, ...]


def _parse_frames(text: str) -> dict[str, Frame]:
    frames = {}
    for line in text.strip().splitlines():
        head, _, roles = line.partition(":")
        verb, *past = head.split()
        nouns = [dict.fromkeys(n for kind in role.split() for n in NOUNS.leaves(kind)) for role in roles.split("|")]
        frames[verb] = Frame(past[0] if past else "", *map(tuple, nouns), *[()] * (3 - len(nouns)))
    return frames | {word: frames[main]._replace(past="") for word, main in SYNONYMS.items() if main in frames}


VERBS = _parse_frames(_VERBS)


@cache
def adjectives_of(noun: str) -> tuple[str, ...]:
    """List the adjectives that can modify a noun: the adjectives of the nearest class that ADJECTIVES lists."""
    kind = sense(noun)
    while kind not in ADJECTIVES:
        kind = NOUNS.parent[kind]
    return ADJECTIVES[kind]
