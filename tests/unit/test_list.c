/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a listing shows all that is there, once and in order, page by page, and nothing else; it asks
 * for no key unless it must, and reads no more than it shows. Method: the handlers over a store, with
 * a plugin that counts.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/text.h"
#include "gateway/blob/list.h"
#include "gateway/blob/list_page.h"

#include "unit/cmocka_all.h"
#include "unit/list_fixture.h"

#define HEAD                                                                                       \
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>"                                                   \
    "<EnumerationResults ServiceEndpoint=\"http://127.0.0.1:10000/acme/\""

static const struct gk_pair no_query[] = {{NULL, NULL}};

static void ask_refused(struct list_fixture *fixture, const char *container,
                        const struct gk_pair *query, unsigned http_status, const char *code)
{
    const enum gk_operation operation =
        container == NULL ? GK_OP_BLOB_LIST_CONTAINERS : GK_OP_BLOB_LIST_BLOBS;
    assert_int_equal(list_ask(fixture, operation, container, query), GK_E_INVALID);
    assert_int_equal(fixture->error.http_status, http_status);
    assert_string_equal(fixture->error.code, code);
}

static void assert_all(struct list_fixture *fixture, const char *max, const char *prefix,
                       const char *delimiter, const char *wanted)
{
    struct gk_buf names;
    gk_buf_init(&names, 1u << 20);
    list_all(fixture, "photos", max, prefix, delimiter, &names);
    assert_string_equal(gk_buf_str(&names), wanted);
    gk_buf_cleanup(&names);
}

/* --- containers --------------------------------------------------------------------------------- */

static void test_list__containers(void **state)
{
    struct list_fixture *fixture = *state;
    assert_int_equal(list_ask(fixture, GK_OP_BLOB_LIST_CONTAINERS, NULL, no_query), GK_OK);
    assert_string_equal(gk_buf_str(&fixture->body),
                        HEAD "><Containers/><NextMarker/></EnumerationResults>\n");
    list_add_container(fixture, "photos", (const char *[]){"Color", "red & <blue>", NULL});
    const struct gk_pair query[] = {{"include", "METADATA,deleted,system,"}, {NULL, NULL}};
    assert_int_equal(list_ask(fixture, GK_OP_BLOB_LIST_CONTAINERS, NULL, query), GK_OK);
    assert_string_equal(
        gk_buf_str(&fixture->body),
        HEAD "><Containers><Container><Name>photos</Name><Properties>"
             "<Last-Modified>Thu, 01 Jan 2026 00:00:00 GMT</Last-Modified>"
             "<Etag>&quot;0x123456789ABCDEF0&quot;</Etag><LeaseStatus>unlocked</LeaseStatus>"
             "<LeaseState>available</LeaseState>"
             "<HasImmutabilityPolicy>false</HasImmutabilityPolicy>"
             "<HasLegalHold>false</HasLegalHold>"
             "<DefaultEncryptionScope>$account-encryption-key</DefaultEncryptionScope>"
             "<DenyEncryptionScopeOverride>false</DenyEncryptionScopeOverride></Properties>"
             "<Metadata><Color>red &amp; &lt;blue&gt;</Color></Metadata></Container></Containers>"
             "<NextMarker/></EnumerationResults>\n");
    assert_int_equal(list_ask(fixture, GK_OP_BLOB_LIST_CONTAINERS, NULL, no_query), GK_OK);
    assert_null(strstr(gk_buf_str(&fixture->body), "Metadata"));
    assert_int_equal(fixture->keys_opened, 0);
}

static void test_list__containers_by_page(void **state)
{
    struct list_fixture *fixture = *state;
    static const char *const names[] = {"abc", "a-1", "zzz", "abd", "a-2", "a-3"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        list_add_container(fixture, names[i], NULL);
    }
    static const char *const sizes[] = {"1", "2", "3", "5", "6", "7", "5000"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct gk_buf all;
        gk_buf_init(&all, 4096);
        list_all(fixture, NULL, sizes[i], "", NULL, &all);
        assert_string_equal(gk_buf_str(&all), "c a-1\nc a-2\nc a-3\nc abc\nc abd\nc zzz\n");
        gk_buf_reset(&all);
        list_all(fixture, NULL, sizes[i], "ab", NULL, &all);
        assert_string_equal(gk_buf_str(&all), "c abc\nc abd\n");
        gk_buf_cleanup(&all);
    }
}

