"""Exports our tokenizers for `AutoTokenizer`: `tokenizer.json` and a chat template.

For ChatGLM2, ChatGLM3 and GLM-4. Texts and conversations get the same ids as from `model.tokenizer` and
`model.prompt`, unless a text contains special tokens: like most tokenizers of transformers, an exported one parses
them unless it is called with `split_special_tokens=True`. Readers of this project therefore use `model.tokenizer`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.families import PromptFormat
from model.tokenizer import SentencePieceTokenizer, TiktokenTokenizer, Tokenizer

# `apply_chat_template(tokenize=True)` adds no special tokens of its own, so the templates begin with [gMASK]<sop>.
CHAT_TEMPLATES = {
    PromptFormat.CHATGLM2: (
        "[gMASK]<sop>{% set all = namespace(round=0, system='') %}{% for message in messages %}"
        "{% if message['role'] == 'system' %}"
        "{% set all.system = all.system ~ ('\n' if all.system else '') ~ message['content'] %}"
        "{% elif message['role'] not in ('user', 'assistant') %}"
        "{{ raise_exception('ChatGLM2 knows the roles system, user and assistant only') }}{% endif %}{% endfor %}"
        "{% set turns = messages | rejectattr('role', 'equalto', 'system') | list %}"
        "{% for message in turns %}{% if message['role'] == 'user' %}{% set all.round = all.round + 1 %}"
        "[Round {{ all.round }}]\n\n问：{% if loop.last and all.system %}{{ all.system }}\n\n{% endif %}"
        "{{ message['content'] }}\n\n答："
        "{% else %}{{ message['content'] }}\n\n{% endif %}{% endfor %}"
    ),
    PromptFormat.CHATGLM3: (
        "[gMASK]<sop>{% for message in messages %}<|{{ message['role'] }}|>{{ message['metadata'] }}\n"
        # The space stands for the one that SentencePiece prepends to a text encoded separately.
        "{% if message['content'] %} {{ message['content'] }}{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
    ),
    PromptFormat.GLM4: (
        "[gMASK]<sop>{% for message in messages %}{% if message['content'] %}"
        "<|{{ message['role'] }}|>{{ message['metadata'] }}\n{{ message['content'] }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    ),
}

# ChatGLM2 and ChatGLM3 call these two `sop` and `eop`, which an exported tokenizer would find in "philosophy".
_EXPORTED_NAMES = {"sop": "<sop>", "eop": "<eop>"}


def export_tokenizer(tokenizer: Tokenizer, prompt_format: PromptFormat, target: Path, *, context: int) -> bool:
    """Write `tokenizer` into the folder `target`; returns False, and writes nothing, for other kinds of tokenizer.

    `context`: tokens of prompt and answer, written as `model_max_length`.
    """
    from transformers import PreTrainedTokenizerFast

    if isinstance(tokenizer, SentencePieceTokenizer):
        backend, end, pad = _sentencepiece_bpe(tokenizer), "</s>", "<unk>"
    elif isinstance(tokenizer, TiktokenTokenizer):
        backend, end, pad = _tiktoken_bpe(tokenizer), "<|endoftext|>", "<|endoftext|>"
    else:
        return False
    special_tokens = {_EXPORTED_NAMES.get(name, name): token for name, token in tokenizer.special_tokens.items()}
    _add_special_tokens(backend, special_tokens)
    _prepend(backend, ["[gMASK]", "<sop>"], special_tokens)
    exported = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend,
        eos_token=end,
        pad_token=pad,
        padding_side="left",
        model_max_length=context,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATES[prompt_format],
        model_input_names=["input_ids", "attention_mask"],
    )
    exported.save_pretrained(target)
    _set_tokenizer_class(target / "tokenizer_config.json")
    return True


def _set_tokenizer_class(path: Path) -> None:
    """Name a class that every version of transformers has; version 5 writes one that 4 does not know."""
    content = json.loads(path.read_text(encoding="utf-8")) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    content.pop("backend", None)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2), encoding="utf-8")


def _sentencepiece_bpe(tokenizer: SentencePieceTokenizer) -> Any:
    """A SentencePiece BPE for the tokenizers library: every pair of pieces that joins to a piece, by its score."""
    from tokenizers import Tokenizer as Library
    from tokenizers import decoders, models, normalizers

    scores = tokenizer.scores()
    vocab = {piece: at for at, piece in enumerate(scores)}
    merges = [
        (score, piece[:cut], piece[cut:])
        for piece, score in scores.items()
        if not piece.startswith("<0x")
        for cut in range(1, len(piece))
        if piece[:cut] in vocab and piece[cut:] in vocab
    ]
    merges.sort(key=lambda merge: (-merge[0], vocab[merge[1]], vocab[merge[2]]))
    pairs = [(left, right) for _, left, right in merges]
    backend = Library(models.BPE(vocab=vocab, merges=pairs, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return backend


def _tiktoken_bpe(tokenizer: TiktokenTokenizer) -> Any:
    """A tiktoken BPE for the tokenizers library, by transformers' own converter."""
    from transformers.convert_slow_tokenizer import TikTokenConverter

    return TikTokenConverter(  # type: ignore[no-untyped-call]
        vocab_file=str(tokenizer.path), pattern=tokenizer.pattern
    ).converted()


def _add_special_tokens(backend: Any, special_tokens: Mapping[str, int]) -> None:
    from tokenizers import AddedToken

    names = sorted(special_tokens, key=lambda name: special_tokens[name])
    backend.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])


def _prepend(backend: Any, names: list[str], special_tokens: Mapping[str, int]) -> None:
    """Prepend special tokens to every text that is encoded with `add_special_tokens=True`."""
    from tokenizers import processors

    backend.post_processor = processors.TemplateProcessing(
        single=[*names, "$A"],
        pair=[*names, "$A", "$B"],
        special_tokens=[(name, special_tokens[name]) for name in names],
    )
