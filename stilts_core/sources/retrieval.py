"""The retrieval sets Tatoeba, BUCC 2018, LAReQA (XQuAD-R) and Mewsli-X, from the texts of their files."""

from collections.abc import Iterable, Sequence
from typing import Any

from stilts_core.errors import DataError, shown
from stilts_core.sources.rows import EmptyText, Row, lines, parse_json, percentile
from stilts_core.sources.xtreme import check_answer
from stilts_core.tasks.catalogue import Task
from stilts_core.tasks.examples import Passage, RetrievalExample, RetrievalSet


def tatoeba(language: str, texts: Sequence[str], names: Sequence[str]) -> RetrievalSet:
    """Tatoeba in LASER's layout: line i of the language is the translation of English line i.

    As in XTREME, the English sentences are the queries, sorted so that their order reveals nothing, and the language's
    sentences are the candidates. Ids are line numbers from 0.
    """
    foreign, english = (lines(text) for text in texts)
    if len(foreign) != len(english):
        raise DataError(
            f"{names[0]} has {len(foreign)} lines and {names[1]} has {len(english)}; they must be parallel: "
            "download both again"
        )
    for name, side in zip(names, (foreign, english), strict=True):
        if empty := [i for i, sentence in enumerate(side, start=1) if not sentence.strip()]:
            raise EmptyText(f"{name}, line {empty[0]}: the sentence is empty; download the file again")
        if columns := [i for i, sentence in enumerate(side, start=1) if "\t" in sentence]:
            raise DataError(
                f"{name}, line {columns[0]}: {shown(side[columns[0] - 1])} has a tab; write one sentence a line, and "
                "each language to its own file"
            )
    queries = tuple(sorted((Passage(str(i), text) for i, text in enumerate(english)), key=lambda query: query.text))
    candidates = tuple(Passage(str(i), text) for i, text in enumerate(foreign))
    return RetrievalSet(language, queries, candidates, {query.id: frozenset({query.id}) for query in queries})


def bucc(language: str, texts: Sequence[str], names: Sequence[str], low: int = 0, high: int = 100) -> RetrievalSet:
    """BUCC 2018: two monolingual sides (id TAB sentence) and the gold pairs hidden in them.

    With bounds, the share of both sides whose hash lies in [low, high). Gold pairs that share a sentence are hashed by
    the foreign id of the first of them, so that they stay together; every other sentence is hashed by its own id.
    Disjoint shares have no sentence in common.
    """
    sides = [_numbered(text, name) for text, name in zip(texts[:2], names[:2], strict=True)]
    gold: dict[str, set[str]] = {}
    first: dict[str, str] = {}  # the first query of a candidate
    earlier: dict[str, str] = {}  # a query of the same group

    def group(query: str) -> str:
        while query in earlier:
            query = earlier[query]
        return query

    for i, line in enumerate(lines(texts[2]), start=1):
        query, candidate = _cells(line, names[2], i)
        if query not in sides[0] or candidate not in sides[1]:
            raise DataError(
                f"{names[2]}, line {i}: the pair {query}, {candidate} is not in {names[0]} and {names[1]}; are the "
                "columns swapped? download the files again"
            )
        gold.setdefault(query, set()).add(candidate)
        if (ours := group(query)) != (other := group(first.setdefault(candidate, query))):
            earlier[ours] = other
    queries, candidates = (
        tuple(Passage(i, s) for i, s in side.items() if low <= percentile(group(first.get(i, i))) < high)
        for side in sides
    )
    inside = [{passage.id for passage in side} for side in (queries, candidates)]
    right_inside = {query: frozenset(right & inside[1]) for query, right in gold.items() if query in inside[0]}
    return RetrievalSet(language, queries, candidates, {query: right for query, right in right_inside.items() if right})


def _cells(line: str, name: str, number: int) -> list[str]:
    cells = line.split("\t")
    if len(cells) != 2 or not all(cell.strip() for cell in cells):
        raise DataError(f"{name}, line {number}: {shown(line)} is not two columns separated by a tab")
    return cells


def _numbered(text: str, name: str) -> dict[str, str]:
    """The second column by the first, which holds ids: none twice, and none with blanks at its ends."""
    numbered: dict[str, str] = {}
    for number, line in enumerate(lines(text), start=1):
        id, cell = _cells(line, name, number)
        if id != id.strip():
            raise DataError(f"{name}, line {number}: the id {shown(id)} begins or ends with a blank; remove it")
        if id in numbered:
            raise DataError(f"{name}, line {number}: the id {shown(id)} is duplicated; download the file again")
        numbered[id] = cell
    return numbered