/* --- blobs, flat -------------------------------------------------------------------------------- */

static void test_list__a_blob(void **state)
{
    struct list_fixture *fixture = *state;
    list_add_container(fixture, "photos", NULL);
    char type[] = "text/plain; a=\"b\"";
    char language[] = "en";
    struct gk_blob_record record = list_record();
    record.headers[GK_CONTENT_TYPE] = type;
    record.headers[GK_CONTENT_LANGUAGE] = language;
    record.tier = GK_TIER_COOL;
    record.has_md5 = true;
    struct list_bulk bulk;
    list_add_begin(&bulk, fixture, "photos");
    list_add_blob(&bulk, "a <b>", &record, NULL);
    list_add_end(&bulk);
    const struct gk_pair query[] = {
        {"prefix", "a"}, {"maxresults", "70000"}, {"delimiter", "/"}, {"marker", ""}, {NULL, NULL}};
    assert_int_equal(list_ask(fixture, GK_OP_BLOB_LIST_BLOBS, "photos", query), GK_OK);
    assert_string_equal(
        gk_buf_str(&fixture->body),
        HEAD " ContainerName=\"photos\"><Prefix>a</Prefix><Marker/><MaxResults>5000</MaxResults>"
             "<Delimiter>/</Delimiter><Blobs><Blob><Name>a &lt;b&gt;</Name><Properties>"
             "<Creation-Time>Thu, 01 Jan 2026 00:00:00 GMT</Creation-Time>"
             "<Last-Modified>Thu, 01 Jan 2026 00:00:01 GMT</Last-Modified>"
             "<Etag>0x123456789ABCDEF0</Etag><Content-Length>3</Content-Length>"
             "<Content-Type>text/plain; a=&quot;b&quot;</Content-Type><Content-Encoding/>"
             "<Content-Language>en</Content-Language>"
             "<Content-MD5>AAAAAAAAAAAAAAAAAAAAAA==</Content-MD5><Cache-Control/>"
             "<Content-Disposition/><BlobType>BlockBlob</BlobType><AccessTier>Cool</AccessTier>"
             "<LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>"
             "<ServerEncrypted>true</ServerEncrypted></Properties><OrMetadata/></Blob></Blobs>"
             "<NextMarker/></EnumerationResults>\n");
}

static void test_list__what_a_blob_may_lack(void **state)
{
    struct list_fixture *fixture = *state;
    list_add_container(fixture, "photos", NULL);
    list_add_blobs(fixture, "photos", (const char *[]){"a", NULL});
    assert_int_equal(list_ask(fixture, GK_OP_BLOB_LIST_BLOBS, "photos", no_query), GK_OK);
    const char *body = gk_buf_str(&fixture->body);
    assert_non_null(strstr(body, "ContainerName=\"photos\"><Blobs>"));
    assert_non_null(strstr(body, "<Content-MD5/>"));
    assert_non_null(strstr(body, "<Content-Type/>"));
    assert_non_null(strstr(body, "<AccessTier>Hot</AccessTier>"
                                 "<AccessTierInferred>true</AccessTierInferred>"));
}

static const char *const tree[] = {"a",   "a/",          "a/1",   "a/2",   "a/b/1", "a/b/2",
                                   "a0",  "b",           "c/d/e", "c/d/f", "cc",    "d//1",
                                   "d/1", "e\xc3\xa9/1", "f",     NULL};
#define FLAT_TREE                                                                                  \
    "b a\nb a/\nb a/1\nb a/2\nb a/b/1\nb a/b/2\nb a0\nb b\nb c/d/e\nb c/d/f\nb cc\nb d//1\nb "     \
    "d/1\nb e\xc3\xa9/1\nb f\n"
