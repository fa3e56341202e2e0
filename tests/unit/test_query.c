/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: an expression of Query Blob Contents does what it says of any text, and hostile ones do no harm.
 * Method: the whole of it but the store: parsed, run over text in pieces of every size, written out; queries
 * that are cut off at every byte, and with a byte changed.
 */
#include <stdlib.h>

#include "gateway/blob/query_avro.h"
#include "gateway/blob/query_output.h"

#include "unit/cmocka_all.h"

static const struct gk_query_format csv = {
    .kind = GK_QUERY_DELIMITED, .record = "\n", .column = ",", .quote = '"'};
static const struct gk_query_format json = {.kind = GK_QUERY_JSON, .record = "\n", .column = ","};

/* Text in pieces. */
struct text {
    const char *at;
    size_t left;
    size_t piece;
};

static enum gk_status read_text(void *ctx, uint8_t *out, size_t max, size_t *len,
                                struct gk_error *error)
{
    (void)error;
    struct text *text = ctx;
    *len = text->left < text->piece ? text->left : text->piece;
    *len = *len < max ? *len : max;
    memcpy(out, text->at, *len);
    text->at += *len;
    text->left -= *len;
    return GK_OK;
}

struct run {
    const struct gk_query_format *input;
    const struct gk_query_format *output;
    size_t piece;
    unsigned failed; /* records that could not be converted */
    struct gk_buf out;
};

static enum gk_status go_through(struct run *run, const struct gk_query_output *output,
                                 struct gk_query_reader *reader, struct gk_error *error)
{
    bool there = true;
    enum gk_status status = GK_OK;
    gk_query_output_names(output, &run->out);
    while (status == GK_OK && there) {
        enum gk_query_result result = GK_QUERY_DOES_NOT;
        status = gk_query_reader_next(reader, &there, error);
        if (status == GK_OK && there) {
            status = gk_query_engine_take(output->engine, &result, error);
        }
        run->failed += result == GK_QUERY_CANNOT_CONVERT;
        if (result == GK_QUERY_MATCHES && !output->sql->aggregates) {
            assert_true(gk_query_output_record(output, &run->out));
        }
    }
    if (status == GK_OK && output->sql->aggregates) {
        assert_true(gk_query_output_record(output, &run->out));
    }
    return status;
}

static enum gk_status ask(struct run *run, const char *expression, size_t expression_len,
                          const char *content, struct gk_error *error)
{
    struct text text = {.at = content, .left = strlen(content), .piece = run->piece};
    struct gk_query_sql *sql = NULL;
    struct gk_query_engine *engine = NULL;
    struct gk_query_reader reader;
    run->failed = 0;
    gk_buf_init(&run->out, 1u << 20);
    enum gk_status status =
        gk_query_sql_parse(gk_span_of((const uint8_t *)expression, expression_len), &sql, error);
    if (status == GK_OK) {
        status = gk_query_reader_init(&reader, run->input, read_text, &text, error);
        if (status == GK_OK) {
            status = gk_query_engine_new(sql, &reader, &engine, error);
        }
        if (status == GK_OK) {
            const struct gk_query_output output = {
                .format = run->output, .sql = sql, .reader = &reader, .engine = engine};
            status = go_through(run, &output, &reader, error);
        }
        gk_query_engine_free(engine);
        gk_query_reader_cleanup(&reader);
    }
    gk_query_sql_free(sql);
    return status;
}

static void assert_gives(const struct gk_query_format *input, const struct gk_query_format *output,
                         const char *expression, const char *content, const char *wanted)
{
    for (size_t piece = 1; piece < 20; piece++) {
        struct run run = {.input = input, .output = output, .piece = piece};
        struct gk_error error = {0};
        if (ask(&run, expression, strlen(expression), content, &error) != GK_OK) {
            fail_msg("%s: %s", expression, error.message);
        }
        assert_string_equal(gk_buf_str(&run.out), wanted);
        gk_buf_cleanup(&run.out);
    }
}

static void assert_refused(const char *expression)
{
    struct run run = {.input = &csv, .output = &csv, .piece = 100};
    struct gk_error error = {0};
    const enum gk_status status = ask(&run, expression, strlen(expression), "1,2\n", &error);
    if (status == GK_OK) {
        fail_msg("%s was taken", expression);
    }
    assert_int_equal(error.http_status, 400);
    assert_string_equal(error.code, "InvalidInput");
    gk_buf_cleanup(&run.out);
}

/* --- content ------------------------------------------------------------------------------------*/

