"""Training of the model that finds short answers in sentences (`rag/answer/phrases/span_model.py`).

    python -m benchmarks.train_phrases --xquad FOLDER --tatqa FOLDER --data-dir FOLDER --out FILE [--epochs 5]

Both folders hold `pdfs/` and `questions.jsonl`. Every question is first searched as the product does, XQuAD in the
library of all its paragraphs, TAT-QA in the page that is given; the best sentences are what the model is trained on.
A third, chosen by a digest of document and page (alike in both languages), is held out. Of the questions trained on, a
quarter are asked in the other language and a fifth have their answer taken away, so that the model learns to find
none. Takes about an hour on one core. Prints exact match and F1 of the held-out questions, then a JSON line.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from benchmarks.baseline import machine
from benchmarks.held_out import is_held_out
from rag.answer.asked import Asked
from rag.answer.phrases.features import COUNT
from rag.answer.phrases.short_phrase import trim
from rag.answer.phrases.span_model import (
    HEADS,
    LAYERS,
    PARTS,
    Encoded,
    SpanEncoder,
    best_span,
    embed_tokens,
    pack_difference,
)
from rag.answer.quote import QuoteReader
from rag.embed.cached import CachedEmbedder
from rag.embed.embedder import Embedder, open_embedder
from rag.engine import Engine
from rag.evaluate import add_folder
from rag.evaluation.question_file import Question, read_questions
from rag.evaluation.short_answers import short_answer_scores
from rag.index.protocols import Scope
from rag.language import CJK
from rag.settings import Settings

FIRST_TRAINED = 6  # of the twelve layers; those below stay as they are
WIDTH, HIDDEN = 384, 192
BATCH = 8
LEARNING_RATE, HEAD_LEARNING_RATE = 1e-4, 1e-3
DROPOUT = 0.1
SENTENCES = 4
OTHER_LANGUAGE, WITHOUT_ANSWER, SHUFFLED = 0.25, 0.2, 0.3  # shares of the examples

Pairs = list[tuple[int, int]]  # first and last token of the spans that answer


@dataclass(frozen=True)
class Retrieved:
    """A question with its best sentences."""

    question: Question
    sentences: list[tuple[str, float, bool]]  # text, answerability, whether it is on a correct page
    held_out: bool


class Layer(nn.Module):
    """A trained layer, in batches; the product computes the same for one sequence."""

    def __init__(self, weights: dict[str, Tensor], number: int) -> None:
        super().__init__()
        self.weights = nn.ParameterDict(
            {part.replace(".", "/"): nn.Parameter(weights[f"encoder.layer.{number}.{part}"].clone()) for part in PARTS}
        )

    def forward(self, states: Tensor, mask: Tensor, dropout: float) -> Tensor:
        """States (batch, tokens, width) and mask (batch, 1, tokens, tokens) to new states."""
        batch, count, width = states.shape

        def dense(values: Tensor, name: str) -> Tensor:
            name = name.replace(".", "/")
            return nn.functional.linear(values, self.weights[f"{name}/weight"], self.weights[f"{name}/bias"])

        def norm(values: Tensor, name: str) -> Tensor:
            name = name.replace(".", "/")
            weight, bias = self.weights[f"{name}/weight"], self.weights[f"{name}/bias"]
            return nn.functional.layer_norm(values, (width,), weight, bias, 1e-12)

        query, key, value = (
            dense(states, f"attention.self.{name}").view(batch, count, HEADS, width // HEADS).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        attended = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        attended = dense(attended.transpose(1, 2).reshape(batch, count, width), "attention.output.dense")
        dropped = nn.functional.dropout(attended, dropout, self.training)
        states = norm(states + dropped, "attention.output.LayerNorm")
        wide = nn.functional.gelu(dense(states, "intermediate.dense"))
        dropped = nn.functional.dropout(dense(wide, "output.dense"), dropout, self.training)
        return norm(states + dropped, "output.LayerNorm")


class SpanNetwork(nn.Module):
    """The embedder's layers, those from FIRST_TRAINED on trained, and the head."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.embeddings = {name.removeprefix("embeddings."): tensor for name, tensor in weights.items()}
        self.layers = nn.ModuleList(Layer(weights, n) for n in range(LAYERS))
        for layer in self.layers[:FIRST_TRAINED]:
            layer.requires_grad_(False)
        self.feat = nn.Linear(COUNT, WIDTH)
        nn.init.zeros_(self.feat.weight)
        nn.init.zeros_(self.feat.bias)
        self.hid, self.out = nn.Linear(WIDTH + COUNT, HIDDEN), nn.Linear(HIDDEN, 2)

    def forward(self, ids: Tensor, held: Tensor, features: Tensor) -> Tensor:
        """Ids and mask (batch, tokens), features (batch, tokens, COUNT) to logits (batch, tokens, 2)."""
        states = embed_tokens(self.embeddings, ids)
        mask = held[:, None, None, :].expand(-1, 1, ids.shape[1], -1)
        for n, layer in enumerate(self.layers):
            if n == FIRST_TRAINED:
                states = states + self.feat(features)
            states = layer(states, mask, DROPOUT if n >= FIRST_TRAINED else 0.0)
        both = torch.cat([nn.functional.dropout(states, DROPOUT, self.training), features], -1)
        logits: Tensor = self.out(nn.functional.gelu(self.hid(both)))
        return logits


