import json

import pandas
import pytest

from stilts_core.errors import DataError
from stilts_core.sources.publishers import load
from stilts_core.sources.rows import normalize

MNLI = "english/mnli/dev_matched.tsv"


def jsonl(*rows: dict) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def glue_mnli(*rows: tuple[str, str, str]) -> str:
    body = "".join(f"{i}\tfiction\t{a}\t{b}\tx\t{label}\n" for i, (a, b, label) in enumerate(rows))
    return f"index\tgenre\tsentence1\tsentence2\tlabel1\tgold_label\n{body}"


def test_real_training_file_is_preferred_to_the_split_dev_part(put):
    put(MNLI, glue_mnli(("dev a", "dev b", "neutral")))
    root = put("english/mnli/train.tsv", glue_mnli(("A cat.", "An animal.", "entailment")))
    train, dev = load("mnli", "train", data=root), load("mnli", "dev", data=root)
    assert [(e.text_a, e.text_b, e.label) for e in train.items] == [("A cat.", "An animal.", "entailment")]
    assert [e.text_a for e in dev.items] == ["dev a"]
    assert train.stand_in is None and list(train.files) == ["english/mnli/train.tsv"]


def test_split_of_a_dev_part_keeps_each_premise_on_one_side(data):
    train, dev = load("mnli", "train", data=data), load("mnli", "dev", data=data)
    assert not {e.text_a for e in train.items} & {e.text_a for e in dev.items}
    whole = pandas.read_csv(data / MNLI, sep="\t", quoting=3, keep_default_na=False)
    loaded = len(train.items) + len(dev.items)
    assert loaded + sum(train.dropped.values()) + sum(dev.dropped.values()) == len(whole)
    assert "is not available" in train.stand_in


def test_premises_of_xnli_are_held_out_of_its_training_set(data):
    scored = {normalize(e.text_a) for e in load("xnli", "test", "en", data=data).items}
    for name in ("mnli", "anli"):
        parts = [load(name, split, data=data) for split in ("train", "dev")]
        assert not scored & {normalize(e.text_a) for part in parts for e in part.items}
        assert sum(part.dropped.get("premise also in XNLI", 0) for part in parts) > 0


def test_items_without_gold_label_are_dropped_and_counted(put):
    put("english/mnli/dev_matched.tsv", glue_mnli(("d", "e", "neutral")))
    root = put("english/mnli/train.tsv", glue_mnli(("a", "b", "-"), ("c", "d", "contradiction")))
    examples = load("mnli", "train", data=root)
    assert len(examples.items) == 1 and examples.dropped == {"no gold label": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (glue_mnli(("a", "b", "maybe")), r"train.tsv, line 2: unknown label 'maybe' in 'gold_label'; expected"),
        (glue_mnli(("a", " ", "neutral")), r"train.tsv, line 2: 'sentence2' is empty"),
        ("sentence1\tgold_label\na\tneutral\n", r"train.tsv, line 2: no column 'sentence2'"),
        ("sentence1\tsentence2\tgold_label\n", r"the train part of mnli has no items"),
    ],
)
def test_faulty_mnli_is_named(put, content, message):
    put(MNLI, glue_mnli(("a", "b", "neutral")))
    root = put("english/mnli/train.tsv", content)
    with pytest.raises(DataError, match=message):
        load("mnli", "train", data=root)


def test_anli_joins_three_sets_with_distinct_ids(data):
    examples = load("anli", "train", data=data)
    assert len({e.id for e in examples.items}) == len(examples.items)
    assert {e.label for e in examples.items} == {"entailment", "neutral", "contradiction"}
    assert {name.split("/")[1] for name in examples.files} == {"anli", "mnli", "snli", "xnli"}


def test_mrpc_reads_as_pandas_reads_it_despite_its_byte_order_mark(data):
    frame = pandas.read_csv(data / "english/mrpc/msr_paraphrase_train.txt", sep="\t", quoting=3, encoding="utf-8-sig")
    items = load("qqp", "train", data=data).items
    assert [e.text_a for e in items] == frame["#1 String"].tolist()
    assert [int(e.label) for e in items] == frame["Quality"].tolist()


