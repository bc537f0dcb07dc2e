"""Make a set of claims from public pages: sentences verbatim, reworded in five ways, altered in eight ways.

    python -m benchmarks.make_claims --pdfs FOLDER [FOLDER ...] --out FOLDER [--each 26] [--seed 7] [--whole-pages]

Each claim changes one thing in one sentence of a page; its sources are the text around the sentence and a piece of
another page of the same document. Writes `made-tuning.jsonl` and `made-held-out.jsonl`: the documents are split by a
digest of their name, a third is held out. The same folders and seed give the same files.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.claim_changes import ALTERATIONS, REWORDINGS, Change, Material
from benchmarks.held_out import is_held_out
from rag.answer.sentences import sentence_spans
from rag.language import mainly_chinese
from rag.pdf.load import load
from rag.settings import Limits

AROUND = 215  # characters of a page on each side of the sentence
OTHER = 120  # characters of another page
MIN_SENTENCE = {False: 50, True: 18}  # characters, alphabetic and Chinese
MAX_SENTENCE = {False: 260, True: 110}
MAX_FIGURES = 0.12  # share of digits, above which a "sentence" is a row of a table
CAPITALISED = re.compile(r"(?<![.!?:]\s)(?<!^)\b[A-Z][a-zA-Z]{2,}(?:\s[A-Z][a-zA-Z]{2,}){0,2}\b")
HAN_NAME = re.compile(r"[\u4e00-\u9fff]{1,5}(?:·[\u4e00-\u9fff]{1,5}){1,2}")
HAN_PLACES = re.compile(
    "英国|法国|德国|美国|中国|日本|波兰|印度|埃及|罗马|巴黎|伦敦|柏林|华沙|纽约|洛杉矶|旧金山|波士顿|维也纳|肯尼亚|澳大利亚|加利福尼亚|苏格兰"
    "|爱迪生|特斯拉|路德|成吉思汗|忽必烈|牛顿|亚里士多德|爱因斯坦|达尔文|哈佛大学|耶鲁大学|诺曼底|意大利|西班牙|荷兰|俄罗斯|伊朗|沙特|以色列|欧盟"
)


@dataclass(frozen=True)
class Taken:
    """A sentence of a page."""

    document: str
    page: str  # the page's text
    start: int
    end: int
    following: str  # the next sentence

    @property
    def text(self) -> str:
        """The sentence itself."""
        return self.page[self.start : self.end]


def is_prose(text: str) -> bool:
    """Whether a text is a whole sentence of running text of a fair length."""
    chinese = mainly_chinese(text)
    digits = sum(character.isdigit() for character in text)
    return (
        MIN_SENTENCE[chinese] <= len(text) <= MAX_SENTENCE[chinese]
        and text[-1] in ".。！"
        and "\n" not in text
        and (chinese or text[0].isupper())
        and digits <= MAX_FIGURES * len(text)
    )


def sentences_of(pdf: Path) -> list[Taken]:
    """The sentences of a document's running text."""
    found: list[Taken] = []
    for page in load(pdf, limits=Limits()).pages:
        spans = sentence_spans(page.text)
        for n, (start, end) in enumerate(spans):
            following = page.text[slice(*spans[n + 1])] if n + 1 < len(spans) else ""
            if is_prose(page.text[start:end]):
                found.append(Taken(pdf.name, page.text, start, end, following))
    return found


def names_of(sentences: Sequence[Taken]) -> list[str]:
    """Names that stand in a document, for swapping."""
    found: set[str] = set()
    for taken in sentences:
        found |= set(CAPITALISED.findall(taken.text)) | set(HAN_NAME.findall(taken.text))
        found |= set(HAN_PLACES.findall(taken.text))
    return sorted(found)


def sources_of(taken: Taken, others: Sequence[Taken], chance: random.Random, whole: bool) -> list[str]:
    """The text around a sentence, cut at sentences, and a piece of another page."""
    if whole:
        return [taken.page]
    spans = sentence_spans(taken.page)
    near = [span for span in spans if span[0] >= taken.start - AROUND and span[1] <= taken.end + AROUND]
    near.append((taken.start, taken.end))
    sources = [taken.page[min(span[0] for span in near) : max(span[1] for span in near)]]
    elsewhere = [other for other in others if other.page != taken.page]
    if elsewhere:
        other = chance.choice(elsewhere)
        sources.append(other.page[other.start : other.start + OTHER])
    return sources


def claims_of(
    sentences: Sequence[Taken], changes: dict[str, Change], chance: random.Random, whole: bool
) -> Iterator[dict[str, object]]:
    """One claim of each kind that can be made from each sentence."""
    by_document: dict[str, list[Taken]] = defaultdict(list)
    for taken in sentences:
        by_document[taken.document].append(taken)
    names = {document: names_of(own) for document, own in by_document.items()}
    for taken in sentences:
        for kind, change in changes.items():
            changed = change(Material(taken.text, taken.following, tuple(names[taken.document])), chance)
            if changed and (changed != taken.text or kind == "verbatim"):
                mark = chance.choice(["", "", " [1]"])
                yield {
                    "sentence": changed[:-1] + mark + changed[-1] if mark else changed,
                    "sources": sources_of(taken, by_document[taken.document], chance, whole),
                    "expected": "altered" if kind in ALTERATIONS else "supported",
                    "kind": kind,
                    "language": "zh" if mainly_chinese(taken.text) else "en",
                    "document": taken.document,
                }


def sample(claims: Iterator[dict[str, object]], each: int, chance: random.Random) -> list[dict[str, object]]:
    """At most `each` claims of each kind and language."""
    groups: dict[tuple[object, object], list[dict[str, object]]] = defaultdict(list)
    for claim in claims:
        groups[claim["kind"], claim["language"]].append(claim)
    return [
        claim
        for _, rows in sorted(groups.items(), key=lambda entry: str(entry[0]))
        for claim in chance.sample(rows, min(each, len(rows)))
    ]


def main(write: Callable[[str], object] = print) -> None:
    """Make the two files."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--pdfs", type=Path, nargs="+", required=True, help="folders with PDFs")
    made.add_argument("--out", type=Path, required=True, help="folder to write to")
    made.add_argument("--each", type=int, default=26, help="claims of each kind and language; default: %(default)s")
    made.add_argument("--seed", type=int, default=7)
    made.add_argument("--whole-pages", action="store_true", help="whole pages as sources")
    arguments = made.parse_args()
    sentences = [one for folder in arguments.pdfs for pdf in sorted(folder.glob("*.pdf")) for one in sentences_of(pdf)]
    for part, held in (("tuning", False), ("held-out", True)):
        chance = random.Random(arguments.seed)
        own = [taken for taken in sentences if is_held_out(taken.document) is held]
        share = max(1, round(arguments.each * (1 if held else 2) / 3))
        claims = sample(claims_of(own, REWORDINGS | ALTERATIONS, chance, arguments.whole_pages), share, chance)
        lines = (json.dumps(claim, ensure_ascii=False) + "\n" for claim in claims)
        (arguments.out / f"made-{part}.jsonl").write_text("".join(lines), "utf-8")
        write(f"{part}: {len(claims)} claims from {len({taken.document for taken in own})} documents")


if __name__ == "__main__":
    main()