def retrieve(engine: Engine, questions: Sequence[Question], in_document: bool) -> Iterator[Retrieved]:
    """The best sentences of each question, as the product finds them."""
    ids = {document.name: document.id for document in engine.documents("")}
    answerer = engine.answerer  # the evidence is no part of what the engine shows
    for question in questions:
        chosen = frozenset([ids[question.document]]) if in_document else None
        asked = Asked(question.question, Scope("", chosen))
        found = answerer.retrieve(asked)
        right = {source.number: question.is_right(source) for source in found.sources}
        evidence = answerer._find_evidence(asked, found, None)
        yield Retrieved(
            question,
            [(one.text, one.answerability, right[one.number]) for one in evidence],
            held_out(question),
        )


def held_out(question: Question) -> bool:
    """Whether a question is kept from training, by document and page: the same for a text in both languages."""
    key = f"{re.sub('_(en|zh)_', '_', question.document)}:{min(question.pages)}"
    return is_held_out(key)


def pairs_of(encoded: Encoded, texts: Sequence[tuple[str, float, bool]], answer: str) -> Pairs:
    """Every place where the answer stands in a sentence on a correct page, as first and last token."""
    pairs: Pairs = []
    for number, (text, _, right) in enumerate(texts):
        for match in re.finditer(re.escape(answer), text) if right else ():
            touched = [
                token
                for token, place in enumerate(encoded.places)
                if place and place[0] == number and place[1] < match.end() and place[2] > match.start()
            ]
            if touched:
                pairs.append((touched[0], touched[-1]))
    return pairs


def translations(rows: Sequence[Retrieved]) -> dict[str, str]:
    """Question -> the same in the other language; XQuAD has both in the same order."""
    english, chinese = (
        [row.question.question for row in rows if row.question.language == language] for language in ("en", "zh")
    )
    return {**dict(zip(english, chinese, strict=True)), **dict(zip(chinese, english, strict=True))}


