"""Tokenizers of GLM-10B with its relatives, and of GLM-130B.

The former were published with three: GPT-2's byte-level BPE (GLM-10B, GLM-2B), SentencePiece (the Chinese ones) and
BERT's WordPiece (GLM-Large). Their special tokens are in `added_tokens.json`, or follow the vocabulary in a fixed
order. The ids were compared with those of the originals, except for WordPiece.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from model.checkpoint import read_json
from model.tokenizer import (
    Tokenizer,
    byte_letters,
    library_errors_become,
    open_sentencepiece,
    piece_bytes,
    replace_surrogates,
)
from rag.errors import CheckpointRefused, ModelMissing

START, END, ENDOFTEXT = "<|startofpiece|>", "<|endofpiece|>", "<|endoftext|>"
REQUIRED = ("[CLS]", "[MASK]", START, END)


class GPT2Tokenizer:
    """GLM-10B and GLM-2B: `vocab.json` and `merges.txt` of GPT-2, a byte-level BPE."""

    leading_space = False
    names = (START, END, "[CLS]", "[MASK]", "[SEP]", "[UNK]", "[gMASK]", "[sMASK]")

    def __init__(self, folder: Path) -> None:
        """Raises CheckpointRefused for unreadable files, ModelMissing without `merges.txt`."""
        from tokenizers import Tokenizer as Library
        from tokenizers import models, pre_tokenizers

        path = folder / "vocab.json"
        vocab: dict[str, int] = _token_ids(path)
        merges = folder / "merges.txt"
        if not merges.exists():
            raise ModelMissing("{file} is missing; download the checkpoint again.", file=merges.name)
        end = vocab.pop(ENDOFTEXT, len(vocab))
        lines = [line.split() for line in merges.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        refused = CheckpointRefused("vocab.json and merges.txt are not a byte-level tokenizer; download them again.")
        with library_errors_become(lambda _: refused, KeyError, ValueError, TypeError):
            model = models.BPE(vocab=vocab, merges=[(left, right) for left, right in filter(None, lines)])
            alphabet = {letter: byte for byte, letter in byte_letters().items()}
            self._bytes = {token: bytes(alphabet[letter] for letter in piece) for piece, token in vocab.items()}
        self._library = Library(model)
        self._library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        self.special_tokens: Mapping[str, int] = {ENDOFTEXT: end, **_special_tokens(folder, end + 1, self.names)}

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text."""
        return list(self._library.encode(replace_surrogates(text), add_special_tokens=False).ids)

    def token_bytes(self, token: int) -> bytes:
        """The bytes of the token."""
        return self._bytes.get(token, b"")


