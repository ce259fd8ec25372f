#!/bin/sh
# Makes sure that the Debian packages of .ci/packages are there: installs what is missing where it may, says what to install where it may not.
set -eu
missing=""
while read -r package; do
    case "$package" in "" | "#"*) continue ;; esac
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done <"$(dirname "$0")/../.ci/packages"
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
    echo "The tests of the system need these packages, on Debian and Ubuntu: sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
echo "installing$missing"
policy=/usr/sbin/policy-rc.d # Nothing that is installed here is to start by itself.
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# The names are words: they may be split.
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
