#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a vault can answer, at random, to accounts under keys in it, one in five of them in a transit engine, and what can
answer whoever gives the tokens for it: each call of each account meets a fault or none, and what becomes of the account is
compared with the rule that only an explicit refusal makes data dark, that silence is forgiven for the grace while the root
key is in memory, and that nothing else is ever served. Each account has an identity of its own, so that a token which it
cannot have is wanting to nobody else. Meanwhile keys are disabled and rotated, the clock jumps past the grace, the wall
clock is set back, the vaults have certificates that nobody trusts, and the gateway ends or is killed. In the end all faults
are over: every account is active, every byte is there, the gateway ends when it is told to, and no secret is in its log or
its audit.

usage: vault_faults.py [--faults N] [--accounts N] [--seed N]

A fault is a call of a vault, or for a token, that met one. With the same seed and number of accounts, 32 at most, each
account meets the same again, however many of its calls repeat.
"""
import argparse
import base64
import collections
import json
import multiprocessing
import pathlib
import random
import re
import sys
import tempfile
import threading
import time
import traceback
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from open_store import read_store  # noqa: E402  first: it ends with 77
from blob_client import Client  # noqa: E402
from gateway_process import Gateway, account_sas  # noqa: E402
from transit_process import Transit  # noqa: E402
from vault_answers import NOT_FOUND, TOKEN, UNWRAP, KeyVaultAnswers, TransitAnswers  # noqa: E402
from vault_process import Vault  # noqa: E402

VAULTS, ENGINES = 4, 1
STEPS = 25  # of each account, from one restart or jump of the clock to the next
GRACE_S = 600
VAULT_DEADLINE_MS = 600
PATIENCE_S = 60
LINES = 12  # of a log, to tell what went wrong
AGAIN_S = 0.05  # after a 503
BUSY_S = 0.3  # by which this test's own thread is late where no vault can be blamed for an answer that is
CONTAINER = "box"


class Wrong(Exception):
    """It is not as it should be."""


class Lateness:
    """How late a thread of this process comes that only sleeps: what becomes of deadlines on a machine this busy."""

    def __init__(self):
        self.worst_s = 0
        threading.Thread(target=self._measure, daemon=True).start()

    def _measure(self):
        while True:
            begun = time.monotonic()
            time.sleep(0.05)
            self.worst_s = max(self.worst_s, time.monotonic() - begun - 0.05)

    def __str__(self):
        verdict = ": the machine is too busy for this run to say anything" if self.worst_s > BUSY_S else ""
        return f"this test's own thread was {self.worst_s * 1000:.0f} ms late at the worst{verdict}"


def identity_of(number):
    return f"/identities/faults{number}"


class Account:
    """One under a key of its own, as an identity of its own, and what it must be like."""

    def __init__(self, number, gateway, vault, rng):
        self.name, self.gateway, self.vault, self.rng = f"faults{number}", gateway, vault, rng
        self.identity = identity_of(number)
        self.answers = (TransitAnswers if isinstance(vault, Transit) else KeyVaultAnswers)(vault)
        self.version = vault.create_key(self.name)
        self.current = self.version  # what its root key is wrapped with
        made = gateway.ctl("account", "create", self.name, "--vault", vault.uri, "--key", self.name, "--identity",
                           self.identity)
        if made.returncode != 0:
            raise SystemExit(made.stderr)
        self.keys = [key["value"] for key in json.loads(gateway.ctl("account", "keys", self.name, "--json").stdout)]
        self.sas = account_sas(self.name, self.keys[0])
        self.client = None
        self.state, self.code = "active", ""
        self.fault = None  # of unwraps: "silence" or "refusal"
        self.met = None  # the latest one, of vault_answers.py
        self.disabled = False  # the version that is in use, at the vault
        self.contents = {}
        self.faults = 0
        self.counts = collections.Counter()

    def connect(self, port, management):
        self.gateway.management = management
        self.client = Client(port, self.name, self.sas)

    def expect(self, what, seen, *wanted):
        if seen not in wanted:
            raise Wrong(f"{self.name}: {what} is {seen!r} instead of {' or '.join(map(repr, wanted))}; it was "
                        f"{self.state}, fault {self.fault}, latest {self.met}, key "
                        f"{'disabled' if self.disabled else 'enabled'}")

    def last_lines(self):
        """What gateway and vault logged of it last, and the gateway of the vault."""
        lines = []
        for file, wanted in ((self.gateway.log_file, rf"\b{self.name}\b"),
                             (self.gateway.log_file, rf'"keyprovider".*{re.escape(self.vault.uri)}[/:]'),
                             (self.vault.directory / "log", rf"\b{self.name}\b")):
            mine = [line for line in file.read_text(errors="replace").splitlines() if re.search(wanted, line)]
            lines += mine[-LINES:]
        for name in ("gatekey_vault_breaks_total", "gatekey_provider_late_seconds_total"):
            lines += self.gateway.metric(name)
        return "\n".join(lines)

    # --- what the vault says ------------------------------------------------------------------------

    def answered(self):
        """The vault was asked for the root key: what becomes of the account by the table of states."""
        if self.fault == "refusal":
            self.state, self.code = "revoked", self.met.code
        elif self.fault is None and self.disabled:
            self.state, self.code = "revoked", NOT_FOUND
        elif self.fault is None:
            self.state = "active"
        elif self.state == "active":
            self.state = "unreachable"
        elif self.state == "cold":
            self.state = "degraded"

    def check(self):
        """The gateway is told to ask. Its answer may come before the vault's deadline is over; and where there is no
        fault, the vault's may come too late on a machine that is busy: that is silence, and no more."""
        before = self.state
        self.answered()
        wanted = self.state
        on_the_way = {before, "unreachable" if before == "active" else "degraded"}
        if wanted == "active":
            on_the_way.add("unreachable")  # it was, and another call of it was not answered in time
        deadline = time.monotonic() + PATIENCE_S
        while True:
            status, answer = self.gateway.resource("POST", self.name, "/gatekeyCheckKey")
            self.expect(f"a check's status ({answer})", status, 200, 503)
            seen = self.told()["state"]
            if (seen == wanted and self.is_known()) or time.monotonic() > deadline:
                break
            self.expect("the state while an answer is awaited", seen, *sorted(on_the_way))
            if status == 503:
                time.sleep(AGAIN_S)
        self.expect("the state", seen, wanted)

    def is_known(self):
        """Whether of refusals the latest has been heard: it may be another than the one before."""
        return self.state != "revoked" or self.client.get(f"{CONTAINER}/none").code == self.code

    def told(self):
        status, answer = self.gateway.resource("GET", self.name)
        self.expect("the status of the account's properties", status, 200)
        properties = answer["properties"]
        return {"current": properties["encryption"]["keyvaultproperties"]["currentVersionedKeyIdentifier"],
                **properties["gatekey"]}

    # --- what clients see ---------------------------------------------------------------------------

    def denied(self, answer):
        """What an operation that needs the key gets, unless it is served."""
        if self.state == "revoked":
            self.expect("the status", answer.status, 403)
            self.expect("the code", answer.code, self.code)
        else:
            self.expect("the status", answer.status, 503)
            self.expect("Retry-After", answer.headers.get("retry-after", "").isdigit(), True)

    def open(self):
        return self.state in ("active", "unreachable")

    def warm(self):
        """The first request to a cold account asks the vault. When its answer comes too late, it is asked again."""
        if self.client.get(f"{CONTAINER}/none").status == 503 and self.fault != "silence":
            self.state = "degraded"
            self.check()
        else:
            self.answered()

    def use(self):
        """A read or a write, and one that needs no key."""
        if self.state == "cold":
            self.warm()
        name = self.rng.choice("abcd")
        if name not in self.contents or self.rng.random() < 0.3:
            content = self.rng.randbytes(self.rng.randrange(20000))
            answer = self.client.put(f"{CONTAINER}/{name}", content)
            if self.open():
                self.expect("the status of a write", answer.status, 201)
                self.contents[name] = content
        else:
            answer = self.client.get(f"{CONTAINER}/{name}")
            if self.open():
                self.expect("the status of a read", answer.status, 200)
                self.expect("a blob's content is whole", answer.body == self.contents[name], True)
        if not self.open():
            self.denied(answer)
        self.expect("the status of a listing", self.client.list_blobs(CONTAINER).status, 200)

    # --- steps --------------------------------------------------------------------------------------

    def begin_fault(self, kind):
        answer = self.rng.choice(self.answers.refusals if kind == "refusal" else self.answers.silences)
        if answer.operation == TOKEN:
            self.vault.begin_token_fault(self.identity, answer.fault)
        self.vault.begin_fault(self.name, UNWRAP, self.answers.stale if answer.operation == TOKEN else answer.fault)
        self.fault, self.met = kind, answer

    def end_fault(self):
        met = self.vault.end_faults(self.name, self.identity)
        self.faults += met
        self.fault = None

    def meet_fault(self):
        kind = "refusal" if self.rng.random() < 0.25 else "silence"
        self.begin_fault(kind)
        self.check()
        for _ in range(self.rng.randrange(3)):
            self.use()
        self.end_fault()
        self.counts[f"{kind} {'to a token' if self.met.operation == TOKEN else 'to an unwrap'}"] += 1

    def renew(self):
        """The vault does not take the token any more; a new one it does."""
        self.vault.begin_fault(self.name, UNWRAP, {**self.answers.stale, "count": 1})
        self.met = "a token that has ended"
        self.meet_none()
        self.faults += 1
        self.counts["token renewed"] += 1

    def meet_none(self):
        self.check()
        self.use()
        self.counts["no fault"] += 1

    def disable(self):
        """By its owner; then it is asked for with or without a fault, and enabled again."""
        self.vault.enable_key(self.name, False, self.current)
        self.disabled = True
        self.check()
        self.use()
        if self.rng.random() < 0.5:
            self.meet_fault()
        self.vault.enable_key(self.name, True, self.current)
        self.disabled = False
        self.meet_none()
        self.counts["key disabled and enabled"] += 1

    def rotate(self):
        """A new version, which a fault keeps from being taken up at first: the old one goes on."""
        self.meet_none()
        newest = self.vault.create_key(self.name)
        refused = self.rng.random() < 0.3
        operation, fault, _ = self.rng.choice([row for row in self.answers.of_rotations if row[2] == refused])
        self.vault.begin_fault(self.name, operation, fault)
        self.met = fault
        status, answer = self.gateway.resource("POST", self.name, "/gatekeyCheckKey")
        self.expect(f"the status of a check that finds a new version ({answer})", status,
                    200, 503, *((400, 403) if refused else ()))
        self.expect("the version after a rotation that failed", self.told()["current"].rpartition("/")[2], self.current)
        self.use()
        self.end_fault()
        old, deadline = self.current, time.monotonic() + PATIENCE_S
        while self.current != newest and time.monotonic() < deadline:
            self.check()
            self.current = self.told()["current"].rpartition("/")[2]
        self.expect("the version after a rotation", self.current, newest)
        if self.rng.random() < 0.5:
            self.vault.enable_key(self.name, False, old)
        self.meet_none()
        self.counts["rotation"] += 1

    def step(self):
        chance = self.rng.random()
        if chance < 0.82:
            self.meet_fault()
        elif chance < 0.86:
            self.renew()
        elif chance < 0.9:
            self.meet_none()
        elif chance < 0.95:
            self.disable()
        else:
            self.rotate()

    # --- between two stretches ----------------------------------------------------------------------

    def prepare(self):
        """What is so when the clock jumps or the gateway goes: active, silent, or refused."""
        self.meet_none()
        kind = self.rng.choice([None, "silence", "refusal"])
        if kind is not None:
            self.begin_fault(kind)
            self.check()

    def after_jump(self):
        """The grace is over."""
        if self.state == "unreachable":
            deadline = time.monotonic() + PATIENCE_S
            while self.told()["state"] == "unreachable" and time.monotonic() < deadline:
                time.sleep(0.05)  # the gateway reads the clock's file once a second
            self.state = "degraded"
        self.expect("the state past the grace", self.told()["state"], self.state)
        self.use()
        self.end_fault()
        self.meet_none()

    def after_set_back(self):
        """What goes by the wall clock is not what makes data dark."""
        self.expect("the state after the wall clock was set back", self.told()["state"], self.state)
        self.use()
        self.end_fault()
        self.meet_none()

    def without_tls(self):
        """Whoever answers for the vault is not the vault, whatever it would say."""
        self.fault, self.met = "silence", "an untrusted certificate"
        self.check()
        self.faults += 1
        self.use()
        self.counts["untrusted certificate"] += 1

    def after_tls(self):
        self.fault = None
        self.meet_none()

    def after_restart(self):
        self.state = "cold"
        self.use()
        self.end_fault()
        self.meet_none()

    def settle(self):
        self.meet_none()
        self.expect("the state in the end", self.state, "active")
        for name, content in self.contents.items():
            answer = self.client.get(f"{CONTAINER}/{name}")
            self.expect(f"the end of {name}", answer.status == 200 and answer.body == content, True)


