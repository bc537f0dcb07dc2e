"""A conversation as plain data: what was asked, found and answered. To and from JSON, so that it can be stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rag.answer.marks import remove_citation_marks, replace_citation_marks
from rag.answer.scales import named_values
from rag.messages import Message
from rag.reader import Turn
from rag.records import (
    DEFAULT_OPTIONS,
    Answer,
    AnswerState,
    AskOptions,
    Citation,
    ClaimState,
    Conflict,
    Document,
    Found,
    Sentence,
    ShortAnswer,
    Signal,
    Source,
    TableExcerpt,
)
from webui.strings import Language

HISTORY_TURNS = 6  # earlier questions given to the engine
NO_SENTENCE = -1  # index of the sentence that cites a source that was opened from a list
ROOT = 0  # parent of the first question of a branch
FIRST_SHORT = -2  # the same for the first citation of the short answer; -3 for its second, and so on


@dataclass
class Exchange:
    """One question and what became of it."""

    id: int
    question: str
    reader: str = ""  # name of the one that was asked
    found: Found | None = None
    text: str = ""  # the pieces so far
    answer: Answer | None = None
    error: Message | None = None
    stopped: bool = False  # by the person; whatever comes after is not shown
    documents: tuple[str, ...] | None = None  # ids of the documents that were searched; None for all
    checked: tuple[Sentence, ...] = ()  # the sentences that are complete so far, until there is an answer
    parent: int | None = None  # id of the exchange that it follows, or ROOT; None: the one asked before it
    options: AskOptions = DEFAULT_OPTIONS  # that it was asked with
    only: str = ""  # id of the one document it was asked about, whatever is ticked; "" for those ticked
    helpful: bool | None = None  # how the person rated the answer; None where they did not
    reason: str = ""  # why, in their words

    @property
    def running(self) -> bool:
        """Whether more may come."""
        return self.answer is None and not self.error and not self.stopped

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources found; empty until there are any."""
        return self.found.sources if self.found else ()

    @property
    def is_plain_text(self) -> bool:
        """Whether the answer is plain text rather than Markdown."""
        return self.found is not None and not self.found.writes_markdown

    def cited_answer(self) -> str:
        """The answer as text with its citations as `[n]`, for the clipboard."""
        if self.answer is None:
            return replace_citation_marks(self.text, lambda numbers: "".join(f"[{number}]" for number in numbers))
        parts = []
        for sentence in self.answer.sentences:
            marks = "".join(f"[{citation.number}]" for citation in sentence.citations)
            parts.append(f"{sentence.lead}{sentence.text}{marks}")
        return "".join(parts).strip()

    def bare_answer(self) -> str:
        """The answer as text without its citations."""
        if self.answer is None:
            return remove_citation_marks(self.text).strip()
        text = "".join(sentence.lead + sentence.text for sentence in self.answer.sentences).strip()
        short = self.answer.short if self.answer.state is AnswerState.ANSWER else None
        return f"{_short_text(short)}\n{text}".strip() if short else text

    def source(self, number: int) -> Source | None:
        """The source with this number."""
        return next((source for source in self.sources if source.number == number), None)

    def citation(self, sentence: int, number: int) -> Citation | None:
        """The citation of source `number` by the sentence at this index, or by the short answer (`FIRST_SHORT`)."""
        if sentence <= FIRST_SHORT:
            short = self.answer.short if self.answer else None
            place = FIRST_SHORT - sentence
            citations = short.citations[place : place + 1] if short else ()
        else:
            sentences = self.answer.sentences if self.answer else self.checked
            citations = sentences[sentence].citations if 0 <= sentence < len(sentences) else ()
        return next((citation for citation in citations if citation.number == number), None)

    def to_json(self) -> dict[str, Any]:
        """As JSON takes it."""
        data = {**asdict(self), "error": self.error.to_json() if self.error else None}
        if self.answer and self.answer.reply:
            data["answer"]["reply"] = self.answer.reply.to_json()
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Exchange:
        """The inverse of `to_json`; an answer that was still running then counts as stopped."""
        documents, found, answer, error = (data[name] for name in ("documents", "found", "answer", "error"))
        exchange = cls(
            **{
                **data,
                "options": AskOptions(**data.get("options", {})),
                "documents": None if documents is None else tuple(documents),
                "found": _found(found) if found else None,
                "answer": _answer(answer) if answer else None,
                "error": Message.from_json(error) if error else None,
                "checked": tuple(map(_sentence, data["checked"])),
            }
        )
        exchange.stopped |= exchange.running
        return exchange


