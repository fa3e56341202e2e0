# SPDX-License-Identifier: Apache-2.0
"""What an account's blobs are, as simply as it can be said: the model that a gateway's answers are compared
with (walk.py). Each method of Blob that changes it takes the answer to one request and the request's lease:
it raises Wrong if the answer is not the one that the blob's state asks for, and then becomes what the blob
is afterwards. What only the gateway can know, times and ETags, is taken from the answer, and held to from then
on.

Not modelled: times of modification, leases that run out, policies and holds, archived blobs.
"""
import base64
import copy
import hashlib
import itertools
import re

PAGE = 512
BLOCK, APPEND, PAGES = "BlockBlob", "AppendBlob", "PageBlob"
WRITES = itertools.count()
OPEN = object()  # what the gateway may tell or not
DEFAULT_TYPE = "application/octet-stream"
REFUSED = (403, "KeyVaultEncryptionKeyNotFound")
FOLLOWS = (409, "OperationNotAllowedOnIncrementalCopyBlob")  # what no client does to an incremental copy


class Wrong(Exception):
    """The gateway did not do what the model says."""


def expect(answer, status, code=""):
    if answer.status != status or (code and answer.code != code):
        raise Wrong(f"{status} {code} expected, not {answer.status} {answer.code}")
    return answer


def md5_of(content):
    return base64.b64encode(hashlib.md5(content).digest()).decode()


