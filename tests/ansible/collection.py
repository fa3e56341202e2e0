# SPDX-License-Identifier: Apache-2.0
"""The collection as ansible-galaxy builds and installs it, for the tests beside this."""
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "ansible"
SKIPPED = 77


def skip(text):
    print(text)
    sys.exit(SKIPPED)


def need(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        skip(f"{', '.join(missing)}: not installed")


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ends with {done.returncode}\n{done.stdout[-12000:]}")
    return done.stdout


def environment(place):
    """Ansible's own files are in place, and nothing of the user's reaches it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return {**kept, "HOME": str(place), "ANSIBLE_HOME": str(place / "home"),
            "ANSIBLE_COLLECTIONS_PATH": str(place / "collections"), "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "false", "LC_ALL": "C.UTF-8"}


def install(place):
    """Returns where the collection is now."""
    env = environment(place)
    run("ansible-galaxy", "collection", "build", "--output-path", place / "made", SOURCE, env=env)
    for made in (place / "made").glob("*.tar.gz"):
        run("ansible-galaxy", "collection", "install", "--offline", "-p", place / "collections", made, env=env)
    return place / "collections/ansible_collections/gatekey/gateway"