class Walker:
    """An account in a process, which does what it is told."""

    def __init__(self, *account):
        self.account = Account(*account)
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=self._serve, args=(theirs,), daemon=True)
        self.process.start()

    def _serve(self, pipe):
        account = self.account
        while True:
            before, steps, after, port, management = pipe.recv()
            try:
                account.connect(port, management)
                if not account.contents:
                    account.expect("a container's status", account.client.create_container(CONTAINER).status, 201, 409)
                before(account)
                for _ in range(steps):
                    account.step()
                after(account)
                pipe.send((account.faults, account.counts, ""))
            except Wrong as wrong:
                pipe.send((0, {}, f"{wrong}\n{account.last_lines()}"))
            except Exception:  # pylint: disable=broad-except
                pipe.send((0, {}, traceback.format_exc()))

    def begin(self, *what):
        self.pipe.send(what)

    def finish(self):
        return self.pipe.recv()


def all_do(gateway, walkers, before, steps, after):
    """Faults so far, and the counts."""
    for walker in walkers:
        walker.begin(before, steps, after, gateway.port, gateway.management)
    ends = [walker.finish() for walker in walkers]
    wrong = [reason for _, _, reason in ends if reason]
    if wrong:
        gateway.check_alive()
        raise SystemExit("\n".join([*wrong, str(gateway.lateness)]))
    return sum(faults for faults, _, _ in ends), sum((counts for _, counts, _ in ends), collections.Counter())


