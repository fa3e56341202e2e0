/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a target is split as it is documented, what is malformed gets no further, and every operation
 * of the Blob service is reached by the request that its row describes.
 * Method: tables of targets; and for each row of operations.def a request made of the row itself.
 */
#include "gateway/http/route.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit/cmocka_all.h"
#include "unit/request_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define DOMAIN       "blob.example"

/* --- targets ------------------------------------------------------------------------------------ */

static const struct {
    const char *path;
    const char *host;
    bool path_style;
    const char *container;
    const char *blob;
} targets[] = {
    {"/acct", "127.0.0.1:10000", true, "", ""},
    {"/acct/", "127.0.0.1:10000", true, "", ""},
    {"/acct/c", "127.0.0.1:10000", true, "$root", "c"},
    {"/acct/c/", "127.0.0.1:10000", true, "c", ""},
    {"/acct/c/b", "127.0.0.1:10000", true, "c", "b"},
    {"/acct/c/a/b//d/", "127.0.0.1:10000", true, "c", "a/b//d/"},
    {"/acct/$root/b", "127.0.0.1:10000", true, "$root", "b"},
    {"/acct/c/b", NULL, true, "c", "b"},
    {"/acct/c/b", "", true, "c", "b"},
    /* Decoded once; in a path a plus is a plus, and an encoded slash a slash of the name. */
    {"/acct/c/h%20%C3%A4.txt", "h", true, "c", "h \xc3\xa4.txt"},
    {"/acct/c/a%2Fb%2fc", "h", true, "c", "a/b/c"},
    {"/acct/c/100%25%32%35", "h", true, "c", "100%25"},
    {"/acct/c/a+b", "h", true, "c", "a+b"},
    {"/acct/c/%F0%9F%94%91%EF%BF%BD", "h", true, "c", "\xf0\x9f\x94\x91\xef\xbf\xbd"},
    {"/acct/c/../d", "h", true, "c", "../d"},
    /* The host names the account. */
    {"/", "acct." DOMAIN, false, "", ""},
    {"/c/b", "acct." DOMAIN, false, "c", "b"},
    {"/b", "acct." DOMAIN, false, "$root", "b"},
    {"/c/b", "acct." DOMAIN ":10000", false, "c", "b"},
    {"/c/b", "acct.BLOB.Example", false, "c", "b"},
    {"/acct/b", "acct." DOMAIN, false, "acct", "b"},
    /* It does not: the path does. */
    {"/acct/c/", DOMAIN, true, "c", ""},
    {"/acct/c/", "." DOMAIN, true, "c", ""},
    {"/acct/c/", "acct." DOMAIN ".evil", true, "c", ""},
    {"/acct/c/", "acct.x" DOMAIN, true, "c", ""},
    {"/acct/c/", "evil" DOMAIN, true, "c", ""},
    /* It names something that is no account. */
    {"/acct/c", "acct.more." DOMAIN, false, NULL, NULL},
    {"/acct/c", "ac-t." DOMAIN, false, NULL, NULL},
};

static void test_route__target(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(targets); i++) {
        struct gk_route route;
        struct gk_error error = {0};
        const enum gk_status status =
            gk_route_parse(&route, targets[i].path, "", targets[i].host, DOMAIN, &error);
        if (targets[i].container == NULL) {
            assert_answer(status, &error, 400, "InvalidUri");
        } else {
            assert_int_equal(status, GK_OK);
            assert_string_equal(route.account, "acct");
            assert_int_equal(route.path_style, targets[i].path_style);
            assert_string_equal(route.container, targets[i].container);
            assert_string_equal(route.blob, targets[i].blob);
            assert_int_equal(route.query_count, 0);
        }
        gk_route_cleanup(&route);
    }
}

static void test_route__without_a_domain_the_path_names_the_account(void **state)
{
    (void)state;
    struct gk_route route;
    assert_int_equal(gk_route_parse(&route, "/acct/c/b", "", "other." DOMAIN, NULL, NULL), GK_OK);
    assert_string_equal(route.account, "acct");
    assert_true(route.path_style);
    gk_route_cleanup(&route);
}

