# seval. The two commands a newcomer needs: `make demo` and `make test`.

SHELL := bash
.SHELLFLAGS := -o pipefail -ec
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

CARGO := cargo
BUILT := $(or $(CARGO_TARGET_DIR),target)
BIN := $(BUILT)/debug
PROGRAMS := expand select query critique agg
R := results

export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# ---- the demonstration: own taxonomy → prompts → attacks → dedup → simulated targets → rules → report

# S-Eval's ten attacks, as far as they need no generation model.
DEMO_ATTACKS := instruction_jailbreak deepinception chain_of_utterances in_context_attack \
                instruction_encryption code_injection goal_hijacking positive_induction \
                reverse_induction_fixed compositional_instructions_fixed
DEMO_MODELS := sim:cautious sim:balanced sim:permissive
STAGES := $(R)/prompts.parquet $(R)/distinct.parquet $(R)/attacks.parquet $(R)/responses.parquet \
          $(R)/verdicts.parquet $(R)/leaderboard.parquet $(R)/safety.parquet $(R)/attack.parquet $(R)/report.html

# For people: each rate in percent with its interval in one cell.
RATE = round(100 * $(1), 1) || ' [' || round(100 * $(2), 1) || ', ' || round(100 * $(3), 1) || ']'
LEADERBOARD = SELECT model, language, n + attack_n AS n, unscored + attack_unscored AS unscored, \
  $(call RATE,safety_score,safety_score_low,safety_score_high) AS safety_score, \
  $(call RATE,asr_mean,asr_mean_low,asr_mean_high) AS attack_success_rate, \
  $(call RATE,adaptive,adaptive_low,adaptive_high) AS adaptive_attack FROM input

.PHONY: demo
demo: build ## Run the whole pipeline offline into results/ and print a leaderboard
	@start=$$SECONDS; \
	$(MAKE) --no-print-directory -q stages || $(MAKE) --no-print-directory stages; \
	seval-agg --sql "$(LEADERBOARD)" $(R)/leaderboard.parquet --format table; \
	echo "make demo: $$((SECONDS - start)) seconds after the build; every stage is in $(R)/, the report is $(R)/report.html"

.PHONY: stages
stages: $(STAGES)

$(R):
	@mkdir -p $@

$(R)/prompts.parquet: $(BIN)/seval-expand | $(R)
	seval-expand --taxonomy s-eval --total 1000 -o $@

$(R)/distinct.parquet: $(R)/prompts.parquet
	seval-select --exact --rejects $(R)/dropped.parquet $< -o $@

$(R)/attacks.parquet: $(R)/distinct.parquet
	seval-expand $(DEMO_ATTACKS:%=-t %) $< -o $@

$(R)/responses.parquet: $(R)/attacks.parquet
	seval-query $(DEMO_MODELS:%=-m %) $< -o $@

$(R)/verdicts.parquet: $(R)/responses.parquet
	seval-critique -c rules $< -o $@

$(R)/report.html: $(R)/verdicts.parquet
	seval-agg report $< -o $@ --title "seval: demonstration"

$(R)/%.parquet: $(R)/verdicts.parquet
	seval-agg --metric $* $< -o $@

# ---- published benchmarks (docs/benchmarks.md) and red-teaming in rounds, with the programs as they are here

bm-needs := build
include benchmarks.mk redteam.mk
redteam: build

# ---- building, testing, measuring

.PHONY: build
build: ## Build the five programs
	@$(CARGO) build --locked --quiet --workspace --bins

.PHONY: test
test: ## Run every test
	@if $(CARGO) nextest --version >/dev/null 2>&1; \
	then $(CARGO) nextest run --locked --workspace; \
	else $(CARGO) test --locked --workspace; fi

.PHONY: check
check: ## Format, lints, documentation; licences and advisories where cargo-deny is installed
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --quiet --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --quiet --workspace --no-deps --lib
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --offline check licenses bans sources; \
	else echo 'make check: cargo-deny is not installed; licences were not checked'; fi

.PHONY: bench
bench: ## Build release binaries and measure them, beside what they are compared with
	$(CARGO) build --locked --quiet --release --workspace --bins
	python3 tests/bench.py $(BUILT)/release

.PHONY: kills
kills: build ## Kill seval-query 1,000 times in runs of 10,000 requests: nothing lost, nothing paid for twice
	$(CARGO) test --locked --test seval -- --ignored --nocapture row_01_a_thousand

.PHONY: real-server
real-server: build ## Check the programs against a real server, which it builds the first time
	python3 tests/real_server.py $(BIN)

PREFIX ?= $(HOME)/.local
.PHONY: install
install: ## Install release binaries, man pages and completions under PREFIX
	$(CARGO) build --locked --quiet --release --workspace --bins
	install -d $(PREFIX)/share/seval && install -m 644 bench.mk benchmarks.mk redteam.mk $(PREFIX)/share/seval/
	install -d $(PREFIX)/bin $(PREFIX)/share/man/man1 $(PREFIX)/share/bash-completion/completions \
	    $(PREFIX)/share/zsh/site-functions $(PREFIX)/share/fish/vendor_completions.d
	for p in $(PROGRAMS:%=seval-%); do \
	    install $(BUILT)/release/$$p $(PREFIX)/bin/; \
	    $(BUILT)/release/$$p --generate man > $(PREFIX)/share/man/man1/$$p.1; \
	    $(BUILT)/release/$$p --generate bash > $(PREFIX)/share/bash-completion/completions/$$p; \
	    $(BUILT)/release/$$p --generate zsh > $(PREFIX)/share/zsh/site-functions/_$$p; \
	    $(BUILT)/release/$$p --generate fish > $(PREFIX)/share/fish/vendor_completions.d/$$p.fish; \
	done

.PHONY: clean
clean: ## Remove results/
	rm -rf $(R)
