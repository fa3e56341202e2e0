# SPDX-License-Identifier: Apache-2.0
"""A program's refusals of wrong settings: each is made by a check (--check-config) and by a start, with file, line, reason
and remedy, and leaves nothing behind. Beside it the files that settings name, good and wrong ones."""
import concurrent.futures
import os
import subprocess

from gateway_process import write_secret

AT_ONCE = 4
EXIT_REFUSED = 1
START_TIMEOUT_S = 120
# Root may open what is closed to others; a service's user may not.
AS_USER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


class Failed(Exception):
    pass


# --- the files that are named ----------------------------------------------------------------------


def openssl(directory, *arguments):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def certify(directory, name, key, *arguments):
    openssl(directory, "req", "-x509", "-key", key, "-subj", f"/CN={name}", "-out", f"{name}.crt", *arguments)


def make_chain(directory):
    """leaf.crt was issued by ca.crt."""
    openssl(directory, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "leaf.key")
    openssl(directory, "req", "-new", "-key", "leaf.key", "-subj", "/CN=leaf", "-out", "leaf.csr")
    openssl(directory, "x509", "-req", "-in", "leaf.csr", "-CA", "ca.crt", "-CAkey", "other.key", "-set_serial", "1",
            "-days", "2", "-out", "leaf.crt")
    texts = {name: (directory / f"{name}.crt").read_text() for name in ("leaf", "ca", "stranger")}
    (directory / "chain.crt").write_text(texts["leaf"] + texts["ca"])
    (directory / "reversed.crt").write_text(texts["ca"] + texts["leaf"])
    (directory / "strange.crt").write_text(texts["leaf"] + texts["stranger"])


def make_files(directory):
    """tls.crt and tls.key are there."""
    for name in ("other", "stranger"):
        openssl(directory, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{name}.key")
    for name, bits in (("rsa", 2048), ("short", 1024)):
        openssl(directory, "genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}", "-out", f"{name}.key")
    certify(directory, "ca", "other.key", "-days", "2")
    certify(directory, "stranger", "stranger.key", "-days", "2")
    certify(directory, "short", "short.key", "-days", "2")
    for name, first, last in (("ended", "20190101", "20200101"), ("early", "20990101", "21000101")):
        openssl(directory, "req", "-new", "-key", "tls.key", "-subj", f"/CN={name}", "-out", f"{name}.csr")
        (directory / "index").write_text("")
        (directory / "ca.cnf").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\n"
                                          "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
        openssl(directory, "ca", "-batch", "-config", "ca.cnf", "-selfsign", "-keyfile", "tls.key", "-in", f"{name}.csr",
                "-startdate", f"{first}000000Z", "-enddate", f"{last}000000Z", "-out", f"{name}.crt", "-notext")
    openssl(directory, "pkey", "-in", "tls.key", "-aes256", "-passout", "pass:secret", "-out", "locked.key")
    make_chain(directory)
    for name in ("other", "rsa", "short", "leaf", "locked"):
        (directory / f"{name}.key").chmod(0o600)
    write_secret(directory / "secret", "s" * 32 + "\n")
    write_secret(directory / "empty", "")
    write_secret(directory / "two-lines", "t" * 32 + "\n" + "t" * 32 + "\n")
    write_secret(directory / "jwks", '{"keys": []}')
    write_secret(directory / "unreadable", "u" * 32 + "\n")
    (directory / "unreadable").chmod(0)
    (directory / "open").write_text("o" * 32 + "\n")
    (directory / "readonly").mkdir()
    (directory / "readonly").chmod(0o500)


# --- refusals --------------------------------------------------------------------------------------


def line_of(config, text):
    lines = config.split("\n")
    return 1 if text == "" else next(i for i, line in enumerate(lines, 1) if text in line)


def check_nothing_made(directory, before):
    left = set(directory.rglob("*")) - set(before)
    if left:
        raise Failed(f"files were made: {left}")


class Refusals:
    """Of a program, by a good configuration of its; fill(text, directory) puts the paths into one."""

    def __init__(self, program, good, fill):
        self.program, self.good, self.fill = program, good, fill

    def run(self, config, *arguments):
        """The exit code, and what was said."""
        done = subprocess.run([*AS_USER, self.program, "--config", config, *arguments], capture_output=True, text=True,
                              timeout=START_TIMEOUT_S, check=False)
        return done.returncode, done.stdout + done.stderr

    def expect(self, what, config, line, words, *arguments):
        code, told = self.run(config, *arguments)
        place = f"{config}:{line}: "
        missing = [word for word in words if word not in told]
        if code != EXIT_REFUSED or place not in told or missing:
            raise Failed(f"{what}, {arguments}: exit code {code}, expected 1 and {place}...{words}, got:\n{told}")

    def check_case(self, config, changed, where, words):
        line = line_of(changed, where)
        self.expect(words, config, line, words, "--check-config")
        self.expect(words, config, line, words, "--ready-file", config.with_suffix(".ready"))

    def check_cases(self, directory, cases):
        """Each: what is written instead of what, the line of the refusal by its text ("" for line 1), and words of the
        refusal. All at once: each has a file of its own, and none may make another."""
        prepared = []
        for number, (old, new, where, words) in enumerate(cases):
            if self.good.count(old) != 1:
                raise Failed(f"{old!r} is {self.good.count(old)} times in the good configuration")
            changed = self.good.replace(old, new, 1)
            config = directory / f"{number}.conf"
            config.write_text(self.fill(changed, directory))
            prepared.append((config, changed, where, words))
        before = sorted(directory.rglob("*"))
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for done in [pool.submit(self.check_case, *case) for case in prepared]:
                done.result()
        check_nothing_made(directory, before)

    def check_good(self, directory, *texts):
        for text in texts:
            config = directory / "good.conf"
            config.write_bytes(self.fill(text, directory).encode())
            code, told = self.run(config, "--check-config")
            if code != 0:
                raise Failed(f"a good configuration: {told}")

    def expect_failed_start(self, directory, what, changed, where, words):
        """Of what only a start can find."""
        config = directory / "start.conf"
        config.write_text(self.fill(changed, directory))
        before = sorted(directory.rglob("*"))
        self.expect(what, config, line_of(changed, where), words, "--ready-file", directory / "ready")
        check_nothing_made(directory, before)
