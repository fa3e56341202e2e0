# SPDX-License-Identifier: Apache-2.0
"""What vaults of each kind can answer that is not what was asked for, and whoever gives tokens for them, and what it means
by the rules: that the vault was silent, or that it or the identity's authority refuses (docs/decisions/0007 and 0022)."""
import collections
import json

LATE_MS = 1500
GET, WRAP, UNWRAP, TOKEN = "get", "wrapKey", "unwrapKey", "token"
NOT_FOUND, NO_TOKEN = "KeyVaultEncryptionKeyNotFound", "KeyVaultAccessTokenCannotBeAcquired"

# fault: of the calls of that operation. code: with which the account refuses then; "": it is silence.
Answer = collections.namedtuple("Answer", "operation fault code")

# Silence of whatever kind of vault, to whatever is asked.
SILENCES = [
    {"action": "drop"}, {"delay_ms": LATE_MS}, {"action": "garbage"}, {"action": "truncate"}, {"action": "huge"},
    *({"status": status, "retry_after": 3600} for status in (408, 429, 429, 500, 502, 503, 503, 504, 599)),
    *({"status": status} for status in (408, 429, 500, 503)),
    *({"status": status, "body": "{}"} for status in (204, 302, 400, 402, 403, 404, 405, 409, 410, 418, 451)),
    *({"status": 200, "body": body} for body in ("{}", "[]", "null", '"text"', "[" * 1500 + "]" * 1500)),
    {"status": 403, "body": '{"message":"<html>a proxy"}'},
]


def _answers(operation, faults, code=""):
    return [Answer(operation, fault, code) for fault in faults]


class KeyVaultAnswers:
    """To an unwrap, each of its silences is silence, whatever its status says. stale: what it says to a token that it does
    not take any more. Rotations meet (operation, fault, whether that refuses)."""

    @staticmethod
    def _error(code, inner=None):
        error = {"code": code, "message": "A fault."}
        if inner:
            error["innererror"] = {"code": inner}
        return json.dumps({"error": error})

    @staticmethod
    def _oauth(status, error):
        return {"status": status, "body": json.dumps({"error": error, "error_description": "AADSTS1: A fault."})}

    def _not_ours(self, challenge):
        """Each 401 that is not the vault's, whose tokens it names; and what is no error of a vault, with its challenge."""
        strange = [{}, *({"challenge": text} for text in (
            "Bearer", "Basic realm=x", challenge.replace("https://", "https://elsewhere."),
            challenge.replace("https://", "http://", 1), challenge.partition(",")[0],
            challenge.replace("vault.azure.net", "vault.example"),
            f"{challenge}, {challenge.partition(' ')[2]}", "x" * 400))]
        return [*({"status": 401, **more} for more in strange),
                *({"status": 401, "challenge": challenge, "body": body} for body in ("{}", '{"error":"x"}'))]

    def _token_silences(self):
        passing = [(status, error) for status in (400, 401, 503) for error in ("temporarily_unavailable", "server_error")]
        of_status = [(status, "invalid_client") for status in (302, 408, 429, 500, 503)]
        good = {"access_token": "A", "token_type": "Bearer", "expires_in": 3600}
        return [*SILENCES, *(self._oauth(*one) for one in (*passing, *of_status)),
                {**self._oauth(429, "throttled"), "retry_after": 3600},
                {**self._oauth(400, "invalid_client"), "delay_ms": LATE_MS},
                *({"status": 200, "body": json.dumps({**good, **wrong})} for wrong in (
                    {"access_token": ""}, {"access_token": 7}, {"access_token": "a b"}, {"access_token": "a\r\nb"},
                    {"access_token": "A" * 3000 + '"'}, {"token_type": "mac"}, {"token_type": None}, {"expires_in": "soon"},
                    {"expires_in": -1}, {"expires_in": None}))]

    def __init__(self, vault):
        self.stale = {"status": 401, "challenge": vault.challenge}
        self._anywhere = [*SILENCES, {"status": 404, "body": '{"error":"not_found"}'},
                          *({"status": 200, "body": body} for body in (
                              '{"kid":5,"value":7}', '{"kid":"","value":""}',
                              '{"value":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}')),
                          {"status": 400, "body": self._error("Unsupported")},
                          {"status": 409, "body": self._error("Conflict")}, *self._not_ours(vault.challenge)]
        self._refusals = [*({"status": 403, "body": self._error("Forbidden", inner)} for inner in (
            None, "KeyDisabled", "ForbiddenByPolicy", "ForbiddenByRbac", "ForbiddenByFirewall", "ForbiddenByConnection")),
            {"status": 404, "body": self._error("KeyNotFound")}]
        late = {"status": 403, "body": self._error("Forbidden"), "delay_ms": LATE_MS}
        self.silences = [
            *_answers(UNWRAP, [*self._anywhere, late,
                               *({"action": action} for action in ("wrong_kid", "short_key", "long_key"))]),
            *_answers(TOKEN, self._token_silences())]
        self.refusals = [
            *_answers(UNWRAP, [*self._refusals, {"status": 400, "body": self._error("BadParameter")}], NOT_FOUND),
            *_answers(UNWRAP, [self.stale] * 4, NO_TOKEN),
            *_answers(TOKEN, [self._oauth(*one) for one in (
                (400, "unauthorized_client"), (401, "invalid_client"), (400, "invalid_grant"), (403, "access_denied"),
                (404, "invalid_resource"), (410, "invalid_request"))], NO_TOKEN)]
        self.of_rotations = [
            *((operation, fault, False) for operation in (GET, WRAP) for fault in self._anywhere),
            *((WRAP, {"action": action}, False) for action in ("wrong_kid", "short_key", "long_key")),
            *((operation, fault, True) for operation in (GET, WRAP) for fault in (*self._refusals, self.stale)),
            (GET, {"action": "wrong_kid"}, True)]  # a version that is not there refuses to wrap


