# Two commands do everything: `make lab` opens the console on a small real cluster, `make test` runs the whole suite.
# Both set up what they need first: a Rust toolchain is asked for, PostgreSQL's server binaries are installed.

CARGO ?= cargo
# Where distributions keep server binaries that are not on PATH.
PG_PLACES = /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/opt/postgresql*/bin /opt/homebrew/opt/postgresql*/bin \
            /Applications/Postgres.app/Contents/Versions/*/bin

# Azurite and moto's S3: what the tests of object stores talk to. Kept outside of target/, so that a clean build finds them.
STORES = $(or $(HOWDAH_STORES),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/howdah/stores)
AZURITE = 3.37.0
MOTO = 5.2.5

.PHONY: help lab test build bench screenshots toolchain postgres stores

help:
	@echo 'make lab          a three-zone PostgreSQL cluster on this machine, and the console on it'
	@echo 'make test         the whole test suite'
	@echo 'make build        the release binary, target/release/howdah'
	@echo 'make bench        measured figures beside their goals'
	@echo 'make screenshots  write screenshots/*.svg anew from the real views'

lab: build postgres
	@./target/release/howdah lab

test: toolchain postgres stores
	$(CARGO) test --locked

build: toolchain
	$(CARGO) build --release --locked

bench: toolchain postgres
	$(CARGO) bench --locked

screenshots: toolchain
	HOWDAH_WRITE_SCREENSHOTS=1 $(CARGO) test --locked --test screenshots

toolchain:
	@command -v $(CARGO) >/dev/null || { \
	  echo 'make: no cargo found. Rust 1.89 or newer builds howdah: see https://rustup.rs' >&2; exit 2; }
	@command -v cc >/dev/null || { $(call install,gcc libc6-dev,gcc,gcc); }

# Needs initdb, pg_basebackup and pg_rewind of version 13 or newer; the lab never touches a server that runs already.
postgres:
	@{ command -v initdb && command -v pg_rewind; } >/dev/null 2>&1 \
	  || ls $(foreach place,$(PG_PLACES),$(place)/initdb) 2>/dev/null | grep -q . \
	  || { $(call install,postgresql,postgresql-server postgresql-contrib,postgresql@17); }

stores: $(STORES)/azurite-$(AZURITE) $(STORES)/moto-$(MOTO)

$(STORES)/azurite-$(AZURITE):
	@command -v npm >/dev/null || { $(call install,npm,npm,node); }
	@mkdir -p $(STORES)
	npm install --prefix $(STORES) --no-audit --no-fund --loglevel=error azurite@$(AZURITE)
	@touch $@

$(STORES)/moto-$(MOTO):
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { $(call install,python3 python3-venv,python3,python@3); }
	@mkdir -p $(STORES)
	python3 -m venv $(STORES)/moto
	$(STORES)/moto/bin/pip install -q --disable-pip-version-check 'moto[server$(comma)s3]==$(MOTO)'
	@touch $@

comma := ,

# $(1) apt's names, $(2) dnf's, $(3) brew's.
define install
sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
if command -v apt-get >/dev/null; then $$sudo apt-get update -q && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -q $(1); \
elif command -v dnf >/dev/null; then $$sudo dnf install -y $(2); \
elif command -v brew >/dev/null; then brew install $(3); \
else echo 'make: please install by hand: $(1)' >&2; exit 2; fi
endef
