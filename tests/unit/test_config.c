/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whatever is wrong in a configuration file is refused with its line and a remedy, and the
 * example explains every setting that there is.
 * Method: one good file as a list of lines; each case replaces one line of it, and expects the
 * refusal to begin with that very line's place and to hold given words. The example is loaded with
 * its paths moved here, as it is and with everything that it comments out; which settings there are,
 * the gateway tells when it refuses one, and the module in its help.
 */
#include "cmocka_all.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/config.h"

static char directory[] = "/tmp/gatekey-test-config.XXXXXX";

/* '@' stands for the test's directory. */
static const char *const good_lines[] = {
    /*  1 */ "state_dir = \"@/state\";",
    /*  2 */ "plugin = \"@/gatekey.so\";",
    /*  3 */ "log_level = \"warning\";",
    /*  4 */ "audit_file = \"@/audit.log\";",
    /*  5 */ "blob: {",
    /*  6 */ "  listen = \"127.0.0.1:10000\";",
    /*  7 */ "  tls_listen = \"[::1]:0\";",
    /*  8 */ "  tls_certificate = \"@/cert.pem\";",
    /*  9 */ "  tls_key = \"@/key.pem\";",
    /* 10 */ "  domain = \"blob.example\";",
    /* 11 */ "  connections_max = 7;",
    /* 12 */ "};",
    /* 13 */ "management: {",
    /* 14 */ "  listen = \"127.0.0.1:0\";",
    /* 15 */ "  tls_certificate = \"@/cert.pem\";",
    /* 16 */ "  tls_key = \"@/key.pem\";",
    /* 17 */ "  token_file = \"@/token\";",
    /* 18 */ "};",
    /* 19 */ "provider: {",
    /* 20 */ "  service_key_file = \"@/service-key\";",
    /* 21 */ "  vault_deadline_ms = 2500;",
    /* 22 */ "  check_interval_ms = 1000;",
    /* 23 */ "  verify = true;",
    /* 24 */ "  identities = ( {",
    /* 25 */ "    kind = \"client-secret\";",
    /* 26 */ "    client_secret_file = \"@/token\";",
    /* 27 */ "  }, { kind = \"managed\"; } );",
    /* 28 */ "  vaults = ( { uri = \"https://v.example\"; } );",
    /* 29 */ "};",
};
#define GUID "11111111-2222-3333-4444-555555555555"
#define BEARER(principal)                                                                          \
    "}; bearer = { issuer = \"i\"; jwks_file = \"@/token\"; principals = ( " principal " ); };"
#define CALLERS(caller)   "token_file = \"@/token\"; callers = ( " caller " );"
#define CERTIFIED(caller) "client_ca = \"@/cert.pem\"; " CALLERS(caller)
#define SERVICE_KEY       "gatekey-service-key-v1 g6aTcBYZgRG4k5ZcMDQvVIOu3Sz/W5JPvH5EHXwQL24=\n"
#define LINES             (sizeof good_lines / sizeof good_lines[0])

