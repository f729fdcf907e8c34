# Published benchmarks, from their authors' files to their authors' figures: `make xstest MODEL=gpt FROM=xstest_prompts.csv`.
# Include this in a Makefile of your own, or use it as it is (`make -f …/share/seval/benchmarks.mk`). What each needs
# and gives is in docs/benchmarks.md; a benchmark is a few variables here and files in templates/, so that one of your
# own is added in your Makefile:
#
#   BENCHMARKS := mine
#   mine.import := mine                 templates/import/mine.sql under TEMPLATES
#   mine.critic := rules
#   mine.metric := safety
#   include benchmarks.mk
#
# Every step is a file under $(INTO)/NAME/: rows.parquet, MODEL/responses.parquet, MODEL/verdicts.parquet, the figures.
# Only what hangs on a change is made again, a new model is asked alone, and a run that was killed goes on from its
# journals, for judges too.

INTO ?= benchmarks
# The models to ask, and models that judge; as the programs or MODELS_FILE know them.
MODEL ?=
JUDGE ?=
# The authors' files. NAME.from is for one benchmark alone.
FROM ?=
# Critics in the place of a benchmark's own.
CRITIC ?=
# More flags: for choosing rows (--size 100), for asking (--base-url URL), for judging.
SELECT ?=
QUERY ?=
CRITIQUE ?=
MODELS_FILE ?=
TEMPLATES ?=
# The most responses without a verdict, as a share: with more of them a step ends with status 3.
UNSCORED ?= 0.02

# ---- the benchmarks: the importer; what its rows have (prompts, if nothing is said; responses; or verdicts, also
# people's labels); who judges; the metrics; and no report where it is not about safe and unsafe

BENCHMARKS += s-eval s-eval-responses xstest xstest-completions safetybench bbq bbq-unifiedqa red-eval \
    red-eval-responses beavertails beavertails-labels safe-rlhf safe-rlhf-pairs safe-rlhf-arena ganguli ganguli-replay \
    hh-rlhf harmbench harmbench-completions jailbreakbench strongreject strongreject-results sorry-bench advbench \
    garak garak-hitlog promptfoo inspect lm-eval evalscope pyrit

# A judge where there is one, the rules where there is none.
bm-safety := $(or $(JUDGE:%=safety=%),rules)

s-eval.import := s-eval
s-eval.critic := $(bm-safety)
s-eval.metric := leaderboard attack safety language decoding

s-eval-responses.import := s-eval-responses
s-eval-responses.has := responses
s-eval-responses.critic := $(bm-safety)
s-eval-responses.metric := leaderboard safety

xstest.import := xstest
xstest.critic := rules $(JUDGE:%=xstest=%)
xstest.metric := xstest over_refusal

xstest-completions.import := xstest_completions
xstest-completions.has := verdicts
xstest-completions.metric := xstest annotators
xstest-completions.report := no

safetybench.import := safetybench
safetybench.critic := safetybench
safetybench.metric := accuracy
safetybench.export := safetybench
safetybench.report := no

bbq.import := bbq
bbq.critic := choice
bbq.metric := bbq
bbq.report := no

bbq-unifiedqa.import := bbq_unifiedqa
bbq-unifiedqa.has := responses
bbq-unifiedqa.critic := bbq
bbq-unifiedqa.metric := bbq
bbq-unifiedqa.report := no

# A question alone, after a chain of thought, and in a chain of utterances, whose inner thought is not judged where it
# stands in brackets.
red-eval.import := red_instruct
red-eval.attack := chain_of_thought chain_of_utterances
red-eval.sql := SELECT * REPLACE (CASE attack WHEN 'chain_of_utterances' THEN \
    nullif(regexp_replace(response, '^\s*((Base|答方)[:：]\s*)?[(（](Internal thought|内心想法)[:：][^()（）]*[)）]\s*', ''), '') \
    ELSE response END AS response)
red-eval.critic := $(or $(JUDGE:%=red_eval=%),rules)
red-eval.metric := red_eval

red-eval-responses.import := red_instruct_responses
red-eval-responses.has := responses
red-eval-responses.critic := $(red-eval.critic)
red-eval-responses.metric := red_eval

beavertails.import := beavertails_evaluation
beavertails.critic := rules $(JUDGE:%=beaverdam=%)
beavertails.metric := flagged judges

beavertails-labels.import := beavertails
beavertails-labels.has := verdicts
beavertails-labels.metric := flagged

safe-rlhf.import := pku_safe_rlhf
safe-rlhf.has := verdicts
safe-rlhf.metric := leaderboard
safe-rlhf.export := preference sft critic_sft

safe-rlhf-pairs.import := pku_safe_rlhf_pairs
safe-rlhf-pairs.has := verdicts
safe-rlhf-pairs.metric := elo arena reward_cost
safe-rlhf-pairs.report := no

