"""Every error this project raises on purpose, split by what the person can do about it.

    AskError                     base; str() is one sentence for the person
    ├── FileRefused              choose another file, or repair this one
    │   ├── NotAPdf
    │   ├── DamagedFile          truncated, no pages, nothing readable inside
    │   ├── NoText               nothing to search, by OCR neither
    │   ├── LimitExceeded        over a limit; says value, limit and option
    │   ├── PasswordNeeded       type the password
    │   │   └── WrongPassword
    │   └── AlreadyAdded         nothing to do
    ├── SettingRefused           change the option named
    ├── NotAllowed               ask an administrator
    ├── CollectionRefused        ask an editor of the collection, or change what is asked for
    ├── LoginRefused             type name and password again, or wait
    ├── QuestionRefused          ask differently: empty, too long, nothing to search
    ├── TooManyWaiting           ask again later: the queue is full, or this person's share of it
    ├── StoreError               repair the data folder, or choose another
    │   ├── StoreInUse           another process has it
    │   ├── StoreDamaged
    │   ├── StoreFull            delete something that is stored
    │   └── EmbedderMismatch     re-embed, or start with the embedder that made it
    └── ReaderError              choose another reader, precision or server
        ├── ModelMissing         not on this machine, or incomplete
        ├── CheckpointRefused    unsafe, corrupt or of an unknown architecture
        ├── OutOfMemory
        ├── PromptTooLong        ask something shorter
        ├── ServerUnreachable
        └── AnswerCut            what came before it is kept: ask again, or for less

`model` may use it too. A message says what the value is, what the limit is and what to do:

    raise LimitExceeded("It has {pages:,} pages, the limit is {limit:,}: split it.", pages=12_000, limit=10_000)

Templates are plain strings with named fields, never f-strings: the page finds its translation by the template.
"""

from rag.messages import Message, Value


class Stopped(Exception):
    """The work was dropped because its stop event was set. Nothing is wrong, and nobody needs to be told."""


class AskError(Exception):
    """Base of all errors meant for people; `str(error)` is one English sentence, plain text rather than HTML."""

    def __init__(self, template: str, /, **values: Value) -> None:
        self.message = Message(template, values)
        super().__init__(str(self.message))


class FileRefused(AskError):
    """A file that cannot be added."""


class NotInLibrary(FileRefused):
    """A document that is not, or is no longer, in the library of the person who asks."""


class NotAPdf(FileRefused):
    """The bytes are not a PDF."""


class DamagedFile(FileRefused):
    """A PDF that neither PDF reader can open, or that has no pages."""


class NoText(FileRefused):
    """Every page is a picture, garbled or empty: there is nothing to search."""


class LimitExceeded(FileRefused):
    """Over one of the `Limits`: bytes, pages, characters, memory or seconds."""


class PasswordNeeded(FileRefused):
    """An encrypted PDF that only opens with a password."""


class WrongPassword(PasswordNeeded):
    """The password given is wrong."""


class AlreadyAdded(FileRefused):
    """The same bytes are already in the library."""


class SettingRefused(AskError):
    """An option or environment variable has an unacceptable value; the message names both."""


class NotAllowed(AskError):
    """The person's role does not allow this."""


class CollectionRefused(AskError):
    """A collection that the person cannot see or may only read, or a change to it that is not possible."""


class LoginRefused(AskError):
    """A wrong name or password, or an attempt before the delay is over."""

    @property
    def seconds(self) -> int:
        """Seconds to wait before the next attempt; 0 for a wrong password."""
        seconds = self.message.values.get("seconds", 0)
        return seconds if isinstance(seconds, int) else 0


class QuestionRefused(AskError):
    """A question that cannot be asked: it is empty or too long, or there is nothing to search."""


class TooManyWaiting(AskError):
    """The queue of questions is full, or this person's share of it is."""


class StoreError(AskError):
    """The data folder cannot be used as it is."""


class StoreInUse(StoreError):
    """Another process is using this data folder."""


class StoreDamaged(StoreError):
    """The database in the data folder cannot be read."""


class StoreFull(StoreError):
    """The owner has reached the limit on stored conversations."""


class EmbedderMismatch(StoreError):
    """The vectors in the data folder come from another embedder."""


class ReaderError(AskError):
    """A reader cannot be loaded, or failed while answering."""


class ModelMissing(ReaderError):
    """The model, or one of its files, is not on this machine."""


class CheckpointRefused(ReaderError):
    """A checkpoint that is unsafe, corrupt or of an unknown architecture."""


class OutOfMemory(ReaderError):
    """The model and the prompt do not fit on the device."""


class ServerUnreachable(ReaderError):
    """The model server does not respond, or responds with an error."""


class PromptTooLong(ReaderError):
    """Question and sources leave no room for an answer in the reader's context."""


class AnswerCut(ReaderError):
    """The answer is incomplete: the server broke off, or the length limit was reached."""


def answer_too_long(limit: int) -> AnswerCut:
    """The error to raise after the last piece of an answer that reached its limit of `limit` tokens."""
    return AnswerCut(
        "The answer is incomplete: it reached its limit of {limit:,} tokens. Ask for less at a time, or choose longer"
        " answers in the settings.",
        limit=limit,
    )
