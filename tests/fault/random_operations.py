# SPDX-License-Identifier: Apache-2.0
"""One account of a gateway beside its model (reference.py): a random operation at a time is sent, and its answer
judged by what the model says. Sometimes two writes of one blob are under way at once; then the answers and what
is there afterwards are those of one order or of the other.

A walk is decided by its seed alone: which operations follow each other does not depend on times.
"""
import base64
import collections
import copy
import pathlib
import re
import urllib.parse

import reference
from blob_client import Client, block_id, meta
from gateway_process import account_sas
from reference import APPEND, BLOCK, FOLLOWS, PAGE, PAGES, Blob, State, Wrong, expect

TABLE = pathlib.Path(__file__).resolve().parent.parent.parent / "include" / "gatekey" / "operations.def"
CONTAINER = "blobs"
NAMES = ["a", "a!", "b", "dir/b", "ü", "z"]
SIZES = [0, 1, 900, 900, 900, 4096, 4097, 66000]
PAGE_BLOB_PAGES = [8, 16, 40]
BLOCKS = [b"%04d" % number for number in range(60)]
LEASES = ["11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"]
REPEATS = 100  # of a request that is answered 503
STATES_MAX = 10  # of one blob: more are removed, so that listings stay short
UNCOMMITTED = ("name", "time", "kind", "deleted", "length", "type")
ETAG = '"0x0"'  # of no blob

# One request: row is its operation's in operations.def, judge(blob, answer) what the model makes of the answer.
Operation = collections.namedtuple("Operation", "row name method query headers body judge")


def rows_that_need_the_key():
    """As tests/e2e/lib/operations.mjs has it; IF_METADATA is told by what a request's row is called here."""
    row = re.compile(r"^GK_OPERATION\(BLOB_(\w+), BLOB, .*?, (?:READ|WRITE|DELETE), (DENY|PROCEED), (\w+),", re.M)
    return {name for name, revoked, key in row.findall(TABLE.read_text())
            if revoked == "DENY" or key in ("DATA", "METADATA")} | {"PUT_BLOCK_LIST_WITH_METADATA"}


NEEDS_KEY = rows_that_need_the_key()


def at(time, kind="snapshot"):
    return f"{'versionid' if kind == 'version' else 'snapshot'}={urllib.parse.quote(time)}"


