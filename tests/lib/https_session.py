# SPDX-License-Identifier: Apache-2.0
"""JSON over HTTPS, on connections that are kept: one for each process and server, so that a test which asks often
does not spend its time in handshakes."""
import http.client
import json
import os
import ssl
import threading
import urllib.parse

TIMEOUT_S = 60


class Session:
    def __init__(self, ca_file):
        self.context = ssl.create_default_context(cafile=ca_file)
        self.connections = {}  # by process, thread and server: none of them shares one

    def ask(self, method, url, body=None, headers=None, timeout_s=TIMEOUT_S):
        """The status, and the answer's JSON."""
        status, text = self.fetch(method, url, body, headers, timeout_s)
        return status, json.loads(text)

    def fetch(self, method, url, body=None, headers=None, timeout_s=TIMEOUT_S):
        """The status, and the answer's bytes."""
        parts = urllib.parse.urlsplit(url)
        place = (os.getpid(), threading.get_ident(), parts.netloc)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        kept = self.connections.pop(place, None)
        connection = kept or http.client.HTTPSConnection(parts.netloc, context=self.context)
        connection.timeout = timeout_s
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s)
        try:
            connection.request(method, target, body, headers or {})
            answer = connection.getresponse()
            status, text = answer.status, answer.read()
        except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError):
            connection.close()
            if kept is None:
                raise
            return self.fetch(method, url, body, headers, timeout_s)  # it had been closed at the other end
        self.connections[place] = connection
        return status, text
