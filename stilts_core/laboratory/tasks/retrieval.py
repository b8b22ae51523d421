"""Retrieval sets: find the translation of a sentence, or the sentence that answers a question."""

from stilts_core.laboratory.dice import Dice
from stilts_core.laboratory.language.realiser import Realiser
from stilts_core.laboratory.tasks.questions import SpanItem
from stilts_core.laboratory.world.events import draw_event
from stilts_core.laboratory.world.meanings import Clause, outline
from stilts_core.laboratory.world.splits import draw_for_split
from stilts_core.tasks.examples import Passage, RetrievalSet

TRANSLATED = 25  # percent of the sentences of BUCC that have a translation on the other side


def draw_sentences(seed: int, kind: str, split: str, count: int) -> list[Clause]:
    """Draw `count` events that differ in every language."""
    events: dict[tuple, Clause] = {}
    number = 0
    while len(events) < count:
        event = draw_for_split(draw_event, Dice(seed, kind, split, number), split)
        events.setdefault(outline(event), event)
        number += 1
    return list(events.values())


def build_tatoeba(seed: int, count: int, english: Realiser, foreign: Realiser) -> RetrievalSet:
    """Build a set of English sentences and their translations. The sorted order of the queries reveals nothing."""
    events = draw_sentences(seed, "tatoeba", "test", count)
    queries = sorted((Passage(str(i), english.text(event)) for i, event in enumerate(events)), key=lambda q: q.text)
    candidates = tuple(Passage(str(i), foreign.text(event)) for i, event in enumerate(events))
    gold = {query.id: frozenset({query.id}) for query in queries}
    return RetrievalSet(foreign.language.code, tuple(queries), candidates, gold)


def build_bucc(seed: int, split: str, count: int, english: Realiser, foreign: Realiser) -> RetrievalSet:
    """Build a set of `count` foreign queries and `count` English candidates; TRANSLATED percent are translations."""
    code = foreign.language.code
    events = draw_sentences(seed, f"bucc {code}", split, 2 * count - count * TRANSLATED // 100)
    queried, candidate_events = events[:count], events[len(events) - count :]
    order = Dice(seed, "order of bucc", code, split).sample(range(count), count)
    queries = tuple(Passage(f"{code}-{i}", foreign.text(event)) for i, event in enumerate(queried))
    candidates = tuple(Passage(f"en-{i}", english.text(candidate_events[k])) for i, k in enumerate(order))
    candidate_ids = {candidate_events[k]: f"en-{i}" for i, k in enumerate(order)}
    gold = {
        f"{code}-{i}": frozenset({candidate_ids[event]}) for i, event in enumerate(queried) if event in candidate_ids
    }
    return RetrievalSet(code, queries, candidates, gold)


def build_lareqa(items: list[SpanItem], realiser: Realiser) -> RetrievalSet:
    """Build a set of the questions of XQuAD; the candidates are all sentences of its texts, each with its text."""
    queries, candidates, gold = [], [], {}
    for number, item in enumerate(items):
        queries.append(Passage(str(number), realiser.text(item.question)))
        text = realiser.text(*item.context)
        candidates += [Passage(f"{number}.{i}", f"{realiser.text(s)} {text}") for i, s in enumerate(item.context)]
        gold[str(number)] = frozenset({f"{number}.{item.answer_index}"})
    return RetrievalSet(realiser.language.code, tuple(queries), tuple(candidates), gold)