static const char *const page_sizes[] = {"1", "2", "3", "4", "7", "14", "15", "16", "5000"};
#define PAGE_SIZES (sizeof page_sizes / sizeof *page_sizes)

static void test_list__blobs_by_page(void **state)
{
    struct list_fixture *fixture = *state;
    list_add_container(fixture, "photos", NULL);
    list_add_container(fixture, "other", NULL);
    list_add_blobs(fixture, "photos", tree);
    list_add_blobs(fixture, "other", (const char *[]){"a", "x", NULL});
    for (size_t i = 0; i < PAGE_SIZES; i++) {
        assert_all(fixture, page_sizes[i], "", NULL, FLAT_TREE);
        assert_all(fixture, page_sizes[i], "", "", FLAT_TREE);
        assert_all(fixture, page_sizes[i], "", "?", FLAT_TREE);
        assert_all(fixture, page_sizes[i], "a/b", NULL, "b a/b/1\nb a/b/2\n");
        assert_all(fixture, page_sizes[i], "c", NULL, "b c/d/e\nb c/d/f\nb cc\n");
        assert_all(fixture, page_sizes[i], "g", NULL, "");
    }
}

/* More than one piece of a walk. */
static void test_list__many_blobs(void **state)
{
    struct list_fixture *fixture = *state;
    list_add_container(fixture, "photos", NULL);
    struct list_bulk bulk;
    struct gk_buf wanted;
    gk_buf_init(&wanted, 1u << 20);
    const struct gk_blob_record record = list_record();
    list_add_begin(&bulk, fixture, "photos");
    for (int i = 0; i < 6001; i++) {
        char name[16];
        snprintf(name, sizeof name, "%06d", i);
        list_add_blob(&bulk, name, &record, NULL);
        gk_buf_printf(&wanted, "b %s\n", name);
    }
    list_add_end(&bulk);
    static const char *const sizes[] = {"100", "1000", "3001", "5000"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_all(fixture, sizes[i], "", NULL, gk_buf_str(&wanted));
    }
    gk_buf_cleanup(&wanted);
    assert_int_equal(list_ask(fixture, GK_OP_BLOB_LIST_BLOBS, "photos", no_query), GK_OK);
    assert_int_equal(fixture->results, GK_LIST_RESULTS_MAX);
}

/* --- by hierarchy ------------------------------------------------------------------------------- */

static void test_list__hierarchy(void **state)
{
    struct list_fixture *fixture = *state;
    list_add_container(fixture, "photos", NULL);
    list_add_blobs(fixture, "photos", tree);
    for (size_t i = 0; i < PAGE_SIZES; i++) {
        const char *max = page_sizes[i];
        assert_all(fixture, max, "", "/",
                   "b a\np a/\nb a0\nb b\np c/\nb cc\np d/\np e\xc3\xa9/\nb f\n");
        assert_all(fixture, max, "a/", "/", "b a/\nb a/1\nb a/2\np a/b/\n");
        assert_all(fixture, max, "a", "/", "b a\np a/\nb a0\n");
        assert_all(fixture, max, "c/", "/", "p c/d/\n");
        assert_all(fixture, max, "d/", "/", "p d//\nb d/1\n");
        assert_all(fixture, max, "", "/d/",
                   "b a\nb a/\nb a/1\nb a/2\nb a/b/1\nb a/b/2\nb a0\nb b\np c/d/\nb cc\nb d//1\nb "
                   "d/1\nb e\xc3\xa9/1\nb f\n");
        assert_all(fixture, max, "e", "\xc3\xa9", "p e\xc3\xa9\n");
    }
}