static void test_query__delimited_text(void **state)
{
    (void)state;
    static const char all[] = "SELECT * FROM BlobStorage";
    assert_gives(&csv, &csv, all, "", "");
    assert_gives(&csv, &csv, all, "a,b", "a,b\n");
    assert_gives(&csv, &csv, all, "a,b\n", "a,b\n");
    assert_gives(&csv, &csv, all, ",\n\n", ",\n\n");
    assert_gives(&csv, &csv, all, "\"a,\"\"b\"\"\nc\",d\n", "\"a,\"\"b\"\"\nc\",d\n");
    assert_gives(&csv, &csv, all, "a\"b,\"c\"d\n", "\"a\"\"b\",cd\n");
    const struct gk_query_format odd = {.kind = GK_QUERY_DELIMITED,
                                        .record = "<>\n",
                                        .column = "::",
                                        .quote = '\'',
                                        .escape = '\\'};
    assert_gives(&odd, &csv, all, "a:b::'c::d<>\n'::e\\::f<>g<>\nh",
                 "a:b,\"c::d<>\n\",e::f<>g\nh\n");
    assert_gives(&csv, &odd, all, "a::b,c'd\n", "'a::b'::'c\\'d'<>\n");
    const struct gk_query_format named = {
        .kind = GK_QUERY_DELIMITED, .record = "\n", .column = ",", .quote = '"', .headers = true};
    assert_gives(&named, &csv, "SELECT \"b c\", _1, A FROM BlobStorage", "a,b c\n1,2\n3\n",
                 "2,1,1\n,3,3\n");
    assert_gives(&named, &json, all, "a,b\n1,2,3\n", "{\"a\":\"1\",\"b\":\"2\",\"_3\":\"3\"}\n");
}

static void test_query__json(void **state)
{
    (void)state;
    assert_gives(&json, &csv, "SELECT a.b[1].c, \"D\" FROM BlobStorage[*]",
                 "{\"a\":{\"b\":[0,{\"c\":\"x\"}]},\"d\":1}\n \n{\"D\":2.5}\n", "x,\n,2.5\n");
    assert_gives(&json, &json, "SELECT d, t.d AS e FROM BlobStorage[*] AS t WHERE d > 1",
                 "{\"d\":1}\n{\"d\":\"2\"}\n{\"d\":3}",
                 "{\"d\":\"2\",\"e\":\"2\"}\n{\"d\":3,\"e\":3}\n");
    static const char *const wrong[] = {"[1]", "{", "1", "{} {}", "{\"a\":\"\x01\"}", "\xff"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct run run = {.input = &json, .output = &json, .piece = 7};
        struct gk_error error = {0};
        static const char all[] = "SELECT * FROM BlobStorage";
        assert_int_equal(ask(&run, all, strlen(all), wrong[i], &error), GK_E_INVALID);
        gk_buf_cleanup(&run.out);
    }
}

