# SPDX-License-Identifier: Apache-2.0
"""A client of the gateway's management API, for this collection's modules."""
import json
import os
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit

from ansible.module_utils.basic import env_fallback
from ansible.module_utils.urls import open_url

API_VERSION = "2023-05-01"


def management_options():
    """The options of doc_fragments/management.py."""
    return {
        "endpoint": {"type": "str", "default": "https://127.0.0.1:10443"},
        "token_file": {"type": "path", "default": "/etc/gatekey/listeners/management.token",
                       "fallback": (env_fallback, ["GATEKEY_TOKEN_FILE"]), "no_log": False},
        "token": {"type": "str", "fallback": (env_fallback, ["GATEKEY_TOKEN"]), "no_log": True},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path", "no_log": False},
        "ca_file": {"type": "path", "default": "/etc/gatekey/listeners/management.crt"},
        "timeout_s": {"type": "int", "default": 60},
    }


KEY_OPTIONS = ("vault_uri", "key_name", "key_version")


def key_options():
    """The options of doc_fragments/customer_key.py."""
    return {name: {"type": "str", "no_log": False} for name in KEY_OPTIONS}


def wanted_key(parameters, before):
    """What is given of a customer's key, and what follows from it. before: the same words, of now."""
    wanted = {name: parameters[name] for name in KEY_OPTIONS if parameters[name] is not None}
    if "vault_uri" in wanted:
        wanted["vault_uri"] = wanted["vault_uri"].rstrip("/")
    # Of another key the version is another one, too.
    if any(name in wanted and wanted[name] != before.get(name) for name in ("vault_uri", "key_name")):
        wanted.setdefault("key_version", "")
    return wanted


def read_secret(module, path):
    """The one line of a file with a secret, which no result of the module will show."""
    try:
        with open(path, encoding="ascii") as file:
            secret = file.read().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        module.fail_json(msg=f"{path} cannot be read: {error}")
    module.no_log_values.add(secret)
    return secret


def ask(module, method, url, headers, data=None, ca_file=None, timeout_s=60, client_cert=None, client_key=None):
    """(status, headers, bytes) of an answer, whatever its status; fails the module when there is none."""
    if not url.startswith(("https://", "http://")):
        module.fail_json(msg=f"{url} is no URL of http or https")
    try:
        answer = open_url(url, method=method, headers=headers, data=data, timeout=timeout_s, use_proxy=False,
                          validate_certs=True, ca_path=ca_file, client_cert=client_cert, client_key=client_key,
                          follow_redirects="none")
        return answer.status, answer.headers, answer.read()
    except HTTPError as error:
        return error.code, error.headers, error.read()
    except (URLError, OSError, ValueError) as error:
        return module.fail_json(msg=f"{method} {url.split('?')[0]}: no answer: {error}")


def as_json(module, text, url):
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return module.fail_json(msg=f"{url} answered with what is not JSON")


def segment(name):
    """A name as a part of a path."""
    return quote(name, safe="")


class Management:
    """The management API as the module's parameters name it."""

    def __init__(self, module):
        parameters = module.params
        if not parameters["endpoint"].startswith("https://"):
            module.fail_json(msg="endpoint has to begin with https://")
        self.module = module
        self.endpoint = parameters["endpoint"].rstrip("/")
        self.ca_file = parameters["ca_file"]
        self.timeout_s = parameters["timeout_s"]
        if not os.path.exists(self.ca_file):
            module.fail_json(msg=f"ca_file {self.ca_file} is not there")
        self.client_cert, self.client_key = parameters["client_cert"], parameters["client_key"]
        if self.client_key and not self.client_cert:
            module.fail_json(msg="client_key is that of client_cert, which is missing")
        self.authorization = {} if self.client_cert else {"Authorization": f"Bearer {self.read_token()}"}

    def read_token(self):
        return self.module.params["token"] or read_secret(self.module, self.module.params["token_file"])

    def request(self, method, path, body=None, missing_is_none=False):
        """The answer's JSON. None where missing_is_none, and there is no such thing."""
        headers = {**self.authorization, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        version = "" if "?api-version=" in path else f"?api-version={API_VERSION}"
        status, _, text = ask(self.module, method, f"{self.endpoint}{path}{version}", headers, data, self.ca_file,
                              self.timeout_s, self.client_cert, self.client_key)
        if status == 404 and missing_is_none:
            return None
        answer = as_json(self.module, text, path)
        if status >= 300:
            error = answer.get("error", {})
            self.module.fail_json(msg=f"{method} {path}: {status} {error.get('code')}: {error.get('message')}",
                                  status=status, code=error.get("code"))
        return answer

    def list(self, path):
        """The members of a list, of all its pages."""
        found = []
        while path:
            page = self.request("GET", path)
            found += page["value"]
            following = urlsplit(page.get("nextLink", ""))
            path = following.path and f"{following.path}?{following.query}"
        return found

    def account(self, name):
        """An account, wherever it is filed, or None."""
        return self.request("GET", f"/gatekey/accounts/{segment(name)}", missing_is_none=True)

    def existing_account(self, name):
        account = self.account(name)
        if account is None:
            self.module.fail_json(msg=f"there is no account {name}")
        return account


def changed_settings(before, wanted):
    """Those of wanted that are given and not as in before."""
    return {name: value for name, value in wanted.items() if value is not None and value != before.get(name)}


def difference(name, before, after):
    """What --diff shows."""
    def text(settings):
        return "" if settings is None else json.dumps(settings, indent=2, sort_keys=True) + "\n"

    return {"before": text(before), "after": text(after), "before_header": name, "after_header": name}
