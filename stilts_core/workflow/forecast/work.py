"""The arithmetic of one phase and of one evaluation, from a configuration alone: no data and no encoder are needed.

Numbers of examples and lengths of inputs come from `tasks.part_facts`, and those of generated examples from the
laboratory. The dev parts, heads other than that of masked LM, and `measure_languages` are not counted.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from stilts_core.config import LABORATORY, ResolvedConfig
from stilts_core.encoders.sizes import EncoderSizes
from stilts_core.families.mlm import MASKED
from stilts_core.laboratory import generator
from stilts_core.pretraining.recipe import parse_lab_encoder
from stilts_core.runs.inputs import find_source
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS, Task, get_task
from stilts_core.tasks.part_facts import TEXT, InputLengths, input_lengths, part_size
from stilts_core.tasks.retrieval_sets import CANDIDATES
from stilts_core.training.batching import compute_sampling_shares

PUBLISHED_DATA = "publishers"  # in `part_lengths.csv`; generated examples are in the rows of their edition


@dataclass(frozen=True)
class Work:
    """The work of a phase or an evaluation: optimiser steps, sub-words, floating-point operations, and scored items.

    `unknown` are sentences about what could not be counted, and `assumed` about lengths that were not measured.
    """

    steps: int = 0
    tokens: float = 0.0
    flops: float = 0.0
    items: float = 0.0
    unknown: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()

    def __add__(self, other: "Work") -> "Work":
        return Work(
            self.steps + other.steps,
            self.tokens + other.tokens,
            self.flops + other.flops,
            self.items + other.items,
            self.unknown + other.unknown,
            self.assumed + other.assumed,
        )


class _Visits(NamedTuple):
    """The features of one task that a phase visits, and their lengths."""

    number: float
    lengths: InputLengths

    @property
    def tokens(self) -> float:
        return self.number * self.lengths.sub_words / self.lengths.features

    @property
    def squares(self) -> float:
        return self.number * self.lengths.squares / self.lengths.features


@dataclass(frozen=True)
class PhaseForecast:
    """The work of the last intermediate phase of a configuration ('intermediate'), or of its target ('target')."""

    config: ResolvedConfig
    phase: str
    sizes: EncoderSizes

    @cached_property
    def _tasks(self) -> tuple[Task, ...]:
        names = self.config.last_tasks if self.phase == "intermediate" else (self.config.target,)
        return tuple(map(get_task, names))

    @cached_property
    def _first(self) -> Task:
        """The task whose recipe the phase follows."""
        return self._tasks[0] if self._tasks else get_task(INTERMEDIATE_TASKS[0])

    @property
    def _batch_size(self) -> int:
        return self.config.batch_size or self._first.paper.batch_size or 1

    def work(self) -> Work:
        """The work of the phase; nothing for a target that is scored without training."""
        if self.phase == "target" and not self._first.trained_on:
            return Work()
        if not self._tasks:
            return self._text_phase()
        features, unknown = self._features()
        recipe = self.config.phase_recipe(self.phase, tuple(task.name for task in self._tasks))
        if not features:
            return Work(unknown=unknown)
        counts = [count for count, _ in features.values()]
        capped = [min(count, self.config.sampling_cap or count) for count in counts]
        batches = [math.ceil(count / self._batch_size) for count in capped]
        epochs = recipe.epochs or self._first.paper.epochs
        steps = recipe.steps or sum(math.ceil(epochs * number) for number in batches)
        shares = compute_sampling_shares(
            [math.ceil(count) for count in counts],
            temperature=self.config.sampling_temperature,
            cap=self.config.sampling_cap,
        )
        visits = [
            # The last batch of an epoch is smaller: on average a batch has count / batches features.
            _Visits(steps * float(share) * count / math.ceil(count / self._batch_size), lengths)
            for share, (count, lengths) in zip(shares, features.values(), strict=True)
        ]
        assumed = tuple(self._describe(name, lengths) for name, (_, lengths) in features.items())
        trained = self._training_work(steps, visits)
        beside = self._text_work(steps * self._batch_size) if self._reads_text else Work()
        return trained + beside + Work(unknown=unknown, assumed=tuple(filter(None, assumed)))

    @property
    def _reads_text(self) -> bool:
        return self.phase == "intermediate" and self.config.reads_text

    def _features(self) -> tuple[dict[str, tuple[float, InputLengths]], tuple[str, ...]]:
        """The number of features of each task and their lengths; sentences about tasks of unknown size."""
        limit = self.config.intermediate_examples if self.phase == "intermediate" else self.config.target_examples
        found, unknown = {}, []
        for task in self._tasks:
            size = training_size(self.config, task.name)
            count = min(filter(None, (size, limit)), default=None)
            if count is None:
                unknown.append(
                    f"{task.title}: the size of the training part is not known, so it is not counted; "
                    f"set --{self.phase}-examples"
                )
                continue
            lengths = self._lengths(task, "train")
            found[task.name] = (count * lengths.features, lengths)
        return found, tuple(unknown)

    def _lengths(self, task: Task, split: str) -> InputLengths:
        longest = min(self.config.max_length or task.paper.max_length, self.sizes.positions)
        return input_lengths(data_name(self.config), task.name, split, longest) or _longest(longest)

    @staticmethod
    def _describe(name: str, lengths: InputLengths) -> str:
        if not lengths.items:
            return f"{get_task(name).title}: inputs were not measured; the longest possible ones are counted"
        return f"{get_task(name).title}: inputs were measured on a set that stands in for it" * lengths.stand_in

    def _training_work(self, steps: int, visits: list[_Visits]) -> Work:
        """Forward and backward passes: three times the forward pass, without the gradients of frozen layers."""
        tokens = sum(part.tokens for part in visits)
        forward = self.sizes.count_flops(tokens, sum(part.squares for part in visits))
        frozen = self.config.intermediate_frozen if self.phase == "intermediate" else self.config.target_frozen
        return Work(steps, tokens, (3 - 2 * (frozen or 0) / self.sizes.layers) * forward)

    def _text_phase(self) -> Work:
        """Masked LM alone: as many steps as one task with as many examples."""
        recipe = self.config.phase_recipe("intermediate", ())
        texts = count_texts(self.config)
        count = min(filter(None, (texts, self.config.intermediate_examples)), default=None)
        if recipe.steps is None and count is None:
            unknown = "unlabelled text: its size is not known, so masked LM alone is not counted; set --text-examples"
            return Work(unknown=(f"{unknown} and --text-languages, or --intermediate-steps",))
        epochs = recipe.epochs or self._first.paper.epochs
        steps = recipe.steps or math.ceil(epochs * math.ceil((count or 0) / self._batch_size))
        return self._text_work(steps * self._batch_size) + Work(steps)

    def _text_work(self, count: float) -> Work:
        """Passes over unlabelled texts, with the head of masked LM where that is what is learnt from them."""
        longest = min(self.config.max_length or self._first.paper.max_length, self.sizes.positions)
        lengths = input_lengths(data_name(self.config), TEXT, "train", longest) or _longest(longest)
        work = self._training_work(0, [_Visits(count, lengths)])
        if self.config.auxiliary not in ("", "mlm"):
            return work
        return work + Work(flops=3 * self.sizes.count_decoder_flops(MASKED * work.tokens))


def evaluation_work(config: ResolvedConfig, sizes: EncoderSizes) -> Work:
    """Forward passes over the test parts in every language that is scored.

    Every text is counted in each language; a run computes a text that several languages share only once, such as the
    English side of the laboratory's Tatoeba.
    """
    task = get_task(config.target)
    forecast = PhaseForecast(config, "target", sizes)
    lengths = forecast._lengths(task, "test")
    count = _count_test_items(config, task, lengths)
    if count is None:
        return Work(unknown=(f"{task.title}: the size of the test part is not known, so scoring it is not counted",))
    total = count * len(planned_languages(config))
    flops = sizes.count_flops(total * lengths.sub_words, total * lengths.squares)
    return Work(0, total * lengths.sub_words, flops, total)


def _count_test_items(config: ResolvedConfig, task: Task, lengths: InputLengths) -> float | None:
    """The items of the test part in one language, after the reduction to `test_examples`; None if unknown."""
    limit = config.test_examples
    if task.family == "retrieval":
        whole = lengths.items if lengths.items and not lengths.stand_in else None
        return min(filter(None, (whole, limit * (1 + CANDIDATES))), default=None)
    size = generator.SIZES["test"] if config.source == LABORATORY else part_size(task.name, "test")
    return min(filter(None, (size, limit)), default=None)


def training_size(config: ResolvedConfig, name: str) -> int | None:
    """The number of English training examples of a task; None if it is not known."""
    return generator.SIZES["train"] if config.source == LABORATORY else part_size(name, "train")


def count_texts(config: ResolvedConfig) -> int | None:
    """The number of unlabelled texts that the last intermediate phase may read; None if it is not known."""
    named = tuple(config.text_languages.split(",")) if config.text_languages else ()
    if config.source == LABORATORY:
        codes = named or generator.text_languages()
        return sum(config.text_examples or generator.text_size(code) for code in codes)
    return len(named) * config.text_examples if named and config.text_examples else None


def planned_languages(config: ResolvedConfig) -> tuple[str, ...]:
    """The languages that a run scores: those that were asked for, else those of the laboratory or of the benchmark."""
    if config.asked_languages:
        return config.asked_languages
    if config.source == LABORATORY:
        return find_source(config).available_languages(config.target)
    return next(iter(get_task(config.target).languages.values()))


def data_name(config: ResolvedConfig) -> str:
    """The rows of `part_lengths.csv` that describe the data of a run."""
    if config.source != LABORATORY:
        return PUBLISHED_DATA
    generated = parse_lab_encoder(config.encoder)
    return generated[1].family if generated else "lab"


def _longest(length: int) -> InputLengths:
    """The lengths of an input of one sequence that is as long as possible."""
    return InputLengths(1.0, length, float(length) ** 2, 0.0, length)
