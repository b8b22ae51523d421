"""The peer of training and evaluation: transformers' Trainer, on the same encoder, features, updates and schedule."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers
from torch import nn
from transformers.trainer_pt_utils import LengthGroupedSampler, get_length_grouped_indices

from stilts_core.batching import Features, collate
from stilts_core.compute import Compute
from stilts_core.families.head import Head
from stilts_core.families.setting import Setting
from stilts_core.training import Phase, Schedule

MODELS = {
    "pair": transformers.AutoModelForSequenceClassification,
    "choice": transformers.AutoModelForMultipleChoice,
    "tagging": transformers.AutoModelForTokenClassification,
    "span": transformers.AutoModelForQuestionAnswering,
}
ATTENTIONS = ("sdpa", "eager")


@dataclass(frozen=True)
class Configuration:
    """What a user of Trainer chooses: precision, batches by length or random ones, and the attention's code.

    Fused AdamW is what transformers 5 takes by itself. `pool` is the number of batches that are sorted by length
    together; None leaves it to the library, which takes fewer from small data than the 50 of large.
    """

    bf16: bool = False
    by_length: bool = False
    attention: str | None = None
    pool: int | None = None


def model_of(folder: Path, setting: Setting, head: Head, attention: str | None) -> transformers.PreTrainedModel:
    """The transformers model of the task's family in fp32, starting from the encoder and from the weights of `head`."""
    transformers.utils.logging.set_verbosity_error()  # it warns of the head's weights, which are given below
    transformers.utils.logging.disable_progress_bar()
    model = MODELS[setting.task.family].from_pretrained(
        folder,
        dtype=torch.float32,
        attn_implementation=attention,
        hidden_dropout_prob=setting.dropout,
        attention_probs_dropout_prob=setting.dropout,
        **({"num_labels": len(setting.labels)} if setting.labels else {}),
    )
    layers = {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear) and ".encoder." not in name}
    theirs = sorted(layers, key=lambda name: "pooler" not in name)  # the pooler comes first, whatever was made first
    ours = [m for m in head.modules() if isinstance(m, nn.Linear)]
    for name, given in zip(theirs, ours, strict=True):
        layers[name].load_state_dict(given.state_dict())
    return model


class Numbers(torch.utils.data.Dataset):
    """The features, in the order of `chosen`, as their numbers.

    LengthGroupedSampler asks for nothing but the length of `input_ids`; the collator makes the batch.
    """

    def __init__(self, features: Features, chosen: np.ndarray):
        self.features, self.chosen = features, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> dict:
        number = self.chosen[index]
        return {"input_ids": range(self.features.lengths[number]), "feature": number}


class Collator:
    """Pads a batch as ours are padded, under the names that transformers' models have; counts its sub-words."""

    def __init__(self, features: Features, family: str, pad: int, *, labelled: bool = True):
        self.features, self.family, self.pad, self.labelled = features, family, pad, labelled
        self.examples = self.tokens = self.padded = 0

    def __call__(self, items: list[dict]) -> dict[str, torch.Tensor]:
        batch = collate(self.features, np.array([item["feature"] for item in items]), self.pad)
        self.examples += len(items)
        self.tokens += int(batch.mask.sum())
        self.padded += batch.mask.numel()
        inputs = {"input_ids": batch.ids, "attention_mask": batch.mask.long(), "token_type_ids": batch.types}
        if self.family == "choice":
            inputs = {name: ids.view(len(items), -1, ids.shape[1]) for name, ids in inputs.items()}
        return inputs | (self._labels(batch) if self.labelled else {})

    def _labels(self, batch) -> dict[str, torch.Tensor]:
        if self.family == "span":
            return {f"{edge}_positions": batch.targets[edge] for edge in ("start", "end")}
        return {"labels": batch.token_targets["tag"] if self.family == "tagging" else batch.targets["label"]}


class Clock(transformers.TrainerCallback):
    """Seconds from the begin of training to its end."""

    def __init__(self):
        self.seconds = 0.0

    def on_train_begin(self, *_, **__) -> None:
        self.started = time.perf_counter()

    def on_train_end(self, *_, **__) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds = time.perf_counter() - self.started


