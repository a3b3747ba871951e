"""A page in the browser of this machine, and of no other."""

from __future__ import annotations

import io
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from http import HTTPStatus
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

PORT = 8080
HERE = ("127.0.0.1", "localhost")
_starting = threading.Lock()


def open_server(port: int = PORT) -> Any:
    """A server of viser for this machine alone.

    It listens at 127.0.0.1. Requests under another name than its own, and those that a page of another origin
    makes, are refused with 403: otherwise any web site that is open in the same browser could talk to it.

    Parameters
    ----------
    port : int
        The next free one from here.

    Returns
    -------
    viser.ViserServer
        ``get_port()`` says where it is.

    Raises
    ------
    ImportError
        Without viser, or with one that cannot be guarded.
    """
    try:
        import viser
    except ImportError as error:
        raise ImportError('view: viser is not installed; run: pip install "largesteps_zg[view]"') from error
    # It prints a table of its addresses, whatever it is told.
    with _guarded(), redirect_stdout(io.StringIO()):
        server = viser.ViserServer(host=HERE[0], port=port, label="largesteps_zg", verbose=False)
    # Sharing would go through another machine.
    server.gui.configure_theme(show_logo=False, show_share_button=False)
    if not _refuses(f"http://{HERE[0]}:{server.get_port()}/"):
        close(server)
        raise ImportError('view: this viser answers other origins; run: pip install "largesteps_zg[view]"')
    return server


def close(server: Any) -> None:
    """End it, in silence: its thread has something to say as the last thing."""
    with redirect_stdout(io.StringIO()):
        server.stop()
        thread = getattr(server._websock_server, "_server_thread", None)
        if thread is not None:
            thread.join(timeout=10)


def address(server: Any) -> str:
    """Where to look."""
    return f"http://{HERE[0]}:{server.get_port()}"


def is_from_here(host: str | None, origin: str | None) -> bool:
    """Whether a request was meant for this machine, and made by no page of another origin.

    Parameters
    ----------
    host, origin : str or None
        What the request's headers say; a name that leads here by a trick of the name server is another one.
    """
    meant = urlsplit(f"//{host or ''}")
    if meant.hostname not in HERE:
        return False
    return origin is None or origin == f"http://{host}"


@contextmanager
def _guarded() -> Iterator[None]:
    """Servers of websockets that start within this look at what they are asked before they answer."""
    import websockets.asyncio.server as sockets

    serve = sockets.serve

    def guarded_serve(handler: Any, *arguments: Any, process_request: Any, **options: Any) -> Any:
        def answer(connection: Any, request: Any) -> Any:
            headers = request.headers
            if not is_from_here(headers.get("Host"), headers.get("Origin")):
                return connection.respond(HTTPStatus.FORBIDDEN, "only for this machine\n")
            return process_request(connection, request)

        return serve(handler, *arguments, process_request=answer, **options)

    with _starting, patch.object(sockets, "serve", guarded_serve):
        yield


def _refuses(url: str) -> bool:
    """Whether a page of another origin gets no answer."""
    try:
        urllib.request.urlopen(
            urllib.request.Request(url, headers={"Origin": "http://example.org"}), timeout=10
        )
    except urllib.error.HTTPError as error:
        return error.code == HTTPStatus.FORBIDDEN
    return False
