#!/bin/bash
# Prints the path of bwrap, the sandbox that coding agents bring and that must work inside of ours.
# Where the machine has none its package is unpacked into a cache and not installed: an agent that
# finds one takes it, and the other tests are of agents without.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/codepiper-cage
program=$cache/usr/bin/bwrap

if command -v bwrap; then exit 0; fi
if [ ! -x "$program" ]; then
  for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || {
      echo "fetch.sh: bwrap is missing; install bubblewrap" >&2; exit 1; }
  done
  mkdir -p "${cache%/*}"
  work=$(mktemp -d -p "${cache%/*}")
  trap 'rm -rf "$work"' EXIT
  cd "$work"
  apt-get download -qq bubblewrap >&2 2>/dev/null || {
    apt-get update -qq >&2; apt-get download -qq bubblewrap >&2; }
  mkdir unpacked
  dpkg-deb -x bubblewrap_*.deb unpacked
  rm -rf "$cache"
  mv unpacked "$cache"
fi
"$program" --version >/dev/null
echo "$program"
