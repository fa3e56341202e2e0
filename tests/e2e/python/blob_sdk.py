#!/usr/bin/python3 -I
# SPDX-License-Identifier: Apache-2.0
"""The vendor's Python SDK, as Debian has it, through the operations that it offers: other code than the
JavaScript one's, with other headers, other retries and another XML parser.

Run by tests/e2e/python.test.mjs, which sets CONNECTION_STRING and CONNECTION_STRING_TLS (of an account with
versions), PLAIN_CONNECTION_STRING (of one without), CA_FILE and TOKEN (a bearer token of who may do all).
"""
import base64
import datetime
import hashlib
import os
import unittest
import uuid

ENV = os.environ
# Before the SDKs load.
ENV["REQUESTS_CA_BUNDLE"] = ENV["CA_FILE"]
ENV["NO_PROXY"] = ENV["no_proxy"] = "localhost,127.0.0.1"

# pylint: disable=wrong-import-position
from azure.core import MatchConditions
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import (AccessPolicy, AccountSasPermissions, BlobBlock, BlobClient, BlobSasPermissions,
                                BlobServiceClient, ContainerClient, ContainerSasPermissions, ContentSettings,
                                CorsRule, CustomerProvidedEncryptionKey, ImmutabilityPolicy, PublicAccess,
                                ResourceTypes, RetentionPolicy, StandardBlobTier, generate_account_sas,
                                generate_blob_sas, generate_container_sas)

DATA = os.urandom(300_000)
HOUR = datetime.timedelta(hours=1)


def soon():
    return datetime.datetime.utcnow() + HOUR


def service_of(name, **options):
    return BlobServiceClient.from_connection_string(ENV[name], retry_total=0, **options)


class Token:
    """What the SDK asks for tokens."""

    def get_token(self, *_scopes, **_options):
        return AccessToken(ENV["TOKEN"], 2**31)


class Case(unittest.TestCase):
    connection = "PLAIN_CONNECTION_STRING"

    def setUp(self):
        self.service = service_of(self.connection)
        self.key = self.service.credential.account_key
        self.container = self.service.create_container(f"py-{uuid.uuid4().hex}")

    def blob(self, name="blob", data=DATA, **options):
        client = self.container.get_blob_client(name)
        client.upload_blob(data, **options)
        return client

    def refused(self, status, code, call, *arguments, **options):
        with self.assertRaises(HttpResponseError) as caught:
            call(*arguments, **options)
        self.assertEqual((caught.exception.status_code, caught.exception.error_code), (status, code))

    def url_of(self, client):
        sas = generate_blob_sas(self.service.account_name, client.container_name, client.blob_name,
                                snapshot=client.snapshot, account_key=self.key,
                                permission=BlobSasPermissions(read=True), expiry=soon())
        return client.url + ("&" if "?" in client.url else "?") + sas


class Containers(Case):
    def test_properties_and_metadata(self):
        self.container.set_container_metadata({"of": "python"})
        properties = self.container.get_container_properties()
        self.assertEqual(properties.metadata, {"of": "python"})
        self.assertEqual((properties.lease.state, properties.public_access), ("available", None))
        self.assertTrue(self.container.exists())
        self.assertFalse(self.service.get_container_client("nobody").exists())
        listed = list(self.service.list_containers(name_starts_with=self.container.container_name,
                                                   include_metadata=True))
        self.assertEqual([item.metadata for item in listed], [{"of": "python"}])
        self.assertEqual(listed[0].etag.strip('"'), properties.etag.strip('"'))
        with self.assertRaises(ResourceExistsError):
            self.service.create_container(self.container.container_name)
        self.refused(404, "ContainerNotFound", self.service.delete_container, "nobody")

    def test_access_policy(self):
        policy = AccessPolicy(permission=ContainerSasPermissions(read=True), expiry=soon(),
                              start=datetime.datetime.utcnow() - HOUR)
        self.container.set_container_access_policy({"readers": policy})
        found = self.container.get_container_access_policy()
        self.assertEqual([item.id for item in found["signed_identifiers"]], ["readers"])
        self.assertEqual(found["signed_identifiers"][0].access_policy.permission, "r")
        blob = self.blob(data=b"by policy")
        sas = generate_container_sas(self.service.account_name, self.container.container_name,
                                     account_key=self.key, policy_id="readers")
        reader = BlobClient.from_blob_url(blob.url, credential=sas)
        self.assertEqual(reader.download_blob().readall(), b"by policy")
        self.container.set_container_access_policy({})
        self.refused(403, "AuthenticationFailed", reader.get_blob_properties)

    def test_lease(self):
        lease = self.container.acquire_lease(lease_duration=15)
        self.refused(412, "LeaseIdMissing", self.container.delete_container)
        lease.renew()
        lease.change(str(uuid.uuid4()))
        self.assertEqual(self.container.get_container_properties().lease.status, "locked")
        lease.release()
        lease = self.container.acquire_lease(lease_duration=-1)
        self.assertEqual(lease.break_lease(0), 0)
        self.container.delete_container()
        self.assertFalse(self.container.exists())

    def test_listing(self):
        for name in ("a/1", "a/2", "b", "c d/ä", "c d/é"):
            self.blob(name, name.encode(), metadata={"name": "x"})
        names = [item.name for item in self.container.list_blobs()]
        self.assertEqual(names, ["a/1", "a/2", "b", "c d/ä", "c d/é"])
        pages = [list(page) for page in self.container.list_blobs(results_per_page=2).by_page()]
        self.assertEqual([len(page) for page in pages], [2, 2, 1])
        walked = [item.name for item in self.container.walk_blobs(delimiter="/")]
        self.assertEqual(sorted(walked), ["a/", "b", "c d/"])
        listed = list(self.container.list_blobs(name_starts_with="a/", include=["metadata", "tags", "copy"]))
        self.assertEqual([item.metadata for item in listed], [{"name": "x"}] * 2)
        self.assertEqual(listed[0].content_settings.content_md5, bytearray(hashlib.md5(b"a/1").digest()))


