"""Tiny GLM checkpoints with a fixed answer, whatever they are asked."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import tokenizers
import torch
from transformers import GlmConfig, GlmForCausalLM

from tests.model.reference import write_native_tokenizer

TEMPLATE = (
    "[gMASK]<sop>{% for message in messages %}<|{{ message.role }}|>\n{{ message.content }}{% endfor %}<|assistant|>\n"
)


def recite(folder: Path, pieces: Sequence[str], *, forever: bool = False, reasoning: bool = False) -> Path:
    """Write a checkpoint whose answer is `pieces`, one token each; they must be different.

    Its layers add nothing, so the next token depends on the last one only: the output matrix is the embedding matrix
    shifted by one piece. With `forever` the first piece follows the last; with `reasoning` the chat template ends with
    <think>, as that of GLM-Z1.
    """
    assert len(set(pieces)) == len(pieces)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tokenizer.json"
    write_native_tokenizer(path)
    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    tokenizer.add_tokens([tokenizers.AddedToken(piece, special=False, normalized=False) for piece in pieces])
    tokenizer.save(str(path))
    said = [tokenizer.token_to_id(piece) for piece in pieces]
    end = tokenizer.token_to_id("<|endoftext|>")
    if reasoning:
        (folder / "chat_template.jinja").write_text(TEMPLATE + "<think>")
    first = tokenizer.token_to_id("<think>" if reasoning else "<|assistant|>")
    chain = [first, *said, said[0] if forever else end]
    write_chain(folder, chain, end)
    return folder


def write_chain(folder: Path, chain: Sequence[int], end: int) -> None:
    """Write a model whose next token is the one that follows the last in `chain`; `end` ends what it writes."""
    config = GlmConfig(
        vocab_size=512, hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, pad_token_id=0, eos_token_id=end, max_position_embeddings=131_072,
    )  # fmt: skip
    model = GlmForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0 if parameter.dim() == 1 else 0.0)
        model.model.embed_tokens.weight[:, -1] = 1.0  # tokens outside the chain
        for place, token in enumerate(dict.fromkeys(chain)):
            model.model.embed_tokens.weight[token] = torch.eye(64)[place]
        for last, following in itertools.pairwise(chain):
            model.lm_head.weight[following] += 10 * model.model.embed_tokens.weight[last]
    model.save_pretrained(folder)
