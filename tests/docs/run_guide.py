#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: what a guide tells its reader to type works. Method: the commands of the guide are run as they stand
there, one after the other, in one shell, in an empty directory.

  run_guide.py GUIDE.md [--ports NAME,NAME...]

A block of the guide that begins with ```sh is run; the first command of it that fails fails the guide. A
```text block that follows it is what it prints, errors included: the whole of it, where "..." stands for
anything, and a line with "..." alone for any lines. A block that cannot be run here has a line before it that
tells the reader so, "*Not run by the tests: REASON.*". All other blocks, but those of text and of other
languages, are refused: no command goes without.

What a guide wants from outside are ports, which its first block has defaults for; here they are free ones.
Processes that the guide leaves behind are ended with it. Exit code 0; 1 when something is not as it is
told; 2 when the guide cannot be read.
"""
import argparse
import os
import pathlib
import random
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
from typing import NamedTuple, Optional

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TIMEOUT_S = 600
SHOWN_CHARACTERS = 6000
# Below those that the kernel gives to connections, so that none of them is taken before it is bound.
PORTS = range(20000, 32000)
FENCE = re.compile(r"^```(.*)$")
EXCUSE = re.compile(r"^\*Not run by the tests: .+\.\*$")
# Settings, programs' own languages, drawings: nothing to type.
NOT_COMMANDS = {"text", "conf", "json", "xml", "yaml", "mermaid", "python"}


class Unreadable(Exception):
    """The guide is not written as it has to be."""


class Step(NamedTuple):
    """Commands, the line of the guide where they begin, and what they print, where that is told."""
    line: int
    commands: str
    output: Optional[str]


def blocks_of(text):
    """Of each fenced block: its line, its language, its content, and the line of text before it."""
    lines = text.splitlines()
    before, at = "", 0
    while at < len(lines):
        fence = FENCE.match(lines[at])
        if not fence:
            before = lines[at].strip() or before
            at += 1
            continue
        begin = at + 1
        try:
            end = lines.index("```", begin)
        except ValueError:
            raise Unreadable(f"line {begin}: this block has no end") from None
        yield begin + 1, fence[1].strip(), "\n".join(lines[begin:end]) + "\n", before
        before, at = "", end + 1


def steps_of(text):
    steps, open_step = [], False
    for line, language, content, before in blocks_of(text):
        if language == "sh":
            open_step = not EXCUSE.match(before)
            if open_step:
                steps.append(Step(line, content, None))
        elif language == "text" and open_step:
            steps[-1] = steps[-1]._replace(output=content)
            open_step = False
        elif language not in NOT_COMMANDS:
            raise Unreadable(f"line {line}: a block of {language or 'no language'}; commands are sh")
    if not steps:
        raise Unreadable("there is no command in it")
    return steps


def is_as_told(told, printed):
    pattern = ""
    for line in told.rstrip("\n").split("\n"):
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*?".join(re.escape(part) for part in line.rstrip().split("...")) + r"[ \t]*\n"
    printed = printed.rstrip("\n") + "\n" if printed.strip() else "\n"
    return re.fullmatch(pattern, printed) is not None


def script_of(steps, directory):
    """Each step is a file of its own, which the shell reads once the one before is done."""
    lines = ["set -euo pipefail"]
    for number, step in enumerate(steps):
        (directory / f"{number}.sh").write_text(step.commands)
        lines.append(f'. "{directory}/{number}.sh" >"{directory}/{number}.out" 2>&1 </dev/null')
        lines.append(f'echo {number} >"{directory}/done"')
    return "\n".join(lines) + "\n"


def free_port(taken):
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in taken:
            return port


def environment_of(names):
    """Like that of a reader who has just logged in, but for the ports and for what goes to other hosts."""
    ports = set()
    environment = {name: os.environ[name] for name in ("PATH", "GATEKEY_BUILD") if name in os.environ}
    environment["GATEKEY_BUILD"] = str(ROOT / environment.get("GATEKEY_BUILD", "build/release"))
    environment["GATEKEY_SOURCE"] = str(ROOT)
    environment["AZURE_CORE_COLLECT_TELEMETRY"] = "no"  # az would tell of it from here
    for name in names:
        port = free_port(ports)
        ports.add(port)
        environment[name] = str(port)
    return environment


def run_shell(script, directory, environment):
    """Its exit code, None when it took too long. What it started and left behind is ended."""
    home = directory / "home"
    home.mkdir()
    shell = subprocess.Popen(["/bin/bash", "--noprofile", "--norc", "-c", script], cwd=home,
                             env={**environment, "HOME": str(home)}, start_new_session=True)
    try:
        return shell.wait(TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return None
    finally:
        end_session(shell.pid)


def end_session(number):
    """First by asking: a gateway writes down what it has, a private cluster ends its daemons."""
    members = [int(stat.parent.name) for stat in pathlib.Path("/proc").glob("[0-9]*/stat")
               if session_of(stat) == number]
    for pid in members:
        send(pid, signal.SIGTERM)
    for pid in members:
        handle = watch(pid)
        if handle is not None and not ends(handle):
            send(pid, signal.SIGKILL)


def session_of(stat):
    try:
        return int(stat.read_text().rpartition(")")[2].split()[3])
    except (OSError, IndexError):
        return None


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def watch(pid):
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def ends(handle, timeout_ms=30000):
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    try:
        return bool(poll.poll(timeout_ms))
    finally:
        os.close(handle)


def verdict_of(steps, directory, code):
    """What is not as the guide tells, or None."""
    done = directory / "done"
    finished = int(done.read_text()) + 1 if done.exists() else 0
    for number, step in enumerate(steps[:finished + 1]):
        output = directory / f"{number}.out"
        printed = output.read_text(errors="replace") if output.exists() else ""
        shown = f"{step.commands}--- printed:\n{printed[-SHOWN_CHARACTERS:]}"
        if number == finished:
            ended = "took too long" if code is None else f"ended with {code}"
            return f"line {step.line}: {ended}:\n{shown}"
        if step.output is not None and not is_as_told(step.output, printed):
            return f"line {step.line}: printed something else than what is told:\n{shown}"
    return None if code == 0 else f"the shell ended with {code}"


def run(guide, ports=()):
    """What is not as the guide tells, or None."""
    steps = steps_of(guide.read_text())
    with tempfile.TemporaryDirectory(prefix="gatekey-guide-") as name:
        directory = pathlib.Path(name)
        code = run_shell(script_of(steps, directory), directory, environment_of(ports))
        return verdict_of(steps, directory, code)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("guide", type=pathlib.Path)
    parser.add_argument("--ports", default="")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and end what was started
    try:
        wrong = run(arguments.guide, [name for name in arguments.ports.split(",") if name])
    except Unreadable as error:
        print(f"{arguments.guide}: {error}", file=sys.stderr)
        return 2
    if wrong is not None:
        print(f"{arguments.guide}, {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
