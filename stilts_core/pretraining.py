"""The laboratory's encoder: a small BERT, pretrained from scratch by masked language modelling on generated text.

It is made once on a machine and kept in the cache folder under a hash of all that decides it: the recipe, the seed, and
the generator of its text. Nothing heavy is imported until it has to be made: a run's folder is named after that hash.
"""

import hashlib
import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stilts_core.cache import cache_folder, written_whole
from stilts_core.sources import lab
from stilts_core.sources.lab.languages import CODES

if TYPE_CHECKING:
    from stilts_core.encoder import Encoder
    from stilts_core.families.mlm import MLMHead

SCHEMA = 1  # of pretraining.json
FORMAT = 1  # raise it when the same recipe, seed and text would make another encoder
RECORD = "pretraining.json"
CANDIDATES = 500  # parallel sentences, among which each has to find its translation
CHECKPOINTS = 60.0  # seconds between those of an unfinished training
HELD_OUT = 200  # texts of each language that the loss is measured on
HELD_OUT_SEED = 1  # of the texts that no encoder is trained on
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


@dataclass(frozen=True)
class Recipe:
    """Sizes and schedule of the encoder.

    `pieces` is the size of the vocabulary, `deviation` that of the first weights and `deviation_of_embeddings` that of
    the first embeddings; `texts` is the share of each language's text that is used, `masked` that of the sub-words to
    predict; `languages` are those that the encoder is measured on, and reads where they have text.
    """

    pieces: int = 2500
    layers: int = 3
    hidden_size: int = 64
    heads: int = 4
    feed_forward: int = 128
    positions: int = 256
    deviation: float = 0.06
    deviation_of_embeddings: float = 0.1
    epochs: float = 3.0
    batch_size: int = 32
    lr: float = 3e-3
    warmup: float = 0.05
    weight_decay: float = 0.01
    texts: float = 1.0
    masked: float = 0.2
    languages: tuple[str, ...] = CODES


RECIPE = Recipe()


def pretraining_seed(name: str) -> int | None:
    """The seed of a laboratory encoder by its name, 'lab' or 'lab-N'; None for another encoder."""
    found = re.fullmatch(r"lab(?:-(\d+))?", name)
    return int(found[1] or 0) if found else None


def lab_identity(seed: int, recipe: Recipe = RECIPE) -> str:
    """The SHA-256 of all that decides the encoder, which need not be there."""
    decides = {"format": FORMAT, "seed": seed, "recipe": asdict(recipe), "generator": lab.VERSION}
    # The generator's rules do not tell a language that was invented since.
    decides |= {"languages": [asdict(lab.LANGUAGES[code]) for code in recipe.languages]}
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def lab_place(seed: int = 0, recipe: Recipe = RECIPE) -> Path:
    """Where `lab_folder` is, or will be."""
    return cache_folder() / "encoders" / f"lab-{lab_identity(seed, recipe)[:16]}"


def lab_folder(seed: int = 0, recipe: Recipe = RECIPE, *, quiet: bool = True) -> Path:
    """The Hugging Face folder of the laboratory's encoder of a pretraining seed, which is trained if it is not there.

    Processes that ask at once train once; one that is killed is resumed by the next, and ends with the same weights.
    The folder holds a `pretraining.json` beside the encoder: how it was trained and what it can do as it is.
    """
    folder = lab_place(seed, recipe)
    if not folder.exists():
        from stilts_core import checkpoint

        with checkpoint.locked(folder):
            if not folder.exists():
                _pretrain(folder, seed, recipe, quiet)
    return folder


def copy_record(folder: Path, runs_dir: Path) -> Path:
    """Copy the `pretraining.json` of an encoder's folder to where reports look for it; returns that path."""
    record = (folder / RECORD).read_text(encoding="utf-8")
    path = runs_dir / "lab" / "encoders" / f"{json.loads(record)['name']}.json"
    if not path.exists() or path.read_text(encoding="utf-8") != record:
        with written_whole(path) as part:
            part.write_text(record, encoding="utf-8")
    return path


