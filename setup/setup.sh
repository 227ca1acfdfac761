#!/usr/bin/env bash
# Finds a Python and hands over to setup.py; on a bare Debian as root it fetches one first.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
if ! command -v "$python" >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing Python …"
        if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends \
            python3 python3-venv; } >/dev/null; then
            echo "Python could not be installed; install the packages python3 and python3-venv, then run make again." >&2
            exit 1
        fi
    else
        echo "There is no Python here; install it with: sudo apt-get install python3 python3-venv" >&2
        exit 1
    fi
fi
exec "$python" setup/setup.py "$@"