class Account:
    """versioned: versions are on. dark: its key is taken away. reencrypted: its data are encrypted anew meanwhile. The
    gateway may be started anew between two operations: connect()."""

    def __init__(self, name, key, rng, versioned, reencrypted):
        self.name, self.key, self.rng, self.versioned, self.reencrypted = name, key, rng, versioned, reencrypted
        self.keeping, self.dark = False, False
        self.blobs = {blob: Blob(self) for blob in NAMES}
        self.counts = collections.Counter()
        self.trails = {blob: collections.deque(maxlen=8) for blob in NAMES}  # what was done last, for people
        self.client = self.other = None

    def connect(self, port):
        if self.client:
            self.client.close()
            self.other.close()
        self.port, self.sas = port, account_sas(self.name, self.key)
        self.client, self.other = (Client(port, self.name, self.sas) for _ in range(2))

    def begin(self):
        expect(self.client.create_container(CONTAINER), 201)

    # --- sending and judging -----------------------------------------------------------------------

    def act(self):
        """One step: an operation, or two at once. Mostly on a blob of the kind that it is for."""
        name = self.rng.choice(NAMES)
        if len(self.blobs[name].past) > STATES_MAX:
            self.forget(name)
        elif self.rng.random() < 0.03 and not self.dark and not self.blobs[name].lease:
            self.race(name)
        else:
            make = self.rng.choices(self.makers, self.weights)[0]
            suits = [other for other, blob in self.blobs.items()
                     if blob.live and blob.live.kind == FOR_KIND.get(make) and not blob.live.follows]
            if suits and self.rng.random() < 0.85:
                name = self.rng.choice(suits)
            operation = make(self, name, self.blobs[name])
            if operation:
                self.do(operation)

    def send(self, operation):
        """Again, as SDKs do, when the blob was encrypted anew in the middle of it."""
        for _ in range(REPEATS if self.reencrypted else 1):
            answer = self.client.request(operation.method, f"{CONTAINER}/{operation.name}", operation.query,
                                         operation.headers, operation.body)
            if answer.status != 503:
                break
        return answer

    def do(self, operation):
        answer = self.send(operation)
        self.counts[f"{operation.row} {answer.status}"] += 1
        self.trails[operation.name].append(
            f"{operation.method} {operation.query} {self._shown(operation.headers)} {len(operation.body)} bytes: "
            f"{answer.status} {answer.code}")
        try:
            if self.dark and operation.row in NEEDS_KEY:
                expect(answer, 403, "" if operation.method == "HEAD" else reference.REFUSED[1])
            else:
                operation.judge(self.blobs[operation.name], answer)
        except Wrong as wrong:
            raise Wrong(f"{self.name}: {operation.name}: {wrong}; after\n  " +
                        "\n  ".join(self.trails[operation.name])) from wrong

    def _shown(self, headers):
        return {name: value.replace(self.sas, "") for name, value in headers.items()}

    def race(self, name):
        """Two writes at once. Each order gives a state, if its answers can be those; what is there then tells."""
        blob = self.blobs[name]
        pair = [self.rng.choice(RACERS)(self, name, blob) for _ in range(2)]
        path = f"{CONTAINER}/{name}"
        for client, operation in zip((self.client, self.other), pair):
            client.begin(operation.method, path, operation.query, operation.headers, operation.body)
        answers = [client.finish(operation.method) for client, operation in zip((self.client, self.other), pair)]
        self.counts["two at once"] += 2
        self.trails[name].extend(f"at once: {operation.method} {operation.query} {operation.headers} "
                                 f"{len(operation.body)} bytes: {answer.status} {answer.code}"
                                 for operation, answer in zip(pair, answers))
        # Who comes second may be told to come again: it has done nothing.
        there = [index for index, answer in enumerate(answers) if (answer.status, answer.code) != (503, "ServerBusy")]
        reasons = []
        for order in (there, there[::-1]):
            candidate = copy.deepcopy(blob)
            try:
                for index in order:
                    pair[index].judge(candidate, answers[index])
                self.compare(name, candidate)
                self.blobs[name] = candidate
                return
            except Wrong as wrong:
                reasons.append(str(wrong))
        raise Wrong(f"{self.name}: {name}: two at once: neither the first before the second ({reasons[0]}) nor the "
                    f"second before the first ({reasons[1]}); after\n  " + "\n  ".join(self.trails[name]))

    # --- what a request carries --------------------------------------------------------------------

    def bytes(self):
        return self.rng.randbytes(self.rng.choice(SIZES))

    def metadata(self):
        return {"mark": str(self.rng.randrange(1000))} if self.rng.random() < 0.5 else {}

    def lease_for(self, blob):
        """Mostly the right one."""
        return blob.lease if self.rng.random() < 0.95 else self.rng.choice([None, *LEASES])

    def match_for(self, blob):
        """Mostly no condition, else mostly one that holds."""
        if self.rng.random() < 0.85 or not blob.live:
            return None
        return blob.live.etag if self.rng.random() < 0.8 else ETAG

    def state_of(self, blob):
        """One of those that are not deleted, if there is any, as (time, query)."""
        states = blob.shown("snapshot") + blob.shown("version")
        if not states or any(past.time is None for past in states):
            return None, ""
        past = self.rng.choice(states)
        return past.time, at(past.time, past.kind)

    @staticmethod
    def headers(lease=None, match=None, **more):
        found = {name.replace("_", "-"): value for name, value in more.items() if value is not None}
        if lease:
            found["x-ms-lease-id"] = lease
        if match:
            found["If-Match"] = match
        return found

    # --- operations on what is there ---------------------------------------------------------------

    def put(self, name, blob):
        kind = self.rng.choice([BLOCK, BLOCK, BLOCK, APPEND] + [PAGES])
        lease, metadata, content = self.lease_for(blob), self.metadata(), b""
        none_match = self.rng.random() < 0.1
        content_type = self.rng.choice([None, "text/x-one"])
        tags = {"of": str(self.rng.randrange(9))} if self.rng.random() < 0.2 else {}
        headers = self.headers(lease, x_ms_blob_type=kind, x_ms_blob_content_type=content_type,
                               x_ms_tags=urllib.parse.urlencode(tags) or None, **{
                                   "If-None-Match": "*" if none_match else None}) | meta(metadata)
        state = State(kind, metadata=metadata, content_type=content_type or reference.DEFAULT_TYPE, tags=tags)
        if kind == BLOCK:
            content = self.bytes()
            state.pieces, state.md5 = [(None, content)], reference.md5_of(content)
        elif kind == PAGES:
            size = PAGE * self.rng.choice(PAGE_BLOB_PAGES)
            headers["x-ms-blob-content-length"] = str(size)
            state.pages = bytearray(size)
        return Operation(f"PUT_BLOB_{kind.upper()}", name, "PUT", "", headers, content,
                         lambda b, answer: b.put(answer, state, lease, none_match))

    def put_block(self, name, blob):
        block, content, lease = self.rng.choice(BLOCKS[:8]), self.rng.randbytes(self.rng.choice(SIZES[1:])), \
            self.lease_for(blob)
        return Operation("PUT_BLOCK", name, "PUT", f"comp=block&blockid={block_id(block)}", self.headers(lease),
                         content, lambda b, answer: b.put_block(answer, block, content, lease))

    def put_block_list(self, name, blob):
        known = {block: None for block, _ in (blob.live.pieces if blob.live else []) if block is not None} | \
            dict.fromkeys(blob.staged)
        chosen = [block for block in known if self.rng.random() < 0.8]
        if self.rng.random() < 0.1 and not (blob.live and not blob.live.blocks_known):
            chosen.append(self.rng.choice(BLOCKS))
        lease, metadata = self.lease_for(blob), self.metadata()
        content_type = self.rng.choice([None, "text/x-list"])
        items = "".join(f"<Latest>{base64.b64encode(block).decode()}</Latest>" for block in chosen)
        return Operation("PUT_BLOCK_LIST_WITH_METADATA" if metadata else "PUT_BLOCK_LIST", name, "PUT",
                         "comp=blocklist", self.headers(lease, x_ms_blob_content_type=content_type) | meta(metadata),
                         f"<BlockList>{items}</BlockList>".encode(),
                         lambda b, answer: b.put_block_list(answer, chosen, metadata, content_type, lease))

    def many_blocks(self, name, blob):
        """A list that does not fit into the record."""
        if self.dark or (blob.live and blob.live.kind != BLOCK) or blob.lease:
            return None
        for block in BLOCKS:
            content = self.rng.randbytes(self.rng.randrange(1, 300))
            self.do(Operation("PUT_BLOCK", name, "PUT", f"comp=block&blockid={block_id(block)}", {}, content,
                              lambda b, answer, block=block, content=content: b.put_block(answer, block, content)))
        return self.put_block_list(name, blob)

    def append(self, name, blob):
        content, lease, position = self.rng.randbytes(self.rng.choice(SIZES[1:])), self.lease_for(blob), None
        if self.rng.random() < 0.2 and blob.live:
            position = blob.live.size + self.rng.choice([0, 0, 0, 1])
        headers = self.headers(lease, x_ms_blob_condition_appendpos=None if position is None else str(position))
        return Operation("APPEND_BLOCK", name, "PUT", "comp=appendblock", headers, content,
                         lambda b, answer: b.append(answer, content, lease, position))

    def seal(self, name, blob):
        lease = self.lease_for(blob)
        return Operation("APPEND_BLOB_SEAL", name, "PUT", "comp=seal", self.headers(lease), b"",
                         lambda b, answer: b.seal(answer, lease))

    def put_page(self, name, blob):
        lease, match, clear = self.lease_for(blob), self.match_for(blob), self.rng.random() < 0.3
        first, count = PAGE * self.rng.randrange(12), PAGE * self.rng.choice([1, 1, 2, 8, 9])
        content = count if clear else self.rng.randbytes(count)
        headers = self.headers(lease, match, x_ms_page_write="clear" if clear else "update",
                               x_ms_range=f"bytes={first}-{first + count - 1}")
        return Operation("PUT_PAGE_CLEAR" if clear else "PUT_PAGE_UPDATE", name, "PUT", "comp=page", headers,
                         b"" if clear else content, lambda b, answer: b.put_page(answer, first, content, lease, match))

    def resize(self, name, blob):
        size, lease = PAGE * self.rng.choice(PAGE_BLOB_PAGES), self.lease_for(blob)
        return Operation("SET_BLOB_PROPERTIES", name, "PUT", "comp=properties",
                         self.headers(lease, x_ms_blob_content_length=str(size)), b"",
                         lambda b, answer: b.resize(answer, size, lease))

    def number(self, name, blob):
        action, lease = self.rng.choice(["max", "update", "increment"]), self.lease_for(blob)
        value = None if action == "increment" else self.rng.randrange(100)
        return Operation("SET_BLOB_PROPERTIES", name, "PUT", "comp=properties",
                         self.headers(lease, x_ms_sequence_number_action=action,
                                      x_ms_blob_sequence_number=None if value is None else str(value)), b"",
                         lambda b, answer: b.number(answer, action, value, lease))

    def set_metadata(self, name, blob):
        lease, match, metadata = self.lease_for(blob), self.match_for(blob), self.metadata()
        return Operation("SET_BLOB_METADATA", name, "PUT", "comp=metadata",
                         self.headers(lease, match) | meta(metadata), b"",
                         lambda b, answer: b.set_metadata(answer, metadata, lease, match))

    def set_properties(self, name, blob):
        lease, match, content_type = self.lease_for(blob), self.match_for(blob), f"text/x-{self.rng.randrange(9)}"
        return Operation("SET_BLOB_PROPERTIES", name, "PUT", "comp=properties",
                         self.headers(lease, match, x_ms_blob_content_type=content_type), b"",
                         lambda b, answer: b.set_properties(answer, content_type, lease, match))

    def set_tags(self, name, blob):
        lease, tags = self.lease_for(blob), {f"k{number}": str(self.rng.randrange(9))
                                             for number in range(self.rng.randrange(3))}
        body = "".join(f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>" for key, value in tags.items())
        return Operation("SET_BLOB_TAGS", name, "PUT", "comp=tags", self.headers(lease),
                         f"<Tags><TagSet>{body}</TagSet></Tags>".encode(),
                         lambda b, answer: b.set_tags(answer, tags, lease))

    def set_tier(self, name, blob):
        tier, lease = self.rng.choice(["Hot", "Cool", "Cold"]), self.lease_for(blob)
        return Operation("SET_BLOB_TIER", name, "PUT", "comp=tier", self.headers(lease, x_ms_access_tier=tier), b"",
                         lambda b, answer: b.set_tier(answer, tier, lease))

    # --- copies ------------------------------------------------------------------------------------

    def copy(self, name, blob):
        """Of a blob, or a state of one, as it is now; onto itself, too."""
        source = self.rng.choice(NAMES)
        of = self.blobs[source]
        time, query = self.state_of(of) if self.rng.random() < 0.5 else (None, "")
        state = of.state_at(time)
        if state is None:
            return None
        row = self.rng.choice(["COPY_BLOB"] + (["COPY_BLOB_FROM_URL"] if state.kind == BLOCK else []) +
                              ["PUT_BLOB_FROM_URL"])
        lease, metadata = self.lease_for(blob), self.metadata()
        headers = self.headers(lease, x_ms_copy_source=self.url(source, query)) | meta(metadata)
        if row == "COPY_BLOB_FROM_URL":
            headers["x-ms-requires-sync"] = "true"
        if of.hides(time):
            return Operation(row, name, "PUT", "", headers, b"", lambda b, answer: expect(answer, *FOLLOWS))
        made, status = state.copy_of(), 202
        if row == "PUT_BLOB_FROM_URL":
            headers["x-ms-blob-type"], status = BLOCK, 201
            made = State(BLOCK, [(None, state.content)], {}, state.content_type, md5=reference.md5_of(state.content))
        if metadata or row == "PUT_BLOB_FROM_URL":
            made.metadata = metadata
        return Operation(row, name, "PUT", "", headers, b"",
                         lambda b, answer: b.put(answer, made, lease, status=status))

    def follow(self, _name, _blob):
        """An incremental copy, mostly of a page blob's snapshot to what follows that, or to a name that is free."""
        source = self.rng.choice([name for name, blob in self.blobs.items() if blob.live and blob.live.kind == PAGES] or
                                 NAMES)
        of = self.blobs[source]
        time, query = self.state_of(of)
        state = of.state_at(time)
        if state is None:
            return None
        suits = [name for name, blob in self.blobs.items() if blob.live is None or blob.live.follows is state.made_by]
        name = self.rng.choice(suits if suits and self.rng.random() < 0.9 else NAMES)
        lease = self.lease_for(self.blobs[name])
        headers = self.headers(lease, x_ms_copy_source=self.url(source, query))

        def judge(blob, answer):
            if of.hides(time):
                expect(answer, *FOLLOWS)
            elif time is None or of.find(time) is None or of.find(time).kind != "snapshot":
                expect(answer, 409, "IncrementalCopySourceMustBeSnapshot")
            elif state.kind != PAGES:
                expect(answer, 409, "InvalidBlobType")
            elif blob.follow(answer, state, time, lease):
                told = self.client.request("HEAD", f"{CONTAINER}/{name}").headers
                blob.past[-1].time = told.get("x-ms-copy-destination-snapshot")
        return Operation("INCREMENTAL_COPY_BLOB", name, "PUT", "comp=incrementalcopy", headers, b"", judge)

    def url(self, name, query=""):
        return f"http://127.0.0.1:{self.port}/{self.name}/{CONTAINER}/{urllib.parse.quote(name)}?" \
            f"{query}{'&' if query else ''}{self.sas}"

    def block_from_url(self, name, blob):
        source = self.rng.choice(NAMES)
        state = self.blobs[source].live
        if state is None or state.size < 2 or state.follows:
            return None
        first = self.rng.randrange(state.size)
        last = min(first + self.rng.choice(SIZES[1:]), state.size) - 1
        if last < first:
            return None
        content, lease, block = state.content[first:last + 1], self.lease_for(blob), self.rng.choice(BLOCKS[:8])
        headers = self.headers(lease, x_ms_copy_source=self.url(source), x_ms_source_range=f"bytes={first}-{last}")
        if blob.live and blob.live.kind == APPEND:
            return Operation("APPEND_BLOCK_FROM_URL", name, "PUT", "comp=appendblock", headers, b"",
                             lambda b, answer: b.append(answer, content, lease))
        return Operation("PUT_BLOCK_FROM_URL", name, "PUT", f"comp=block&blockid={block_id(block)}", headers, b"",
                         lambda b, answer: b.put_block(answer, block, content, lease))

    # --- leases, snapshots, versions, deletes ------------------------------------------------------

    def lease(self, name, blob):
        lease = self.rng.choice(LEASES)
        if blob.lease:
            lease = blob.lease if self.rng.random() < 0.8 else lease
            return Operation("LEASE_BLOB_RELEASE", name, "PUT", "comp=lease",
                             self.headers(lease, x_ms_lease_action="release"), b"",
                             lambda b, answer: b.release(answer, lease))
        return Operation("LEASE_BLOB_ACQUIRE", name, "PUT", "comp=lease",
                         self.headers(x_ms_lease_action="acquire", x_ms_lease_duration="-1",
                                      x_ms_proposed_lease_id=lease), b"",
                         lambda b, answer: b.acquire(answer, lease))

    def snapshot(self, name, blob):
        metadata = self.metadata()
        return Operation("SNAPSHOT_BLOB_WITH_METADATA" if metadata else "SNAPSHOT_BLOB", name, "PUT", "comp=snapshot",
                         meta(metadata), b"", lambda b, answer: b.snapshot(answer, metadata))

    def delete(self, name, blob):
        snapshots, lease = self.rng.choice(["", "include", "include", "only"]), self.lease_for(blob)
        return Operation("DELETE_BLOB", name, "DELETE", "",
                         self.headers(lease, x_ms_delete_snapshots=snapshots or None), b"",
                         lambda b, answer: b.delete(answer, snapshots, lease))

    def delete_past(self, name, blob):
        time, query = self.state_of(blob)
        return time and Operation("DELETE_BLOB", name, "DELETE", query, {}, b"",
                                  lambda b, answer: b.delete_past(answer, time))

    def delete_for_good(self, name, blob):
        self.learn(name)
        if not blob.past:
            return None
        past = self.rng.choice(blob.past)
        return Operation("DELETE_BLOB", name, "DELETE", f"deletetype=permanent&{at(past.time, past.kind)}", {}, b"",
                         lambda b, answer: b.delete_for_good(answer, past.time))

    def undelete(self, name, _blob):
        def judge(blob, answer):
            blob.undelete(answer)
            self.learn(name)

        return Operation("UNDELETE_BLOB", name, "PUT", "comp=undelete", {}, b"", judge)

    def forget(self, name):
        """Most of what a blob was goes, for good where it would be kept."""
        if self.keeping:
            self.keep(name, None)
        self.learn(name)
        blob = self.blobs[name]
        for past in [past for past in blob.past if not past.deleted][:-2]:
            self.do(Operation("DELETE_BLOB", name, "DELETE", at(past.time, past.kind), {}, b"",
                              lambda b, answer, time=past.time: b.delete_past(answer, time)))
        if any(past.deleted for past in blob.past):
            self.keep(name, None)
            for past in [past for past in blob.past if past.deleted]:
                self.do(Operation("DELETE_BLOB", name, "DELETE",
                                  f"deletetype=permanent&{at(past.time, past.kind)}", {}, b"",
                                  lambda b, answer, time=past.time: b.delete_for_good(answer, time)))

    def keep(self, _name, _blob):
        """Begins or ends to keep what is deleted."""
        self.keeping = not self.keeping
        policy = "<Enabled>true</Enabled><Days>7</Days><AllowPermanentDelete>true</AllowPermanentDelete>" \
            if self.keeping else "<Enabled>false</Enabled>"
        body = f"""<StorageServiceProperties><DeleteRetentionPolicy>{policy}</DeleteRetentionPolicy>
</StorageServiceProperties>"""
        expect(self.client.request("PUT", "", "restype=service&comp=properties", {}, body.encode()), 202)
        self.counts["SET_BLOB_SERVICE_PROPERTIES 202"] += 1

    # --- reads -------------------------------------------------------------------------------------

    def read(self, name, blob):
        time, query = self.state_of(blob) if self.rng.random() < 0.4 else (None, "")
        if self.rng.random() < 0.5:
            return Operation("GET_BLOB", name, "GET", query, {}, b"", lambda b, answer: b.read(answer, time))
        first = self.rng.choice([0, 1, 500, 5000, 65536])
        last = first + self.rng.choice([0, 1, 511, 4000])
        return Operation("GET_BLOB", name, "GET", query, {"x-ms-range": f"bytes={first}-{last}"}, b"",
                         lambda b, answer: b.read(answer, time, first, last))

    def properties(self, name, blob):
        time, query = self.state_of(blob) if self.rng.random() < 0.3 else (None, "")
        return Operation("GET_BLOB_PROPERTIES", name, "HEAD", query, {}, b"",
                         lambda b, answer: b.properties(answer, time))

    def tags(self, name, blob):
        time, query = self.state_of(blob) if self.rng.random() < 0.3 else (None, "")
        return Operation("GET_BLOB_TAGS", name, "GET", f"comp=tags&{query}", {}, b"",
                         lambda b, answer: b.tags(answer, time))

    def block_list(self, name, _blob):
        return Operation("GET_BLOCK_LIST", name, "GET", "comp=blocklist&blocklisttype=all", {}, b"",
                         lambda b, answer: b.block_list(answer))

    def page_ranges(self, name, blob):
        """Those there are, or those that have changed since a snapshot."""
        time, query = self.state_of(blob) if self.rng.random() < 0.3 else (None, "")
        before = self.rng.choice([past.time for past in blob.shown("snapshot")] + [None])
        if before and time and blob.find(time).kind == "version":
            time, query = None, ""  # its time says nothing of when the snapshot was made
        if before:
            query += f"&prevsnapshot={urllib.parse.quote(before)}"
        return Operation("GET_PAGE_RANGES", name, "GET", f"comp=pagelist&{query}", {}, b"",
                         lambda b, answer: b.page_ranges(answer, time, before))

    def list(self, _name, _blob):
        """All of it, in pages."""
        for name in NAMES:
            self.learn(name)
        wanted = [row for name in sorted(NAMES, key=str.encode) for row in self.blobs[name].rows(name)]
        found = self.listed("", self.rng.choice([1, 3, 5000]))
        # Of one whose blocks wait for a first commit, only that it is there.
        uncommitted = {name for name, blob in self.blobs.items() if blob.base is None}
        found = [{field: row[field] for field in UNCOMMITTED} if row["name"] in uncommitted and row["kind"] == "base"
                 else row for row in found]
        if self.dark:
            wanted = [{field: value for field, value in row.items() if field != "metadata"} for row in wanted]
        if found != wanted:
            raise Wrong(f"{self.name}: a listing has {[row for row in found if row not in wanted]}, not "
                        f"{[row for row in wanted if row not in found]}")

    def learn(self, name):
        self.blobs[name].learn([row for row in self.listed(name, 5000)
                                if row["name"] == name and row["kind"] != "base"])

    def listed(self, prefix, page):
        """With metadata, unless it is dark."""
        include = "snapshots,versions,deleted,uncommittedblobs,tags" + ("" if self.dark else ",metadata")
        rows, marker = [], ""
        while True:
            answer = expect(self.client.list_blobs(
                CONTAINER, f"&include={include}&prefix={urllib.parse.quote(prefix)}&maxresults={page}"
                           f"&marker={marker}"), 200)
            self.counts[f"LIST_BLOBS{'' if self.dark else '_WITH_METADATA'} 200"] += 1
            text = answer.body.decode()
            rows += [self._row(item) for item in re.findall(r"<Blob>(.*?)</Blob>", text, re.DOTALL)]
            found = re.search(r"<NextMarker>(.+?)</NextMarker>", text)
            if not found:
                return rows
            marker = urllib.parse.quote(found.group(1))

    def _row(self, item):
        def one(name):
            found = re.search(f"<{name}>(.*?)</{name}>", item)
            return found.group(1) if found else ""

        snapshot, version = one("Snapshot"), one("VersionId")
        row = {"name": one("Name"), "time": snapshot or version,
               "kind": "snapshot" if snapshot else "version" if version else "base",
               "deleted": one("Deleted") == "true", "length": int(one("Content-Length")), "type": one("BlobType")}
        if one("Etag"):
            row |= {"etag": f'"{one("Etag")}"', "content type": one("Content-Type"),
                    "tags": dict(re.findall(r"<Tag><Key>(.*?)</Key><Value>(.*?)</Value></Tag>", item))}
            if not self.dark:
                row["metadata"] = dict(re.findall(r"<(\w+)>(.*?)</\1>", one("Metadata")))
        return row

    # --- comparing ---------------------------------------------------------------------------------

    def compare(self, name, blob):
        """Everything that can be read of a blob with the model of it."""
        path = f"{CONTAINER}/{name}"
        blob.learn([row for row in self.listed(name, 5000) if row["name"] == name and row["kind"] != "base"])
        blob.properties(self.client.request("HEAD", path))
        blob.read(self.client.request("GET", path))
        blob.block_list(self.client.block_list(path))
        blob.page_ranges(self.client.request("GET", path, "comp=pagelist"))
        for past in blob.past:
            blob.read(self.client.request("GET", path, at(past.time, past.kind)), past.time)

    def compare_all(self):
        for name, blob in self.blobs.items():
            self.compare(name, blob)
        self.list(None, None)

    weighted = [(put, 10), (put_block, 8), (put_block_list, 6), (many_blocks, 0.15), (append, 8), (seal, 1),
                (put_page, 10), (resize, 2), (number, 2), (set_metadata, 5), (set_properties, 3), (set_tags, 3),
                (set_tier, 2), (copy, 8), (follow, 5), (block_from_url, 4), (lease, 4), (snapshot, 7), (delete, 4),
                (delete_past, 3), (delete_for_good, 0.5), (undelete, 1.5), (keep, 0.3), (read, 22), (properties, 12),
                (tags, 4), (block_list, 3), (page_ranges, 5), (list, 1)]
    makers = [make for make, _ in weighted]
    weights = [weight for _, weight in weighted]


FOR_KIND = {Account.append: APPEND, Account.seal: APPEND, Account.put_page: PAGES, Account.resize: PAGES,
            Account.number: PAGES, Account.page_ranges: PAGES, Account.set_tier: BLOCK}
# What two clients may do to one blob at once.
RACERS = [Account.put, Account.append, Account.put_page, Account.set_metadata, Account.set_properties,
          Account.delete, Account.put_block_list]
