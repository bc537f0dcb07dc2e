"""A cross-encoder's look: question and passage read together by a model made to tell whether one answers the other.

It runs a large model over every passage, which is too slow without a GPU. So it is used by default where there is one
and the model is on disk already, or may be fetched; elsewhere `rag.retrieve.overlap` does alone. The one place that
knows sentence-transformers' CrossEncoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rag.embed.embedder import hub_folder
from rag.errors import ModelMissing
from rag.records import Signal
from rag.retrieve.hybrid import Hit, ranked

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

DEFAULT = "BAAI/bge-reranker-v2-m3"
LONGEST = 512  # tokens of question and passage together
BATCH = 16
SHARE = 0.7  # of a passage's place that the cross-encoder decides; the rest is what found it. Not measured: no GPU here


class Reranker(Protocol):
    """Whatever says how well a passage answers a question. Thread-safe."""

    name: str
    why: str

    def scores(self, question: str, passages: Sequence[str]) -> list[float]:
        """0..1 for each passage, in order."""
        ...


class CrossReranker:
    """A cross-encoder of sentence-transformers."""

    def __init__(self, folder: Path, *, name: str, device: str, why: str) -> None:
        """Raises ModelMissing where the folder holds no such model, or it does not fit the device."""
        import torch
        from sentence_transformers import CrossEncoder

        try:
            self._model: CrossEncoder = CrossEncoder(
                str(folder), device=device, max_length=LONGEST, local_files_only=True, num_labels=1
            )
        except (OSError, ValueError, RuntimeError) as exc:
            raise ModelMissing(
                f"The reranker {name} cannot be opened ({str(exc).splitlines()[0][:200]}): choose another --reranker."
            ) from exc
        self._sigmoid = torch.nn.Sigmoid()
        self.name, self.why = name, why

    def scores(self, question: str, passages: Sequence[str]) -> list[float]:
        """The model's logit through a sigmoid."""
        pairs = [(question, passage) for passage in passages]
        found = self._model.predict(pairs, batch_size=BATCH, activation_fn=self._sigmoid, show_progress_bar=False)
        return [float(score) for score in found]


def open_reranker(wanted: str, *, download: bool = False) -> CrossReranker | None:
    """The reranker `wanted`: "auto", "none", a folder, or the id of a model on the hub; None for none.

    "auto" takes bge-reranker-v2-m3 on a GPU if it is on disk, or may be fetched. Raises ModelMissing for one that was
    named and cannot be had.
    """
    import torch

    if wanted == "none" or (wanted == "auto" and not torch.cuda.is_available()):
        return None
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if (path := Path(wanted).absolute()).is_dir():
        return CrossReranker(path, name=path.name, device=device, why="it was asked for")
    name = DEFAULT if wanted == "auto" else wanted
    folder = hub_folder(name, download=download)
    if folder is not None:
        why = "it is on this machine and there is a GPU" if wanted == "auto" else "it was asked for"
        return CrossReranker(folder, name=name, device=device, why=why)
    if wanted == "auto":
        return None
    raise ModelMissing(
        f"The reranker {wanted} is not on this machine: give --allow-download to fetch it, name a folder, "
        "or use --reranker none."
    )


def reranked(question: str, hits: Sequence[Hit], texts: Mapping[int, str], reranker: Reranker) -> list[Hit]:
    """The hits, best first, SHARE of each one's place decided by the reranker; those without a text are dropped."""
    known = [hit for hit in hits if hit.passage_id in texts]
    if not known:
        return []
    scores = reranker.scores(question, [texts[hit.passage_id] for hit in known])
    places = {n: place for place, n in enumerate(sorted(range(len(scores)), key=lambda n: -scores[n]), 1)}
    highest = max(max(hit.score for hit in known), 1e-9)
    return ranked(
        Hit(
            hit.passage_id,
            (1 - SHARE) * hit.score / highest + SHARE * scores[n],
            (*hit.signals, Signal("reranker", scores[n], places[n])),
        )
        for n, hit in enumerate(known)
    )
