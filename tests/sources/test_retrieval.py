import json
import re
from pathlib import Path

import pytest

from stilts_core.errors import DataError
from stilts_core.sources.publishers import available_languages, checksums, load
from stilts_core.tasks.examples import SpanExample
from stilts_core.tasks.retrieval_sets import sentence_of_answer

MEWSLIX = Path(__file__).parent.parent / "fixtures" / "mewslix"
MENTIONS = "xtreme/mewslix/wikinews_mentions-test.jsonl"
ENTITIES = "xtreme/mewslix/candidate_set_entities.jsonl"
BUCC = "xtreme/bucc2018/zh-en.dev"


def test_tatoeba_gold_is_the_translation_on_the_same_line(data):
    (found,) = load("tatoeba", "test", "fa", data=data).items
    folder = data / "xtreme/tatoeba"
    pairs = zip(*((folder / f"tatoeba.pes-eng.{c}").read_text().split("\n")[:-1] for c in ("pes", "eng")), strict=True)
    foreign = {candidate.id: candidate.text for candidate in found.candidates}
    assert sorted((foreign[next(iter(found.gold[q.id]))], q.text) for q in found.queries) == sorted(pairs)


def test_tatoeba_queries_are_in_alphabetical_order(data):
    (found,) = load("tatoeba", "test", "de", data=data).items
    texts = [query.text for query in found.queries]
    assert texts == sorted(texts)


def test_tatoeba_sides_of_different_length_are_an_error(put):
    put("xtreme/tatoeba/tatoeba.deu-eng.deu", "eins\nzwei\n")
    root = put("xtreme/tatoeba/tatoeba.deu-eng.eng", "one\n")
    with pytest.raises(DataError, match=r"deu-eng.deu has 2 lines and .*deu-eng.eng has 1; they must be parallel"):
        load("tatoeba", "test", "de", data=root)


def test_empty_tatoeba_sentence_is_an_error(put):
    put("xtreme/tatoeba/tatoeba.deu-eng.deu", "eins\n\n")
    root = put("xtreme/tatoeba/tatoeba.deu-eng.eng", "one\ntwo\n")
    with pytest.raises(DataError, match=r"deu-eng.deu, line 2: the sentence is empty"):
        load("tatoeba", "test", "de", data=root)


def test_tatoeba_sides_with_the_same_lines_are_noted(put):
    put("xtreme/tatoeba/tatoeba.deu-eng.deu", "one\r\ntwo\r\n")
    root = put("xtreme/tatoeba/tatoeba.deu-eng.eng", "one\ntwo\n")
    note = load("tatoeba", "test", "de", data=root).stand_in
    assert "deu-eng.deu and " in note and "deu-eng.eng have the same content, so one of them may not be in" in note


def test_tatoeba_pairs_in_one_file_are_an_error(put):
    put("xtreme/tatoeba/tatoeba.deu-eng.deu", "eins\nzwei\ttwo\n")
    root = put("xtreme/tatoeba/tatoeba.deu-eng.eng", "one\ntwo\n")
    with pytest.raises(DataError, match=r"deu-eng.deu, line 2: 'zwei\\ttwo' has a tab; write one sentence a line"):
        load("tatoeba", "test", "de", data=root)


def test_halves_of_bucc_lose_no_sentence_and_no_pair(data):
    (dev,), (test,) = (load("bucc2018", split, "zh", data=data).items for split in ("dev", "test"))
    for side, name in (("queries", "zh"), ("candidates", "en")):
        halves = [{p.id for p in getattr(part, side)} for part in (dev, test)]
        lines = (data / f"{BUCC}.{name}").read_text().split("\n")[:-1]
        assert not halves[0] & halves[1]
        assert halves[0] | halves[1] == {line.split("\t")[0] for line in lines}
    pairs = {(q, c) for part in (dev, test) for q, found in part.gold.items() for c in found}
    assert pairs == {tuple(line.split("\t")) for line in (data / f"{BUCC}.gold").read_text().split("\n")[:-1]}
    for part in (dev, test):
        assert set().union(*part.gold.values()) <= {candidate.id for candidate in part.candidates}