static void test_route__restype_tells_a_container_from_a_blob(void **state)
{
    (void)state;
    struct gk_route route;
    assert_int_equal(
        gk_route_parse(&route, "/acct/c", "comp=list&RESTYPE=container", "h", NULL, NULL), GK_OK);
    assert_string_equal(route.container, "c");
    assert_string_equal(route.blob, "");
    gk_route_cleanup(&route);
    assert_int_equal(gk_route_parse(&route, "/acct/c", "comp=tags", "h", NULL, NULL), GK_OK);
    assert_string_equal(route.container, "$root");
    assert_string_equal(route.blob, "c");
    gk_route_cleanup(&route);
}

static void test_route__the_secondary_endpoint(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *host;
        bool secondary;
    } places[] = {
        {"/acct-secondary/c/b", "h", true},
        {"/c/b", "acct-secondary." DOMAIN, true},
        {"/acct/c-secondary/b", "h", false},
        {"/acct/c/b", "h", false},
    };
    struct gk_route route;
    for (size_t i = 0; i < COUNT(places); i++) {
        assert_int_equal(gk_route_parse(&route, places[i].path, "", places[i].host, DOMAIN, NULL),
                         GK_OK);
        assert_string_equal(route.account, "acct");
        assert_int_equal(route.secondary, places[i].secondary);
        gk_route_cleanup(&route);
    }
    static const char *const paths[] = {"/-secondary/c", "/acct-secondary-secondary/c",
                                        "/acct-Secondary/c", "/acct-secondaryx/c"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct gk_error error = {0};
        assert_answer(gk_route_parse(&route, paths[i], "", "h", DOMAIN, &error), &error, 400,
                      "InvalidUri");
        gk_route_cleanup(&route);
    }
}

static void test_route__bad_targets(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "",
        "acct/c",
        "*",
        "/",
        "//c",
        /* An account's name has 3 to 24 lower-case letters and digits. */
        "/ac/c",
        "/abcdefghijklmnopqrstuvwxy/c",
        "/Acct/c",
        "/ac-t/c",
        "/acc%74/c",
        /* Escapes are whole, and no NUL hides in one. */
        "/acct/c/%",
        "/acct/c/%4",
        "/acct/c/%zz",
        "/acct/c/%4g",
        "/acct/c/a%00b",
        /* Control characters. */
        "/acct/c/a%0ab",
        "/acct/c/a%7F",
        "/acct/%1f/b",
        /* UTF-8: alone, cut short, longer than needed, a surrogate, beyond the last. */
        "/acct/c/%80",
        "/acct/c/%C3",
        "/acct/c/%C3%28",
        "/acct/c/%E2%82",
        "/acct/c/%C0%AF",
        "/acct/c/%E0%80%AF",
        "/acct/c/%F0%80%80%AF",
        "/acct/c/%ED%A0%80",
        "/acct/c/%F4%90%80%80",
        "/acct/c/%F8%88%80%80%80",
        "/acct/c/%FF",
    };
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct gk_route route;
        struct gk_error error = {0};
        assert_answer(gk_route_parse(&route, paths[i], "", "h", DOMAIN, &error), &error, 400,
                      "InvalidUri");
        gk_route_cleanup(&route);
    }
}

static void test_route__a_target_has_an_end(void **state)
{
    (void)state;
    struct gk_route route;
    struct gk_error error = {0};
    char *path = malloc(40000);
    assert_non_null(path);
    memset(path, 'a', 40000);
    memcpy(path, "/acct/c/", 8);
    path[16000] = '\0';
    assert_int_equal(gk_route_parse(&route, path, "comp=tags", "h", NULL, &error), GK_OK);
    assert_int_equal(strlen(route.blob), 16000 - 8);
    gk_route_cleanup(&route);
    path[16000] = 'a';
    path[39999] = '\0';
    assert_answer(gk_route_parse(&route, path, "", "h", NULL, &error), &error, 400, "InvalidUri");
    gk_route_cleanup(&route);
    assert_answer(gk_route_parse(&route, "/acct/c/b", path, "h", NULL, &error), &error, 400,
                  "InvalidUri");
    gk_route_cleanup(&route);
    free(path);
}

/* --- parts of a batch --------------------------------------------------------------------------- */