class BlockBlobs(Case):
    def test_upload_and_download(self):
        blob = self.blob(metadata={"Of": "python"}, content_settings=ContentSettings(
            content_type="text/x", content_language="de", content_disposition="inline", cache_control="no-cache"))
        self.assertEqual(blob.download_blob().readall(), DATA)
        self.assertEqual(blob.download_blob(offset=100, length=1000).readall(), DATA[100:1100])
        self.assertEqual(blob.download_blob(offset=100, length=1000, validate_content=True).readall(), DATA[100:1100])
        properties = blob.get_blob_properties()
        self.assertEqual(properties.metadata, {"Of": "python"})
        settings = properties.content_settings
        self.assertEqual((settings.content_type, settings.content_language, settings.content_disposition,
                          settings.cache_control), ("text/x", "de", "inline", "no-cache"))
        self.assertEqual((properties.size, properties.blob_type, properties.server_encrypted),
                         (len(DATA), "BlockBlob", True))
        with self.assertRaises(ResourceExistsError):
            blob.upload_blob(b"no")
        blob.upload_blob(b"yes", overwrite=True, validate_content=True)
        self.assertEqual(blob.download_blob().readall(), b"yes")

    def test_in_blocks(self):
        service = service_of(self.connection, max_single_put_size=65536, max_block_size=65536,
                             max_single_get_size=65536, max_chunk_get_size=65536)
        blob = service.get_blob_client(self.container.container_name, "blocks")
        blob.upload_blob(DATA, max_concurrency=4, validate_content=True)
        self.assertEqual(blob.download_blob(max_concurrency=4).readall(), DATA)
        self.assertEqual(len(blob.get_block_list("committed")[0]), 5)
        blob.stage_block("AAAA", b"staged", validate_content=True)
        blob.stage_block_from_url("AAAB", self.url_of(self.blob("source", b"from a url")), 5, 5)
        committed, staged = blob.get_block_list("all")
        self.assertEqual([(item.id, item.size) for item in staged], [("AAAA", 6), ("AAAB", 5)])
        blob.commit_block_list([BlobBlock("AAAA"), BlobBlock("AAAB")], metadata={"a": "b"}, tags={"t": "1"})
        self.assertEqual(blob.download_blob().readall(), b"stageda url")
        self.assertEqual(blob.get_blob_tags(), {"t": "1"})
        self.refused(400, "InvalidBlockList", blob.commit_block_list, [BlobBlock("ZZZZ")])
        self.assertTrue(committed)

    def test_properties_metadata_tags(self):
        blob = self.blob(data=b"x", tags={"kind": "one", "of": self.container.container_name[3:]})
        blob.set_blob_metadata({"k": "v"})
        blob.set_http_headers(ContentSettings(content_type="a/b", content_encoding="identity"))
        properties = blob.get_blob_properties()
        self.assertEqual((properties.metadata, properties.content_settings.content_type, properties.tag_count),
                         ({"k": "v"}, "a/b", 2))
        where = f"\"of\"='{self.container.container_name[3:]}'"
        self.assertEqual([item.name for item in self.service.find_blobs_by_tags(where)], ["blob"])
        self.assertEqual([item.name for item in self.container.find_blobs_by_tags("\"kind\"='one'")], ["blob"])
        blob.set_blob_tags({"kind": "two"})
        self.assertEqual(blob.get_blob_tags(), {"kind": "two"})
        self.refused(412, "ConditionNotMet", blob.get_blob_properties, if_tags_match_condition="\"kind\"='one'")

    def test_conditions(self):
        blob = self.blob(data=b"x")
        etag = blob.get_blob_properties().etag
        options = {"etag": etag, "match_condition": MatchConditions.IfNotModified}
        blob.set_blob_metadata({"a": "1"}, **options)
        with self.assertRaises(HttpResponseError) as caught:
            blob.set_blob_metadata({"a": "2"}, **options)
        self.assertEqual(caught.exception.status_code, 412)
        with self.assertRaises(HttpResponseError) as caught:
            blob.download_blob(if_unmodified_since=datetime.datetime.utcnow() - HOUR)
        self.assertEqual(caught.exception.status_code, 412)
        with self.assertRaises(HttpResponseError) as caught:
            blob.get_blob_properties(if_modified_since=datetime.datetime.utcnow() + HOUR / 2)
        self.assertEqual(caught.exception.status_code, 304)

    def test_lease(self):
        blob = self.blob(data=b"x")
        lease = blob.acquire_lease(lease_duration=15)
        self.refused(412, "LeaseIdMissing", blob.set_blob_metadata, {"a": "b"})
        blob.set_blob_metadata({"a": "b"}, lease=lease)
        self.refused(409, "LeaseAlreadyPresent", blob.acquire_lease, lease_duration=15)
        lease.renew()
        lease.change(str(uuid.uuid4()))
        self.assertLessEqual(lease.break_lease(), 15)
        self.assertEqual(blob.get_blob_properties().lease.state, "breaking")
        lease.release()
        blob.delete_blob()

    def test_snapshots(self):
        blob = self.blob(data=b"one")
        made = blob.create_snapshot(metadata={"of": "snapshot"})
        blob.upload_blob(b"two", overwrite=True)
        snapshot = self.container.get_blob_client("blob", snapshot=made["snapshot"])
        self.assertEqual(snapshot.download_blob().readall(), b"one")
        self.assertEqual(snapshot.get_blob_properties().metadata, {"of": "snapshot"})
        listed = list(self.container.list_blobs(include=["snapshots"]))
        self.assertEqual([item.snapshot for item in listed], [made["snapshot"], None])
        self.refused(409, "SnapshotsPresent", blob.delete_blob)
        blob.delete_blob(delete_snapshots="only")
        blob.create_snapshot()
        blob.delete_blob(delete_snapshots="include")
        self.assertFalse(blob.exists())

    def test_tiers(self):
        blob = self.blob(data=b"x", standard_blob_tier=StandardBlobTier.COOL)
        self.assertEqual(blob.get_blob_properties().blob_tier, "Cool")
        blob.set_standard_blob_tier(StandardBlobTier.ARCHIVE)
        self.refused(409, "BlobArchived", blob.download_blob)
        blob.set_standard_blob_tier(StandardBlobTier.HOT, rehydrate_priority="High")
        self.assertEqual(blob.get_blob_properties().archive_status, "rehydrate-pending-to-hot")

    def test_copies(self):
        source = self.blob("source", metadata={"of": "source"})
        for name, options in (("copy", {}), ("sync", {"requires_sync": True})):
            copy = self.container.get_blob_client(name)
            done = copy.start_copy_from_url(self.url_of(source), **options)
            self.assertEqual(done["copy_status"], "success")
            self.assertEqual(copy.download_blob().readall(), DATA)
            properties = copy.get_blob_properties()
            self.assertEqual((properties.metadata, properties.copy.status), ({"of": "source"}, "success"))
            self.assertEqual(properties.copy.source, source.url)
            self.refused(409, "NoPendingCopyOperation", copy.abort_copy, done["copy_id"])
        put = self.container.get_blob_client("put")
        put.upload_blob_from_url(self.url_of(source), tags={"own": "yes"})
        self.assertEqual(put.download_blob().readall(), DATA)
        self.assertEqual((put.get_blob_properties().metadata, put.get_blob_tags()), ({}, {"own": "yes"}))
        self.refused(404, "CannotVerifyCopySource", put.start_copy_from_url,
                     self.url_of(self.container.get_blob_client("nobody")))

    def test_batch(self):
        names = [f"batch {number}" for number in range(20)]
        for name in names:
            self.blob(name, b"x")
        done = list(self.container.set_standard_blob_tier_blobs("Cool", *names))
        self.assertEqual([part.status_code for part in done], [200] * 20)
        done = list(self.container.delete_blobs(*names[:10]))
        self.assertEqual([part.status_code for part in done], [202] * 10)
        done = list(self.container.delete_blobs(*names[8:], raise_on_any_failure=False))
        self.assertEqual([part.status_code for part in done], [404] * 2 + [202] * 10)
        self.assertEqual(list(self.container.list_blobs()), [])