/* The members of a prefix cost nothing: neither opened, nor, past the first few, read. */
static void test_list__hierarchy_passes_over_members(void **state)
{
    struct list_fixture *fixture = *state;
    list_add_container(fixture, "photos", NULL);
    struct list_bulk bulk;
    const struct gk_blob_record record = list_record();
    list_add_begin(&bulk, fixture, "photos");
    for (int i = 0; i < 12000; i++) {
        char name[32];
        snprintf(name, sizeof name, "%c/%05d", i < 6000 ? 'a' : 'b', i);
        list_add_blob(&bulk, name, &record, NULL);
    }
    list_add_blob(&bulk, "c", &record, NULL);
    list_add_end(&bulk);
    const struct gk_pair query[] = {{"delimiter", "/"}, {NULL, NULL}};
    fixture->records_opened = 0;
    assert_int_equal(list_ask(fixture, GK_OP_BLOB_LIST_BLOBS, "photos", query), GK_OK);
    assert_string_equal(gk_buf_str(&fixture->names), "p a/\np b/\nb c\n");
    assert_int_equal(fixture->records_opened, 1 + 3); /* the container's, and one a result */
}

static size_t reads; /* of a shard each */

enum gk_status __real_gk_store_map_walk_many(struct gk_store *store, enum gk_store_pool pool,
                                             const struct gk_map_walk *walks, size_t count,
                                             struct gk_error *error);
enum gk_status __wrap_gk_store_map_walk_many(struct gk_store *store, enum gk_store_pool pool,
                                             const struct gk_map_walk *walks, size_t count,
                                             struct gk_error *error);
enum gk_status __wrap_gk_store_map_walk_many(struct gk_store *store, enum gk_store_pool pool,
                                             const struct gk_map_walk *walks, size_t count,
                                             struct gk_error *error)
{
    reads += count;
    return __real_gk_store_map_walk_many(store, pool, walks, count, error);
}

/* Where a shard has but few blobs of a prefix, a read of it serves many prefixes. */
static void test_list__hierarchy_of_small_directories(void **state)
{
    struct list_fixture *fixture = *state;
    list_add_container(fixture, "photos", NULL);
    struct list_bulk bulk;
    const struct gk_blob_record record = list_record();
    list_add_begin(&bulk, fixture, "photos");
    for (int i = 0; i < 6000; i++) {
        char name[32];
        snprintf(name, sizeof name, "%04d/%d", i / 3, i);
        list_add_blob(&bulk, name, &record, NULL);
    }
    list_add_end(&bulk);
    const struct gk_pair query[] = {{"delimiter", "/"}, {NULL, NULL}};
    reads = 0;
    assert_int_equal(list_ask(fixture, GK_OP_BLOB_LIST_BLOBS, "photos", query), GK_OK);
    assert_int_equal(fixture->results, 2000);
    assert_in_range(reads, 1, 6 * fixture->shards + 6000 / 128);
}

/* --- uncommitted blobs -------------------------------------------------------------------------- */

static void test_list__uncommitted_blobs(void **state)
{
    struct list_fixture *fixture = *state;
    list_add_container(fixture, "photos", NULL);
    struct list_bulk bulk;
    struct gk_blob_record staged = list_record();
    const struct gk_blob_record whole = list_record();
    staged.state = GK_BLOB_UNCOMMITTED;
    list_add_begin(&bulk, fixture, "photos");
    list_add_blob(&bulk, "a", &staged, NULL);
    list_add_blob(&bulk, "b/1", &staged, NULL);
    list_add_blob(&bulk, "b/2", &whole, NULL);
    list_add_blob(&bulk, "c/1", &staged, NULL);
    list_add_blob(&bulk, "d", &whole, NULL);
    list_add_blob(&bulk, "e", &staged, NULL);
    list_add_end(&bulk);
    for (size_t i = 0; i < PAGE_SIZES; i++) {
        assert_all(fixture, page_sizes[i], "", NULL, "b b/2\nb d\n");
        assert_all(fixture, page_sizes[i], "", "/", "p b/\nb d\n");
    }
    const struct gk_pair query[] = {{"include", "uncommittedblobs"}, {NULL, NULL}};
    assert_int_equal(list_ask(fixture, GK_OP_BLOB_LIST_BLOBS, "photos", query), GK_OK);
    assert_string_equal(gk_buf_str(&fixture->names), "b a\nb b/1\nb b/2\nb c/1\nb d\nb e\n");
}

