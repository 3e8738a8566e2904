# bash completion for gorae: passes the words typed so far to "gorae __complete", which knows commands, flags and live names.
_gorae() {
    local line=${COMP_LINE:0:COMP_POINT} words last
    read -ra words <<<"$line"
    [[ $line == *[[:blank:]] ]] && words+=("")
    last=${words[-1]}
    mapfile -t COMPREPLY < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
    # bash takes what follows a ":" or "=" for a word of its own, so the proposals must not repeat what stands before it
    if [[ $last == *[:=]* && $COMP_WORDBREAKS == *[:=]* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${last%"${last##*[:=]}"}"}")
    fi
}
complete -o bashdefault -o default -F _gorae gorae
