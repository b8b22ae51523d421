"""What a pretrained encoder can do before any fine-tuning: masked-LM loss and retrieval in each language."""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stilts_core.laboratory import generator
from stilts_core.laboratory.edition import Edition
from stilts_core.pretraining.recipe import RECIPE, WIDE, PretrainingRecipe
from stilts_core.storage.atomic import write_whole
from stilts_core.tasks.examples import TextExample

if TYPE_CHECKING:  # torch takes seconds to import; to copy a record does not need it
    import torch

    from stilts_core.encoders.encoder import Encoder
    from stilts_core.families.mlm import MLMHead
    from stilts_core.training.compute import Compute
    from stilts_core.training.phase import Phase

RECORD_FILE = "pretraining.json"
RECORD_SCHEMA = 1  # version of the file's keys
PARALLEL_SENTENCES = 500  # each has to find its translation among so many
FRESH_TEXTS = 200  # texts of each language on which the loss is measured
# Draws texts anew, from the same finite world as those of pretraining: in the languages with text, 3 to 22 % of them (6
# to 45 of 200; 15 in English) are, word for word, also in the default recipe's pretraining text.
FRESH_SEED = 1


def copy_record(folder: Path, runs_dir: Path) -> Path:
    """Copy the record of an encoder's folder to where reports of its family look for it, and return that path."""
    record = (folder / RECORD_FILE).read_text(encoding="utf-8")
    name = Path(json.loads(record)["name"]).name  # the last part alone, so that it cannot lead to another folder
    family = WIDE.family if name.startswith(WIDE.family) else RECIPE.family
    path = runs_dir / family / "encoders" / f"{name}.json"
    if not path.exists() or path.read_text(encoding="utf-8") != record:
        write_whole(path, record)
    return path


def describe_pretraining(
    folder: Path,
    encoder: "Encoder",
    head: "MLMHead",
    phase: "Phase",
    seed: int,
    recipe: PretrainingRecipe,
    compute: "Compute",
) -> dict:
    """The record of a pretraining: its cost, its curve, and the loss and retrieval accuracy of each language.

    `folder` holds the encoder's files. The keys are those of `pretraining.json`.
    """
    from stilts_core.encoders.files import fingerprint_encoder
    from stilts_core.training.machine import environment

    return {
        "schema": RECORD_SCHEMA,
        "name": f"{recipe.family}-{seed}" if seed else recipe.family,
        "seed": seed,
        "fingerprint": fingerprint_encoder(folder),
        "recipe": asdict(recipe),
        "seconds": round(phase.seconds, 2),
        "tokens": phase.tokens,
        "parameters": encoder.parameters,
        "vocabulary_rows": encoder.vocabulary_size,
        "curve": [{name: point[name] for name in ("step", "loss", "seconds")} for point in phase.curve],
        "candidates": PARALLEL_SENTENCES,
        "languages": _measure_languages(encoder, head, recipe, compute),
        "environment": environment(compute),
    }


def _measure_languages(
    encoder: "Encoder", head: "MLMHead", recipe: PretrainingRecipe, compute: "Compute"
) -> dict[str, dict]:
    """For every language: its size and distance, the loss on fresh texts, and retrieval from every hidden state."""
    english = _embed_sentences(encoder, "en", recipe, compute)
    languages = {}
    for code in recipe.languages:
        embeddings = english if code == "en" else _embed_sentences(encoder, code, recipe, compute)
        languages[code] = {
            "texts": recipe.count_texts(code),
            "distance": round(generator.LANGUAGES[code].distance, 4),
            "mlm_loss": round(_measure_loss(encoder, head, code, recipe, compute), 4),
            "retrieval": [round(_measure_accuracy(*layer), 2) for layer in zip(english, embeddings, strict=True)],
        }
    return languages


def _measure_loss(
    encoder: "Encoder", head: "MLMHead", code: str, recipe: PretrainingRecipe, compute: "Compute"
) -> float:
    """The mean loss of a masked sub-word, in nats, on texts drawn with another seed than those of pretraining.

    A few of these texts are also in the pretraining text (see `FRESH_SEED`).
    """
    import torch

    from stilts_core.families import mlm
    from stilts_core.families.batches import collate

    texts = generator.unlabelled(code, seed=FRESH_SEED, examples=FRESH_TEXTS, edition=recipe.edition).items
    features = mlm.make_features(texts, encoder.tokenizer, recipe.positions)
    batch = head.prepare(collate(features, np.arange(len(features)), encoder.tokenizer.pad), (FRESH_SEED,))
    with torch.no_grad(), compute.autocast():
        return float(head.loss(encoder.hidden(**batch.inputs), batch)) / head.count_terms(batch)


def _embed_sentences(
    encoder: "Encoder", code: str, recipe: PretrainingRecipe, compute: "Compute"
) -> "list[torch.Tensor]":
    """Embed the parallel sentences in a language, from every hidden state: (sentences, hidden size), of length 1.

    An embedding is the mean over the sub-words of a sentence.
    """
    import torch

    from stilts_core.families import mlm
    from stilts_core.families.batches import collate
    from stilts_core.families.head import mean_pool

    features = mlm.make_features(_draw_parallel_sentences(code, recipe.edition), encoder.tokenizer, encoder.max_length)
    batch = collate(features, np.arange(len(features)), encoder.tokenizer.pad)
    with torch.no_grad(), compute.autocast():
        pooled = map(partial(mean_pool, mask=batch.mask), encoder.hidden_states(**batch.inputs))
        return [torch.nn.functional.normalize(states, dim=1) for states in pooled]


def _draw_parallel_sentences(code: str, edition: Edition) -> list[TextExample]:
    """Draw sentences that are the same in every language, and that no encoder is trained on."""
    from stilts_core.laboratory.tasks.retrieval import draw_sentences

    meanings = draw_sentences(0, "pretraining", "dev", PARALLEL_SENTENCES)
    realiser = generator.get_realiser(code, edition)
    return [TextExample(str(number), code, realiser.text(meaning)) for number, meaning in enumerate(meanings)]


def _measure_accuracy(english: "torch.Tensor", embeddings: "torch.Tensor") -> float:
    """The percentage of English sentences whose nearest sentence is their translation."""
    import torch

    nearest = torch.matmul(english, embeddings.T).argmax(1)
    return 100 * float((nearest == torch.arange(len(english))).float().mean())
