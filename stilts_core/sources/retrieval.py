"""The retrieval sets Tatoeba, BUCC 2018, LAReQA (XQuAD-R) and Mewsli-X, from the texts of their files."""

from collections.abc import Iterable, Sequence

from stilts_core.errors import DataError
from stilts_core.sources.rows import EmptyText, Row, lines, parse_json, percentile
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
    queries = tuple(sorted((Passage(str(i), text) for i, text in enumerate(english)), key=lambda query: query.text))
    candidates = tuple(Passage(str(i), text) for i, text in enumerate(foreign))
    return RetrievalSet(language, queries, candidates, {query.id: frozenset({query.id}) for query in queries})


def bucc(language: str, texts: Sequence[str], names: Sequence[str], low: int = 0, high: int = 100) -> RetrievalSet:
    """BUCC 2018: two monolingual sides (id TAB sentence) and the gold pairs hidden in them.

    With bounds, the share of both sides whose hash lies in [low, high). A gold pair is hashed by its foreign id, so
    that it stays together; every other sentence is hashed by its own id. Disjoint shares have no sentence in common.
    """
    sides = [_numbered(text, name) for text, name in zip(texts[:2], names[:2], strict=True)]
    gold = dict(_cells(line, names[2], i) for i, line in enumerate(lines(texts[2]), start=1))
    for query, candidate in gold.items():
        if query not in sides[0] or candidate not in sides[1]:
            raise DataError(f"{names[2]}: the pair {query}, {candidate} is not in {names[0]} and {names[1]}")
    pair_of = {candidate: query for query, candidate in gold.items()}
    queries, candidates = (
        tuple(Passage(i, s) for i, s in side.items() if low <= percentile(pair_of.get(i, i)) < high) for side in sides
    )
    inside = {query.id for query in queries}
    return RetrievalSet(language, queries, candidates, {q: frozenset({c}) for q, c in gold.items() if q in inside})


def _cells(line: str, name: str, number: int) -> list[str]:
    cells = line.split("\t")
    if len(cells) != 2 or not all(cell.strip() for cell in cells):
        raise DataError(f"{name}, line {number}: {line!r} is not two columns separated by a tab")
    return cells


def _numbered(text: str, name: str) -> dict[str, str]:
    pairs = [_cells(line, name, i) for i, line in enumerate(lines(text), start=1)]
    if len(numbered := dict(pairs)) < len(pairs):
        raise DataError(f"{name}: {len(pairs) - len(numbered)} ids are duplicated; download the file again")
    return numbered


def lareqa(language: str, text: str, name: str) -> RetrievalSet:
    """XQuAD-R: the queries are the questions of a language, the candidates all its sentences with their paragraphs.

    The right candidate is the sentence in which the answer starts (LAReQA, arXiv 2004.05484, section 2).
    """
    queries, candidates, gold = [], [], {}
    try:
        paragraphs = [p for article in parse_json(text, name)["data"] for p in article["paragraphs"]]
        for number, paragraph in enumerate(paragraphs):
            context, breaks = paragraph["context"], paragraph["sentence_breaks"]
            for i, (start, end) in enumerate(breaks):
                candidates.append(Passage(f"{number}.{i}", f"{context[start:end]} {context}"))
            for item in paragraph["qas"]:
                queries.append(Passage(item["id"], item["question"]))
                start = item["answers"][0]["answer_start"]
                inside = [i for i, (low, high) in enumerate(breaks) if low <= start < high]
                if not inside:
                    raise DataError(f"{name}, question {item['id']}: its answer at {start} is in no sentence")
                gold[item["id"]] = frozenset({f"{number}.{inside[0]}"})
    except (KeyError, TypeError, IndexError) as error:
        raise DataError(f"{name}: not in XQuAD-R's format ({error!r}); download the publisher's file again") from None
    return RetrievalSet(language, tuple(queries), tuple(candidates), gold)


def hub_tatoeba(language: str, rows: Sequence[Row], name: str, *share: int) -> RetrievalSet:
    """Tatoeba in the hub's format: one pair a row."""
    sides = ["\n".join(" ".join(row[side].split()) for row in rows) for side in ("sentence1", "sentence2")]
    return tatoeba(language, sides, [name, name])


def hub_bucc(language: str, rows: Sequence[Row], name: str, low: int, high: int) -> RetrievalSet:
    """BUCC in the hub's format: one row with both sides and the gold pairs, numbered from 1."""
    (row,) = rows
    sides = [
        "\n".join(f"{code}-{number}\t{' '.join(text.split())}" for number, text in enumerate(row[column], start=1))
        for code, column in ((language, "sentence1"), ("en", "sentence2"))
    ]
    gold = "\n".join(f"{language}-{i}\ten-{j}" for i, j in row["gold"])
    return bucc(language, [*sides, gold], [name] * 3, low, high)


def _description(entity: dict) -> str:
    return " ".join(entity["description"].split())


def _mention(context: dict, mention: dict, where: str) -> str:
    """A mention in the publisher's baseline format: the mention, then its sentence with the mention in braces."""
    text, span = context["text"], mention["mention_span"]
    start, end = span["start"], span["end"]
    if not text:
        raise EmptyText(f"{where}: the article's text is missing; fill it in with the publisher's get-mewsli-x.sh")
    if text[start:end] != span["text"]:
        raise DataError(f"{where}: mention {mention['example_id']}, {span['text']!r}, is not at its offset {start}")
    low, high = next(
        ((s["start"], s["end"]) for s in context["sentence_spans"] if s["start"] <= start < s["end"]), (0, len(text))
    )
    sentence = f"{text[low:start]} {{ {span['text']} }} {text[end : max(high, end)]}"
    return " ".join(f"{span['text']}: {sentence}".split())


def mewslix_pair(row: Row, task: Task, language: str) -> RetrievalExample:
    """A training pair: an English mention and the description of its entity (`wikipedia_pairs-*.jsonl`)."""
    context, mention = row["contextual_mention"]["context"], row["contextual_mention"]["mention"]
    entity, query = row["entity"], _mention(context, mention, row.where)
    return RetrievalExample(mention["example_id"], language, query, _description(entity), entity["entity_id"])


def mewslix_entities(rows: Iterable[Row]) -> tuple[Passage, ...]:
    """The candidates of all languages (`candidate_set_entities.jsonl`), about a million in the publisher's file."""
    return tuple(Passage(row["entity_id"], _description(row)) for row in rows)


def mewslix_sets(rows: Iterable[Row], entities: tuple[Passage, ...]) -> dict[str, RetrievalSet]:
    """The mentions of WikiNews (`wikinews_mentions-*.jsonl`) by language, all with the same candidates."""
    known = {entity.id for entity in entities}
    queries: dict[str, list[Passage]] = {}
    gold: dict[str, dict[str, frozenset[str]]] = {}
    for row in rows:
        language = row["context"]["language"]
        for mention in row["mentions"]:
            if mention["entity_id"] not in known:
                raise DataError(f"{row.where}: entity {mention['entity_id']} is not in candidate_set_entities.jsonl")
            queries.setdefault(language, []).append(
                Passage(mention["example_id"], _mention(row["context"], mention, row.where))
            )
            gold.setdefault(language, {})[mention["example_id"]] = frozenset({mention["entity_id"]})
    return {code: RetrievalSet(code, tuple(q), entities, gold[code]) for code, q in sorted(queries.items())}
