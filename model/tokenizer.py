"""Tokenizers of every GLM family: text to token ids and back, with every text treated as plain text.

Special tokens are in `special_tokens`, for `model.prompt` to insert. `encode` never produces one, so `<|user|>` or
`[gMASK]` typed by somebody, or printed in a PDF, is encoded as ordinary characters. `token_bytes` returns each token as
raw bytes, so that streaming can join a character whose bytes arrive in several tokens.

Does not know prompts, models or devices. The ids were compared with those of the original tokenizers.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from rag.errors import CheckpointRefused, ModelMissing

SENTENCEPIECE_SPACE = "\u2581"  # ▁, which stands for a space in SentencePiece pieces


class Tokenizer(Protocol):
    """What a reader needs from a tokenizer."""

    special_tokens: Mapping[str, int]  # name -> id; `encode` never produces one, except <unk>
    leading_space: bool  # whether the first token of a text starts with a space that is not in the text

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text, without the prefix or suffix of a prompt."""
        ...

    def token_bytes(self, token: int) -> bytes:
        """The UTF-8 bytes of a token, possibly part of a character; b"" for special tokens and unknown ids."""
        ...


def decode(tokenizer: Tokenizer, tokens: Iterable[int]) -> str:
    """The text of tokens, without special tokens and incomplete characters."""
    data = b"".join(tokenizer.token_bytes(token) for token in tokens)
    if tokenizer.leading_space:
        data = data.removeprefix(b" ")
    return data.decode("utf-8", "ignore")


def replace_surrogates(text: str) -> str:
    """`text` with each lone surrogate, which UTF-8 cannot encode, replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class SentencePieceTokenizer:
    """ChatGLM2 and ChatGLM3: `tokenizer.model`, a SentencePiece BPE with byte fallback.

    The ids of the special tokens follow those of the pieces: five for ChatGLM2, nine for ChatGLM3, in this order
    (`tokenization_chatglm.py` of zai-org/chatglm2-6b and zai-org/chatglm3-6b).
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
        """`roles`: whether the four role tokens of ChatGLM3 exist. Raises CheckpointRefused for an unreadable file."""
        self._pieces = open_sentencepiece(path)
        size = self._pieces.get_piece_size()
        names = self.names if roles else self.names[:5]
        self.special_tokens: Mapping[str, int] = {
            "<unk>": 0, "<s>": 1, "</s>": 2, **{name: size + at for at, name in enumerate(names)}
        }  # fmt: skip

    def scores(self) -> dict[str, float]:
        """Every piece and its score, in the order of ids; of two possible merges, the higher score wins."""
        pieces = range(self._pieces.get_piece_size())
        return {self._pieces.id_to_piece(at): self._pieces.get_score(at) for at in pieces}

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text, to which SentencePiece prepends a space."""
        return list(self._pieces.encode(replace_surrogates(text)))

    def token_bytes(self, token: int) -> bytes:
        """The piece as UTF-8, or the byte of a byte-fallback piece."""
        return piece_bytes(self._pieces, token)


class IceTextTokenizer:
    """ChatGLM-6B: `ice_text.model`, a SentencePiece Unigram, with pieces for line breaks, tabs and runs of spaces.

    Its normaliser (NFKC) is lossy: full-width punctuation and digits become ASCII. (`tokenization_chatglm.py` of
    zai-org/chatglm-6b.)
    """

    leading_space = True
    max_blank = 80
    names = (
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
        """Raises CheckpointRefused for an unreadable file, or one of an early release without the special tokens."""
        self._pieces = open_sentencepiece(path)
        missing = [name for name in self.names if self._pieces.id_to_piece(self._pieces.piece_to_id(name)) != name]
        if missing:
            raise CheckpointRefused(
                "{file} has no {token}: it is of an early release of ChatGLM-6B with other token ids; download all"
                " files of the newest revision.",
                file=path.name,
                token=missing[0],
            )
        self.special_tokens: Mapping[str, int] = {name: self._pieces.piece_to_id(name) for name in self.names}
        self._all_pieces: list[str] | None = None
        self._blanks = re.compile(f" {{2,{self.max_blank}}}")
        self._whitespace: dict[int, bytes] = {
            self._pieces.piece_to_id("<n>"): b"\n",
            self._pieces.piece_to_id("<|tab|>"): b"\t",
            **{self._pieces.piece_to_id(f"<|blank_{count}|>"): b" " * count for count in range(2, self.max_blank + 1)},
        }

    def pieces(self) -> list[str]:
        """Every piece, special tokens included, in the order of ids."""
        if self._all_pieces is None:
            self._all_pieces = [self._pieces.id_to_piece(at) for at in range(self._pieces.get_piece_size())]
        return self._all_pieces

    def id_of(self, piece: str) -> int:
        """The id of a piece; that of <unk> for an unknown piece."""
        return int(self._pieces.piece_to_id(piece))

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text; line breaks, tabs and runs of 2 to 80 spaces are one piece each."""
        marked = replace_surrogates(text).replace("\n", "<n>").replace("\t", "<|tab|>")
        marked = self._blanks.sub(lambda run: f"<|blank_{len(run.group())}|>", marked)
        return list(self._pieces.encode(marked))

    def token_bytes(self, token: int) -> bytes:
        """The piece as UTF-8; whitespace pieces as the whitespace they stand for."""
        if token in self._whitespace:
            return self._whitespace[token]
        return b"" if token in self.special_tokens.values() else piece_bytes(self._pieces, token)