static void test_query__values(void **state)
{
    (void)state;
    static const struct {
        const char *item;
        const char *wanted; /* of the record 7,2.5,text,"" */
    } rows[] = {{"_1 + _2", "9.5"},
                {"_1 / 2", "3"},
                {"-_1", "-7"},
                {"CAST(_2 AS STRING)", "2.5"},
                {"CAST(CAST(_2 AS FLOAT) AS INT)", "2"},
                {"CAST('true' AS BOOL)", "1"},
                {"_1 > 10", "0"},
                {"_1 > '10'", "1"},
                {"_4 + 1", ""},
                {"UPPER(_3)", "TEXT"},
                {"CHAR_LENGTH(_3)", "4"},
                {"CASE _1 WHEN '7' THEN 'yes' ELSE 'no' END", "yes"},
                {"_9 IS NULL", "1"},
                {"_3 LIKE 't%t'", "1"},
                {"_3 LIKE 'T%'", "0"},
                {"_3 LIKE '%%t%%'", "1"},
                {"_3 LIKE '____'", "1"},
                {"_3 LIKE '___'", "0"},
                {"'50%' LIKE '5_!%' ESCAPE '!'", "1"},
                {"'501' LIKE '5_!%' ESCAPE '!'", "0"},
                {"'abcabd' LIKE '%abd'", "1"},
                {"'' LIKE '%'", "1"},
                {"'' LIKE '_'", "0"},
                {"_9 LIKE '%'", ""},
                {"'\xc3\xa9t\xc3\xa9' LIKE '_t_'", "1"},
                {"_2 BETWEEN 2 AND 3", "1"},
                {"_1 NOT IN (1, 7)", "0"},
                {"_1 & 3", "3"},
                {"'it''s'", "it's"},
                {"TRUE AND NOT FALSE", "1"},
                {"9223372036854775807 + 0", "9223372036854775807"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char expression[200];
        char wanted[80];
        snprintf(expression, sizeof expression, "SELECT %s FROM BlobStorage", rows[i].item);
        snprintf(wanted, sizeof wanted, "%s\n", rows[i].wanted);
        assert_gives(&csv, &csv, expression, "7,2.5,text,\n", wanted);
    }
}

static void test_query__aggregates(void **state)
{
    (void)state;
    assert_gives(&csv, &csv,
                 "SELECT COUNT(*), COUNT(NULLIF(_1, '')), SUM(_1), AVG(_1), MIN(_1), MAX(_1) "
                 "FROM BlobStorage",
                 "3\n\n10\n", "3,2,13,6.5,,3\n");
    assert_gives(&csv, &csv, "SELECT SUM(_1) FROM BlobStorage", "9223372036854775807\n1\n",
                 "9.2233720368547758e+18\n");
    assert_gives(&csv, &json, "SELECT MIN(_1) AS a, AVG(_1) AS b FROM BlobStorage", "",
                 "{\"a\":null,\"b\":null}\n");
}

static void test_query__what_cannot_be_converted(void **state)
{
    (void)state;
    static const char *const expressions[] = {
        "SELECT CAST(_1 AS INT) FROM BlobStorage", "SELECT _1 FROM BlobStorage WHERE _1 > 1",
        "SELECT SUM(_1) FROM BlobStorage", "SELECT CAST(_1 AS FLOAT) FROM BlobStorage",
        "SELECT CAST(_1 AS BOOL) FROM BlobStorage"};
    static const char *const values[] = {"x",   "0x10", "1e999", "--1", "9223372036854775808x",
                                         "inf", "nan"};
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
            struct run run = {.input = &csv, .output = &csv, .piece = 5};
            struct gk_error error = {0};
            assert_int_equal(ask(&run, expressions[i], strlen(expressions[i]), values[k], &error),
                             GK_OK);
            assert_int_equal(run.failed, 1);
            gk_buf_cleanup(&run.out);
        }
    }
}

/* --- expressions --------------------------------------------------------------------------------*/

static void test_query__what_is_refused(void **state)
{
    (void)state;
    static const char *const expressions[] = {"",
                                              ";",
                                              "SELECT",
                                              "SELECT _1",
                                              "SELECT _1 FROM",
                                              "SELECT _1 FROM x",
                                              "SELECT FROM BlobStorage",
                                              "SELECT _1, FROM BlobStorage",
                                              "SELECT _1 FROM BlobStorage WHERE",
                                              "SELECT ( FROM BlobStorage",
                                              "SELECT _1) FROM BlobStorage",
                                              "SELECT _1 FROM BlobStorage LIMIT",
                                              "SELECT _1 FROM BlobStorage LIMIT -1",
                                              "SELECT _1 FROM BlobStorage x y",
                                              "SELECT _0 FROM BlobStorage",
                                              "SELECT _1x FROM BlobStorage",
                                              "SELECT ?1 FROM BlobStorage",
                                              "SELECT _1 FROM BlobStorage;;",
                                              "SELECT _1 /* */ FROM BlobStorage",
                                              "SELECT $a FROM BlobStorage",
                                              "SELECT @a FROM BlobStorage",
                                              "SELECT :a FROM BlobStorage",
                                              "SELECT `a` FROM BlobStorage",
                                              "SELECT sqlite_version() FROM BlobStorage",
                                              "SELECT SUM(SUM(_1)) FROM BlobStorage",
                                              "SELECT SUM(_1) + 1 FROM BlobStorage",
                                              "SELECT gk_int(_1) FROM BlobStorage",
                                              "SELECT _1 FROM BlobStorage WHERE COUNT(*) > 1",
                                              "SELECT CAST(_1 AS) FROM BlobStorage",
                                              "SELECT CAST(_1) FROM BlobStorage",
                                              "SELECT 1x FROM BlobStorage",
                                              "SELECT _1 FROM BlobStorage UNION SELECT 1",
                                              "SELECT \"\" FROM BlobStorage",
                                              "WITH a AS (SELECT 1) SELECT _1 FROM BlobStorage",
                                              "SELECT _1 IN BlobStorage FROM BlobStorage"};
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        assert_refused(expressions[i]);
    }
}