@dataclass
class Conversation:
    """The questions of one conversation, in the language of its page.

    A question that is asked again, or edited, is a variant of the first one: it has the same parent, and begins a
    branch of its own.
    """

    language: Language
    exchanges: list[Exchange] = field(default_factory=list)  # of all branches, in the order they were asked
    left_out: set[str] = field(default_factory=set)  # ids of the documents that are not searched; new ones are
    leaf: int | None = None  # id of the exchange that the branch shown ends with; None for the newest

    @property
    def running(self) -> bool:
        """Whether an answer is being made."""
        return any(exchange.running for exchange in self.exchanges[-1:])

    def chosen(self, documents: tuple[Document, ...]) -> tuple[str, ...] | None:
        """Ids of the documents to search; None for all of them."""
        kept = tuple(document.id for document in documents if document.id not in self.left_out)
        return None if len(kept) == len(documents) else kept

    def exchange(self, exchange_id: int) -> Exchange | None:
        """The exchange with this id."""
        return next((exchange for exchange in self.exchanges if exchange.id == exchange_id), None)

    @property
    def branch(self) -> list[Exchange]:
        """The exchanges that are shown, oldest first."""
        newest = self.exchanges[-1].id if self.exchanges else ROOT
        return self.branch_to(newest if self.leaf is None else self.leaf)

    def branch_to(self, exchange_id: int) -> list[Exchange]:
        """An exchange and all that it follows, oldest first; empty for ROOT."""
        by_id, parents = {exchange.id: exchange for exchange in self.exchanges}, self.parents()
        branch: list[Exchange] = []
        while exchange := by_id.pop(exchange_id, None):
            branch.append(exchange)
            exchange_id = parents[exchange.id]
        return branch[::-1]

    def parents(self) -> dict[int, int]:
        """The id of what each exchange follows, by its own id; ROOT for what follows nothing."""
        parents, before = dict[int, int](), ROOT
        for exchange in self.exchanges:
            parents[exchange.id] = before if exchange.parent is None else exchange.parent
            before = exchange.id
        return parents

    def variants(self, exchange_id: int) -> list[int]:
        """Ids of all that was asked in the place of an exchange, itself included, in the order it was asked."""
        parents = self.parents()
        return [other for other, parent in parents.items() if parent == parents.get(exchange_id)]

    def show_variant(self, exchange_id: int) -> None:
        """Show the branch of an exchange, up to the last question that was asked in it."""
        parents = self.parents()
        if exchange_id in parents:
            within = {exchange_id}
            for other, parent in parents.items():  # a parent comes before what follows it
                if parent in within:
                    within.add(other)
            self.leaf = max(within)

    def history(self, leaf: int | None = None) -> list[Turn]:
        """The last exchanges up to a leaf, by default the one shown, as the engine takes them; without failed ones."""
        branch = self.branch if leaf is None else self.branch_to(leaf)
        turns = [
            Turn(exchange.question, exchange.bare_answer(), exchange.found.query if exchange.found else "")
            for exchange in branch[-HISTORY_TURNS:]
            if not exchange.error
        ]
        return [turn for turn in turns if turn.answer]

    def to_json(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "language": self.language,
            "exchanges": [exchange.to_json() for exchange in self.exchanges],
            "left_out": sorted(self.left_out),
            "leaf": self.leaf,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Conversation:
        """The inverse of `to_json`."""
        exchanges = [Exchange.from_json(exchange) for exchange in data["exchanges"]]
        return cls(data["language"], exchanges, set(data["left_out"]), data.get("leaf"))


def _found(data: Mapping[str, Any]) -> Found:
    return Found(**{**data, "sources": tuple(map(_source, data["sources"])), "parts": tuple(data["parts"])})


def _source(data: Mapping[str, Any]) -> Source:
    span = data["passage_span"]
    signals = tuple(Signal(**signal) for signal in data["signals"])
    return Source(
        **{
            **data,
            "heading": tuple(data["heading"]),
            "signals": signals,
            "passage_span": None if span is None else tuple(span),
        }
    )


def _answer(data: Mapping[str, Any]) -> Answer:
    short, reply = data["short"], data["reply"]
    return Answer(
        **{
            **data,
            "sentences": tuple(map(_sentence, data["sentences"])),
            "state": AnswerState(data["state"]),
            "missing": tuple(data["missing"]),
            "short": _short(short) if short else None,
            "reply": Message.from_json(reply) if reply else None,
        }
    )


def _sentence(data: Mapping[str, Any]) -> Sentence:
    return Sentence(
        **{
            **data,
            "citations": tuple(Citation(**citation) for citation in data["citations"]),
            "claim": ClaimState(data["claim"]) if data["claim"] else None,
            "conflicts": tuple(Conflict(**conflict) for conflict in data["conflicts"]),
        }
    )


def _short(data: Mapping[str, Any]) -> ShortAnswer:
    citations = tuple(Citation(**citation) for citation in data["citations"])
    return ShortAnswer(
        **{
            **data,
            "values": tuple(data["values"]),
            "labels": tuple(data["labels"]),
            "names": tuple(data.get("names", ())),
            "citations": citations,
            "table": _table(data["table"]) if data["table"] else None,
        }
    )


def _table(data: Mapping[str, Any]) -> TableExcerpt:
    return TableExcerpt(
        caption=data["caption"],
        headers=tuple(data["headers"]),
        rows=tuple(map(tuple, data["rows"])),
        marked=tuple((row, column) for row, column in data["marked"]),
    )


def _short_text(short: ShortAnswer) -> str:
    """A short answer as text for the reader of a later question."""
    value = ", ".join(named_values(short))
    return f"{' · '.join(short.labels)}: {value}" if short.labels else value
