# Fuzzing: tests/fuzz/fuzz_NAME.c, seeds in tests/fuzz/corpus/NAME/. See fuzz.h.
#
#   make fuzz                    each target for FUZZ_SECONDS with libFuzzer, ASan and UBSan (clang)
#   make fuzz-http               one of them
#   make fuzz-replay             the corpora, once, with the usual compiler; `make test` runs this too
#
# A target needs the libraries base and wire, or those that FUZZ_LIBS_NAME lists in link order, and -ljansson with
# FUZZ_LDLIBS_NAME behind it. What libFuzzer finds is written to $(BUILD)/fuzz/found/NAME-….

FUZZ_SECONDS ?= 60
FUZZ_CC      ?= clang-14
FUZZ_SAN     := address,undefined
FUZZ_NAMES   := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_LIBS_tar := cli wire base
FUZZ_REPLAYS := $(FUZZ_NAMES:%=$(BUILD)/test/fuzz-%)
FUZZ_BUILD   := $(BUILD)/fuzz
FUZZ_WRAP    := -Wl,--wrap=read,--wrap=poll,--wrap=sendmsg,--wrap=close

fuzz_libs  = $(foreach m,$(or $(FUZZ_LIBS_$(1)),wire base),$(2)/lib/$(m).a)
fuzz_extra = $(if $(filter http,$(1)),tests/fuzz/fake_io.c)
fuzz_ld    = $(if $(filter http,$(1)),$(FUZZ_WRAP)) -ljansson $(FUZZ_LDLIBS_$(1))

.PHONY: fuzz fuzz-replay $(FUZZ_NAMES:%=fuzz-%)

fuzz: $(FUZZ_NAMES:%=fuzz-%) ## run every fuzz target for FUZZ_SECONDS (60), with ASan and UBSan
fuzz-replay: $(FUZZ_REPLAYS) ## run the fuzz targets over their corpora, once
	@set -e; for n in $(FUZZ_NAMES); do $(BUILD)/test/fuzz-$$n tests/fuzz/corpus/$$n; done

# name
define fuzz_target
$(BUILD)/test/fuzz-$(1): tests/fuzz/fuzz_$(1).c tests/fuzz/replay.c $(call fuzz_extra,$(1)) \
		$(wildcard tests/fuzz/*.h) $(call fuzz_libs,$(1),$(BUILD))
	@mkdir -p $$(@D)
	$$(CC) $$(filter-out -MMD -MP,$$(CFLAGS)) -Itests/fuzz $$(filter %.c %.a,$$^) $(call fuzz_ld,$(1)) $$(LDFLAGS_ALL) -o $$@

# The libraries once more, instrumented: a build of their own below this one.
$(FUZZ_BUILD)/fuzz-$(1): tests/fuzz/fuzz_$(1).c $(call fuzz_extra,$(1)) $(wildcard tests/fuzz/*.h) \
		$(wildcard $(foreach m,$(or $(FUZZ_LIBS_$(1)),wire base),src/$(m)/*.c src/$(m)/*.h))
	$$(MAKE) BUILD=$(FUZZ_BUILD) CC=$(FUZZ_CC) SAN=fuzzer-no-link,$(FUZZ_SAN) EXTRA=-fno-sanitize-recover=all \
		$(call fuzz_libs,$(1),$(FUZZ_BUILD))
	$(FUZZ_CC) -std=gnu17 -D_GNU_SOURCE -Isrc -Itests/fuzz -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer,$(FUZZ_SAN) -fno-sanitize-recover=all \
		$$(filter %.c,$$(filter tests/%,$$^)) $(call fuzz_libs,$(1),$(FUZZ_BUILD)) $(call fuzz_ld,$(1)) -o $$@

# New inputs go to a folder of the build; the corpus in the repository is only read, and grows by hand.
fuzz-$(1): $(FUZZ_BUILD)/fuzz-$(1)
	@mkdir -p $(FUZZ_BUILD)/corpus/$(1) $(FUZZ_BUILD)/found
	$(FUZZ_BUILD)/fuzz-$(1) -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix=$(FUZZ_BUILD)/found/$(1)- $(FUZZ_BUILD)/corpus/$(1) tests/fuzz/corpus/$(1)
endef
$(foreach n,$(FUZZ_NAMES),$(eval $(call fuzz_target,$(n))))