class Examples:
    """What the network is shown, redrawn in every epoch."""

    def __init__(
        self, rows: Sequence[Retrieved], other: dict[str, str], encoder: SpanEncoder, chance: random.Random
    ) -> None:
        """`other`: question -> the same in the other language."""
        self.rows, self.other, self.encoder, self.chance = list(rows), other, encoder, chance

    def epoch(self) -> list[tuple[Encoded, Pairs]]:
        """One example of each question that has one."""
        drawn = [example for row in self.rows if (example := self._draw(row))]
        drawn.sort(key=lambda example: len(example[0].ids) + self.chance.random() * 40)
        return drawn

    def _draw(self, row: Retrieved) -> tuple[Encoded, Pairs] | None:
        question, answer = row.question.question, row.question.answers[0].strip()
        if self.chance.random() < OTHER_LANGUAGE:
            question = self.other.get(question, question)
        if self.chance.random() < WITHOUT_ANSWER:
            others = [one for one in row.sentences if not one[2]] or [
                one for one in row.sentences if answer not in one[0]
            ]
            texts = others[:SENTENCES]
            return (self.encoder.encode(question, [one[:2] for one in texts]), []) if texts else None
        texts = row.sentences[: self.chance.choice((2, 3, SENTENCES, SENTENCES))]
        if not any(one[2] and answer in one[0] for one in texts):
            holding = [one for one in row.sentences if one[2] and answer in one[0]]
            texts = [*texts[:-1], *holding[:1]]
        if self.chance.random() < SHUFFLED:
            self.chance.shuffle(texts)
        encoded = self.encoder.encode(question, [one[:2] for one in texts])
        pairs = pairs_of(encoded, texts, answer)
        return (encoded, pairs) if pairs else None


