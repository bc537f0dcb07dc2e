"""Text to token ids and back, for every GLM family: plain text in, and never a control token out of it.

Each tokenizer keeps its control tokens in `specials`, for `model.prompt` to put where they belong; `encode` treats
all text as text, so `<|user|>` or `[gMASK]` typed by somebody, or printed in a PDF, is spelled out letter by letter.
`token_bytes` gives each token as raw bytes, so that streaming joins half characters exactly.

Does not know prompts, models or devices. The rules were checked against the original tokenizers, id by id.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from rag.errors import CheckpointRefused, ModelMissing

SPACE = "\u2581"  # ▁, which SentencePiece writes for a space


class Tokenizer(Protocol):
    """What a reader needs of a tokenizer."""

    specials: Mapping[str, int]  # control tokens by name; `encode` never gives one of them
    leading_space: bool  # the first token of a text carries a space that is not in the text

    def encode(self, text: str) -> list[int]:
        """Ids of plain text, without prefix or suffix."""
        ...

    def token_bytes(self, token: int) -> bytes:
        """What a token stands for; b"" for control tokens and ids beyond the vocabulary."""
        ...


def decode(tokenizer: Tokenizer, tokens: Iterable[int]) -> str:
    """The text of tokens, control tokens and broken characters left out."""
    data = b"".join(tokenizer.token_bytes(token) for token in tokens)
    if tokenizer.leading_space:
        data = data.removeprefix(b" ")
    return data.decode("utf-8", "ignore")


def well_formed(text: str) -> str:
    """`text` with lone surrogates, which UTF-8 cannot hold, replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class SentencePieceTokenizer:
    """ChatGLM2 and ChatGLM3: `tokenizer.model`, a SentencePiece BPE with byte fallback, used as it is.

    The control tokens follow its pieces: five for ChatGLM2, nine for ChatGLM3, in this order.
    """

    leading_space = True
    names = (
        "[MASK]",
        "[gMASK]",
        "[sMASK]",
        "sop",
        "eop",
        "<|system|>",
        "<|user|>",
        "<|assistant|>",
        "<|observation|>",
    )

    def __init__(self, path: Path, *, roles: bool = True) -> None:
        """`roles`: the four role marks of ChatGLM3 are control tokens too."""
        self._pieces = _sentencepiece(path)
        size = self._pieces.get_piece_size()
        names = self.names if roles else self.names[:5]
        self.specials: Mapping[str, int] = {
            "<unk>": 0, "<s>": 1, "</s>": 2, **{name: size + at for at, name in enumerate(names)}
        }  # fmt: skip

    def scores(self) -> dict[str, float]:
        """Every piece in the order of its id, and its score: of two joins, the one with the higher comes first."""
        pieces = range(self._pieces.get_piece_size())
        return {self._pieces.id_to_piece(at): self._pieces.get_score(at) for at in pieces}

    def encode(self, text: str) -> list[int]:
        """Ids of plain text; a space is put in front, as in the original."""
        return list(self._pieces.encode(well_formed(text)))

    def token_bytes(self, token: int) -> bytes:
        """The piece as UTF-8, or the byte a byte piece stands for."""
        return _piece_bytes(self._pieces, token)


class IceTextTokenizer:
    """ChatGLM-6B: `ice_text.model`, a SentencePiece Unigram, with marks for line breaks, tabs and runs of spaces.

    The model's own normaliser (NFKC) is lossy: full-width punctuation and digits become ASCII.
    """

    leading_space = True
    longest_blank = 80
    controls = (
        "<unk>",
        "<s>",
        "</s>",
        "<pad>",
        "[MASK]",
        "[gMASK]",
        "[sMASK]",
        "<sop>",
        "<eop>",
        "<ENC>",
        "<dBLOCK>",
    )

    def __init__(self, path: Path) -> None:
        self._pieces = _sentencepiece(path)
        self.specials: Mapping[str, int] = {name: self._pieces.piece_to_id(name) for name in self.controls}
        self._names: list[str] | None = None
        self._blanks = re.compile(f" {{2,{self.longest_blank}}}")
        self._written: dict[int, bytes] = {
            self._pieces.piece_to_id("<n>"): b"\n",
            self._pieces.piece_to_id("<|tab|>"): b"\t",
            **{
                self._pieces.piece_to_id(f"<|blank_{count}|>"): b" " * count
                for count in range(2, self.longest_blank + 1)
            },
        }

    def pieces(self) -> list[str]:
        """Every piece, control tokens included, in the order of its id."""
        if self._names is None:
            self._names = [self._pieces.id_to_piece(at) for at in range(self._pieces.get_piece_size())]
        return self._names

    def id_of(self, piece: str) -> int:
        """The id of a piece; that of <unk> for what is none."""
        return int(self._pieces.piece_to_id(piece))

    def encode(self, text: str) -> list[int]:
        """Ids of plain text; line breaks and tabs have marks, and so have runs of 2 to 80 spaces, the longest first."""
        marked = well_formed(text).replace("\n", "<n>").replace("\t", "<|tab|>")
        marked = self._blanks.sub(lambda run: f"<|blank_{len(run.group())}|>", marked)
        return list(self._pieces.encode(marked))

    def token_bytes(self, token: int) -> bytes:
        """The piece as UTF-8, white space for its marks."""
        if token in self._written:
            return self._written[token]
        return b"" if token in self.specials.values() else _piece_bytes(self._pieces, token)