class OtherTypes(Case):
    def test_append_blob(self):
        blob = self.container.get_blob_client("log")
        blob.create_append_blob(metadata={"a": "b"})
        self.assertEqual(blob.append_block(b"one", validate_content=True)["blob_append_offset"], "0")
        blob.append_block(b"two", appendpos_condition=3)
        self.refused(412, "AppendPositionConditionNotMet", blob.append_block, b"x", appendpos_condition=3)
        self.refused(412, "MaxBlobSizeConditionNotMet", blob.append_block, b"x", maxsize_condition=6)
        blob.append_block_from_url(self.url_of(self.blob("source", b"three")), 1, 4)
        self.assertEqual(blob.download_blob().readall(), b"onetwohree")
        blob.upload_blob(b"-more", blob_type="AppendBlob", length=5)
        self.assertEqual(blob.get_blob_properties().append_blob_committed_block_count, 4)
        blob.seal_append_blob()
        self.assertTrue(blob.get_blob_properties().is_append_blob_sealed)
        self.refused(409, "BlobIsSealed", blob.append_block, b"x")

    def test_page_blob(self):
        blob = self.container.get_blob_client("disk")
        blob.create_page_blob(8192, metadata={"a": "b"}, sequence_number=3)
        page = DATA[:1024]
        blob.upload_page(page, 512, 1024, validate_content=True)
        blob.upload_page(page, 4096, 1024)
        blob.clear_page(4096, 512)
        self.assertEqual(blob.get_page_ranges()[0], [{"start": 512, "end": 1535}, {"start": 4608, "end": 5119}])
        self.assertEqual(blob.download_blob(offset=512, length=1024).readall(), page)
        self.refused(412, "SequenceNumberConditionNotMet", blob.upload_page, page, 0, 1024, if_sequence_number_lt=3)
        blob.set_sequence_number("increment")
        self.assertEqual(blob.get_blob_properties().page_blob_sequence_number, 4)
        blob.resize_blob(1024)
        self.assertEqual(blob.get_page_ranges()[0], [{"start": 512, "end": 1023}])
        blob.upload_pages_from_url(self.url_of(self.blob("source")), 0, 512, 1024)
        self.assertEqual(blob.download_blob().readall(), DATA[1024:1536] + page[:512])
        self.refused(409, "InvalidBlobType", blob.append_block, b"x")
        whole = self.container.get_blob_client("whole disk")
        whole.upload_blob(DATA[:65536] + bytes(65536), blob_type="PageBlob")
        self.assertEqual(whole.download_blob().readall(), DATA[:65536] + bytes(65536))


