/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/config.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "gateway/blob/copier.h"
#include "gateway/blob/names.h"
#include "gateway/config_value.h"

#define CONNECTIONS_MAX_DEFAULT      256u
#define REMOVAL_DELAY_S_DEFAULT      300u
#define VAULT_DEADLINE_MS_DEFAULT    10000u
#define INLINE_BYTES_DEFAULT         4096u
#define REHYDRATE_STANDARD_S_DEFAULT 3600u
#define REHYDRATE_HIGH_S_DEFAULT     300u
#define COPY_WAIT_BYTES_DEFAULT      (256u << 20)
#define COPY_THREADS_DEFAULT         2u

enum rule_kind {
    RULE_GROUP,     /* read by its own code */
    RULE_LIST,      /* the same */
    RULE_DIRECTORY, /* absolute; made when it is missing */
    RULE_READABLE,  /* absolute, an existing readable file */
    RULE_SECRET,    /* the same, and closed to others */
    RULE_NEW_FILE,  /* absolute, in an existing directory */
    RULE_SOCKET,    /* absolute, a socket that somebody listens on */
    RULE_LISTEN,    /* "address:port" */
    RULE_LOOPBACK,  /* the same, on this machine only */
    RULE_DOMAIN,    /* a host name */
    RULE_TEXT,      /* any */
    RULE_ENGINE,    /* of the store */
    RULE_NUMBER,    /* minimum..maximum */
    RULE_LOG_LEVEL
};

struct rule {
    const char *name;
    enum rule_kind kind;
    bool required;
    size_t offset; /* in struct gk_config */
    uint32_t minimum;
    uint32_t maximum;
};

#define RULES_MAX 32u /* of a group */

#define FIELD(member) offsetof(struct gk_config, member)

static const struct rule top_rules[] = {
    {"state_dir", RULE_DIRECTORY, false, FIELD(state_dir), 0, 0},
    {"store", RULE_GROUP, false, 0, 0, 0},
    {"plugin", RULE_READABLE, true, FIELD(plugin), 0, 0},
    {"log_level", RULE_LOG_LEVEL, false, FIELD(log_level), 0, 0},
    {"name", RULE_TEXT, false, FIELD(audit.gateway), 0, 0},
    {"audit_file", RULE_NEW_FILE, false, FIELD(audit.file), 0, 0},
    {"audit_head_file", RULE_NEW_FILE, false, FIELD(audit.head_file), 0, 0},
    {"audit_syslog", RULE_SOCKET, false, FIELD(audit.syslog), 0, 0},
    {"audit_journal", RULE_SOCKET, false, FIELD(audit.journal), 0, 0},
    {"clock_offset_file", RULE_NEW_FILE, false, FIELD(clock_offset_file), 0, 0},
    {"blob", RULE_GROUP, true, 0, 0, 0},
    {"management", RULE_GROUP, true, 0, 0, 0},
    {"bearer", RULE_GROUP, false, 0, 0, 0},
    {"policy", RULE_GROUP, false, 0, 0, 0},
    {"provider", RULE_GROUP, true, 0, 0, 0},
    {NULL, RULE_GROUP, false, 0, 0, 0},
};

static const struct rule store_rules[] = {
    {"engine", RULE_ENGINE, true, FIELD(store_engine), 0, 0},
    {"conf", RULE_READABLE, false, FIELD(rados.conf), 0, 0},
    {"user", RULE_TEXT, false, FIELD(rados.user), 0, 0},
    {"keyring", RULE_SECRET, false, FIELD(rados.keyring), 0, 0},
    {"meta_pool", RULE_TEXT, false, FIELD(rados.meta_pool), 0, 0},
    {"data_pool", RULE_TEXT, false, FIELD(rados.data_pool), 0, 0},
    {"namespace", RULE_TEXT, false, FIELD(rados.namespace_), 0, 0},
    {"op_timeout_s", RULE_NUMBER, false, FIELD(rados.op_timeout_s), 1, 3600},
    {NULL, RULE_GROUP, false, 0, 0, 0},
};

