#!/usr/bin/env bash
# Follows the README word by word in a minimal Debian 12: makes a root with debootstrap, copies the
# committed tree into it, and runs there the commands of the README's first block. Needs root.
# usage: scripts/fresh_root.sh [FOLDER]    the root is made below FOLDER (/var/tmp), then removed
#
# Inside, apt uses this machine's sources, settings, certificates and proxy.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "fresh_root.sh needs root"; exit 1; }
suite=bookworm
root=$(mktemp -d "${1:-/var/tmp}/hearth-root.XXXXXX")
tree=$root/home/hearth

clean_up() {
    mountpoint -q "$root/proc" && umount -l "$root/proc"
    mountpoint -q "$root/dev" && umount -l "$root/dev"
    rm -rf --one-file-system "$root"
}
trap clean_up EXIT

copy_settings() {
    local file
    rm -rf "$root/etc/apt"
    cp -a /etc/apt "$root/etc/"
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    # Certificates and proxies are named by variables or by apt's own settings.
    for file in /etc/ssl/certs/ca-certificates.crt ${SSL_CERT_FILE:-} ${CURL_CA_BUNDLE:-} \
        $(apt-config dump | sed -n 's/^Acquire::https.*CaInfo "\(.*\)";$/\1/p'); do
        [ -f "$file" ] && install -D -m 644 "$file" "$root$file"
    done
    for file in /usr/share/keyrings /etc/apt/keyrings; do
        [ -d "$file" ] && mkdir -p "$root$file" && cp -a "$file/." "$root$file/"
    done
}

mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
    awk -v suite=$suite '$2 == suite { print $1; exit }')
echo "making a minimal $suite"
debootstrap --variant=minbase $suite "$root" ${mirror:+"$mirror"} >"$root.log" 2>&1 ||
    { tail -n 5 "$root.log" | sed -E 's#[a-z]+://[^ ]+#<mirror>#g'; rm -f "$root.log"; exit 1; }
rm -f "$root.log"
copy_settings
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mkdir -p "$tree"
git archive HEAD | tar -x -C "$tree"

# The README's first block of commands, as it stands there.
commands=$(awk '/^```/ { if (inside) exit; inside = 1; next } inside' README.md)
echo "$commands" | sed 's/^/  $ /'
chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" \
    bash -euo pipefail -c "cd /home/hearth; $commands"
