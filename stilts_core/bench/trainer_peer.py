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
from torch.utils.data import Dataset, Sampler
from transformers.trainer_pt_utils import LengthGroupedSampler, get_length_grouped_indices

from stilts_core.families.batches import Batch, collate
from stilts_core.families.features import Features
from stilts_core.families.head import Head
from stilts_core.families.setting import TaskSetting
from stilts_core.training.compute import Compute
from stilts_core.training.phase import Phase
from stilts_core.training.schedule import Schedule

MODELS = {
    "pair": transformers.AutoModelForSequenceClassification,
    "choice": transformers.AutoModelForMultipleChoice,
    "tagging": transformers.AutoModelForTokenClassification,
    "span": transformers.AutoModelForQuestionAnswering,
}
ATTENTIONS = ("sdpa", "eager")


@dataclass(frozen=True)
class TrainerConfiguration:
    """The choices of a Trainer user: precision, batches by length or at random, and the implementation of attention.

    Fused AdamW is already the default of transformers 5. `pool` is the number of batches that are sorted by length
    together. With None the library chooses it: 50 for large data, and fewer for small data.
    """

    bf16: bool = False
    by_length: bool = False
    attention: str | None = None
    pool: int | None = None


def build_model(folder: Path, setting: TaskSetting, head: Head, attention: str | None) -> transformers.PreTrainedModel:
    """The transformers model of the task's family, in fp32, with the weights of the encoder folder and of `head`."""
    transformers.utils.logging.set_verbosity_error()  # it warns of missing head weights, which are loaded below
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
    names = sorted(layers, key=lambda name: "pooler" not in name)  # the pooler comes first, as in our heads
    for name, ours in zip(names, [m for m in head.modules() if isinstance(m, nn.Linear)], strict=True):
        layers[name].load_state_dict(ours.state_dict())
    return model


class FeatureNumbers(Dataset):
    """The numbers of the features, in the order of `order`.

    LengthGroupedSampler reads only the length of `input_ids`. The collator builds the batch from the numbers.
    """

    def __init__(self, features: Features, order: np.ndarray) -> None:
        self.features, self.order = features, order

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: int) -> dict[str, object]:
        number = self.order[index]
        return {"input_ids": range(self.features.lengths[number]), "feature": number}


class Collator:
    """Builds a batch padded like ours, under the argument names of transformers' models, and counts its sub-words."""

    def __init__(self, features: Features, family: str, pad: int, *, with_labels: bool = True) -> None:
        self.features, self.family, self.pad, self.with_labels = features, family, pad, with_labels
        self.tokens = self.padded = 0

    def __call__(self, items: list[dict]) -> dict[str, torch.Tensor]:
        batch = collate(self.features, np.array([item["feature"] for item in items]), self.pad)
        self.tokens += int(batch.mask.sum())
        self.padded += batch.mask.numel()
        inputs = {"input_ids": batch.ids, "attention_mask": batch.mask.long(), "token_type_ids": batch.types}
        if self.family == "choice":
            inputs = {name: ids.view(len(items), -1, ids.shape[1]) for name, ids in inputs.items()}
        return inputs | (self._labels(batch) if self.with_labels else {})

    def _labels(self, batch: Batch) -> dict[str, torch.Tensor]:
        if self.family == "span":
            return {f"{edge}_positions": batch.targets[edge] for edge in ("start", "end")}
        return {"labels": batch.token_targets["tag"] if self.family == "tagging" else batch.targets["label"]}


