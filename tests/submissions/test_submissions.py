"""Submission folders: written and read back, scored as evaluate.py does, and refused if their files do not fit."""

import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import seqeval.metrics

from stilts_core.errors import DataError
from stilts_core.families.setting import TaskSetting
from stilts_core.families.table import get_family
from stilts_core.scoring.bootstrap import bootstrap_metrics
from stilts_core.sources.publishers import available_languages, load
from stilts_core.submissions.files import (
    read_answers,
    read_gold_answers,
    read_label_file,
    read_tags,
    write_gold,
    write_predictions,
)
from stilts_core.submissions.score import GROUPS, score_folders
from stilts_core.submissions.score_file import score_file
from stilts_core.tasks.catalogue import TARGET_TASKS, TASKS, get_task
from stilts_core.tasks.examples import ChoiceExample, PairExample, Passage, RetrievalSet, SpanExample, TaggingExample

WORDS = ["river", "bridge", "old", "water", "village", "market", "night", "morning", "teacher", "flood"]
NINE = [name for name in TARGET_TASKS if "xtreme" in TASKS[name].languages]


def make_test_set(rng: random.Random, name: str, language: str, size: int = 8) -> list:
    """A small random test set of a task."""
    row = get_task(name)
    if row.family == "retrieval":
        ids = [f"{language}-{i:03}" for i in range(size)]
        sides = [tuple(Passage(i, rng.choice(WORDS)) for i in ids) for _ in range(2)]
        if name == "tatoeba":
            sides = [tuple(Passage(str(i), rng.choice(WORDS)) for i in range(size)) for _ in range(2)]
        several = 2 if row.metric == "map" else 1
        gold = {q.id: frozenset(c.id for c in rng.sample(sides[1], several)) for q in sides[0]}
        if name == "bucc2018":
            gold = {query: right for query, right in gold.items() if rng.random() < 0.7} or gold
        return [RetrievalSet(language, *sides, gold)]
    examples = []
    for i in range(size):
        text = " ".join(rng.choices(WORDS, k=12))
        match row.family:
            case "pair":
                examples.append(PairExample(str(i), language, text, text, rng.choice(row.labels), str(i)))
            case "choice":
                examples.append(ChoiceExample(str(i), language, text, "why?", ("a", "b"), rng.randrange(2), str(i)))
            case "tagging":
                words = tuple(text.split()[: rng.randint(1, 12)])
                tags = tuple(rng.choice(row.labels) for _ in words)
                examples.append(TaggingExample(str(i), language, words, tags, str(i)))
            case "span":
                answers = tuple((text.index(word), word) for word in rng.sample(text.split(), 2))
                examples.append(SpanExample(f"{language}{i}", language, "who?", text, answers, text))
    return examples


def make_predictions(rng: random.Random, name: str, examples: list) -> list:
    """Random predictions, most of them right, in the form that the family's `decode` returns."""
    row = get_task(name)
    if row.family == "retrieval":
        (test,) = examples
        rankings = {}
        for query in test.queries:
            others = [candidate.id for candidate in rng.sample(test.candidates, min(5, len(test.candidates)))]
            right = sorted(test.gold.get(query.id, ()))[:1]
            ranked = list(dict.fromkeys(rng.choice([right + others, others, others[:2] + right + others])))
            rankings[query.id] = tuple(ranked if row.metric == "map" else ranked[:1])
        return [rankings]
    kinds = {
        "pair": lambda e: rng.choice([e.label, rng.choice(row.labels)]),
        "choice": lambda e: rng.choice([e.label, 0]),
        "tagging": lambda e: tuple(rng.choice([tag, tag, rng.choice(row.labels)]) for tag in e.tags),
        "span": lambda e: rng.choice([*(t for _, t in e.answers), " ".join(e.context.split()[:3]), "old mill"]),
    }
    return [kinds[row.family](example) for example in examples]


def write_submission(rng: random.Random, root: Path, names, benchmark: str = "xtreme") -> tuple[Path, Path]:
    """Write random predictions and gold labels of all languages of the tasks, in XTREME's layout."""
    predictions, gold = root / "predictions", root / "labels"
    for name in names:
        for language in get_task(name).languages.get(benchmark) or get_task(name).languages["xtreme-r"]:
            examples = make_test_set(rng, name, language)
            write_gold(gold, name, language, examples)
            write_predictions(predictions, name, language, examples, make_predictions(rng, name, examples))
    return predictions, gold


@pytest.fixture(scope="module")
def submission(tmp_path_factory) -> tuple[Path, Path]:
    return write_submission(random.Random(0), tmp_path_factory.mktemp("submission"), NINE)


