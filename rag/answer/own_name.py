"""How documents write the names in a question: in their own script, and their own name as "we" or "the Company".

"What share of Boeing's employees are in a union?" is answered by "32% of our total workforce were union represented".
If the name were searched, sentences with it would come first whatever they say, although the whole report is about
Boeing. So the name chooses the document, and is left out of the search within it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from rag.answer.claims.names import is_place
from rag.answer.named_things import Kind, is_ordinary, things_named
from rag.answer.other_script import in_other_script, translations
from rag.index.protocols import Scope
from rag.index.tokenize import terms
from rag.retrieve.query import Query
from rag.retrieve.routing import PERIODS
from rag.retrieve.searching import Searching
from rag.retrieve.without_name import mentions
from rag.store.database import Store

COVER_CHARACTERS: Final = 4_000  # of a document's first page, which names its company
_OWN_VOICE: Final = ("our", "company")  # terms with which a company refers to itself
_SMALL: Final = frozenset(("of", "and", "the", "for"))
_PART: Final = re.compile(r"[\W_]+")  # between the words of a file name


@dataclass(frozen=True, slots=True)
class DocumentNames:
    """The names of the documents of one library."""

    store: Store
    searching: Searching
    least_own_voice: float  # share of a document's passages with "our" or "company" if it speaks for a company

    def as_written(self, query: Query, scope: Scope) -> Query:
        """The query, with names from the other script as the documents write them: Walmart for 沃尔玛."""
        names = [thing for thing in things_named(query.completed) if thing.kind is Kind.NAME]
        for thing in names:
            for other in () if is_place(thing.text) else translations(thing.text):
                if self.searching.named_documents(other, scope):
                    completed, *parts = (in_other_script(text, thing.text, other) for text in query.texts)
                    query = replace(query, completed=completed, parts=tuple(parts))
                    break
        return query

    def without_own_name(self, query: Query, named: Mapping[str, frozenset[str]], scope: Scope) -> Query:
        """The query with the name of the documents' company marked, so that it is searched without it.

        `named`: the documents that the question names: id -> its terms that name them. The query is returned unchanged
        if they are of several companies, or do not speak for one.
        """
        if not named:
            return query
        own = frozenset[str].intersection(*named.values()) - PERIODS
        one_name = all(words - own <= PERIODS for words in named.values())
        if not (own and one_name and self._speak_for_themselves(named, scope)):
            return query
        return replace(query, own_name=frozenset(self._written(query.completed, own, named, scope)))

    def _speak_for_themselves(self, documents: Iterable[str], scope: Scope) -> bool:
        shares = [self.searching.coverage(term, scope) for term in _OWN_VOICE]
        return all(max(share.get(document, 0.0) for share in shares) >= self.least_own_voice for document in documents)

    def _written(self, question: str, own: frozenset[str], documents: Iterable[str], scope: Scope) -> Iterable[str]:
        """The terms that the question writes as a name, or that the cover of a document gives as its name."""
        capitalised = [question[start:end] for start, end in mentions(question, own) if not question[start].islower()]
        found = {term for name in capitalised for term in terms(name)}
        if found >= own:
            return found
        return found.union(*(own & self._company(document, scope) for document in documents))

    def _company(self, document_id: str, scope: Scope) -> frozenset[str]:
        document = self.store.document(scope.owner, document_id)
        if document is None:
            return frozenset()
        _, cover = self.store.page_text(document.owner, document.id, 0)
        return frozenset(terms(company_on_cover(document.name, cover[:COVER_CHARACTERS])))


def company_on_cover(file_name: str, cover: str) -> str:
    """The name that a file name starts with, as the cover writes it: AMERICANWATERWORKS -> American Water Works.

    "" if it is not on the cover.
    """
    part = next((part for part in _PART.split(file_name) if part and not part.isdigit()), "")
    if not 2 <= len(part) <= 40 or is_ordinary(part):
        return ""
    spaced = r"[\s&.’'-]{0,3}".join(map(re.escape, part))
    match = re.search(rf"(?<!\w){spaced}(?!\w)", cover, re.IGNORECASE)
    if match is None or match.group()[0].islower():
        return ""
    name = " ".join(match.group().split())
    if not name.isupper() or len(name) <= 3:
        return name
    return " ".join(word.lower() if word.lower() in _SMALL else word.capitalize() for word in name.split())
