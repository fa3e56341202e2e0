# SPDX-License-Identifier: Apache-2.0
"""A Blob client that hides nothing: it takes what comes, tells whether an answer was whole, and never
asks twice. Plain HTTP, with an account SAS."""
import base64
import socket
import urllib.parse

VERSION = "2021-12-02"
TIMEOUT_S = 60


class Answer:
    """status, headers (names in lower case), body as far as it came, whole; length as announced."""

    def __init__(self, status, headers, body, length):
        self.status, self.headers, self.body, self.length = status, headers, body, length
        self.whole = len(body) == length

    @property
    def code(self):
        return self.headers.get("x-ms-error-code", "")

    @property
    def metadata(self):
        return {name[10:]: value for name, value in self.headers.items()
                if name.startswith("x-ms-meta-")}


class Gone(Exception):
    """The connection ended before an answer's head was there: nobody knows what became of it."""


class Client:
    """Of one account. One connection, opened when it is needed; one thread at a time."""

    def __init__(self, port, account, sas):
        self.port, self.account, self.sas = port, account, sas
        self.socket = None

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def _connect(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, method, path, query="", headers=None, body=b""):
        """path begins behind the account: "container/blob". Raises Gone."""
        self.begin(method, path, query, headers, body)
        return self.finish(method)

    def begin(self, method, path, query="", headers=None, body=b""):
        """Sends it; what is answered, finish() tells."""
        target = f"/{self.account}/{urllib.parse.quote(path)}?{query}{'&' if query else ''}{self.sas}"
        lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", f"x-ms-version: {VERSION}",
                 *(f"{name}: {value}" for name, value in (headers or {}).items())]
        if method == "PUT":
            lines.append(f"Content-Length: {len(body)}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        try:
            if self.socket is None:
                self._connect()
            self.socket.sendall(head + body if len(body) < 65536 else head)
            if len(body) >= 65536:
                self.socket.sendall(body)
        except OSError as error:
            self.close()
            raise Gone(str(error)) from error

    def finish(self, method):
        try:
            return self._receive(method)
        except (OSError, Gone) as error:
            self.close()
            raise Gone(str(error)) from error

    def _receive(self, method):
        data = bytearray()
        while (end := data.find(b"\r\n\r\n")) < 0:
            part = self.socket.recv(65536)
            if not part:
                raise Gone("no answer")
            data += part
        lines = data[:end].decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        status = int(lines[0].split()[1])
        length = 0 if status == 204 else int(headers["content-length"])
        expected = 0 if method == "HEAD" else length
        body = data[end + 4:]
        while len(body) < expected:
            try:
                part = self.socket.recv(min(1 << 20, expected - len(body)))
            except ConnectionError:
                part = b""
            if not part:
                break
            body += part
        answer = Answer(status, headers, bytes(body), expected)
        if len(body) != expected or headers.get("connection", "").lower() == "close":
            self.close()
        return answer

    # --- operations --------------------------------------------------------------------------------

    def create_container(self, container):
        return self.request("PUT", container, "restype=container")

    def delete_container(self, container):
        return self.request("DELETE", container, "restype=container")

    def container_properties(self, container):
        return self.request("GET", container, "restype=container")

    def list_containers(self):
        return self.request("GET", "", "comp=list")

    def put(self, path, content, metadata=None):
        return self.request("PUT", path, "", {"x-ms-blob-type": "BlockBlob", **meta(metadata)}, content)

    def get(self, path, first=None, last=None):
        """All of it, or bytes first to last, both included."""
        headers = {} if first is None else {"x-ms-range": f"bytes={first}-{last}"}
        return self.request("GET", path, "", headers)

    def properties(self, path):
        return self.request("HEAD", path)

    def get_metadata(self, path):
        return self.request("GET", path, "comp=metadata")

    def set_metadata(self, path, metadata):
        return self.request("PUT", path, "comp=metadata", meta(metadata))

    def delete(self, path):
        return self.request("DELETE", path)

    def put_block(self, path, name, content):
        return self.request("PUT", path, f"comp=block&blockid={block_id(name)}", {}, content)

    def put_block_list(self, path, names, metadata=None):
        """Each name as it was staged last, or as it is committed."""
        items = "".join(f"<Latest>{base64.b64encode(name).decode()}</Latest>" for name in names)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{items}</BlockList>'
        return self.request("PUT", path, "comp=blocklist", meta(metadata), body.encode())

    def block_list(self, path, kind="all"):
        return self.request("GET", path, f"comp=blocklist&blocklisttype={kind}")

    def list_blobs(self, container, more=""):
        return self.request("GET", container, "restype=container&comp=list" + more)


def meta(metadata):
    return {f"x-ms-meta-{name}": value for name, value in (metadata or {}).items()}


def block_id(name):
    return urllib.parse.quote(base64.b64encode(name).decode(), safe="")
