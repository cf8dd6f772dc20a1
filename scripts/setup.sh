#!/bin/sh
# Look for the programs that the tests need, and install missing ones with apt-get where it needs no password.
# Else stop with one line: the command to type. PYTHON names the interpreter.
set -u

PYTHON=${PYTHON:-python3}

found() {
    command -v "$1" >/dev/null 2>&1
}

has_python() {
    found "$PYTHON" && "$PYTHON" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

has_chromium() {
    found chromium && return 0
    for browser in "${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}"/chromium-*/INSTALLATION_COMPLETE; do
        [ -e "$browser" ] && return 0
    done
    return 1
}

has_postgresql() {
    found initdb && return 0
    for folder in ${POSTGRESQL_FOLDERS:-/usr/lib/postgresql/*/bin}; do
        [ -x "$folder/initdb" ] && return 0
    done
    return 1
}

# Debian keeps it off the PATH of users.
has_pgbouncer() {
    found pgbouncer || [ -x "${PGBOUNCER:-/usr/sbin/pgbouncer}" ]
}

# The packages of Debian and Ubuntu that are missing.
missing() {
    [ -x .venv/bin/python ] || has_python || printf ' python3 python3-venv'
    found node || printf ' nodejs'
    found npm || printf ' npm'
    found redis-server || found valkey-server || printf ' redis-server'
    has_chromium || printf ' chromium'
    has_postgresql || printf ' postgresql'
    has_pgbouncer || printf ' pgbouncer'
}

# The same under the names of another package manager.
named() {
    case $1 in
        dnf) echo "$2" | sed 's/python3-venv/python3/; s/redis-server/valkey/; s/postgresql/postgresql-server/' ;;
        pacman) echo "$2" | sed 's/python3 python3-venv/python/; s/redis-server/valkey/' ;;
        apk) echo "$2" | sed 's/python3-venv/py3-pip/; s/redis-server/redis/' ;;
        brew) echo "$2" | sed 's/python3 python3-venv/python@3.12/; s/nodejs npm/node/; s/ npm/ node/; s/redis-server/redis/; s/postgresql/postgresql@17/' ;;
        *) echo "$2" ;;
    esac
}

what_to_type() {
    if found apt-get; then
        echo "sudo apt-get install$1"
    elif found dnf; then
        echo "sudo dnf install$(named dnf "$1")"
    elif found pacman; then
        echo "sudo pacman -S$(named pacman "$1")"
    elif found apk; then
        echo "sudo apk add$(named apk "$1")"
    elif found brew; then
        echo "brew install$(named brew "$1")"
    else
        echo "install$1 with the package manager of this system"
    fi
}

stop() {
    echo "Programs that the tests need are missing; type: $(what_to_type "$1")" >&2
    exit 1
}

packages=$(missing)
[ -z "$packages" ] && exit 0

found apt-get || stop "$packages"
if [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif found sudo && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    stop "$packages"
fi

echo "Installing$packages …"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq >/dev/null 2>&1
# $packages are words. The output of apt-get is shown only when it fails.
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $packages </dev/null >/dev/null 2>&1

packages=$(missing)
[ -z "$packages" ] || stop "$packages"
