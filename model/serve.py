"""`python -m model.serve NAME`: a GLM on this machine for any client of OpenAI's chat completions; no documents.

People who ask at the same time are answered together (`model.batch`).
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from model.command_line import add_answer_options, add_model_options, load_model
from rag.errors import AskError, SettingRefused
from rag.processors import quiet_waiting

LOOPBACK = ("127.0.0.1", "::1", "localhost")  # addresses that only this machine can reach


def read_key(host: str, path: Path | None) -> str:
    """The key that clients have to send; "" for none. Raises SettingRefused if others could ask without one."""
    if path is None:
        if host not in LOOPBACK:
            raise SettingRefused(
                "Other machines can reach {host}: give a file with a key that clients have to send, with --key-file.",
                host=host,
            )
        return ""
    try:
        key = path.read_text("utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise SettingRefused("{path} cannot be read: {reason}", path=str(path), reason=str(error)) from error
    if not key or not key.isascii() or not key.isprintable():
        raise SettingRefused("{path} holds no key: write one there, in ASCII characters.", path=str(path))
    return key


def options_of(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m model.serve", description=(__doc__ or "").splitlines()[0])
    add_model_options(parser)
    add_answer_options(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")
    parser.add_argument("--key-file", type=Path, help="file with the key that clients have to send")
    parser.add_argument("--served-name", default="", help="name of the model for clients (default: that of the model)")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Load the model and serve it until a signal ends the program; returns the exit status."""
    options = options_of(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    quiet_waiting(os.environ)
    try:
        key = read_key(options.host, options.key_file)
        import uvicorn

        from model.completions_api import completions_app

        reader = load_model(options)
    except AskError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    logging.info("%s (%s)", reader.name, reader.why)
    name = options.served_name or reader.name.split(" · ")[0]
    app = completions_app(reader, name, key, max_tokens=options.max_tokens)
    uvicorn.run(app, host=options.host, port=options.port, log_level="info", access_log=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
