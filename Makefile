# `make demo` and `make test` do all the set-up themselves, in .venv; neither needs root.
VENV = .venv
RUN = $(VENV)/bin

.PHONY: demo test lint soak load corpus mutants fuzz bench docs clean

demo: $(VENV)/.demo
	$(RUN)/nosend demo

# most tests wait for servers most of the time: twice the cores of a small machine
WORKERS = 4
test: $(VENV)/.dev
	$(RUN)/pytest -m "not soak" --numprocesses $(WORKERS) --dist loadfile

lint: $(VENV)/.dev
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy

# the long form of the matrices: 50 kills over 2,000 mails, and the like
soak: $(VENV)/.dev
	$(RUN)/pytest -m soak --timeout 3600

# every fault ten times; 200 mailboxes in one process: what is listed, how soon, and what that costs; about 40 minutes
load: $(VENV)/.dev
	$(RUN)/python bench/reliability.py
	$(RUN)/python bench/mailboxes.py --mailboxes 200 --minutes 10
	$(RUN)/python bench/mailboxes.py --mailboxes 200 --minutes 3 --tls
	$(RUN)/python bench/mailboxes.py --mailboxes 200 --minutes 1 --backlog 200

# precision and recall by language, over the fixtures and the matrix
corpus: $(VENV)/.dev
	$(RUN)/python tests/corpus.py

# each rule and each negative pattern switched off in turn; about ten minutes
mutants: $(VENV)/.dev
	$(RUN)/python tests/mutants.py

# coverage-guided fuzzing of the reading and judging
MINUTES = 20
fuzz: $(VENV)/.fuzz
	$(RUN)/python tests/fuzz/judge.py --minutes $(MINUTES)

# speed beside a naive reader and two bounce parsers; hostile mails up to 10 MB; a first look at 100,000 mails; from
# delivery to the list
bench: $(VENV)/.bench
	$(RUN)/python bench/recognition.py
	$(RUN)/python bench/hostile.py
	$(RUN)/python bench/imap.py
	$(RUN)/python bench/latency.py
	$(RUN)/python bench/list.py

# the generated parts: config.example.toml, the verbs in README.md, the reasons in fixtures/, the corpus in docs/
docs: $(VENV)/.dev
	$(RUN)/python tests/generate.py

$(VENV)/.demo $(VENV)/.dev $(VENV)/.fuzz $(VENV)/.bench: $(VENV)/.%: pyproject.toml .ci/venv
	sh .ci/venv $(VENV) $*
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
