# SPDX-License-Identifier: Apache-2.0
# bash completion for gatekeyctl, by what its own help says: no list of commands here that could go stale.

# The first words of all commands, or the second ones of those that begin with $1.
_gatekeyctl_words() {
    gatekeyctl --help 2>/dev/null | awk -v group="$1" '
        /^  [a-z]/ {
            split(substr($0, 3), parts, /  +/)
            count = split(parts[1], words, " ")
            if (group == "") print words[1]
            else if (words[1] == group && count > 1 && words[2] ~ /^[a-z][a-z-]+$/) print words[2]
        }' | sort -u
}

_gatekeyctl_options() {
    gatekeyctl "$@" --help 2>/dev/null | awk '/^  --/ { print $1 }'
}

_gatekeyctl() {
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verbs
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_gatekeyctl_words '')" -- "$current")
        return
    fi
    case $before in
    --*-file | --client-cert | --client-key | --config | --in | --out)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    esac
    verbs=$(_gatekeyctl_words "${COMP_WORDS[1]}")
    if [ "$COMP_CWORD" -eq 2 ] && [ -n "$verbs" ] && [ "${current#-}" = "$current" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$current")
    elif [ "${current#-}" != "$current" ]; then
        if [ -n "$verbs" ]; then
            mapfile -t COMPREPLY < <(compgen -W "$(_gatekeyctl_options "${COMP_WORDS[1]}" "${COMP_WORDS[2]}")" -- "$current")
        else
            mapfile -t COMPREPLY < <(compgen -W "$(_gatekeyctl_options "${COMP_WORDS[1]}")" -- "$current")
        fi
    elif [ "${COMP_WORDS[1]} ${COMP_WORDS[2]}" = 'audit verify' ]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
}

complete -F _gatekeyctl gatekeyctl
