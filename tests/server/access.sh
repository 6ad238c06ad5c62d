# sh access.sh HEARTH: who may ask. Keys, names of the server, web pages, TLS.
hearth=$1
work=$(mktemp -d) || exit 1
server=
failures=0
end_server() {
    [ -n "$server" ] || return 0
    kill -INT "$server" && wait "$server" || {
        failures=$((failures + 1))
        echo "FAILED: the server's exit status is not 0: $(cat "$work/log")" >&2
    }
    server=
}
trap 'end_server; rm -rf "$work"' EXIT
unset HEARTH_API_KEY OLLAMA_HOST OLLAMA_ORIGINS
command -v curl >/dev/null || { echo "skipped: curl is not installed"; exit 77; }

# start ARGUMENTS...: $port is set
start() {
    : >"$work/log"
    "$hearth" serve shape:tiny:Q8_0:1 --port 0 "$@" 2>"$work/log" &
    server=$!
    port= tries=0
    while [ -z "$port" ]; do
        port=$(sed -n 's/^.*listening on http.*:\([0-9]*\)$/\1/p' "$work/log")
        tries=$((tries + 1))
        if [ "$tries" -gt 200 ] || ! kill -0 "$server"; then
            cat "$work/log" >&2
            exit 1
        fi
        sleep 0.05
    done
}

# expect STATUS CURL_ARGUMENTS...
expect() {
    want=$1
    shift
    got=$(curl -s -o "$work/body" -w '%{http_code}' "$@")
    [ "$got" = "$want" ] && return
    failures=$((failures + 1))
    echo "FAILED: $*: status $got, not $want: $(cat "$work/body")" >&2
}

start
at=http://127.0.0.1:$port
expect 200 "$at/api/version"
expect 200 -H 'Host: localhost' "$at/api/version"
expect 403 -H 'Host: evil.example' "$at/api/version"
expect 200 -H 'Origin: http://localhost:3000' "$at/api/version"
expect 200 -H 'Origin: app://x' "$at/api/version"
expect 403 -H 'Origin: https://evil.example' "$at/api/version"
expect 403 -H 'Origin: https://localhost.evil.example' "$at/api/version"
expect 204 -X OPTIONS -H 'Origin: http://localhost' "$at/api/chat"
expect 404 "$at/none"
end_server

start --api-key one,two --host 0.0.0.0 --origins https://page.example
at=http://127.0.0.1:$port
expect 401 "$at/api/tags"
grep -q '^{"error":"unauthorized"}$' "$work/body" || failures=$((failures + 1))
expect 401 -H 'Authorization: Bearer on' "$at/v1/models"
grep -q authentication_error "$work/body" || failures=$((failures + 1))
expect 401 -H 'Authorization: Bearer oneone' "$at/v1/models"
expect 401 -H 'Authorization: Bearer one,two' "$at/v1/models"
expect 401 -H 'Authorization: Bearer ' "$at/v1/models"
expect 401 -H 'Authorization: one' "$at/v1/models"
expect 200 -H 'Authorization: Bearer one' "$at/v1/models"
expect 200 -H 'X-Api-Key: two' "$at/v1/models"
expect 200 "$at/health"
expect 200 -H 'X-Api-Key: two' -H 'Host: server.example' "$at/v1/models"
expect 200 -H 'X-Api-Key: two' -H 'Origin: https://page.example' "$at/v1/models"
expect 403 -H 'X-Api-Key: two' -H 'Origin: https://other.example' "$at/v1/models"
expect 204 -X OPTIONS -H 'Origin: https://page.example' "$at/v1/models"
end_server

for host in 0.0.0.0 :: 192.0.2.1 box.local; do
    if "$hearth" serve shape:tiny:Q8_0:1 --port 0 --host "$host" 2>"$work/err"; then
        failures=$((failures + 1))
        echo "FAILED: listens on $host without a key" >&2
    fi
    grep -q "give an API key" "$work/err" || failures=$((failures + 1))
done

if command -v openssl >/dev/null &&
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$work/key.pem" \
        -out "$work/cert.pem" 2>/dev/null; then
    start --tls-cert "$work/cert.pem" --tls-key "$work/key.pem"
    expect 200 --cacert "$work/cert.pem" --resolve "localhost:$port:127.0.0.1" \
        "https://localhost:$port/v1/models"
    expect 000 "http://127.0.0.1:$port/v1/models"
    end_server
else
    echo "openssl is not installed: TLS was not tested"
fi
exit $((failures > 0))
