"""Hub splits are written here as local Parquet in the hub's schema; the same items stand in publishers' files."""

import json

import pytest
from datasets import ClassLabel, Dataset, Features, List, Value

from stilts_core.errors import DataError, DataNotFound
from stilts_core.sources import hub
from stilts_core.sources.hub import SCHEMAS, schema
from stilts_core.sources.publishers import available_languages, checksums, load
from stilts_core.tasks.catalogue import IOB2, TASKS, UPOS

NLI = ClassLabel(names=["entailment", "neutral", "contradiction"])
TEXT = Value("string")
ANSWERS = {"text": List(TEXT), "answer_start": List(Value("int32"))}
QUESTION = {"id": TEXT, "title": TEXT, "context": TEXT, "question": TEXT, "answers": ANSWERS}


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Saves rows as a split of the hub's mirror."""
    root = tmp_path / "mirror"
    monkeypatch.setenv("STILTS_HUB_MIRROR", str(root))

    def save(address: str, rows: list[dict], **features) -> None:
        path = root / f"{address}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        Dataset.from_list(rows, features=Features(features) if features else None).to_parquet(str(path))

    return save


def jsonl(*rows: dict) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def squad(id: str, context: str, question: str, start: int, text: str) -> str:
    qas = [{"id": id, "question": question, "answers": [{"text": text, "answer_start": start}]}]
    return json.dumps({"data": [{"title": "Ems", "paragraphs": [{"context": context, "qas": qas}]}]})