class TiktokenTokenizer:
    """GLM-4 as first published: `tokenizer.model` is a tiktoken BPE, each line a token in base64 and its rank.

    The ids of the special tokens follow the ranks, in this order.
    """

    leading_space = False
    # from tokenization_chatglm.py of zai-org/glm-4-9b-chat
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    names = (
        "<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|system|>", "<|user|>", "<|assistant|>",
        "<|observation|>", "<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>",
    )  # fmt: skip

    def __init__(self, path: Path) -> None:
        """Raises CheckpointRefused for an unreadable file."""
        import tiktoken

        ranks = _read_ranks(path)
        self.path = path
        self._encoding = tiktoken.Encoding("glm4", pat_str=self.pattern, mergeable_ranks=ranks, special_tokens={})
        self._bytes = {rank: token for token, rank in ranks.items()}
        self.special_tokens: Mapping[str, int] = {name: len(ranks) + at for at, name in enumerate(self.names)}

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text."""
        return self._encoding.encode_ordinary(replace_surrogates(text))

    def token_bytes(self, token: int) -> bytes:
        """The bytes of the token."""
        return self._bytes.get(token, b"")


class ByteLevelTokenizer:
    """Checkpoints in the layout of transformers: `tokenizer.json`, a byte-level BPE.

    The tokenizers library finds added tokens (`<|user|>`, `<think>`, ...) inside any text, special or not. So text
    goes through a copy of the tokenizer without added tokens.
    """

    leading_space = False

    def __init__(self, path: Path) -> None:
        """Raises CheckpointRefused for an unreadable file or another kind of tokenizer."""
        state = _read_json(path)
        try:
            added = state.get("added_tokens", [])
            self.special_tokens: Mapping[str, int] = {token["content"]: int(token["id"]) for token in added}
            # Added tokens that are not special, such as </think>, are text to whoever reads the answer.
            self._bytes: dict[int, bytes] = {
                int(token["id"]): token["content"].encode() for token in added if not token.get("special")
            }
            plain = json.dumps(_without_added_tokens(state), ensure_ascii=False)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointRefused(
                "{file} is not a tokenizer of the tokenizers library; download it again.", file=path.name
            ) from error
        self._plain = _byte_level_bpe(path, plain)
        alphabet = {letter: byte for byte, letter in byte_letters().items()}
        for piece, token in self._plain.get_vocab().items():
            if not all(letter in alphabet for letter in piece):
                raise CheckpointRefused(
                    "{file} is not a byte-level tokenizer, the only kind supported for this layout; choose another"
                    " checkpoint.",
                    file=path.name,
                )
            self._bytes.setdefault(token, bytes(alphabet[letter] for letter in piece))

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text."""
        return list(self._plain.encode(replace_surrogates(text), add_special_tokens=False).ids)

    def token_bytes(self, token: int) -> bytes:
        """The bytes of the token."""
        return self._bytes.get(token, b"")


