"""Messages between the processes that prepare documents: JSON and blocks of bytes, nothing that could be executed."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

import rag.errors
from rag.errors import AskError
from rag.index.counted import CountedTerms
from rag.ingest.preparing import IndexedPassages, Prepared
from rag.messages import Message
from rag.records import Heading, LoadedDocument, Page, PageKind, Passage, WordBoxes

PASSAGES: Final = 200  # blocks per message
_LENGTH: Final = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Packet:
    """One message."""

    meta: dict[str, Any]
    blocks: Sequence[bytes] = ()

    def to_bytes(self) -> bytes:
        """As sent."""
        head = json.dumps([self.meta, [len(block) for block in self.blocks]]).encode()
        return b"".join((_LENGTH.pack(len(head)), head, *self.blocks))

    @classmethod
    def from_bytes(cls, data: bytes) -> Packet:
        """The inverse of `to_bytes`."""
        (length,) = _LENGTH.unpack_from(data)
        start = _LENGTH.size + length
        meta, sizes = json.loads(data[_LENGTH.size : start])
        blocks = []
        for size in sizes:
            blocks.append(data[start : start + size])
            start += size
        return cls(meta, blocks)


def pack_prepared(prepared: Prepared) -> Iterator[Packet]:
    """A prepared document, page by page, so that no message takes long to read."""
    yield from pack_document(prepared.document)
    for start in range(0, len(prepared.passages), PASSAGES):
        some = prepared.passages[start : start + PASSAGES]
        rows = [[one.text, one.start, one.end, one.first_page, one.last_page, one.heading] for one in some]
        yield Packet({"kind": "passages", "passages": rows})
    yield _pack_terms(prepared.terms)


def pack_document(document: LoadedDocument) -> Iterator[Packet]:
    """A document that has been read."""
    yield Packet(
        {
            "kind": "document",
            "outline": [[one.title, one.level, one.page, one.top] for one in document.outline],
            "title": document.title,
            "author": document.author,
            "created": document.created,
            "notes": [note.to_json() for note in document.notes],
        }
    )
    for page in document.pages:
        meta = {
            "kind": "page",
            "page": [page.number, page.label, page.kind.value, page.text],
            "size": [page.width, page.height],
            "rest": [page.furniture, page.flows_on, page.note and page.note.to_json(), page.awaits_ocr],
        }
        yield Packet(meta, (page.words.to_bytes(),))


def unpack_document(packets: Iterable[Packet]) -> LoadedDocument:
    """The inverse of `pack_document`; word boxes are exact to 1/65535 of the page, as in the store."""
    meta: dict[str, Any] = {}
    pages = []
    for packet in packets:
        match packet.meta["kind"]:
            case "document":
                meta = packet.meta
            case "page":
                pages.append(_unpack_page(packet))
    return LoadedDocument(
        tuple(pages),
        tuple(Heading(*entry) for entry in meta["outline"]),
        meta["title"],
        meta["author"],
        meta["created"],
        tuple(Message.from_json(note) for note in meta["notes"]),
    )


def _unpack_page(packet: Packet) -> Page:
    number, label, kind, text = packet.meta["page"]
    furniture, flows_on, note, awaits_ocr = packet.meta["rest"]
    words, note = WordBoxes.from_bytes(packet.blocks[0]), note and Message.from_json(note)
    width, height = packet.meta["size"]
    return Page(number, label, PageKind(kind), text, words, width, height, furniture, flows_on, note, awaits_ocr)


def unpack_prepared(packets: Sequence[Packet]) -> Prepared:
    """The inverse of `pack_prepared`."""
    passages = [
        Passage(text, start, end, first, last, tuple(heading))
        for packet in packets
        if packet.meta["kind"] == "passages"
        for text, start, end, first, last, heading in packet.meta["passages"]
    ]
    (terms,) = (_unpack_terms(packet) for packet in packets if packet.meta["kind"] == "terms")
    return Prepared(unpack_document(packets), passages, terms)


def _pack_terms(terms: CountedTerms, **more: Any) -> Packet:
    blocks = (terms.places.astype("<u4").tobytes(), terms.lengths.astype("<u4").tobytes())
    return Packet({"kind": "terms", "vocabulary": list(terms.vocabulary), **more}, blocks)


def _unpack_terms(packet: Packet) -> CountedTerms:
    places, lengths = (np.frombuffer(block, "<u4") for block in packet.blocks[:2])
    return CountedTerms(packet.meta["vocabulary"], places, lengths)


def pack_indexed(passages: IndexedPassages) -> Packet:
    """A batch of stored passages."""
    documents = list(dict.fromkeys(passages.documents))
    numbers = {document: number for number, document in enumerate(documents)}
    terms = _pack_terms(
        passages.terms,
        ids=passages.ids,
        documents=documents,
        of=[numbers[document] for document in passages.documents],
    )
    return Packet(terms.meta, (*terms.blocks, passages.vectors.astype("<f4").tobytes()))


def unpack_indexed(packet: Packet) -> IndexedPassages:
    """The inverse of `pack_indexed`."""
    meta = packet.meta
    documents = [(owner, document_id) for owner, document_id in meta["documents"]]
    vectors = np.frombuffer(packet.blocks[2], "<f4").reshape(len(meta["ids"]), -1)
    return IndexedPassages(meta["ids"], [documents[number] for number in meta["of"]], vectors, _unpack_terms(packet))


def pack_error(error: AskError) -> Packet:
    """An error that is meant for people."""
    return Packet({"kind": "error", "class": type(error).__name__, "message": error.message.to_json()})


def unpack_error(packet: Packet) -> AskError:
    """The inverse of `pack_error`."""
    found = getattr(rag.errors, packet.meta["class"], AskError)
    message = Message.from_json(packet.meta["message"])
    error: AskError = found(message.template, **message.values)
    return error
