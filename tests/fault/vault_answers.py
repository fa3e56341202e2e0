# SPDX-License-Identifier: Apache-2.0
"""What vaults of each kind can answer that is not what was asked for, and what it means by the rules: that the vault was
silent, or that it refuses (docs/decisions/0007 and 0022)."""
import json

LATE_MS = 1500
GET, WRAP, UNWRAP = "get", "wrapKey", "unwrapKey"

# Silence of whatever kind of vault, to whatever is asked.
SILENCES = [
    {"action": "drop"}, {"delay_ms": LATE_MS}, {"action": "garbage"}, {"action": "truncate"}, {"action": "huge"},
    *({"status": status, "retry_after": 3600} for status in (408, 429, 429, 500, 502, 503, 503, 504, 599)),
    *({"status": status} for status in (408, 429, 500, 503)),
    *({"status": status, "body": "{}"} for status in (204, 302, 400, 402, 403, 404, 405, 409, 410, 418, 451)),
    *({"status": 200, "body": body} for body in ("{}", "[]", "null", '"text"', "[" * 1500 + "]" * 1500)),
    {"status": 403, "body": '{"message":"<html>a proxy"}'}, {"status": 404, "body": '{"error":"not_found"}'},
]


class KeyVaultAnswers:
    """To an unwrap, each of its silences is silence, whatever its status says. Rotations meet (operation, fault, whether
    that refuses)."""

    @staticmethod
    def _error(code, inner=None):
        error = {"code": code, "message": "A fault."}
        if inner:
            error["innererror"] = {"code": inner}
        return json.dumps({"error": error})

    def __init__(self):
        self._anywhere = [*SILENCES, *({"status": 200, "body": body} for body in (
            '{"kid":5,"value":7}', '{"kid":"","value":""}', '{"value":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}')),
            {"status": 400, "body": self._error("Unsupported")}, {"status": 409, "body": self._error("Conflict")}]
        self.silences = [*self._anywhere, *({"action": action} for action in ("wrong_kid", "short_key", "long_key"))]
        self._refusals = [*({"status": 403, "body": self._error("Forbidden", inner)} for inner in (
            None, "KeyDisabled", "ForbiddenByPolicy", "ForbiddenByRbac", "ForbiddenByFirewall", "ForbiddenByConnection")),
            {"status": 404, "body": self._error("KeyNotFound")}]
        self.refusals = [*self._refusals, {"status": 400, "body": self._error("BadParameter")}]
        self.of_rotations = [
            *((operation, fault, False) for operation in (GET, WRAP) for fault in self._anywhere),
            *((WRAP, {"action": action}, False) for action in ("wrong_kid", "short_key", "long_key")),
            *((operation, fault, True) for operation in (GET, WRAP) for fault in self._refusals),
            (GET, {"action": "wrong_kid"}, True)]  # a version that is not there refuses to wrap


class TransitAnswers:
    """The same of a transit engine, whose errors are sentences."""

    @staticmethod
    def _error(status, *sentences):
        return {"status": status, "body": json.dumps({"errors": sentences})}

    def __init__(self):
        anywhere = [*SILENCES, *({"status": status} for status in (307, 412)),
                    self._error(400, "a fault"), self._error(403, "1 error occurred:\n\t* invalid token\n\n"),
                    self._error(500, "backend is nil"), self._error(503, "Vault is sealed"),
                    *({"status": 200, "body": json.dumps({"data": data})} for data in (
                        None, [], {}, {"plaintext": 7, "ciphertext": 7, "name": 7},
                        {"plaintext": "", "ciphertext": "", "name": ""}, {"plaintext": "?", "ciphertext": "vault:v0:?"}))]
        self.silences = [*anywhere, self._error(404), *({"action": action} for action in ("short_key", "long_key"))]
        refusals = [self._error(403, "1 error occurred:\n\t* permission denied\n\n"),
                    self._error(404, 'no handler for route "transit/keys". route entry not found.'),
                    self._error(404, "namespace not found")]
        of_both = [self._error(400, sentence) for sentence in (
            "encryption key not found", "refusing to use soft-deleted key")]
        self.refusals = [*refusals, *of_both, *(self._error(400, sentence) for sentence in (
            "ciphertext or signature version is disallowed by policy (too old)", "invalid ciphertext: version is too new",
            "cipher: message authentication failed"))]
        self.of_rotations = [
            *((operation, fault, False) for operation in (GET, WRAP) for fault in anywhere),
            (WRAP, {"action": "wrong_version"}, False), (WRAP, self._error(404), False),
            *((operation, fault, True) for operation in (GET, WRAP) for fault in refusals),
            *((WRAP, fault, True) for fault in of_both), (GET, self._error(404), True),
            (GET, {"action": "wrong_version"}, True)]  # a version that is not there refuses to wrap
