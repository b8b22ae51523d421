"""Random encoders of every type that transformers' own layers compute, each with a tokenizer as its type has it."""

from collections.abc import Sequence
from pathlib import Path

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

PIECES = 300
# Names of cls, sep, pad, mask and unk.
BERT = ("[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]")
NAMES = {
    "modernbert": ("<bos>", "<eos>", "<pad>", "<mask>", "<unk>"),  # mmBERT has Gemma's tokenizer
    "rembert": ("[CLS]", "[SEP]", "<pad>", "[MASK]", "<unk>"),
    "xlm": ("</s>", "</s>", "<pad>", "<special1>", "<unk>"),
}
BERT_SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 128,
    "initializer_range": 0.2,  # so that layers do something: 0.02 is meant for hundreds of dimensions
}
OTHER_SIZES = {"n_layers": 3, "n_heads": 2, "max_position_embeddings": 128}
# The classes with a masked-LM head, and their configurations.
MODELS: dict[str, tuple[str, dict]] = {
    "modernbert": (
        "ModernBertForMaskedLM",
        BERT_SIZES | {"local_attention": 8, "global_attn_every_n_layers": 2, "initializer_cutoff_factor": 2.0},
    ),
    "deberta-v2": (
        "DebertaV2ForMaskedLM",
        BERT_SIZES
        | {"relative_attention": True, "position_buckets": 8, "norm_rel_ebd": "layer_norm", "share_att_key": True}
        | {"pos_att_type": ["p2c", "c2p"], "position_biased_input": False, "type_vocab_size": 0, "conv_kernel_size": 3},
    ),
    "rembert": ("RemBertForMaskedLM", BERT_SIZES | {"input_embedding_size": 12, "output_embedding_size": 40}),
    "electra": ("ElectraForMaskedLM", BERT_SIZES | {"embedding_size": 12}),
    "xlm": ("XLMWithLMHeadModel", OTHER_SIZES | {"emb_dim": 32, "n_langs": 2, "embed_init_std": 0.2, "init_std": 0.2}),
    "distilbert": ("DistilBertForMaskedLM", OTHER_SIZES | {"dim": 32, "hidden_dim": 48, "initializer_range": 0.2}),
}


def write_tiny_encoder(kind: str, folder: Path, sentences: Sequence[str]) -> Path:
    """Write a random encoder of a type with its masked-LM head and a tokenizer, which learns from the sentences."""
    tokenizer, names = train_tokenizer(kind, sentences)
    cls, sep, pad, mask, unk = names
    named = {"cls_token": cls, "sep_token": sep, "pad_token": pad, "mask_token": mask, "unk_token": unk}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named).save_pretrained(folder)
    class_name, sizes = MODELS[kind]
    model_class = getattr(transformers, class_name)
    ids = {"pad_token_id": tokenizer.token_to_id(pad), "bos_token_id": tokenizer.token_to_id(cls)}
    ids["eos_token_id"] = tokenizer.token_to_id(sep)
    config = model_class.config_class(vocab_size=tokenizer.get_vocab_size(), **ids, **sizes)
    torch.manual_seed(0)
    model = model_class(config)
    with torch.no_grad():  # biases and layer norms that are zero and one would hide a loss of them
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return folder


def train_tokenizer(kind: str, sentences: Sequence[str]) -> tuple[Tokenizer, tuple[str, ...]]:
    """A tokenizer of the kind that encoders of a type have, and the names of its special tokens."""
    names = NAMES.get(kind, BERT)
    special = list(dict.fromkeys(names))
    options = {"vocab_size": PIECES, "special_tokens": special, "show_progress": False}
    if kind == "modernbert":  # "<s>" is no special token of Gemma: it strikes text through
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=False))
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
        trainer = trainers.BpeTrainer(**options | {"special_tokens": [*special, "<s>", "</s>"]})
    elif kind in ("deberta-v2", "rembert"):
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.NFKC()
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(unk_token=names[4], **options)
    elif kind == "xlm":
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.BpeTrainer(end_of_word_suffix="</w>", **options)
    else:
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(**options)
    tokenizer.train_from_iterator(sentences, trainer)
    tokenizer.add_special_tokens([AddedToken(name, normalized=False) for name in special])
    cls, sep = names[:2]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {sep} $B:1 {sep}:1",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in dict.fromkeys((cls, sep))],
    )
    return tokenizer, names
