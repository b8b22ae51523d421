"""The concepts of the laboratory, named by English words: what there is, what it can do, what may be said of it."""

from functools import cache
from typing import NamedTuple

# class < class above: its members. Every class is a word, too.
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

# What is measured, not counted: it takes neither "a" nor a number.
_MASS = """
food drink bread cheese soup meat honey water milk tea furniture treasure wood stone wool gold paint flour grass paper
"""

# verb (past): who does it | to what | and to whom. Without a second part it has no object.
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

# What can be said of the members of a class beside them; a class without a line is described as the class above it.
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

# Other words for the same: they share the class of the first and all that can be said of it.
SYNONYMS = {
    "kid": "child", "ship": "boat", "bike": "bicycle", "physician": "doctor", "robber": "thief", "jacket": "coat",
    "dish": "plate", "lane": "street", "store": "shop", "sack": "bag",
    "purchase": "buy", "mend": "repair", "large": "big", "little": "small", "expensive": "dear", "glad": "happy",
    "sick": "ill", "wealthy": "rich",
}  # fmt: skip

OTHER_WORDS = {main: word for word, main in SYNONYMS.items()}
ALTERNATIVES = SYNONYMS | OTHER_WORDS  # either of two words for the same, by the other

# Where things happen, by the adposition that the place takes.
_PLACES = """
in: house school hospital library museum hotel shop bakery court theatre palace kitchen bedroom cellar garden forest
 field park street
at: station market river lake
on: road bridge field
near: house river lake sea forest bridge palace
"""

# Some families are named like towns, and both name banks and schools, so that a name alone does not tell its kind.
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


def _table(text: str) -> dict[str, tuple[str, ...]]:
    """Lines of "name: words" as name -> words; a line that starts with a space continues the one before."""
    lines = text.strip().replace("\n ", " ").splitlines()
    return {name: tuple(words.split()) for name, words in (line.split(":") for line in lines)}


MASS = frozenset(_MASS.split())
ADJECTIVES, PLACES, LISTS = _table(_ADJECTIVES), _table(_PLACES), _table(_LISTS)
STATES = ADJECTIVES["state"]


class Nouns:
    """What there is: the class above each noun, and the nouns below each class."""

    def __init__(self, text: str):
        self.above: dict[str, str] = {}
        for line in text.strip().replace("\n ", " ").splitlines():
            head, _, members = line.partition(":")
            name, _, parent = head.partition(" < ")
            self.above |= {name: parent} | dict.fromkeys(members.split(), name)
        self.above |= {word: self.above[main] for word, main in SYNONYMS.items() if main in self.above}

    @cache  # noqa: B019 (one object for the whole process)
    def is_a(self, noun: str, kind: str) -> bool:
        """Whether every `noun` is a `kind`; a noun is of its own kind, and a synonym of its main word's."""
        noun, kind = sense(noun), sense(kind)
        return noun == kind or (noun in self.above and self.is_a(self.above[noun], kind))

    @cache  # noqa: B019
    def below(self, kind: str) -> tuple[str, ...]:
        """The most special nouns of a kind, without synonyms: of 'fruit', apple, pear and so on."""
        inner = set(self.above.values())
        return tuple(n for n in self.above if n not in inner and n not in SYNONYMS and self.is_a(n, kind))


def sense(word: str) -> str:
    """What a word means: the main word of its synonyms."""
    return SYNONYMS.get(word, word)


NOUNS = Nouns(_NOUNS)


class Frame(NamedTuple):
    """What a verb's past is, and which nouns can do it, undergo it and receive it."""

    past: str
    agents: tuple[str, ...]
    patients: tuple[str, ...]
    recipients: tuple[str, ...]


def _frames(text: str) -> dict[str, Frame]:
    frames = {}
    for line in text.strip().splitlines():
        head, _, roles = line.partition(":")
        verb, *past = head.split()
        nouns = [dict.fromkeys(n for kind in role.split() for n in NOUNS.below(kind)) for role in roles.split("|")]
        frames[verb] = Frame(past[0] if past else "", *map(tuple, nouns), *[()] * (3 - len(nouns)))
    return frames | {word: frames[main]._replace(past="") for word, main in SYNONYMS.items() if main in frames}


VERBS = _frames(_VERBS)


@cache
def adjectives(noun: str) -> tuple[str, ...]:
    """What can be said of a noun beside it: the adjectives of the nearest class that has its own."""
    kind = sense(noun)
    while kind not in ADJECTIVES:
        kind = NOUNS.above[kind]
    return ADJECTIVES[kind]