@pytest.mark.parametrize(
    ("foreign", "gold", "message"),
    [
        ("zh-1\t一\nzh-1\t二\n", "", r"dev.zh, line 2: the id 'zh-1' is duplicated"),
        ("zh-1\n", "", r"dev.zh, line 1: 'zh-1' is not two columns"),
        ("zh-1\t一\n", "zh-9\ten-1\n", r"dev.gold, line 1: the pair zh-9, en-1 is not in"),
        ("x" * 9999, "", r"dev.zh, line 1: 'x{79}… is not two columns"),
    ],
)
def test_faulty_bucc_is_named(put, foreign, gold, message):
    put(f"{BUCC}.zh", foreign)
    put(f"{BUCC}.gold", gold)
    root = put(f"{BUCC}.en", "en-1\tone\n")
    with pytest.raises(DataError, match=message):
        load("bucc2018", "dev", "zh", data=root)


def test_gold_pairs_that_share_a_candidate_stay_together(put):
    pairs = [(f"zh-{i}", f"en-{i // 3}") for i in range(60)] + [("zh-0", "en-9")]
    put(f"{BUCC}.zh", "".join(f"zh-{i}\t{i}\n" for i in range(60)))
    put(f"{BUCC}.en", "".join(f"en-{i}\t{i}\n" for i in range(20)))
    root = put(f"{BUCC}.gold", "".join(f"{query}\t{candidate}\n" for query, candidate in pairs))
    halves = [load("bucc2018", split, "zh", data=root).items[0] for split in ("dev", "test")]
    assert sorted((q, c) for half in halves for q, right in half.gold.items() for c in right) == sorted(pairs)
    assert all(half.gold for half in halves)


def lareqa(*questions: dict, breaks=((0, 10), (11, 20)), context="It rained. We stayed.") -> str:
    paragraph = {"context": context, "sentence_breaks": breaks, "qas": questions}
    return json.dumps({"data": [{"paragraphs": [paragraph | {"qas": []}, paragraph]}]})


ASKED = {"id": "a", "question": "Who stayed?", "answers": [{"text": "We", "answer_start": 11}]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            lareqa(ASKED | {"answers": [{"text": "", "answer_start": 0}]}),
            r"question a: the answer '' is empty; restore it",
        ),
        (
            lareqa(ASKED | {"answers": [{"text": "We", "answer_start": 0}]}),
            r"question a: the answer 'We' is not at its",
        ),
        (lareqa(ASKED | {"answers": [{"answer_start": 11}]}), r"question a: no column 'text'"),
        (lareqa(ASKED | {"answers": [{"text": 5, "answer_start": 11}]}), r"question a: the text of an answer is 5"),
        (lareqa(ASKED, context="It ra\u0301ined. We stayed."), r"question a: the answer 'We' is not at its offset 11"),
        (lareqa(ASKED, breaks=[[0, 10], [0, 99]]), r"paragraph 1: the sentence break \[0, 99\] is not after"),
        (lareqa(ASKED, breaks=[[0, 21], [10, 11]]), r"paragraph 1: the sentence break \[10, 11\] is not after"),
        (lareqa(ASKED, breaks=[[10, 0]]), r"paragraph 1: the sentence break \[10, 0\] is not after"),
        (lareqa(ASKED, breaks=[[0, 10], [90, 99]]), r"paragraph 1: the sentence break \[90, 99\] .* the 21 characters"),
        (lareqa(ASKED, ASKED), r"question a: the id is duplicated in paragraph 2"),
        (lareqa(ASKED | {"id": None}), r"paragraph 2: no id in 'id'"),
    ],
)
def test_faulty_lareqa_is_named(put, content, message):
    root = put("xtreme/lareqa/xquad-r/de.json", content)
    with pytest.raises(DataError, match=f"xquad-r/de.json, {message}"):
        load("lareqa", "test", "de", data=root)


@pytest.mark.parametrize("code", ["en", "th", "zh"])
def test_right_sentence_of_lareqa_holds_the_start_of_the_answer(data, code):
    (found,) = load("lareqa", "test", code, data=data).items
    text = {candidate.id: candidate.text for candidate in found.candidates}
    for example in load("xquad", "test", code, data=data).items:
        (right,) = found.gold[example.id]
        sentence = text[right].removesuffix(f" {example.context}")
        places = [match.span() for match in re.finditer(re.escape(sentence), example.context)]
        assert any(low <= example.answers[0][0] < high for low, high in places)


def test_checksums_of_the_multilingual_pool_are_those_of_the_files_that_are_loaded(put):
    put("xtreme/lareqa/xquad-r/de.json", lareqa(ASKED))
    data = put("xtreme/lareqa/xquad-r/th.json", lareqa(ASKED, context="It rained! We stayed."))
    files = load("lareqa", "test", "mul", data=data).files
    assert checksums("lareqa", "test", "mul", data=data) == files
    assert len(files) == 2


