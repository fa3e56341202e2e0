/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is written is XML whatever stands in it, and what is read is XML or refused. Method:
 * tables, and what one half writes, the other reads.
 */
#include "gateway/blob/xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit/cmocka_all.h"

#define DECLARATION "<?xml version=\"1.0\" encoding=\"utf-8\"?>"

/* --- writing ------------------------------------------------------------------------------------ */

static void test_xml__writes(void **state)
{
    (void)state;
    struct gk_buf out;
    struct gk_xml_writer writer;
    gk_buf_init(&out, 4096);
    gk_xml_writer_init(&writer, &out);
    gk_xml_open(&writer, "A");
    gk_xml_attribute(&writer, "x", "1<2 & \"3\"");
    gk_xml_text(&writer, "B", "<&>\"");
    gk_xml_text(&writer, "C", "");
    gk_xml_text(&writer, "D", NULL);
    gk_xml_u64(&writer, "E", UINT64_MAX);
    gk_xml_name(&writer, "F", "a/\xc3\xa9 \xf0\x9f\x94\x91");
    gk_xml_open(&writer, "G"); /* finish closes what is open */
    assert_int_equal(gk_xml_writer_finish(&writer, NULL), GK_OK);
    assert_string_equal(gk_buf_str(&out),
                        DECLARATION "<A x=\"1&lt;2 &amp; &quot;3&quot;\"><B>&lt;&amp;&gt;&quot;</B>"
                                    "<C/><D/><E>18446744073709551615</E>"
                                    "<F>a/\xc3\xa9 \xf0\x9f\x94\x91</F><G/></A>\n");
    gk_buf_cleanup(&out);
}

static void test_xml__names_that_xml_cannot_carry(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *xml;
    } rows[] = {
        {"a\xef\xbf\xbe/b c", "<N Encoded=\"true\">a%EF%BF%BE/b%20c</N>"}, /* U+FFFE */
        {"\xef\xbf\xbf", "<N Encoded=\"true\">%EF%BF%BF</N>"},             /* U+FFFF */
        {"\xef\xbf\xbd", "<N>\xef\xbf\xbd</N>"},                           /* U+FFFD is fine */
        {"\xee\x80\x80", "<N>\xee\x80\x80</N>"},
        {"\xc2\x80", "<N>\xc2\x80</N>"}, /* C1 controls are fine in XML 1.0 */
        {"\x01", "<N Encoded=\"true\">%01</N>"},
        {"", "<N/>"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gk_buf out;
        struct gk_xml_writer writer;
        gk_buf_init(&out, 4096);
        gk_xml_writer_init(&writer, &out);
        gk_xml_name(&writer, "N", rows[i].name);
        assert_int_equal(gk_xml_writer_finish(&writer, NULL), GK_OK);
        char wanted[256];
        snprintf(wanted, sizeof wanted, DECLARATION "%s\n", rows[i].xml);
        assert_string_equal(gk_buf_str(&out), wanted);
        gk_buf_cleanup(&out);
    }
}

static void test_xml__text_that_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *xml;
    } rows[] = {
        {"a\x01z", "a\xef\xbf\xbdz"},
        {"\xff", "\xef\xbf\xbd"},
        {"caf\xe9", "caf\xef\xbf\xbd"},                           /* Latin-1 */
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* not the shortest form */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
        {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* broken off */
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf4\x8f\xbf\xbd", "\xf4\x8f\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gk_buf out;
        struct gk_xml_writer writer;
        gk_buf_init(&out, 4096);
        gk_xml_writer_init(&writer, &out);
        gk_xml_open(&writer, "R");
        gk_xml_attribute(&writer, "a", rows[i].text);
        gk_xml_text(&writer, "T", rows[i].text);
        assert_int_equal(gk_xml_writer_finish(&writer, NULL), GK_OK);
        assert_non_null(strstr(gk_buf_str(&out), rows[i].xml));
        assert_null(strstr(gk_buf_str(&out), "\xff"));
        gk_buf_cleanup(&out);
    }
}

static void test_xml__a_failure_sticks(void **state)
{
    (void)state;
    struct gk_buf out;
    struct gk_xml_writer writer;
    gk_buf_init(&out, 64);
    gk_xml_writer_init(&writer, &out);
    gk_xml_open(&writer, "A");
    for (int i = 0; i < 100; i++) {
        gk_xml_text(&writer, "B", "text");
    }
    assert_int_equal(gk_xml_writer_finish(&writer, NULL), GK_E_LIMIT);
    gk_buf_cleanup(&out);

    gk_buf_init(&out, 4096);
    gk_xml_writer_init(&writer, &out);
    gk_xml_open(&writer, "A");
    gk_xml_writer_cleanup(&writer); /* left unfinished */
    gk_xml_writer_cleanup(&writer);
    gk_buf_cleanup(&out);
}

/* --- reading ------------------------------------------------------------------------------------ */

/* Writes down what it is told. */
struct notes {
    struct gk_buf text;
    const char *refuse; /* an element to refuse */
};

static bool note_open(void *ctx, const char *element, unsigned depth)
{
    struct notes *notes = ctx;
    gk_buf_printf(&notes->text, "<%s:%u>", element, depth);
    return notes->refuse == NULL || strcmp(notes->refuse, element) != 0;
}