static char *in_directory(const char *name)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", directory, name) > 0);
    return path;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    char *path = in_directory(name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    const size_t len = strlen(text);
    assert_int_equal(write(fd, text, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    free(path);
}

static void make_file(const char *name, mode_t mode)
{
    write_file(name, "x\n", mode);
}

static void put_line(FILE *file, const char *line)
{
    for (; *line != '\0'; line++) {
        if (*line == '@') {
            fputs(directory, file);
        } else {
            fputc(*line, file);
        }
    }
    fputc('\n', file);
}

/* Writes the good file with line number `line` (from 1; 0: none) replaced. */
static char *write_config(unsigned line, const char *replacement)
{
    char *path = in_directory("gatekey.conf");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (unsigned i = 0; i < LINES; i++) {
        put_line(file, i + 1 == line ? replacement : good_lines[i]);
    }
    assert_int_equal(fclose(file), 0);
    return path;
}

static void make_socket(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", directory, name);
    const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

static int make_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    make_file("gatekey.so", 0755);
    make_file("cert.pem", 0644);
    make_file("key.pem", 0600);
    make_file("token", 0400);
    make_file("service-key", 0640);
    make_file("open-secret", 0644);
    make_socket("socket");
    make_socket("log");
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    DIR *files = opendir(directory);
    if (files == NULL) {
        return -1;
    }
    for (const struct dirent *file = readdir(files); file != NULL; file = readdir(files)) {
        (void)unlinkat(dirfd(files), file->d_name, 0); /* but for . and .. */
    }
    closedir(files);
    return rmdir(directory);
}

static const char *setting(const struct gk_config *config, const char *key)
{
    for (size_t i = 0; i < config->settings_count; i++) {
        if (strcmp(config->settings[i].key, key) == 0) {
            return config->settings[i].value;
        }
    }
    return NULL;
}

static void test_config__reads_a_whole_file(void **state)
{
    (void)state;
    char *path = write_config(0, NULL);
    struct gk_config *config = NULL;
    struct gk_error error = {0};
    assert_int_equal(gk_config_load(path, &config, &error), GK_OK);
    assert_string_equal(config->blob.listen.host, "127.0.0.1");
    assert_int_equal(config->blob.listen.port, 10000);
    assert_true(config->blob.tls_listen.ipv6);
    assert_string_equal(config->blob.tls_listen.host, "::1");
    assert_int_equal(config->blob.connections_max, 7);
    assert_string_equal(config->blob.domain, "blob.example");
    assert_int_equal(config->log_level, GK_LOG_WARNING);
    assert_int_equal(config->vault_deadline_ms, 2500);
    assert_null(config->clock_offset_file);
    assert_string_equal(setting(config, "vault_deadline_ms"), "2500");
    assert_string_equal(setting(config, "check_interval_ms"), "1000");
    assert_string_equal(setting(config, "verify"), "true");
    assert_string_equal(setting(config, "identity.0.kind"), "client-secret");
    assert_string_equal(setting(config, "identity.1.kind"), "managed");
    assert_string_equal(setting(config, "vault.0.uri"), "https://v.example");
    gk_config_free(config);
    free(path);
}

static void test_config__reads_where_the_store_is(void **state)
{
    (void)state;
    char *path = write_config(0, NULL);
    struct gk_config *config = NULL;
    assert_int_equal(gk_config_load(path, &config, NULL), GK_OK);
    assert_non_null(strstr(config->state_dir, "/state"));
    gk_config_free(config);
    free(path);
    path = write_config(1, "store: { engine = \"rados\"; conf = \"@/token\"; user = \"client.x\"; "
                           "keyring = \"@/token\"; meta_pool = \"m\"; data_pool = \"d\"; "
                           "namespace = \"n\"; op_timeout_s = 3; };");
    assert_int_equal(gk_config_load(path, &config, NULL), GK_OK);
    assert_null(config->state_dir);
    assert_non_null(strstr(config->rados.conf, "/token"));
    assert_string_equal(config->rados.user, "client.x");
    assert_non_null(strstr(config->rados.keyring, "/token"));
    assert_string_equal(config->rados.meta_pool, "m");
    assert_string_equal(config->rados.data_pool, "d");
    assert_string_equal(config->rados.namespace_, "n");
    assert_int_equal(config->rados.op_timeout_s, 3);
    gk_config_free(config);
    free(path);
}

static void test_config__reads_where_the_audit_goes(void **state)
{
    (void)state;
    char *path = write_config(4, "name = \"one\"; audit_head_file = \"@/head\"; "
                                 "audit_syslog = \"@/socket\"; audit_journal = \"@/socket\";");
    struct gk_config *config = NULL;
    assert_int_equal(gk_config_load(path, &config, NULL), GK_OK);
    assert_string_equal(config->audit.gateway, "one");
    assert_null(config->audit.file);
    assert_non_null(strstr(config->audit.head_file, "/head"));
    assert_non_null(strstr(config->audit.syslog, "/socket"));
    assert_non_null(strstr(config->audit.journal, "/socket"));
    gk_config_free(config);
    free(path);
}

static void test_config__reads_who_may_call(void **state)
{
    (void)state;
    char *path = write_config(17, "token_file = \"@/token\"; callers = ( { name = \"al.ice_x-1\"; "
                                  "token_file = \"@/key.pem\"; } );");
    struct gk_config *config = NULL;
    assert_int_equal(gk_config_load(path, &config, NULL), GK_OK);
    assert_int_equal(config->management.callers_count, 1);
    assert_string_equal(config->management.callers[0].name, "al.ice_x-1");
    assert_non_null(strstr(config->management.callers[0].token_file, "/key.pem"));
    assert_int_equal(config->management.callers[0].role, GK_MANAGE_READER);
    gk_config_free(config);
    free(path);
}

static void test_config__reads_which_hosts_may_be_copied_from(void **state)
{
    (void)state;
    char *path = write_config(
        11, "copy_sources = ( { host = \"*.files.example\"; }, { host = \"a.example\"; "
            "port = 8443; ca_file = \"@/cert.pem\"; allow_private = true; timeout_s = 2; } );");
    struct gk_config *config = NULL;
    assert_int_equal(gk_config_load(path, &config, NULL), GK_OK);
    assert_int_equal(config->blob.copy_hosts_count, 2);
    const struct gk_copy_host *host = config->blob.copy_hosts;
    assert_string_equal(host[0].name, "*.files.example");
    assert_int_equal(host[0].port, 443);
    assert_int_equal(host[0].timeout_s, 30);
    assert_null(host[0].ca_file);
    assert_false(host[0].allow_private);
    assert_string_equal(host[1].name, "a.example");
    assert_int_equal(host[1].port, 8443);
    assert_int_equal(host[1].timeout_s, 2);
    assert_non_null(strstr(host[1].ca_file, "/cert.pem"));
    assert_true(host[1].allow_private);
    gk_config_free(config);
    free(path);
}

static void test_config__tells_where_a_setting_stands(void **state)
{
    (void)state;
    char *path = write_config(0, NULL);
    struct gk_config *config = NULL;
    assert_int_equal(gk_config_load(path, &config, NULL), GK_OK);
    for (size_t i = 0; i < config->settings_count; i++) {
        if (strcmp(config->settings[i].key, "check_interval_ms") == 0) {
            char expected[128];
            snprintf(expected, sizeof expected, "%s:22", path);
            assert_string_equal(config->settings[i].origin, expected);
        }
    }
    gk_config_free(config);
    free(path);
}

struct wrong {
    unsigned line; /* that is replaced */
    const char *replacement;
    unsigned refused_line;
    const char *words;
};

static const struct wrong wrongs[] = {
    {1, "", 1, "state_dir: is missing"},
    {1, "state_dir = \"relative\";", 1, "from the root"},
    {1, "state_dir = \"\";", 1, "is empty"},
    {1, "state_dir = 7;", 1, "is not a text"},
    {1, "state_dir = \"@/token\";", 1, "is not a directory"},
    {1, "state_dir = \"a\\nb\";", 1, "control character"},
    {1, "state_dir = \"@/state\"; store: { engine = \"rados\"; };", 1, "remove one of the two"},
    {1, "store = \"rados\";", 1, "is not a group"},
    {1, "store: { };", 1, "store.engine: is missing"},
    {1, "store: { engine = \"sqlite\"; };", 1, "write \"rados\""},
    {1, "store: { engine = \"rados\"; conf = \"@/none.conf\"; };", 1, "there is no file"},
    {1, "store: { engine = \"rados\"; user = \"gatekey\"; };", 1, "client.NAME"},
    {1, "store: { engine = \"rados\"; keyring = \"@/open-secret\"; };", 1, "chmod 0600"},
    {1, "store: { engine = \"rados\"; op_timeout_s = 0; };", 1, "1 to 3600"},
    {1, "store: { engine = \"rados\"; pool = \"p\"; };", 1, "there is no such setting"},
    {2, "plugin = \"@/none.so\";", 2, "there is no file"},
    {2, "plugin = \"gatekey.so\";", 2, "from the root"},
    {2, "plugin = \"@\";", 2, "not a regular file"},
    {2, "plugins = \"@/gatekey.so\";", 2, "perhaps plugin is meant; known here are state_dir"},
    {3, "log_level = \"loud\";", 3, "error, warning, info or debug"},
    {3, "log_level = 3;", 3, "is not a text"},
    {3, "log_level = ;", 3, "syntax error"},
    {3, "log_level = \"info\"; log_level = \"info\";", 3, "duplicate"},
    {4, "audit_file = \"@/none/audit.log\";", 4, "directory"},
    {4, "audit_file = \"@\";", 4, "regular file"},
    {4, "audit_file = \"@/audit.log\"; audit_syslog = \"@/none\";", 4, "is not a socket"},
    {4, "audit_file = \"@/audit.log\"; audit_journal = \"@/token\";", 4, "is not a socket"},
    {4, "audit_journal = \"@/socket\";", 4, "audit_journal: needs a place for the head"},
    {4, "audit_syslog = \"@/socket\";", 4, "audit_syslog: needs a place for the head"},
    {4, "clock_offset_file = \"x\";", 4, "from the root"},
    {4, "blob = 1;", 5, "duplicate"},
    {6, "listen = \"localhost:10000\";", 6, "numeric address"},
    {6, "listen = \"127.0.0.1\";", 6, "numeric address"},
    {6, "listen = \"127.0.0.1:65536\";", 6, "numeric address"},
    {6, "listen = \"127.0.0.1:-1\";", 6, "numeric address"},
    {6, "listen = \"::1:80\";", 6, "numeric address"},
    {6, "listen = \"[127.0.0.1]:80\";", 6, "numeric address"},
    {6, "listen = \":80\";", 6, "numeric address"},
    {6, "listen = 80;", 6, "is not a text"},
    {6, "port = 80;", 6, "there is no such setting"},
    {7, "", 8, "nothing uses it"},
    {8, "", 7, "needs tls_certificate and tls_key"},
    {9, "", 7, "needs tls_certificate and tls_key"},
    {9, "tls_key = \"@/cert.pem\";", 9, "open to others"},
    {10, "domain = \"Blob.Example\";", 10, "lower case"},
    {10, "domain = \"blob..example\";", 10, "host name"},
    {10, "domain = \".example\";", 10, "host name"},
    {10, "domain = \"blob.example.\";", 10, "host name"},
    {10, "domain = \"blob_example\";", 10, "host name"},
    {11, "connections_max = 0;", 11, "1 to 16384"},
    {11, "connections_max = 99999;", 11, "1 to 16384"},
    {11, "connections_max = -1;", 11, "1 to 16384"},
    {11, "connections_max = \"7\";", 11, "whole number"},
    {11, "connections_max = 7.5;", 11, "whole number"},
    {17, CALLERS("{ name = \"a\"; }"), 17, "token_file: is missing, and so is certificate"},
    {17, CALLERS("{ name = \"a\"; certificate = \"dns:a.example\"; }"), 17, "add client_ca"},
    {17, CERTIFIED("{ name = \"a\"; certificate = \"a.example\"; }"), 17, "names none; write"},
    {17, CERTIFIED("{ name = \"a\"; certificate = \"uri:\"; }"), 17, "names none; write"},
    {17, CERTIFIED("{ name = \"a\"; certificate = \"subject:alice\"; }"), 17, "names none; write"},
    {17, CERTIFIED("{ name = \"a\"; certificate = \"sha256:12\"; }"), 17, "names none; write"},
    {17,
     CERTIFIED("{ name = \"a\"; certificate = \"subject:CN=a, O=b\"; }, "
               "{ name = \"b\"; certificate = \"subject:CN=a,O=b\"; }"),
     17, "another caller's, too"},
    {17, "token_file = \"@/token\"; client_ca = \"@/none\";", 17, "there is no file"},
    {17, CALLERS("{ token_file = \"@/token\"; }"), 17, "name: is missing"},
    {17, CALLERS("{ name = \"operator\"; token_file = \"@/token\"; }"), 17, "is taken"},
    {17, CALLERS("{ name = \"gatekey\"; token_file = \"@/token\"; }"), 17, "is taken"},
    {17, CALLERS("{ name = \"signal\"; token_file = \"@/token\"; }"), 17, "is taken"},
    {17, CALLERS("{ name = \"a b\"; token_file = \"@/token\"; }"), 17, "letters, digits"},
    {17, CALLERS("{ name = \"a\"; token_file = \"@/open-secret\"; }"), 17, "open to others"},
    {17, CALLERS("{ name = \"a\"; token_file = \"@/token\"; role = \"x\"; }"), 17,
     "give reader, key-operator"},
    {17, CALLERS("{ name = \"a\"; token_file = \"@/token\"; account = \"x\"; }"), 17,
     "there is no such setting"},
    {17, CALLERS("\"a\""), 17, "not a group"},
    {17, "token_file = \"@/token\"; callers = \"a\";", 17, "is not a list"},
    {11, "copy_sources = { host = \"a.example\"; };", 11, "is not a list"},
    {11, "copy_sources = ( \"a.example\" );", 11, "not a group"},
    {11, "copy_sources = ( { } );", 11, "host: is missing"},
    {11, "copy_sources = ( { host = \"*\"; } );", 11, "host name"},
    {11, "copy_sources = ( { host = \"*.com\"; } );", 11, "is too much"},
    {11, "copy_sources = ( { host = \"a.*.example\"; } );", 11, "host name"},
    {11, "copy_sources = ( { host = \"https://a.example\"; } );", 11, "host name"},
    {11, "copy_sources = ( { host = \"a.example\"; port = 0; } );", 11, "1 to 65535"},
    {11, "copy_sources = ( { host = \"a.example\"; timeout_s = 601; } );", 11, "1 to 600"},
    {11, "copy_sources = ( { host = \"a.example\"; ca_file = \"@/none\"; } );", 11, "no file"},
    {11, "copy_sources = ( { host = \"a.example\"; ca_file = \"none\"; } );", 11, "from the root"},
    {11, "copy_sources = ( { host = \"a.example\"; allow_private = 1; } );", 11,
     "neither true nor false"},
    {11, "copy_sources = ( { host = \"a.example\"; path = \"x\"; } );", 11, "no such setting"},
    {12, "}; bearer = 1;", 12, "is not a group"},
    {12, "}; bearer = { };", 12, "issuer or jwks_file is missing"},
    {12, "}; bearer = { issuer = \"i\"; jwks_file = \"@/none\"; };", 12, "there is no file"},
    {12, "}; bearer = { issuer = \"i\"; jwks_file = \"none\"; };", 12, "from the root"},
    {12, "}; bearer = { issuer = \"i\"; jwks_file = \"@/token\"; };", 12, "principals: is missing"},
    {12, "}; bearer = { secret = \"i\"; };", 12, "there is no such setting"},
    {12, BEARER("1"), 12, "not a group"},
    {12, "}; policy = { key_size = \"deny\"; };", 12, "key_size: needs minimum_key_bits"},
    {12, "}; policy = { minimum_key_bits = 3072; };", 12, "minimum_key_bits: nothing uses it"},
    {12, "}; policy = { hsm_keys = \"yes\"; };", 12, "hsm_keys: give audit, deny or disabled"},
    {12, "}; policy = { hsm = \"deny\"; };", 12, "hsm: there is no such setting"},
    {12, "}; policy = { vaults = \"deny\"; allowed_vaults = [ \"https://v/x\" ]; };", 12,
     "is no vault's URI"},
    {12, BEARER("{ }"), 12, "object_id: is missing"},
    {12, BEARER("{ object_id = \"me\"; role = \"reader\"; }"), 12, "no GUID"},
    {12, BEARER("{ object_id = \"" GUID "\"; role = \"king\"; }"), 12, "role: is missing or not"},
    {12, BEARER("{ object_id = \"" GUID "\"; name = \"x\"; }"), 12, "no such setting"},
    {14, "", 13, "management.listen: is missing"},
    {14, "listen = \"0.0.0.0:1\";", 14, "other machines"},
    {14, "listen = \"[::]:1\";", 14, "other machines"},
    {14, "listen = \"10.0.0.1:1\";", 14, "other machines"},
    {15, "", 13, "management.tls_certificate: is missing"},
    {16, "", 13, "management.tls_key: is missing"},
    {17, "", 13, "management.token_file: is missing"},
    {17, "token_file = \"@/open-secret\";", 17, "chmod 0600"},
    {17, "token = \"s3cret\";", 17, "there is no such setting"},
    {20, "", 19, "service_key_file: is missing"},
    {20, "service_key_file = \"@/none\";", 20, "there is no file"},
    {20, "service_key_file = \"service-key\";", 20, "from the root"},
    {20, "service_key_file = \"@/open-secret\";", 20, "chmod 0600"},
    {21, "vault_deadline_ms = 99;", 21, "100 to 600000"},
    {21, "vault_deadline_ms = \"1 s\";", 21, "whole number"},
    {22, "check_interval_ms = 1.5;", 22, "neither text"},
    {22, "check_interval_ms = [ 1 ];", 22, "neither text"},
    {22, "check_interval_ms = \"\";", 22, "is empty"},
    {23, "vault_token = \"x\";", 23, "a secret does not belong in this file"},
    {23, "identities = \"x\";", 24, "duplicate"},
    {26, "client_secret = \"hunter2\";", 26, "client_secret_file"},
    {26, "client_secret_file = \"@/open-secret\";", 26, "chmod 0600"},
    {27, "  }, 3 );", 27, "not a group"},
    {27, "  }, { } );", 27, "not a group"},
    {28, "vaults = { uri = \"x\"; };", 28, "is not a list"},
    {28, "vaults = ( \"https://v.example\" );", 28, "not a group"},
    {29, "", 30, "syntax error"},
    {29, "}; surprise = 1;", 29, "there is no such setting"},
};

static void test_config__refuses_with_file_line_reason_and_remedy(void **state)
{
    (void)state;
    unsigned failures = 0;
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        char *path = write_config(wrongs[i].line, wrongs[i].replacement);
        struct gk_config *config = NULL;
        struct gk_error error = {0};
        char place[128];
        snprintf(place, sizeof place, "%s:%u: ", path, wrongs[i].refused_line);
        if (gk_config_load(path, &config, &error) != GK_E_INVALID ||
            strncmp(error.message, place, strlen(place)) != 0 ||
            strstr(error.message, wrongs[i].words) == NULL) {
            fail_msg("case %zu, \"%s\": expected \"%s...%s\", got \"%s\"", i, wrongs[i].replacement,
                     place, wrongs[i].words, error.message);
        }
        gk_config_free(config);
        free(path);
    }
    assert_int_equal(failures, 0);
}

static void test_config__tells_what_takes_a_restart(void **state)
{
    (void)state;
    static const struct wrong rows[] = {
        {3, "log_level = \"info\";", 0, NULL},
        {16, "  tls_key = \"@/token\";", 0, NULL},
        {17, "  token_file = \"@/service-key\";", 0, NULL},
        {17, CALLERS("{ name = \"a\"; token_file = \"@/key.pem\"; }"), 0, NULL},
        {17, CERTIFIED("{ name = \"a\"; certificate = \"dns:a.example\"; }"), 0, NULL},
        {11, "  copy_sources = ( { host = \"a.example\"; } ); connections_max = 7;", 0, NULL},
        {12, "}; policy = { hsm_keys = \"deny\"; };", 0, NULL},
        {12, BEARER("{ object_id = \"" GUID "\"; role = \"reader\"; }"), 0, NULL},
        {1, "state_dir = \"@/other\";", 1, "state_dir: cannot change"},
        {4, "", 1, "audit_file: cannot change"},
        {6, "  listen = \"127.0.0.1:10001\";", 6, "blob.listen: cannot change"},
        {11, "", 5, "blob.connections_max: cannot change"},
        {14, "  listen = \"127.0.0.1:1\";", 14, "management.listen: cannot change"},
        {22, "  check_interval_ms = 2000;", 22, "provider.check_interval_ms: cannot change"},
        {27, "  } );", 24, "provider.identities: cannot change"},
    };
    struct gk_config *running = NULL;
    char *path = write_config(0, NULL);
    assert_int_equal(gk_config_load(path, &running, NULL), GK_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gk_config *fresh = NULL;
        struct gk_error error = {0};
        char place[128];
        free(write_config(rows[i].line, rows[i].replacement));
        assert_int_equal(gk_config_load(path, &fresh, NULL), GK_OK);
        snprintf(place, sizeof place, "%s:%u: %s", path, rows[i].refused_line,
                 rows[i].words == NULL ? "" : rows[i].words);
        const enum gk_status status = gk_config_check_change(running, fresh, &error);
        if (rows[i].words == NULL ? status != GK_OK
                                  : strncmp(error.message, place, strlen(place)) != 0) {
            fail_msg("case %zu: expected \"%s\", got \"%s\"", i, place, error.message);
        }
        gk_config_free(fresh);
    }
    gk_config_free(running);
    free(path);
}

static void test_config__refuses_a_file_that_is_not_there(void **state)
{
    (void)state;
    struct gk_config *config = NULL;
    struct gk_error error = {0};
    assert_int_equal(gk_config_load("/nowhere/gatekey.conf", &config, &error), GK_E_INVALID);
    assert_non_null(strstr(error.message, "/nowhere/gatekey.conf:1: cannot be read"));
    assert_int_equal(gk_config_load(directory, &config, &error), GK_E_INVALID);
    assert_null(config);
}

/* --- the example --------------------------------------------------------------------------------*/

#define EXAMPLE_BYTES_MAX 65536u

static char *read_example(void)
{
    FILE *file = fopen(GATEKEY_EXAMPLE, "r");
    assert_non_null(file);
    char *text = calloc(1, EXAMPLE_BYTES_MAX);
    assert_non_null(text);
    assert_in_range(fread(text, 1, EXAMPLE_BYTES_MAX, file), 1, EXAMPLE_BYTES_MAX - 1);
    fclose(file);
    return text;
}

/* Whether the text from at on is a path of the example, and not a resource id or the module. */
static bool is_path(const char *at)
{
    static const char *const roots[] = {"\"/etc/", "\"/var/", "\"/run/", "\"/dev/"};
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        if (strncmp(at, roots[i], strlen(roots[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* Writes one line with its paths moved into the test's directory, where those that look like a file
 * are made. */
static void put_moved(FILE *out, const char *line, size_t len)
{
    static const char module[] = "\"/usr/lib/gatekey/gatekey.so\"";
    for (const char *at = line; at < line + len; at++) {
        if (strncmp(at, module, sizeof module - 1) == 0) {
            fprintf(out, "\"%s\"", GATEKEY_MODULE);
            at += sizeof module - 2;
        } else if (is_path(at)) {
            const char *end = strchr(at + 1, '"');
            const char *name = end;
            while (name[-1] != '/') {
                name--;
            }
            char moved[64] = {0};
            assert_true((size_t)(end - name) < sizeof moved);
            memcpy(moved, name, (size_t)(end - name));
            if (strchr(moved, '.') != NULL) {
                const bool service_key = strcmp(moved, "service.key") == 0;
                write_file(moved, service_key ? SERVICE_KEY : "a-line-that-is-a-secret\n", 0600);
            }
            fprintf(out, "\"%s/%s\"", directory, moved);
            at = end;
        } else {
            fputc(*at, out);
        }
    }
    fputc('\n', out);
}

/* all: with the settings that are commented out, hence the store on RADOS and no state_dir. extra is a
 * line at the end. */
static char *write_example(bool all, const char *extra)
{
    char *path = in_directory("example.conf");
    char *text = read_example();
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    for (const char *line = text; *line != '\0';) {
        const size_t len = strcspn(line, "\n");
        const bool setting =
            line[0] == '#' && ((line[1] >= 'a' && line[1] <= 'z') || line[1] == '}');
        if (!all || strncmp(line, "state_dir", strlen("state_dir")) != 0) {
            put_moved(out, line + (setting && all), len - (setting && all));
        }
        line += len + (line[len] == '\n');
    }
    fputs(extra, out);
    assert_int_equal(fclose(out), 0);
    free(text);
    return path;
}

/* The gateway's settings and the module's, as --check-config takes them. */
static void assert_example_loads(bool all)
{
    char *path = write_example(all, "");
    struct gk_config *config = NULL;
    struct gk_error error = {0};
    if (gk_config_load(path, &config, &error) != GK_OK) {
        fail_msg("%s", error.message);
    }
    const struct gk_clock clock = gk_clock_system();
    if (gk_plugin_host_check(config->plugin, config->plugin_origin, config->settings,
                             config->settings_count, &clock, &error) != GK_OK) {
        fail_msg("%s", error.message);
    }
    gk_config_free(config);
    free(path);
}

static void test_example__loads(void **state)
{
    (void)state;
    assert_example_loads(false);
    assert_example_loads(true);
}

/* What stands commented out is what holds without it. */
static void test_example__shows_the_defaults(void **state)
{
    (void)state;
    struct gk_config *configs[2] = {NULL};
    for (unsigned all = 0; all < 2; all++) {
        char *path = write_example(all != 0, "");
        assert_int_equal(gk_config_load(path, &configs[all], NULL), GK_OK);
        free(path);
    }
    assert_int_equal(configs[0]->log_level, configs[1]->log_level);
    assert_int_equal(configs[0]->blob.connections_max, configs[1]->blob.connections_max);
    assert_int_equal(configs[0]->blob.removal_delay_s, configs[1]->blob.removal_delay_s);
    assert_int_equal(configs[0]->vault_deadline_ms, configs[1]->vault_deadline_ms);
    gk_config_free(configs[0]);
    gk_config_free(configs[1]);
}

/* Whether name stands in the example as the begin of a setting. */
static bool explains(const char *example, const char *name, size_t len)
{
    for (const char *at = example; (at = strstr(at, "\n")) != NULL;) {
        at += 1 + strspn(at + 1, "# ({");
        if (strncmp(at, name, len) == 0 && strchr(" =:", at[len]) != NULL) {
            return true;
        }
    }
    /* Short groups stand on one line. */
    char inside[64];
    snprintf(inside, sizeof inside, " %.*s = ", (int)len, name);
    return strstr(example, inside) != NULL;
}

static void test_example__has_every_setting_of_the_gateway(void **state)
{
    (void)state;
    /* Groups, by what is wrong in them. */
    static const struct {
        unsigned line;
        const char *replacement;
    } unknown[] = {{0, NULL},
                   {1, "store: { engine = \"rados\"; surprise = 1; };"},
                   {6, "surprise = 1;"},
                   {14, "surprise = 1;"}};
    char *example = read_example();
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        char *path = unknown[i].line == 0 ? write_example(false, "surprise = 1;\n")
                                          : write_config(unknown[i].line, unknown[i].replacement);
        struct gk_config *config = NULL;
        struct gk_error error = {0};
        assert_int_equal(gk_config_load(path, &config, &error), GK_E_INVALID);
        const char *known = strstr(error.message, "known here are ");
        assert_non_null(known);
        known += strlen("known here are ");
        while (*known != '\0') {
            const size_t len = strcspn(known, ", ");
            if (!explains(example, known, len)) {
                fail_msg("the example lacks %.*s", (int)len, known);
            }
            known += len + strspn(known + len, ", ");
        }
        free(path);
    }
    free(example);
}

/* The help has a line a setting, which begins with its name: identity.N.kind, say. */
static void test_example__has_every_setting_of_the_module(void **state)
{
    (void)state;
    void *module = dlopen(GATEKEY_MODULE, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(module);
    gk_plugin_entry_fn *entry = NULL;
    void *symbol = dlsym(module, GK_PLUGIN_ENTRY_SYMBOL);
    memcpy(&entry, &symbol, sizeof entry);
    assert_non_null(entry);
    char *example = read_example();
    unsigned count = 0;
    for (const char *line = entry()->config_help; *line != '\0'; count++) {
        size_t len = strcspn(line, " ");
        const char *name = line;
        for (const char *at = line; at < line + len; at++) {
            name = *at == '.' ? at + 1 : name;
        }
        if (!explains(example, name, len - (size_t)(name - line))) {
            fail_msg("the example lacks %.*s", (int)len, line);
        }
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    assert_true(count > 10);
    free(example);
    dlclose(module);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config__reads_a_whole_file),
        cmocka_unit_test(test_config__reads_where_the_store_is),
        cmocka_unit_test(test_config__reads_where_the_audit_goes),
        cmocka_unit_test(test_config__reads_who_may_call),
        cmocka_unit_test(test_config__reads_which_hosts_may_be_copied_from),
        cmocka_unit_test(test_config__tells_where_a_setting_stands),
        cmocka_unit_test(test_config__refuses_with_file_line_reason_and_remedy),
        cmocka_unit_test(test_config__tells_what_takes_a_restart),
        cmocka_unit_test(test_config__refuses_a_file_that_is_not_there),
        cmocka_unit_test(test_example__loads),
        cmocka_unit_test(test_example__shows_the_defaults),
        cmocka_unit_test(test_example__has_every_setting_of_the_gateway),
        cmocka_unit_test(test_example__has_every_setting_of_the_module),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
