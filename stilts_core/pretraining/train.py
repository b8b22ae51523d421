"""The laboratory's encoder: a small BERT, pretrained from scratch by masked language modelling on generated text.

A machine pretrains each encoder once. The cache folder stores it under a hash of everything that decides it: the
recipe, the seed, and the version of the text generator. Heavy libraries are imported only to pretrain, because every
command computes the names of runs' folders, which contain this hash.
"""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from stilts_core.config import RunConfig
from stilts_core.encoders.files import fingerprint_weights
from stilts_core.laboratory import generator
from stilts_core.pretraining.recipe import RECIPE, PretrainingRecipe, locate_lab_encoder
from stilts_core.pretraining.record import RECORD_FILE, describe_pretraining
from stilts_core.storage.atomic import whole_folder
from stilts_core.storage.leftovers import remove
from stilts_core.storage.sealed import DIGESTS, find_damage, locate_writable, remove_damaged, seal

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import BertConfig

    from stilts_core.families.mlm import MLMHead

CHECKPOINT_SECONDS = 60.0  # between two checkpoints
TOKEN_BUDGET = 2**16  # padded sub-words in one forward pass
SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def pretrain_lab_encoder(seed: int = 0, recipe: PretrainingRecipe = RECIPE, *, quiet: bool = True) -> Path:
    """Return the Hugging Face folder of a laboratory encoder, and pretrain the encoder if the folder does not exist.

    A folder whose files are not those that were written is pretrained again. If several processes call at the same
    time, one of them pretrains. A killed pretraining is resumed by the next call and ends with the same weights. The
    folder also holds `pretraining.json`: how the encoder was trained, and what it can do without fine-tuning.

    Raises ConfigError for a seed that is no seed.
    """
    seed = RunConfig(seed=seed).seed
    folder = locate_lab_encoder(seed, recipe)
    if not folder.exists() or find_encoder_damage(folder):
        from stilts_core.training import checkpoint, distributed

        folder = locate_writable(folder)
        with checkpoint.lock_for_run(folder):
            with distributed.main_process_first():
                whole = remove_damaged(folder, find_encoder_damage)
                if whole:
                    remove(_locate_unfinished(folder))
            if not whole:
                _pretrain(folder, seed, recipe, quiet)
    return folder