/* --- metadata and keys -------------------------------------------------------------------------- */

static void add_two_with_metadata(struct list_fixture *fixture)
{
    list_add_container(fixture, "photos", NULL);
    struct list_bulk bulk;
    const struct gk_blob_record record = list_record();
    list_add_begin(&bulk, fixture, "photos");
    list_add_blob(&bulk, "a", &record, (const char *[]){"Color", "r<d", "_2", "caf\xe9", NULL});
    list_add_blob(&bulk, "b", &record, NULL);
    list_add_blob(&bulk, "c/1", &record, (const char *[]){"Hidden", "x", NULL});
    list_add_end(&bulk);
}

static void test_list__metadata(void **state)
{
    struct list_fixture *fixture = *state;
    add_two_with_metadata(fixture);
    const struct gk_pair query[] = {{"include", "metadata"}, {"delimiter", "/"}, {NULL, NULL}};
    assert_int_equal(list_ask(fixture, GK_OP_BLOB_LIST_BLOBS_WITH_METADATA, "photos", query),
                     GK_OK);
    const char *body = gk_buf_str(&fixture->body);
    assert_non_null(strstr(body, "</Properties><Metadata><Color>r&lt;d</Color>"
                                 "<_2>caf\xef\xbf\xbd</_2></Metadata><OrMetadata/></Blob>"));
    assert_non_null(strstr(body, "</Properties><Metadata/><OrMetadata/></Blob>"));
    assert_int_equal(fixture->keys_opened, 2);
    fixture->key_refused = true;
    assert_int_equal(list_ask(fixture, GK_OP_BLOB_LIST_BLOBS_WITH_METADATA, "photos", query),
                     GK_E_DENIED);
    assert_int_equal(fixture->error.http_status, 403);
}

static void test_list__needs_no_key_without_metadata(void **state)
{
    struct list_fixture *fixture = *state;
    add_two_with_metadata(fixture);
    fixture->key_refused = true;
    assert_all(fixture, "2", "", NULL, "b a\nb b\nb c/1\n");
    assert_null(strstr(gk_buf_str(&fixture->body), "<Metadata"));
    assert_int_equal(fixture->keys_opened, 0);
}

/* --- damage ------------------------------------------------------------------------------------- */

struct place {
    const char *object;
    const char *key;
};

static void damage(struct list_fixture *fixture, struct place from, struct place to)
{
    struct gk_buf value;
    gk_buf_init(&value, GK_BLOB_RECORD_BYTES_MAX);
    assert_int_equal(gk_store_map_get(fixture->gateway.store, GK_POOL_META, from.object,
                                      gk_span_str(from.key), &value, NULL),
                     GK_OK);
    const struct gk_change change = {
        .kind = GK_CHANGE_MAP_SET, .key = gk_span_str(to.key), .value = gk_buf_span(&value)};
    const struct gk_write_op op = {
        .pool = GK_POOL_META, .object = to.object, .changes = &change, .changes_count = 1};
    assert_int_equal(gk_store_write(fixture->gateway.store, &op, NULL, NULL), GK_OK);
    gk_buf_cleanup(&value);
}

static void test_list__damage_is_never_passed_over(void **state)
{
    struct list_fixture *fixture = *state;
    list_add_container(fixture, "photos", NULL);
    list_add_container(fixture, "other", NULL);
    list_add_blobs(fixture, "photos", (const char *[]){"a", "b", "c", NULL});
    char a[GK_INDEX_NAME_BYTES];
    char b[GK_INDEX_NAME_BYTES];
    const struct gk_id id = list_container_id("photos");
    gk_index_name(&id, gk_index_shard(gk_span_str("a"), fixture->shards), a);
    gk_index_name(&id, gk_index_shard(gk_span_str("b"), fixture->shards), b);
    damage(fixture, (struct place){a, "b/a"}, (struct place){b, "b/b"});
    assert_int_equal(list_ask(fixture, GK_OP_BLOB_LIST_BLOBS, "photos", no_query), GK_E_INTEGRITY);
    damage(fixture, (struct place){fixture->account.object, "c/other"},
           (struct place){fixture->account.object, "c/photos"});
    assert_int_equal(list_ask(fixture, GK_OP_BLOB_LIST_CONTAINERS, NULL, no_query), GK_E_INTEGRITY);
}

