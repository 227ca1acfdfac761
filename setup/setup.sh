#!/usr/bin/env bash
# Finds a Python that is new enough and hands over to setup.py; on a bare Debian as root it fetches one first.
set -euo pipefail
cd "$(dirname "$0")/.."

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

choose() {
    for name in "${PYTHON:-python3}" python3.13 python3.12 python3.11 /usr/bin/python3; do
        if command -v "$name" >/dev/null && new_enough "$name"; then
            command -v "$name"
            return
        fi
    done
    return 1
}

if ! python=$(choose); then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "System packages: python3 python3-venv …" >&2
        apt-get update -q >/dev/null 2>&1 || true
        DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends python3 python3-venv >/dev/null 2>&1 || true
    fi
    if ! python=$(choose); then
        here=$("${PYTHON:-python3}" --version 2>/dev/null || echo "no Python")
        echo "Not started: Python 3.11 or later is needed and here is $here;" \
            "install the packages python3 and python3-venv, or name one: make run PYTHON=/path/to/python3" >&2
        exit 1
    fi
fi
exec "$python" setup/setup.py "$@"