static void test_route__part(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *host;
        const char *account;
        const char *container;
    } parts[] = {{"/acct/c/b", "h", "acct", "c"},
                 {"/c/b", "h", "acct", "c"},
                 {"/acctx/b", "h", "acct", "acctx"},
                 {"/c/b", "acct." DOMAIN, "acct", "c"},
                 {"/c/b", "other." DOMAIN, "other", "c"}};
    for (size_t i = 0; i < COUNT(parts); i++) {
        struct gk_route route;
        assert_int_equal(
            gk_route_parse_part(&route, parts[i].path, "", parts[i].host, DOMAIN, "acct", NULL),
            GK_OK);
        assert_string_equal(route.account, parts[i].account);
        assert_string_equal(route.container, parts[i].container);
        assert_string_equal(route.blob, "b");
        gk_route_cleanup(&route);
    }
}

/* --- websites ----------------------------------------------------------------------------------- */

static void test_route__website(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *blob; /* NULL: refused */
    } pages[] = {{"/", ""},
                 {"/index.html", "index.html"},
                 {"/a/b%20c/", "a/b c/"},
                 {"/%2e%2e/a", "../a"},
                 {"", NULL},
                 {"/%00", NULL},
                 {"/%ff", NULL}};
    for (size_t i = 0; i < COUNT(pages); i++) {
        struct gk_route route;
        struct gk_error error = {0};
        const enum gk_status status = gk_route_parse_website(
            &route, pages[i].path, "acct.web.example:80", "web.example", &error);
        if (pages[i].blob == NULL) {
            assert_answer(status, &error, 400, "InvalidUri");
        } else {
            assert_int_equal(status, GK_OK);
            assert_string_equal(route.account, "acct");
            assert_string_equal(route.container, "$web");
            assert_string_equal(route.blob, pages[i].blob);
        }
        gk_route_cleanup(&route);
    }
    assert_true(gk_route_is_below("acct.web.example", "web.example"));
    assert_false(gk_route_is_below("web.example", "web.example"));
    assert_false(gk_route_is_below("acct.blob.example", "web.example"));
    assert_false(gk_route_is_below("acct.web.example", NULL));
    assert_false(gk_route_is_below(NULL, "web.example"));
}

/* --- queries ------------------------------------------------------------------------------------ */

static const struct {
    const char *query;
    const char *shown; /* <name>=<value> each; NULL: refused */
} queries[] = {
    {"", ""},
    {"&&&", ""},
    {"restype=container&comp=list", "<restype>=<container><comp>=<list>"},
    {"&comp=list&", "<comp>=<list>"},
    {"comp", "<comp>=<>"},
    {"comp=", "<comp>=<>"},
    {"=x", "<>=<x>"},
    {"a=b=c", "<a>=<b=c>"},
    {"a=1&a=2", "<a>=<1><a>=<2>"},
    {"prefix=dir%2F%26%3D&m%61rker=%C3%A4+b%2B", "<prefix>=<dir/&=><marker>=<\xc3\xa4 b+>"},
    {"sig=%2F%2b%3D", "<sig>=</+=>"},
    {"a=?", "<a>=<?>"},
    {"a=%00", NULL},
    {"a=%0d%0a", NULL},
    {"%0a=a", NULL},
    {"a=%", NULL},
    {"a=%ff", NULL},
};

static void test_route__query(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(queries); i++) {
        struct gk_route route;
        struct gk_error error = {0};
        const enum gk_status status =
            gk_route_parse(&route, "/acct/c/b", queries[i].query, "h", NULL, &error);
        if (queries[i].shown == NULL) {
            assert_answer(status, &error, 400, "InvalidQueryParameterValue");
            gk_route_cleanup(&route);
            continue;
        }
        assert_int_equal(status, GK_OK);
        struct gk_buf shown;
        gk_buf_init(&shown, 1024);
        for (size_t k = 0; k < route.query_count; k++) {
            gk_buf_printf(&shown, "<%s>=<%s>", route.query[k].name, route.query[k].value);
        }
        assert_string_equal(gk_buf_str(&shown), queries[i].shown);
        gk_buf_cleanup(&shown);
        gk_route_cleanup(&route);
    }
}

