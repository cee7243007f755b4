# Everything a developer does here is one word: `make` alone lists them.
PYTHON ?= python3
VENV := .venv
PEERS := .data-bench/peers
CLIENTS := .data-clients
BROWSER := .data-browser
SITE := .data-docs
GUIDE := taskmanager/api/guide.zip
BIN := $(VENV)/bin
COMPILE = $(BIN)/uv pip compile --quiet setup.cfg --universal --python-version 3.11 \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links
INSTALL := PYTHON="$(PYTHON)" VENV=$(VENV) sh requirements/install

# Byte code is kept, whatever the environment of a container says: without it each process compiles all sources at its start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.* \#\# .*/\1/p' Makefile)

help: ## list the words
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 18

run: $(VENV)/.run $(GUIDE) ## start the whole service; Ctrl-C ends it
	@$(BIN)/taskmanager up

dev: $(VENV)/.run $(GUIDE) ## the same, restarting processes when their source changes
	@$(BIN)/taskmanager up --reload

stop: ## end the service that runs on this data folder
	@if [ -x $(BIN)/taskmanager ]; then $(BIN)/taskmanager stop; else echo "Nothing is running."; fi

demo: $(VENV)/.run ## against a running service: assign a task, show the mail that arrives
	@$(BIN)/taskmanager demo

migrate: $(VENV)/.run ## bring the database to the form this release needs
	@$(BIN)/taskmanager migrate $(ARGS)

test: $(VENV)/.test ## run the tests; ARGS="-k login" hands words on to pytest
	@$(BIN)/python -m pytest -n 3 --dist worksteal $(ARGS)

test-later: $(VENV)/.test ## the same with the clock 13 months ahead; ARGS="--at 2028-02-29T23:30" for another day
	@$(BIN)/python -m tests.later -n 3 --dist worksteal $(ARGS)