static void test_list__no_such_container(void **state)
{
    struct list_fixture *fixture = *state;
    ask_refused(fixture, "photos", no_query, 404, "ContainerNotFound");
    ask_refused(fixture, "-", no_query, 400, "OutOfRangeInput");
    ask_refused(fixture, "a--b", no_query, 400, "InvalidResourceName");
    ask_refused(fixture, "$logs", no_query, 404, "ContainerNotFound");
    /* It goes while it is listed. */
    list_add_container(fixture, "photos", NULL);
    char index[GK_INDEX_NAME_BYTES];
    const struct gk_id id = list_container_id("photos");
    gk_index_name(&id, fixture->shards - 1, index);
    const struct gk_change remove = {.kind = GK_CHANGE_REMOVE};
    const struct gk_write_op op = {
        .pool = GK_POOL_META, .object = index, .changes = &remove, .changes_count = 1};
    assert_int_equal(gk_store_write(fixture->gateway.store, &op, NULL, NULL), GK_OK);
    ask_refused(fixture, "photos", no_query, 404, "ContainerNotFound");
}

/* --- what is asked for -------------------------------------------------------------------------- */

static void test_list__refuses_parameters(void **state)
{
    struct list_fixture *fixture = *state;
    static const struct {
        struct gk_pair query;
        const char *code;
    } rows[] = {
        {{"maxresults", "0"}, "OutOfRangeQueryParameterValue"},
        {{"maxresults", "-1"}, "InvalidQueryParameterValue"},
        {{"maxresults", "x"}, "InvalidQueryParameterValue"},
        {{"maxresults", ""}, "InvalidQueryParameterValue"},
        {{"maxresults", "99999999999999999999"}, "InvalidQueryParameterValue"},
        {{"include", "everything"}, "InvalidQueryParameterValue"},
        {{"include", "metadata, deleted"}, "InvalidQueryParameterValue"},
        {{"marker", "x"}, "InvalidQueryParameterValue"},
        {{"marker", "2!76!MDAwMDA2IWJsb2I-"}, "InvalidQueryParameterValue"},
    };
    list_add_container(fixture, "photos", NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct gk_pair query[] = {rows[i].query, {NULL, NULL}};
        ask_refused(fixture, "photos", query, 400, rows[i].code);
        ask_refused(fixture, NULL, query, 400, rows[i].code);
    }
    char prefix[GK_MAP_KEY_BYTES_MAX];
    memset(prefix, 'a', sizeof prefix);
    prefix[sizeof prefix - 1] = '\0';
    const struct gk_pair too_long[] = {{"prefix", prefix}, {NULL, NULL}};
    ask_refused(fixture, "photos", too_long, 400, "OutOfRangeQueryParameterValue");
    const struct gk_pair fine[] = {{"include",
                                    "snapshots,versions,deleted,tags,copy,legalhold,"
                                    "immutabilitypolicy,deletedwithversions,permissions"},
                                   {NULL, NULL}};
    assert_int_equal(list_ask(fixture, GK_OP_BLOB_LIST_BLOBS, "photos", fine), GK_OK);
}

static void marker_of(struct list_fixture *fixture, const char *container, const char *prefix,
                      struct gk_buf *marker)
{
    const struct gk_pair query[] = {{"maxresults", "1"}, {"prefix", prefix}, {NULL, NULL}};
    assert_int_equal(list_ask(fixture, GK_OP_BLOB_LIST_BLOBS, container, query), GK_OK);
    gk_buf_reset(marker);
    gk_buf_append(marker, fixture->marker.data, fixture->marker.len);
    assert_true(marker->len > 0);
}