def lareqa(language: str, text: str, name: str) -> RetrievalSet:
    """XQuAD-R: the queries are the questions of a language, the candidates all its sentences with their paragraphs.

    The right candidate is the sentence in which the answer starts (LAReQA, arXiv 2004.05484, section 2). Without any
    answers (a blind test part) no query has a right candidate.
    """
    queries: list[Passage] = []
    candidates: list[Passage] = []
    gold: dict[str, frozenset[str]] = {}
    unanswered: list[str] = []
    root = Row({"file": parse_json(text, name)}, name, 1, place="at its top")
    paragraphs = [p for article in root.nested("file").nested_array("data") for p in article.nested_array("paragraphs")]
    asked: set[str] = set()
    for number, paragraph in enumerate(paragraphs):
        paragraph.place = f"paragraph {number + 1}"
        context = paragraph.text("context")
        breaks = _breaks(paragraph, len(context))
        candidates += [Passage(f"{number}.{i}", f"{context[a:b]} {context}") for i, (a, b) in enumerate(breaks)]
        for item in paragraph.nested_array("qas"):
            id = item.id("id", required=True)
            item.place = f"question {id}"
            if id in asked:
                raise DataError(f"{item.where}: the id is duplicated in {paragraph.place}; download the file again")
            asked.add(id)
            queries.append(Passage(id, item.text("question")))
            answers = [] if item.get("answers") is None else item.nested_array("answers")
            if not answers:
                unanswered.append(id)
                continue
            for answer in answers:
                check_answer(item.where, context, answer["answer_start"], answer["text"])
            start = answers[0]["answer_start"]
            inside = [i for i, (low, high) in enumerate(breaks) if low <= start < high]
            if not inside:
                raise DataError(f"{item.where}: its answer at {start} is in no sentence; restore the sentence breaks")
            gold[id] = frozenset({f"{number}.{inside[0]}"})
    if gold and unanswered:
        raise DataError(f"{name}, question {unanswered[0]}: no answer, but other questions have one; restore it")
    return RetrievalSet(language, tuple(queries), tuple(candidates), gold)


def _breaks(paragraph: Row, length: int) -> list[tuple[int, int]]:
    """Where the sentences of an XQuAD-R paragraph begin and end, ascending and inside its `length` characters."""
    breaks: list[tuple[int, int]] = []
    for pair in paragraph.array("sentence_breaks"):
        if not (isinstance(pair, list) and len(pair) == 2 and all(type(bound) is int for bound in pair)):
            raise DataError(f"{paragraph.where}: the sentence break {shown(pair)} is not a pair of whole numbers")
        if not (breaks[-1][1] if breaks else 0) <= pair[0] < pair[1] <= length:
            raise DataError(
                f"{paragraph.where}: the sentence break {shown(pair)} is not after the one before it, or outside "
                f"the {length} characters of the context; download the file again"
            )
        breaks.append((pair[0], pair[1]))
    return breaks


def hub_tatoeba(language: str, rows: Sequence[Row], name: str, *share: int) -> RetrievalSet:
    """Tatoeba in the hub's format: one pair a row."""
    sides = ["\n".join(" ".join(row.text(side).split()) for row in rows) for side in ("sentence1", "sentence2")]
    return tatoeba(language, sides, [name, name])


def hub_bucc(language: str, rows: Sequence[Row], name: str, low: int, high: int) -> RetrievalSet:
    """BUCC in one of the hub's formats: one row with both sides and the gold pairs, numbered from 1; or one pair a row.

    A row for each pair implies the gold pairs. Of pairs that repeat a sentence the first is read.
    """
    if all("gold" in row for row in rows) and len(rows) == 1:
        sides = [rows[0].texts("sentence1"), rows[0].texts("sentence2")]
        gold = [_pair_of_numbers(rows[0], pair) for pair in rows[0].array("gold")]
    else:
        pairs: list[tuple[str, str]] = []
        seen: tuple[set[str], set[str]] = set(), set()
        for row in rows:
            pair = row.text("sentence1"), row.text("sentence2")
            if pair[0] not in seen[0] and pair[1] not in seen[1]:
                pairs.append(pair)
            for side, sentence in zip(seen, pair, strict=True):
                side.add(sentence)
        sides = [[pair[side] for pair in pairs] for side in (0, 1)]
        gold = [(number, number) for number in range(1, len(pairs) + 1)]
    files = [
        "\n".join(f"{code}-{number}\t{' '.join(text.split())}" for number, text in enumerate(side, start=1))
        for code, side in zip((language, "en"), sides, strict=True)
    ]
    numbers = "\n".join(f"{language}-{i}\ten-{j}" for i, j in gold)
    return bucc(language, [*files, numbers], [name] * 3, low, high)


