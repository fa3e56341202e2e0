#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The demo's tour: a customer, with the vendor's unmodified SDKs, through the life of their key.

Reads the variables that scripts/demo wrote (see there) from the environment. Every step checks what
it tells; a surprise ends the tour with a non-zero status.
"""
import os
import pathlib
import subprocess
import sys
import time

from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.keyvault.keys import KeyClient
from azure.storage.blob import BlobServiceClient

ENV = os.environ
DARK = "KeyVaultEncryptionKeyNotFound"
PATIENCE_S = 60


def tell(text):
    print(f"\n\033[1m{text}\033[0m", flush=True)


def show(text):
    print(f"    {text}", flush=True)


def expect(condition, text):
    if not condition:
        sys.exit(f"tour: this was not expected: {text}")


def ctl(*words):
    """Runs gatekeyctl as the operator would; its endpoint and token file are in the environment."""
    print(f"    $ gatekeyctl {' '.join(words)}", flush=True)
    done = subprocess.run([ENV["GATEKEYCTL"], *words], check=True, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        show(line)


def wait_until(what, probe):
    """Polls with the client itself: what a customer sees is what counts."""
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE_S:
        if probe():
            return time.monotonic() - begun
        time.sleep(0.1)
    sys.exit(f"tour: waited {PATIENCE_S} s in vain for {what}")


def at_rest(needles):
    """Which of the needles stand anywhere in the gateway's state directory."""
    found = set()
    for path in pathlib.Path(ENV["GATEWAY_STATE"]).rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found.update(needle for needle in needles if needle in content)
    return found


def vault_client():
    # The SDK finds our certificate authority through REQUESTS_CA_BUNDLE.
    credential = ClientSecretCredential(
        ENV["VAULT_TENANT_ID"], ENV["VAULT_CLIENT_ID"], ENV["VAULT_CLIENT_SECRET"],
        authority=ENV["VAULT_AUTHORITY"], disable_instance_discovery=True)
    return KeyClient(ENV["VAULT_URI"], credential, verify_challenge_resource=False)


def main():
    account, key_name, file_name = ENV["ACCOUNT"], ENV["VAULT_KEY_NAME"], ENV["TOUR_FILE"]
    content = pathlib.Path(file_name).read_bytes()
    needles = [content[:48], content[len(content) // 2:][:48], b"tour-canary-4711"]

    vault = vault_client()
    # One attempt for each request: the tour wants to see a 403 as it comes.
    service = BlobServiceClient.from_connection_string(ENV["CONNECTION_STRING"], retry_total=0)
    container = service.get_container_client("tour")
    blob = container.get_blob_client(pathlib.Path(file_name).name)

    tell(f"1. The account {account!r} stands under the customer's key {key_name!r}")
    ctl("key", "status", account)

    tell(f"2. The customer stores {file_name} with the vendor's Blob SDK, and reads it back")
    container.create_container()
    blob.upload_blob(content, metadata={"owner": "tour-canary-4711"})
    expect(blob.download_blob().readall() == content, "what came back differs")
    show(f"{len(content)} bytes stored and read back, byte for byte")

    tell("3. Neither its bytes nor its metadata are anywhere at rest")
    found = at_rest(needles)
    expect(not found, f"found at rest: {found}")
    files = sum(1 for path in pathlib.Path(ENV["GATEWAY_STATE"]).rglob("*") if path.is_file())
    show(f"searched {files} files of the gateway's state: nothing")

    tell("4. The customer rotates the key; the gateway wraps the root key anew, no data is touched")
    before = vault.get_key(key_name).properties.version
    vault.rotate_key(key_name)
    after = vault.get_key(key_name).properties.version
    expect(before != after, "the vault did not rotate")
    ctl("key", "check", account)
    expect(blob.download_blob().readall() == content, "unreadable after the rotation")
    show(f"{before} -> {after}; the file reads as before")

    tell("5. The customer disables the key: the data goes dark for everyone")
    versions = [item.version for item in vault.list_properties_of_key_versions(key_name)]
    for version in versions:
        vault.update_key_properties(key_name, version, enabled=False)

    def dark():
        try:
            blob.download_blob().readall()
            return False
        except HttpResponseError as error:
            expect(error.status_code == 403, f"status {error.status_code}")
            expect(error.error_code == DARK, f"code {error.error_code}")
            return True
    seconds = wait_until("the 403", dark)
    show(f"Get Blob: 403 {DARK}, {seconds:.1f} s after the key was disabled")
    names = [item.name for item in container.list_blobs()]
    show(f"List Blobs goes on, as documented: {names}")
    ctl("key", "status", account, "--no-fail")

    tell("6. The customer enables it again: everything is back, nothing was restarted")
    for version in versions:
        vault.update_key_properties(key_name, version, enabled=True)

    def light():
        try:
            return blob.download_blob().readall() == content
        except HttpResponseError as error:
            expect(error.status_code == 403, f"status {error.status_code}")
            return False
    seconds = wait_until("the file's return", light)
    show(f"the file reads again, {seconds:.1f} s after the key was enabled")


if __name__ == "__main__":
    main()