static void test_list__foreign_markers(void **state)
{
    struct list_fixture *fixture = *state;
    list_add_container(fixture, "photos", NULL);
    list_add_container(fixture, "other", NULL);
    list_add_blobs(fixture, "photos", tree);
    list_add_blobs(fixture, "other", tree);
    struct gk_buf marker;
    gk_buf_init(&marker, 16384);
    marker_of(fixture, "photos", "", &marker);
    const struct gk_pair query[] = {{"marker", gk_buf_str(&marker)}, {NULL, NULL}};
    assert_int_equal(list_ask(fixture, GK_OP_BLOB_LIST_BLOBS, "photos", query), GK_OK);
    ask_refused(fixture, "other", query, 400, "InvalidQueryParameterValue");
    ask_refused(fixture, NULL, query, 400, "InvalidQueryParameterValue");
    const struct gk_pair elsewhere[] = {
        {"marker", gk_buf_str(&marker)}, {"prefix", "c/"}, {NULL, NULL}};
    ask_refused(fixture, "photos", elsewhere, 400, "InvalidQueryParameterValue");
    gk_buf_cleanup(&marker);
}

/* Whatever is made of a marker, it is refused or shows what the container holds. */
static void test_list__forged_markers(void **state)
{
    struct list_fixture *fixture = *state;
    list_add_container(fixture, "photos", NULL);
    list_add_blobs(fixture, "photos", tree);
    struct gk_buf marker;
    struct gk_buf bytes;
    struct gk_buf forged;
    gk_buf_init(&marker, 16384);
    gk_buf_init(&bytes, 16384);
    gk_buf_init(&forged, 16384);
    marker_of(fixture, "photos", "a/b", &marker);
    assert_true(gk_base64url_decode(&bytes, gk_buf_span(&marker)));
    for (size_t len = 0; len < bytes.len; len++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes.data[len] ^= (uint8_t)(1u << bit);
            gk_buf_reset(&forged);
            gk_base64url_encode(&forged, gk_buf_span(&bytes));
            bytes.data[len] ^= (uint8_t)(1u << bit);
            const struct gk_pair query[] = {
                {"marker", gk_buf_str(&forged)}, {"prefix", "a/b"}, {NULL, NULL}};
            if (list_ask(fixture, GK_OP_BLOB_LIST_BLOBS, "photos", query) != GK_OK) {
                assert_string_equal(fixture->error.code, "InvalidQueryParameterValue");
            } else {
                assert_true(len >= bytes.len - strlen("/1")); /* what follows the prefix */
            }
        }
        gk_buf_reset(&forged);
        gk_base64url_encode(&forged, gk_span_of(bytes.data, len));
        const struct gk_pair query[] = {{"marker", gk_buf_str(&forged)}, {NULL, NULL}};
        if (len > 0 && len < 1 + sizeof(struct gk_id) + 2) {
            ask_refused(fixture, "photos", query, 400, "InvalidQueryParameterValue");
        }
    }
    gk_buf_reset(&bytes);
    assert_non_null(gk_buf_extend(&bytes, 1 + sizeof(struct gk_id) + GK_MAP_KEY_BYTES_MAX + 1));
    gk_buf_reset(&forged);
    gk_base64url_encode(&forged, gk_buf_span(&bytes));
    const struct gk_pair query[] = {{"marker", gk_buf_str(&forged)}, {NULL, NULL}};
    ask_refused(fixture, "photos", query, 400, "InvalidQueryParameterValue");
    gk_buf_cleanup(&marker);
    gk_buf_cleanup(&bytes);
    gk_buf_cleanup(&forged);
}

/* --- names and sizes ---------------------------------------------------------------------------- */