def do_nothing(_):
    pass


# --- what happens between two stretches; each gives what accounts do after it ---------------------------


def jump(gateway, *_):
    gateway.move_clock(gateway.clock_offset_ms + (GRACE_S + 5) * 1000)
    return Account.after_jump


def set_back(gateway, *_):
    """By another two hours; the third time it is put right."""
    gateway.wall_behind_ms = (gateway.wall_behind_ms + 7200 * 1000) % (3 * 7200 * 1000)
    gateway.move_clock(gateway.clock_offset_ms)
    return Account.after_set_back


def end(gateway, *_):
    gateway.restart()
    return Account.after_restart


def kill(gateway, *_):
    gateway.kill()
    gateway.start()
    return Account.after_restart


def lose_tls(gateway, walkers, vaults):
    for vault in vaults:
        vault.restart(impostor=True)
    all_do(gateway, walkers, Account.without_tls, 0, do_nothing)
    for vault in vaults:
        vault.restart()
    return Account.after_tls


EVENTS = [jump, end, set_back, lose_tls, jump, kill]


def walk(gateway, walkers, vaults, wanted):
    faults, stretch, after_event = 0, 0, do_nothing
    while faults < wanted:
        faults, _ = all_do(gateway, walkers, after_event, STEPS, Account.prepare)
        after_event = EVENTS[stretch % len(EVENTS)](gateway, walkers, vaults)
        stretch += 1
    _, counts = all_do(gateway, walkers, after_event, 0, Account.settle)
    return faults, stretch, counts