class TrainingClock(transformers.TrainerCallback):
    """Measures the seconds from the beginning of training to its end."""

    def __init__(self) -> None:
        self.started = self.seconds = 0.0

    def on_train_begin(self, *_: object, **__: object) -> None:
        """Start the clock."""
        self.started = time.perf_counter()

    def on_train_end(self, *_: object, **__: object) -> None:
        """Stop the clock when a GPU has finished."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds = time.perf_counter() - self.started


class PooledLengthSampler(LengthGroupedSampler):
    """Trainer's batches by length, sorted in pools of `pool` batches, whatever the size of the data."""

    def __init__(self, lengths: list[int], batch_size: int, pool: int) -> None:
        super().__init__(batch_size, lengths=lengths)
        self.pool = pool

    def __iter__(self) -> Iterator[int]:
        return iter(get_length_grouped_indices(self.lengths, self.batch_size, mega_batch_mult=self.pool))


class PeerTrainer(transformers.Trainer):
    """Trainer with a sampler of our choice; None leaves the library's own."""

    sampler: Sampler[int] | None = None

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler[int] | None:
        return self.sampler if self.sampler is not None else super()._get_train_sampler(train_dataset)


def train_model(
    model: transformers.PreTrainedModel,
    features: Features,
    setting: TaskSetting,
    schedule: Schedule,
    configuration: TrainerConfiguration,
    compute: Compute,
    *,
    pad: int,
    steps: int = -1,
) -> Phase:
    """Train the model for the epochs of the schedule, or for `steps` updates; returns steps, seconds and sub-words."""
    collator, clock = Collator(features, setting.task.family, pad), TrainingClock()
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
            **_common_arguments(configuration, compute),
        )
        numbers = FeatureNumbers(features, np.arange(len(features)))
        trainer = PeerTrainer(model, arguments, collator, numbers, callbacks=[clock])
        # The library's linear schedule starts at a rate of 0; ours starts at the first step of the warm-up.
        updates = steps if steps > 0 else _count_updates(len(features), schedule)
        trainer.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
            trainer.create_optimizer(), lambda step: schedule.lr_at(min(step, updates), updates) / schedule.lr
        )
        if configuration.pool:
            lengths = features.lengths.tolist()
            trainer.sampler = PooledLengthSampler(lengths, schedule.batch_size, configuration.pool)
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    return Phase(steps=trainer.state.global_step, seconds=clock.seconds, tokens=collator.tokens, padded=collator.padded)


def predict_outputs(
    model: transformers.PreTrainedModel,
    features: Features,
    setting: TaskSetting,
    configuration: TrainerConfiguration,
    compute: Compute,
    *,
    pad: int,
    rows: int,
) -> tuple[np.ndarray, float]:
    """The outputs in the form of `stilts_core.runs.prediction.predict`, and the seconds of Trainer.predict.

    The features are sorted by length, the longest first, with `rows` features a batch.
    """
    family = setting.task.family
    order = np.argsort(-features.lengths, kind="stable")
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder, per_device_eval_batch_size=rows, **_common_arguments(configuration, compute)
        )
        trainer = transformers.Trainer(
            model,
            arguments,
            Collator(features, family, pad, with_labels=False),
            preprocess_logits_for_metrics=_find_best_tag if family == "tagging" else None,
        )
        started = time.perf_counter()
        predictions = trainer.predict(FeatureNumbers(features, order)).predictions
        seconds = time.perf_counter() - started
    sorted_outputs = np.stack(predictions, -1) if isinstance(predictions, tuple) else predictions
    outputs = np.empty_like(sorted_outputs)
    outputs[order] = sorted_outputs
    if family == "choice":
        return outputs.reshape(-1, 1), seconds
    if family == "pair":
        return outputs, seconds
    inside = np.arange(outputs.shape[1]) < features.lengths[:, None]
    return outputs[inside].reshape(inside.sum(), -1), seconds


def _find_best_tag(logits: torch.Tensor, _: object) -> torch.Tensor:
    return logits.argmax(-1)


def _count_updates(examples: int, schedule: Schedule) -> int:
    return int(np.ceil(schedule.epochs * np.ceil(examples / schedule.batch_size)))


def _common_arguments(configuration: TrainerConfiguration, compute: Compute) -> dict:
    """The arguments that keep Trainer from work that is not measured: checkpoints, logs, progress bars."""
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
