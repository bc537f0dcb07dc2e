"""Why a port cannot be served, as an error that names the option to change."""

from __future__ import annotations

import errno
import socket

from rag.errors import SettingRefused


def cannot_serve(host: str, port: int, error: OSError) -> SettingRefused:
    """Why the page cannot be served, as an error that names the option to change."""
    if error.filename:
        return SettingRefused(
            "{path} cannot be used ({reason}): choose another folder with --data-dir.",
            path=str(error.filename),
            reason=error.strerror or type(error).__name__,
        )
    reason = refusal_to_listen(host, port)
    if isinstance(reason, socket.gaierror) or (reason and reason.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)):
        return SettingRefused(
            "--host takes an address of this machine, not {host!r}: 127.0.0.1 for this machine only, 0.0.0.0 for all of"
            " its networks.",
            host=host,
        )
    if isinstance(reason, PermissionError):
        return SettingRefused(
            "Port {port} on {host} is reserved for administrators: choose 1024 or above with --port.",
            port=port,
            host=host,
        )
    return SettingRefused("Port {port} on {host} cannot be used: choose another with --port.", port=port, host=host)


def refusal_to_listen(host: str, port: int) -> OSError | None:
    """Why nothing can listen there, tried again because Gradio hides the reason; None if it works."""
    name = host.strip("[]")
    try:
        family = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0][0]
        socket.create_server((name, port), family=family).close()
    except UnicodeError:  # not a valid host name
        return socket.gaierror(socket.EAI_NONAME, "no such name")
    except OSError as error:
        return error
    return None
