"""Scoring a target in all its languages: our prediction and Trainer.predict in turns, with the same weights."""

from itertools import chain, product

import numpy as np
import torch

from stilts_core.batching import used_ids
from stilts_core.bench import trainer
from stilts_core.bench.measuring import Options, compared, fastest, in_turns, timed
from stilts_core.bench.workloads import BEST, Workload
from stilts_core.encoder import load_encoder
from stilts_core.evaluation import predict
from stilts_core.gathering import gather
from stilts_core.pipeline import task_data

ROWS = (16, 64, 256)  # features a batch among which the peer has its choice
TRIED = 8  # one feature in so many decides what suits the peer


def measure(workload: Workload, options: Options) -> dict:
    """Speed of prediction in all languages, and the share of the peer's predictions that ours equal.

    Both read the same features and end with the same array of outputs; making features and decoding are not timed.
    """
    config, compute = workload.config(options.encoder), options.compute
    data = gather(config)
    encoder = load_encoder(config.encoder, dropout=config.dropout)
    setting = task_data(workload.target, data.target, config, encoder).setting
    family, examples = setting.family, list(chain(*data.tests.values()))
    features = family.features(examples, encoder.tokens, setting)
    torch.manual_seed(0)
    head = family.head(encoder, setting)
    models = {attention: trainer.model_of(encoder.folder, setting, head, attention) for attention in trainer.ATTENTIONS}
    encoder.trim_vocabulary(used_ids(features))

    def their_outputs(chosen, attention: str, rows: int) -> tuple[np.ndarray, float]:
        how = trainer.Configuration(bf16=compute.precision == "bf16", attention=attention)
        return trainer.predict(models[attention], chosen, setting, how, compute, pad=encoder.tokens.pad, rows=rows)

    sample = family.features(examples[::TRIED], encoder.tokens, setting)
    tried = {
        choice: lambda _, choice=choice: their_outputs(sample, *choice)[1]
        for choice in product(trainer.ATTENTIONS, ROWS)
    }
    attention, rows = fastest("attention and rows of Trainer.predict", tried)

    outputs = {}

    def our_turn(_: int) -> float:
        def work():
            outputs["ours"] = predict(encoder, head, features, compute)

        return timed(work)

    def their_turn(_: int) -> float:
        outputs["theirs"], seconds = their_outputs(features, attention, rows)
        return seconds

    our_turn(0)  # warms up, as the trials did
    spent = in_turns(workload.name, {"ours": our_turn, BEST: their_turn}, options.repetitions)
    mine, other = (family.decode(outputs[name], features, examples, setting) for name in ("ours", "theirs"))
    tokens = int(features.starts[-1])
    counts = {"examples_per_second": len(examples), "tokens_per_second": tokens}
    result = {
        name: {BEST: compared(name, *([count / taken for taken in spent[peer]] for peer in ("ours", BEST)))}
        for name, count in counts.items()
    }
    result["examples_per_second"][BEST]["configuration"] = {"attention": attention, "rows": rows}
    result["agreement"] = {BEST: compared("agreement", [np.mean([a == b for a, b in zip(mine, other, strict=True)])])}
    return result
