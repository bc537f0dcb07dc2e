"""Which documents a question about accounts means, and their statements."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from rag.answer.metrics.compute import Accounts
from rag.answer.metrics.statements import find_statements
from rag.index.protocols import Scope
from rag.index.tokenize import terms
from rag.kept import Kept
from rag.records import Document, DocumentKey, Source
from rag.store.database import Store

# The documents in scope that a text names, by id, and its terms that name them.
NamedDocuments = Callable[[str, Scope], Mapping[str, AbstractSet[str]]]

CACHED_DOCUMENTS = 64
MAX_DOCUMENTS = 8  # whose statements are looked at for one question
MAX_PAGES = 1_000  # of a document whose statements are looked for
COVER_PAGES = 2  # on which a company is named
MAX_COVER_CHARACTERS = 4_000  # of each
MAX_NAME_WORDS = 12  # of the names of two companies
AGREEING_SOURCES = 3  # from the first, that must be of one document where the question names no company

_LEGAL_FORM = (
    r"\W{0,3}(?:&\W{0,2})?(?:inc|incorporated|corp|corporation|company|companies|co|ltd|limited|plc|group|holdings?"
    r"|n\W?v|s\W?a|ag|se|bank|trust)\b"
)
_ABBREVIATION = re.compile(r"^[A-Z&][A-Za-z&]{0,2}[A-Z]?[A-Z]$")


@dataclass(frozen=True, slots=True)
class Named:
    """One of two companies that a question compares."""

    name: str  # as the question words it
    documents: tuple[Document, ...]


class StatementFinder:
    """The accounts of documents; the most recently used are kept. Thread-safe."""

    def __init__(self, store: Store, named_documents: NamedDocuments) -> None:
        self._store, self._named_documents = store, named_documents
        self._kept: Kept[Accounts] = Kept(CACHED_DOCUMENTS)

    def accounts(self, document: Document) -> Accounts:
        """The statements of a document."""
        key, moment = (document.owner, document.id), self._kept.moment
        found = self._kept.get(key, None)
        if found is None:
            pages = self._store.pages(document.owner, document.id, 0, MAX_PAGES - 1)
            found = Accounts(document.id, find_statements(pages))
            self._kept.keep(key, None, found, moment)
        return found

    def forget(self, document: DocumentKey) -> None:
        """Drop all that is kept of a document."""
        self._kept.forget(document)

    def documents(self, company: Sequence[str], scope: Scope, sources: Sequence[Source]) -> list[Document]:
        """The documents of the company that a question names.

        If it names none: the only document in scope, or the one that the first sources are from.
        """
        in_scope = self._in_scope(scope)
        if company:
            named = self._named(company, in_scope, scope)
            return named or [one for one in self._found(in_scope, sources) if self._is_of(company, one)]
        if len(in_scope) == 1:
            return in_scope
        first = {source.document_id for source in sources[:AGREEING_SOURCES]}
        return [document for document in in_scope if first == {document.id}]

    def sides(self, company: Sequence[str], scope: Scope) -> tuple[Named, ...]:
        """The two companies among whose names all words of a question are divided, in its order; () for none."""
        in_scope = self._in_scope(scope)
        for cut in range(1, min(len(company), MAX_NAME_WORDS)):
            halves = company[:cut], company[cut:]
            named = [tuple(self._named(half, in_scope, scope)) for half in halves]
            if all(named) and not {one.id for one in named[0]} & {one.id for one in named[1]}:
                return tuple(Named(" ".join(half), found) for half, found in zip(halves, named, strict=True))
        return ()

    def _in_scope(self, scope: Scope) -> list[Document]:
        return [one for one in self._store.documents(scope.owner) if scope.allows((one.owner, one.id))]

    def _named(self, company: Sequence[str], in_scope: Sequence[Document], scope: Scope) -> list[Document]:
        """The documents whose names have all words of a company's."""
        terms_of = self._named_documents(f"of {' '.join(company)}", scope)  # within a sentence
        alone = len(in_scope) == 1
        return [one for one in in_scope if _is_named(company, one, terms_of.get(one.id, frozenset()), alone=alone)]

    def _found(self, documents: Sequence[Document], sources: Sequence[Source]) -> list[Document]:
        """The documents that sources are of."""
        found = {source.document_id for source in sources}
        return [document for document in documents if document.id in found or len(documents) == 1][:MAX_DOCUMENTS]

    def _is_of(self, company: Sequence[str], document: Document) -> bool:
        """Whether a document says on its first pages that it is the company's."""
        pages = self._store.pages(document.owner, document.id, 0, COVER_PAGES - 1)
        name = r"\W{1,3}".join(map(re.escape, company[:8]))
        is_latin = name.isascii()
        pattern = re.compile(rf"\b{name}{_LEGAL_FORM}" if is_latin else name, re.IGNORECASE)
        return any(pattern.search(page.text[:MAX_COVER_CHARACTERS]) for page in pages)


def _is_named(company: Sequence[str], document: Document, named: AbstractSet[str], *, alone: bool) -> bool:
    """Whether the name of a document has all words of a company's, or an abbreviation is that of the only one in scope.

    `named`: the terms that name the document.
    """
    words = " ".join(company)
    name = f"{document.name} {document.title}"
    if not words.isascii():
        return all(word.lower() in name.lower() for word in company)
    asked = {term for term in terms(words) if not term.isdigit()}
    if asked and asked <= named | set(terms(document.title)):
        return True
    return (
        alone
        and len(company) == 1
        and bool(_ABBREVIATION.match(company[0]))
        and _abbreviates(company[0], document.name)
    )


def _abbreviates(short: str, name: str) -> bool:
    """Whether the letters of an abbreviation stand in a name in this order, the first one first."""
    letters = iter(re.sub(r"[\W_]", "", name.lower()))
    wanted = [letter for letter in short.lower() if letter.isalpha()]
    if next(letters, "") != wanted[0]:
        return False
    return all(any(letter == one for one in letters) for letter in wanted[1:])