class State:
    """What a blob is or was at a time. pieces: (block's name or None, bytes) of block and append blobs; a
    page blob has pages, a number of bytes each, and of those that were written the number of the write that was
    the last."""

    def __init__(self, kind, pieces=(), metadata=None, content_type=DEFAULT_TYPE, tags=None, md5=None, size=0):
        self.kind, self.pieces, self.metadata = kind, list(pieces), metadata or {}
        self.content_type, self.tags, self.md5 = content_type, tags or {}, md5
        self.pages, self.written = bytearray(size), {}
        self.made_by = object()  # the same for all states of one page blob
        self.sealed, self.sequence, self.copied, self.tier = False, 0, None, None
        self.blocks_known = True  # a copy's are not: its content is
        self.follows, self.followed_to = None, None  # an incremental copy: of the states of which blob, up to which
        self.etag = None

    @property
    def content(self):
        return bytes(self.pages) if self.kind == PAGES else b"".join(piece for _, piece in self.pieces)

    def copy_of(self):
        """What a copy has of it: content, and what belongs to that."""
        made = State(self.kind, [(None, self.content)], dict(self.metadata), self.content_type, md5=self.md5 or OPEN)
        made.pages, made.written = bytearray(self.pages), dict(self.written)
        made.sealed, made.sequence, made.blocks_known = self.sealed, self.sequence, False
        return made

    @property
    def size(self):
        return len(self.pages) if self.kind == PAGES else sum(len(piece) for _, piece in self.pieces)

    def ranges(self):
        """Of written pages: first and last byte."""
        found = []
        for page in sorted(self.written):
            if found and found[-1][1] == page * PAGE - 1:
                found[-1][1] = page * PAGE + PAGE - 1
            else:
                found.append([page * PAGE, page * PAGE + PAGE - 1])
        return found

    def changes(self, before):
        """Since a state: what was written since, and what was cleared; kind, first and last byte."""
        def kind(page):
            if page in self.written:
                return "PageRange" if self.written[page] != before.written.get(page) else None
            return "ClearRange" if page in before.written else None

        found = []
        for page in range(len(self.pages) // PAGE):
            if found and found[-1][0] == kind(page) and found[-1][2] == page * PAGE - 1:
                found[-1][2] = page * PAGE + PAGE - 1
            elif kind(page):
                found.append([kind(page), page * PAGE, page * PAGE + PAGE - 1])
        return found

    def headers(self):
        """Of Get Blob Properties: those that the model knows, None for one that is not there."""
        block = self.kind == BLOCK
        return {"content-length": str(self.size), "x-ms-blob-type": self.kind, "etag": self.etag,
                "content-type": self.content_type, "content-md5": self.md5,
                "x-ms-tag-count": str(len(self.tags)) if self.tags else None,
                "x-ms-blob-sealed": str(self.sealed).lower() if self.kind == APPEND else None,
                "x-ms-blob-sequence-number": str(self.sequence) if self.kind == PAGES else None,
                "x-ms-incremental-copy": "true" if self.follows else None,
                "x-ms-copy-id": self.copied, "x-ms-access-tier": (self.tier or "Hot") if block else None}

    def __deepcopy__(self, memo):
        made = copy.copy(self)
        made.pieces, made.metadata, made.tags = list(self.pieces), dict(self.metadata), dict(self.tags)
        made.pages, made.written = bytearray(self.pages), dict(self.written)
        return made


class Past:
    """A snapshot, a version, or what was overwritten and is kept; which time that was given, a listing tells."""

    def __init__(self, kind, time, state, deleted=False):
        self.kind, self.time, self.state, self.deleted = kind, time, state, deleted


class Blob:
    """account: keeping (what is deleted), versioned."""

    def __init__(self, account):
        self.account = account
        self.base, self.deleted, self.version = None, False, None
        self.staged = {}
        self.past = []  # in the order of their times
        self.lease = None

    def __deepcopy__(self, memo):
        other = Blob(self.account)
        for name, value in vars(self).items():
            if name != "account":
                setattr(other, name, copy.deepcopy(value, memo))
        return other

    @property
    def live(self):
        return None if self.deleted else self.base

    def shown(self, kind):
        """Its snapshots or versions that are not deleted; a version is not the present one."""
        return [past for past in self.past if past.kind == kind and not past.deleted]

    def find(self, time):
        return next((past for past in self.past if past.time == time), None)

    # --- what may be refused -----------------------------------------------------------------------

    def refuses(self, answer, lease=None, kind=None, match=None, more=()):
        """Whether a write is refused, as one of the things says that are wrong with it."""
        if self.live is None:
            expect(answer, 404, "BlobNotFound")
            return True
        if self._follows(answer):
            return True
        wrong = list(more)
        if kind and self.live.kind != kind:
            wrong.append((409, "InvalidBlobType"))
        wrong += self._lease_wrong(lease)
        if match and match != self.live.etag:
            wrong.append((412, "ConditionNotMet"))
        return self._one_of(answer, wrong)

    def refuses_new(self, answer, lease, none_match, more=()):
        """The same for a write that makes the blob, if need be."""
        if self.live is None:
            return self._one_of(answer, [(412, "LeaseNotPresentWithBlobOperation")] if lease else [])
        if self._follows(answer):
            return True
        wrong = self._lease_wrong(lease) + list(more)
        if none_match:
            wrong.append((409, "BlobAlreadyExists"))
        return self._one_of(answer, wrong)

    def _follows(self, answer):
        if self.live and self.live.follows:
            expect(answer, *FOLLOWS)
            return True
        return False

    def _lease_wrong(self, lease):
        if self.lease and not lease:
            return [(412, "LeaseIdMissing")]
        if lease and not self.lease:
            return [(412, "LeaseNotPresentWithBlobOperation")]
        return [(412, "LeaseIdMismatchWithBlobOperation")] if lease != self.lease else []

    @staticmethod
    def _one_of(answer, wrong):
        if wrong and (answer.status, answer.code) not in wrong:
            raise Wrong(f"one of {wrong} expected, not {answer.status} {answer.code}")
        return bool(wrong)

    # --- writes ------------------------------------------------------------------------------------

    def _note(self, answer, state):
        etag = answer.headers.get("etag")
        if not etag or (self.base and etag == self.base.etag):
            raise Wrong(f"the ETag after a change is {etag}, as before")
        state.etag = etag

    def _keep_version(self, answer):
        """In an account with versions, what is replaced becomes one, and its successor has a new one."""
        if self.account.versioned:
            if self.base:
                self.past.append(Past("version", self.version, self.base))
            self.version = answer.headers.get("x-ms-version-id")
            if not self.version or any(past.time >= self.version for past in self.past):
                raise Wrong(f"version {self.version} after those there are")

    def replace(self, answer, state, status=201):
        expect(answer, status)
        if self.base and not self.account.versioned and (self.deleted or self.account.keeping):
            self.past.append(Past("snapshot", None, self.base, deleted=True))
        self._note(answer, state)
        self._keep_version(answer)
        self.base, self.deleted, self.staged = state, False, {}

    def put(self, answer, made, lease=None, none_match=False, status=201):
        """With status 202 it is a copy, which takes the place of its own kind alone."""
        wrong = [(409, "InvalidBlobType")] if status == 202 and self.live and self.live.kind != made.kind else []
        if not self.refuses_new(answer, lease, none_match, wrong):
            state = copy.deepcopy(made)
            if status == 202:
                state.copied = answer.headers.get("x-ms-copy-id")
            self.replace(answer, state, status)

    def follow(self, answer, source, snapshot, lease=None):
        """An incremental copy of a state, the snapshot of that time. Whether it was made."""
        wrong = []
        if self.live:
            wrong = self._lease_wrong(lease)
            if self.live.follows is not source.made_by:
                wrong.append((409, "IncrementalCopyBlobMismatch"))
            elif snapshot <= self.live.followed_to:
                wrong.append((409, "IncrementalCopyOfEarlierVersionSnapshotNotAllowed"))
        elif lease:
            wrong = [(412, "LeaseNotPresentWithBlobOperation")]
        if self._one_of(answer, wrong):
            return False
        state = source.copy_of()
        state.follows, state.followed_to, state.copied = source.made_by, snapshot, answer.headers.get("x-ms-copy-id")
        if self.live:
            expect(answer, 202)
            state.made_by = self.live.made_by
            self._note(answer, state)
            self.base = state
        else:
            self.replace(answer, state, 202)
        self.past.append(Past("snapshot", None, copy.deepcopy(state)))
        return True

    def put_block(self, answer, block, content, lease=None):
        if self._follows(answer):
            return
        wrong = self._lease_wrong(lease) if self.live or lease else []
        if self.live and self.live.kind != BLOCK:
            wrong.append((409, "InvalidBlobType"))
        if not self._one_of(answer, wrong):
            expect(answer, 201)
            self.staged[block] = content

    def put_block_list(self, answer, blocks, metadata, content_type, lease=None):
        if self.live and self.live.kind != BLOCK:
            return self.refuses(answer, lease, BLOCK)
        if self.account.dark and not blocks and self.base is None and not self.staged:
            return expect(answer, *REFUSED)  # what is made of nothing needs a data key
        if self.refuses_new(answer, lease, False):
            return None
        known = {block: content for block, content in (self.live.pieces if self.live else []) if block is not None}
        known.update(self.staged)
        if any(block not in known for block in blocks):
            return expect(answer, 400, "InvalidBlockList")
        pieces = [(block, known[block]) for block in blocks]
        return self.replace(answer, State(BLOCK, pieces, metadata, content_type or DEFAULT_TYPE))

    def append(self, answer, content, lease=None, position=None):
        sealed = self.live and self.live.sealed
        more = [(409, "BlobIsSealed")] if sealed else []
        if self.live and position is not None and position != self.live.size:
            more.append((412, "AppendPositionConditionNotMet"))
        if not self.refuses(answer, lease, APPEND, more=more):
            expect(answer, 201)
            if int(answer.headers["x-ms-blob-append-offset"]) != self.live.size:
                raise Wrong("the append went elsewhere")
            self._note(answer, self.live)
            self.live.pieces.append((None, content))

    def seal(self, answer, lease=None):
        if not self.refuses(answer, lease, APPEND):
            expect(answer, 200)
            self.live.sealed = True
            self.live.etag = answer.headers["etag"]

    def put_page(self, answer, first, content, lease=None, match=None):
        """content: bytes, or how many are cleared."""
        length = content if isinstance(content, int) else len(content)
        outside = self.live and self.live.kind == PAGES and first + length > self.live.size
        if self.refuses(answer, lease, PAGES, match, [(416, "InvalidPageRange")] if outside else []):
            return
        expect(answer, 201)
        self._note(answer, self.live)
        pages = range(first // PAGE, (first + length) // PAGE)
        if isinstance(content, int):
            self.live.pages[first:first + length] = bytes(length)
            for page in pages:
                self.live.written.pop(page, None)
        else:
            self.live.pages[first:first + length] = content
            self.live.written.update((page, next(WRITES)) for page in pages)

    def resize(self, answer, size, lease=None):
        if not self.refuses(answer, lease, PAGES):
            expect(answer, 200)
            state = self.live
            self._note(answer, state)
            state.pages = state.pages[:size] + bytearray(max(0, size - len(state.pages)))
            state.written = {page: write for page, write in state.written.items() if page < size // PAGE}

    def number(self, answer, action, value, lease=None):
        if not self.refuses(answer, lease, PAGES):
            expect(answer, 200)
            state = self.live
            self._note(answer, state)
            state.sequence = {"increment": state.sequence + 1, "update": value,
                              "max": max(state.sequence, value or 0)}[action]

    def set_metadata(self, answer, metadata, lease=None, match=None):
        if not self.refuses(answer, lease, match=match):
            expect(answer, 200)
            now = copy.deepcopy(self.base)
            now.metadata = metadata
            self._note(answer, now)
            self._keep_version(answer)
            self.base = now

    def set_properties(self, answer, content_type, lease=None, match=None):
        if not self.refuses(answer, lease, match=match):
            expect(answer, 200)
            self._note(answer, self.live)
            self.live.content_type, self.live.md5, self.live.copied = content_type, None, None

    def set_tags(self, answer, tags, lease=None):
        if not self.refuses(answer, lease):
            expect(answer, 204)
            self.live.tags = tags

    def set_tier(self, answer, tier, lease=None):
        wrong = [(400, "InvalidBlobTier"), (409, "InvalidBlobType")] if self.live and self.live.kind != BLOCK else []
        if not self.refuses(answer, lease, more=wrong):
            expect(answer, 200)
            self.live.tier = tier

    # --- leases ------------------------------------------------------------------------------------

    def acquire(self, answer, lease):
        if self.live is None:
            expect(answer, 404, "BlobNotFound")
        elif self.lease not in (None, lease):
            expect(answer, 409, "LeaseAlreadyPresent")
        else:
            expect(answer, 201)
            self.lease = lease

    def release(self, answer, lease):
        if self.live is None:
            expect(answer, 404, "BlobNotFound")
        elif self.lease != lease:
            self._one_of(answer, [(409, "LeaseIdMismatchWithLeaseOperation" if self.lease else
                                   "LeaseNotPresentWithLeaseOperation"),
                                  (409, "LeaseIdMismatchWithLeaseOperation")])
        else:
            expect(answer, 200)
            self.lease = None

    # --- what it was -------------------------------------------------------------------------------

    def snapshot(self, answer, metadata, lease=None):
        if self.live is None:
            expect(answer, 404, "BlobNotFound")
            return
        if self._follows(answer) or self._one_of(answer, self._lease_wrong(lease) if lease else []):
            return
        time = expect(answer, 201).headers["x-ms-snapshot"]
        state = copy.deepcopy(self.live)
        state.metadata = metadata or state.metadata
        if metadata:
            state.etag = answer.headers["etag"]
        elif answer.headers["etag"] != state.etag:
            raise Wrong("a snapshot without metadata has an ETag of its own")
        if self.account.versioned:
            self._keep_version(answer)
            self.base = copy.deepcopy(self.base)
        self.past.append(Past("snapshot", time, state))

    def _remove(self, past):
        past.deleted = True
        if not self.account.keeping:
            self.past.remove(past)

    def delete(self, answer, snapshots, lease=None):
        """snapshots: "", "include" or "only"."""
        if self.live is None:
            expect(answer, 404, "BlobNotFound")
            return
        kept = [(409, "SnapshotsPresent")] if self.shown("snapshot") and not snapshots else []
        if self._one_of(answer, kept + self._lease_wrong(lease)):
            return
        expect(answer, 202)
        for past in self.shown("snapshot"):
            self._remove(past)
        if snapshots == "only":
            return
        self.staged, self.lease = {}, None
        if self.account.versioned:
            self.past.append(Past("version", self.version, self.base))
            self.base = self.version = None
        elif self.account.keeping:
            self.deleted = True
        else:
            self.base = None

    def delete_past(self, answer, time):
        past = self.find(time)
        if past is None or past.deleted:
            expect(answer, 404, "BlobNotFound")
        else:
            expect(answer, 202)
            self._remove(past)

    def delete_for_good(self, answer, time):
        past = self.find(time)
        if past is None:
            expect(answer, 404, "BlobNotFound")
        elif not past.deleted or not self.account.keeping:
            expect(answer, 409, "PermanentDeleteNotAllowed")
        else:
            expect(answer, 202)
            self.past.remove(past)

    def undelete(self, answer):
        if self.base or self.past:
            expect(answer, 200)
        elif answer.status not in (200, 404):
            raise Wrong(f"undelete of nothing: {answer.status}")
        self.deleted = False
        for past in self.past:
            past.deleted = False

    # --- reads -------------------------------------------------------------------------------------

    def state_at(self, time):
        """None: the blob itself."""
        if time is None:
            return self.live
        past = self.find(time)
        if past is None and time == self.version:
            return self.live
        return None if past is None or past.deleted else past.state

    def hides(self, time):
        """Whether what the state of that time has is not to be read: of an incremental copy, but for its snapshots."""
        past, state = time and self.find(time), self.state_at(time)
        return state is not None and state.follows is not None and (past is None or past.kind != "snapshot")

    def read(self, answer, time=None, first=None, last=None):
        state = self.state_at(time)
        if state is None:
            return expect(answer, 404, "BlobNotFound")
        if self.hides(time):
            return expect(answer, *FOLLOWS)
        if first is not None and first >= state.size:
            return expect(answer, 416, "InvalidRange")
        expect(answer, 200 if first is None else 206)
        wanted = state.content if first is None else state.content[first:last + 1]
        if answer.body != wanted:
            raise Wrong(f"other content than what was written: {len(answer.body)} bytes, not {len(wanted)}")
        return self._compare_metadata(answer, state)

    @staticmethod
    def _compare_metadata(answer, state):
        if answer.metadata != state.metadata:
            raise Wrong(f"metadata {answer.metadata}, not {state.metadata}")
        if answer.headers.get("etag") != state.etag:
            raise Wrong(f"ETag {answer.headers.get('etag')}, not {state.etag}")

    def properties(self, answer, time=None):
        state = self.state_at(time)
        if state is None:
            expect(answer, 404)
            return
        expect(answer, 200)
        self._compare_metadata(answer, state)
        wanted = state.headers()
        if state.kind == APPEND and state.blocks_known:
            wanted["x-ms-blob-committed-block-count"] = str(len(state.pieces))
        if time is None:
            wanted |= {"x-ms-lease-state": "leased" if self.lease else "available",
                       "x-ms-lease-status": "locked" if self.lease else "unlocked",
                       "x-ms-version-id": self.version,
                       "x-ms-is-current-version": "true" if self.version else None}
        wanted = {name: value for name, value in wanted.items() if value is not OPEN}
        found = {name: answer.headers.get(name) for name in wanted}
        if found != wanted:
            other = [name for name in wanted if found[name] != wanted[name]]
            raise Wrong(f"properties {[(name, found[name], wanted[name]) for name in other]}")

    def tags(self, answer, time=None):
        state = self.state_at(time)
        if state is None:
            expect(answer, 404, "BlobNotFound")
            return
        if self.hides(time):
            expect(answer, *FOLLOWS)
            return
        found = dict(re.findall(r"<Tag><Key>(.*?)</Key><Value>(.*?)</Value></Tag>", expect(answer, 200).body.decode()))
        if found != state.tags:
            raise Wrong(f"tags {found}, not {state.tags}")

    def block_list(self, answer):
        if self.live is None and not self.staged:
            expect(answer, 404, "BlobNotFound")
        elif self.hides(None):
            expect(answer, *FOLLOWS)
        elif self.live and self.live.kind != BLOCK:
            expect(answer, 409, "InvalidBlobType")
        else:
            found = self._blocks_in(expect(answer, 200).body.decode())
            committed = [(block, len(content)) for block, content in (self.live.pieces if self.live else [])
                         if block is not None]
            staged = sorted((block, len(content)) for block, content in self.staged.items())
            if self.live and not self.live.blocks_known:
                found, committed = ([], found[1]), []
            if found != (committed, staged):
                raise Wrong(f"blocks {found}, not {(committed, staged)}")

    @staticmethod
    def _blocks_in(text):
        committed, _, staged = text.partition("<UncommittedBlocks")
        blocks = [[(base64.b64decode(name), int(size)) for name, size in
                   re.findall(r"<Block><Name>(.*?)</Name><Size>(.*?)</Size></Block>", part)]
                  for part in (committed, staged)]
        return blocks[0], sorted(blocks[1])

    def page_ranges(self, answer, time=None, before=None):
        """before: the time of a snapshot that is compared with."""
        state = self.state_at(time)
        if state is None:
            return expect(answer, 404, "BlobNotFound")
        if self.hides(time):
            return expect(answer, *FOLLOWS)
        if state.kind != PAGES:
            return expect(answer, 409, "InvalidBlobType")
        earlier = before and self.state_at(before)
        if before and earlier is None:
            return expect(answer, 409, "PreviousSnapshotNotFound")
        if before and time and self.find(time).kind == "snapshot" and time < before:
            return expect(answer, 400, "PreviousSnapshotCannotBeNewer")
        if before and earlier.made_by is not state.made_by:
            return expect(answer, 409, "BlobOverwritten")
        found = [[kind, int(first), int(last)] for kind, first, last in re.findall(
            r"<(PageRange|ClearRange)><Start>(\d+)</Start><End>(\d+)</End>", expect(answer, 200).body.decode())]
        wanted = state.changes(earlier) if before else [["PageRange", *pages] for pages in state.ranges()]
        if found != wanted:
            raise Wrong(f"pages {found}, not {wanted}")
        return answer

    # --- listings ----------------------------------------------------------------------------------

    def learn(self, rows):
        """The times of what was overwritten and is kept. rows: of this blob in a listing of everything."""
        times = sorted(row["time"] for row in rows if row["time"] != (self.version or ""))
        if self.account.versioned:  # where each has a time from its beginning, though not in their order
            self.past.sort(key=lambda past: past.time)
        if len(times) != len(self.past) or len(set(times)) != len(times):
            raise Wrong(f"states of {times}, not {[(past.kind, past.time) for past in self.past]}")
        for past, time in zip(self.past, times):
            if past.time not in (None, time):
                raise Wrong(f"a state of {time}, not of {past.time}")
            past.time = time

    def rows(self, name):
        """As a listing of everything tells of it: what it was, by their times, and then what it is."""
        found = [{"name": name, "time": past.time, "kind": past.kind, "deleted": past.deleted,
                  **self._row(past.state)} for past in self.past]
        if self.base:
            found.append({"name": name, "time": self.version or "", "kind": "version" if self.version else "base",
                          "deleted": self.deleted, **self._row(self.base)})
        elif self.staged:
            found.append({"name": name, "time": "", "kind": "base", "deleted": False, "length": 0, "type": BLOCK})
        return found

    @staticmethod
    def _row(state):
        return {"length": state.size, "type": state.kind, "etag": state.etag, "metadata": state.metadata,
                "tags": state.tags, "content type": state.content_type}
