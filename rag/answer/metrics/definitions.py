"""Formulas that a question spells out: "DPO is defined as: 365 * average accounts payable / COGS"."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rag.answer.metrics import wording
from rag.answer.metrics.formula import Binary, In, Kind, Name, Node, Over, Token, names_in, parse_tokens
from rag.answer.metrics.vocabulary import Metric, Vocabulary

MAX_DEPTH = 8  # of definitions that use one another

_DEFINED = re.compile(
    r"(?:(?:please |where |here,? )?\b(?:define|calculate|compute)\b (?P<a>[^.:=?!]{2,80}?)\s(?:as|using|by)\b:?"
    r"|(?:^|(?<=[.?!;,:] )|(?<=[.?!;,:] [Tt]he ))(?P<b>[A-Za-z][\w &%/()'-]{1,70}?)\s(?:here )?(?:is|are"
    r"|be) (?:defined|calculated|computed|measured) (?:here )?(?:as|by)\b:?"
    r"|(?:^|(?<=[.?!;,:] ))(?:where "
    r"|here )?(?P<c>[A-Za-z][\w &%/()'-]{1,60}?)\s?=)\s*(?P<formula>[^?;=]{3,400}?)(?=\.\s|\.$|\?|;|$)",
    re.IGNORECASE,
)
FORMULA_FILLERS = frozenset(
    "the of for in its their that year years end fiscal at from a an amount balance unadjusted reported total"
    " company's"
    " between 的 年 during both is".split()
)


def is_filler(token: Token, fillers: frozenset[str]) -> bool:
    """Whether a token is one of these words."""
    return token.kind is Kind.WORD and token.text.lower() in fillers


def definitions(text: str, vocabulary: Vocabulary) -> tuple[str, dict[str, str], dict[str, Node]] | None:
    """The text without its definitions, the names that they introduce, and their formulas by id.

    None if a definition cannot be read.
    """
    names: dict[str, str] = {}
    matches = list(_DEFINED.finditer(text))
    named: list[tuple[str, str]] = []  # id and formula
    for match in matches:
        name = " ".join(
            word
            for word in re.split(r"\s+", match["a"] or match["b"] or match["c"])
            if word.lower() not in ("unadjusted", "the")
        )
        found = vocabulary.name_at(name, 0)
        id_ = found[0] if found and found[1] == len(name) else name.lower()
        if id_ not in vocabulary.entries:
            if (
                not match["c"]
                and not match["b"]
                and not match[0].lower().lstrip().startswith(("define", "please define"))
            ):
                continue  # "calculate what was asked by using the line items" defines nothing
            names[id_] = id_
        named.append((id_, match["formula"]))
    formulas: dict[str, Node] = {}
    for id_, formula in named:
        tokens = [
            token for token in wording.pieces(formula, vocabulary, names) if not is_filler(token, FORMULA_FILLERS)
        ]
        node = parse_tokens(tokens)
        if node is None:
            # "using operating income and D&A" names the parts of the usual formula.
            usual = vocabulary.entries.get(id_)
            said = {token.text for token in tokens if token.kind is Kind.NAME}
            if usual is None or said != set(names_in(usual.formula)):
                return None
            node = usual.formula
        formulas[id_] = node
    for match in reversed(matches):
        text = f"{text[: match.start()]} {text[match.end() :]}"
    return " ".join(text.split()), names, formulas


def written_out(node: Node, vocabulary: Vocabulary, formulas: Mapping[str, Node], depth: int = 0) -> Node | None:
    """A formula over items alone: metrics written out, those that the question defines by its own formula."""
    if depth > MAX_DEPTH:
        return None
    match node:
        case Name(id=id_):
            if id_ in formulas and node != formulas[id_]:
                return written_out(
                    formulas[id_], vocabulary, {k: v for k, v in formulas.items() if k != id_}, depth + 1
                )
            entry = vocabulary.entries.get(id_)
            if isinstance(entry, Metric):
                return written_out(entry.formula, vocabulary, formulas, depth + 1)
            return node if entry is not None else None
        case In(body=body, year=year):
            inner = written_out(body, vocabulary, formulas, depth)
            return In(inner, year) if inner else None
        case Over(body=body):
            inner = written_out(body, vocabulary, formulas, depth)
            return Over(inner, node.years, node.change) if inner else None
        case Binary(operator=operator, left=left, right=right):
            one, other = (
                written_out(left, vocabulary, formulas, depth),
                written_out(right, vocabulary, formulas, depth),
            )
            return Binary(operator, one, other) if one and other else None
        case _:
            return node
