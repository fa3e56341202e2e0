/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor: goes over an installation as somebody would who was called because something is wrong, from the
 * configuration to the accounts, and says of each thing what it found and what to do.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/client.h"
#include "ctl/doctor.h"
#include "ctl/scope_keys.h"
#include "ctl/show.h"

#define CLOCKS_APART_S 30

static bool is_good(const struct ctl_reply *reply)
{
    return reply->status >= 200 && reply->status <= 299;
}

/* 0: none was shown. */
static void check_listener(struct ctl_findings *findings, const char *whose, int64_t end_s)
{
    if (end_s != 0) {
        ctl_doctor_certificate(findings, whose, end_s,
                               "put a new one in its place and reload the gateway");
    }
}

/* --- the gateway ------------------------------------------------------------------------------------*/

static void check_clocks(struct ctl_findings *findings, const struct ctl_reply *reply)
{
    const int64_t apart_s = llabs((int64_t)time(NULL) - reply->date_s);
    if (reply->date_s != 0 && apart_s > CLOCKS_APART_S) {
        ctl_finding(findings, CTL_FINDING_FAILED, "clock",
                    "synchronise both: signatures and tokens are refused when clocks differ",
                    "the gateway's clock and this machine's are %lld seconds apart",
                    (long long)apart_s);
    }
}

/* False: nobody answers there, or does not take the token. */
static bool check_endpoint(struct ctl_findings *findings, const struct ctl_options *options,
                           const struct ctl_reply *reply)
{
    if (reply->status == 0) {
        ctl_finding(findings, CTL_FINDING_FAILED, "gateway",
                    reply->distrusted
                        ? "--ca-file is to be the authority of management.tls_certificate"
                        : "is it running (systemctl status gatekey), and is this "
                          "management.listen of its configuration?",
                    "%s cannot be reached: %s", options->endpoint, reply->reason);
        return false;
    }
    check_listener(findings, "the management listener", reply->certificate_end_s);
    check_clocks(findings, reply);
    if (!is_good(reply)) {
        ctl_finding(findings, CTL_FINDING_FAILED, "gateway",
                    reply->status == 401
                        ? "--token-file is to have what management.token_file has, or that of one "
                          "of management.callers, where --client-cert is to be named"
                        : "is this its management listener?",
                    "%s answers with status %ld", options->endpoint, reply->status);
        return false;
    }
    ctl_finding(findings, CTL_FINDING_OK, "gateway", "", "%s answers, and knows who asks",
                options->endpoint);
    return true;
}

static void tell_silence(struct ctl_findings *findings, const char *check, const char *path,
                         const struct ctl_reply *reply)
{
    ctl_finding(findings, CTL_FINDING_WARNING, check, "run this again; is the gateway overloaded?",
                "not known: %s gave no answer (status %ld) %s", path, reply->status, reply->reason);
}

static void check_ready(struct ctl_findings *findings, const struct ctl_reply *reply)
{
    json_t *answer = json_loadb((const char *)reply->body.data, reply->body.len, 0, NULL);
    if (answer == NULL) {
        tell_silence(findings, "store", "/readyz", reply);
    }
    const json_t *reasons = json_object_get(answer, "reasons");
    size_t index = 0;
    const json_t *reason = NULL;
    json_array_foreach(reasons, index, reason)
    {
        ctl_finding(findings, CTL_FINDING_FAILED, "store",
                    "in a cluster: ceph health, the network to it, and the caps of the gateway's "
                    "user; else the disk of state_dir",
                    "%s", json_is_string(reason) ? json_string_value(reason) : "");
    }
    if (reply->status == 200) {
        ctl_finding(findings, CTL_FINDING_OK, "store", "", "it answers");
    }
    json_decref(answer);
}

/* --- the Blob endpoint --------------------------------------------------------------------------------*/

static void check_blob(struct ctl_findings *findings, const struct ctl_options *options,
                       const json_t *accounts)
{
    const char *url = NULL;
    for (size_t i = 0; url == NULL && i < json_array_size(accounts); i++) {
        const json_t *properties = json_object_get(json_array_get(accounts, i), "properties");
        url = json_string_value(
            json_object_get(json_object_get(properties, "primaryEndpoints"), "blob"));
    }
    struct ctl_reply reply;
    if (url == NULL || ctl_look_at(options, url, &reply) != CTL_OK) {
        return;
    }
    if (reply.status == 0) {
        ctl_finding(findings, CTL_FINDING_WARNING, "blob",
                    "do clients reach it under that name, and trust its certificate?",
                    "%s cannot be reached from here: %s", url, reply.reason);
    } else {
        ctl_finding(findings, CTL_FINDING_OK, "blob", "", "%s answers", url);
        check_listener(findings, "the Blob listener", reply.certificate_end_s);
    }
    ctl_reply_cleanup(&reply);
}