static const struct rule blob_rules[] = {
    {"listen", RULE_LISTEN, false, FIELD(blob.listen), 0, 0},
    {"tls_listen", RULE_LISTEN, false, FIELD(blob.tls_listen), 0, 0},
    {"tls_certificate", RULE_READABLE, false, FIELD(blob.tls_certificate), 0, 0},
    {"tls_key", RULE_SECRET, false, FIELD(blob.tls_key), 0, 0},
    {"domain", RULE_DOMAIN, false, FIELD(blob.domain), 0, 0},
    {"web_domain", RULE_DOMAIN, false, FIELD(blob.web_domain), 0, 0},
    {"connections_max", RULE_NUMBER, false, FIELD(blob.connections_max), 1, 16384},
    {"copy_sources", RULE_LIST, false, 0, 0, 0},
    {"removal_delay_s", RULE_NUMBER, false, FIELD(blob.removal_delay_s), 0, 86400},
    {"inline_bytes", RULE_NUMBER, false, FIELD(blob.inline_bytes), 0, GK_BESIDE_BYTES_MAX},
    {"index_shards", RULE_NUMBER, false, FIELD(blob.index_shards), 1, GK_INDEX_SHARDS_MAX},
    {"rehydrate_standard_s", RULE_NUMBER, false, FIELD(blob.rehydrate_standard_s), 0, 604800},
    {"rehydrate_high_s", RULE_NUMBER, false, FIELD(blob.rehydrate_high_s), 0, 604800},
    {"copy_wait_bytes", RULE_NUMBER, false, FIELD(blob.copy_wait_bytes), 1 << 16, 1 << 30},
    {"copy_threads", RULE_NUMBER, false, FIELD(blob.copy_threads), 0, GK_COPIER_THREADS_MAX},
    {NULL, RULE_GROUP, false, 0, 0, 0},
};

static const struct rule management_rules[] = {
    {"listen", RULE_LOOPBACK, true, FIELD(management.listen), 0, 0},
    {"tls_certificate", RULE_READABLE, true, FIELD(management.tls_certificate), 0, 0},
    {"tls_key", RULE_SECRET, true, FIELD(management.tls_key), 0, 0},
    {"client_ca", RULE_READABLE, false, FIELD(management.client_ca), 0, 0},
    {"token_file", RULE_SECRET, true, FIELD(management.token_file), 0, 0},
    {"callers", RULE_LIST, false, 0, 0, 0},
    {NULL, RULE_GROUP, false, 0, 0, 0},
};
/* --- groups ------------------------------------------------------------------------------------*/

static enum gk_status set_text_rule(struct gk_config *config, const struct rule *rule,
                                    const config_setting_t *setting, struct gk_error *error)
{
    void *field = (char *)config + rule->offset;
    const char *text = NULL;
    enum gk_status status = gk_config_text(config, setting, &text, error);
    if (status != GK_OK) {
        return status;
    }
    if (rule->kind == RULE_LISTEN || rule->kind == RULE_LOOPBACK) {
        return gk_config_listen_of(config, setting, text, rule->kind == RULE_LOOPBACK, field,
                                   error);
    }
    if (rule->kind == RULE_LOG_LEVEL) {
        return gk_config_log_level_of(config, setting, text, field, error);
    }
    *(const char **)field = text;
    if (rule->kind == RULE_TEXT) {
        return GK_OK;
    }
    if (rule->kind == RULE_ENGINE) {
        return strcmp(text, "rados") == 0
                   ? GK_OK
                   : gk_config_refuse(config, setting, error,
                                      "engine: is not known; write \"rados\", or state_dir "
                                      "instead of store for the embedded one");
    }
    if (rule->kind == RULE_DOMAIN) {
        return gk_config_check_domain(config, setting, text, error);
    }
    status = gk_config_check_absolute(config, setting, text, error);
    if (status != GK_OK) {
        return status;
    }
    switch (rule->kind) {
    case RULE_DIRECTORY:
        return gk_config_check_directory(config, setting, text, error);
    case RULE_SECRET:
        return gk_config_check_secret(config, setting, text, error);
    case RULE_NEW_FILE:
        return gk_config_check_new_file(config, setting, text, error);
    case RULE_SOCKET:
        return gk_config_check_socket(config, setting, text, error);
    default:
        return gk_config_check_readable(config, setting, text, error);
    }
}