static bool note_text(void *ctx, struct gk_span text)
{
    struct notes *notes = ctx;
    gk_buf_append(&notes->text, text.data, text.len);
    return true;
}

static bool note_close(void *ctx, unsigned depth)
{
    struct notes *notes = ctx;
    gk_buf_printf(&notes->text, "</%u>", depth);
    return true;
}

static enum gk_status read_noting(struct gk_span document, struct notes *notes)
{
    const struct gk_xml_visitor visitor = {
        .ctx = notes, .open = note_open, .text = note_text, .close = note_close};
    gk_buf_init(&notes->text, 65536);
    return gk_xml_read(document, &visitor, NULL);
}

static void test_xml__reads(void **state)
{
    (void)state;
    static const struct {
        const char *document;
        const char *notes;
    } rows[] = {
        {"<A/>", "<A:0></0>"},
        {DECLARATION "<A><B>x</B> <B/></A>\n", "<A:0><B:1>x</1> <B:1></1></0>"},
        {"\xef\xbb\xbf" DECLARATION "<A>&lt;&#x41;&amp;</A>", "<A:0><A&</0>"},
        {"\n <A b='c'><!-- d --><?e f?><![CDATA[<g>]]></A>", "<A:0><g></0>"},
        /* Whatever it says, it is read as UTF-8. */
        {"<?xml version='1.0' encoding='iso-8859-1'?><A>\xc3\xa9</A>", "<A:0>\xc3\xa9</0>"},
        {"<?xml version='1.0' encoding='utf-16'?><A/>", "<A:0></0>"},
        {"<?xml version='1.0' encoding='no-such-thing'?><A/>", "<A:0></0>"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct notes notes = {0};
        assert_int_equal(read_noting(gk_span_str(rows[i].document), &notes), GK_OK);
        assert_string_equal(gk_buf_str(&notes.text), rows[i].notes);
        gk_buf_cleanup(&notes.text);
    }
}

static void test_xml__refuses(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "",
        " ",
        "x",
        "<",
        "<A>",
        "<A></B>",
        "<A/><A/>",
        "<A/>x",
        "<A>&b;</A>",
        "<A>\xff</A>",
        "<A>\xc0\xaf</A>",
        "<A>&#0;</A>",
        "<A>\x01</A>",
        "\xef\xbb\xbf",
        "<!DOCTYPE A><A/>",
        "<!DOCTYPE A [<!ENTITY b 'c'>]><A>&b;</A>",
        "<!DOCTYPE A SYSTEM 'file:///etc/passwd'><A/>",
        "<!DOCTYPE A [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><A>&b;</A>",
        "<!DOCTYPE A [<!ENTITY b 'bb'><!ENTITY c '&b;&b;&b;'>]><A>&c;&c;</A>",
        "<!DOCTYPE A [<!ENTITY % b SYSTEM 'http://127.0.0.1:1/'> %b;]><A/>",
        "<n:A xmlns:n='urn:n'/>",
        "<A><B><C><D><E><F><G><H><I/></H></G></F></E></D></C></B></A>",
        "Lo\xa7\x94", /* EBCDIC */
    };
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        struct notes notes = {0};
        assert_int_equal(read_noting(gk_span_str(documents[i]), &notes), GK_E_INVALID);
        gk_buf_cleanup(&notes.text);
    }
    static const char wide[] = "\xff\xfe<\0A\0/\0>\0"; /* UTF-16, with its mark and without */
    for (size_t from = 0; from <= 2; from += 2) {
        struct notes notes = {0};
        assert_int_equal(read_noting(gk_span_of(wide + from, sizeof wide - 1 - from), &notes),
                         GK_E_INVALID);
        gk_buf_cleanup(&notes.text);
    }
}

static void test_xml__a_visitor_may_refuse(void **state)
{
    (void)state;
    struct notes notes = {.refuse = "C"};
    assert_int_equal(read_noting(gk_span_str("<A><B/><C/><D/></A>"), &notes), GK_E_INVALID);
    assert_string_equal(gk_buf_str(&notes.text), "<A:0><B:1></1><C:1>");
    gk_buf_cleanup(&notes.text);
}

/* The errors of a document are its sender's, not the operator's. */
static void test_xml__says_nothing_on_stderr(void **state)
{
    (void)state;
    FILE *caught = tmpfile();
    assert_non_null(caught);
    fflush(stderr);
    const int kept = dup(STDERR_FILENO);
    assert_true(kept >= 0 && dup2(fileno(caught), STDERR_FILENO) >= 0);
    test_xml__refuses(NULL);
    fflush(stderr);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    close(kept);
    assert_int_equal(fseek(caught, 0, SEEK_END), 0);
    assert_int_equal(ftell(caught), 0);
    fclose(caught);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xml__writes),
        cmocka_unit_test(test_xml__names_that_xml_cannot_carry),
        cmocka_unit_test(test_xml__text_that_is_none),
        cmocka_unit_test(test_xml__a_failure_sticks),
        cmocka_unit_test(test_xml__reads),
        cmocka_unit_test(test_xml__refuses),
        cmocka_unit_test(test_xml__a_visitor_may_refuse),
        cmocka_unit_test(test_xml__says_nothing_on_stderr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