def runs_as_chunks(tags: list[str]) -> list[str]:
    """UPOS tags in IOB2: for seqeval 0.0.12 a run of equal tags is a chunk, but each SYM and SCONJ is its own."""
    pairs = zip(["", *tags], tags, strict=False)
    return [f"{'I' if before == tag and tag[0] != 'S' else 'B'}-{tag}" for before, tag in pairs]


def plain_score(name: str, predictions: Path, gold: Path) -> dict[str, float]:
    """The metrics of one language of one task from its two files, as evaluate.py computes them."""
    texts = [path.read_text(encoding="utf-8") for path in (gold, predictions)]
    if name in ("udpos", "panx"):
        sides = [[block.split() for block in text.strip().split("\n\n")] for text in texts]
        if name == "udpos":
            sides = [[runs_as_chunks(tags) for tags in side] for side in sides]
        names = ("f1", "precision", "recall")
        return {m: 100 * getattr(seqeval.metrics, f"{m}_score")(*sides, zero_division=0) for m in names}
    if name == "bucc2018":
        right, predicted = (set(text.splitlines()) for text in texts)
        precision, recall = len(right & predicted) / len(predicted), len(right & predicted) / len(right)
        f1 = 2 * precision * recall / (precision + recall) if right & predicted else 0
        return {"f1": 100 * f1, "precision": 100 * precision, "recall": 100 * recall}
    if predictions.suffix == ".json":
        answers = json.loads(texts[1])
        data = json.loads(texts[0])["data"]
        items = [item for article in data for paragraph in article["paragraphs"] for item in paragraph["qas"]]
        exact = f1 = 0.0
        for item in items:
            words = answers[item["id"]].split()
            rights = [answer["text"].split() for answer in item["answers"]]
            exact += words in rights
            overlaps = [(Counter(words) & Counter(right)).total() / (len(words) + len(right)) for right in rights]
            f1 += 2 * max(overlaps)
        return {"exact_match": 100 * exact / len(items), "f1": 100 * f1 / len(items)}
    right, predicted = (text.split() for text in texts)
    return {"accuracy": 100 * sum(map(str.__eq__, right, predicted)) / len(right)}


def plain_evaluate(predictions: Path, gold: Path) -> tuple[dict, dict]:
    """Task averages and the group and overall scores, as evaluate.py defines them."""
    tasks = {}
    for name in NINE:
        suffix = "json" if name in ("xquad", "mlqa", "tydiqa") else "tsv"
        scores = [
            plain_score(name, *(root / name / f"test-{language}.{suffix}" for root in (predictions, gold)))
            for language in get_task(name).languages["xtreme"]
        ]
        means = {metric: sum(score[metric] for score in scores) / len(scores) for metric in scores[0]}
        if suffix == "json":
            means["metric"] = (means["exact_match"] + means["f1"]) / 2
        else:
            means["metric"] = means["f1"] if "f1" in means else means["accuracy"]
        tasks[name] = means
    groups = {
        "classification": ("pawsx", "xnli"), "tagging": ("udpos", "panx"), "qa": ("xquad", "mlqa", "tydiqa"),
        "retrieval": ("bucc2018", "tatoeba"),
    }  # fmt: skip
    overall = {group: sum(tasks[name]["metric"] for name in names) / len(names) for group, names in groups.items()}
    return tasks, overall | {"all": sum(means["metric"] for means in tasks.values()) / len(tasks)}


def test_averages_of_a_whole_submission_equal_evaluate_py(submission):
    tasks, overall = plain_evaluate(*submission)
    report = score_folders(*submission)
    assert report["tasks"].keys() == tasks.keys()
    for name, means in tasks.items():
        assert report["tasks"][name]["score"] == pytest.approx(means.pop("metric")), name
        averages = report["tasks"][name]["averages"]
        assert {metric: averages[metric]["score"] for metric in means} == pytest.approx(means), name
    assert report["overall"]["score"] == pytest.approx(overall.pop("all"))
    assert {group: mean["score"] for group, mean in report["groups"].items()} == pytest.approx(overall)
    assert (report["partial"], report["missing"], report["not_scored"]) == (False, [], [])


def test_means_without_english_are_over_all_other_languages(submission):
    report = score_folders(*submission)
    for name, part in report["tasks"].items():
        others = [language["score"] for code, language in part["languages"].items() if code != "en"]
        assert part["non_english"]["score"] == pytest.approx(np.mean(others)), name
    tatoeba = report["tasks"]["tatoeba"]
    assert tatoeba["non_english"]["score"] == tatoeba["score"]
    non_english = [part["non_english"]["score"] for part in report["tasks"].values()]
    assert report["overall"]["non_english"]["score"] == pytest.approx(np.mean(non_english))