static enum gk_status set_rule(struct gk_config *config, const struct rule *rule,
                               const config_setting_t *setting, struct gk_error *error)
{
    if (rule->kind == RULE_GROUP) {
        return config_setting_is_group(setting)
                   ? GK_OK
                   : gk_config_refuse(config, setting, error,
                                      "%s: is not a group; write %s: { ... };", rule->name,
                                      rule->name);
    }
    if (rule->kind == RULE_LIST) {
        return config_setting_is_list(setting)
                   ? GK_OK
                   : gk_config_refuse(config, setting, error,
                                      "%s: is not a list; write %s = ( { ... }, { ... } );",
                                      rule->name, rule->name);
    }
    if (rule->kind == RULE_NUMBER) {
        uint32_t *field = (uint32_t *)(void *)((char *)config + rule->offset);
        return gk_config_number(config, setting, rule->minimum, rule->maximum, field, error);
    }
    return set_text_rule(config, rule, setting, error);
}

static const struct rule *find_rule(const struct rule *rules, const char *name)
{
    for (const struct rule *rule = rules; rule->name != NULL; rule++) {
        if (strcmp(rule->name, name) == 0) {
            return rule;
        }
    }
    return NULL;
}

static enum gk_status refuse_unknown(const struct gk_config *config,
                                     const config_setting_t *setting, const struct rule *rules,
                                     struct gk_error *error)
{
    const char *names[RULES_MAX];
    size_t count = 0;
    for (const struct rule *rule = rules; rule->name != NULL; rule++) {
        names[count++] = rule->name;
    }
    return gk_config_refuse_unknown(config, setting, names, count, error);
}

static enum gk_status read_group(struct gk_config *config, const config_setting_t *group,
                                 const struct rule *rules, struct gk_error *error)
{
    const int count = config_setting_length(group);
    for (int i = 0; i < count; i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        const struct rule *rule = find_rule(rules, config_setting_name(setting));
        const enum gk_status status = rule == NULL ? refuse_unknown(config, setting, rules, error)
                                                   : set_rule(config, rule, setting, error);
        if (status != GK_OK) {
            return status;
        }
    }
    for (const struct rule *rule = rules; rule->name != NULL; rule++) {
        if (rule->required && config_setting_get_member(group, rule->name) == NULL) {
            const char *name = config_setting_name(group);
            return gk_config_refuse(config, group, error, "%s%s%s: is missing; add it",
                                    name == NULL ? "" : name, name == NULL ? "" : ".", rule->name);
        }
    }
    return GK_OK;
}

static enum gk_status read_store(struct gk_config *config, const config_setting_t *root,
                                 struct gk_error *error)
{
    const config_setting_t *group = config_setting_get_member(root, "store");
    if (group == NULL) {
        return config->state_dir != NULL
                   ? GK_OK
                   : gk_config_refuse(config, root, error,
                                      "state_dir: is missing; add it, or the group store for a "
                                      "Ceph cluster");
    }
    if (config->state_dir != NULL) {
        return gk_config_refuse(config, group, error,
                                "store: there is state_dir as well; remove one of the two");
    }
    const enum gk_status status = read_group(config, group, store_rules, error);
    if (status != GK_OK) {
        return status;
    }
    const char *user = config->rados.user;
    if (user != NULL && strncmp(user, "client.", strlen("client.")) != 0) {
        return gk_config_refuse(config, config_setting_get_member(group, "user"), error,
                                "user: is not a client of Ceph; write it as client.NAME");
    }
    return GK_OK;
}

