"""Retrieval sets made from other sets or from training pairs."""

import re
from dataclasses import replace

from stilts_core.tasks.examples import Passage, RetrievalExample, RetrievalSet, SpanExample
from stilts_core.tasks.selection import select

CANDIDATES = 10  # candidates per query of a reduced retrieval set
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-Z0-9])")


def multilingual_pool(sets: dict[str, RetrievalSet]) -> list[RetrievalSet]:
    """LAReQA's own task: each language's questions against the sentences of all languages, one right in each."""
    candidates = tuple(Passage(f"{code}:{c.id}", c.text) for code, part in sets.items() for c in part.candidates)
    gold: dict[str, frozenset[str]] = {}
    for code, part in sets.items():
        for query, right in part.gold.items():
            gold[query] = gold.get(query, frozenset()) | {f"{code}:{c}" for c in right}
    return [RetrievalSet(code, part.queries, candidates, gold) for code, part in sets.items()]


def sentence_of_answer(example: SpanExample) -> RetrievalExample:
    """A SQuAD question as a training pair of LAReQA: the question, and the answer's sentence with its context."""
    if not example.answers:
        raise ValueError(f"question {example.id} has no answer, so no sentence has it; pass labelled questions")
    start, context = example.answers[0][0], example.context
    ends = [match.end() for match in _SENTENCE_END.finditer(context)]
    low = max((end for end in ends if end <= start), default=0)
    high = min((end for end in ends if end > start), default=len(context))
    candidate = f"{context[low:high].strip()} {context}"
    return RetrievalExample(example.id, example.language, example.question, candidate, context)


def paired_set(examples: list[RetrievalExample]) -> RetrievalSet:
    """A retrieval set made from training pairs: every query against all candidates."""
    texts = {text: str(number) for number, text in enumerate(dict.fromkeys(e.candidate for e in examples))}
    return RetrievalSet(
        language=examples[0].language,
        queries=tuple(Passage(example.id, example.query) for example in examples),
        candidates=tuple(Passage(number, text) for text, number in texts.items()),
        gold={example.id: frozenset({texts[example.candidate]}) for example in examples},
    )


def smaller_set(test: RetrievalSet, limit: int) -> RetrievalSet:
    """A retrieval set with at most `limit` queries (0 = all) and CANDIDATES times as many candidates.

    Half of the queries, and at least one, have a right candidate, if there are enough such queries (in BUCC few
    sentences have one). No right candidate is removed.
    """
    if not limit or len(test.queries) <= limit:
        return test
    answered = select([query for query in test.queries if query.id in test.gold], limit, 0)
    others = select([query for query in test.queries if query.id not in test.gold], limit, 0)
    answered = answered[: max(limit - len(others), limit // 2, 1)]
    query_ids = {query.id for query in answered + others[: limit - len(answered)]}
    gold = {query: right for query, right in test.gold.items() if query in query_ids}
    right: frozenset[str] = frozenset().union(*gold.values())
    wrong = [candidate for candidate in test.candidates if candidate.id not in right]
    room = CANDIDATES * limit - len(right)
    candidates = right | {candidate.id for candidate in (select(wrong, room, 0) if room > 0 else [])}
    return replace(
        test,
        queries=tuple(query for query in test.queries if query.id in query_ids),
        candidates=tuple(candidate for candidate in test.candidates if candidate.id in candidates),
        gold=gold,
    )