safe-rlhf-arena.import := safe_rlhf_arena
safe-rlhf-arena.has := verdicts
safe-rlhf-arena.metric := arena elo
safe-rlhf-arena.report := no

ganguli.import := red_team_attempts
ganguli.has := verdicts
ganguli.metric := red_team red_team_tags
ganguli.report := no

ganguli-replay.import := red_team_replay
ganguli-replay.critic := $(bm-safety)
ganguli-replay.metric := leaderboard

hh-rlhf.import := hh_rlhf
hh-rlhf.has := responses
hh-rlhf.critic := $(bm-safety)
hh-rlhf.metric := leaderboard

harmbench.import := harmbench
harmbench.critic := $(or $(JUDGE:%=harmbench_classifier=%),rules)
harmbench.metric := leaderboard flagged

harmbench-completions.import := harmbench_completions
harmbench-completions.has := verdicts
harmbench-completions.metric := leaderboard

jailbreakbench.import := jailbreakbench
jailbreakbench.has := verdicts
jailbreakbench.metric := attack leaderboard

strongreject.import := strongreject
strongreject.critic := $(or $(JUDGE:%=strongreject=%),rules)
strongreject.metric := leaderboard scores

strongreject-results.import := strongreject_results
strongreject-results.has := verdicts
strongreject-results.metric := attack scores

sorry-bench.import := sorry_bench
sorry-bench.critic := $(bm-safety)
sorry-bench.metric := leaderboard flagged

advbench.import := advbench
advbench.critic := $(bm-safety)
advbench.metric := leaderboard

garak.import := garak
garak.has := verdicts
garak.metric := attack coverage

garak-hitlog.import := garak_hitlog
garak-hitlog.has := verdicts
garak-hitlog.metric := coverage

promptfoo.import := promptfoo
promptfoo.has := verdicts
promptfoo.metric := coverage

inspect.import := inspect
inspect.has := verdicts
inspect.metric := accuracy coverage
inspect.report := no

lm-eval.import := lm_eval
lm-eval.has := verdicts
lm-eval.metric := accuracy
lm-eval.report := no

evalscope.import := evalscope
evalscope.has := responses
evalscope.critic := $(bm-safety)
evalscope.metric := leaderboard

pyrit.import := pyrit
pyrit.has := responses
pyrit.critic := $(bm-safety)
pyrit.metric := scores

# ---- the steps

# A step that fails leaves nothing that could pass for made: what models answered is in journals.
.DELETE_ON_ERROR:

# Targets to make before the first step.
bm-needs ?=
# A name as it stands in a path: make reads a `:` or `=` there as its own.
bm-key = $(subst =,-,$(subst :,_,$(subst /,_,$(1))))
bm-from = $(or $($(1).from),$(FROM))
bm-critics = $(or $(CRITIC),$($(1).critic))
bm-has = $(or $($(1).has),prompts)
bm-own := $(if $(TEMPLATES),--templates $(TEMPLATES))
bm-ask := $(if $(MODELS_FILE),--models $(MODELS_FILE))
# Templates of your own that a step hangs on. $(1) folder, $(2) names
bm-files = $(if $(TEMPLATES),$(foreach name,$(2),$(wildcard $(TEMPLATES)/$(1)/$(firstword $(subst =, ,$(name))).*)))

