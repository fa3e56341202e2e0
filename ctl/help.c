/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ctl/commands.h"

/* group NULL: all. */
static void print_overview(FILE *stream, const char *group)
{
    fprintf(stream, "usage: gatekeyctl %s COMMAND [NAME] [options]\n\n",
            group == NULL ? "GROUP" : group);
    for (size_t i = 0; i < ctl_commands_count; i++) {
        char words[CTL_WORDS_BYTES];
        char usage[2 * CTL_WORDS_BYTES];
        if (group != NULL && strcmp(ctl_commands[i].group, group) != 0) {
            continue;
        }
        ctl_command_words(&ctl_commands[i], words);
        snprintf(usage, sizeof usage, "%s %s", words, ctl_commands[i].argument);
        fprintf(stream, "  %-33s  %s\n", usage, ctl_commands[i].summary);
    }
    fputs(
        "\nEvery command explains its options with --help. Those that talk to the gateway read\n"
        "GATEKEY_ENDPOINT, GATEKEY_TOKEN_FILE and GATEKEY_CA_FILE from the environment.\n"
        "\nexit codes: 0 done; 1 refused or failed; 1 key status: the keys of scopes are not "
        "known;\n"
        "2 wrong command line; 3 the gateway cannot be reached; 4 key status: a customer key is\n"
        "revoked, unreachable or degraded; 4 doctor: something does not work; 5 account list, key\n"
        "status: an account's record cannot be read; 5 audit verify: the file is not what was\n"
        "written; 5 scrub, account reseal and reencrypt: something is damaged; 6 scrub: objects\n"
        "that nothing refers to stay; 7 scrub, account reseal and reencrypt: it was stopped;\n"
        "8 policy report: something is not compliant\n",
        stream);
}

void ctl_help_print(FILE *stream, const struct ctl_command *command, const char *group)
{
    if (command == NULL) {
        print_overview(stream, group);
        return;
    }
    fprintf(stream, "usage: gatekeyctl %s%s%s%s%s [options]\n\n  %s\n\n", command->group,
            command->verb[0] == '\0' ? "" : " ", command->verb,
            command->argument[0] == '\0' ? "" : " ", command->argument, command->summary);
    for (const char *const *name = command->options; *name != NULL; name++) {
        const struct ctl_option_rule *rule = ctl_option_rule_find(*name, strlen(*name));
        char words[64];
        snprintf(words, sizeof words, "%s %s", rule->name, rule->value);
        fprintf(stream, "  %-34s %s\n", words, rule->help);
    }
    if (command->details[0] != '\0') {
        fprintf(stream, "\n%s", command->details);
    }
}
