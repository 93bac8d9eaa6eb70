# make run: install and serve the page. make test: install and run all checks.
# Both are quick the second time.

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check -q
# The first Python that is new enough; override with `make PYTHON=...`.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)

# Modules are compiled when they are first imported, as most of those installed never are.
export PIP_COMPILE := 0
export PYTHONDONTWRITEBYTECODE :=

# The programs that tests need are installed beside the packages.
ifeq ($(MAKECMDGOALS),test)
MAKEFLAGS += --jobs=2
endif

.PHONY: run test programs check texts bench soak fuzz space lock clean

run: $(VENV)/app
	@echo "Starting the page …"
	@$(PY) app.py

# Without the reordering, by which files with few tests come last, however long those take.
test: check programs
	$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

programs:
	sh tests/ensure_programs.sh

check: $(VENV)/dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(EXTRACT)
	$(UPDATE) --check

# Collect the texts to be translated; then add the translations that are missing in the catalogue.
texts: $(VENV)/dev
	$(EXTRACT)
	$(UPDATE) --previous

bench: $(VENV)/dev
	$(PY) -m benchmarks

# A thousand photos through a server of its own; about three minutes, at most twenty.
soak: $(VENV)/dev
	timeout 1200 $(PY) -m benchmarks.soak

# 30,000 damaged files; about three minutes, at most twenty.
fuzz: $(VENV)/dev
	$(PY) -m benchmarks.fuzz

# Serve what a Hugging Face Space receives, as it would, and enhance a photo.
space: $(VENV)/dev
	$(PY) -m tests.space

# The versions for the Docker image; run it with the image's Python. Torch itself pins the packages
# of CUDA; its builds for CPUs are called +cpu, and install without them.
lock: LOCK := $(VENV)/lock
lock:
	$(PYTHON) -m venv --clear $(LOCK)
	$(LOCK)/bin/python scripts/install.py
	echo "# What \`make lock\` found to fit requirements.txt, for the Docker image." > constraints.txt
	$(LOCK)/bin/pip freeze --all | sed 's/+cpu$$//' | grep -v '^pip=' >> constraints.txt
	rm -rf $(LOCK)

# Errors take the template of their message, as `say` does.
ERRORS := cls $(shell sed -n 's/^class \([A-Za-z]*\).*/\1/p' enhance/errors.py)
EXTRACT := $(VENV)/bin/pybabel -q extract --no-default-keywords -k say -k text -k toast \
	-k translated $(ERRORS:%=-k %) --add-location=file --no-wrap --omit-header -o $(VENV)/enhance.pot app.py enhance
UPDATE := $(VENV)/bin/pybabel -q update --ignore-pot-creation-date --ignore-obsolete --no-wrap \
	--omit-header -i $(VENV)/enhance.pot -d enhance/locale -D enhance

clean:
	rm -rf $(VENV)

$(PY):
	@test -n "$(PYTHON)" || { echo "This needs Python 3.10 or newer." >&2; exit 1; }
	@echo "Making an environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade pip

$(VENV)/app: requirements.txt scripts/install.py $(PY)
	@$(PY) scripts/install.py
	@touch $@

$(VENV)/dev: requirements-dev.txt requirements-ray.txt $(VENV)/app
	@echo "Installing what tests and checks need …"
	@$(PIP) install -r requirements-dev.txt
	@touch $@
