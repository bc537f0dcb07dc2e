"""Ask your PDFs: reads the command line and the environment, opens the engine, puts the page on a port.

The only module that reads the environment and the only one that knows all three packages. What is heavy is
imported where it is needed, so that `--help` and a wrong option answer at once.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rag.errors import AskError, SettingRefused
from rag.settings import MB, Limits, Settings

if TYPE_CHECKING:
    from rag.reader import Reader
    from webui.engine import Engine

logger = logging.getLogger("ask")

PREFIX: Final = "ASK_"


@dataclass(frozen=True)
class Option:
    """One option: `--name` on the command line, ASK_NAME in the environment."""

    name: str
    default: Any
    takes: Callable[[str], Any]  # raises ValueError
    values: str  # what it takes, in words
    help: str
    group: str = "options"

    @property
    def flag(self) -> str:
        """As on the command line."""
        return "--" + self.name

    @property
    def key(self) -> str:
        """As an attribute of the parsed options."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """As in the environment."""
        return PREFIX + self.key.upper()

    def read(self, text: str, given_as: str) -> Any:
        """The value of `text`. Raises SettingRefused naming the option and what it takes."""
        try:
            return self.takes(text)
        except ValueError as error:
            raise SettingRefused(f"{given_as} takes {self.values}, not {text!r}.") from error


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def takes(text: str) -> int:
        number = int(text)
        if not lowest <= number <= highest:
            raise ValueError(text)
        return number

    return takes


def _one_of(*names: str) -> Callable[[str], str]:
    def takes(text: str) -> str:
        if text not in names:
            raise ValueError(text)
        return text

    return takes


def _switch(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off", ""):
        return False
    raise ValueError(text)


def _name(text: str) -> str:
    if not text.strip():
        raise ValueError(text)
    return text.strip()


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip().lower() for part in text.split(",") if part.strip())


def _folders(text: str) -> tuple[Path, ...]:
    return tuple(Path(part) for part in text.split(os.pathsep) if part)


READERS: Final = ("auto", "quote", "glm", "remote")
PRECISIONS: Final = ("auto", "bf16", "fp16", "fp32", "int8", "int4")
LEVELS: Final = ("debug", "info", "warning", "error")

OPTIONS: Final = (
    Option("host", "127.0.0.1", _name, "an address or a host name",
           "address to listen on; 0.0.0.0 for every network of this machine", "server"),
    Option("port", 7860, _whole(0, 65535), "a whole number from 0 to 65535",
           "port to listen on; 0 for any free one", "server"),
    Option("host-name", (), _names, "names, separated by commas",
           "names that this server is reached by besides localhost and addresses, separated by commas", "server"),
    Option("auth", "", _name, "a file, or user:password pairs separated by commas",
           "ask for a login: user:password[,user:password], or a file with one user:password a line; each user "
           "has documents of their own beside the shared ones", "server"),
    Option("share", False, _switch, "1 or 0",
           "open a public address through Gradio's servers", "server"),
    Option("data-dir", Path("data"), Path, "a folder", "where documents and the index are kept", "documents"),
    Option("cache-dir", Path.home() / ".cache" / "ask-your-pdfs", Path, "a folder",
           "where unpacked weights are kept", "documents"),
    Option("add", (), _folders, f"folders or files, separated by {os.pathsep!r}",
           "add the PDFs of this folder, or this file, as shared documents; may be given again", "documents"),
    Option("reader", "auto", _one_of(*READERS), "one of " + ", ".join(READERS),
           "what answers: a GLM on this machine, a GLM on a server, or the quote reader, which needs no model",
           "models"),
    Option("model", "", _name, "a model's name or a folder",
           "which GLM: a hub name such as zai-org/GLM-4-9B-0414, or a folder", "models"),
    Option("precision", "auto", _one_of(*PRECISIONS), "one of " + ", ".join(PRECISIONS),
           "how the weights of the GLM are held", "models"),
    Option("server", "", _name, "an address such as http://localhost:8000/v1",
           "address of an OpenAI-compatible server for --reader remote; its key is read from ASK_SERVER_KEY",
           "models"),
    Option("re-embed", False, _switch, "1 or 0",
           "make the vectors of all documents anew, after a change of --embedder", "models"),
    Option("embedder", "auto", _name, "auto, a model's name or a folder",
           "what turns text into vectors; auto takes multilingual-e5-small, or BAAI/bge-m3 on a GPU", "models"),
    Option("allow-download", False, _switch, "1 or 0",
           "fetch models that are not on this machine from the hub; without it no model is fetched", "models"),
    Option("max-file-mb", 200, _whole(1, 100_000), "a whole number from 1 to 100000",
           "largest file, in MB", "limits"),
    Option("max-pages", 10_000, _whole(1, 1_000_000), "a whole number from 1 to 1000000",
           "most pages of a document", "limits"),
    Option("max-question", 4_000, _whole(10, 1_000_000), "a whole number from 10 to 1000000",
           "longest question, in characters", "limits"),
    Option("max-seconds", 20, _whole(1, 3_600), "a whole number from 1 to 3600",
           "processor time for reading one document, in seconds", "limits"),
    Option("max-memory-mb", 256, _whole(64, 1_000_000), "a whole number from 64 to 1000000",
           "memory for reading one document, in MB", "limits"),
    Option("log-level", "info", _one_of(*LEVELS), "one of " + ", ".join(LEVELS), "how much is logged", "log"),
    Option("debug", False, _switch, "1 or 0", "let unexpected errors through with their traceback", "log"),
)  # fmt: skip


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> argparse.Namespace:
    """Options by their key: from the command line, else from the environment, else the default.

    Raises SettingRefused for a value that an option does not take; argparse exits for --help and unknown options.
    """
    given = vars(_parser().parse_args(list(arguments)))
    options = argparse.Namespace(list_models=given.pop("list_models"))
    for option in OPTIONS:
        texts: list[str] | None = given[option.key]
        if texts is not None:
            values = [option.read(text, option.flag) for text in texts]
            value = sum(values, ()) if option.default == () else values[-1]
        elif option.variable in environment:
            value = option.read(environment[option.variable], f"{option.variable} ({option.flag})")
        else:
            value = option.default
        setattr(options, option.key, value)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python app.py",
        description="Questions over your own PDFs, answered on this machine, every sentence with its page.",
        allow_abbrev=False,
    )
    groups: dict[str, Any] = {}
    for option in OPTIONS:
        group = groups.setdefault(option.group, None) or parser.add_argument_group(option.group)
        groups[option.group] = group
        shown = "" if option.default in ("", (), False) else f"; {option.default} unless given"
        text = f"{option.help}{shown} [{option.variable}]".replace("%", "%%")
        if option.takes is _switch:
            group.add_argument(option.flag, dest=option.key, action="append_const", const="1", help=text)
        else:
            group.add_argument(option.flag, dest=option.key, action="append", metavar="VALUE", help=text)
    parser.add_argument("--list-models", action="store_true", help="list the GLMs that are known, and leave")
    return parser


def settings_of(options: argparse.Namespace) -> Settings:
    """The pipeline's settings."""
    limits = Limits(
        file_bytes=options.max_file_mb * MB,
        pages=options.max_pages,
        question_characters=options.max_question,
        read_cpu_seconds=options.max_seconds,
        read_wall_seconds=max(Limits.read_wall_seconds, options.max_seconds * 4),
        read_memory_bytes=options.max_memory_mb * 1024 * 1024,
    )
    return Settings(data_dir=options.data_dir, limits=limits)


