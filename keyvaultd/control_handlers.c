/* SPDX-License-Identifier: Apache-2.0 */
/* The control API: how tests bring about what happens to a vault in the world. What it changes
 * lives in memory and ends with the process. */
#include <stddef.h>
#include <string.h>

#include "common/log.h"
#include "common/text.h"
#include "keyvaultd/handlers.h"

#define CLOCK_OFFSET_MAX_MS INT64_C(315576000000) /* ten years */

static void done(struct kv_request *request)
{
    kv_answer(request, 200, json_object());
}

static void refuse(struct kv_request *request, const char *text)
{
    kv_refuse(request, 400, "BadParameter", "", "%s", text);
}

void kv_handle_fault_add(struct kv_request *request)
{
    struct gk_error error;
    if (kv_faults_add(request->server->faults, request->input, &error) != GK_OK) {
        refuse(request, error.message);
        return;
    }
    gk_log(GK_LOG_WARNING, "control", "a fault was switched on");
    done(request);
}

void kv_handle_faults_clear(struct kv_request *request)
{
    const char *key = kv_params_get(&request->query, "key");
    const char *client_id = kv_params_get(&request->query, "client_id");
    const uint64_t taken = kv_faults_clear(request->server->faults, key, client_id);
    kv_answer(request, 200, json_pack("{s:I}", "taken", (json_int_t)taken));
}

static bool permissions_of(const json_t *list, uint32_t *out)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        const uint32_t bit = name == NULL ? 0 : kv_permission_of(name);
        if (bit == 0) {
            return false;
        }
        bits |= bit;
    }
    *out = bits;
    return json_is_array(list);
}

/* What of an identity is on or off. */
static const struct {
    const char *name;
    size_t offset;
} switches[] = {
    {"enabled", offsetof(struct kv_identity, enabled)},
    {"federated", offsetof(struct kv_identity, federated)},
    {"installed", offsetof(struct kv_identity, installed)},
};

static bool switches_good(const json_t *input)
{
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        const json_t *value = json_object_get(input, switches[i].name);
        if (value != NULL && !json_is_boolean(value)) {
            return false;
        }
    }
    return true;
}

static void set_switches(struct kv_identity *identity, const json_t *input)
{
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        const json_t *value = json_object_get(input, switches[i].name);
        if (value != NULL) {
            atomic_bool *on = (atomic_bool *)(void *)((char *)identity + switches[i].offset);
            atomic_store(on, json_is_true(value));
        }
    }
}

void kv_handle_identity(struct kv_request *request)
{
    struct kv_identity *identity = kv_identity_by_name(&request->server->identities, request->name);
    const json_t *permissions = json_object_get(request->input, "permissions");
    uint32_t bits = 0;
    if (identity == NULL) {
        kv_refuse(request, 404, "NotFound", "", "There is no identity with this name.");
        return;
    }
    if (!switches_good(request->input) ||
        (permissions != NULL && !permissions_of(permissions, &bits))) {
        refuse(request, "enabled, federated, installed or permissions is invalid.");
        return;
    }
    set_switches(identity, request->input);
    if (permissions != NULL) {
        atomic_store(&identity->permissions, bits);
    }
    done(request);
}

static bool network_of(const json_t *value, enum kv_network *network)
{
    static const char *const names[] = {
        [KV_NETWORK_OPEN] = "open",
        [KV_NETWORK_FIREWALL] = "firewall",
        [KV_NETWORK_PRIVATE] = "private",
    };
    const char *name = json_string_value(value);
    for (size_t i = 0; name != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            *network = (enum kv_network)i;
            return true;
        }
    }
    return false;
}

void kv_handle_vault(struct kv_request *request)
{
    const json_t *deleted = json_object_get(request->input, "deleted");
    const json_t *rules = json_object_get(request->input, "network");
    enum kv_network network = KV_NETWORK_OPEN;
    if ((deleted != NULL && !json_is_boolean(deleted)) ||
        (rules != NULL && !network_of(rules, &network))) {
        refuse(request, "deleted must be true or false, and network open, firewall or private.");
        return;
    }
    if (deleted != NULL) {
        atomic_store(&request->server->vault_deleted, json_is_true(deleted));
    }
    if (rules != NULL) {
        atomic_store(&request->server->network, network);
    }
    done(request);
}

void kv_handle_clock(struct kv_request *request)
{
    const json_t *offset = json_object_get(request->input, "offset_ms");
    const json_int_t offset_ms = json_integer_value(offset);
    if (!json_is_integer(offset) || offset_ms < -CLOCK_OFFSET_MAX_MS ||
        offset_ms > CLOCK_OFFSET_MAX_MS) {
        refuse(request, "offset_ms must be a number of milliseconds, at most ten years.");
        return;
    }
    atomic_store(&request->server->clock_offset_ms, offset_ms);
    done(request);
}

void kv_handle_calls(struct kv_request *request)
{
    const char *after = kv_params_get(&request->query, "after");
    uint64_t seq = 0;
    if (after != NULL && !gk_parse_u64(gk_span_str(after), INT64_MAX, &seq)) {
        refuse(request, "after must be a number.");
        return;
    }
    kv_answer(request, 200, kv_calls_after(request->server->calls, seq));
}