static void test_list__names_that_xml_cannot_carry(void **state)
{
    struct list_fixture *fixture = *state;
    list_add_container(fixture, "photos", NULL);
    list_add_blobs(fixture, "photos", (const char *[]){"\xef\xbf\xbe/a", "\xef\xbf\xbf b", NULL});
    const struct gk_pair query[] = {{"delimiter", "/"}, {"prefix", "\xef\xbf"}, {NULL, NULL}};
    assert_int_equal(list_ask(fixture, GK_OP_BLOB_LIST_BLOBS, "photos", query), GK_OK);
    const char *body = gk_buf_str(&fixture->body);
    assert_non_null(
        strstr(body, "<BlobPrefix><Name Encoded=\"true\">%EF%BF%BE/</Name></BlobPrefix>"));
    assert_non_null(strstr(body, "<Blob><Name Encoded=\"true\">%EF%BF%BF%20b</Name>"));
}

/* A page ends before it is too large to hold, and the next one goes on. */
static void test_list__a_page_is_bounded(void **state)
{
    struct list_fixture *fixture = *state;
    list_add_container(fixture, "photos", NULL);
    struct gk_blob_record record = list_record();
    char header[GK_CONTENT_HEADER_BYTES];
    memset(header, '&', sizeof header - 1); /* five times as long in XML */
    header[sizeof header - 1] = '\0';
    for (size_t i = 0; i < GK_CONTENT_HEADERS; i++) {
        record.headers[i] = header;
    }
    struct list_bulk bulk;
    struct gk_buf wanted;
    gk_buf_init(&wanted, 1u << 20);
    list_add_begin(&bulk, fixture, "photos");
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "%06d", i);
        list_add_blob(&bulk, name, &record, NULL);
        gk_buf_printf(&wanted, "b %s\n", name);
    }
    list_add_end(&bulk);
    assert_int_equal(list_ask(fixture, GK_OP_BLOB_LIST_BLOBS, "photos", no_query), GK_OK);
    assert_true(fixture->results < 1000 && fixture->marker.len > 0);
    assert_true(fixture->body.len <= GK_LIST_PAGE_BYTES_MAX);
    assert_all(fixture, "5000", "", NULL, gk_buf_str(&wanted));
    gk_buf_cleanup(&wanted);
}

#define LIST_TEST(test, setup) cmocka_unit_test_setup_teardown(test, setup, list_fixture_teardown)
#define LIST_TESTS(setup)                                                                          \
    LIST_TEST(test_list__containers, setup), LIST_TEST(test_list__containers_by_page, setup),      \
        LIST_TEST(test_list__a_blob, setup), LIST_TEST(test_list__what_a_blob_may_lack, setup),    \
        LIST_TEST(test_list__blobs_by_page, setup), LIST_TEST(test_list__many_blobs, setup),       \
        LIST_TEST(test_list__hierarchy, setup),                                                    \
        LIST_TEST(test_list__hierarchy_passes_over_members, setup),                                \
        LIST_TEST(test_list__hierarchy_of_small_directories, setup),                               \
        LIST_TEST(test_list__uncommitted_blobs, setup), LIST_TEST(test_list__metadata, setup),     \
        LIST_TEST(test_list__needs_no_key_without_metadata, setup),                                \
        LIST_TEST(test_list__damage_is_never_passed_over, setup),                                  \
        LIST_TEST(test_list__no_such_container, setup),                                            \
        LIST_TEST(test_list__refuses_parameters, setup),                                           \
        LIST_TEST(test_list__foreign_markers, setup), LIST_TEST(test_list__forged_markers, setup), \
        LIST_TEST(test_list__names_that_xml_cannot_carry, setup),                                  \
        LIST_TEST(test_list__a_page_is_bounded, setup)

/* One shard or many: what is listed is the same. */
int main(void)
{
    const struct CMUnitTest in_one[] = {LIST_TESTS(list_fixture_setup)};
    const struct CMUnitTest in_three[] = {LIST_TESTS(list_fixture_setup_3)};
    const struct CMUnitTest in_many[] = {LIST_TESTS(list_fixture_setup_64)};
    int failed = cmocka_run_group_tests_name("1 shard", in_one, NULL, NULL);
    failed += cmocka_run_group_tests_name("3 shards", in_three, NULL, NULL);
    failed += cmocka_run_group_tests_name("64 shards", in_many, NULL, NULL);
    return failed;
}
