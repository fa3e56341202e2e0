/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A module for the plugin host to load, in as many kinds as there are reasons to refuse one: built
 * with one of the MODULE_ definitions, or with none for the good kind.
 *
 * The good one counts its calls as "module_calls_total" with the name of the call. Its settings:
 * "known" is taken, "bad" refused with a reason, "start" = "fails" makes start fail, "check" = "fails" makes
 * config_check fail; there are no others. MODULE_FAILING_CREATE makes create fail.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Symbols that are missed under their name are there under another. */
#ifdef MODULE_WITHOUT_VERSION
#define gatekey_plugin_abi_version another_version
#endif
#ifdef MODULE_WITHOUT_ENTRY
#define gatekey_plugin_entry another_entry
#endif
#include "gatekey/plugin.h"

#ifdef MODULE_FAILING_CREATE
#define CREATE_FAILS true
#else
#define CREATE_FAILS false
#endif

#define EXPORTED __attribute__((visibility("default")))

struct gk_instance {
    const struct gk_host *host;
    bool start_fails;
    bool check_fails;
};

EXPORTED const uint32_t gatekey_plugin_abi_version =
#if defined(MODULE_NEWER)
    GK_PLUGIN_ABI_VERSION + 1;
#elif defined(MODULE_OLDER)
    GK_PLUGIN_ABI_VERSION - 1;
#elif defined(MODULE_BENCH)
    GK_PLUGIN_ABI_VERSION | 0x80000000u;
#else
    GK_PLUGIN_ABI_VERSION;
#endif

static void count(const struct gk_host *host, const char *call)
{
    char labels[64];
    snprintf(labels, sizeof labels, "call=\"%s\"", call);
    host->count(host->ctx, "module_calls_total", labels, 1);
}

static enum gk_status fail(struct gk_error *error, enum gk_status status, const char *message)
{
    *error = (struct gk_error){.status = status};
    snprintf(error->message, sizeof error->message, "%s", message);
    return status;
}

static enum gk_status create(const struct gk_host *host, struct gk_instance **out,
                             struct gk_error *error)
{
    count(host, "create");
    *out = CREATE_FAILS ? NULL : calloc(1, sizeof **out);
    if (*out == NULL) {
        return fail(error, GK_E_RESOURCE, "no more instances");
    }
    (*out)->host = host;
    return GK_OK;
}

static enum gk_status config(struct gk_instance *instance, const char *key, const char *value,
                             struct gk_error *error)
{
    count(instance->host, "config");
    if (strcmp(key, "bad") == 0) {
        return fail(error, GK_E_INVALID, "should be good");
    }
    if (strcmp(key, "start") == 0) {
        instance->start_fails = strcmp(value, "fails") == 0;
        return GK_OK;
    }
    if (strcmp(key, "check") == 0) {
        instance->check_fails = strcmp(value, "fails") == 0;
        return GK_OK;
    }
    return strcmp(key, "known") == 0 ? GK_OK : GK_E_NOT_FOUND;
}

static enum gk_status config_check(struct gk_instance *instance, struct gk_error *error)
{
    count(instance->host, "config_check");
    return instance->check_fails ? fail(error, GK_E_INVALID, "check: does not fit") : GK_OK;
}

static enum gk_status start(struct gk_instance *instance, struct gk_error *error)
{
    count(instance->host, "start");
    return instance->start_fails ? fail(error, GK_E_INVALID, "it does not start") : GK_OK;
}

static void stop(struct gk_instance *instance)
{
    count(instance->host, "stop");
}

static void destroy(struct gk_instance *instance)
{
    count(instance->host, "destroy");
    free(instance);
}

/* Stands where the host has nothing to call here. */
static void not_to_be_called(void)
{
    abort();
}

EXPORTED const struct gk_plugin *gatekey_plugin_entry(void)
{
#if defined(MODULE_NEWER) || defined(MODULE_OLDER) || defined(MODULE_BENCH) ||                     \
    defined(MODULE_WITHOUT_VERSION)
    abort(); /* whose version is not the gateway's is not run */
#endif
    static struct gk_plugin plugin;
    void (*const stub)(void) = not_to_be_called;
    for (size_t at = offsetof(struct gk_plugin, create); at < sizeof plugin; at += sizeof stub) {
        memcpy((char *)&plugin + at, &stub, sizeof stub);
    }
    plugin.abi_version = GK_PLUGIN_ABI_VERSION;
    plugin.struct_size = sizeof plugin;
    plugin.name = "fixture";
    plugin.version = "1.2.3";
    plugin.create = create;
    plugin.config = config;
    plugin.start = start;
    plugin.stop = stop;
    plugin.destroy = destroy;
    plugin.config_check = config_check;
    const struct gk_plugin *table = &plugin;
#if defined(MODULE_WITHOUT_TABLE)
    table = NULL;
#elif defined(MODULE_SMALL)
    plugin.struct_size = sizeof plugin - sizeof stub;
#elif defined(MODULE_TWO_VERSIONS)
    plugin.abi_version = GK_PLUGIN_ABI_VERSION + 1;
#elif defined(MODULE_WITH_A_HOLE)
    plugin.segment_open = NULL;
#elif defined(MODULE_WITHOUT_LAST)
    plugin.data_key_open_with = NULL;
#elif defined(MODULE_NAMELESS)
    plugin.name = NULL;
#endif
    return table;
}