def test_every_interval_contains_its_score_and_is_narrower_for_means(submission):
    report = score_folders(*submission)
    widths = []
    for part in report["tasks"].values():
        for language in part["languages"].values():
            assert language["low"] <= language["score"] <= language["high"]
            assert language["bounds"].keys() == language["metrics"].keys()
            widths.append(language["high"] - language["low"])
    assert report["overall"]["low"] < report["overall"]["score"] < report["overall"]["high"]
    assert report["overall"]["high"] - report["overall"]["low"] < np.mean(widths) / 2


def test_report_is_valid_json(submission):
    report = score_folders(*submission)
    assert json.loads(json.dumps(report, allow_nan=False))["overall"] == report["overall"]


def test_pos_metric_changes_only_the_averages_of_part_of_speech_tagging(submission):
    published, ours = (score_folders(*submission, pos_metric=metric) for metric in ("xtreme", "accuracy"))
    for report, metric in ((published, "f1"), (ours, "accuracy")):
        pos = report["tasks"]["udpos"]
        assert pos["metric"] == metric
        assert pos["score"] == pos["averages"][metric]["score"]
        assert {"f1", "accuracy"} <= pos["languages"]["de"]["metrics"].keys()
    moved = ours["tasks"]["udpos"]["score"] - published["tasks"]["udpos"]["score"]
    assert ours["overall"]["score"] - published["overall"]["score"] == pytest.approx(moved / 9)
    assert {n: t for n, t in ours["tasks"].items() if n != "udpos"} == {
        n: t for n, t in published["tasks"].items() if n != "udpos"
    }


def test_tasks_of_xtreme_r_are_scored_and_do_not_enter_the_overall_score(tmp_path, submission):
    predictions, gold = write_submission(random.Random(1), tmp_path, [*NINE, "xcopa", "lareqa", "mewslix"])
    report = score_folders(predictions, gold)
    assert {"xcopa", "lareqa", "mewslix"} < report["tasks"].keys()
    nine = [report["tasks"][name]["score"] for name in NINE]
    assert report["overall"]["score"] == pytest.approx(np.mean(nine))
    assert report["groups"].keys() == GROUPS["xtreme"].keys()


def test_benchmark_xtreme_r_has_its_ten_tasks_and_languages(tmp_path):
    ten = sorted({name for names in GROUPS["xtreme-r"].values() for name in names})
    predictions, gold = write_submission(random.Random(2), tmp_path, ten, benchmark="xtreme-r")
    report = score_folders(predictions, gold, benchmark="xtreme-r")
    assert len(report["tasks"]["panx"]["languages"]) == 48
    assert report["overall"]["score"] == pytest.approx(np.mean([part["score"] for part in report["tasks"].values()]))
    further = [Path(path).stem for path in score_folders(predictions, gold, tasks=["panx"])["not_scored"]]
    added = set(get_task("panx").languages["xtreme-r"]) - set(get_task("panx").languages["xtreme"])
    assert set(further) == {f"test-{language}" for language in added}


def test_folder_that_is_no_task_is_listed_unless_tasks_are_named(tmp_path):
    predictions, gold = write_submission(random.Random(3), tmp_path, ["pawsx"])
    (predictions / "paws-x").mkdir()
    assert score_folders(predictions, gold)["not_scored"] == [str(predictions / "paws-x")]
    assert score_folders(predictions, gold, tasks=["pawsx"])["not_scored"] == []


def test_one_error_lists_every_missing_file_of_both_sides(tmp_path):
    predictions, gold = write_submission(random.Random(3), tmp_path, ["xquad", "pawsx"])
    deleted = [predictions / "xquad/test-el.json", gold / "xquad/test-hi.json", predictions / "pawsx/test-ko.tsv"]
    for path in deleted:
        path.unlink()
    for language in get_task("udpos").languages["xtreme"]:
        write_gold(gold, "udpos", language, make_test_set(random.Random(4), "udpos", language))
    with pytest.raises(DataError) as error:
        score_folders(predictions, gold)
    expected = {str(path) for path in deleted}
    expected |= {str(predictions / f"udpos/test-{c}.tsv") for c in get_task("udpos").languages["xtreme"]}
    assert set(str(error.value).splitlines()[1:]) == expected
    assert str(error.value).startswith(f"{len(expected)} files are missing") and "--partial" in str(error.value)


