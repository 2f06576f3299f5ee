#!/bin/bash
# Installs the one version of an agent that the end-to-end tests speak to, or of the driver for
# their browser (and beside it what judges pages for people who do not see them), and prints its
# path.
#
#   fetch.sh claude|codex|browser
#
# It goes into a cache outside the repository, once; a second run only checks it. Parallel runs wait
# for each other. npm and the program see a clean environment and a throw-away home, so nothing of
# the caller's (tokens, settings, sessions) is read or written.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/codepiper-e2e

case $(uname -m) in
  x86_64) arch=x64 cpu=x86_64 ;;
  aarch64) arch=arm64 cpu=aarch64 ;;
  *) echo "fetch.sh: no agents for $(uname -m)" >&2; exit 1 ;;
esac
# The packages themselves hold launchers for Node; the programs are in the platform's packages.
case ${1-} in
  claude)
    package=@anthropic-ai/claude-code version=2.1.330 size="400 MB"
    file=@anthropic-ai/claude-code-linux-$arch/claude ;;
  codex)
    package=@openai/codex version=0.169.0 size="400 MB"
    file=@openai/codex-linux-$arch/vendor/$cpu-unknown-linux-musl/bin/codex ;;
  browser)
    package=playwright-core version=1.65.1 size="15 MB" beside=axe-core@4.14.1
    file=playwright-core/cli.js ;;
  *) echo "usage: fetch.sh claude|codex|browser" >&2; exit 2 ;;
esac
dir=$cache/$1-$version-$arch${beside:+-$beside}
program=$dir/node_modules/$file

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
  command -v npm >/dev/null || { echo "fetch.sh: npm is missing" >&2; exit 1; }
  echo "fetch.sh: installing $package $version into $dir (once, about $size)" >&2
  "${clean[@]}" npm install --prefix "$work/install" --ignore-scripts --no-audit --no-fund \
    "$package@$version" ${beside:-} >&2
  # Renamed when complete: an interrupted install leaves nothing that looks like one.
  rm -rf "$dir"
  mv "$work/install" "$dir"
fi

found=$("${clean[@]}" DISABLE_AUTOUPDATER=1 "$program" --version </dev/null |
  grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -1)
if [ "$found" != "$version" ]; then
  echo "fetch.sh: $program is version $found, not $version; remove $dir and try again" >&2
  exit 1
fi
echo "$program"