class Versions(Case):
    connection = "CONNECTION_STRING"

    def test_versions(self):
        blob = self.container.get_blob_client("blob")
        ids = [blob.upload_blob(text, overwrite=True)["version_id"] for text in (b"one", b"two", b"three")]
        listed = list(self.container.list_blobs(include=["versions"]))
        self.assertEqual([item.version_id for item in listed], ids)
        self.assertEqual([bool(item.is_current_version) for item in listed], [False, False, True])
        old = BlobClient.from_connection_string(ENV[self.connection], self.container.container_name, "blob",
                                                version_id=ids[0])
        self.assertEqual(old.download_blob(version_id=ids[0]).readall(), b"one")
        self.assertEqual(blob.get_blob_properties(version_id=ids[1]).version_id, ids[1])
        blob.delete_blob(version_id=ids[1])
        self.refused(404, "BlobNotFound", lambda: blob.download_blob(version_id=ids[1]))

    def test_policies_and_holds(self):
        blob = self.blob(data=b"held")
        blob.set_legal_hold(True)
        self.refused(409, "BlobImmutableDueToPolicy", blob.delete_blob)
        self.assertTrue(blob.get_blob_properties().has_legal_hold)
        blob.set_legal_hold(False)
        blob.set_immutability_policy(ImmutabilityPolicy(expiry_time=soon(), policy_mode="Unlocked"))
        self.refused(409, "BlobImmutableDueToPolicy", blob.delete_blob)
        self.assertEqual(blob.get_blob_properties().immutability_policy.policy_mode.lower(), "unlocked")
        blob.delete_immutability_policy()
        blob.delete_blob()