def test_partial_scores_the_existing_files_and_lists_the_missing_ones(tmp_path):
    predictions, gold = write_submission(random.Random(5), tmp_path, ["xquad", "mlqa", "tydiqa", "xnli", "pawsx"])
    (predictions / "xquad/test-el.json").unlink()
    path = predictions / "mlqa/test-de.json"
    answers = json.loads(path.read_text())
    answers.pop("de3")
    path.write_text(json.dumps(answers))
    report = score_folders(predictions, gold, partial=True)
    assert report["partial"] is True
    assert report["missing"] == [
        str(predictions / "xquad/test-el.json"), f"{path}: 1 ids without a prediction, scored 0",
    ]  # fmt: skip
    assert "el" not in report["tasks"]["xquad"]["languages"]
    assert report["groups"].keys() == {"classification"} and report["overall"] is None
    path.write_text(json.dumps(answers | {"de3": "nothing of the kind"}))
    assert score_folders(predictions, gold, partial=True)["tasks"]["mlqa"] == report["tasks"]["mlqa"]


def test_only_the_requested_task_is_scored(submission):
    report = score_folders(*submission, tasks=["mlqa"])
    assert report["tasks"] == {"mlqa": score_folders(*submission)["tasks"]["mlqa"]}
    with pytest.raises(ValueError, match="did you mean 'xnli'"):
        score_folders(*submission, tasks=["xnil"])


def test_error_for_empty_folders_names_an_expected_folder(tmp_path):
    with pytest.raises(DataError, match="has a folder of a task"):
        score_folders(tmp_path, tmp_path)


@pytest.mark.parametrize("name", TARGET_TASKS)
def test_written_files_are_read_back_and_have_the_scores_of_the_predictions(tmp_path, name):
    rng = random.Random(6)
    for language in ("de", "zh", "ar"):
        examples = make_test_set(rng, name, language, size=30)
        predictions = make_predictions(rng, name, examples)
        path = write_predictions(tmp_path / "predictions", name, language, examples, predictions)
        gold = write_gold(tmp_path / "gold", name, language, examples)
        setting = TaskSetting(get_task(name))
        score = get_family(setting.task).score_predictions(examples, predictions, setting, language)
        again, lacking = score_file(get_task(name), language, path, gold)
        assert (again.metrics, again.n, lacking) == (score.metrics, score.n, 0)
        np.testing.assert_array_equal(again.items, score.items)
        if get_task(name).family == "tagging":
            assert [tuple(tags) for tags in read_tags(path, get_task(name))] == predictions
        elif get_task(name).family in ("pair", "choice"):
            assert read_label_file(path, get_task(name)).values == [str(label) for label in predictions]
        elif get_task(name).family == "span":
            assert read_answers(path) == {example.id: text for example, text in zip(examples, predictions, strict=True)}


def test_any_text_is_read_back_in_answers_and_ids(tmp_path):
    texts = ["", " ", 'a "quoted" one', "tab\tand\nline", "\u2028", "जल", "水", "💧", "\\u0000"]
    examples = [SpanExample(f"id {text}", "zh", "q", "c", ((0, text or "c"),), "g") for text in texts]
    path = write_predictions(tmp_path, "mlqa", "zh", examples, texts)
    assert list(read_answers(path).values()) == texts
    assert list(read_gold_answers(write_gold(tmp_path / "gold", "mlqa", "zh", examples))) == [e.id for e in examples]


REAL = {"xnli": "sw", "pawsx": "ko", "udpos": "tr", "panx": "my", "xquad": "el", "mlqa": "zh", "tydiqa": "ko",
        "tatoeba": "de", "bucc2018": "zh", "xcopa": "ht", "lareqa": "th"}  # fmt: skip


def test_real_sets_have_the_same_scores_in_a_run_and_from_its_folder(tmp_path, stilts_data):
    rng, expected = random.Random(7), {}
    for name, language in REAL.items():
        assert language in available_languages(name, data=stilts_data)
        examples = load(name, "test", language, data=stilts_data).items
        examples = examples if get_task(name).family == "retrieval" else examples[:400]
        predictions = make_predictions(rng, name, examples)
        write_predictions(tmp_path / "predictions", name, language, examples, predictions)
        write_gold(tmp_path / "gold", name, language, examples)
        setting = TaskSetting(get_task(name))
        score = get_family(setting.task).score_predictions(examples, predictions, setting, language)
        expected[name] = {
            "metrics": score.metrics,
            "n": score.n,
            "interval": bootstrap_metrics(score)[get_task(name).metric].bounds,
        }
    report = score_folders(tmp_path / "predictions", tmp_path / "gold", partial=True, pos_metric="accuracy")
    for name, language in REAL.items():
        scored = report["tasks"][name]["languages"][language]
        reported = {"metrics": scored["metrics"], "n": scored["n"], "interval": (scored["low"], scored["high"])}
        assert reported == expected[name], name