# What a step was made with is the name of a file, so that other settings make it again.
# $(1) benchmark, $(2) step, $(3) settings
bm-setting = $(INTO)/$(1)/settings/$(2)/$(firstword $(shell printf '%s' '$(subst ','\'',$(3))' | cksum))

# Where the verdicts are: by model where models are asked; with the rows where the authors' verdicts count.
# $(1) benchmark
bm-verdicts = $(addprefix $(INTO)/$(1)/,$(if $(filter prompts,$(bm-has)),\
    $(foreach model,$(MODEL),$(call bm-key,$(model))/verdicts.parquet),\
    $(if $(and $(filter verdicts,$(bm-has)),$(if $(CRITIC),,own)),rows.parquet,verdicts.parquet)))

# Figures are of these verdicts and no others: a model or critic that is left out makes them again.
bm-of = $(call bm-setting,$(1),figures,$(bm-verdicts))

bm-report = $(if $(filter no,$($(1).report)),,$(INTO)/$(1)/report.html)
# What the report shows is not shown twice.
bm-shown = $(filter-out $(if $(bm-report),leaderboard attack safety risk scores coverage over_refusal),$($(1).metric))

bm-ready = @$(if $(bm-verdicts),,echo 'make $(1): say with MODEL=… which models to ask' >&2; exit 2)

# $(1) benchmark
define bm-rows
.PHONY: $(1)
$(1): $($(1).metric:%=$(INTO)/$(1)/%.md) $($(1).export:%=$(INTO)/$(1)/%.jsonl) $(bm-report)
	@$(if $(bm-report),seval-agg report -q $(bm-verdicts);) $(if $(bm-shown),tail -n +1 $(bm-shown:%=$(INTO)/$(1)/%.md);) \
	echo; echo 'make $(1): all of it is in $(INTO)/$(1)/'

$(INTO)/$(1)/settings/%:
	@mkdir -p $$(@D) && rm -f $$(@D)/* && touch $$@

$(INTO)/$(1)/rows.parquet: $(bm-from) $(call bm-files,import,$($(1).import)) $(call bm-files,attack,$($(1).attack)) \
    $(call bm-setting,$(1),rows,$(bm-from) $($(1).attack) $(SELECT)) | $(bm-needs)
	@$(if $(bm-from),,echo 'make $(1): say with FROM=… where its files are (docs/benchmarks.md)' >&2; exit 2)
	seval-select $(bm-own) --from $($(1).import) $(SELECT) --rejects $$(@D)/rejected.parquet $(bm-from) \
	    $(if $($(1).attack),| seval-expand $(bm-own) $($(1).attack:%=-t %)) -o $$@

$(INTO)/$(1)/report.html: $(bm-verdicts) $(bm-of)
	$(bm-ready)
	seval-agg report -q $(bm-verdicts) -o $$@ --title '$(1)'

$(foreach metric,$($(1).metric),$(call bm-metric,$(1),$(metric)))
$(foreach export,$($(1).export),$(call bm-export,$(1),$(export)))
$(if $(filter prompts,$(bm-has)),$(foreach model,$(MODEL),\
    $(call bm-query,$(1),$(model),$(INTO)/$(1)/$(call bm-key,$(model)))),\
    $(if $(filter verdicts,$(bm-has)),$(call bm-again,$(1))) \
    $(call bm-critique,$(1),$(INTO)/$(1)/$(if $(filter verdicts,$(bm-has)),responses,rows).parquet,$(INTO)/$(1)/verdicts.parquet))
endef

# The responses of rows that have verdicts, for CRITIC to judge. $(1) benchmark
define bm-again
$(INTO)/$(1)/responses.parquet: $(INTO)/$(1)/rows.parquet
	seval-agg export -q --as responses $$< -o $$@


endef

# $(1) benchmark, $(2) metric
define bm-metric
$(INTO)/$(1)/$(2).parquet: $(bm-verdicts) $(bm-of) $(call bm-files,metric,$(2))
	$(bm-ready)
	seval-agg -q $(bm-own) --metric $(2) --max-unscored $(UNSCORED) $(bm-verdicts) -o $$@

$(INTO)/$(1)/$(2).md: $(INTO)/$(1)/$(2).parquet
	seval-agg -q --sql 'SELECT * FROM input' $$< -o $$@


endef

# $(1) benchmark, $(2) export
define bm-export
$(INTO)/$(1)/$(2).jsonl: $(bm-verdicts) $(bm-of)
	$(bm-ready)
	seval-agg export -q $(bm-own) --as $(2) $(bm-verdicts) -o $$@


endef

# $(1) benchmark, $(2) model, $(3) the model's folder
define bm-query
$(3)/responses.parquet: $(INTO)/$(1)/rows.parquet $(MODELS_FILE) $(call bm-setting,$(1),$(call bm-key,$(2)),$(QUERY))
	@mkdir -p $$(@D)
	seval-query $(bm-ask) -m '$(2)' $(QUERY) --journal $$(@D)/answers.db $$< \
	    $(if $($(1).sql),| seval-agg -q --sql "$$($(1).sql) FROM input") -o $$@

$(call bm-critique,$(1),$(3)/responses.parquet,$(3)/verdicts.parquet)
endef

# $(1) benchmark, $(2) responses, $(3) verdicts
define bm-critique
$(3): $(2) $(call bm-files,critic,$(bm-critics)) $(if $(findstring =,$(bm-critics)),$(MODELS_FILE)) \
    $(call bm-setting,$(1),critic,$(bm-critics) $(CRITIQUE))
	seval-critique $(bm-own) $(bm-critics:%=-c '%') --max-unscored $(UNSCORED) \
	    $(if $(findstring =,$(bm-critics)),$(bm-ask) --journal $$(@D)/verdicts.db) $(CRITIQUE) $(2) -o $$@


endef

# Rules for those that are asked for, and for those whose files are known.
$(foreach b,$(BENCHMARKS),$(if $(or $($(b).from),$(filter $(b) $(INTO)/$(b)/%,$(MAKECMDGOALS))),\
    $(eval $(call bm-rows,$(b)))))

.PHONY: benchmarks
benchmarks: ## List the published benchmarks that there are recipes for
	@printf '%s\n' $(BENCHMARKS)