class Pools(LengthGroupedSampler):
    """Trainer's batches by length, from pools of `pool` batches whatever the size of the data."""

    def __init__(self, lengths: list[int], batch_size: int, pool: int):
        super().__init__(batch_size, lengths=lengths)
        self.pool = pool

    def __iter__(self) -> Iterator[int]:
        return iter(get_length_grouped_indices(self.lengths, self.batch_size, mega_batch_mult=self.pool))


def train(
    model: transformers.PreTrainedModel,
    features: Features,
    setting: Setting,
    schedule: Schedule,
    configuration: Configuration,
    compute: Compute,
    *,
    pad: int,
    steps: int = -1,
) -> Phase:
    """Train the model for the schedule's epochs, or for `steps` updates only; returns what that took."""
    collator, clock = Collator(features, setting.task.family, pad), Clock()
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder,
            num_train_epochs=schedule.epochs,
            max_steps=steps,
            per_device_train_batch_size=schedule.batch_size,
            learning_rate=schedule.lr,
            weight_decay=schedule.weight_decay,
            max_grad_norm=schedule.clip,
            seed=schedule.seed,
            train_sampling_strategy="group_by_length" if configuration.by_length else "random",
            **_common(configuration, compute),
        )
        numbers = Numbers(features, np.arange(len(features)))
        trainer = transformers.Trainer(model, arguments, collator, numbers, callbacks=[clock])
        # The library's own linear schedule starts at a rate of 0; ours, at the first step of its rise.
        updates = steps if steps > 0 else _updates(len(features), schedule)
        trainer.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
            trainer.create_optimizer(), lambda step: schedule.lr_at(min(step, updates), updates) / schedule.lr
        )
        if configuration.pool:
            pools = Pools(features.lengths.tolist(), schedule.batch_size, configuration.pool)
            trainer._get_train_sampler = lambda *_: pools
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    return Phase(steps=trainer.state.global_step, seconds=clock.seconds, tokens=collator.tokens, padded=collator.padded)


def predict(
    model: transformers.PreTrainedModel,
    features: Features,
    setting: Setting,
    configuration: Configuration,
    compute: Compute,
    *,
    pad: int,
    rows: int,
) -> tuple[np.ndarray, float]:
    """Outputs as `stilts_core.evaluation.predict` has them, and the seconds of Trainer.predict.

    Sorted by length, longest first, `rows` features a batch.
    """
    family = setting.task.family
    order = np.argsort(-features.lengths, kind="stable")
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder, per_device_eval_batch_size=rows, **_common(configuration, compute)
        )
        trainer = transformers.Trainer(
            model,
            arguments,
            Collator(features, family, pad, labelled=False),
            preprocess_logits_for_metrics=_best_tag if family == "tagging" else None,
        )
        started = time.perf_counter()
        found = trainer.predict(Numbers(features, order)).predictions
        seconds = time.perf_counter() - started
    values = np.stack(found, -1) if isinstance(found, tuple) else found
    restored = np.empty_like(values)
    restored[order] = values
    if family == "choice":
        return restored.reshape(-1, 1), seconds
    if family == "pair":
        return restored, seconds
    inside = np.arange(values.shape[1]) < features.lengths[:, None]
    return restored[inside].reshape(inside.sum(), -1), seconds


def _best_tag(logits: torch.Tensor, labels) -> torch.Tensor:
    return logits.argmax(-1)


def _updates(size: int, schedule: Schedule) -> int:
    return int(np.ceil(schedule.epochs * np.ceil(size / schedule.batch_size)))


def _common(configuration: Configuration, compute: Compute) -> dict:
    """The arguments that keep Trainer from doing anything else than what is timed."""
    return {
        "bf16": configuration.bf16,
        "use_cpu": compute.device == "cpu",
        "dataloader_pin_memory": compute.device != "cpu",
        "remove_unused_columns": False,
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
