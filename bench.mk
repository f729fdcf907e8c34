# A benchmark as files: include this in a Makefile of your own, set what differs, and `make bench`.
#
#   MODELS := sim:cautious gpt          names in MODELS_FILE, or as seval-query knows them
#   include bench.mk
#
# Every step is a file under $(B): prompts by attack, responses by model and attack, verdicts by critic, model and
# attack, and a report. So only what hangs on a change is made again: a new model is asked alone, a template that
# was touched makes its own attack alone, and `make -j` works on several at once. Files appear when they are
# complete, and answers of a run that was killed are in its journal: `make bench` goes on from there.

B ?= bench
TAXONOMY ?= s-eval
# Base prompts in each language, and the languages.
SIZE ?= 1000
LANGUAGES ?= en zh
ATTACKS ?= deepinception code_injection instruction_jailbreak instruction_encryption goal_hijacking
MODELS ?= sim:cautious sim:balanced sim:permissive
CRITICS ?= rules
# A folder of templates of your own, a models file for asking and judging, and more flags for each.
TEMPLATES ?=
MODELS_FILE ?=
QUERY ?=
CRITIQUE ?=
TITLE ?= Safety evaluation

# A name as it stands in a path: make reads a `:` or `=` there as its own.
bench-key = $(subst =,-,$(subst :,_,$(subst /,_,$(1))))
bench-own := $(if $(TEMPLATES),--templates $(TEMPLATES))
bench-judge := $(if $(MODELS_FILE),--models $(MODELS_FILE))
bench-ask := $(bench-judge) $(QUERY)
bench-shards := base $(ATTACKS)
# A critic's own template, where it is a file.
bench-critic = $(if $(TEMPLATES),$(wildcard $(TEMPLATES)/critic/$(firstword $(subst =, ,$(1))).*))
bench-verdicts := $(foreach critic,$(CRITICS),$(foreach model,$(MODELS),$(foreach shard,$(bench-shards),\
    $(B)/verdicts/$(call bench-key,$(critic))/$(call bench-key,$(model))/$(shard).parquet)))

# A step that fails leaves nothing that could pass for made: what models answered is in journals.
.DELETE_ON_ERROR:

.PHONY: bench
bench: $(B)/report.html ## Build the benchmark into $(B)/

# What the prompts were made with is the name of a file: another SIZE is another file, and makes them again.
bench-empty :=
bench-settings := $(B)/settings/$(subst $(bench-empty) ,_,$(call bench-key,$(TAXONOMY) $(SIZE) $(LANGUAGES)))
$(bench-settings):
	@mkdir -p $(@D) && rm -f $(@D)/* && touch $@

$(B)/prompts/base.parquet: $(bench-settings)
	@mkdir -p $(@D)
	seval-expand -q --taxonomy $(TAXONOMY) $(LANGUAGES:%=--language %) --total $(SIZE) | seval-select -q --exact -o $@

# An attack hangs on its own template, where it is a file.
define bench-attack
$(B)/prompts/$(1).parquet: $(B)/prompts/base.parquet $(if $(TEMPLATES),$(wildcard $(TEMPLATES)/attack/$(1).j2))
	@mkdir -p $$(@D)
	seval-expand -q $(bench-own) -t $(1) --only-new $$< -o $$@
endef
$(foreach attack,$(ATTACKS),$(eval $(call bench-attack,$(attack))))

# $(1) model, $(2) shard: each has a journal of its own, so that shards are asked side by side.
define bench-query
$(B)/responses/$(call bench-key,$(1))/$(2).parquet: $(B)/prompts/$(2).parquet $(MODELS_FILE)
	@mkdir -p $$(@D)
	seval-query -q $(bench-ask) -m '$(1)' --journal $$(@D)/$(2).db $$< -o $$@
endef
$(foreach model,$(MODELS),$(foreach shard,$(bench-shards),$(eval $(call bench-query,$(model),$(shard)))))

# $(1) critic, $(2) model, $(3) shard
define bench-critique
$(B)/verdicts/$(call bench-key,$(1))/$(call bench-key,$(2))/$(3).parquet: $(B)/responses/$(call bench-key,$(2))/$(3).parquet \
    $(call bench-critic,$(1))
	@mkdir -p $$(@D)
	seval-critique -q $(bench-own) -c '$(1)' $(if $(findstring =,$(1)),$(bench-judge) --journal $$(@D)/$(3).db) $(CRITIQUE) $$< -o $$@
endef
$(foreach critic,$(CRITICS),$(foreach model,$(MODELS),$(foreach shard,$(bench-shards),\
    $(eval $(call bench-critique,$(critic),$(model),$(shard))))))

# A model or critic that is left out makes the report again, too.
bench-of := $(B)/settings-of-report/$(firstword $(shell printf '%s' '$(bench-verdicts)' | cksum))
$(bench-of):
	@mkdir -p $(@D) && rm -f $(@D)/* && touch $@

$(B)/report.html: $(bench-verdicts) $(bench-of)
	seval-agg report $(bench-verdicts) -o $@ --title '$(TITLE)'
