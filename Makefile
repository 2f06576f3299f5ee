# Everything a person or a CI machine does with this repository. `make` alone explains itself.
#
# Needed: Rust (rustup.rs), a C compiler, make, npm, python3. The crates are fetched by cargo.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# A static binary needs an explicit target: without one, build scripts and procedural macros would
# be linked statically as well, and the latter cannot be. Static-PIE rather than plain static keeps
# address randomisation. A static program cannot look the C library's getrandom up, and would open
# /dev/random and /dev/urandom in its place: the system call itself, then.
host    := $(shell rustc -vV | sed -n 's/^host: //p')
flags   := CARGO_TARGET_$(shell echo '$(host)' | tr 'a-z-' 'A-Z_')_RUSTFLAGS
built   := $(or $(CARGO_TARGET_DIR),target)/$(host)/release/codepiper
binary  := target/codepiper

# One file is installed; a person without root gets it in the home.
PREFIX  ?= $(if $(filter 0,$(shell id -u)),/usr/local,$(HOME)/.local)

.PHONY: help assets build run test e2e bench install clean needs-tests needs-e2e attack cage fuzz needs-attack

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' Makefile | expand -t 18

assets: static/node_modules/.package-lock.json ## the dashboard's libraries, fetched once by npm

static/node_modules/.package-lock.json: static/package-lock.json
	@command -v npm >/dev/null || { \
	  echo "the dashboard needs npm; install with: sudo apt-get install npm" >&2; exit 1; }
	cd static && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

build: assets ## the release binary: target/codepiper, one static file
	$(flags)='-C target-feature=+crt-static --cfg getrandom_backend="linux_getrandom"' \
	  cargo build --release --locked --target $(host) --bin codepiper
	mkdir -p target
	cp $(built) $(binary).new
	packaging/check_binary.py $(binary).new
	mv $(binary).new $(binary)

run: build ## build, start the daemon, say what to type next
	@if $(binary) daemon status >/dev/null 2>&1; then \
	  echo "The daemon runs already, and goes on with the program it was started with;"; \
	  echo "to change to this build: $(binary) daemon stop && make run (sessions live on)."; \
	else \
	  $(binary) daemon --web --detach; \
	fi
	@echo
	@echo "Next: start a shell that outlives this terminal, and look into it:"
	@echo
	@echo "    $(binary) start -p command -d \"\$$PWD\" -n first -- bash"
	@echo "    $(binary) attach first        # Ctrl-\\ then d leaves it running"

test: assets needs-tests ## every test that needs crates and npm only, after installing what they need
	node --test tests/js/
	cargo test --locked

# What the agents do once more at workspace: they at the gate, with their own sandboxes and beside
# each other, and repositories that are out for more.
closer := gate hostile talk codex_repository nested beside --skip without_a_daemon --skip browser

e2e: assets needs-e2e ## real agents against scripted models, and a real browser (800 MB, once)
	tests/e2e/fetch.sh claude >/dev/null
	tests/e2e/fetch.sh codex >/dev/null
	tests/e2e/fetch.sh browser >/dev/null
	for tool in bwrap socat sshd; do tests/e2e/unpack.sh $$tool >/dev/null; done
	cargo test --locked --features e2e --test e2e -- --skip browser
	CODEPIPER_TEST_SANDBOX=workspace cargo test --locked --features e2e --test e2e -- $(closer)
	tests/e2e/offline.sh cargo test --locked --offline --features e2e --test e2e browser

attack: assets needs-attack ## the web door under attack: bad requests, floods, neighbours, a proxy
	cargo build --locked
	tests/attack/run.py --binary $${CARGO_TARGET_DIR:-target}/debug/codepiper $(ARGS)

cage: assets ## a hostile program in real sessions, at every level of the sandbox (needs root)
	cargo build --locked
	bwrap=$$(tests/cage/fetch.sh); \
	tests/cage/run.py --binary $${CARGO_TARGET_DIR:-target}/debug/codepiper --bwrap "$$bwrap" $(ARGS)

# Further seeds each run would be lost seeds: a failure here is repeated by the same command.
FUZZ ?= 30
fuzz: assets ## random input for every parser, FUZZ times (30) as long as in `make test`
	CODEPIPER_FUZZ=$(FUZZ) cargo test --locked --lib -- fuzz noise

bench: build ## the figures of the design, each beside its floor (ARGS=--json for machines)
	@tests/bench/run.py --binary $(binary) $(ARGS)

install: build ## one file: $(DESTDIR)$(PREFIX)/bin/codepiper
	install -D -m 0755 $(binary) "$(DESTDIR)$(PREFIX)/bin/codepiper"
	@echo "installed $(DESTDIR)$(PREFIX)/bin/codepiper"
	@if [ "$$(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null)" = 1 ]; then \
	  echo "this system gives namespaces by profile: load packaging/apparmor (README, The cage)"; fi

clean: ## remove what was built; never touches ~/.codepiper
	cargo clean
	rm -f $(binary)

# Programs that tests look at terminals with, and that run in them. Each is named like its package,
# but for PROGRAM:PACKAGE.
needs-tests: tools := tmux vim less htop
needs-e2e:   tools := chromium git gdb ssh:openssh-client
needs-attack: tools := nginx openssl

needs-tests needs-e2e needs-attack:
	@missing=; for tool in $(tools); do \
	  command -v $${tool%:*} >/dev/null || missing="$$missing $${tool#*:}"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing$$missing"; \
	  apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
	else \
	  echo "the tests need$$missing; install with: sudo apt-get install$$missing" >&2; exit 1; \
	fi