# --- what nobody may find -------------------------------------------------------------------------------


def forms_of(secret):
    """As it may stand somewhere."""
    plain, urlsafe = base64.b64encode(secret), base64.urlsafe_b64encode(secret)
    return {secret, secret.hex().encode(), secret.hex().upper().encode(), plain.rstrip(b"="), urlsafe.rstrip(b"="),
            urllib.parse.quote(plain, safe="").encode()}


def root_key_of(gateway, account):
    """As the vault opens what stands in its record. The gateway has ended."""
    service_key = read_store.fmt.read_service_key(gateway.service_key_file.read_text())
    generation, = read_store.Account(read_store.open_store(gateway.place), service_key, account.name, []).record["generations"]
    wrap = generation["wraps"][0]
    return account.vault.unwrap(wrap["keyId"], wrap["algorithm"], read_store.fmt.from_b64url(wrap["value"]))


def check_secrecy(gateway, accounts, vaults):
    """Of secrets of the run in what the gateway has logged, said on standard error and audited. Tokens are known by their
    form, whatever has become of them: of vaults, of engines, and whatever else is shown as one."""
    secrets = {f"a secret of {vault.uri}": secret.encode() for vault in vaults for secret in vault.secrets}
    for account in accounts:
        secrets[f"the root key of {account.name}"] = root_key_of(gateway, account)
        signature, = urllib.parse.parse_qs(account.sas)["sig"]
        for what, text in (("signature", signature), *((f"access key {key[:4]}", key) for key in account.keys)):
            secrets[f"the {what} of {account.name}"] = base64.b64decode(text)
    secrets["the management token"] = (gateway.directory / "token").read_bytes().strip()
    secrets["the service key"] = read_store.fmt.read_service_key(gateway.service_key_file.read_text())
    for file in (gateway.log_file, gateway.audit_file):
        text = file.read_bytes()
        found = [what for what, secret in secrets.items() if any(form in text for form in forms_of(secret))]
        if re.search(rb"eyJ[\w-]{8,}\.|hvs\.[\w-]{8,}|Bearer [\w-]{16,}", text):
            found.append("a token")
        if found:
            raise SystemExit(f"{file.name} has {', '.join(found)}")


