# `make demo` and `make test` do all the set-up themselves, in .venv; neither needs root.
VENV = .venv
RUN = $(VENV)/bin

.PHONY: demo test lint soak docs clean

demo: $(VENV)/.demo
	$(RUN)/nosend demo

test: $(VENV)/.dev
	$(RUN)/pytest -m "not soak"

lint: $(VENV)/.dev
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy

# the long form of the matrices: 50 kills over 2,000 mails, and the like
soak: $(VENV)/.dev
	$(RUN)/pytest -m soak --timeout 3600

# the generated parts: config.example.toml, the verbs in README.md, the reasons in fixtures/
docs: $(VENV)/.dev
	$(RUN)/python tests/generate.py

$(VENV)/.demo $(VENV)/.dev: $(VENV)/.%: pyproject.toml .ci/venv
	sh .ci/venv $(VENV) $*
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