static void test_route__so_many_parameters(void **state)
{
    (void)state;
    struct gk_buf query;
    gk_buf_init(&query, 4096);
    for (unsigned i = 0; i < GK_QUERY_MAX; i++) {
        gk_buf_printf(&query, "&p%u=%u", i, i);
    }
    struct gk_route route;
    struct gk_error error = {0};
    assert_int_equal(gk_route_parse(&route, "/acct/c", gk_buf_str(&query), "h", NULL, &error),
                     GK_OK);
    assert_int_equal(route.query_count, GK_QUERY_MAX);
    assert_string_equal(route.query[63].name, "p63");
    assert_string_equal(route.query[63].value, "63");
    gk_route_cleanup(&route);
    gk_buf_append_str(&query, "&one=more");
    assert_answer(gk_route_parse(&route, "/acct/c", gk_buf_str(&query), "h", NULL, &error), &error,
                  400, "InvalidQueryParameterValue");
    gk_route_cleanup(&route);
    gk_buf_cleanup(&query);
}

/* --- operations --------------------------------------------------------------------------------- */

struct row {
    enum gk_operation operation;
    const char *service;
    const char *method;
    const char *level;
    const char *restype;
    const char *comp;
    const char *selector;
};

static const struct row rows[] = {
#define GK_OPERATION(id, service, name, method, level, restype, comp, selector, access, revoked,   \
                     key, success, uri, query)                                                     \
    {GK_OP_##id, #service, method, #level, restype, comp, selector},
#include "gatekey/operations.def"
#undef GK_OPERATION
};

#define PAIRS_MAX 8u

/* A request that is made of text. */
struct made {
    char text[512];
    size_t used;
    struct gk_pair headers[PAIRS_MAX];
    size_t headers_count;
    struct gk_pair query[PAIRS_MAX];
    size_t query_count;
};

static const char *keep(struct made *made, const char *text, size_t len)
{
    assert_true(made->used + len < sizeof made->text);
    char *copy = made->text + made->used;
    memcpy(copy, text, len);
    copy[len] = '\0';
    made->used += len + 1;
    return copy;
}

static void add_query(struct made *made, const char *name, const char *value)
{
    if (value[0] != '\0') {
        assert_true(made->query_count < PAIRS_MAX);
        made->query[made->query_count++] = (struct gk_pair){.name = name, .value = value};
    }
}

static void add_header(struct made *made, const char *name, const char *value)
{
    assert_true(made->headers_count < PAIRS_MAX - 1);
    made->headers[made->headers_count++] = (struct gk_pair){.name = name, .value = value};
}

/* h:NAME[=VALUE], q:NAME=ITEM, m:PREFIX. */
static void add_condition(struct made *made, const char *condition, size_t len)
{
    const char *rest = condition + 2;
    const char *equals = memchr(rest, '=', len - 2);
    const size_t name_len = equals == NULL ? len - 2 : (size_t)(equals - rest);
    const size_t value_len = equals == NULL ? 0 : len - 2 - name_len - 1;
    const char *name = keep(made, rest, name_len);
    if (condition[0] == 'h') {
        add_header(made, name, equals == NULL ? "x" : keep(made, equals + 1, value_len));
    } else if (condition[0] == 'q') {
        char list[128];
        snprintf(list, sizeof list, "copy,%.*s,deleted", (int)value_len, equals + 1);
        add_query(made, name, keep(made, list, strlen(list)));
    } else {
        assert_int_equal(condition[0], 'm');
        char header[128];
        snprintf(header, sizeof header, "%sowner", name);
        add_header(made, keep(made, header, strlen(header)), "x");
    }
}

static void make(struct made *made, const struct row *row)
{
    *made = (struct made){.used = 0};
    add_query(made, "restype", row->restype);
    add_query(made, "comp", row->comp);
    for (const char *at = row->selector; *at != '\0';) {
        const size_t len = strcspn(at, " ");
        add_condition(made, at, len);
        at += len + (at[len] == ' ' ? 1 : 0);
    }
}