def _pretrain(folder: Path, seed: int, recipe: Recipe, quiet: bool) -> None:
    """Make the folder: it has its name when all is in it."""
    import torch

    from stilts_core.compute import Compute
    from stilts_core.encoder import load_encoder
    from stilts_core.families.mlm import MLMHead
    from stilts_core.feature_cache import text_features
    from stilts_core.training import Schedule, TrainingTask, train

    part = folder.with_name(f".{folder.name}.part")
    start = part / "start"
    texts = [text for code in _taught(recipe) for text in lab.unlabelled(code, examples=_texts(code, recipe)).items]
    if not (part / "started").exists():
        shutil.rmtree(part, ignore_errors=True)  # left by a process that was killed before it began to train
        _write_start(start, [text.text for text in texts], seed, recipe)
        (part / "started").touch()
    encoder = load_encoder(str(start))
    compute = Compute(token_budget=2**16, checkpoint_seconds=CHECKPOINTS, quiet=quiet)
    torch.manual_seed(seed)
    head = MLMHead(encoder, recipe.masked)
    schedule = Schedule(
        recipe.epochs, recipe.lr, recipe.batch_size, seed, warmup=recipe.warmup, weight_decay=recipe.weight_decay
    )
    task = TrainingTask("mlm", text_features(texts, encoder.tokens, recipe.positions), head)
    phase = train(encoder, [task], schedule, title="pretraining", checkpoints=part / "checkpoint", compute=compute)
    done = part / "done"
    shutil.rmtree(done, ignore_errors=True)
    encoder.save(done)
    _add_head(done, head)
    shutil.rmtree(part / "checkpoint", ignore_errors=True)
    (done / RECORD).write_text(json.dumps(_record(done, encoder, head, phase, seed, recipe, compute), indent=1))
    os.replace(done, folder)
    shutil.rmtree(part)


def _taught(recipe: Recipe) -> list[str]:
    """The languages that have pretraining text."""
    return [code for code in recipe.languages if _texts(code, recipe)]


def _texts(code: str, recipe: Recipe) -> int:
    return round(lab.LANGUAGES[code].texts * recipe.texts)


def _write_start(folder: Path, texts: list[str], seed: int, recipe: Recipe) -> None:
    """The untrained encoder with its tokenizer."""
    import torch
    from safetensors.torch import save_file
    from transformers import BertConfig, BertModel

    folder.mkdir(parents=True)
    tokenizer = _tokenizer(texts, recipe.pieces)
    tokenizer.save(str(folder / "tokenizer.json"))
    roles = dict(zip(("bos_token", "pad_token", "eos_token", "unk_token", "mask_token"), SPECIAL, strict=True))
    roles |= {"cls_token": SPECIAL[0], "sep_token": SPECIAL[2]}
    described = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": recipe.positions} | roles
    (folder / "tokenizer_config.json").write_text(json.dumps(described, indent=1))
    (folder / "special_tokens_map.json").write_text(json.dumps(roles, indent=1))
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=recipe.hidden_size,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        intermediate_size=recipe.feed_forward,
        max_position_embeddings=recipe.positions,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=recipe.deviation,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
    )
    torch.manual_seed(seed)
    model = BertModel(config, add_pooling_layer=False)
    for table in (model.embeddings.word_embeddings, model.embeddings.position_embeddings):
        torch.nn.init.normal_(table.weight, std=recipe.deviation_of_embeddings)
    save_file(model.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})
    config.architectures = ["BertModel"]
    config.save_pretrained(folder)