dist: $(VENV)/.test docs ## build sdist and wheel in dist/ with a bill of materials (SBOM), checked as publishers do
	@rm -rf dist && $(BIN)/python -m build --no-isolation --outdir dist >/dev/null
	@$(BIN)/twine check --strict dist/*.whl dist/*.tar.gz && $(BIN)/check-wheel-contents dist/*.whl
	@$(BIN)/cyclonedx-py requirements requirements/base.txt --output-reproducible --output-file dist/sbom.cdx.json

package-test: $(VENV)/.test docs ## build sdist, wheel and image; try wheel and image from nothing (PYTHON_IMAGE=…, ENGINE=…)
	@PACKAGE_TEST=1 $(BIN)/python -m pytest -p no:randomly -v tests/packaging $(ARGS)

test-busy: $(VENV)/.test ## the same in two orders, beside four processes that keep the machine busy
	@$(BIN)/python -m tests.busy -n 3 --dist worksteal $(ARGS)

services-test: $(VENV)/.test ## the functional tests through NGINX against services apart, each killed in turn; ARGS="tests/web" for others
	@SERVICES_APART=1 $(BIN)/python -m pytest -q -p no:randomly $(or $(ARGS),tests/functional tests/gateway tests/api/test_schemathesis.py tests/browser)
	@[ -n "$(ARGS)" ] || SERVICES_APART=1 $(BIN)/python -m pytest -q -n 2 --dist loadscope -p no:randomly tests/features tests/pages

blue-green: $(VENV)/.test ## releases under load behind NGINX: 20,000 requests (N=…), five switches, two that go back
	@BLUE_GREEN_REQUESTS=$(or $(N),20000) BLUE_GREEN_SWITCHES=5 $(BIN)/python -m pytest -q -p no:randomly tests/gateway/test_release.py -k under_load

scale-test: $(VENV)/.test ## one web process and two behind NGINX: CPU of a request; limits and keys are exact over both
	@$(BIN)/python -m pytest -q -p no:randomly tests/gateway/test_scale.py
	@SCALE_SECONDS=$(or $(SECONDS),5) $(BIN)/python -m pytest -q -p no:randomly tests/gateway/test_scale.py -k costs

manifests: $(VENV)/.test ## render deploy/kubernetes; our rules, kubernetes-validate at two versions, checkov
	@$(BIN)/python -m pytest -q -n 0 -p no:randomly tests/deploy/test_manifests.py
	@PYTHON=$(PYTHON) sh deploy/kubernetes/check

image: ## build the image; size over its base, user, labels, packages (ENGINE=…, PYTHON_IMAGE=…; SBOM=yes with syft)
	@sh deploy/image

compose-test: ## start deploy/compose in Docker, kill every process, stop it (PROFILE=services, COMPOSE=…, TASKMANAGER_IMAGE=…)
	@sh deploy/compose/try

coverage: $(VENV)/.test ## run the tests; list lines and branches that they miss, fail below the floor of setup.cfg
	@$(BIN)/python -m pytest -n 3 --dist worksteal --cov --cov-report=term $(ARGS)

check: style types contracts metadata workflows ## all that reads the code without running it

style: $(VENV)/.test ## format and lint
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: $(VENV)/.test ## check types
	@$(BIN)/mypy

contracts: $(VENV)/.test ## check who may import whom
	@$(BIN)/lint-imports --config setup.cfg

metadata: $(VENV)/.test ## compare setup.cfg with the pinned requirements
	@$(BIN)/python requirements/sanity.py

workflows: $(VENV)/.test ## lint .github: security of the workflows, schemas of the files
	@$(BIN)/zizmor --offline --quiet --persona auditor .github
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@if [ -x $(BIN)/actionlint ]; then $(BIN)/actionlint .github/workflows/*.yml; fi
	@$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml

hooks: $(VENV)/.test ## run the words of `make check` before each commit, for the files that changed
	@$(BIN)/pre-commit install

pictures: $(VENV)/.test ## renew the pictures of the README, with a running service
	@$(BIN)/python docs/media/record.py

diagrams: $(VENV)/.test $(SITE)/mermaid.min.js ## draw the diagrams of docs/ for the site, where their text has changed
	@$(BIN)/python docs/media/draw.py $(SITE)/mermaid.min.js

$(SITE)/mermaid.min.js:
	@mkdir -p $(SITE) && cd $(SITE) && npm pack --silent mermaid@11.17.2 >/dev/null
	@tar -xzOf $(SITE)/mermaid-11.17.2.tgz package/dist/mermaid.min.js > $@ && rm $(SITE)/mermaid-11.17.2.tgz

openapi: $(VENV)/.run ## renew docs/openapi.json
	@$(BIN)/taskmanager openapi > docs/.openapi.json && mv docs/.openapi.json docs/openapi.json

messages: $(VENV)/.test ## extract the texts for people, and update and compile the catalogue of each language
	@$(BIN)/pybabel -q extract -F taskmanager/translations/babel.cfg -k marked --no-location --omit-header --sort-output \
		-o taskmanager/translations/messages.pot taskmanager
	@$(BIN)/pybabel -q update -i taskmanager/translations/messages.pot -d taskmanager/translations \
		--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	@$(BIN)/pybabel -q compile -d taskmanager/translations

schemathesis: $(VENV)/.test ## try the API by its document, against a service with TASKMANAGER_RATELIMIT_ENABLED=false; SCHEMATHESIS_TOKEN logs in
	@$(BIN)/schemathesis run http://127.0.0.1:$${TASKMANAGER_PORT:-8000}/api/v1/openapi.json $(ARGS)

clients: $(VENV)/.test $(CLIENTS)/.npm ## generate clients from the API's document in Python and TypeScript, drive one, lint the document
	@CLIENTS_TEST=1 $(BIN)/python -m pytest -p no:randomly -v -s tests/clients $(ARGS)

.data-%/.npm: tests/%/package-lock.json
	@mkdir -p $(@D) && cp $(<D)/package*.json $(@D)/
	@cd $(@D) && npm ci --silent --no-audit --no-fund --ignore-scripts && touch .npm

docs: $(SITE)/.ready ## render docs/ as a site with search, which the service serves at /docs/guide; a broken link fails
	@NO_MKDOCS_2_WARNING=1 $(SITE)/bin/mkdocs build --strict --quiet --config-file .ci/docs/mkdocs.yml

docs-test: $(VENV)/.test docs ## read the site at /docs/guide in Chromium, under the policy of the service
	@$(BIN)/python -m pytest -q -n 0 -p no:randomly -rs tests/api/test_guide.py tests/browser/test_guide.py

# What `make run` does where there is no site yet, or pages have changed: the service runs without it, too.
$(GUIDE): $(wildcard *.md docs/*.md docs/*/*.md docs/media/diagrams/*.svg .ci/docs/*)
	@echo "Rendering the guide …"
	@$(MAKE) --silent docs || echo "The guide could not be rendered: /docs/guide stays as it was, or is not there."

$(SITE)/.ready: .ci/docs/requirements.txt
	@$(PYTHON) -m venv --clear $(SITE) && $(SITE)/bin/python -m pip install --quiet --disable-pip-version-check -r $< && touch $@

matrix: $(VENV)/.test ## try every route as every kind of caller, and print who gets what
	@$(BIN)/python -m pytest -n 3 -q tests/features/test_matrix.py && $(BIN)/python -m tests.features.matrix

chaos: $(VENV)/.test ## kill -9 workers, relay, scheduler, web, stream, stores and receivers under a long stream of assignments, which streams and syncs follow
	@CHAOS_ASSIGNMENTS=$(or $(N),2000) CHAOS_OUTAGE_SECONDS=60 \
		$(BIN)/python -m pytest tests/faults/test_kill.py -q -k "whatever or away_for_a_while"

sync-campaign: $(VENV)/.test ## random offline clients and streams while processes and the primary of MongoDB are killed, N=10000 steps (ARGS="--seed 7 --minutes 20"); or URL=… of a service without rate limits (docs/sync.md)
	@$(BIN)/python -m $(if $(URL),tests.features.sync.campaign $(URL) $(or $(N),10000),tests.faults.sync_campaign --steps $(or $(N),10000) $(ARGS))

stores-test: $(VENV)/.test ## a queue behind Sentinels whose primary is killed five times (N=…), a cache in a cluster
	@STORE_FAILOVERS=$(or $(N),5) $(BIN)/python -m pytest -q -n 0 -p no:randomly tests/faults/test_store_groups.py

broker-test: $(VENV)/.test ## publish events to a real RabbitMQ (apt: rabbitmq-server) that is killed five times (N=…)
	@BROKER_KILLS=$(or $(N),5) $(BIN)/python -m pytest -q -s -n 0 -p no:randomly tests/plugins/test_rabbitmq.py

lost-write: $(VENV)/.test ## three mongods, killed so that writes are rolled back, ten times: what was acknowledged is kept
	@LOST_WRITE_ROUNDS=$(or $(N),10) $(BIN)/python -m pytest tests/faults/test_lost_writes.py -q

failover: $(VENV)/.test ## three mongods, the primary killed five times (N=…) under writes of two web processes: losses, gaps, reads meanwhile
	@FAILOVER_KILLS=$(or $(N),5) $(BIN)/python -m pytest -q -n 0 -p no:randomly tests/faults/test_failover.py

killed-web: $(VENV)/.test ## how long a project is blocked when a web server is killed, or the database hangs (ARGS=--freeze)
	@$(BIN)/python -m tests.bench.killed_web $(ARGS)

costs: $(VENV)/.test ## the largest requests that are allowed: CPU seconds of the web process, bytes of the answer
	@$(BIN)/python -m pytest -q -p no:randomly tests/bench/costs.py

stranger: $(VENV)/.test ## the first hour of a stranger in Chromium: another origin, /docs, mails, pages; pictures in .data-pictures
	@$(BIN)/python -m pytest -q -s -n 0 -p no:randomly tests/browser/stranger.py

axe: $(VENV)/.test $(BROWSER)/.npm docs ## axe-core on every page in Chromium, light and dark, wide and narrow: WCAG 2.2 AA; pictures in .data-pictures/axe
	@$(BIN)/python -m pytest -q -s -n 0 -p no:randomly tests/browser/accessible.py $(ARGS)

page-cost: $(VENV)/.test ## CPU seconds that headless Chromium takes for the page at /docs, and to open an operation
	@$(BIN)/python -m pytest -q -s -p no:randomly tests/bench/page_cost.py

sizes: $(VENV)/.test ## bytes that a task takes, in data and in indexes, by collection; SIZES_TASKS=100000
	@$(BIN)/python -m pytest -q -s -p no:randomly --timeout=0 tests/bench/sizes.py | grep -E '^\||tasks, of|passed|failed'

bench-workers: $(VENV)/.test ## events a second to mail and webhook, beside plain RQ; seconds from commit to mail
	@$(BIN)/python -m tests.bench.workers $(ARGS)

bench-sync: $(VENV)/.test ## cost of sync by changes at SIZE=1000000 tasks; memory, delays, losses of CONNECTIONS=2000 streams under writes
	@$(BIN)/python -m tests.bench.sync --tasks $(or $(SIZE),1000000) --connections $(or $(CONNECTIONS),2000) $(ARGS)

hot-project: $(VENV)/.test ## tasks a second that 1, 4, 16 and 64 clients create in one project; aborted transactions, statuses, p99
	@$(BIN)/python -m tests.bench.hot_project $(ARGS)

alerts: $(VENV)/.test ## a real Prometheus sees each alert fire when its real thing is broken, and end (apt: prometheus prometheus-alertmanager)
	@ALERTS_TEST=1 $(BIN)/python -m pytest -q -n 0 -p no:randomly tests/alerts

random-paths: $(VENV)/.test ## 10,000 requests (N=…) with random paths, methods, queries and headers: series of /metrics and memory before and after
	@RANDOM_PATHS=$(or $(N),10000) $(BIN)/python -m pytest -q -n 0 tests/api/test_random_requests.py

backup-test: $(VENV)/.test ## back a service up under load, restore it elsewhere: figures, losses, logins, links (ARGS="--seconds 30 --clients 8")
	@$(BIN)/python -m tests.bench.backup $(ARGS)

indexes: $(VENV)/.test ## explain every filter of lists of tasks in every order, over 50,000 tasks
	@TEST_EVERY_ORDER=1 $(BIN)/python -m pytest -q --no-cov tests/features/tasks/test_indexes.py

bench: $(VENV)/.test bench-peers ## the service beside others at 1,000,000 tasks: CPU of the server for a request, as ratios
	@$(BIN)/python -m tests.bench.compare $(ARGS)
	@$(BIN)/python -m tests.bench.in_process --only telemetry

bench-quick: $(VENV)/.test bench-peers ## the same at 100,000 tasks, in five minutes
	@$(BIN)/python -m tests.bench.compare --tasks 100000 --rounds 3 --requests 120 $(ARGS)

bench-process: $(VENV)/.test ## the service beside the limit in one process, in half a minute: what a change is worth
	@$(BIN)/python -m tests.bench.in_process $(ARGS)

bench-peers: $(PEERS)/.eve $(PEERS)/.fastapi $(PEERS)/.express ## install what the others are made of, in .data-bench

$(PEERS)/.express: tests/bench/peers/express/package-lock.json
	@mkdir -p $(PEERS) && cp $(dir $<)package*.json $(PEERS)/
	@cd $(PEERS) && npm ci --silent --no-audit --no-fund && touch .express || echo "Express cannot be installed here."

$(PEERS)/.%: tests/bench/peers/%.txt
	@mkdir -p $(PEERS) && $(PYTHON) -m venv --clear $(PEERS)/$* && $(PEERS)/$*/bin/python -m pip install \
		--quiet --disable-pip-version-check -r $< && touch $@ || echo "$* cannot be installed here."