class TransitAnswers:
    """The same of a transit engine, whose errors are sentences, and which gives its tokens itself."""

    @staticmethod
    def _error(status, *sentences):
        return {"status": status, "body": json.dumps({"errors": sentences})}

    def _login_silences(self, anywhere):
        lifetime = {"lease_duration": 3600}
        return [*anywhere, self._error(400, "invalid role or secret ID; additionally got errors during verification"),
                self._error(403, "1 error occurred:\n\t* permission denied\n\n"),
                self._error(404, "specified authentication path was not found"),
                *(self._error(status, "invalid role or secret ID") for status in (401, 403, 429, 500, 503)),
                *({"status": 200, "body": json.dumps({"auth": auth})} for auth in (
                    None, [], {}, {"client_token": 7, **lifetime}, {"client_token": "", **lifetime},
                    {"client_token": "hvs. a", **lifetime}, {"client_token": "hvs.a", "lease_duration": "soon"}))]

    def __init__(self, _):
        self.stale = self._error(403, "1 error occurred:\n\t* permission denied\n\n")
        anywhere = [*SILENCES, {"status": 404, "body": '{"error":"not_found"}'},
                    *({"status": status} for status in (307, 412)),
                    self._error(400, "a fault"), self._error(403, "1 error occurred:\n\t* invalid token\n\n"),
                    self._error(500, "backend is nil"), self._error(503, "Vault is sealed")]
        of_keys = [*anywhere, *({"status": 200, "body": json.dumps({"data": data})} for data in (
            None, [], {}, {"plaintext": 7, "ciphertext": 7, "name": 7},
            {"plaintext": "", "ciphertext": "", "name": ""}, {"plaintext": "?", "ciphertext": "vault:v0:?"}))]
        self.silences = [
            *_answers(UNWRAP, [*of_keys, self._error(404), {**self.stale, "delay_ms": LATE_MS},
                               *({"action": action} for action in ("short_key", "long_key"))]),
            *_answers(TOKEN, self._login_silences(anywhere))]
        refusals = [self.stale,
                    self._error(404, 'no handler for route "transit/keys". route entry not found.'),
                    self._error(404, "namespace not found")]
        of_both = [self._error(400, sentence) for sentence in (
            "encryption key not found", "refusing to use soft-deleted key")]
        self.refusals = [
            *_answers(UNWRAP, [*refusals, *of_both, *(self._error(400, sentence) for sentence in (
                "ciphertext or signature version is disallowed by policy (too old)", "invalid ciphertext: version is too new",
                "cipher: message authentication failed"))], NOT_FOUND),
            *_answers(TOKEN, [self._error(400, sentence) for sentence in (
                "invalid role or secret ID", "invalid secret id", "invalid role ID")], NO_TOKEN)]
        self.of_rotations = [
            *((operation, fault, False) for operation in (GET, WRAP) for fault in of_keys),
            (WRAP, {"action": "wrong_version"}, False), (WRAP, self._error(404), False),
            *((operation, fault, True) for operation in (GET, WRAP) for fault in refusals),
            *((WRAP, fault, True) for fault in of_both), (GET, self._error(404), True),
            (GET, {"action": "wrong_version"}, True)]  # a version that is not there refuses to wrap
