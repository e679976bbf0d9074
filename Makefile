# Two commands set everything up on a fresh Debian machine with Python: `make demo`, then `make test`.
VENV := .venv
BIN := $(VENV)/bin
CAPTURE := captures/dead-peer/capture.pcap
DEBIAN_TOOLS := tshark sharkd tcpdump ip chromium chromedriver haproxy nginx ssh sshd redis-server psql

.PHONY: demo test test-long lint check coverage benchmark captures first-contact lock clean help

help: ## these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: $(VENV)/installed ## make .venv, install, analyse a capture
	$(BIN)/keepalive analyze $(CAPTURE)

test: $(VENV)/ready tools lint check ## install what the tests need, then run everything

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy analyzer tests captures/lab
	$(BIN)/lint-imports

# Once, before the tests: what waits for a message of theirs should not wait for that.
.PHONY: kernels
kernels: $(VENV)/ready
	$(BIN)/python -c 'from analyzer.kernels import compiled; compiled(print)'

check: kernels
	$(BIN)/python -m pytest -n 2

test-long: kernels tools ## the tests with everything tried of which otherwise a sample is; takes over an hour
	KEEPALIVE_LONG=1 $(BIN)/python -m pytest -n 2

# Compiled kernels run unseen: what is counted of kernels ran plain. So do programs that a test ends by SIGKILL. Left out
# is what reaches nothing that the rest does not. Whoever has given up all rights writes what it ran to that folder, too.
NOT_COUNTED := house/test_notebooks house/test_package house/test_readme live/test_soak
coverage: kernels tools ## statements and branches that the tests reach, by package, and modules below 95 %
	rm -rf build/coverage && mkdir -p build && mkdir -m 1777 build/coverage
	-$(BIN)/python -m coverage run -m pytest -q -n 2 $(NOT_COUNTED:%=--ignore=tests/%.py)
	-$(BIN)/python -m coverage combine -q
	$(BIN)/python -m coverage json -q -o - | $(BIN)/python tests/support/coverage_table.py

# NFStream has an environment of its own: it is no part of ours.
$(VENV)/peers/bin/python:
	python3 -m venv $(VENV)/peers && $(VENV)/peers/bin/python -m pip install -q --disable-pip-version-check nfstream

benchmark: $(VENV)/ready $(VENV)/peers/bin/python ## time and memory beside other tools, into the README; of a million connections; of live; of a report
	$(BIN)/python tests/benchmarks/bench_analyze.py --command "$(BIN)/keepalive analyze" --nfstream $(VENV)/peers/bin/python \
	  --sizes 5k,1m,10m,100m,10m-gzip,10m-zstd,3m-pcapng --table README.md
	$(BIN)/python tests/benchmarks/bench_start.py --command "$(BIN)/keepalive"
	$(BIN)/python tests/benchmarks/bench_diagnose.py
	$(BIN)/python tests/benchmarks/bench_live.py --command "$(BIN)/keepalive live"
	$(BIN)/python tests/benchmarks/bench_report.py --command "$(BIN)/keepalive report"
	$(BIN)/python tests/benchmarks/bench_sockets.py --command "$(BIN)/keepalive"

captures: lab-packages ## record the captures again, or ONLY="CASE ..." of them (root, Linux)
	python3 captures/lab/record.py $(if $(ONLY),--only $(ONLY))

first-contact: $(VENV)/ready lab-packages ## record connections drawn at random, and see how many are understood (root, Linux)
	$(BIN)/python tests/support/first_contact.py $(SEED)

lock: ## write requirements.lock anew (needs uv)
	uv pip compile --universal --no-header --no-annotate --extra test pyproject.toml -o requirements.lock

clean: ## remove what make has made
	rm -rf $(VENV) dist build

# What the recorded programs come from. None of them is to start as a service of this machine.
.PHONY: lab-packages
lab-packages:
	@for package in $$(cat captures/lab/packages.txt); do \
	  dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
	  policy=/usr/sbin/policy-rc.d; [ -e $$policy ] || { made=$$policy; printf '#!/bin/sh\nexit 101\n' > $$policy; chmod +x $$policy; }; \
	  apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing </dev/null; status=$$?; \
	  [ -z "$$made" ] || rm $$made; exit $$status; \
	fi

# The servers are there to read configuration: none is to start as a service of this machine.
.PHONY: tools
tools:
	@for tool in $(DEBIAN_TOOLS); do PATH="$$PATH:/usr/sbin" command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ]; then run=; elif command -v sudo >/dev/null; then run=sudo; \
	  else echo "the tests need$$missing: install them, or run this as root" >&2; exit 1; fi; \
	  policy=/usr/sbin/policy-rc.d; [ -e $$policy ] || { made=$$policy; printf '#!/bin/sh\nexit 101\n' | $$run tee $$policy >/dev/null; $$run chmod +x $$policy; }; \
	  $$run apt-get update -qq && $$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$(echo $$missing | sed 's/\bip\b/iproute2/; s/\bsharkd\b/wireshark-common/; s/\bchromedriver\b/chromium-driver/; s/\bnginx\b/nginx-light/; s/\bssh\b/openssh-client/; s/\bsshd\b/openssh-server/; s/\bpsql\b/postgresql-client/') </dev/null; status=$$?; \
	  [ -z "$$made" ] || $$run rm $$made; exit $$status; \
	fi

# Debian's Python comes without ensurepip: its venv package is fetched when it lacks.
$(VENV)/bin/python:
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ]; then run=; else run=sudo; fi; \
	  $$run apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$run apt-get install -y -qq python3-venv </dev/null; }
	python3 -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock -e .
	@touch $@

$(VENV)/ready: $(VENV)/installed
	$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock -e '.[test]'
	@touch $@