static enum gk_status read_blob(struct gk_config *config, const config_setting_t *group,
                                struct gk_error *error)
{
    const enum gk_status status = read_group(config, group, blob_rules, error);
    if (status != GK_OK) {
        return status;
    }
    if (!config->blob.listen.given && !config->blob.tls_listen.given) {
        return gk_config_refuse(config, group, error,
                                "blob: nothing listens; give listen, tls_listen or both");
    }
    if (config->blob.tls_listen.given &&
        (config->blob.tls_certificate == NULL || config->blob.tls_key == NULL)) {
        return gk_config_refuse(
            config, config_setting_get_member(group, "tls_listen"), error,
            "tls_listen: needs tls_certificate and tls_key beside it; add both");
    }
    if (!config->blob.tls_listen.given && config->blob.tls_certificate != NULL) {
        return gk_config_refuse(config, config_setting_get_member(group, "tls_certificate"), error,
                                "tls_certificate: nothing uses it; add tls_listen or remove it");
    }
    if (!config->blob.tls_listen.given && config->blob.tls_key != NULL) {
        return gk_config_refuse(config, config_setting_get_member(group, "tls_key"), error,
                                "tls_key: nothing uses it; add tls_listen or remove it");
    }
    return gk_config_read_copy_sources(config, config_setting_get_member(group, "copy_sources"),
                                       error);
}

/* Lines that leave the machine are worth something by their chain. */
static enum gk_status check_audit(struct gk_config *config, const config_setting_t *root,
                                  struct gk_error *error)
{
    const struct gk_audit_options *audit = &config->audit;
    const char *used = audit->journal != NULL ? "audit_journal" : "audit_syslog";
    return (audit->syslog != NULL || audit->journal != NULL) && audit->file == NULL &&
                   audit->head_file == NULL
               ? gk_config_refuse(config, config_setting_get_member(root, used), error,
                                  "%s: needs a place for the head of its chain; add "
                                  "audit_file or audit_head_file",
                                  used)
               : GK_OK;
}

static enum gk_status read_management(struct gk_config *config, const config_setting_t *group,
                                      struct gk_error *error)
{
    const enum gk_status status = read_group(config, group, management_rules, error);
    return status == GK_OK
               ? gk_config_read_callers(config, config_setting_get_member(group, "callers"), error)
               : status;
}

/* --- listeners ---------------------------------------------------------------------------------*/

static bool is_any_address(const struct gk_config_listen *listen)
{
    return strcmp(listen->host, listen->ipv6 ? "::" : "0.0.0.0") == 0;
}

static bool listen_clashes(const struct gk_config_listen *a, const struct gk_config_listen *b)
{
    return a->given && b->given && a->port != 0 && a->port == b->port && a->ipv6 == b->ipv6 &&
           (strcmp(a->host, b->host) == 0 || is_any_address(a) || is_any_address(b));
}

/* One of two listeners at one place would get nothing. */
static enum gk_status check_listeners(const struct gk_config *config, struct gk_error *error)
{
    const struct {
        const char *path;
        const struct gk_config_listen *listen;
    } listeners[] = {
        {"blob.listen", &config->blob.listen},
        {"blob.tls_listen", &config->blob.tls_listen},
        {"management.listen", &config->management.listen},
    };
    for (size_t i = 1; i < sizeof listeners / sizeof listeners[0]; i++) {
        for (size_t j = 0; j < i; j++) {
            if (listen_clashes(listeners[i].listen, listeners[j].listen)) {
                return gk_config_refuse(
                    config, config_lookup(&config->private_->file, listeners[i].path), error,
                    "%s: port %u is that of %s, too; choose another", listeners[i].path,
                    listeners[i].listen->port, listeners[j].path);
            }
        }
    }
    return GK_OK;
}

/* --- the file ----------------------------------------------------------------------------------*/

/* An editor's mark of UTF-8, which would be told as a syntax error at a line that looks right. */
static enum gk_status refuse_byte_order_mark(const char *path, struct gk_error *error)
{
    static const char mark[] = "\xef\xbb\xbf";
    char begin[sizeof mark] = "";
    FILE *file = fopen(path, "re");
    const bool marked =
        file != NULL && fgets(begin, sizeof begin, file) != NULL && strcmp(begin, mark) == 0;
    if (file != NULL) {
        fclose(file);
    }
    return marked
               ? gk_fail(error, GK_E_INVALID,
                         "%s:1: begins with a byte order mark; save it as plain UTF-8 without one",
                         path)
               : GK_OK;
}

