"""Our tokenizers in the form other programs read: `tokenizer.json` and a chat template, for `AutoTokenizer`.

For ChatGLM2, ChatGLM3 and GLM-4; the ids were compared with the originals on 14,000 lines of text. What such a
tokenizer does with control tokens typed into text is the library's business: it takes them for control tokens unless
asked to `split_special_tokens`. Readers of this project therefore use `model.tokenizer`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.families import PromptFormat
from model.tokenizer import IceTextTokenizer, RanksTokenizer, SentencePieceTokenizer, Tokenizer

# Each gives the ids of `model.prompt` when rendered and tokenised; the prefix [gMASK] sop is put in by the tokenizer.
TEMPLATES = {
    PromptFormat.CHATGLM2: (
        "{% set turn = namespace(number=0) %}{% for message in messages %}"
        "{% if message['role'] == 'user' %}{% set turn.number = turn.number + 1 %}"
        "[Round {{ turn.number }}]\n\n问：{{ message['content'] }}\n\n答："
        "{% elif message['role'] == 'assistant' %}{{ message['content'] }}\n\n"
        "{% else %}{{ raise_exception('ChatGLM2 knows the roles user and assistant only') }}{% endif %}{% endfor %}"
    ),
    PromptFormat.CHATGLM3: (
        "{% for message in messages %}<|{{ message['role'] }}|>{{ message['metadata'] }}\n {{ message['content'] }}"
        "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
    ),
    PromptFormat.GLM4: (
        "{% for message in messages %}{% if message['content'] %}<|{{ message['role'] }}|>{{ message['metadata'] }}\n"
        "{{ message['content'] }}{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
    ),
}


def export_tokenizer(tokenizer: Tokenizer, prompt_format: PromptFormat, target: Path, *, context: int) -> bool:
    """Write `tokenizer` into the folder `target` for `AutoTokenizer`; False where that cannot be done exactly."""
    from transformers import PreTrainedTokenizerFast

    if isinstance(tokenizer, IceTextTokenizer):
        return False
    if isinstance(tokenizer, SentencePieceTokenizer):
        backend, begin, end, pad = _byte_pairs(tokenizer), "sop", "</s>", "<unk>"
    elif isinstance(tokenizer, RanksTokenizer):
        backend, begin, end, pad = _ranks(tokenizer), "<sop>", "<|endoftext|>", "<|endoftext|>"
    else:
        return False
    _put_prefix(backend, ["[gMASK]", begin], tokenizer.specials)
    exported = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend,
        eos_token=end,
        pad_token=pad,
        padding_side="left",
        model_max_length=context,
        clean_up_tokenization_spaces=False,
        # The tokenizer puts the prefix in itself, so the template must not.
        chat_template=TEMPLATES[prompt_format],
        model_input_names=["input_ids", "attention_mask"],
    )
    exported.save_pretrained(target)
    _name_class(target / "tokenizer_config.json")
    return True


def _name_class(path: Path) -> None:
    """Call the class by the name it has in every transformers; 5 writes one that 4 does not know."""
    content = json.loads(path.read_text(encoding="utf-8")) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    content.pop("backend", None)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2), encoding="utf-8")


def _byte_pairs(tokenizer: SentencePieceTokenizer) -> Any:
    """A SentencePiece BPE in the library's terms: every way to join two pieces into one, the best score first."""
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
    _add_specials(backend, tokenizer.specials)
    return backend


def _ranks(tokenizer: RanksTokenizer) -> Any:
    """Tiktoken ranks in the library's terms, by the library's own converter."""
    from transformers.convert_slow_tokenizer import TikTokenConverter

    backend = TikTokenConverter(  # type: ignore[no-untyped-call]
        vocab_file=str(tokenizer.path), pattern=tokenizer.pattern
    ).converted()
    _add_specials(backend, tokenizer.specials)
    return backend


def _add_specials(backend: Any, specials: Mapping[str, int]) -> None:
    from tokenizers import AddedToken

    names = sorted(specials, key=lambda name: specials[name])
    backend.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])


def _put_prefix(backend: Any, names: list[str], specials: Mapping[str, int]) -> None:
    from tokenizers import processors

    backend.post_processor = processors.TemplateProcessing(
        single=[*names, "$A"],
        pair=[*names, "$A", "$B"],
        special_tokens=[(name, specials[name]) for name in names],
    )
