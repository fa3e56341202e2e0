/* SPDX-License-Identifier: Apache-2.0 */
/* Which commands and options there are (commands.c): what the command line is read by, and what the help is made of. */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include "ctl/options.h"

#define CTL_COMMANDS_MAX 64u
#define CTL_OPTIONS_MAX  32u /* of a command */
#define CTL_WORDS_BYTES  40u

enum ctl_option_kind { OPTION_TEXT, OPTION_FLAG, OPTION_TAG };

struct ctl_option_rule {
    const char *name;
    enum ctl_option_kind kind;
    size_t offset;
    const char *value; /* for the help */
    const char *help;
};

extern const struct ctl_command ctl_commands[];
extern const size_t ctl_commands_count;

/* NULL: there is none of that name. */
const struct ctl_option_rule *ctl_option_rule_find(const char *name, size_t len);
/* A command as one types it: "account create", "doctor". */
void ctl_command_words(const struct ctl_command *command, char words[CTL_WORDS_BYTES]);
bool ctl_is_group(const char *name);

#endif
