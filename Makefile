# Two commands: `make demo` and `make test`. Each sets itself up; `make install` does only that.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: install demo multilingual scaling peers overhead test test-vllm check format lint types imports docs train tools clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo,dev,eval,queue]'
	@touch $(STAMP)

demo: install
	$(BIN)/its-gateway demo $(DEMO_FLAGS)

scaling: install
	$(BIN)/its-gateway scaling $(SCALING_FLAGS)

multilingual: install
	$(BIN)/python -m benchmarks.multilingual $(MULTILINGUAL_FLAGS)

peers: install
	$(BIN)/python -m benchmarks.scaling.peers $(PEERS_FLAGS)

overhead: install
	$(BIN)/python -m benchmarks.overhead $(OVERHEAD_FLAGS)

test: install lint types imports docs
	$(BIN)/pytest $(TEST_FLAGS)

# Tests against a real vLLM on this machine's CPU, which is installed once in .vllm/ (a few minutes,
# 3.5 GB). TEST_VLLM_VENV names an environment that has it already; VLLM_FLAGS=--smoke is quick.
test-vllm: install
	$(BIN)/python -m tests.vllm.run $(VLLM_FLAGS)

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: install
	$(BIN)/mypy

imports: install
	$(BIN)/lint-imports

docs: install
	$(BIN)/its-gateway docs --check docs/reference

reference: install
	$(BIN)/its-gateway docs docs/reference

train: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train]'
	$(BIN)/python -m benchmarks.demo_model.train --out $(OUT)

tools:
	@for each in promtool redis-cli redis-server bwrap; do \
	   command -v $$each >/dev/null || missing=yes; done; [ "$$missing" ] || exit 0; \
	 packages="prometheus redis-server redis-tools bubblewrap libseccomp2"; \
	 apt-get install -qq -y $$packages >/dev/null 2>&1 || \
	 { apt-get update -qq && apt-get install -qq -y $$packages; } >/dev/null 2>&1 || \
	 echo "$$packages: not all can be installed here; what needs them is NOT CHECKED" >&2

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
