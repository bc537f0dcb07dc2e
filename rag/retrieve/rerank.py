"""Reranking with a cross-encoder: a model that reads question and passage together and scores how well one answers.

It runs a large model over every passage, which is too slow without a GPU. So it is on by default only if there is a GPU
and the model is on disk or may be downloaded; otherwise `rag.retrieve.overlap` has the last word. The only module that
knows sentence-transformers' CrossEncoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from rag.embed.embedder import hub_folder
from rag.errors import ModelMissing
from rag.messages import AS_REQUESTED, Message
from rag.records import Signal
from rag.retrieve.hybrid import Hit, ranked

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

DEFAULT_MODEL: Final = "BAAI/bge-reranker-v2-m3"
MAX_TOKENS: Final = 512  # of question and passage together
BATCH: Final = 16  # pairs per step
FOUND: Final = Message("it is on this machine and there is a GPU")


class Reranker(Protocol):
    """Scores how well a passage answers a question. Thread-safe."""

    name: str
    why: Message  # why it was chosen

    def scores(self, question: str, passages: Sequence[str]) -> list[float]:
        """0..1 for each passage, in order."""
        ...


class CrossReranker:
    """A cross-encoder of sentence-transformers."""

    def __init__(self, folder: Path, *, name: str, device: str, why: Message) -> None:
        """Raises ModelMissing if the folder holds no such model, or the model does not fit the device."""
        import torch
        from sentence_transformers import CrossEncoder

        try:
            self._model: CrossEncoder = CrossEncoder(
                str(folder), device=device, max_length=MAX_TOKENS, local_files_only=True, num_labels=1
            )
        except (OSError, ValueError, RuntimeError) as exc:
            raise ModelMissing(
                "The reranker {name} cannot be opened ({reason}): choose another --reranker.",
                name=name,
                reason=str(exc).splitlines()[0][:200],
            ) from exc
        self._sigmoid = torch.nn.Sigmoid()
        self.name, self.why = name, why

    def scores(self, question: str, passages: Sequence[str]) -> list[float]:
        """The model's logits through a sigmoid."""
        pairs = [(question, passage) for passage in passages]
        found = self._model.predict(pairs, batch_size=BATCH, activation_fn=self._sigmoid, show_progress_bar=False)
        return [float(score) for score in found]


def open_reranker(wanted: str, *, download: bool = False) -> CrossReranker | None:
    """The reranker `wanted`: "auto", "none", a folder, or the id of a model on the hub; None for none.

    "auto" is bge-reranker-v2-m3 if there is a GPU and the model is on disk or may be downloaded. Raises ModelMissing
    if a reranker was named and cannot be found.
    """
    import torch

    if wanted == "none" or (wanted == "auto" and not torch.cuda.is_available()):
        return None
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if (path := Path(wanted).absolute()).is_dir():
        return CrossReranker(path, name=path.name, device=device, why=AS_REQUESTED)
    name = DEFAULT_MODEL if wanted == "auto" else wanted
    folder = hub_folder(name, download=download)
    if folder is not None:
        return CrossReranker(folder, name=name, device=device, why=FOUND if wanted == "auto" else AS_REQUESTED)
    if wanted == "auto":
        return None
    raise ModelMissing(
        "The reranker {name} is not on this machine: add --allow-download to fetch it, name a folder, or use"
        " --reranker none.",
        name=wanted,
    )


def rerank(
    question: str, hits: Sequence[Hit], texts: Mapping[int, str], reranker: Reranker, weight: float
) -> list[Hit]:
    """The hits, best first, rescored: `weight` (0..1) is the reranker's share of the new score.

    Previous scores are divided by the best one. A hit without a text in `texts` (by passage id) is dropped.
    """
    known = [hit for hit in hits if hit.passage_id in texts]
    if not known:
        return []
    scores = reranker.scores(question, [texts[hit.passage_id] for hit in known])
    places = {n: place for place, n in enumerate(sorted(range(len(scores)), key=lambda n: -scores[n]), 1)}
    highest = max(max(hit.score for hit in known), 1e-9)
    return ranked(
        Hit(
            hit.passage_id,
            (1 - weight) * hit.score / highest + weight * scores[n],
            (*hit.signals, Signal("reranker", scores[n], places[n])),
        )
        for n, hit in enumerate(known)
    )
