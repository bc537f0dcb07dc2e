"""Why a source was found, as HTML behind one click: score and place in each way of looking, and all together."""

from __future__ import annotations

from collections.abc import Sequence

from rag.records import Signal, Source
from webui.strings import Language, say
from webui.views.markup import escape

_WAYS = {
    "vectors": "signal_vectors",
    "words": "signal_words",
    "document": "signal_document",
    "second": "signal_second",
    "reranker": "reranker",
}


def sources_why(sources: Sequence[Source], language: Language) -> str:
    """One table for all sources of an answer; nothing where none has a signal."""
    ways = list(dict.fromkeys(signal.name for source in sources for signal in source.signals))
    if not ways:
        return ""
    names = "".join(f'<th scope="col">{escape(signal_word(way, language))}</th>' for way in ways)
    head = f'<tr><td></td>{names}<th scope="col">{escape(say(language, "together"))}</th></tr>'
    rows = "".join(_row(source, ways, language) for source in sources)
    title = escape(say(language, "why_these"))
    return _folded(title, f"<thead>{head}</thead><tbody>{rows}</tbody>", language)


def source_why(source: Source, language: Language) -> str:
    """The same of one source, a line for each way of looking."""
    if not source.signals:
        return ""
    score, place = (escape(say(language, key)) for key in ("score", "place"))
    head = f'<tr><td></td><th scope="col">{score}</th><th scope="col">{place}</th></tr>'
    rows = "".join(
        f'<tr><th scope="row">{escape(signal_word(signal.name, language))}</th><td>{_score(signal.score)}</td>'
        f"<td>{signal.rank}</td></tr>"
        for signal in source.signals
    )
    rows += (
        f'<tr class="together"><th scope="row">{escape(say(language, "together"))}</th>'
        f"<td>{_score(source.score)}</td><td>{source.number}</td></tr>"
    )
    title = escape(say(language, "why_this"))
    return _folded(title, f"<thead>{head}</thead><tbody>{rows}</tbody>", language)


def signal_word(name: str, language: Language) -> str:
    """What a way of looking is called on the page; one that the page does not know keeps its name."""
    return say(language, _WAYS[name]) if name in _WAYS else name


def _folded(title: str, table: str, language: Language) -> str:
    hint = escape(say(language, "why_hint"))
    return (
        f'<details class="why-found" data-key="why-found"><summary>{title}</summary>'
        f'<div class="wide"><table>{table}</table></div><p class="hint">{hint}</p></details>'
    )


def _row(source: Source, ways: Sequence[str], language: Language) -> str:
    by_name = {signal.name: signal for signal in source.signals}
    cells = "".join(f"<td>{_cell(by_name.get(way))}</td>" for way in ways)
    page, name = escape(say(language, "page", label=source.page_label)), escape(source.document)
    return (
        f'<tr><th scope="row"><b>{source.number}</b> <bdi class="name" title="{name}">{name}</bdi> '
        f'<span class="page">{page}</span></th>{cells}<td class="together">{_score(source.score)}</td></tr>'
    )


def _cell(signal: Signal | None) -> str:
    return f"{_score(signal.score)} <small>#{signal.rank}</small>" if signal else "–"


def _score(score: float) -> str:
    return f"{score:.3f}" if abs(score) < 1 else f"{score:.2f}"
