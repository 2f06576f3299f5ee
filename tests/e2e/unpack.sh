#!/bin/bash
# Prints the path of a program that tests need and that must not be installed for them.
#
#   unpack.sh bwrap|socat|sshd
#
# Where the machine has none its package is unpacked into a cache: an agent that finds a bwrap takes
# it, and the other tests are of agents without; and an sshd that is installed is started as well.
set -euo pipefail

case ${1-} in
  bwrap) exec "$(dirname "$0")/../cage/fetch.sh" ;;
  socat) package=socat file=usr/bin/socat1 ;;
  sshd) package=openssh-server file=usr/sbin/sshd ;;
  *) echo "usage: unpack.sh bwrap|socat|sshd" >&2; exit 2 ;;
esac
PATH=$PATH:/usr/sbin
if command -v "$1"; then exit 0; fi

cache=${XDG_CACHE_HOME:-$HOME/.cache}/codepiper-e2e
dir=$cache/unpacked-$1
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9

if [ ! -x "$dir/$1" ]; then
  for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || {
      echo "unpack.sh: $1 is missing; install $package" >&2; exit 1; }
  done
  work=$(mktemp -d -p "$cache")
  trap 'rm -rf "$work"' EXIT
  cd "$work"
  # Both are linked to libwrap, which few machines have.
  apt-get download -qq "$package" libwrap0 >&2 2>/dev/null || {
    apt-get update -qq >&2; apt-get download -qq "$package" libwrap0 >&2; }
  mkdir unpacked
  for archive in *.deb; do dpkg-deb -x "$archive" unpacked; done
  [ -e "unpacked/$file" ] || file=${file%1}
  libraries=$(find unpacked -type d -name '*-linux-gnu' -printf "$dir/%P:")
  printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$libraries" "$dir/$file" >"unpacked/$1"
  chmod +x "unpacked/$1"
  rm -rf "$dir"
  mv unpacked "$dir"
fi
"$dir/$1" -V >/dev/null 2>&1 || { echo "unpack.sh: $dir/$1 does not run" >&2; exit 1; }
echo "$dir/$1"
