"""Why sources were found: the score and rank from each signal, and the combined score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from rag.records import Signal, Source
from webui.strings import Language, say
from webui.views.names import NO_TITLES, shown_name
from webui.views.render import render

_WORDS = {
    "vectors": "signal_vectors",
    "words": "signal_words",
    "document": "signal_document",
    "overlap": "signal_overlap",
    "page": "signal_page",
    "reranker": "reranker",
}


@dataclass(frozen=True, slots=True)
class _Cell:
    """What one signal gave one source."""

    score: str
    rank: int


@dataclass(frozen=True, slots=True)
class _Row:
    """A source, with a cell for each signal; None if the signal did not find it."""

    number: int
    document: str
    page_label: str
    cells: tuple[_Cell | None, ...]
    score: str  # of all signals together


def sources_why(sources: Sequence[Source], language: Language, titles: Mapping[str, str] = NO_TITLES) -> Markup:
    """One table for all sources of an answer; empty if none has a signal."""
    names = list(dict.fromkeys(signal.name for source in sources for signal in source.signals))
    if not names:
        return Markup()
    rows = [_row(source, names, titles) for source in sources if source.signals]  # others surround those found
    return render("why_sources.html", language, signals=[signal_word(name, language) for name in names], rows=rows)


def source_why(source: Source, language: Language) -> Markup:
    """The table of one source, with a line for each signal; empty if it has none."""
    if not source.signals:
        return Markup()
    signals = [(signal_word(signal.name, language), _cell(signal)) for signal in source.signals]
    return render("why_source.html", language, signals=signals, score=_score(source.score), rank=source.number)


def signal_word(name: str, language: Language) -> str:
    """What the page calls a signal; one that it does not know keeps its name."""
    return say(language, _WORDS[name]) if name in _WORDS else name


def _row(source: Source, names: Sequence[str], titles: Mapping[str, str]) -> _Row:
    by_name = {signal.name: signal for signal in source.signals}
    cells = tuple(_cell(by_name[name]) if name in by_name else None for name in names)
    return _Row(source.number, shown_name(source, titles), source.page_label, cells, _score(source.score))


def _cell(signal: Signal) -> _Cell:
    return _Cell(_score(signal.score), signal.rank)


def _score(score: float) -> str:
    return f"{score:.3f}" if abs(score) < 1 else f"{score:.2f}"
