"""The language probe and the masked-LM loss against scikit-learn, transformers, and saved encoders."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeClassifier
from sklearn.preprocessing import StandardScaler
from toy import make_training_task
from transformers import AutoModelForMaskedLM

from stilts_core.config import RunConfig
from stilts_core.families import mlm
from stilts_core.families.batches import collate
from stilts_core.families.features import IGNORE, used_ids
from stilts_core.families.mlm import MLMHead
from stilts_core.report.tables import run as tables
from stilts_core.runs import language_measures
from stilts_core.runs.encoders import load_encoder
from stilts_core.runs.inputs import run_checksums, run_folder
from stilts_core.runs.language_measures import SEED, LanguageMeter, probe_accuracy
from stilts_core.runs.pipeline import run
from stilts_core.runs.record import RECORD, read_record
from stilts_core.training.compute import Compute
from stilts_core.training.loop import train
from stilts_core.training.schedule import Schedule


@pytest.fixture
def encoder(tiny_xlmr, one_thread):
    return load_encoder(str(tiny_xlmr))


@pytest.fixture
def meter(monkeypatch) -> LanguageMeter:
    monkeypatch.setattr(language_measures, "TEXTS", 12)
    config = RunConfig(profile="small", source="laboratory").resolved()
    return LanguageMeter(config, ["qbe", "qal"], [2, 3], Compute())


@pytest.mark.parametrize("offset", [0.0, 0.3, 1.0, 30.0])
def test_probe_is_a_ridge_classifier_on_standardised_states(offset):
    rng = np.random.default_rng(0)
    states = {code: rng.normal(size=(80, 6)) + offset * rng.normal(size=6) for code in ("en", "qbe", "qal")}
    learnt, tested = (np.concatenate([own[start::2] for own in states.values()]) for start in (0, 1))
    labels = np.repeat(np.arange(3), 40)
    scaler = StandardScaler().fit(learnt)
    classifier = RidgeClassifier(alpha=1.0).fit(scaler.transform(learnt), labels)
    expected = 100 * classifier.score(scaler.transform(tested), labels)
    assert probe_accuracy(states) == pytest.approx(expected)
    assert offset or probe_accuracy(states) < 60
    assert offset < 30 or probe_accuracy(states) == 100


def test_masked_lm_loss_is_that_of_transformers(encoder, meter):
    theirs = AutoModelForMaskedLM.from_pretrained(encoder.folder).eval()
    found = meter.measure(encoder).mlm_loss
    for language, texts in meter.texts.items():
        features = mlm.make_features(texts, encoder.tokenizer, language_measures.MAX_LENGTH)
        batch = collate(features, np.arange(len(features)), encoder.tokenizer.pad)
        batch = MLMHead(encoder).prepare(batch, (SEED,))
        labels = batch.token_targets["token"]
        with torch.no_grad():
            loss = theirs(input_ids=batch.ids, attention_mask=batch.mask.long(), labels=labels).loss
        assert (labels != IGNORE).any()
        assert found[language] == pytest.approx(float(loss), rel=1e-4)


def test_measures_of_a_trained_encoder_are_those_of_the_saved_one(encoder, meter, tmp_path):
    task = make_training_task(encoder, "mnli", 16)
    encoder.trim_vocabulary(used_ids(task.features))
    phase = train(encoder, [task], Schedule(epochs=2, lr=1e-2, batch_size=4, seed=0, weight_decay=0.5))
    found = meter.measure_trained(encoder, phase.unused_scale)
    encoder.save(tmp_path / "saved", phase.unused_scale)
    saved = load_encoder(str(tmp_path / "saved"))
    head = MLMHead(load_encoder(str(encoder.folder))).state_dict()
    saved.read_mlm_head = lambda: head
    expected = meter.measure(saved)
    assert found.probe == expected.probe
    assert found.mlm_loss == pytest.approx(expected.mlm_loss, rel=1e-4)
    assert found.mlm_loss != pytest.approx(meter.measure_pretrained(encoder).mlm_loss, rel=1e-2)


def test_encoder_without_an_mlm_head_has_no_loss(encoder, meter, monkeypatch):
    monkeypatch.setattr(type(encoder), "read_mlm_head", lambda self: None)
    measures = meter.measure(encoder)
    assert measures.mlm_loss == {} and set(measures.probe) == {"2", "3"}


def test_measures_of_the_pretrained_encoder_are_taken_once(encoder, meter, monkeypatch):
    first = meter.measure_pretrained(encoder)
    monkeypatch.setattr(LanguageMeter, "measure", lambda self, encoder: pytest.fail("measured again"))
    assert meter.measure_pretrained(encoder) == first


@pytest.mark.parametrize("intermediate, held_out", [("mlm>mnli", False), ("mnli>mlm", False), ("mnli>qqp", True)])
def test_text_of_any_phase_of_a_chain_is_not_held_out(intermediate, held_out, tmp_path, monkeypatch):
    monkeypatch.setenv("STILTS_DATA", str(tmp_path))
    for mixed in (False, True):
        config = RunConfig(profile="small", intermediate=intermediate, mixed=mixed).resolved()
        assert LanguageMeter(config, ["de"], [0], Compute()).held_out == held_out


def test_source_without_text_has_no_measures_and_a_note(tmp_path, monkeypatch):
    monkeypatch.setenv("STILTS_DATA", str(tmp_path))
    config = RunConfig(profile="small").resolved()
    meter = LanguageMeter(config, ["de"], [0], Compute())
    assert meter.texts == {} and "en, de (expected files: text/LANGUAGE.txt)" in meter.note
    (tmp_path / "text").mkdir()
    (tmp_path / "text/de.txt").write_text("a\nb\n")
    assert "without unlabelled text: en (" in LanguageMeter(config, ["de"], [0], Compute()).note


def test_probe_reads_one_sequence_of_each_text(encoder, meter, monkeypatch):
    seen = []
    monkeypatch.setattr(language_measures, "MAX_LENGTH", 8)
    monkeypatch.setattr(language_measures, "probe_accuracy", lambda states: seen.append(states) or 0.0)
    meter.measure(encoder)
    assert all(len(own) == 12 for states in seen for own in states.values()) and len(seen) == 2


def test_record_has_the_measures_only_where_the_configuration_asks(tiny_xlmr, tmp_path, monkeypatch, one_thread):
    monkeypatch.setattr(language_measures, "TEXTS", 12)
    sizes = {"target_examples": 16, "dev_examples": 4, "test_examples": 4, "target_epochs": 1, "target_lr": 1e-2}
    plain = RunConfig(
        profile="small", encoder=str(tiny_xlmr), source="laboratory", languages="en,qbe", quiet=True,
        runs_dir=str(tmp_path), **sizes,
    )  # fmt: skip
    asking = RunConfig(**plain.to_dict() | {"measure_languages": True})
    without, record = run(plain), run(asking)
    assert without.language_measures is None and tables.languages(without) is None
    assert without.scores == record.scores and without.run_id != record.run_id
    measured = read_record(Path(record.folder) / RECORD).language_measures
    assert measured and measured.held_out and measured.texts == {"en": 12, "qbe": 12}
    assert measured.before.probe.keys() == measured.after.probe.keys() == {"2", "3"}
    assert measured.before.mlm_loss.keys() == {"en", "qbe"} and measured.after.mlm_loss != measured.before.mlm_loss
    html = tables.languages(record).data
    assert "language told from hidden state 3" in html and "masked-LM loss, Berin (qbe)" in html
    assert run_folder(plain.resolved(), run_checksums(plain.resolved())).name == without.run_id