def load_tokenizer(folder: Path, *, roles: bool = True) -> Tokenizer:
    """The tokenizer of a checkpoint folder; its class depends on the file that the folder holds.

    `roles`: whether a SentencePiece `tokenizer.model` is that of ChatGLM3 rather than ChatGLM2. Raises ModelMissing if
    the folder has no tokenizer, CheckpointRefused if it cannot be used.
    """
    from model.blank.tokenizers import load_blank_tokenizer

    blank = load_blank_tokenizer(folder)
    if blank is not None:
        return blank
    if (folder / "ice_text.model").exists():
        return IceTextTokenizer(folder / "ice_text.model")
    model = folder / "tokenizer.model"
    if model.exists():
        with model.open("rb") as stream:
            start = stream.read(1)
        # A SentencePiece file is a protocol buffer that starts with the tag of its first field; tiktoken's is base64.
        return SentencePieceTokenizer(model, roles=roles) if start == b"\n" else TiktokenTokenizer(model)
    if (folder / "tokenizer.json").exists():
        return ByteLevelTokenizer(folder / "tokenizer.json")
    raise ModelMissing(
        "{folder} has no tokenizer (ice_text.model, tokenizer.model or tokenizer.json); copy it there from where the"
        " checkpoint was published.",
        folder=folder.name,
    )


def open_sentencepiece(path: Path) -> Any:
    """The SentencePiece model in a file. Raises CheckpointRefused."""
    import sentencepiece

    try:
        return sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (RuntimeError, OSError, ValueError) as error:
        raise CheckpointRefused("{file} is not a SentencePiece model; download it again.", file=path.name) from error


def piece_bytes(pieces: Any, token: int) -> bytes:
    """A SentencePiece piece as UTF-8, or the byte of a byte-fallback piece; b"" for control pieces and unknown ids."""
    if not 0 <= token < pieces.get_piece_size() or pieces.is_control(token) or pieces.is_unknown(token):
        return b""
    piece: str = pieces.id_to_piece(token)
    if pieces.is_byte(token):  # written <0x0A>
        return bytes([int(piece[3:-1], 16)])
    return piece.replace(SENTENCEPIECE_SPACE, " ").encode()


def _read_ranks(path: Path) -> dict[bytes, int]:
    try:
        lines = [line.split() for line in path.read_bytes().splitlines() if line]
        return {base64.b64decode(token, validate=True): int(rank) for token, rank in lines}
    except (ValueError, binascii.Error) as error:
        raise CheckpointRefused("{file} holds no tiktoken ranks; download it again.", file=path.name) from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointRefused("{file} is not readable as JSON; download it again.", file=path.name) from error
    if not isinstance(state, dict):
        raise CheckpointRefused("{file} is not a JSON object; download it again.", file=path.name)
    return state


@contextmanager
def library_errors_become(
    refusal: Callable[[Exception], CheckpointRefused], *others: type[Exception]
) -> Iterator[None]:
    """Raise `refusal` instead of an error that the library `tokenizers` raises for its data, or one of `others`.

    The library has no class of its own for such errors; it raises plain Exception.
    """
    try:
        yield
    except Exception as error:
        if type(error) not in (Exception, *others):
            raise
        raise refusal(error) from error


def _byte_level_bpe(path: Path, state: str) -> Any:
    import tokenizers

    def refusal(error: Exception) -> CheckpointRefused:
        return CheckpointRefused(
            "{file} is not a tokenizer this program can read: {reason}.", file=path.name, reason=str(error)
        )

    with library_errors_become(refusal):
        return tokenizers.Tokenizer.from_str(state)


def _without_added_tokens(state: Mapping[str, Any]) -> dict[str, Any]:
    """A `tokenizer.json` without its added tokens, even those inside the vocabulary, and without a post-processor."""
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


def byte_letters() -> dict[int, str]:
    """Each byte as one printable character (`bytes_to_unicode` in `encoder.py` of openai/gpt-2)."""
    printable: Sequence[int] = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + at) for at, byte in enumerate(others)}