/* Whatever comes of it, it comes to an end without harm. */
static void test_query__damaged_expressions(void **state)
{
    (void)state;
    static const char good[] =
        "SELECT _1 AS \"n\", CAST(_2 AS INT) * (3 - _1), 'it''s', b.\"_2\" FROM BlobStorage[*] b "
        "WHERE _1 <> 'x' AND (_2 BETWEEN 1 AND 5 OR _1 IN ('a', 'b')) LIMIT 5;";
    static const char bytes[] = {'\0', '\'', '"', '(', ')', ',', '*',
                                 ';',  '-',  '.', '[', '9', 'A', (char)0xff};
    for (size_t len = 0; len < strlen(good); len++) {
        for (size_t k = 0; k <= sizeof bytes; k++) {
            char text[sizeof good];
            memcpy(text, good, sizeof good);
            struct run run = {.input = &csv, .output = &json, .piece = 3};
            struct gk_error error = {0};
            if (k < sizeof bytes) {
                text[len] = bytes[k];
            }
            const enum gk_status status =
                ask(&run, text, k < sizeof bytes ? strlen(good) : len, "a,2\nb,x\n", &error);
            assert_true(status == GK_OK || error.http_status == 400);
            gk_buf_cleanup(&run.out);
        }
    }
}

/* --- requests and answers -----------------------------------------------------------------------*/

static void test_query__request(void **state)
{
    (void)state;
    static const char body[] =
        "<?xml version=\"1.0\"?><QueryRequest><QueryType>SQL</QueryType><Expression>SELECT 1 &lt; "
        "2</Expression>"
        "<InputSerialization><Format><Type>delimited</"
        "Type><DelimitedTextConfiguration><ColumnSeparator>\t"
        "</ColumnSeparator><FieldQuote></FieldQuote><RecordSeparator>&#13;\n</"
        "RecordSeparator><EscapeChar>\\</EscapeChar>"
        "<HasHeaders>true</HasHeaders></DelimitedTextConfiguration></Format></InputSerialization>"
        "<OutputSerialization><Format><Type>json</Type><JsonTextConfiguration><RecordSeparator>;</"
        "RecordSeparator>"
        "</JsonTextConfiguration></Format></OutputSerialization></QueryRequest>";
    struct gk_query_request request;
    struct gk_error error = {0};
    assert_int_equal(gk_query_request_parse(gk_span_str(body), &request, &error), GK_OK);
    assert_string_equal(gk_buf_str(&request.expression), "SELECT 1 < 2");
    assert_string_equal(request.input.column, "\t");
    assert_string_equal(request.input.record, "\r\n");
    assert_true(request.input.quote == 0 && request.input.escape == '\\' && request.input.headers);
    assert_int_equal(request.output.kind, GK_QUERY_JSON);
    assert_string_equal(request.output.record, ";");
    gk_query_request_cleanup(&request);
    for (size_t len = 0; len + 1 < strlen(body); len++) {
        const struct gk_span cut = gk_span_of((const uint8_t *)body, len);
        assert_int_not_equal(gk_query_request_parse(cut, &request, &error), GK_OK);
        gk_query_request_cleanup(&request);
    }
}

static void test_query__avro(void **state)
{
    (void)state;
    struct gk_query_avro avro;
    struct gk_buf out;
    const struct gk_query_avro_error what = {
        .fatal = true, .name = "n", .description = "de", .position = 64};
    gk_buf_init(&out, 65536);
    assert_int_equal(gk_query_avro_begin(&avro, &out, NULL), GK_OK);
    assert_memory_equal(out.data, "Obj\1\4\26avro.schema", 17);
    const size_t head = out.len;
    gk_query_avro_data(&avro, gk_span_str("abc"));
    gk_query_avro_error(&avro, &what);
    gk_query_avro_progress(&avro, 300, UINT64_C(1) << 40);
    gk_query_avro_end(&avro, 1);
    gk_query_avro_flush(&avro, &out);
    static const uint8_t block[] = {8, 50,   0,    6,    'a',  'b',  'c',  2, 1,
                                    2, 'n',  4,    'd',  'e',  0x80, 1,    4, 0xd8,
                                    4, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 6, 2};
    assert_memory_equal(out.data + head, block, 1);
    assert_memory_equal(out.data + head + 2, block + 2, sizeof block - 2);
    assert_int_equal(out.data[head + 1], 2 * (sizeof block - 2));
    assert_memory_equal(out.data + head + sizeof block, avro.sync, sizeof avro.sync);
    assert_int_equal(out.len, head + sizeof block + sizeof avro.sync);
    gk_query_avro_cleanup(&avro);
    gk_buf_cleanup(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query__delimited_text),
        cmocka_unit_test(test_query__json),
        cmocka_unit_test(test_query__values),
        cmocka_unit_test(test_query__aggregates),
        cmocka_unit_test(test_query__what_cannot_be_converted),
        cmocka_unit_test(test_query__what_is_refused),
        cmocka_unit_test(test_query__damaged_expressions),
        cmocka_unit_test(test_query__request),
        cmocka_unit_test(test_query__avro),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