def collate(batch: Sequence[Encoded]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Ids, mask, features and allowed tokens of sequences of different length."""
    shape = len(batch), max(len(one.ids) for one in batch)
    ids, held = torch.ones(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.bool)
    features, allowed = torch.zeros(*shape, COUNT), torch.zeros(shape, dtype=torch.bool)
    for n, one in enumerate(batch):
        count = len(one.ids)
        ids[n, :count], held[n, :count] = torch.tensor(one.ids), True
        features[n, :count] = torch.from_numpy(one.features)
        allowed[n, :count] = torch.tensor([place is not None for place in one.places])
        allowed[n, 0] = True
    return ids, held, features, allowed


def log_probabilities(network: SpanNetwork, batch: Sequence[Encoded]) -> tuple[Tensor, Tensor]:
    """Of each token to begin, and to end, the answer, (batch, tokens) each."""
    ids, held, features, allowed = collate(batch)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(ids, held, features)
    scores = torch.log_softmax(logits.float().masked_fill(~allowed[..., None], -1e4), 1)
    return scores[..., 0], scores[..., 1]


def train(network: SpanNetwork, examples: Examples, epochs: int) -> None:
    """Maximise the probability of all spans that are the answer (Clark & Gardner, ACL 2018, section 3)."""
    layers = [one for one in network.layers.parameters() if one.requires_grad]
    head = [one for part in (network.feat, network.hid, network.out) for one in part.parameters()]
    optimizer = torch.optim.AdamW(
        [{"params": layers, "lr": LEARNING_RATE}, {"params": head, "lr": HEAD_LEARNING_RATE}], weight_decay=0.01
    )
    steps = epochs * math.ceil(len(examples.rows) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / (0.1 * steps)) * max(0.02, 1 - step / steps)
    )
    for epoch in range(epochs):
        network.train()
        drawn = examples.epoch()
        batches = [drawn[n : n + BATCH] for n in range(0, len(drawn), BATCH)]
        examples.chance.shuffle(batches)
        total = 0.0
        for batch in batches:
            starts, ends = log_probabilities(network, [encoded for encoded, _ in batch])
            losses = [
                -torch.logsumexp(torch.stack([starts[n, a] + ends[n, b] for a, b in pairs or [(0, 0)]]), 0)
                for n, (_, pairs) in enumerate(batch)
            ]
            loss = torch.stack(losses).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch}: loss {total / len(batches):.3f}", flush=True)


def evaluate(network: SpanNetwork, rows: Sequence[Retrieved], encoder: SpanEncoder) -> dict[str, list[float]]:
    """Number, exact match and F1 by document set and language; F1 of Chinese counts characters."""
    network.eval()
    scores: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        texts = [one[:2] for one in row.sentences[:SENTENCES]]
        encoded = encoder.encode(row.question.question, texts)
        with torch.inference_mode():
            starts, ends = log_probabilities(network, [encoded])
        span = best_span(starts[0].numpy(), ends[0].numpy(), encoded.places)
        given = ""
        if span:
            text = texts[span.sentence][0]
            start, end = trim(text, span.start, span.end)
            given = text[start:end]
        found = short_answer_scores([spaced(given)], "", [spaced(one) for one in row.question.answers], "")
        scores[f"{row.question.document.split('_')[0]} {row.question.language}"].append((found.exact, found.f1))
    return {
        name: [len(found), *(round(sum(column) / len(found), 4) for column in zip(*found, strict=True))]
        for name, found in scores.items()
    }


def spaced(text: str) -> str:
    """The text with spaces between Chinese characters, so that each counts as a word."""
    return " ".join(re.sub(rf"([{CJK}])", r" \1 ", text).split())


def save(network: SpanNetwork, weights: dict[str, Tensor], file: Path) -> None:
    """The head, and the trained layers as differences from the embedder's."""
    kept: dict[str, Tensor] = {}
    for name, tensor in network.state_dict().items():
        if not name.startswith("layers."):
            kept[name] = tensor.half()
    for n in range(FIRST_TRAINED, LAYERS):
        for part in PARTS:
            name = f"encoder.layer.{n}.{part}"
            trained = network.get_parameter(f"layers.{n}.weights.{part.replace('.', '/')}")
            difference = trained.detach() - weights[name]
            if difference.ndim == 1:
                kept[name] = difference.half()
            else:
                kept[f"{name}.packed"], kept[f"{name}.scale"] = pack_difference(difference)
    save_file(kept, file, metadata={"first_trained": str(FIRST_TRAINED)})


def collect(embedder: Embedder, data: Path, folder: Path, in_document: bool) -> list[Retrieved]:
    """The questions of a folder with their sentences; those with one span in the text, and its place in the file."""
    questions = [one for one in read_questions(folder / "questions.jsonl") if one.evidence in ("", "text")]
    questions = [one for one in questions if len(one.answers) == 1]
    with Engine(replace(Settings(), data_dir=data), embedder=lambda: embedder, reader=QuoteReader()) as engine:
        add_folder(engine, folder / "pdfs", lambda _: None)
        return list(retrieve(engine, questions, in_document))


def main() -> None:
    """Train, measure and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--xquad", type=Path, required=True, help="folder of XQuAD")
    parser.add_argument("--tatqa", type=Path, required=True, help="folder of TAT-QA")
    parser.add_argument("--data-dir", type=Path, required=True, help="where the indexes are kept")
    parser.add_argument("--cache-dir", type=Path, default=Path.home() / ".cache" / "ask-your-pdfs")
    parser.add_argument("--out", type=Path, required=True, help="file of weights to write")
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    embedder = CachedEmbedder(open_embedder("packaged", cache=arguments.cache_dir), arguments.cache_dir)
    assert embedder.folder is not None
    xquad = collect(embedder, arguments.data_dir / "xquad", arguments.xquad, in_document=False)
    rows = [*xquad, *collect(embedder, arguments.data_dir / "tatqa", arguments.tatqa, in_document=True)]
    stored = load_file(embedder.folder / "model.safetensors")
    weights = {name.removeprefix("bert."): tensor.float() for name, tensor in stored.items()}
    network, encoder = SpanNetwork(weights), SpanEncoder(embedder.folder)
    used = [row for row in rows if not row.held_out]
    train(network, Examples(used, translations(xquad), encoder, random.Random(0)), arguments.epochs)
    report = evaluate(network, [row for row in rows if row.held_out], encoder)
    save(network, weights, arguments.out)
    print(json.dumps({**machine(), "trained on": len(used), "held out": report}))


if __name__ == "__main__":
    main()