static enum gk_status parse_file(struct gk_config *config, struct gk_error *error)
{
    struct gk_config_private *private_ = config->private_;
    struct stat info;
    if (stat(private_->path, &info) != 0 || !S_ISREG(info.st_mode) ||
        access(private_->path, R_OK) != 0) {
        return gk_fail(error, GK_E_INVALID,
                       "%s:1: cannot be read; name a configuration file that this user may read",
                       private_->path);
    }
    const enum gk_status status = refuse_byte_order_mark(private_->path, error);
    if (status != GK_OK) {
        return status;
    }
    if (config_read_file(&private_->file, private_->path) != CONFIG_TRUE) {
        const char *file = config_error_file(&private_->file);
        const int line = config_error_line(&private_->file);
        return gk_fail(error, GK_E_INVALID,
                       "%s:%d: %s; correct the line, or the end of the one "
                       "before it",
                       file == NULL ? private_->path : file, line == 0 ? 1 : line,
                       config_error_text(&private_->file));
    }
    return GK_OK;
}

static enum gk_status read_all(struct gk_config *config, struct gk_error *error)
{
    enum gk_status status = parse_file(config, error);
    if (status != GK_OK) {
        return status;
    }
    const config_setting_t *root = config_root_setting(&config->private_->file);
    status = read_group(config, root, top_rules, error);
    if (status == GK_OK) {
        config->plugin_origin = gk_config_origin(config, config_setting_get_member(root, "plugin"));
    }
    if (status == GK_OK) {
        status = check_audit(config, root, error);
    }
    if (status == GK_OK) {
        status = read_store(config, root, error);
    }
    if (status == GK_OK) {
        status = read_blob(config, config_setting_get_member(root, "blob"), error);
    }
    if (status == GK_OK) {
        status = read_management(config, config_setting_get_member(root, "management"), error);
    }
    if (status == GK_OK) {
        status = check_listeners(config, error);
    }
    if (status == GK_OK) {
        status = gk_config_read_bearer(config, config_setting_get_member(root, "bearer"), error);
    }
    if (status == GK_OK) {
        status = gk_config_read_policy(config, config_setting_get_member(root, "policy"), error);
    }
    if (status == GK_OK) {
        status =
            gk_config_read_provider(config, config_setting_get_member(root, "provider"), error);
    }
    return status;
}

static struct gk_config *new_config(const char *path)
{
    struct gk_config *config = calloc(1, sizeof *config);
    if (config == NULL) {
        return NULL;
    }
    config->log_level = GK_LOG_INFO;
    config->blob.connections_max = CONNECTIONS_MAX_DEFAULT;
    config->blob.removal_delay_s = REMOVAL_DELAY_S_DEFAULT;
    config->blob.inline_bytes = INLINE_BYTES_DEFAULT;
    config->blob.rehydrate_standard_s = REHYDRATE_STANDARD_S_DEFAULT;
    config->blob.rehydrate_high_s = REHYDRATE_HIGH_S_DEFAULT;
    config->blob.copy_wait_bytes = COPY_WAIT_BYTES_DEFAULT;
    config->blob.copy_threads = COPY_THREADS_DEFAULT;
    config->vault_deadline_ms = VAULT_DEADLINE_MS_DEFAULT;
    config->settings = calloc(GK_CONFIG_SETTINGS_MAX, sizeof *config->settings);
    config->private_ = calloc(1, sizeof *config->private_);
    if (config->private_ == NULL) {
        free(config->settings);
        free(config);
        return NULL;
    }
    config_init(&config->private_->file);
    config->private_->path = strdup(path);
    if (config->settings == NULL || config->private_->path == NULL) {
        gk_config_free(config);
        return NULL;
    }
    return config;
}

enum gk_status gk_config_load(const char *path, struct gk_config **out, struct gk_error *error)
{
    *out = NULL;
    struct gk_config *config = new_config(path);
    if (config == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    const enum gk_status status = read_all(config, error);
    if (status != GK_OK) {
        gk_config_free(config);
        return status;
    }
    *out = config;
    return GK_OK;
}

void gk_config_free(struct gk_config *config)
{
    if (config == NULL) {
        return;
    }
    struct gk_config_private *private_ = config->private_;
    for (size_t i = 0; i < private_->texts_count; i++) {
        free(private_->texts[i]);
    }
    config_destroy(&private_->file);
    free(private_->path);
    free(private_);
    free(config->settings);
    free(config);
}