class Service(Case):
    def test_properties(self):
        rule = CorsRule(["https://a.example"], ["GET"], allowed_headers=["x-ms-*"], max_age_in_seconds=5)
        self.service.set_service_properties(cors=[rule], target_version="2021-12-02",
                                            delete_retention_policy=RetentionPolicy(enabled=True, days=3))
        found = self.service.get_service_properties()
        self.assertEqual((found["cors"][0].allowed_origins, found["target_version"],
                          found["delete_retention_policy"].days), ("https://a.example", "2021-12-02", 3))
        blob = self.blob(data=b"back")
        blob.delete_blob()
        listed = list(self.container.list_blobs(include=["deleted"]))
        self.assertEqual([(item.name, item.deleted) for item in listed], [("blob", True)])
        blob.undelete_blob()
        self.assertEqual(blob.download_blob().readall(), b"back")
        self.service.set_service_properties(cors=[], delete_retention_policy=RetentionPolicy(enabled=False))

    def test_account(self):
        self.assertEqual(self.service.get_account_information()["account_kind"], "StorageV2")
        self.assertEqual(self.container.get_account_information()["account_kind"], "StorageV2")

    def test_signatures(self):
        blob = self.blob(data=b"signed")
        account = generate_account_sas(self.service.account_name, self.key, ResourceTypes(
            service=True, container=True, object=True), AccountSasPermissions(read=True, list=True),
                                       soon())
        reader = BlobServiceClient(self.service.url, credential=account)
        self.assertEqual(reader.get_blob_client(self.container.container_name, "blob").download_blob().readall(),
                         b"signed")
        self.refused(403, "AuthorizationPermissionMismatch",
                     reader.get_blob_client(self.container.container_name, "blob").delete_blob)
        own = generate_blob_sas(self.service.account_name, self.container.container_name, "blob", account_key=self.key,
                                permission="rt", expiry=soon(), content_type="x/own", cache_control="none")
        answer = BlobClient.from_blob_url(f"{blob.url}?{own}").get_blob_properties()
        settings = answer.content_settings
        self.assertEqual((settings.content_type, settings.cache_control), ("x/own", "none"))
        of_container = generate_container_sas(self.service.account_name, self.container.container_name,
                                              account_key=self.key, permission="rl", expiry=soon())
        self.assertEqual([item.name for item in ContainerClient.from_container_url(
            f"{self.container.url}?{of_container}").list_blobs()], ["blob"])


class OverTls(Case):
    connection = "CONNECTION_STRING_TLS"

    def test_user_delegation(self):
        service = BlobServiceClient(self.service.url, credential=Token(), retry_total=0)
        key = service.get_user_delegation_key(datetime.datetime.utcnow(), soon())
        blob = self.blob(data=b"delegated")
        sas = generate_blob_sas(self.service.account_name, self.container.container_name, "blob",
                                user_delegation_key=key, permission="r", expiry=soon())
        self.assertEqual(BlobClient.from_blob_url(f"{blob.url}?{sas}").download_blob().readall(), b"delegated")
        self.assertTrue(service.get_container_client(self.container.container_name).exists())

    def test_keys_that_come_with_each_request(self):
        secret = os.urandom(32)
        cpk = CustomerProvidedEncryptionKey(base64.b64encode(secret).decode(),
                                            base64.b64encode(hashlib.sha256(secret).digest()).decode())
        blob = self.blob(cpk=cpk)
        self.assertEqual(blob.download_blob(cpk=cpk).readall(), DATA)
        self.refused(409, "BlobUsesCustomerSpecifiedEncryption", blob.download_blob)
        blob.stage_block("AAAA", b"x", cpk=cpk)
        blob.commit_block_list([BlobBlock("AAAA")], cpk=cpk)
        self.assertEqual(blob.get_blob_properties(cpk=cpk).size, 1)


class NotThere(Case):
    def test_what_is_not_there(self):
        blob = self.container.get_blob_client("nobody")
        self.assertFalse(blob.exists())
        for call in (blob.get_blob_properties, blob.download_blob, blob.delete_blob, blob.create_snapshot,
                     blob.get_blob_tags):
            with self.assertRaises(ResourceNotFoundError):
                call()
        with self.assertRaises(ResourceNotFoundError):
            self.service.get_blob_client("nobody", "x").upload_blob(b"x")


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