/* --- all ------------------------------------------------------------------------------------------------*/

static enum ctl_exit ask(const struct ctl_options *options, const char *path,
                         void (*check)(struct ctl_findings *findings,
                                       const struct ctl_reply *reply),
                         struct ctl_findings *findings)
{
    struct ctl_reply reply;
    const enum ctl_exit code = ctl_exchange(options, "GET", path, NULL, &reply);
    if (code == CTL_OK) {
        check(findings, &reply);
    }
    ctl_reply_cleanup(&reply);
    return code;
}

static void check_metrics(struct ctl_findings *findings, const struct ctl_reply *reply)
{
    if (is_good(reply)) {
        ctl_doctor_metrics(findings, gk_buf_str(&reply->body));
    } else {
        tell_silence(findings, "vault", "/metrics", reply);
    }
}

/* False: /metrics does not tell of scopes. */
static bool take_scopes(struct ctl_findings *findings, const struct ctl_reply *metrics,
                        json_t *accounts)
{
    const char *text = is_good(metrics) ? gk_buf_str(&metrics->body) : "";
    const int64_t read_s = ctl_scope_keys_read_s(text);
    if (read_s == 0) {
        return false;
    }
    ctl_scope_keys_take(text, accounts);
    if (metrics->date_s - read_s > CTL_SCOPE_KEYS_OLD_S) {
        ctl_finding(findings, CTL_FINDING_WARNING, "scope",
                    "the gateway's log says why the accounts could not be read since",
                    "the keys of encryption scopes are told as they were %lld minutes ago",
                    (long long)(metrics->date_s - read_s) / 60);
    }
    return true;
}

static enum ctl_exit check_accounts(const struct ctl_options *options,
                                    struct ctl_findings *findings)
{
    struct ctl_reply metrics;
    json_t *accounts = NULL;
    enum ctl_exit code = ctl_exchange(options, "GET", "/metrics", NULL, &metrics);
    if (code == CTL_OK) {
        check_metrics(findings, &metrics);
        code = ctl_list(options, "/gatekey/accounts", &accounts);
    }
    if (code == CTL_OK) {
        check_blob(findings, options, accounts);
        const bool scopes_known = take_scopes(findings, &metrics, accounts);
        ctl_doctor_accounts(findings, accounts, scopes_known);
    }
    json_decref(accounts);
    ctl_reply_cleanup(&metrics);
    return code;
}

static enum ctl_exit check_gateway(const struct ctl_options *options, struct ctl_findings *findings)
{
    struct ctl_reply reply;
    enum ctl_exit code =
        ctl_exchange(options, "GET", "/gatekey/accounts?$maxpagesize=1", NULL, &reply);
    if (code == CTL_OK && check_endpoint(findings, options, &reply)) {
        code = ask(options, "/readyz", check_ready, findings);
        if (code == CTL_OK) {
            code = check_accounts(options, findings);
        }
    }
    ctl_reply_cleanup(&reply);
    return code;
}

enum ctl_exit ctl_doctor(const struct ctl_options *options)
{
    struct ctl_findings findings = {.kept = options->json ? json_array() : NULL};
    if (options->config != NULL) {
        ctl_doctor_config(&findings, options->config);
    }
    ctl_doctor_clock(&findings);
    const enum ctl_exit code = check_gateway(options, &findings);
    if (code == CTL_OK && options->json) {
        ctl_show_json(findings.kept);
    } else if (code == CTL_OK) {
        printf("%zu good, %zu to look at, %zu wrong\n", findings.counts[CTL_FINDING_OK],
               findings.counts[CTL_FINDING_WARNING], findings.counts[CTL_FINDING_FAILED]);
    }
    json_decref(findings.kept);
    return code != CTL_OK || options->no_fail || findings.counts[CTL_FINDING_FAILED] == 0
               ? code
               : CTL_NOT_HEALTHY;
}
