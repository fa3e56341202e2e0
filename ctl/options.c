/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/options.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/nearest.h"
#include "ctl/commands.h"

enum ctl_exit ctl_fail(enum ctl_exit code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("gatekeyctl: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return code;
}

static bool takes(const struct ctl_command *command, const struct ctl_option_rule *rule)
{
    if (strcmp(rule->name, "--help") == 0) {
        return true;
    }
    for (const char *const *name = command->options; *name != NULL; name++) {
        if (strcmp(*name, rule->name) == 0) {
            return true;
        }
    }
    return false;
}

static enum ctl_exit refuse_option(const struct ctl_command *command, const char *text, size_t len)
{
    char name[64];
    char words[CTL_WORDS_BYTES];
    const char *names[CTL_OPTIONS_MAX] = {NULL};
    size_t count = 0;
    while (count < CTL_OPTIONS_MAX && command->options[count] != NULL) {
        names[count] = command->options[count];
        count++;
    }
    snprintf(name, sizeof name, "%.*s", (int)len, text);
    ctl_command_words(command, words);
    const char *meant = gk_nearest_name(name, names, count);
    return meant == NULL
               ? ctl_fail(CTL_USAGE, "%s has no option %s; see --help", words, name)
               : ctl_fail(CTL_USAGE, "%s has no option %s: is it %s?", words, name, meant);
}

static enum ctl_exit set_option(const struct ctl_option_rule *rule, const char *value,
                                struct ctl_options *options)
{
    char *field = (char *)options + rule->offset;
    switch (rule->kind) {
    case OPTION_FLAG:
        *(bool *)(void *)field = true;
        return CTL_OK;
    case OPTION_TEXT:
        *(const char **)(void *)field = value;
        return CTL_OK;
    case OPTION_TAG:
        if (strchr(value, '=') == NULL || options->tags_count >= CTL_TAGS_MAX) {
            return ctl_fail(CTL_USAGE, "--tag takes NAME=VALUE, at most %u times", CTL_TAGS_MAX);
        }
        options->tags[options->tags_count++] = value;
        return CTL_OK;
    }
    return CTL_USAGE;
}

/* One option at argv[*at], as "--name value" or "--name=value". */
static enum ctl_exit parse_option(const struct ctl_command *command, int argc, char **argv, int *at,
                                  struct ctl_options *options)
{
    const char *text = argv[*at];
    const size_t len = strcspn(text, "=");
    const struct ctl_option_rule *rule = ctl_option_rule_find(text, len);
    if (rule == NULL || !takes(command, rule)) {
        return refuse_option(command, text, len);
    }
    const bool joined = text[len] == '=';
    if (rule->kind == OPTION_FLAG) {
        return joined ? ctl_fail(CTL_USAGE, "%s takes no value", rule->name)
                      : set_option(rule, NULL, options);
    }
    const char *value = text + len + 1;
    if (!joined) {
        if (*at + 1 >= argc) {
            return ctl_fail(CTL_USAGE, "%s needs a value", rule->name);
        }
        *at += 1;
        value = argv[*at];
    }
    return set_option(rule, value, options);
}

static void set_defaults(struct ctl_options *options)
{
    *options = (struct ctl_options){0};
    options->endpoint = getenv("GATEKEY_ENDPOINT");
    options->token_file = getenv("GATEKEY_TOKEN_FILE");
    options->ca_file = getenv("GATEKEY_CA_FILE");
    options->client_cert = getenv("GATEKEY_CLIENT_CERT");
    options->client_key = getenv("GATEKEY_CLIENT_KEY");
    options->subscription = "00000000-0000-0000-0000-000000000000";
    options->resource_group = "gatekey";
    options->location = "local";
}

static enum ctl_exit refuse_group(const char *group)
{
    char verbs[256] = "";
    for (size_t i = 0; i < ctl_commands_count; i++) {
        if (strcmp(ctl_commands[i].group, group) == 0) {
            const size_t len = strlen(verbs);
            snprintf(verbs + len, sizeof verbs - len, "%s%s", len == 0 ? "" : ", ",
                     ctl_commands[i].verb);
        }
    }
    return ctl_fail(CTL_USAGE, "%s needs a command: %s; see gatekeyctl %s --help", group, verbs,
                    group);
}

static enum ctl_exit refuse_command(int argc, char **argv)
{
    char texts[CTL_COMMANDS_MAX][CTL_WORDS_BYTES];
    const char *names[CTL_COMMANDS_MAX];
    char typed[CTL_WORDS_BYTES];
    if (argc < 2) {
        return ctl_fail(CTL_USAGE, "give a command; see gatekeyctl --help");
    }
    if (argc < 3 && ctl_is_group(argv[1])) {
        return refuse_group(argv[1]);
    }
    for (size_t i = 0; i < ctl_commands_count; i++) {
        ctl_command_words(&ctl_commands[i], texts[i]);
        names[i] = texts[i];
    }
    const bool verb = argc >= 3 && argv[2][0] != '-';
    snprintf(typed, sizeof typed, "%s%s%s", argv[1], verb ? " " : "", verb ? argv[2] : "");
    const char *meant = gk_nearest_name(typed, names, ctl_commands_count);
    return meant == NULL
               ? ctl_fail(CTL_USAGE, "there is no command %s; see gatekeyctl --help", typed)
               : ctl_fail(CTL_USAGE, "there is no command %s: is it %s?", typed, meant);
}

static const struct ctl_command *find_command(int argc, char **argv)
{
    for (size_t i = 0; argc >= 2 && i < ctl_commands_count; i++) {
        const char *verb = ctl_commands[i].verb;
        if (strcmp(ctl_commands[i].group, argv[1]) == 0 &&
            (verb[0] == '\0' || (argc >= 3 && strcmp(verb, argv[2]) == 0))) {
            return &ctl_commands[i];
        }
    }
    return NULL;
}

/* False: it is one too many. */
static bool take_name(const struct ctl_command *command, const char *name,
                      struct ctl_options *options)
{
    const char *argument = command->argument;
    const size_t max = argument[0] == '\0'               ? 0
                       : strstr(argument, "...") != NULL ? CTL_FILES_MAX
                                                         : 1;
    if (options->files_count >= max) {
        return false;
    }
    options->name = options->files_count == 0 ? name : options->name;
    options->files[options->files_count++] = name;
    return true;
}

/* Only help can be wanted: of all, or of a group. */
static enum ctl_exit parse_without_command(int argc, char **argv, struct ctl_options *options)
{
    const bool all = options->help && argc < 2;
    const bool group = argc >= 2 && ctl_is_group(argv[1]);
    const bool asks = argc >= 3 && strcmp(argv[2], "--help") == 0;
    if (all || (group && (asks || (options->help && argc < 3)))) {
        options->help = true;
        options->help_group = group ? argv[1] : NULL;
        return CTL_OK;
    }
    return refuse_command(argc, argv);
}

enum ctl_exit ctl_options_parse(int argc, char **argv, const struct ctl_command **command,
                                struct ctl_options *options)
{
    set_defaults(options);
    *command = NULL;
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
        options->help = true;
        argc--; /* what follows it is what help is wanted of */
        argv++;
    }
    *command = find_command(argc, argv);
    if (*command == NULL) {
        return parse_without_command(argc, argv, options);
    }
    for (int i = (*command)->verb[0] == '\0' ? 2 : 3; i < argc; i++) {
        if (argv[i][0] == '-') {
            const enum ctl_exit code = parse_option(*command, argc, argv, &i, options);
            if (code != CTL_OK) {
                return code;
            }
        } else if (!take_name(*command, argv[i], options)) {
            return ctl_fail(CTL_USAGE, "'%s' is one argument too many; see --help", argv[i]);
        }
    }
    const char *argument = (*command)->argument;
    if (!options->help && options->name == NULL && argument[0] != '\0' && argument[0] != '[') {
        return ctl_fail(CTL_USAGE, "%s %s needs %s", (*command)->group, (*command)->verb,
                        strcmp(argument, "NAME") == 0 ? "the account's name" : argument);
    }
    return CTL_OK;
}
