"""A web server on this machine that answers ranges, redirects, breaks off, and counts what it was asked for."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """What the server offers and how it behaves.

    ``files`` maps paths to contents. ``break_after`` cuts each answer after that many bytes, ``ranges`` says
    whether it knows ranges, ``hide_length`` leaves out the length. ``asked`` lists (path, Range header).
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.break_after: int | None = None
        self.ranges = True
        self.wrong_range = False
        self.hide_length = False
        self.asked: list[tuple[str, str | None]] = []
        self.address = ""

    def offer_record(self, path: str, entries: dict[str, tuple[str, str]]) -> str:
        """Offer a list of files (name to address and checksum) in the form of Zenodo's API; returns its address."""
        files = [
            {"key": name, "size": 1, "checksum": checksum, "links": {"self": url}}
            for name, (url, checksum) in entries.items()
        ]
        self.files[path] = json.dumps({"files": files}).encode()
        return self.address + path


@contextmanager
def serving() -> Iterator[Server]:
    """Serve on a free port of 127.0.0.1."""
    offered = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            offered.asked.append((self.path, asked))
            if self.path in offered.redirects:
                self.send_response(302)
                self.send_header("Location", offered.redirects[self.path])
                self.end_headers()
                return
            if self.path not in offered.files:
                self.send_error(404)
                return
            content, start = offered.files[self.path], 0
            if asked and offered.ranges:
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
                if start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206)
                claimed = start + (1 if offered.wrong_range else 0)
                self.send_header("Content-Range", f"bytes {claimed}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            body = content[start:]
            if not offered.hide_length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: offered.break_after])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    offered.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield offered
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