soak: $(VENV)/.test ## memory of two web processes over 200,000 mixed requests; ARGS="--requests 2000"
	@$(BIN)/python -m tests.bench.soak $(ARGS)

explain: $(VENV)/.test ## index keys that lists of tasks examine, at 10k, 100k, 1M tasks; ARGS="--tasks 10000 --orders created_at,-due_at"
	@$(BIN)/python -m tests.bench.explain $(ARGS)

shard-sim: $(VENV)/.test ## how 10,000,000 tasks of skewed projects lie on 2 to 64 shards, and what a further shard costs; ARGS="--tasks 100000"
	@$(BIN)/python -m tests.bench.shard_sim $(ARGS)

lock: $(VENV)/.test ## pin the newest versions that setup.cfg allows
	@$(BIN)/python -m pip install --quiet uv
	@$(COMPILE) --upgrade -o requirements/base.txt
	@$(COMPILE) --upgrade --extra embedded -c requirements/base.txt -o requirements/run.txt
	@$(COMPILE) --upgrade --extra embedded --extra traces --extra sentry --extra test -c requirements/run.txt -o requirements/test.txt

clean: ## remove what can be made again; the data folder stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache htmlcov .coverage*

$(VENV)/.run: requirements/run.txt setup.cfg pyproject.toml
	@$(INSTALL) requirements/run.txt $@

$(VENV)/.test: requirements/test.txt setup.cfg pyproject.toml
	@$(INSTALL) requirements/test.txt $@