def test_files_of_the_publishers_are_valid_gold_files(tmp_path, stilts_data):
    (tmp_path / "gold/xcopa").mkdir(parents=True)
    (tmp_path / "gold/xquad").mkdir()
    (tmp_path / "gold/xcopa/test-ht.jsonl").write_bytes((stilts_data / "xtreme/xcopa/test.ht.jsonl").read_bytes())
    (tmp_path / "gold/xquad/test-el.json").write_bytes((stilts_data / "xtreme/xquad/xquad.el.json").read_bytes())
    for name, language in (("xcopa", "ht"), ("xquad", "el")):
        examples = load(name, "test", language, data=stilts_data).items
        right = [e.label if name == "xcopa" else e.answers[0][1] for e in examples]
        write_predictions(tmp_path / "predictions", name, language, examples, right)
    report = score_folders(tmp_path / "predictions", tmp_path / "gold", partial=True)
    assert [report["tasks"][name]["score"] for name in ("xcopa", "xquad")] == [100, 100]


def test_xcopa_is_read_as_json_lines_and_as_plain_labels(tmp_path):
    examples = make_test_set(random.Random(8), "xcopa", "et")
    predictions = make_predictions(random.Random(8), "xcopa", examples)
    objects = write_predictions(tmp_path, "xcopa", "et", examples, predictions)
    labels = tmp_path / "test-et.tsv"
    labels.write_text("".join(f"{label}\n" for label in predictions))
    assert read_label_file(objects, get_task("xcopa")).values == read_label_file(labels, get_task("xcopa")).values


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("xnli", "entailment\nmaybe\n" + "neutral\n" * 6, r"test-de.tsv, line 2: unknown label 'maybe'; .*neutral"),
        ("xnli", "entailment\n" * 7, r"7 lines, but 8 in .*labels.*; predict every item"),
        ("pawsx", b"1\n0\n\xe9\n", "line 3: byte 0xe9 is not UTF-8"),
        ("udpos", "NOUN\n\nNOM\n", r"line 3: unknown tag 'NOM'; .*NOUN"),
        ("panx", "O\n\nO\n", "2 sentences, but 8 in"),
        ("panx", "O\n" * 13 + "\n" + "O\n\n" * 7, "13 tags in sentence 1, but"),
        ("xquad", '{"de0": "river"', "line 1: invalid JSON"),
        ("xquad", '{"de0": "river"}', "no prediction for 7 of the 8 ids of .*, such as de1; .*--partial"),
        ("xquad", '{"de0": 3}', "id de0: 3; expected an object of texts by id"),
        ("xquad", '["river"]', "a JSON list; expected an object of texts by id"),
        ("tatoeba", "0\n1\nx\n", "line 3: 'x' is not a number"),
        ("tatoeba", "0\n1\n", "2 lines, but 8 in"),
        ("bucc2018", "de-001 en-001\n", "line 1: 'de-001 en-001' is not two ids with a tab between them"),
    ],
)
def test_error_for_wrong_predictions_names_the_line_and_the_remedy(tmp_path, name, content, message):
    predictions, gold = write_submission(random.Random(9), tmp_path, [name])
    path = next((predictions / name).glob("test-de.*"))
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message) as error:
        score_folders(predictions, gold)
    assert str(path) in str(error.value)


def test_empty_gold_file_is_an_error_and_an_empty_bucc_prediction_scores_zero(tmp_path):
    predictions, gold = write_submission(random.Random(10), tmp_path, ["bucc2018"])
    (predictions / "bucc2018/test-de.tsv").write_text("")
    assert score_folders(predictions, gold)["tasks"]["bucc2018"]["languages"]["de"]["score"] == 0
    (gold / "bucc2018/test-de.tsv").write_text("")
    with pytest.raises(DataError, match=r"labels/bucc2018/test-de.tsv: empty"):
        score_folders(predictions, gold)


def test_interrupted_write_leaves_the_previous_file_unchanged(tmp_path, monkeypatch):
    examples = make_test_set(random.Random(11), "xnli", "de")
    path = write_gold(tmp_path, "xnli", "de", examples)
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write_predictions(tmp_path, "xnli", "de", examples, ["neutral"] * len(examples))
    assert path.read_bytes() == before