static enum gk_status ask(const struct made *made, const char *method, const char *container,
                          const char *blob, enum gk_operation *operation, struct gk_error *error)
{
    struct headed headed;
    headed_init(&headed, made->headers);
    headed.request.method = method;
    headed.request.container = container;
    headed.request.blob = blob;
    headed.request.query = made->query;
    headed.request.query_count = made->query_count;
    *operation = GK_OPERATIONS_COUNT;
    return gk_route_operation(&headed.request, operation, error);
}

static void assert_routes(const struct row *row, const char *container, const char *blob)
{
    struct made made;
    make(&made, row);
    for (const char *at = row->method; *at != '\0';) {
        const size_t len = strcspn(at, "/");
        char method[16];
        snprintf(method, sizeof method, "%.*s", (int)len, at);
        enum gk_operation operation;
        struct gk_error error = {0};
        if (ask(&made, method, container, blob, &operation, &error) != GK_OK ||
            operation != row->operation) {
            fail_msg("%s %s of /%s/%s: %s, not %s", method, gk_operation_name(row->operation),
                     container, blob, error.code, gk_operation_name(operation));
        }
        at += len + (at[len] == '/' ? 1 : 0);
    }
}

static void test_route__every_row_is_reached(void **state)
{
    (void)state;
    static const struct {
        const char *level;
        const char *container;
        const char *blob;
    } levels[] = {{"SERVICE", "", ""}, {"CONTAINER", "c", ""}, {"BLOB", "c", "dir/b"}};
    size_t reached = 0;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t k = 0; strcmp(rows[i].service, "BLOB") == 0 && k < COUNT(levels); k++) {
            if (strcmp(rows[i].level, levels[k].level) == 0 || strcmp(rows[i].level, "ANY") == 0) {
                assert_routes(&rows[i], levels[k].container, levels[k].blob);
                reached++;
            }
        }
    }
    assert_true(reached > 60);
}

static void test_route__names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(strlen(gk_operation_name(rows[i].operation)) > 3);
    }
    assert_string_equal(gk_operation_name(GK_OP_BLOB_GET_BLOB), "Get Blob");
    assert_string_equal(gk_operation_name(GK_OPERATIONS_COUNT), "unknown");
}

