/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: which commands there are, which options each takes, and what was given. */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Documented exit codes. */
enum ctl_exit {
    CTL_OK = 0,
    CTL_FAILED = 1,      /* refused or failed; the reason is on standard error */
    CTL_USAGE = 2,       /* the command line is wrong */
    CTL_UNREACHABLE = 3, /* the gateway did not answer */
    CTL_NOT_HEALTHY = 4, /* key status: a key is revoked, unreachable or degraded; doctor: something
                            does not work */
    CTL_DAMAGED =
        5, /* scrub, account reseal and reencrypt, audit verify: something is damaged; lists: an account's record cannot be
                        read */
    CTL_UNREFERENCED = 6, /* scrub: there are objects that nothing refers to, and they stay */
    CTL_STOPPED = 7, /* scrub, account reseal and reencrypt: it was stopped, and may be resumed */
    CTL_NOT_COMPLIANT = 8 /* policy report: something is not compliant, or not known to be */
};

#define CTL_TAGS_MAX  50u
#define CTL_FILES_MAX 1024u

/* NULL, false: not given. Texts point into argv or the environment. */
struct ctl_options {
    /* any command that talks to the gateway */
    const char *endpoint;
    const char *token_file;
    const char *ca_file;
    const char *client_cert;
    const char *client_key;
    const char *timeout_s;
    bool json;
    bool help;
    const char *help_group; /* of all commands of a group; NULL: of the command, or of all */
    /* accounts */
    const char *subscription;
    const char *resource_group;
    const char *location;
    const char *identity;
    const char *federated_client_id;
    const char *vault;
    const char *key;
    const char *key_version;
    const char *queue_key_type;
    const char *table_key_type;
    const char *tags[CTL_TAGS_MAX];
    size_t tags_count;
    bool system_identity;
    bool service_managed;
    bool automatic_version;
    bool https_only;
    bool public_access;
    bool yes;
    const char *confirm; /* account shred */
    /* scopes */
    bool enable;
    bool disable;
    /* account keys */
    const char *regenerate;
    const char *blob_endpoint;
    bool connection_string;
    /* doctor */
    const char *config;
    /* doctor, key status, policy report, service-key create, account export */
    bool no_fail;
    const char *out;
    /* account restore */
    const char *in;
    bool replace_settings;
    bool replace_keys;
    /* scrub */
    bool verify;
    bool remove;
    bool pause; /* account reseal and reencrypt */
    bool resume;
    bool status;
    bool stop;
    const char *older_than;
    const char *rate;
    const char *remove_damaged;
    /* audit verify */
    const char *head;
    const char *files[CTL_FILES_MAX]; /* the names that stand alone; name is the first of them */
    size_t files_count;
    /* the name that stands alone, of an account, "account/scope" or a file, NULL when there is none */
    const char *name;
};

struct ctl_command {
    const char *group;
    const char *verb;     /* "" for a command of one word */
    const char *argument; /* "NAME", "[NAME]", "[FILE...]" and the like, or "" */
    const char *summary;
    const char *const *options; /* names of what it takes beside --help, NULL-terminated */
    const char *details;        /* further lines of its help */
    enum ctl_exit (*run)(const struct ctl_options *options);
};

/*
 * Finds the command and reads its options. CTL_OK: *command and options are filled, or
 * options->help is set (*command NULL for the help of a group, or of all). Otherwise the reason has been printed.
 */
enum ctl_exit ctl_options_parse(int argc, char **argv, const struct ctl_command **command,
                                struct ctl_options *options);
/* help.c. command NULL: an overview of group, or, when that is NULL, of all. */
void ctl_help_print(FILE *stream, const struct ctl_command *command, const char *group);

/* "gatekeyctl: ..." on standard error; returns code. */
enum ctl_exit ctl_fail(enum ctl_exit code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* account_commands.c, audit_command.c, backup_commands.c, doctor_command.c, key_commands.c, policy_command.c,
 * reencrypt_command.c, reseal_command.c, scope_commands.c, scrub_command.c, service_key.c, shred_command.c */
enum ctl_exit ctl_account_create(const struct ctl_options *options);
enum ctl_exit ctl_account_show(const struct ctl_options *options);
enum ctl_exit ctl_account_list(const struct ctl_options *options);
enum ctl_exit ctl_account_update(const struct ctl_options *options);
enum ctl_exit ctl_account_delete(const struct ctl_options *options);
enum ctl_exit ctl_account_shred(const struct ctl_options *options);
enum ctl_exit ctl_account_keys(const struct ctl_options *options);
enum ctl_exit ctl_account_new_root_key(const struct ctl_options *options);
enum ctl_exit ctl_account_reencrypt(const struct ctl_options *options);
enum ctl_exit ctl_account_reseal(const struct ctl_options *options);
enum ctl_exit ctl_account_export(const struct ctl_options *options);
enum ctl_exit ctl_account_restore(const struct ctl_options *options);
enum ctl_exit ctl_blob_shred(const struct ctl_options *options);
enum ctl_exit ctl_audit_verify(const struct ctl_options *options);
enum ctl_exit ctl_doctor(const struct ctl_options *options);
enum ctl_exit ctl_key_status(const struct ctl_options *options);
enum ctl_exit ctl_key_check(const struct ctl_options *options);
enum ctl_exit ctl_policy_report(const struct ctl_options *options);
enum ctl_exit ctl_scope_create(const struct ctl_options *options);
enum ctl_exit ctl_scope_show(const struct ctl_options *options);
enum ctl_exit ctl_scope_list(const struct ctl_options *options);
enum ctl_exit ctl_scope_update(const struct ctl_options *options);
enum ctl_exit ctl_scope_check(const struct ctl_options *options);
enum ctl_exit ctl_scope_new_root_key(const struct ctl_options *options);
enum ctl_exit ctl_scrub(const struct ctl_options *options);
enum ctl_exit ctl_service_key_create(const struct ctl_options *options);

#endif
