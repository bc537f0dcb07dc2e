"""Ask your PDFs: reads the command line and the environment, opens the engine, puts the page on a port.

The only module that reads the environment and the only one that knows all three packages. What is heavy is
imported where it is needed, so that `--help` and a wrong option answer at once.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import AskError, SettingRefused
from rag.options import logins_of, parse, settings_of

if TYPE_CHECKING:
    from model.background import Loading
    from model.picking import Picking
    from rag.reader import Reader
    from webui.engine import Engine

logger = logging.getLogger("ask")

LOOPBACK = ("127.0.0.1", "::1", "localhost")  # addresses that only this machine reaches


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
    from rag.embed.embedder import open_embedder
    from rag.engine import Engine as Opened
    from rag.retrieve.rerank import open_reranker

    reader, why = reader_for(options, environment)
    return Opened(
        settings_of(options),
        embedder=lambda: open_embedder(options.embedder, cache=options.cache_dir, download=options.allow_download),
        reranker=lambda: open_reranker(options.reranker, download=options.allow_download),
        reader=reader,
        reader_why=why,
        re_embed=options.re_embed,
    )


def chosen_reader(options: argparse.Namespace) -> str:
    """quote, glm or remote: what auto means with the options given."""
    if options.reader != "auto":
        return str(options.reader)
    return "remote" if options.server else "glm" if options.model else "quote"


def reader_for(options: argparse.Namespace, environment: Mapping[str, str]) -> tuple[Reader, str]:
    """The reader to start with, and why. Raises SettingRefused where an option is missing."""
    from rag.answer.quote import QuoteReader

    wanted = chosen_reader(options)
    if wanted == "remote":
        if not (options.server and options.model):
            raise SettingRefused("--reader remote needs --server (an address) and --model (the name it serves).")
        from model.remote import DEFAULT_CONTEXT, RemoteReader

        key, context = environment.get("ASK_SERVER_KEY", ""), options.context or DEFAULT_CONTEXT
        remote = RemoteReader(options.server, options.model, key=key, context_tokens=context)
        return remote, "a server was named; questions and the sources found for them are sent there"
    if wanted == "glm" and not options.model:
        raise SettingRefused("--reader glm needs --model: a hub name such as zai-org/GLM-4-9B-0414, or a folder.")
    if wanted == "glm":
        return QuoteReader(), f"answers until {options.model} is loaded"
    if options.reader == "quote":
        return QuoteReader(), "it was asked for"
    return QuoteReader(), "no GLM was named with --model; it needs none and starts at once"


def loading_for(engine: Engine, options: argparse.Namespace) -> Loading:
    """What loads GLMs for this engine; the quote reader answers until one is there, and after a failure."""
    from model.background import Loading, Told
    from rag.answer.quote import QuoteReader
    from rag.records import Choice

    meanwhile = QuoteReader.name
    told = Told(
        release=lambda: engine.use_reader(QuoteReader(), "it was chosen; it needs no model"),
        progress=lambda text: engine.choose(
            Choice("reader", meanwhile, f"answers until the GLM is there; {text}", False)
        ),
        ready=engine.use_reader,
        failed=lambda text: engine.choose(Choice("reader", meanwhile, "answers instead", failed=text)),
    )

    def opened() -> None:
        # Two threads must not import transformers at once: the second may see it half made. And what is free is known
        # only when the embedder has its memory.
        with suppress(AskError):  # the engine has told
            engine.wait()

    return Loading(told, download=options.allow_download, context=options.context or None, wait=opened)


def picking_for(loading: Loading, options: argparse.Namespace, environment: Mapping[str, str]) -> Picking | None:
    """What the page may pick; None where the command line alone decides: with logins, a server, or on a Space."""
    from model.picking import Picking

    if options.auth or options.server or environment.get("SPACE_ID"):
        return None
    alone = options.host in LOOPBACK and not options.share and not options.host_name
    return Picking(loading, download=options.allow_download, folders=alone, started_with=options.model)


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
                logger.warning("%r", str(error))


def run(options: argparse.Namespace, environment: Mapping[str, str]) -> None:
    """Open the engine, serve the page, and wait until told to stop."""
    logins = logins_of(options.auth)
    engine = open_engine_for(options, environment)
    stop = threading.Event()
    adding = threading.Thread(target=add_files, args=(engine, options.add, stop), daemon=True)
    try:
        from webui.server.serve import Serving, serve

        host = host_of(options, environment)
        serving = Serving(host, options.port, options.share, logins, access_of(options, environment))
        loading = loading_for(engine, options)
        picking = picking_for(loading, options, environment)
        try:
            page, url = serve(engine, serving, models=picking, raise_errors=options.debug)
        except OSError as error:
            raise cannot_serve(host, options.port, error) from error
        logger.info("Open %s", url)
        report(engine)
        if chosen_reader(options) == "glm":
            loading.start(options.model, options.precision)
        adding.start()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        stop.wait()
        logger.info("Stopping")
        page.close(verbose=False)
    finally:
        stop.set()
        if adding.is_alive():
            adding.join()
        engine.close()


def cannot_serve(host: str, port: int, error: OSError) -> SettingRefused:
    """What is in the way of serving the page, in one sentence that names the option to change."""
    if error.filename:
        return SettingRefused(
            f"{error.filename} cannot be used ({error.strerror}): choose another folder with --data-dir."
        )
    reason = refusal_to_listen(host, port)
    if isinstance(reason, socket.gaierror) or (reason and reason.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)):
        return SettingRefused(
            f"--host takes an address of this machine, not {host!r}: 127.0.0.1 for this machine alone, 0.0.0.0 for"
            " every network of it."
        )
    if isinstance(reason, PermissionError):
        return SettingRefused(f"Port {port} on {host} is kept for administrators: choose one from 1024 on with --port.")
    return SettingRefused(f"Port {port} on {host} cannot be used: choose another one with --port.")


def refusal_to_listen(host: str, port: int) -> OSError | None:
    """Why nothing can listen there, asked anew because Gradio keeps the reason to itself; None where it could."""
    name = host.strip("[]")
    try:
        family = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0][0]
        socket.create_server((name, port), family=family).close()
    except UnicodeError:  # no name can be written so
        return socket.gaierror(socket.EAI_NONAME, "no such name")
    except OSError as error:
        return error
    return None


def host_of(options: argparse.Namespace, environment: Mapping[str, str]) -> str:
    """Where to listen, as Gradio takes it: an IPv6 address in brackets, and every network on a Space."""
    if environment.get("SPACE_ID") and options.host == "127.0.0.1":
        return "0.0.0.0"
    host = str(options.host)
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def access_of(options: argparse.Namespace, environment: Mapping[str, str]) -> Any:
    """Who may reach the page by which name. Hugging Face Spaces' own proxy decides there."""
    from webui.server.guard import Access

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
    for name in ("httpx", "faiss", "sentence_transformers", "transformers", "pypdf", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.WARNING)


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
    return 0


if __name__ == "__main__":
    sys.exit(main())
