#!/usr/bin/env bash
# Installs the packages of the named groups of packages.txt that are missing; on systems without apt
# it says what is missing. Exit status: 0 when all is there, 1 when something stays missing.
# usage: scripts/packages.sh GROUP...
set -euo pipefail
list=$(dirname "$0")/packages.txt

# Prints column $1 of the rows of the wanted groups.
column() {
    awk -v groups=" $wanted " -v column="$1" \
        '!/^#/ && NF && index(groups, " " $1 " ") { print $column }' "$list"
}

missing_packages() {
    local package
    for package in $(column 2); do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
            echo "$package"
    done
}

missing_probes() {
    local probe
    for probe in $(column 3); do
        case $probe in
            -) ;;
            pkg:*) pkg-config --exists "${probe#pkg:}" 2>/dev/null || echo "lib ${probe#pkg:}" ;;
            *) command -v "$probe" >/dev/null || echo "$probe" ;;
        esac
    done
}

install_packages() {
    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || { echo "needs root (no sudo here) to install: $*"; return 1; }
        as_root=(sudo)
    fi
    echo "installing: $*"
    local log
    log=$(mktemp)
    if "${as_root[@]}" apt-get update -q >"$log" 2>&1 &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -q --no-install-recommends "$@" >>"$log" 2>&1 </dev/null; then
        rm -f "$log"
    else
        tail -n 5 "$log"
        rm -f "$log"
        return 1
    fi
}

wanted="$*"
if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
    mapfile -t missing < <(missing_packages)
    [ ${#missing[@]} = 0 ] || install_packages "${missing[@]}" ||
        { echo "not installed: ${missing[*]}"; exit 1; }
else
    mapfile -t missing < <(missing_probes)
    if [ ${#missing[@]} -gt 0 ]; then
        list=$(printf ', %s' "${missing[@]}")
        echo "missing on this system, for $wanted: ${list:2}"
        exit 1
    fi
fi