def _pair_of_numbers(row: Row, pair: Any) -> tuple[int, int]:
    if not (isinstance(pair, list | tuple) and len(pair) == 2 and all(type(number) is int for number in pair)):
        raise DataError(f"{row.where}: the gold pair {shown(pair)} is not a pair of sentence numbers")
    return pair[0], pair[1]


def _description(entity: Row) -> str:
    return " ".join(entity.text("description").split())


def _number(row: Row, column: str) -> int:
    if type(row[column]) is not int or row[column] < 0:
        raise DataError(f"{row.where}: '{column}' is {shown(row[column])}; expected a whole number of characters")
    return row[column]


def _mention(context: Row, mention: Row) -> str:
    """A mention in the publisher's baseline format: the mention, then its sentence with the mention in braces."""
    text, span = context["text"], mention.nested("mention_span")
    if not text:
        raise EmptyText(
            f"{context.where}: the article's text is missing; fill it in with the publisher's get-mewsli-x.sh"
        )
    text, name, start, end = context.text("text"), span.text("text"), _number(span, "start"), _number(span, "end")
    if text[start:end] != name:
        raise DataError(
            f"{context.where}: mention {mention.id('example_id')}, {shown(name)}, is not at its offset {start}"
        )
    bounds = [(_number(s, "start"), _number(s, "end")) for s in context.nested_array("sentence_spans")]
    low, high = next(((low, high) for low, high in bounds if low <= start < high), (0, len(text)))
    sentence = f"{text[low:start]} {{ {name} }} {text[end : max(high, end)]}"
    return " ".join(f"{name}: {sentence}".split())


def mewslix_pair(row: Row, task: Task, language: str) -> RetrievalExample:
    """A training pair: an English mention and the description of its entity (`wikipedia_pairs-*.jsonl`)."""
    contextual, entity = row.nested("contextual_mention"), row.nested("entity")
    context, mention = contextual.nested("context"), contextual.nested("mention")
    query = _mention(context, mention)
    ids = mention.id("example_id", required=True), entity.id("entity_id", required=True)
    return RetrievalExample(ids[0], language, query, _description(entity), ids[1])


def mewslix_entities(rows: Iterable[Row]) -> tuple[Passage, ...]:
    """The candidates of all languages (`candidate_set_entities.jsonl`), about a million in the publisher's file."""
    entities: dict[str, Passage] = {}
    for row in rows:
        id = row.id("entity_id", required=True)
        if id in entities:
            raise DataError(f"{row.where}: the entity {id} is duplicated; download the file again")
        entities[id] = Passage(id, _description(row))
    return tuple(entities.values())


def mewslix_sets(rows: Iterable[Row], entities: tuple[Passage, ...]) -> dict[str, RetrievalSet]:
    """The mentions of WikiNews (`wikinews_mentions-*.jsonl`) by language, all with the same candidates.

    A language in which no mention has an entity (a blind test part) has no gold.
    """
    known = {entity.id for entity in entities}
    queries: dict[str, list[Passage]] = {}
    gold: dict[str, dict[str, frozenset[str]]] = {}
    unlinked: dict[str, str] = {}
    mentioned: set[str] = set()
    for row in rows:
        context = row.nested("context")
        language = context.text("language")
        for mention in row.nested_array("mentions"):
            id = mention.id("example_id", required=True)
            if id in mentioned:
                raise DataError(f"{row.where}: the mention {id} is duplicated; download the file again")
            mentioned.add(id)
            queries.setdefault(language, []).append(Passage(id, _mention(context, mention)))
            of_language = gold.setdefault(language, {})
            if mention.get("entity_id") is None:
                unlinked.setdefault(language, f"{row.where}: mention {id} has no entity")
                continue
            entity = mention.id("entity_id")
            if entity not in known:
                raise DataError(f"{row.where}: entity {entity} is not in candidate_set_entities.jsonl")
            of_language[id] = frozenset({entity})
    for language, where in unlinked.items():
        if gold[language]:
            raise DataError(f"{where}, but other mentions in '{language}' have one; restore it")
    return {code: RetrievalSet(code, tuple(q), entities, gold[code]) for code, q in sorted(queries.items())}
