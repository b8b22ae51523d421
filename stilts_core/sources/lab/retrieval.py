"""Retrieval: translations of a sentence among others, and the sentence that answers a question."""

from stilts_core.families.examples import Passage, RetrievalSet
from stilts_core.sources.lab import worlds
from stilts_core.sources.lab.dice import Dice
from stilts_core.sources.lab.meanings import Clause, outline
from stilts_core.sources.lab.questions import Asked
from stilts_core.sources.lab.realise import Realiser

GOLD = 25  # percent of BUCC's sentences that have a translation on the other side


def sentences(seed: int, kind: str, split: str, count: int) -> list[Clause]:
    """So many events, none of which any language says like another of them."""
    found: dict[tuple, Clause] = {}
    number = 0
    while len(found) < count:
        event = worlds.owned(worlds.event, Dice(seed, kind, split, number), split)
        found.setdefault(outline(event), event)
        number += 1
    return list(found.values())


def tatoeba(seed: int, count: int, english: Realiser, said: Realiser) -> RetrievalSet:
    """English sentences, sorted so that their order tells nothing, and their translations in the language."""
    told = sentences(seed, "tatoeba", "test", count)
    queries = sorted((Passage(str(i), english.text(event)) for i, event in enumerate(told)), key=lambda q: q.text)
    candidates = tuple(Passage(str(i), said.text(event)) for i, event in enumerate(told))
    return RetrievalSet(said.language.code, tuple(queries), candidates, {q.id: frozenset({q.id}) for q in queries})


def bucc(seed: int, split: str, count: int, english: Realiser, said: Realiser) -> RetrievalSet:
    """Sentences of the language and English ones; a quarter of each are translations, the others of nothing."""
    code = said.language.code
    told = sentences(seed, f"bucc {code}", split, 2 * count - count * GOLD // 100)
    here, there = told[:count], told[len(told) - count :]
    order = Dice(seed, "order of bucc", code, split).sample(range(count), count)
    queries = tuple(Passage(f"{code}-{i}", said.text(event)) for i, event in enumerate(here))
    candidates = tuple(Passage(f"en-{i}", english.text(there[k])) for i, k in enumerate(order))
    number = {there[k]: f"en-{i}" for i, k in enumerate(order)}
    gold = {f"{code}-{i}": frozenset({number[event]}) for i, event in enumerate(here) if event in number}
    return RetrievalSet(code, queries, candidates, gold)


def lareqa(items: list[Asked], said: Realiser) -> RetrievalSet:
    """XQuAD's questions, and all sentences of its texts, each with its text, as candidates."""
    candidates, gold = [], {}
    for number, item in enumerate(items):
        text = said.text(*item.told)
        candidates += [Passage(f"{number}.{i}", f"{said.text(told)} {text}") for i, told in enumerate(item.told)]
        gold[str(number)] = frozenset({f"{number}.{item.index}"})
    queries = tuple(Passage(str(number), said.text(item.question)) for number, item in enumerate(items))
    return RetrievalSet(said.language.code, queries, tuple(candidates), gold)