def _tokenizer(texts: list[str], pieces: int):
    """A byte-pair tokenizer (Sennrich et al. 2016) of all languages' texts, in small letters.

    Punctuation, and what is written in Latin letters within another script, stand by themselves, and nothing marks
    where a word begins: so a stem that languages share is the same piece in all of them, whatever is affixed to it.
    The Unigram trainer of the same library split many English words (fr i day), as single letters are frequent affixes
    and so cheap: 12.9 sub-words an English text against 10.2 from as many pieces.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex(r"\p{Latin}+|[.?]"), "isolated")
    ])  # fmt: skip
    trainer = trainers.BpeTrainer(vocab_size=pieces, special_tokens=list(SPECIAL), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def _add_head(folder: Path, head: "MLMHead") -> None:
    """Put the MLM head beside the encoder's weights, under BERT's names, so that co-training starts from it."""
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    names = {
        "dense.weight": "transform.dense.weight",
        "dense.bias": "transform.dense.bias",
        "norm.weight": "transform.LayerNorm.weight",
        "norm.bias": "transform.LayerNorm.bias",
        "bias": "bias",
    }
    tensors = {f"cls.predictions.{names[name]}": tensor for name, tensor in head.state_dict().items()}
    save_file(load_file(path) | tensors, path, metadata={"format": "pt"})


def _record(folder: Path, encoder: "Encoder", head: "MLMHead", phase, seed: int, recipe: Recipe, compute) -> dict:
    """What is told of the pretraining: its cost, its curve, and each language's loss and retrieval."""
    from stilts_core.records import environment
    from stilts_core.weights import fingerprint

    return {
        "schema": SCHEMA,
        "name": "lab" if seed == 0 else f"lab-{seed}",
        "seed": seed,
        "fingerprint": fingerprint(folder),
        "recipe": asdict(recipe),
        "seconds": round(phase.seconds, 2),
        "tokens": phase.tokens,
        "parameters": encoder.parameters,
        "vocabulary_rows": encoder.vocabulary,
        "curve": [{name: point[name] for name in ("step", "loss", "seconds")} for point in phase.curve],
        "candidates": CANDIDATES,
        "languages": _languages(encoder, head, recipe, compute),
        "environment": environment(compute),
    }


def _languages(encoder: "Encoder", head: "MLMHead", recipe: Recipe, compute) -> dict[str, dict]:
    """Of every language: its size and distance, the loss on held-out text, and retrieval from every hidden state."""
    english = _states(encoder, "en", compute)
    found = {}
    for code in recipe.languages:
        language = lab.LANGUAGES[code]
        states = english if code == "en" else _states(encoder, code, compute)
        found[code] = {
            "texts": _texts(code, recipe),
            "distance": round(language.distance, 4),
            "mlm_loss": round(_loss(encoder, head, code, recipe, compute), 4),
            "retrieval": [round(_accuracy(*pair), 2) for pair in zip(english, states, strict=True)],
        }
    return found


def _loss(encoder: "Encoder", head: "MLMHead", code: str, recipe: Recipe, compute) -> float:
    """The mean loss of a masked sub-word of held-out text, in nats."""
    import torch

    from stilts_core.batching import collate
    from stilts_core.families import mlm

    texts = lab.unlabelled(code, seed=HELD_OUT_SEED, examples=HELD_OUT).items
    features = mlm.features(texts, encoder.tokens, recipe.positions)
    batch = head.prepare(collate(features, np.arange(len(features)), encoder.tokens.pad), (HELD_OUT_SEED,))
    with torch.no_grad(), compute.autocast():
        return float(head.loss(encoder.hidden(**batch.inputs), batch)) / head.count(batch)


def _states(encoder: "Encoder", code: str, compute) -> list:
    """The mean of every hidden state over the sub-words of each parallel sentence, of length 1."""
    import torch

    from stilts_core.batching import collate
    from stilts_core.families import mlm
    from stilts_core.families.head import mean_pool

    features = mlm.features(_parallel(code), encoder.tokens, encoder.max_length)
    batch = collate(features, np.arange(len(features)), encoder.tokens.pad)
    with torch.no_grad(), compute.autocast():
        pooled = map(partial(mean_pool, mask=batch.mask), encoder.hidden_states(**batch.inputs))
        return [torch.nn.functional.normalize(states, dim=1) for states in pooled]


def _parallel(code: str) -> list:
    """The same sentences in every language, which no encoder is trained on."""
    from stilts_core.families.examples import TextExample
    from stilts_core.sources.lab.retrieval import sentences

    told = sentences(0, "pretraining", "dev", CANDIDATES)
    said = lab.realiser(code)
    return [TextExample(str(number), code, said.text(event)) for number, event in enumerate(told)]


def _accuracy(english, states) -> float:
    """The percentage of English sentences whose nearest sentence is their translation."""
    import torch

    return 100 * float((torch.matmul(english, states.T).argmax(1) == torch.arange(len(english))).float().mean())