# task, part, language, hub split, its rows, its features, publisher's file, its content
CASES = [
    (
        "mnli", "train", "en", "nyu-mll/glue/mnli/train",
        [{"premise": "A dog.", "hypothesis": "A cat.", "label": 2, "idx": 0}],
        {"premise": TEXT, "hypothesis": TEXT, "label": NLI, "idx": Value("int32")},
        "english/mnli/train.tsv", "sentence1\tsentence2\tgold_label\nA dog.\tA cat.\tcontradiction\n",
    ),
    (
        "qqp", "train", "en", "nyu-mll/glue/qqp/train",
        [{"question1": "How?", "question2": "In what way?", "label": 1, "idx": 0}],
        {"question1": TEXT, "question2": TEXT, "label": ClassLabel(names=["not_duplicate", "duplicate"]),
         "idx": Value("int32")},
        "english/qqp/train.tsv", "qid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t2\tHow?\tIn what way?\t1\n",
    ),
    (
        "squad", "train", "en", "rajpurkar/squad/plain_text/train",
        [{"id": "q1", "title": "Ems", "context": "The Ems flows.", "question": "What flows?",
          "answers": {"text": ["Ems"], "answer_start": [4]}}],
        QUESTION, "english/squad/train-v1.1.json", squad("q1", "The Ems flows.", "What flows?", 4, "Ems"),
    ),
    (
        "hellaswag", "train", "en", "Rowan/hellaswag/default/train",
        [{"ind": 4, "activity_label": "Diving", "ctx_a": "A man", "ctx_b": "", "ctx": "A man",
          "endings": ["a", "b", "c", "d"], "label": "2"}],
        {}, "english/hellaswag/hellaswag_train.jsonl",
        jsonl({"ind": 4, "activity_label": "Diving", "ctx": "A man", "endings": ["a", "b", "c", "d"], "label": 2}),
    ),
    (
        "cosmosqa", "dev", "en", "allenai/cosmos_qa/default/validation",
        [{"id": "c1", "context": "It rained.", "question": "Why?", "answer0": "a", "answer1": "b", "answer2": "c",
          "answer3": "d", "label": 3}],
        {}, "english/cosmosqa/valid.csv",
        "id,context,question,answer0,answer1,answer2,answer3,label\nc1,It rained.,Why?,a,b,c,d,3\n",
    ),
    (
        "commonsenseqa", "train", "en", "tau/commonsense_qa/default/train",
        [{"id": "k", "question": "Where?", "question_concept": "x",
          "choices": {"label": ["A", "B"], "text": ["bank", "sea"]}, "answerKey": "B"}],
        {}, "english/commonsense_qa/train_rand_split.jsonl",
        jsonl({"id": "k", "answerKey": "B", "question": {"stem": "Where?", "choices": [
            {"label": "A", "text": "bank"}, {"label": "B", "text": "sea"}]}}),
    ),
    (
        "socialiqa", "train", "en", "allenai/social_i_qa/default/train",
        [{"context": "Kai left.", "question": "Why?", "answerA": "a", "answerB": "b", "answerC": "c", "label": "3"}],
        {}, "xtreme/socialiqa/socialIQa_v1.4_trn.jsonl",
        jsonl({"context": "Kai left.", "question": "Why?", "answerA": "a", "answerB": "b", "answerC": "c",
               "correct": "C"}),
    ),
    (
        "copa", "train", "en", "aps/super_glue/copa/train",
        [{"premise": "It broke.", "choice1": "a", "choice2": "b", "question": "effect", "idx": 0, "label": 1}],
        {"premise": TEXT, "choice1": TEXT, "choice2": TEXT, "question": TEXT, "idx": Value("int32"),
         "label": ClassLabel(names=["choice1", "choice2"])},
        "xtreme/xcopa/train.en.jsonl",
        jsonl({"premise": "It broke.", "choice1": "a", "choice2": "b", "question": "effect", "idx": 0, "label": 1}),
    ),
    (
        "xnli", "test", "de", "facebook/xnli/de/test",
        [{"premise": "Ein Hund.", "hypothesis": "Ein Tier.", "label": 0}],
        {"premise": TEXT, "hypothesis": TEXT, "label": NLI},
        "xtreme/xnli/test-de.tsv", "Ein Hund.\tEin Tier.\tentailment\n",
    ),
    (
        "pawsx", "test", "ko", "google-research-datasets/paws-x/ko/test",
        [{"id": 1, "sentence1": "가", "sentence2": "나", "label": 1}],
        {"id": Value("int32"), "sentence1": TEXT, "sentence2": TEXT, "label": ClassLabel(names=["0", "1"])},
        "xtreme/pawsx/test-ko.tsv", "가\t나\t1\n",
    ),
    (
        "udpos", "test", "fi", "google/xtreme/udpos.Finnish/test",
        [{"tokens": ["Talo", "."], "pos_tags": [7, 12]}],
        {"tokens": List(TEXT), "pos_tags": List(ClassLabel(names=list(UPOS)))},
        "xtreme/udpos/test-fi.tsv", "Talo\tNOUN\n.\tPUNCT\n",
    ),
    (
        "panx", "test", "sw", "unimelb-nlp/wikiann/sw/test",
        [{"tokens": ["Dar", "es"], "ner_tags": [5, 6], "langs": ["sw", "sw"], "spans": ["LOC: Dar es"]}],
        {"tokens": List(TEXT), "ner_tags": List(ClassLabel(names=list(IOB2))), "langs": List(TEXT),
         "spans": List(TEXT)},
        "xtreme/panx/test-sw.tsv", "Dar\tB-LOC\nes\tI-LOC\n",
    ),
    (
        "mlqa", "test", "es", "google/xtreme/MLQA.es.es/test",
        [{"id": "m", "title": "Ems", "context": "El Ems fluye.", "question": "¿Qué fluye?",
          "answers": {"text": ["Ems"], "answer_start": [3]}}],
        QUESTION, "xtreme/mlqa/MLQA_V1/test/test-context-es-question-es.json",
        squad("m", "El Ems fluye.", "¿Qué fluye?", 3, "Ems"),
    ),
    (
        "xcopa", "test", "it", "cambridgeltl/xcopa/it/test",
        [{"premise": "Piove.", "choice1": "a", "choice2": "b", "question": "cause", "label": 0, "idx": 7,
          "changed": False}],
        {}, "xtreme/xcopa/test.it.jsonl",
        jsonl({"premise": "Piove.", "choice1": "a", "choice2": "b", "question": "cause", "label": 0, "idx": 7}),
    ),
    (
        "ecare", "train", "en", "12ml/e-CARE/default/train",
        [{"idx": 4, "premise": "It broke.", "question": "effect", "choice1": "a", "choice2": "b", "label": 1}], {},
        "english/e-care/Causal_Reasoning/train.jsonl",
        jsonl({"index": "4", "premise": "It broke.", "ask-for": "effect", "hypothesis1": "a", "hypothesis2": "b",
               "label": 1}),
    ),
    (
        "copa_balanced", "train", "en", "pkavumba/balanced-copa/default/train",
        [{"id": 1, "premise": "It broke.", "question": "effect", "choice1": "a", "choice2": "b", "label": 1,
          "mirrored": False}], {},
        "english/balanced_copa/balanced-copa-dev-all.xml",
        '<c><item id="1" asks-for="effect" most-plausible-alternative="2"><p>It broke.</p><a1>a</a1><a2>b</a2></item>'
        "</c>",
    ),
    (
        "codah", "train", "en", "jaredfern/codah/codah/train",
        [{"id": 1, "question_category": 0, "question_propmt": "I am", "candidate_answers": ["a", "b", "c", "d"],
          "correct_answer_idx": 2}], {},
        "english/codah/full_data.tsv", "o\tI am\ta\tb\tc\td\t2\n",
    ),
    (
        "americasnli", "test", "gn", "nala-cub/americas_nli/gn/test",
        [{"language": "gn", "premise": "Peteĩ.", "hypothesis": "Mokõi.", "label": 2}],
        {"language": TEXT, "premise": TEXT, "hypothesis": TEXT, "label": NLI},
        "lowres/americasnli/test/gn.tsv",
        "id\tlanguage\tpremise\thypothesis\tlabel\n1\tgn\tPeteĩ.\tMokõi.\tcontradiction\n",
    ),
    (
        "xnli_lowres", "test", "my", "akhtet/myXNLI/default/test",
        [{"genre": "fiction", "label": 1, "sentence1_en": "x", "sentence2_en": "y", "sentence1_my": "က",
          "sentence2_my": "ခ"}],
        {"genre": TEXT, "label": ClassLabel(names=["contradiction", "entailment", "neutral"]), "sentence1_en": TEXT,
         "sentence2_en": TEXT, "sentence1_my": TEXT, "sentence2_my": TEXT},
        "lowres/xnli/test-my.tsv", "က\tခ\tentailment\n",
    ),
    (
        "xnli_lowres", "test", "ko", "kakaobrain/kor_nli/xnli/test",
        [{"premise": "가", "hypothesis": "나", "label": 1}], {"premise": TEXT, "hypothesis": TEXT, "label": NLI},
        "lowres/xnli/test-ko.tsv", "가\t나\tneutral\n",
    ),
    (
        "udpos_lowres", "test", "mt", "commul/universal_dependencies/mt_mudt/test",
        [{"tokens": ["Id-dar", "Id", "-dar"], "upos": [2, 0, 1]}],
        {"tokens": List(TEXT), "upos": List(ClassLabel(names=["DET", "NOUN", "_"]))},
        "lowres/udpos/test-mt.tsv", "Id\tDET\n-dar\tNOUN\n",
    ),
    (
        "masakhapos", "test", "sw", "masakhane/masakhapos/swa/test",
        [{"id": "0", "tokens": ["Mto", "."], "upos": [0, 1]}],
        {"id": TEXT, "tokens": List(TEXT), "upos": List(ClassLabel(names=["NOUN", "PUNCT"]))},
        "lowres/masakhapos/swa/test.txt", "Mto NOUN\n. PUNCT\n",
    ),
    (
        "masakhaner", "test", "ha", "masakhane/masakhaner2/hau/test",
        [{"id": "0", "tokens": ["Kano", "1999"], "ner_tags": [1, 2]}],
        {"id": TEXT, "tokens": List(TEXT), "ner_tags": List(ClassLabel(names=["O", "B-LOC", "B-DATE", "I-DATE"]))},
        "lowres/masakhaner2/hau/test.txt", "Kano B-LOC\n1999 B-DATE\n",
    ),
    (
        "copa_lowres", "test", "ko", "skt/kobest_v1/copa/test",
        [{"premise": "가", "question": "원인", "alternative_1": "나", "alternative_2": "다", "label": 1}], {},
        "lowres/xcopa/test.ko.jsonl",
        jsonl({"premise": "가", "choice1": "나", "choice2": "다", "question": "cause", "idx": 1, "label": 1}),
    ),
    (
        "copa_lowres", "test", "id", "haryoaw/COPAL/id/test",
        [{"premise": "Hujan.", "choice1": "a", "choice2": "b", "question": "effect", "idx": 3, "label": 0}], {},
        "lowres/xcopa/test.id-local.jsonl",
        jsonl({"premise": "Hujan.", "choice1": "a", "choice2": "b", "question": "effect", "idx": 3, "label": 0}),
    ),
    (
        "copal_colloquial", "test", "id", "haryoaw/COPAL/id/test_colloquial",
        [{"premise": "Ujan.", "choice1": "a", "choice2": "b", "question": "effect", "idx": 3, "label": 0}], {},
        "lowres/xcopa/test.id-local-colloquial.jsonl",
        jsonl({"premise": "Ujan.", "choice1": "a", "choice2": "b", "question": "effect", "idx": 3, "label": 0}),
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_hub_row_and_publishers_row_give_equal_examples(mirror, put, case):
    name, split, language, address, rows, features, file, content = case
    mirror(address, rows, **features)
    from_hub = load(name, split, language)
    root = put(file, content)
    for template in {path for paths in TASKS[name].files[0].splits.values() for path in paths}:
        if template.count("{") == template.count("{language}"):
            for code in ("en", language):  # a layout is read when all its files are there
                put(template.format(language=code), content)
    from_file = load(name, split, language, data=root)
    assert [with_group(e) for e in from_hub.items] == [
        with_group(e, id=hub_id(e, f)) for e, f in zip(from_file.items, from_hub.items, strict=True)
    ]
    assert list(from_hub.files) == [address] and len(from_hub.files[address]) == 64


def hub_id(ours, hubs):
    """Publishers' headers take a line, so that items without an id of their own are numbered one higher."""
    return hubs.id if ours.id.isdigit() and int(ours.id) == int(hubs.id) + 1 else ours.id


def with_group(example, **changes):
    return {field: changes.get(field, getattr(example, field)) for field in example.__slots__ if field != "group"}


def test_logic_on_the_hub_unites_five_sets_and_says_what_is_lacking(mirror):
    logiqa = {"id": 1, "text": "All birds fly.", "question": "So?", "options": ["a", "b"], "answer": 1}
    lsat = {"context": "Six clerks.", "question": "Who?", "answers": ["a", "b", "c", "d", "e"], "label": 4}
    folio = {"premises": "It rains.\nRain is wet.", "conclusion": "It is wet.", "label": "Uncertain"}
    wet = {"context": "It is wet.", "question": "Is it?", "options": ["A) True", "B) False"], "answer": "B"}
    mirror("baber/logiqa2/logiqa2/train", [logiqa])
    mirror("olegbask/AR-LSAT/default/train", [lsat | {"id_string": "1-1"}])
    mirror("tasksource/folio/default/train", [folio])
    for name in ("ProofWriter", "ProntoQA"):
        rows = [wet | {"id": f"{name} {number}", "context": f"It is {number}."} for number in range(20)]
        mirror(f"renma/{name}/default/validation", rows)
    for name in ("baber/logiqa2/logiqa2", "olegbask/AR-LSAT/default", "tasksource/folio/default"):
        row = {"logiqa2": logiqa, "AR-LSAT": lsat | {"id_string": "1-2"}, "folio": folio}[name.split("/")[1]]
        mirror(f"{name}/validation", [row | {"context": "Dev.", "text": "Dev.", "premises": "Dev."}])
    train, dev = load("logic", "train"), load("logic", "dev")
    assert [e.choices[e.label] for e in train.items[:3]] == ["b", "e", "Unknown"]
    assert train.items[2].context == "It rains. Rain is wet." and "no LogicalDeduction" in train.stand_in
    assert len(train.items) + len(dev.items) == 3 + 3 + 40
    assert {e.choices[e.label] for e in train.items[3:]} == {"False"}


def test_anli_on_the_hub_unites_three_sets(mirror):
    features = {"premise": TEXT, "hypothesis": TEXT, "label": NLI}
    for number in (1, 2, 3):
        rows = [{"uid": f"u{number}", "premise": f"P {number}", "hypothesis": "H", "label": 1}]
        mirror(f"facebook/anli/plain_text/train_r{number}", rows, uid=TEXT, **features)
    for address in ("nyu-mll/glue/mnli/train", "stanfordnlp/snli/plain_text/train"):
        rows = [{"premise": address, "hypothesis": "H", "label": 0}, {"premise": "-", "hypothesis": "H", "label": -1}]
        mirror(address, rows, **features)
    examples = load("anli", "train")
    assert [e.label for e in examples.items] == ["neutral"] * 3 + ["entailment"] * 2
    assert examples.dropped == {"no gold label": 2} and len(examples.files) == 5
    assert len({e.id for e in examples.items}) == 5


def test_language_of_a_tydiqa_question_is_read_from_its_id(mirror):
    row = {"title": "Ems", "context": "Ems.", "question": "?", "answers": {"text": ["Ems"], "answer_start": [0]}}
    rows = [row | {"id": id} for id in ("swahili-1", "korean-1", "swahili-2")]
    mirror("google-research-datasets/tydiqa/secondary_task/validation", rows, **QUESTION)
    assert [e.id for e in load("tydiqa", "test", "sw").items] == ["swahili-1", "swahili-2"]


def test_tatoeba_pairs_and_buccs_numbered_gold_become_sets(mirror):
    mirror("mteb/tatoeba-bitext-mining/swh-eng/test", [{"sentence1": "moja", "sentence2": "one"}])
    (found,) = load("tatoeba", "test", "sw").items
    assert (found.queries[0].text, found.candidates[0].text, found.gold) == ("one", "moja", {"0": {"0"}})
    sides = {"sentence1": [f"Satz {i}" for i in range(60)], "sentence2": [f"Sentence {i}" for i in range(60)]}
    mirror("mteb/bucc-bitext-mining/de-en/test", [sides | {"gold": [[i, 61 - i] for i in range(1, 61)]}])
    parts = [load("bucc2018", split, "de").items[0] for split in ("dev", "test")]
    assert sum(len(part.queries) for part in parts) == 60
    for part in parts:
        english = {candidate.id: candidate.text for candidate in part.candidates}
        for query in part.queries:
            (right,) = part.gold[query.id]
            assert int(query.text.split()[1]) + int(english[right].split()[1]) == 59


def test_held_out_paragraphs_are_found_on_the_hub_too(mirror):
    row = {"title": "Ems", "question": "?", "answers": {"text": ["The"], "answer_start": [0]}}
    rows = [row | {"id": "1", "context": "The Ems , again ."}, row | {"id": "2", "context": "The Weser."}]
    mirror("rajpurkar/squad/plain_text/train", rows, **QUESTION)
    mirror("google/xquad/xquad.en/validation", [row | {"id": "3", "context": "The Ems, again."}], **QUESTION)
    examples = load("squad", "train")
    assert [e.id for e in examples.items] == ["2"] and examples.dropped == {"paragraph also in XQuAD": 1}


def test_same_rows_have_the_same_checksum(mirror):
    rows = [{"premise": "a", "hypothesis": "b", "label": 0}]
    sums = []
    for label in (0, 0, 1):
        mirror("facebook/xnli/de/test", [rows[0] | {"label": label}], premise=TEXT, hypothesis=TEXT, label=NLI)
        sums += load("xnli", "test", "de").files.values()
    assert sums[0] == sums[1] != sums[2]


def test_split_is_read_once_for_its_checksum_and_once_for_its_examples(mirror, monkeypatch):
    read: list[str] = []
    read_mirror = hub._mirrored
    monkeypatch.setattr(hub, "_mirrored", lambda address, file: read.append(address) or read_mirror(address, file))
    address, sums = "facebook/xnli/de/test", []
    for premise in ("read once", "read again, as it changed"):
        mirror(address, [{"premise": premise, "hypothesis": "b", "label": 0}], premise=TEXT, hypothesis=TEXT, label=NLI)
        found = [load("xnli", "test", "de") for _ in range(2)]
        sums += [checksums("xnli", "test", "de") for _ in range(2)]
        assert found[0].files == found[1].files == sums[-2] == sums[-1]
        assert found[1].items[0].text_a == premise
    assert read == [address] * 4 and sums[0] != sums[-1]


def test_nan_in_a_row_of_the_hub_is_an_error_that_names_the_column(mirror):
    rows = [
        {"premise": "a", "hypothesis": "b", "label": 1.0},
        {"premise": "a", "hypothesis": "b", "label": float("nan")},
    ]
    mirror("facebook/xnli/de/test", rows)
    with pytest.raises(DataError, match="facebook/xnli/de/test, row 2: column 'label' is nan; write null"):
        load("xnli", "test", "de")


def test_disabled_hub_is_an_error_that_names_the_settings():
    with pytest.raises(DataNotFound, match=r"Set STILTS_DATA .* or set STILTS_HUB_MIRROR, or unset HF_HUB_OFFLINE"):
        load("xnli", "test", "de")


def test_unreachable_hub_is_an_error_that_names_the_settings(monkeypatch, tmp_path):
    import datasets

    def unreachable(*args, **kwargs):
        raise ConnectionError("Couldn't reach 'facebook/xnli' on the Hub")

    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(
        DataNotFound, match=r"facebook/xnli/de/test could not be loaded from the hub \(Couldn't reach .*STILTS_DATA"
    ):
        load("xnli", "test", "de")


def test_missing_split_of_a_mirror_is_named_with_its_file(mirror, tmp_path):
    with pytest.raises(DataNotFound, match=rf"Expected file: {tmp_path}/mirror/facebook/xnli/de/test.parquet"):
        load("xnli", "test", "de")


def test_changed_schema_is_named(mirror):
    mirror("nyu-mll/glue/mnli/train", [{"text": "a", "label": 0}])
    with pytest.raises(DataError, match=r"nyu-mll/glue/mnli/train: no column 'premise' on the hub"):
        load("mnli", "train")


def test_every_hub_address_of_the_catalogue_has_a_schema():
    for row in TASKS.values():
        for path in (path for paths in row.hub.splits.values() for path in paths) if row.hub else ():
            for place in row.hub.places.values() or [""]:
                address = path.split("[")[0].replace("{place}", place)
                assert address.count("/") == 3 and schema(address) in SCHEMAS.values()


def test_languages_on_the_hub_are_the_benchmarks(mirror):
    assert available_languages("xnli") == TASKS["xnli"].languages["xtreme"]
    assert "wo" not in available_languages("udpos") and "de" in available_languages("udpos")


ALPHABETICAL = ClassLabel(names=["contradiction", "entailment", "neutral"])


def test_names_of_labels_decide_and_not_their_numbers(mirror):
    names = ["neutral", "entailment", "contradiction", "neutral"]
    rows = [{"premise": f"P {i}", "hypothesis": "H", "label": name} for i, name in enumerate(names)]
    numbered = Dataset.from_list(rows).class_encode_column("label")
    assert numbered.features["label"].names == ALPHABETICAL.names
    mirror("facebook/xnli/de/test", list(numbered), premise=TEXT, hypothesis=TEXT, label=ALPHABETICAL)
    assert [item.label for item in load("xnli", "test", "de").items] == names


def test_the_same_numbers_under_other_names_have_another_checksum(mirror):
    sums = []
    for label in (NLI, ALPHABETICAL):
        rows = [{"premise": "a", "hypothesis": "b", "label": 0}]
        mirror("facebook/xnli/de/test", rows, premise=TEXT, hypothesis=TEXT, label=label)
        sums += load("xnli", "test", "de").files.values()
    assert sums[0] != sums[1]


@pytest.mark.parametrize(
    ("task", "address", "row", "label"),
    [
        ("xnli", "facebook/xnli/de/test", {"premise": "a", "hypothesis": "b"}, NLI),
        (
            "pawsx", "google-research-datasets/paws-x/de/test", {"id": "1", "sentence1": "a", "sentence2": "b"},
            ClassLabel(names=["0", "1"]),
        ),
        (
            "xcopa", "cambridgeltl/xcopa/it/test",
            {"premise": "a", "choice1": "b", "choice2": "c", "question": "cause", "idx": "1"},
            ClassLabel(names=["choice1", "choice2"]),
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("number", [-1, None])
def test_minus_one_and_null_are_no_label(mirror, task, address, row, label, number):
    mirror(address, [row | {"label": number}], **dict.fromkeys(row, TEXT), label=label)
    assert [item.label for item in load(task, "test", address.split("/")[2]).items] == [None]


def test_tag_minus_one_is_not_the_last_tag(mirror):
    features = {"tokens": List(TEXT), "pos_tags": List(ClassLabel(names=list(UPOS)))}
    address = "google/xtreme/udpos.Finnish/test"
    for tags in ([-1, -1], [None, None], None):
        mirror(address, [{"tokens": ["Talo", "."], "pos_tags": tags}], **features)
        assert load("udpos", "test", "fi").items[0].tags is None
    for tags, message in (([7, -1], r"row 1: some words have no tag"), ([7], r"row 1: 2 words and 1 tags")):
        mirror(address, [{"tokens": ["Talo", "."], "pos_tags": tags}], **features)
        with pytest.raises(DataError, match=f"Finnish/test, {message}"):
            load("udpos", "test", "fi")


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"text": ["Ems", "The"], "answer_start": [4]}, r"test, row 1: .* are not two lists of the same length"),
        ({"text": ["Ems"], "answer_start": [None]}, r"question q: answer_start is None"),
        ({"text": None, "answer_start": [4]}, r"row 1: \[4\] and None are not two lists"),
    ],
)
def test_faulty_answers_on_the_hub_are_named(mirror, answers, message):
    row = {"id": "q", "title": "Ems", "context": "The Ems flows.", "question": "What?", "answers": answers}
    mirror("google/xtreme/MLQA.es.es/test", [row], **QUESTION)
    with pytest.raises(DataError, match=message):
        load("mlqa", "test", "es")


def test_nulls_on_the_hub_are_named_or_are_missing_labels(mirror):
    row = {"id": "q", "title": None, "context": "The Ems flows.", "question": "What?", "answers": None}
    mirror("google/xtreme/MLQA.es.es/test", [row], **QUESTION)
    assert load("mlqa", "test", "es").items[0].answers is None
    mirror("google/xtreme/MLQA.es.es/test", [row | {"context": None}], **QUESTION)
    with pytest.raises(DataError, match=r"the question or its context is empty"):
        load("mlqa", "test", "es")
    mirror("mteb/tatoeba-bitext-mining/swh-eng/test", [{"sentence1": "moja", "sentence2": None}])
    with pytest.raises(DataError, match=r"swh-eng/test, row 1: 'sentence2' is empty"):
        load("tatoeba", "test", "sw")


def test_bucc_with_one_pair_a_row_implies_its_gold_and_says_so(mirror):
    rows = [{"sentence1": f"Satz {i}", "sentence2": f"Sentence {i}"} for i in range(60)]
    mirror("mteb/bucc-bitext-mining/de-en/test", [*rows, rows[0]])
    parts = [load("bucc2018", split, "de") for split in ("dev", "test")]
    assert sum(len(part.items[0].queries) for part in parts) == 60
    for part in parts:
        assert "only sentences with a translation" in part.stand_in
        english = {candidate.id: candidate.text for candidate in part.items[0].candidates}
        for query in part.items[0].queries:
            assert {english[i] for i in part.items[0].gold[query.id]} == {query.text.replace("Satz", "Sentence")}


def test_set_that_needs_a_loading_script_is_an_error_with_the_revision_that_works(monkeypatch):
    import datasets

    def refuse(*args, **kwargs):
        raise RuntimeError("Dataset scripts are no longer supported, but found xnli.py")

    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(DataError, match=r"facebook/xnli/de/test .*found xnli.py.*'refs/convert/parquet'.*HUB_MIRROR"):
        load("xnli", "test", "de")
    monkeypatch.setenv("STILTS_HUB_REVISIONS", "facebook/xnli=0123abc")
    remedy = "facebook/xnli/de/test at revision '0123abc' .*STILTS_HUB_REVISIONS=facebook/xnli=refs/convert/parquet"
    with pytest.raises(DataError, match=remedy):
        load("xnli", "test", "de")


def test_pinned_revision_is_asked_for(monkeypatch):
    import datasets

    asked = []

    def load_dataset(*names, revision, **options):
        asked.append(revision)
        return Dataset.from_list([{"sentence1": "eins", "sentence2": "one"}])

    name = "mteb/tatoeba-bitext-mining"
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    load("tatoeba", "test", "de")
    monkeypatch.setitem(SCHEMAS, name, schema(name)._replace(revision="abc"))
    load("tatoeba", "test", "de")
    monkeypatch.setenv("STILTS_HUB_REVISIONS", f"facebook/xnli=other, {name}=0123abc")
    load("tatoeba", "test", "de")
    assert asked == ["refs/convert/parquet", "abc", "0123abc"]


@pytest.mark.parametrize("text", ["main", "tatoeba=main", "facebook/xnli=", "facebook/xnli/de=main"])
def test_revisions_of_another_form_are_an_error(monkeypatch, text):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("STILTS_HUB_REVISIONS", text)
    with pytest.raises(DataError, match=r"STILTS_HUB_REVISIONS has .*; write owner/name=revision"):
        load("xnli", "test", "de")


def test_parquet_that_is_cut_off_is_named(mirror, tmp_path):
    mirror("facebook/xnli/de/test", [{"premise": "a", "hypothesis": "b", "label": 0}])
    file = tmp_path / "mirror/facebook/xnli/de/test.parquet"
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(DataError, match=r"xnli/de/test.parquet is not readable Parquet"):
        load("xnli", "test", "de")
