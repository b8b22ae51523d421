import json

import pytest

from stilts_core.errors import DataError
from stilts_core.sources.publishers import available_languages, load

SQUAD_DEV = "english/squad/dev-v1.1.json"


def squad(*questions: dict, context="The river Ems flows north.") -> str:
    return json.dumps({"data": [{"title": "t", "paragraphs": [{"context": context, "qas": list(questions)}]}]})


def question(id="1", text="What flows?", answer="Ems", start=10) -> dict:
    return {"id": id, "question": text, "answers": [{"text": answer, "answer_start": start}]}


@pytest.mark.parametrize("name", ["xnli", "pawsx"])
def test_parallel_items_have_one_group_in_every_language(data, name):
    by_language = {c: load(name, "test", c, data=data).items for c in available_languages(name, data=data)}
    keys = {tuple((e.id, e.group) for e in items) for items in by_language.values()}
    assert len(keys) == 1


def test_pawsx_split_shares_neither_item_nor_english_sentence(data):
    train, dev, test = (load("pawsx", split, data=data).items for split in ("train", "dev", "test"))
    assert len(train) + len(dev) + len(test) == len((data / "xtreme/pawsx/dev-en.tsv").read_text().split("\n")) - 1
    for one, other in ((train, dev), (train, test), (dev, test)):
        for shared in (lambda e: {e.id}, lambda e: {e.group}, lambda e: {e.text_a, e.text_b}):
            assert not set().union(*map(shared, one)) & set().union(*map(shared, other))


def test_pawsx_labels_of_one_item_differ_between_languages(data):
    labels = {c: [e.label for e in load("pawsx", "test", c, data=data).items] for c in ("en", "de", "ko")}
    assert labels["en"] != labels["de"] != labels["ko"]


def test_parallel_file_of_another_length_is_an_error(put):
    put("xtreme/xnli/dev-en.tsv", "a\tb\tneutral\nc\td\tneutral\n")
    root = put("xtreme/xnli/dev-de.tsv", "a\tb\tneutral\n")
    with pytest.raises(DataError, match=r"xnli/dev-de.tsv has 1 items and dev-en.tsv has 2; .*download both"):
        load("xnli", "test", "de", data=root)


def test_test_file_is_preferred_to_the_dev_file_and_may_be_blind(put):
    put("xtreme/xnli/dev-de.tsv", "a\tb\tneutral\n")
    root = put("xtreme/xnli/test-de.tsv", "c\td\n")
    examples = load("xnli", "test", "de", data=root)
    assert [(e.text_a, e.label) for e in examples.items] == [("c", None)] and examples.stand_in is None


def test_every_token_of_every_tagged_file_is_read(data):
    for name, pattern in (("udpos", "test-{}.tsv"), ("panx", "dev-{}.tsv")):
        for code in available_languages(name, data=data)[::5]:
            if (name, code) == ("panx", "en"):  # half of it is the English dev part
                continue
            text = (data / "xtreme" / name / pattern.format(code)).read_bytes().decode()
            tokens = [line.split("\t")[0] for line in text.split("\n") if line]
            assert [word for e in load(name, "test", code, data=data).items for word in e.words] == tokens


def test_words_of_invisible_characters_stay_words(data):
    words = {word for e in load("panx", "test", "ta", data=data).items for word in e.words}
    assert "\ufeff" in words  # four of them, tagged O


def test_english_dev_and_test_of_panx_share_no_sentence(data):
    dev, test = (load("panx", split, data=data).items for split in ("dev", "test"))
    assert not {e.words for e in dev} & {e.words for e in test}


def test_repeated_ids_of_tydiqa_become_unique_in_the_same_way_each_time(data):
    first, second = (load("tydiqa", "test", "sw", data=data).items for _ in range(2))
    ids = [e.id for e in first]
    assert len(set(ids)) == len(ids) and ids == [e.id for e in second]
    raw = json.loads((data / "xtreme/tydiqa/tydiqa-goldp-v1.1-train/tydiqa.goldp.sw.train.json").read_text())
    assert [i.split("#")[0] for i in ids] == [q["id"] for a in raw["data"] for p in a["paragraphs"] for q in p["qas"]]


def test_no_english_tydiqa_paragraph_is_in_two_parts(data):
    contexts = [{e.context for e in load("tydiqa", split, data=data).items} for split in ("train", "dev", "test")]
    assert sum(map(len, contexts)) == len(set.union(*contexts))


def test_articles_of_the_squad_stand_in_are_in_one_part(data):
    train, dev = (load("squad", split, data=data).items for split in ("train", "dev"))
    assert not {e.group for e in train} & {e.group for e in dev}
    assert not {e.context for e in train} & {e.context for e in dev}
    assert len({e.id for e in train + dev}) == len(train + dev)


def test_known_misplaced_answers_are_dropped_and_one_more_is_an_error(data, tmp_path):
    name = "squadshifts_nyt_v1.0.json"
    folder = tmp_path / "english/squad"
    folder.mkdir(parents=True)
    for file in (data / "english/squad").iterdir():
        (folder / file.name).symlink_to(file)
    assert load("squad", "dev", data=tmp_path).dropped == {"answer not at its offset": 9}
    whole = json.loads((folder / name).read_text())
    whole["data"][-1]["paragraphs"][-1]["qas"][-1]["answers"][0]["answer_start"] += 1
    (folder / name).unlink()
    (folder / name).write_text(json.dumps(whole))
    with pytest.raises(DataError, match=rf"{name}, question \w+: the answer .* is not at its offset"):
        load("squad", "dev", data=tmp_path)


def alphanumeric(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


def test_xquad_paragraphs_are_held_out_of_question_answering_in_any_tokenisation(data):
    scored = {alphanumeric(e.context) for e in load("xquad", "test", "en", data=data).items}
    dropped = 0
    for split in ("train", "dev"):
        examples = load("squad_v2", split, data=data)
        assert not scored & {alphanumeric(e.context) for e in examples.items}
        dropped += examples.dropped["paragraph also in XQuAD"]
    raw = json.loads((data / "english/squad_v2/disfl_qa_v2.json").read_text())
    paragraphs = [p for article in raw["data"] for p in article["paragraphs"]]
    assert dropped == sum(len(p["qas"]) for p in paragraphs if alphanumeric(p["context"]) in scored)


def test_unanswerable_questions_are_read_where_the_task_has_them(data):
    items = load("squad_v2", "train", data=data).items
    assert any(not e.answers for e in items) and any(e.answers for e in items)


@pytest.mark.parametrize("code", ["ar", "zh", "th", "hi"])
def test_answers_stand_at_their_offsets(data, code):
    for e in load("xquad", "test", code, data=data).items:
        assert all(e.context[start : start + len(text)] == text for start, text in e.answers)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            squad(question(start=11)),
            r"question 1: the answer 'Ems' is not at its offset 11, where the context has 'ms '",
        ),
        (squad(question())[:-9], r"train-v1.1.json, line 1: invalid JSON .*download it again"),
        (squad({"id": "1", "question": "Who?", "answers": []}), r"question 1: 1 of 1 items have no label"),
        (squad(question(text=" ")), r"question 1: the question or its context is empty"),
        (squad({"id": "1", "question": "Who?"}), r"question 1: 1 of 1 items have no label"),
        ("[]", r"not in SQuAD's format"),
    ],
)
def test_faulty_questions_are_named(put, content, message):
    put(SQUAD_DEV, squad(question()))
    root = put("english/squad/train-v1.1.json", content)
    with pytest.raises(DataError, match=message):
        load("squad", "train", data=root)