/* What a row alone does not say: case, order, and what comes closest. */
static const struct {
    const char *method;
    const char *container;
    const char *blob;
    struct gk_pair query[3];
    struct gk_pair headers[3];
    unsigned http_status; /* 0: the operation */
    const char *code;
    enum gk_operation operation;
} requests[] = {
    {"GET",
     "c",
     "",
     {{"RESTYPE", "Container"}, {"Comp", "LIST"}},
     {{0}},
     0,
     "",
     GK_OP_BLOB_LIST_BLOBS},
    {"GET",
     "c",
     "",
     {{"restype", "container"}, {"comp", "list"}, {"include", "tags,Metadata"}},
     {{0}},
     0,
     "",
     GK_OP_BLOB_LIST_BLOBS_WITH_METADATA},
    {"GET",
     "c",
     "",
     {{"restype", "container"}, {"comp", "list"}, {"include", "metadatas"}},
     {{0}},
     0,
     "",
     GK_OP_BLOB_LIST_BLOBS},
    {"GET",
     "c",
     "",
     {{"restype", "container"}, {"comp", "list"}, {"prefix", "metadata"}},
     {{0}},
     0,
     "",
     GK_OP_BLOB_LIST_BLOBS},
    {"PUT",
     "c",
     "b",
     {{0}},
     {{"X-MS-Blob-Type", "blockblob"}},
     0,
     "",
     GK_OP_BLOB_PUT_BLOB_BLOCKBLOB},
    {"PUT",
     "c",
     "b",
     {{0}},
     {{"x-ms-blob-type", "BlockBlob"}, {"x-ms-copy-source", "http://h/"}},
     0,
     "",
     GK_OP_BLOB_PUT_BLOB_FROM_URL},
    {"PUT",
     "c",
     "b",
     {{0}},
     {{"x-ms-requires-sync", "true"}, {"x-ms-copy-source", "http://h/"}},
     0,
     "",
     GK_OP_BLOB_COPY_BLOB_FROM_URL},
    {"PUT",
     "c",
     "b",
     {{0}},
     {{"x-ms-requires-sync", "false"}, {"x-ms-copy-source", "http://h/"}},
     0,
     "",
     GK_OP_BLOB_COPY_BLOB},
    {"PUT",
     "c",
     "b",
     {{"comp", "snapshot"}},
     {{"x-ms-meta", "x"}},
     0,
     "",
     GK_OP_BLOB_SNAPSHOT_BLOB},
    {"GET", "", "", {{"comp", "list"}}, {{0}}, 0, "", GK_OP_BLOB_LIST_CONTAINERS},
    {"GET", "c", "b", {{"timeout", "30"}, {"comp", ""}}, {{0}}, 0, "", GK_OP_BLOB_GET_BLOB},
    /* Of two, the first counts. */
    {"GET",
     "c",
     "b",
     {{"comp", "tags"}, {"comp", "metadata"}},
     {{0}},
     0,
     "",
     GK_OP_BLOB_GET_BLOB_TAGS},
    /* Refusals. */
    {"PUT", "c", "b", {{0}}, {{0}}, 400, "MissingRequiredHeader", 0},
    {"PUT", "c", "b", {{0}}, {{"x-ms-blob-type", "BlobBlob"}}, 400, "InvalidHeaderValue", 0},
    {"PUT",
     "c",
     "b",
     {{"comp", "lease"}},
     {{"x-ms-lease-action", "seize"}},
     400,
     "InvalidHeaderValue",
     0},
    {"GET", "c", "b", {{"comp", "nonsense"}}, {{0}}, 400, "InvalidQueryParameterValue", 0},
    {"GET", "c", "", {{0}}, {{0}}, 400, "InvalidQueryParameterValue", 0},
    {"GET", "", "", {{0}}, {{0}}, 400, "InvalidQueryParameterValue", 0},
    {"GET", "c", "b", {{"restype", "container"}}, {{0}}, 400, "InvalidQueryParameterValue", 0},
    {"GET", "c", "", {{"restype", "share"}}, {{0}}, 400, "InvalidQueryParameterValue", 0},
    {"DELETE", "", "", {{0}}, {{0}}, 405, "UnsupportedHttpVerb", 0},
    {"POST", "c", "b", {{"comp", "list"}}, {{0}}, 400, "InvalidQueryParameterValue", 0},
    {"PATCH", "c", "b", {{0}}, {{0}}, 405, "UnsupportedHttpVerb", 0},
    {"", "c", "b", {{0}}, {{0}}, 405, "UnsupportedHttpVerb", 0},
    {"GET/HEAD", "c", "b", {{0}}, {{0}}, 405, "UnsupportedHttpVerb", 0},
    /* A method's name has its case (RFC 9110, 9.1). */
    {"get", "c", "b", {{0}}, {{0}}, 405, "UnsupportedHttpVerb", 0},
};

static void test_route__what_is_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(requests); i++) {
        struct made made = {.used = 0};
        for (size_t k = 0; k < 3 && requests[i].query[k].name != NULL; k++) {
            made.query[made.query_count++] = requests[i].query[k];
        }
        for (size_t k = 0; k < 3 && requests[i].headers[k].name != NULL; k++) {
            add_header(&made, requests[i].headers[k].name, requests[i].headers[k].value);
        }
        enum gk_operation operation;
        struct gk_error error = {0};
        const enum gk_status status = ask(&made, requests[i].method, requests[i].container,
                                          requests[i].blob, &operation, &error);
        assert_answer(status, &error, requests[i].http_status, requests[i].code);
        if (status == GK_OK) {
            assert_string_equal(gk_operation_name(operation),
                                gk_operation_name(requests[i].operation));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_route__target),
        cmocka_unit_test(test_route__without_a_domain_the_path_names_the_account),
        cmocka_unit_test(test_route__restype_tells_a_container_from_a_blob),
        cmocka_unit_test(test_route__the_secondary_endpoint),
        cmocka_unit_test(test_route__bad_targets),
        cmocka_unit_test(test_route__a_target_has_an_end),
        cmocka_unit_test(test_route__part),
        cmocka_unit_test(test_route__website),
        cmocka_unit_test(test_route__query),
        cmocka_unit_test(test_route__so_many_parameters),
        cmocka_unit_test(test_route__every_row_is_reached),
        cmocka_unit_test(test_route__names),
        cmocka_unit_test(test_route__what_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