def qqp(broken: int) -> str:
    whole = "1\t2\t3\tHow?\tWhy?\t0\n" * 3
    return "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n" + whole + "4\t5\t6\tHow is it\n" * broken


def test_broken_lines_of_qqp_are_dropped_up_to_a_bound(put):
    put("english/qqp/dev.tsv", qqp(0))
    root = put("english/qqp/train.tsv", qqp(2))
    examples = load("qqp", "train", data=root)
    assert len(examples.items) == 3 and examples.dropped == {"line broken off": 2}
    put("english/qqp/train.tsv", qqp(51))
    with pytest.raises(DataError, match=r"qqp/train.tsv, line 55: no column 'question2'"):
        load("qqp", "train", data=root)
    put("english/qqp/dev.tsv", qqp(1))
    with pytest.raises(DataError, match=r"qqp/dev.tsv, line 5"):
        load("qqp", "dev", data=root)


def test_hellaswag_gives_the_same_text_with_separate_and_with_joined_activity(put):
    rest = {"endings": ["sits.", "runs.", "eats.", "swims."], "label": 3}
    put("english/hellaswag/hellaswag_val.jsonl", jsonl({"ctx": "Swimming: A man"} | rest))
    apart = {"ind": 7, "activity_label": "Swimming", "ctx_a": "A man", "ctx_b": "", "ctx": "A man"} | rest
    root = put("english/hellaswag/hellaswag_train.jsonl", jsonl(apart))
    train, dev = (load("hellaswag", split, data=root).items[0] for split in ("train", "dev"))
    assert (train.context, train.choices, train.label) == (dev.context, dev.choices, dev.label)
    assert train.id == "7"


def test_cosmosqa_csv_reads_as_pandas_reads_it(data):
    frame = pandas.read_csv(data / "english/cosmosqa/valid.csv", dtype=str, keep_default_na=False)
    items = load("cosmosqa", "dev", data=data).items
    assert [e.context for e in items] == frame["context"].tolist()
    assert [e.choices[3] for e in items] == frame["answer3"].tolist()
    assert [str(e.label) for e in items] == frame["label"].tolist()


def test_no_cosmosqa_context_is_in_training_and_dev(data):
    train, dev = load("cosmosqa", "train", data=data), load("cosmosqa", "dev", data=data)
    assert not {e.group for e in train.items} & {e.group for e in dev.items}
    with (data / "english/cosmosqa/train_rebuilt.jsonl").open() as file:
        assert len(train.items) + train.dropped["context also in the dev part"] == sum(1 for _ in file)


def test_commonsenseqa_answers_are_the_choices_of_their_letters(data):
    path = data / "english/commonsense_qa/dev_rand_split.jsonl"
    raw = [json.loads(line) for line in path.read_text().splitlines()]
    answers = [{c["label"]: c["text"] for c in row["question"]["choices"]}[row["answerKey"]] for row in raw]
    assert [e.choices[e.label] for e in load("commonsenseqa", "dev", data=data).items] == answers


def test_faulty_choices_are_named(put):
    choices = [{"label": letter, "text": letter} for letter in "ABCDE"]
    row = {"id": "q", "answerKey": "F", "question": {"stem": "Where?", "choices": choices}}
    put("english/commonsense_qa/dev_rand_split.jsonl", jsonl(row))
    root = put("english/commonsense_qa/train_rand_split.jsonl", jsonl(row))
    with pytest.raises(DataError, match=r"train_rand_split.jsonl, line 1: answerKey is 'F'; expected one of A, B"):
        load("commonsenseqa", "train", data=root)
    choices[2]["text"] = ""
    put("english/commonsense_qa/train_rand_split.jsonl", jsonl(row | {"answerKey": "A"}))
    with pytest.raises(DataError, match=r"line 1: 'text' is empty"):
        load("commonsenseqa", "train", data=root)


