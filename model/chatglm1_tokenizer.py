"""ChatGLM-6B's tokenizer for `AutoTokenizer`, for converted checkpoints; `model.chatglm1` registers it.

Wraps `model.tokenizer.IceTextTokenizer`: appends the prompt's `[gMASK] <sop>`, and treats special tokens in a text as
plain text unless `split_special_tokens=False`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizer

from model.tokenizer import IceTextTokenizer, decode


class ChatGLM1Tokenizer(PreTrainedTokenizer):
    """`ice_text.model` as a transformers tokenizer."""

    vocab_files_names = {"vocab_file": "ice_text.model"}  # noqa: RUF012 - the library's own convention
    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012

    def __init__(self, vocab_file: str, **kwargs: Any) -> None:
        self.vocab_file = vocab_file
        self._ice = IceTextTokenizer(Path(vocab_file))
        kwargs.setdefault("split_special_tokens", True)
        kwargs.setdefault("padding_side", "left")
        names = {"bos_token": "<sop>", "eos_token": "<eop>", "pad_token": "<pad>", "unk_token": "<unk>"}
        super().__init__(**{**names, **kwargs})  # type: ignore[no-untyped-call]

    @property
    def vocab_size(self) -> int:
        """Number of pieces, special tokens included."""
        return len(self._ice.pieces())

    def get_vocab(self) -> dict[str, int]:
        """Map of piece to id."""
        return {piece: at for at, piece in enumerate(self._ice.pieces())}

    def _tokenize(self, text: str, **_: Any) -> list[str]:
        pieces = self._ice.pieces()
        return [pieces[token] for token in self._ice.encode(text)]

    def _convert_token_to_id(self, token: str) -> int:
        return self._ice.id_of(token)

    def _convert_id_to_token(self, index: int) -> str:
        pieces = self._ice.pieces()
        return pieces[index] if index < len(pieces) else "<unk>"

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """The text of pieces, without special tokens."""
        return decode(self._ice, [self._ice.id_of(token) for token in tokens])

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """The ids of a text, then [gMASK] <sop>."""
        special_tokens = self._ice.special_tokens
        return [*token_ids_0, *(token_ids_1 or []), special_tokens["[gMASK]"], special_tokens["<sop>"]]

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str, ...]:
        """Copy `ice_text.model` into a folder; returns its path."""
        path = Path(save_directory) / f"{filename_prefix + '-' if filename_prefix else ''}ice_text.model"
        if Path(self.vocab_file).resolve() != path.resolve():
            shutil.copyfile(self.vocab_file, path)
        return (str(path),)