def logins_of(text: str) -> dict[str, str]:
    """User and password pairs of `--auth`. Raises SettingRefused without repeating a password."""
    if not text:
        return {}
    try:
        from_file = Path(text).is_file()
        pairs = Path(text).read_text(encoding="utf-8").splitlines() if from_file else text.split(",")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingRefused(f"--auth: the file {text} cannot be read: {error}.") from error
    logins: dict[str, str] = {}
    for pair in pairs:
        if not pair.strip() or (from_file and pair.lstrip().startswith("#")):
            continue
        user, colon, password = pair.strip().partition(":")
        if not (user.strip() and colon and password):
            raise SettingRefused("--auth takes user:password[,user:password], or a file with one such pair a line.")
        logins[user.strip()] = password
    if not logins:
        raise SettingRefused(f"--auth: there is no user:password pair in {text}.")
    return logins


def prepare_environment(options: argparse.Namespace, environment: Any) -> None:
    """Before anything heavy is imported: nothing is reported to anybody, and nothing fetched unless wanted."""
    environment["GRADIO_ANALYTICS_ENABLED"] = "False"
    environment["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**9)  # events until Gradio sums up times, with pandas
    environment["HF_HUB_DISABLE_TELEMETRY"] = "1"
    environment["DO_NOT_TRACK"] = "1"
    environment.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not options.allow_download:
        environment["HF_HUB_OFFLINE"] = "1"
        environment["TRANSFORMERS_OFFLINE"] = "1"


def open_engine_for(options: argparse.Namespace, environment: Mapping[str, str]) -> Engine:
    """The engine with the reader and embedder that were chosen. The one place that knows how it is opened."""
    from rag.embed import open_embedder
    from rag.engine import Engine as Opened

    reader, why = reader_for(options, environment)
    return Opened(
        settings_of(options),
        embedder=lambda: open_embedder(options.embedder, cache=options.cache_dir, download=options.allow_download),
        reader=reader,
        reader_why=why,
        re_embed=options.re_embed,
    )


def reader_for(options: argparse.Namespace, environment: Mapping[str, str]) -> tuple[Reader, str]:
    """The reader to start with, and why. Raises SettingRefused where an option is missing."""
    from rag.quote import QuoteReader

    wanted = options.reader
    if wanted == "auto" and options.server:
        wanted = "remote"
    if wanted == "remote":
        if not (options.server and options.model):
            raise SettingRefused("--reader remote needs --server (an address) and --model (the name it serves).")
        from model.remote import RemoteReader

        remote = RemoteReader(options.server, options.model, key=environment.get("ASK_SERVER_KEY", ""))
        return remote, "a server was named; questions and the sources found for them are sent there"
    if wanted == "glm" and not options.model:
        raise SettingRefused("--reader glm needs --model: a hub name such as zai-org/GLM-4-9B-0414, or a folder.")
    if wanted == "quote":
        return QuoteReader(), "it was asked for"
    return QuoteReader(), "no GLM was named with --model; it needs none and starts at once"


def load_model(engine: Engine, options: argparse.Namespace) -> None:
    """Begin to load the GLM that was named; the quote reader answers until it is there, and after a failure."""
    from model.background import Loading, Told
    from rag.quote import QuoteReader
    from rag.records import Choice

    meanwhile = QuoteReader.name
    told = Told(
        progress=lambda text: engine.choose(
            Choice("reader", meanwhile, f"answers until the GLM is there; {text}", False)
        ),
        ready=engine.use_reader,
        failed=lambda text: engine.choose(Choice("reader", meanwhile, "answers instead", failed=text)),
    )
    Loading(told, download=options.allow_download).start(options.model, options.precision)


def add_files(engine: Engine, paths: Sequence[Path], stop: threading.Event) -> None:
    """Add PDFs and folders of PDFs as shared documents. A file that is refused is logged, the others go on."""
    for path in paths:
        if not path.exists():
            logger.error("--add: there is no %s.", path)
            continue
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if stop.is_set():
                return
            if not file.is_file() or (path.is_dir() and file.suffix.lower() != ".pdf"):
                continue
            try:
                engine.add("", file.name, file)
            except AskError as error:
                logger.warning("%s", error)


def run(options: argparse.Namespace, environment: Mapping[str, str]) -> None:
    """Open the engine, serve the page, and wait until told to stop."""
    logins = logins_of(options.auth)
    engine = open_engine_for(options, environment)
    stop = threading.Event()
    try:
        from webui.serve import Serving, serve

        space = environment.get("SPACE_ID")
        host = "0.0.0.0" if space and options.host == "127.0.0.1" else options.host
        serving = Serving(host, options.port, options.share, logins, access_of(options, environment))
        page, url = serve(engine, serving, raise_errors=options.debug)
        logger.info("Open %s", url)
        report(engine)
        if options.model and options.reader in ("auto", "glm") and not options.server:
            load_model(engine, options)
        threading.Thread(target=add_files, args=(engine, options.add, stop), daemon=True).start()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        stop.wait()
        logger.info("Stopping")
        page.close(verbose=False)
    finally:
        stop.set()
        engine.close()


def access_of(options: argparse.Namespace, environment: Mapping[str, str]) -> Any:
    """Who may reach the page by which name. Hugging Face Spaces' own proxy decides there."""
    from webui.guard import Access

    if environment.get("SPACE_ID"):
        return Access(any_name=True, frames="'self' https://huggingface.co https://*.hf.space")
    return Access(names=set(options.host_name))


def report(engine: Engine) -> None:
    """Log what was picked, and why."""
    for choice in engine.choices():
        if choice.failed:
            logger.warning("%s: %s: %s", choice.what, choice.name, choice.failed)
        else:
            logger.info("%s: %s (%s)%s", choice.what, choice.name, choice.why, "" if choice.ready else ", loading")


def quiet_libraries() -> None:
    """Keep the log to what this program says: libraries report from warnings on."""
    for name in ("httpx", "faiss", "bm25s", "sentence_transformers", "transformers", "pypdf", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # This one sets its own level when it is imported.
    logging.getLogger("bm25s").addFilter(lambda record: record.levelno >= logging.WARNING)


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; returns its exit status."""
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments, os.environ)
        logging.basicConfig(
            level=options.log_level.upper(),
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
            datefmt="%H:%M:%S",
        )
        quiet_libraries()
        if options.list_models:
            from model.listing import list_models

            sys.stdout.write(list_models() + "\n")
            return 0
        prepare_environment(options, os.environ)
        run(options, dict(os.environ))
    except AskError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        if "port" not in str(error).lower():
            raise
        sys.stderr.write(f"Port {options.port} on {options.host} cannot be used: choose another one with --port.\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