class RanksTokenizer:
    """GLM-4 as first published: `tokenizer.model` holds tiktoken ranks, one token in base64 and its rank a line."""

    leading_space = False
    # tokenization_chatglm.py of THUDM/glm-4-9b-chat
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    names = (
        "<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|system|>", "<|user|>", "<|assistant|>",
        "<|observation|>", "<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>",
    )  # fmt: skip

    def __init__(self, path: Path) -> None:
        import tiktoken

        ranks = _read_ranks(path)
        self.path = path
        self._encoding = tiktoken.Encoding("glm4", pat_str=self.pattern, mergeable_ranks=ranks, special_tokens={})
        self._bytes = {rank: token for token, rank in ranks.items()}
        self.specials: Mapping[str, int] = {name: len(ranks) + at for at, name in enumerate(self.names)}

    def encode(self, text: str) -> list[int]:
        """Ids of plain text."""
        return self._encoding.encode_ordinary(well_formed(text))

    def token_bytes(self, token: int) -> bytes:
        """The bytes of the rank."""
        return self._bytes.get(token, b"")


class NativeTokenizer:
    """A checkpoint in the layout of transformers: `tokenizer.json`, a byte-level BPE.

    The library finds added tokens (`<|user|>`, `<think>`, ...) inside any text, also those not marked special. So
    text goes through a copy of the tokenizer that has never heard of them.
    """

    leading_space = False

    def __init__(self, path: Path) -> None:
        import tokenizers

        state = _read_json(path)
        added = state.get("added_tokens", [])
        self.specials: Mapping[str, int] = {token["content"]: int(token["id"]) for token in added}
        try:
            self._plain = tokenizers.Tokenizer.from_str(json.dumps(_without_added(state), ensure_ascii=False))
        except Exception as error:
            raise CheckpointRefused(f"{path.name} is no tokenizer this program can read: {error}.") from error
        alphabet = {letter: byte for byte, letter in _byte_letters().items()}
        self._bytes: dict[int, bytes] = {}
        for piece, token in self._plain.get_vocab().items():
            if not all(letter in alphabet for letter in piece):
                raise CheckpointRefused(
                    f"{path.name} is not a byte-level tokenizer, the only kind known for native GLM checkpoints;"
                    " choose another checkpoint."
                )
            self._bytes[token] = bytes(alphabet[letter] for letter in piece)
        # Added tokens that are not special, such as </think>, are text to whoever reads the answer.
        self._bytes |= {int(token["id"]): token["content"].encode() for token in added if not token.get("special")}

    def encode(self, text: str) -> list[int]:
        """Ids of plain text."""
        return list(self._plain.encode(well_formed(text), add_special_tokens=False).ids)

    def token_bytes(self, token: int) -> bytes:
        """The bytes of the token."""
        return self._bytes.get(token, b"")


def load_tokenizer(folder: Path, *, roles: bool = True) -> Tokenizer:
    """The tokenizer of a checkpoint folder, by the file it has.

    `roles`: whether a SentencePiece `tokenizer.model` is that of ChatGLM3 rather than ChatGLM2. Raises ModelMissing
    when the folder has none, CheckpointRefused when its file cannot be read.
    """
    if (folder / "ice_text.model").exists():
        return IceTextTokenizer(folder / "ice_text.model")
    model = folder / "tokenizer.model"
    if model.exists():
        with model.open("rb") as stream:
            start = stream.read(1)
        # A SentencePiece file is a protocol buffer and starts with the tag of its first field; ranks are base64.
        return SentencePieceTokenizer(model, roles=roles) if start == b"\n" else RanksTokenizer(model)
    if (folder / "tokenizer.json").exists():
        return NativeTokenizer(folder / "tokenizer.json")
    raise ModelMissing(
        f"{folder.name} has no tokenizer (ice_text.model, tokenizer.model or tokenizer.json);"
        " copy it there from where the checkpoint was published."
    )


def _sentencepiece(path: Path) -> Any:
    import sentencepiece

    try:
        return sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (RuntimeError, OSError, ValueError) as error:
        raise CheckpointRefused(f"{path.name} is no SentencePiece model; download it again.") from error


def _piece_bytes(pieces: Any, token: int) -> bytes:
    if not 0 <= token < pieces.get_piece_size() or pieces.is_control(token) or pieces.is_unknown(token):
        return b""
    piece: str = pieces.id_to_piece(token)
    if pieces.is_byte(token):  # written <0x0A>
        return bytes([int(piece[3:-1], 16)])
    return piece.replace(SPACE, " ").encode()


def _read_ranks(path: Path) -> dict[bytes, int]:
    try:
        lines = [line.split() for line in path.read_bytes().splitlines() if line]
        return {base64.b64decode(token, validate=True): int(rank) for token, rank in lines}
    except (ValueError, binascii.Error) as error:
        raise CheckpointRefused(f"{path.name} holds no tiktoken ranks; download it again.") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointRefused(f"{path.name} is not readable as JSON; download it again.") from error
    return state


def _without_added(state: Mapping[str, Any]) -> dict[str, Any]:
    """A `tokenizer.json` without its added tokens, beside the vocabulary and inside it, and without a frame."""
    added = {token["content"] for token in state.get("added_tokens", [])}
    model = dict(state["model"])
    model["vocab"] = {piece: token for piece, token in model["vocab"].items() if piece not in added}
    return {
        **state,
        "added_tokens": [],
        "post_processor": None,
        "model": model,
        "truncation": None,
        "padding": None,
    }


def _byte_letters() -> dict[int, str]:
    """GPT-2's alphabet: each byte as one printable character (openai/gpt-2, encoder.py, bytes_to_unicode)."""
    printable: Sequence[int] = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + at) for at, byte in enumerate(others)}