def find_encoder_damage(folder: Path) -> str | None:
    """What is wrong with an encoder's folder, in words; None for a whole one.

    A folder of an earlier version has no digests: its record holds the fingerprint of its weights.
    """
    if (folder / DIGESTS).exists():
        return find_damage(folder)
    try:
        record = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
        same = record["fingerprint"] == fingerprint_weights(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"its record cannot be read: {error}"
    return None if same else "its weights are not those that were written"


def _pretrain(folder: Path, seed: int, recipe: PretrainingRecipe, quiet: bool) -> None:
    """Pretrain the encoder and write its folder, which appears whole."""
    import torch

    from stilts_core.encoders.encoder import read_encoder
    from stilts_core.families.feature_cache import cached_text_features
    from stilts_core.families.mlm import MLMHead
    from stilts_core.training.compute import Compute
    from stilts_core.training.loop import train
    from stilts_core.training.schedule import Schedule, TrainingTask

    unfinished = _locate_unfinished(folder)  # stays if this process is killed; the next one resumes from it
    texts = [
        text
        for code in recipe.languages_with_text
        for text in generator.unlabelled(
            code, examples=recipe.count_texts(code), edition=recipe.edition, mixed=recipe.mixed, retold=recipe.retold
        ).items
    ]
    if not (unfinished / "start").exists():
        with whole_folder(unfinished / "start") as start:
            _write_untrained(start, [text.text for text in texts], seed, recipe)
    encoder = read_encoder(unfinished / "start")
    compute = Compute(
        precision=recipe.precision, token_budget=TOKEN_BUDGET, checkpoint_seconds=CHECKPOINT_SECONDS, quiet=quiet
    )
    torch.manual_seed(seed)
    head = MLMHead(encoder, recipe.masked)
    schedule = Schedule(
        recipe.epochs, recipe.lr, recipe.batch_size, seed, warmup=recipe.warmup, weight_decay=recipe.weight_decay
    )
    task = TrainingTask("mlm", cached_text_features(texts, encoder.tokenizer, recipe.positions), head)
    checkpoints = unfinished / "checkpoint"
    phase = train(encoder, [task], schedule, title="pretraining", checkpoints=checkpoints, compute=compute)
    with whole_folder(folder) as finished:
        encoder.write_files(finished)
        _add_head(finished, head)
        record = describe_pretraining(finished, encoder, head, phase, seed, recipe, compute)
        (finished / RECORD_FILE).write_text(json.dumps(record, indent=1, allow_nan=False), encoding="utf-8")
        seal(finished)
    shutil.rmtree(unfinished)


def _locate_unfinished(folder: Path) -> Path:
    """The folder of a pretraining that is not finished."""
    return folder.with_name(f".{folder.name}")


def _write_untrained(folder: Path, texts: list[str], seed: int, recipe: PretrainingRecipe) -> None:
    """Write the untrained encoder and its tokenizer into `folder`."""
    import torch
    from safetensors.torch import save_file
    from transformers import BertModel

    tokenizer = _train_tokenizer(texts, recipe.pieces)
    _write_tokenizer(folder, tokenizer, recipe.positions)
    config = _build_config(recipe, tokenizer.get_vocab_size())
    torch.manual_seed(seed)
    model = BertModel(config, add_pooling_layer=False)
    for table in (model.embeddings.word_embeddings, model.embeddings.position_embeddings):
        torch.nn.init.normal_(table.weight, std=recipe.deviation_of_embeddings)
    save_file(model.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})
    config.architectures = ["BertModel"]
    config.save_pretrained(folder)


def _build_config(recipe: PretrainingRecipe, vocabulary_size: int) -> "BertConfig":
    """The configuration of the encoder."""
    from transformers import BertConfig

    return BertConfig(
        vocab_size=vocabulary_size,
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


def _train_tokenizer(texts: list[str], pieces: int) -> "Tokenizer":
    """Train a byte-pair tokenizer (Sennrich et al. 2016) on the lower-cased texts of all languages.

    Punctuation marks, and runs of Latin letters within another script, are words of their own, and no piece marks where
    a word begins. A stem that languages share is therefore the same piece in all of them, whatever its affixes.

    The Unigram trainer of the same library split many English words (fr i day): single letters are frequent affixes, so
    they have a high probability. It gave 12.9 sub-words for an English text instead of 10.2, from as many pieces.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex(r"\p{Latin}+|[.?]"), "isolated")
    ])  # fmt: skip
    trainer = trainers.BpeTrainer(vocab_size=pieces, special_tokens=list(SPECIAL_TOKENS), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def _write_tokenizer(folder: Path, tokenizer: "Tokenizer", max_length: int) -> None:
    """Write a tokenizer in Hugging Face's files."""
    tokenizer.save(str(folder / "tokenizer.json"))
    roles = dict(zip(("bos_token", "pad_token", "eos_token", "unk_token", "mask_token"), SPECIAL_TOKENS, strict=True))
    roles |= {"cls_token": SPECIAL_TOKENS[0], "sep_token": SPECIAL_TOKENS[2]}
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": max_length} | roles
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1, allow_nan=False))
    (folder / "special_tokens_map.json").write_text(json.dumps(roles, indent=1, allow_nan=False))


def _add_head(folder: Path, head: "MLMHead") -> None:
    """Add the MLM head to the encoder's weights, under BERT's names, so that co-training starts from it."""
    from safetensors.torch import load_file, save_file

    from stilts_core.encoders.mlm_heads import BERT_HEAD

    path = folder / "model.safetensors"
    tensors = {BERT_HEAD.tensors[name]: tensor for name, tensor in head.state_dict().items()}
    save_file(load_file(path) | tensors, path, metadata={"format": "pt"})
