"""The evaluation workloads: scoring a target in all languages, with our prediction and with Trainer.predict."""

from collections.abc import Callable
from functools import partial
from itertools import chain, product

import numpy as np
import torch

from stilts_core.bench.figures import MeasuredFigures, compare_figures
from stilts_core.bench.measurement import Options, choose_fastest, measure_alternately, measure_seconds
from stilts_core.bench.trainer_peer import ATTENTIONS, TrainerConfiguration, build_model, predict_outputs
from stilts_core.bench.workloads import BEST, Workload
from stilts_core.families.features import Features, used_ids
from stilts_core.families.table import get_family
from stilts_core.runs.data import read_target
from stilts_core.runs.encoders import load_encoder
from stilts_core.runs.prediction import predict
from stilts_core.runs.preparation import task_setting

BATCH_SIZES = (16, 64, 256)  # features a batch, from which the fastest is chosen for the peer
TRIAL_SHARE = 8  # one feature in so many decides which configuration suits the peer


def measure_evaluation(workload: Workload, options: Options) -> MeasuredFigures:
    """The speed of prediction in all languages, and the share of predictions that equal the peer's.

    Both sides have the same weights and features, and return the same array of outputs. Tokenisation and decoding are
    not measured.
    """
    config, compute = workload.make_config(options.encoder), options.compute
    tests = read_target(config).tests
    encoder = load_encoder(config.encoder, dropout=config.dropout)
    setting = task_setting(workload.target, config, encoder)
    family, examples = get_family(setting.task), list(chain(*tests.values()))
    features = family.make_features(examples, encoder.tokenizer, setting)
    torch.manual_seed(0)
    head = family.new_head(encoder, setting)
    models = {attention: build_model(encoder.folder, setting, head, attention) for attention in ATTENTIONS}
    encoder.trim_vocabulary(used_ids(features))

    def predict_theirs(chosen: Features, attention: str, rows: int) -> tuple[np.ndarray, float]:
        configuration = TrainerConfiguration(bf16=compute.precision == "bf16", attention=attention)
        pad = encoder.tokenizer.pad
        return predict_outputs(models[attention], chosen, setting, configuration, compute, pad=pad, rows=rows)

    sample = family.make_features(examples[::TRIAL_SHARE], encoder.tokenizer, setting)

    def measure_trial(attention: str, rows: int, _: int) -> float:
        return predict_theirs(sample, attention, rows)[1]

    trials = {choice: partial(measure_trial, *choice) for choice in product(ATTENTIONS, BATCH_SIZES)}
    attention, rows = choose_fastest("attention and batch size of Trainer.predict", trials)
    outputs: dict[str, np.ndarray] = {}

    def measure_ours(_: int) -> float:
        def work() -> None:
            outputs["ours"] = predict(encoder, head, features, compute)

        return measure_seconds(work)

    def measure_theirs(_: int) -> float:
        outputs["theirs"], seconds = predict_theirs(features, attention, rows)
        return seconds

    measure_ours(0)  # warms up our side; the trials have warmed up the peer
    calls: dict[str, Callable[[int], float]] = {"ours": measure_ours, BEST: measure_theirs}
    seconds = measure_alternately(workload.name, calls, options.repetitions)
    ours, theirs = (family.decode(outputs[side], features, examples, setting) for side in ("ours", "theirs"))
    counts = {"examples_per_second": len(examples), "tokens_per_second": int(features.starts[-1])}
    result: MeasuredFigures = {}
    for measure, count in counts.items():
        speeds = ([count / taken for taken in seconds[side]] for side in ("ours", BEST))
        result[measure] = {BEST: compare_figures(measure, *speeds)}
    result["examples_per_second"][BEST]["configuration"] = {"attention": attention, "rows": rows}
    agreement = np.mean([a == b for a, b in zip(ours, theirs, strict=True)])
    result["agreement"] = {BEST: compare_figures("agreement", [float(agreement)])}
    return result