def test_socialiqa_letters_point_at_the_answers(data):
    path = data / "xtreme/socialiqa/socialIQa_v1.4_dev.jsonl"
    raw = [json.loads(line) for line in path.read_text().splitlines()]
    items = load("socialiqa", "dev", data=data).items
    assert [e.choices[e.label] for e in items] == [row[f"answer{row['correct']}"] for row in raw]


def test_logiqa_numbers_point_at_the_answers(data):
    files = [data / "english/logiqa2" / f"{part}.txt" for part in ("dev", "test")]
    raw = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    right = {(row["text"], row["question"], row["options"][row["answer"]]) for row in raw}
    for split in ("train", "dev"):
        part = load("logic", split, data=data)
        items = [e for e in part.items if e.id.startswith(("dev:", "test:")) and e.id.split(":")[1].isdigit()]
        assert all((e.context, e.question, e.choices[e.label]) in right for e in items)
        assert len(items) > 200 and "split by text" in part.stand_in


def test_copa_question_is_a_sentence_about_cause_or_effect(put):
    row = {"premise": "It rained.", "choice1": "a", "choice2": "b", "question": "cause", "label": 1, "idx": 0}
    put("xtreme/xcopa/val.en.jsonl", jsonl(row, row | {"question": "effect", "idx": 1}))
    root = put("xtreme/xcopa/train.en.jsonl", jsonl(row | {"question": "because"}))
    assert [e.question for e in load("copa", "dev", data=root).items] == [
        "What was the cause?",
        "What happened as a result?",
    ]
    with pytest.raises(DataError, match=r"'question' is 'because'; expected cause or effect"):
        load("copa", "train", data=root)


def test_language_prefix_of_original_wikiann_words_is_stripped(put):
    put("xtreme/panx/dev-en.tsv", "en:Old\tB-LOC\n\nen:Town\tO\n")
    root = put("xtreme/panx/train-en.tsv", "en:New\tB-LOC\nen:York\tI-LOC\n\nen:en:\tO\n")
    assert [e.words for e in load("panx", "train", data=root).items] == [("New", "York"), ("en:",)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("de:New\tB-LOC\nde:York\tI-LOC\n", r"line 1: the language is 'de'; put the file of 'en' in its place"),
        ("en:I\tO\n\nen:New\tB-LOC\nYork\tI-LOC\n", r"line 3: 'York' does not begin with 'en:', as most words"),
    ],
)
def test_panx_words_of_another_language_or_without_its_prefix_are_named(put, content, message):
    put("xtreme/panx/dev-en.tsv", "Old\tB-LOC\n")
    with pytest.raises(DataError, match=f"panx/train-en.tsv, {message}"):
        load("panx", "train", data=put("xtreme/panx/train-en.tsv", content))


def test_few_panx_words_with_a_colon_are_unchanged(put):
    put("xtreme/panx/dev-en.tsv", "Old\tB-LOC\n\nTown\tO\n")
    root = put("xtreme/panx/train-en.tsv", "see\tO\nen:Town\tB-LOC\n")
    assert load("panx", "train", data=root).items[0].words == ("see", "en:Town")


def test_ud_words_that_look_like_a_language_prefix_are_unchanged(put):
    for part in ("train-en", "dev-en", "test-en"):
        root = put(f"xtreme/udpos/{part}.tsv", "see\tVERB\nen:this\tX\n")
    assert load("udpos", "train", data=root).items[0].words == ("see", "en:this")


def test_unknown_tag_is_named(put):
    for part in ("train-en", "dev-en", "test-en"):
        root = put(f"xtreme/udpos/{part}.tsv", "see\tVERB\n\nthis\tPRN\n")
    with pytest.raises(DataError, match=r"udpos/train-en.tsv, line 3: unknown tag 'PRN' in the sentence; expected ADJ"):
        load("udpos", "train", data=root)


def test_supertags_come_from_the_training_data(data):
    items = load("ccg", "train", data=data).items
    path = data / "english/brown/train.tsv"
    tags = {line.split("\t")[1] for line in path.read_text().split("\n") if line}
    assert {tag for e in items for tag in e.tags} == tags
