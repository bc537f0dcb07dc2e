"""The span of a sentence that answers a question, found by a small model: the packaged embedder with its own head.

Question and sentences go through the layers of multilingual-e5-small together; the last layers were trained further,
and a head predicts for each token whether it starts or ends the answer, or that none of the sentences answers
(`benchmarks/train_phrases.py`). The result of training is stored as 4-bit differences from the embedder's weights.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rag.answer.phrases.features import COUNT, Asked, Matrix, sentence_features, words_of
from rag.reader import Evidence

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

NAME: Final = "multilingual-e5-small"  # the embedder it was trained from
FILE: Final = Path(__file__).with_name("span_model.safetensors")
MAX_QUESTION: Final = 64  # tokens
MAX_TOKENS: Final = 240  # question and sentences together
MAX_SPAN: Final = 60  # tokens
STARTS: Final = 12  # most likely first tokens that are tried
HEADS: Final = 12
LAYERS: Final = 12
_BEGIN, _END = 0, 2  # ids of <s> and </s>
_IMPOSSIBLE: Final = -1e4  # logit of a token at which no answer can start or end
_EPSILON: Final = 1e-12  # of layer normalisation, as in the embedder's configuration
_EMBEDDINGS: Final = (
    "word_embeddings.weight",
    "position_embeddings.weight",
    "token_type_embeddings.weight",
    "LayerNorm.weight",
    "LayerNorm.bias",
)
_KINDS: Final = ("weight", "bias")
_ATTENTION: Final = ("query", "key", "value")
_AFTER_ATTENTION: Final = (
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
)
PARTS: Final = tuple(
    f"{part}.{kind}"
    for part in (*(f"attention.self.{part}" for part in _ATTENTION), *_AFTER_ATTENTION)
    for kind in _KINDS
)


@dataclass(frozen=True, slots=True)
class Span:
    """A span of a sentence that may answer."""

    sentence: int  # index among the sentences given
    start: int  # [start, end) in the sentence
    end: int
    log_probability: float  # that the answer is this span
    log_null: float  # that none of the sentences answers


@dataclass(frozen=True)
class Encoded:
    """Question and sentences as tokens."""

    ids: list[int]
    features: Matrix  # (tokens, COUNT)
    places: list[tuple[int, int, int] | None]  # sentence, start and end of each token in it; None for the question


class SpanEncoder:
    """Turns a question and sentences into tokens with their features."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._before = self._pieces("passage:")[0]

    def encode(self, question: str, sentences: Sequence[tuple[str, float]]) -> Encoded:
        """`sentences`: text and answerability, best first; those beyond MAX_TOKENS are left out."""
        asked = Asked.of(question)
        ids = [_BEGIN, *self._pieces(f"query: {question}")[0][:MAX_QUESTION], _END, _END, *self._before]
        rows = [np.zeros((len(ids), COUNT), np.float32)]
        places: list[tuple[int, int, int] | None] = [None] * len(ids)
        for rank, (text, answerability) in enumerate(sentences):
            pieces, offsets = self._pieces(text)
            room = MAX_TOKENS - len(ids)
            if len(pieces) > room and rank:
                break
            pieces, offsets = pieces[:MAX_TOKENS], offsets[:MAX_TOKENS]
            words = words_of(asked, text)
            shared = sentence_features(asked, words.asked_share, answerability, rank)
            held, spans = _align(text, offsets, [start for start, _ in words.spans])
            own = words.features[held] if len(held) else np.zeros((0, words.features.shape[1]), np.float32)
            rows += [np.hstack([own, np.repeat(shared[None], len(own), 0)]), np.zeros((1, COUNT), np.float32)]
            ids += [*pieces, _END]
            places += [*((rank, start, end) for start, end in spans), None]
        return Encoded(ids, np.vstack(rows), places)

    def _pieces(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        return encoded.ids, encoded.offsets


def _align(
    text: str, offsets: Sequence[tuple[int, int]], starts: Sequence[int]
) -> tuple[list[int], list[tuple[int, int]]]:
    """The word that each token begins in, and the token's span without white space before it."""
    held: list[int] = []
    spans: list[tuple[int, int]] = []
    word = 0
    for start, end in offsets:
        while start < end and text[start].isspace():
            start += 1
        while word + 1 < len(starts) and starts[word + 1] <= start:
            word += 1
        held.append(word)
        spans.append((start, end))
    return held, spans


def open_span_model(name: str, folder: Path | None) -> SpanModel | None:
    """The model on top of an embedder's weights, in `folder`; None if it was not trained from this embedder."""
    if folder is None or name.rsplit("/")[-1] != NAME:
        return None
    try:
        return SpanModel(folder)
    except (OSError, ValueError, KeyError, RuntimeError) as exc:
        log.warning("No short answers from text: %s", exc)
        return None


class SpanModel:
    """Finds the span that answers. Thread-safe, since it never changes."""

    def __init__(self, folder: Path) -> None:
        """`folder`: of the embedder. Raises OSError, ValueError or KeyError if its weights are not the right ones."""
        from safetensors import safe_open

        self._encoder = SpanEncoder(folder)
        with safe_open(str(folder / "model.safetensors"), "pt") as base, safe_open(str(FILE), "pt") as trained:
            self._network = Network(base, trained)

    def find(self, question: str, evidence: Sequence[Evidence]) -> Span | None:
        """The most likely span of the first sentences; None if there is none."""
        encoded = self._encoder.encode(question, [(found.text, found.answerability) for found in evidence])
        starts, ends = self._network.log_probabilities(encoded)
        return best_span(starts, ends, encoded.places)


def best_span(starts: Matrix, ends: Matrix, places: Sequence[tuple[int, int, int] | None]) -> Span | None:
    """The span with the largest product of the probabilities of its ends, each (tokens,) as a logarithm."""
    best: Span | None = None
    null = float(starts[0] + ends[0])
    for first in np.argsort(-starts)[:STARTS]:
        begin = places[first]
        if begin is None:
            continue
        for last in range(first, min(first + MAX_SPAN, len(places))):
            end = places[last]
            if end is None or end[0] != begin[0]:
                break
            score = float(starts[first] + ends[last])
            if best is None or score > best.log_probability:
                best = Span(begin[0], begin[1], end[2], score, null)
    return best


class Network:
    """The layers of a BERT encoder (Devlin et al., NAACL 2019) with features added in its middle, and a head."""

    def __init__(self, base: Any, trained: Any) -> None:
        """From open safetensors files: the embedder's, and what was trained."""
        stored, self._trained = set(base.keys()), Weights(trained)
        prefix = "bert." if any(name.startswith("bert.") for name in stored) else ""

        def read(name: str) -> torch.Tensor:
            return base.get_tensor(prefix + name)  # type: ignore[no-any-return]

        self._first_trained = int(trained.metadata()["first_trained"])
        self._embeddings = {name: read(f"embeddings.{name}") for name in _EMBEDDINGS}
        self._layers = [
            _joined(
                {
                    part: self._trained.apply(f"encoder.layer.{n}.{part}", read(f"encoder.layer.{n}.{part}").float())
                    for part in PARTS
                }
            )
            for n in range(LAYERS)
        ]

    def log_probabilities(self, encoded: Encoded) -> tuple[Matrix, Matrix]:
        """Log probabilities of each token to start and to end the answer, (tokens,) each; the first means no answer."""
        import torch

        with torch.inference_mode():
            features = torch.from_numpy(encoded.features)
            states = self._states(torch.tensor(encoded.ids), features)
            hidden = torch.nn.functional.gelu(self._linear(torch.cat([states, features], -1), "hid"))
            logits = self._linear(hidden, "out")
            allowed = torch.tensor([place is not None for place in encoded.places])
            allowed[0] = True
            scores = torch.log_softmax(logits.masked_fill(~allowed[:, None], _IMPOSSIBLE), 0).numpy()
        return scores[:, 0], scores[:, 1]

    def _states(self, ids: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """The last layer's vectors, (tokens, width)."""
        from rag.embed.layers import through

        first, states = self._first_trained, embed_tokens(self._embeddings, ids)
        states = through(states[None], self._layers[:first], None, HEADS, _EPSILON)
        states = states + self._linear(features, "feat")
        after: torch.Tensor = through(states, self._layers[first:], None, HEADS, _EPSILON)[0]
        return after

    def _linear(self, values: torch.Tensor, name: str) -> torch.Tensor:
        import torch

        return torch.nn.functional.linear(
            values, self._trained.whole[f"{name}.weight"], self._trained.whole[f"{name}.bias"]
        )


class Weights:
    """Trained weights as they are stored: whole ones, and differences from the embedder's in 4 bits a number."""

    def __init__(self, file: Any) -> None:
        self.whole = {name: file.get_tensor(name).float() for name in file.keys() if name.count(".") == 1}  # noqa: SIM118
        self._differences = {name: file.get_tensor(name) for name in file.keys() if name.count(".") > 1}  # noqa: SIM118

    def apply(self, name: str, weight: torch.Tensor) -> torch.Tensor:
        """The weight `name` as it was trained."""
        import torch

        if name in self._differences:
            return torch.add(weight, self._differences[name].float())
        if f"{name}.packed" not in self._differences:
            return weight
        packed, scale = self._differences[f"{name}.packed"], self._differences[f"{name}.scale"].float()
        numbers = torch.stack([packed & 15, packed >> 4], -1).flatten(1).float() - 8.0  # (rows, columns)
        return torch.add(weight, numbers * scale[:, None])


def pack_difference(difference: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A matrix (rows, columns) as 4-bit numbers (rows, columns / 2) and a scale for each row."""
    import torch

    scale = (difference.abs().amax(1) / 7).clamp_min(1e-8)
    numbers = ((difference / scale[:, None]).round().clamp(-8, 7) + 8).to(torch.uint8)
    return numbers[:, 0::2] | (numbers[:, 1::2] << 4), scale.half()


def embed_tokens(parts: Mapping[str, torch.Tensor], ids: torch.Tensor) -> torch.Tensor:
    """Ids (..., tokens) to the vectors (..., tokens, width) that the first layer gets."""
    states = (
        parts["word_embeddings.weight"][ids].float()
        + parts["position_embeddings.weight"][: ids.shape[-1]].float()
        + parts["token_type_embeddings.weight"][0].float()
    )
    return _norm(states, parts["LayerNorm.weight"].float(), parts["LayerNorm.bias"].float())


def _joined(layer: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
    """The weights of a layer as `rag.embed.layers` takes them."""
    import torch

    taken = [torch.cat([layer[f"attention.self.{part}.{kind}"] for part in _ATTENTION]) for kind in _KINDS]
    return taken + [layer[f"{part}.{kind}"] for part in _AFTER_ATTENTION for kind in _KINDS]


def _norm(states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.as_tensor(torch.nn.functional.layer_norm(states, weight.shape, weight, bias, _EPSILON))