class Vaults:
    """All of them, as a gateway's configuration has them."""

    def __init__(self, directory, accounts):
        kinds = [Vault] * VAULTS + [Transit] * ENGINES
        numbers = range(max(accounts, len(kinds)))
        self.all = [kind(directory / f"vault{at}", [*map(identity_of, numbers[at::len(kinds)])])
                    for at, kind in enumerate(kinds)]
        authorities = directory / "authorities.crt"
        authorities.write_text("".join(vault.ca_file.read_text() for vault in self.all))
        configs = ", ".join(vault.config for vault in self.all)
        identities = ",\n".join(vault.identity_config for vault in self.all)
        self.provider_config = f"""ca_file = "{authorities}"; check_interval_ms = 86400000; grace_s = {GRACE_S};
  vault_deadline_ms = {VAULT_DEADLINE_MS}; request_timeout_ms = {VAULT_DEADLINE_MS};
  vaults = ( {configs} ); identities = ( {identities} );"""


def run(directory, arguments):
    vaults = Vaults(directory, arguments.accounts)
    gateway = Gateway(directory / "gateway", vault=vaults)
    gateway.audit_file = directory / "audit.log"
    gateway.store += f' audit_file = "{gateway.audit_file}";'
    gateway.log_level = "debug"
    gateway.lateness = Lateness()
    gateway.clock_file = directory / "clock"
    gateway.move_clock(0)
    try:
        gateway.start()
        walkers = [Walker(number, gateway, vaults.all[number % len(vaults.all)], random.Random(f"{arguments.seed} {number}"))
                   for number in range(arguments.accounts)]
        begun = time.monotonic()
        faults, stretches, counts = walk(gateway, walkers, vaults.all, arguments.faults)
        seconds = time.monotonic() - begun
        if gateway.stop() != 0:
            raise SystemExit(f"the gateway ended badly; see {gateway.log_file}")
        check_secrecy(gateway, [walker.account for walker in walkers], vaults.all)
    finally:
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.kill()
        for vault in vaults.all:
            vault.stop()
    for what, count in sorted(counts.items()):
        print(f"{count:8} {what}")
    print(f"{faults} faults met, {faults / seconds:.0f} a second, {stretches} stretches, seed {arguments.seed}: each as "
          "the rules have it")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=100000)
    parser.add_argument("--accounts", type=int, default=24)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    with tempfile.TemporaryDirectory(prefix="gatekey-vault-faults-") as directory:
        try:
            arguments = parser.parse_args()
            run(pathlib.Path(directory), arguments)
        except SystemExit as end:
            if end.code not in (0, None):
                print(f"seed {arguments.seed}", file=sys.stderr)
            raise


if __name__ == "__main__":
    main()
