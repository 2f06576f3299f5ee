#!/bin/bash
# Installs the one Claude Code version that the end-to-end tests speak to, and prints its path.
#
# It goes into a cache outside the repository, once; a second run only checks it. Parallel runs wait
# for each other. npm and the program see a clean environment and a throw-away home, so nothing of
# the caller's (tokens, settings, sessions) is read or written.
set -euo pipefail

version=2.1.330
cache=${XDG_CACHE_HOME:-$HOME/.cache}/codepiper-e2e

case $(uname -m) in
  x86_64) arch=x64 ;;
  aarch64) arch=arm64 ;;
  *) echo "fetch_claude.sh: no Claude Code for $(uname -m)" >&2; exit 1 ;;
esac
dir=$cache/claude-$version-$arch
# The package named claude-code holds a launcher only; the program is in the platform's package.
program=$dir/node_modules/@anthropic-ai/claude-code-linux-$arch/claude

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9

work=$(mktemp -d -p "$cache")
trap 'rm -rf "$work"' EXIT
mkdir "$work/home" "$work/install"

# Certificates and proxies belong to the network, not to the person: without them npm cannot work
# behind one.
clean=(env -i "HOME=$work/home" "PATH=$PATH" LANG=C.UTF-8)
for name in NODE_EXTRA_CA_CERTS HTTPS_PROXY HTTP_PROXY NO_PROXY https_proxy http_proxy no_proxy; do
  if [ -n "${!name:-}" ]; then clean+=("$name=${!name}"); fi
done

if [ ! -x "$program" ]; then
  command -v npm >/dev/null || { echo "fetch_claude.sh: npm is missing" >&2; exit 1; }
  echo "fetch_claude.sh: installing Claude Code $version into $dir (once, about 400 MB)" >&2
  "${clean[@]}" npm install --prefix "$work/install" --ignore-scripts --no-audit --no-fund \
    "@anthropic-ai/claude-code@$version" >&2
  # Renamed when complete: an interrupted install leaves nothing that looks like one.
  rm -rf "$dir"
  mv "$work/install" "$dir"
fi

found=$("${clean[@]}" DISABLE_AUTOUPDATER=1 "$program" --version </dev/null | cut -d' ' -f1)
if [ "$found" != "$version" ]; then
  echo "fetch_claude.sh: $program is version $found, not $version; remove $dir and try again" >&2
  exit 1
fi
echo "$program"