def test_multilingual_pool_has_one_right_sentence_in_every_language(data):
    sets = load("lareqa", "test", "mul", data=data).items
    codes = [part.language for part in sets]
    assert sorted(available_languages("lareqa", data=data)) == codes
    candidates = {candidate.id for candidate in sets[0].candidates}
    for part in sets:
        assert part.candidates is sets[0].candidates
        for query in part.queries:
            assert sorted(c.split(":")[0] for c in part.gold[query.id]) == codes
            assert part.gold[query.id] <= candidates


def test_training_pairs_of_lareqa_are_squads_questions_with_the_sentence_of_the_answer(data):
    spans = {e.id: e for e in load("squad", "dev", data=data).items}
    pairs = load("lareqa", "dev", data=data).items
    assert [pair.id for pair in pairs] == list(spans)
    for pair in pairs:
        start = spans[pair.id].answers[0][0]
        sentence = pair.candidate.removesuffix(f" {pair.group}")
        low = pair.group.find(sentence)
        assert low >= 0 and low <= start


def test_sentence_of_an_answer_ends_where_the_next_begins():
    context = 'It rained. "We left at 3.5 km," she said. Then Dr. Who came!'
    example = SpanExample("1", "en", "When?", context, ((context.index("3.5"), "3.5 km"),), context)
    assert sentence_of_answer(example).candidate == f'"We left at 3.5 km," she said. {context}'


def test_mewslix_parts_are_in_the_publishers_roles():
    train, dev = (load("mewslix", split, data=MEWSLIX).items for split in ("train", "dev"))
    assert not {e.group for e in train} & {e.group for e in dev}
    assert train[0].query == "harbour seal: Children counted every { harbour seal } on the sandbank."
    codes = available_languages("mewslix", data=MEWSLIX)
    sets = [load("mewslix", "test", code, data=MEWSLIX).items[0] for code in codes]
    assert [part.language for part in sets] == list(codes)
    for part in sets:
        assert part.candidates is sets[0].candidates
        assert set(part.gold) == {query.id for query in part.queries}
        assert set().union(*part.gold.values()) <= {candidate.id for candidate in part.candidates}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"line 1: the article's text is missing; fill it in with the publisher's get-mewsli-x.sh"),
        ("Another article.", r"line 1: mention de-1-0, 'Fähre', is not at its offset"),
    ],
)
def test_faulty_mewslix_is_named(put, text, message):
    for file in (MEWSLIX / "xtreme" / "mewslix").iterdir():
        root = put(f"xtreme/mewslix/{file.name}", file.read_bytes())
    first, *rest = (root / MENTIONS).read_text(encoding="utf-8").splitlines()
    article = json.loads(first)
    article["context"]["text"] = text
    put(MENTIONS, "\n".join([json.dumps(article), *rest]))
    with pytest.raises(DataError, match=message):
        load("mewslix", "test", "de", data=root)


def repeat_first(line: str) -> str:
    return f"{line}\n{line}"


def nameless(line: str) -> str:
    return re.sub(r'"(example|entity)_id": "[^"]+"', r'"\1_id": null', line, count=1)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (MENTIONS, repeat_first, r"mentions-test.jsonl, line 2: the mention de-1-0 is duplicated"),
        (MENTIONS, nameless, r"mentions-test.jsonl, line 1: no id in 'example_id'"),
        (ENTITIES, repeat_first, r"entities.jsonl, line 2: the entity E01 is duplicated"),
        (ENTITIES, nameless, r"entities.jsonl, line 1: no id in 'entity_id'"),
        (ENTITIES, lambda line: "", r"entities.jsonl, line 1: the line is empty"),
    ],
)
def test_ids_of_mewslix_are_there_and_differ(put, name, change, message):
    for file in (MEWSLIX / "xtreme" / "mewslix").iterdir():
        root = put(f"xtreme/mewslix/{file.name}", file.read_bytes())
    first, rest = (root / name).read_text(encoding="utf-8").split("\n", 1)
    put(name, f"{change(first)}\n{rest}")
    with pytest.raises(DataError, match=message):
        load("mewslix", "test", "de", data=root)


def test_language_without_mentions_is_an_error_that_lists_the_others():
    with pytest.raises(DataError, match=r"no mentions in 'ja'; it has de, en, es, pl, tr"):
        load("mewslix", "test", "ja", data=MEWSLIX)