class ChineseTokenizer:
    """GLM-10B-chinese and GLM-Large-chinese: `cog-pretrain.model`, a SentencePiece Unigram.

    Its normaliser (NFKC) is lossy: white space becomes a space, and full-width punctuation ASCII.
    """

    leading_space = True
    names = (
        ENDOFTEXT, "[SEP]", "[CLS]", "[MASK]", "[UNK]", "[unused_50005]", START, END, "[sMASK]", "[gMASK]",
    )  # fmt: skip

    def __init__(self, folder: Path) -> None:
        """Raises CheckpointRefused for an unreadable file."""
        self._pieces = open_sentencepiece(folder / "cog-pretrain.model")
        self.special_tokens: Mapping[str, int] = _special_tokens(folder, self._pieces.get_piece_size(), self.names)

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text."""
        return list(self._pieces.encode(replace_surrogates(text)))

    def token_bytes(self, token: int) -> bytes:
        """The piece as UTF-8."""
        return piece_bytes(self._pieces, token)


class WordPieceTokenizer:
    """GLM-Large: `vocab.txt` of BERT's uncased WordPiece. Lossy: letters become lower case, white space a space."""

    leading_space = True
    own_names: tuple[str, ...] = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")  # in the vocabulary itself
    names = (START, END)
    closing = (".", ",", "?", "!")  # written without a space before them

    def __init__(self, folder: Path) -> None:
        """Raises CheckpointRefused for an unreadable file."""
        from tokenizers import Tokenizer as Library
        from tokenizers import models, normalizers, pre_tokenizers

        pieces = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        self._pieces = pieces
        vocab = {piece: at for at, piece in enumerate(pieces)}
        own = {name: vocab[name] for name in self.own_names if name in vocab}
        self.special_tokens: Mapping[str, int] = {**own, **_special_tokens(folder, len(pieces), self.names, own)}
        library = Library(models.WordPiece(vocab=vocab, unk_token="[UNK]"))
        library.normalizer = normalizers.BertNormalizer(lowercase=True)
        library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        self._library = library

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text; words of more than 100 characters are unknown."""
        return list(self._library.encode(replace_surrogates(text), add_special_tokens=False).ids)

    def token_bytes(self, token: int) -> bytes:
        """The piece as UTF-8, after a space if it starts a word."""
        if not 0 <= token < len(self._pieces) or token in self.special_tokens.values():
            return b""
        piece = self._pieces[token]
        if piece.startswith("##"):
            return piece[2:].encode()
        return piece.encode() if piece in self.closing else f" {piece}".encode()


class IcetkTokenizer:
    """GLM-130B: `ice_text.model` of icetk, a SentencePiece Unigram whose ids come after 20,000 reserved for images.

    Its normaliser (NFKC) is lossy: white space becomes a space, and full-width punctuation becomes ASCII.
    """

    leading_space = True
    images = 20_000
    names = ("[MASK]", "[gMASK]", "[sMASK]", "eod", "sop", "eop", "ENC", "dBLOCK")

    def __init__(self, path: Path) -> None:
        """Raises CheckpointRefused if the file cannot be read, or is that of ChatGLM-6B, which has other ids."""
        self._pieces = open_sentencepiece(path)
        size = self._pieces.get_piece_size()
        if self._pieces.id_to_piece(self._pieces.piece_to_id("[gMASK]")) == "[gMASK]":
            raise CheckpointRefused(
                "{file} belongs to ChatGLM-6B, whose token ids differ from GLM-130B's; replace it with the one from"
                " icetk.",
                file=path.name,
            )
        special = {name: self.images + size + at for at, name in enumerate(self.names)}
        self.special_tokens: Mapping[str, int] = {"eos": self.images + 2, **special}

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text."""
        return [self.images + piece for piece in self._pieces.encode(replace_surrogates(text))]

    def token_bytes(self, token: int) -> bytes:
        """The piece as UTF-8; a line break for the piece of one."""
        piece = piece_bytes(self._pieces, token - self.images)
        return b"\n" if piece == b"<n>" else piece


def load_blank_tokenizer(folder: Path) -> Tokenizer | None:
    """The tokenizer of a GLM that fills in blanks; None if the folder holds none of theirs.

    Raises CheckpointRefused or ModelMissing if its files cannot be used.
    """
    if (folder / "ice_text.model").exists():  # ChatGLM-6B has a file of the same name
        glm130b = (folder / "config.json").exists() and read_json(folder / "config.json").get("model_type") == "glm130b"
        return IcetkTokenizer(folder / "ice_text.model") if glm130b else None
    if any((folder / name).exists() for name in ("tokenizer.model", "tokenizer.json")):
        return None
    kinds: dict[str, Callable[[Path], Tokenizer]] = {
        "cog-pretrain.model": ChineseTokenizer,
        "vocab.json": GPT2Tokenizer,
        "vocab.txt": WordPieceTokenizer,
    }
    kind = next((kind for name, kind in kinds.items() if (folder / name).exists()), None)
    return None if kind is None else kind(folder)


def _special_tokens(
    folder: Path, first: int, names: Sequence[str], own: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Names and ids from `added_tokens.json`; without it, `names` in this order, starting with the id `first`.

    `own`: those in the vocabulary itself. Raises CheckpointRefused if one that every text needs is missing.
    """
    path = folder / "added_tokens.json"
    found = _token_ids(path) if path.exists() else {name: first + at for at, name in enumerate(names)}
    missing = [name for name in REQUIRED if name not in found and name not in (own or {})]
    if missing:
        raise CheckpointRefused(
            "The tokenizer has no {token}, which this model's prompts need: choose another checkpoint.",
            token=missing[0],
        )
    return found


def _token_ids(path: Path) -> dict[str, int]:
    """The ids of named tokens in a JSON file. Raises CheckpointRefused."""
    content = read_json(path)
    if not all(type(token) is int and token >= 0 for token in content.values()):
        raise CheckpointRefused("{file} does not list tokens and their ids; download it again.", file=path.name)
    return content
