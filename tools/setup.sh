# Sets a checkout up: system packages by apt, then .venv with the package and its extras.
# Sourced by tools/test, tools/bench and tools/bars, which call `set_up test` or `set_up bench`; run by itself,
# it sets up what tools/image.py needs, and runs no test:
#
#     bash tools/setup.sh
#
# Idempotent: what is there is left alone, and a stamp in .venv makes the second time quick.
# For Debian 12 and 13, Ubuntu 24.04 and later, Raspberry Pi OS; elsewhere it names what is missing.
# shellcheck shell=bash

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="$ROOT/.venv"
# Debian keeps mosquitto in sbin, which is not on everybody's path.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

say() { printf '== %s\n' "$*" >&2; }

# set_up PURPOSE: `test` takes all tools, `bench` only what the bench needs, `images` what tools/image.py needs.
set_up() {
    local purpose=$1
    set_up_system "$purpose"
    set_up_python "$purpose"
}

set_up_system() {
    local purpose=$1 wanted=() extra=()
    if [ "$purpose" = images ]; then
        mapfile -t wanted < <(missing_image_packages)
        find_python >/dev/null || wanted+=(python3 python3-venv)
        [ ${#wanted[@]} -eq 0 ] || apt_install "${wanted[@]}" || exit 2
        return
    fi
    has_libzbar || wanted+=(libzbar0)
    command -v mosquitto >/dev/null || wanted+=(mosquitto)
    find_python >/dev/null || wanted+=(python3 python3-venv)
    if [ "$purpose" = test ] && ! has_chromium; then
        # On Ubuntu the package is an empty one that asks for a snap, which many machines cannot run.
        if apt_offers chromium; then
            extra+=(chromium fonts-dejavu-core)
        else
            say "no chromium here: the browser tests will be skipped"
        fi
    fi
    if [ "$purpose" = test ]; then
        # Images are made and read with these; without them their tests are skipped.
        mapfile -t -O ${#extra[@]} extra < <(missing_image_packages)
    fi
    # The camera's package exists in apt only. Not yet run on a Pi.
    if on_raspberry_pi && ! python3 -c 'from importlib.util import find_spec as f; exit(not f("picamera2"))'; then
        extra+=(python3-picamera2)
    fi
    if [ ${#wanted[@]} -gt 0 ]; then
        apt_install "${wanted[@]}" ${extra[@]+"${extra[@]}"} || exit 2
    elif [ ${#extra[@]} -gt 0 ]; then
        apt_install "${extra[@]}" || say "going on without ${extra[*]}: what needs it will be skipped"
    fi
    find_python >/dev/null || { say "needs Python 3.11 or later with venv; found none"; exit 2; }
}

has_libzbar() {
    compgen -G '/usr/lib/*/libzbar.so.0' >/dev/null || compgen -G '/usr/lib/libzbar.so.0' >/dev/null ||
        compgen -G '/usr/local/lib/libzbar.so.0' >/dev/null
}

# missing_image_packages: prints the packages that tools/image.py and its tests need and that are not installed.
missing_image_packages() {
    command -v sfdisk >/dev/null || echo fdisk
    command -v mcopy >/dev/null || echo mtools
    command -v debugfs >/dev/null || echo e2fsprogs
    command -v mkfs.vfat >/dev/null || echo dosfstools
}

has_chromium() { command -v chromium || command -v google-chrome-stable || command -v google-chrome; } >/dev/null

apt_offers() { command -v apt-cache >/dev/null && [ -n "$(apt-cache madison "$1" 2>/dev/null)" ]; }

# find_python: prints the interpreter for .venv. The system's own comes first, since packages from apt (picamera2) are
# built for it; then the versions that the classifier's runtime has wheels for. A name on PATH may be a stub, so each
# is run.
find_python() {
    local name
    for name in python3 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
        then command -v "$name"; return; fi
    done
    "python3" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v python3
}

# apt_install PACKAGE...: 0 when installed; prints the one line to run where this user may not.
apt_install() {
    local line="apt-get update && apt-get install -y --no-install-recommends $*" as=()
    if ! command -v apt-get >/dev/null; then
        say "missing: $* (or what they are called here); install them and run this again"; return 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null || ! { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then
            say "missing system packages; as root run:"
            printf '%s\n' "$line" >&2
            return 1
        fi
        as=(sudo)
    fi
    say "installing $*"
    local had_mosquitto=yes
    command -v mosquitto >/dev/null || had_mosquitto=no
    ${as[@]+"${as[@]}"} apt-get update -q >&2 || say "apt-get update had errors; trying with what it knows"
    ${as[@]+"${as[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >&2 || return 1
    if [ "$had_mosquitto" = no ] && [ -d /run/systemd/system ]; then
        # Only the program is needed, on a port of its own; the service would hold port 1883 for nothing.
        ${as[@]+"${as[@]}"} systemctl disable --now mosquitto.service >&2 2>/dev/null || true
    fi
}

set_up_python() {
    local purpose=$1 extras stamp python options=()
    case "$purpose" in
        test | images) extras=dev,web ;;
        *) extras=web ;;
    esac
    if on_raspberry_pi; then
        extras="$extras,pi"
        options=(--system-site-packages) # picamera2 comes from apt only
    fi
    if ! "$VENV/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python="$(find_python)"
        say "making .venv with $("$python" --version)"
        "$python" -m venv --clear ${options[@]+"${options[@]}"} "$VENV" || exit 1
    fi
    # `cart` in the stamp: a checkout that was moved has to be installed again.
    stamp="$( { printf '%s ' "$ROOT" "$("$VENV/bin/python" --version)"; cat "$ROOT/setup.py"; } | sha256sum | cut -d' ' -f1)"
    if [ -x "$VENV/bin/cart" ]; then
        [ "$(cat "$VENV/.set-up-test" 2>/dev/null)" = "$stamp" ] && return
        [ "$(cat "$VENV/.set-up-$purpose" 2>/dev/null)" = "$stamp" ] && return
    fi
    say "installing the package with extras $extras into .venv"
    # What is there already is not worth a line each; what is fetched is.
    "$VENV/bin/python" -m pip install --disable-pip-version-check --no-input -e "$ROOT[$extras]" 2>&1 |
        grep --line-buffered -v '^Requirement already satisfied' >&2
    [ "${PIPESTATUS[0]}" -eq 0 ] || { say "pip failed; see above"; exit 1; }
    printf '%s\n' "$stamp" >"$VENV/.set-up-$purpose"
}

on_raspberry_pi() { grep -qs 'Raspberry Pi' /proc/device-tree/model; }

# Sourced, $0 is who sources it.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set_up images
    say "ready: ./tools/image.py --help"
fi
