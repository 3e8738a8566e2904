# gorae: build, run, test. `make help` lists the targets.
#
# Every module of src/ becomes a static library, every program is its main.c and the libraries it may use.
# BUILD and SAN make parallel builds of the same sources:  make BUILD=build/asan SAN=address,undefined

PREFIX  ?= /usr
BINDIR  ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec/gorae
UNITDIR ?= /lib/systemd/system
INITDIR ?= /etc/init.d
DEFAULTDIR ?= /etc/default
CONFDIR ?= /etc/gorae
LOGROTATEDIR ?= /etc/logrotate.d
MANDIR  ?= $(PREFIX)/share/man
DESTDIR ?=

BUILD   ?= build
CC      ?= gcc
VERSION := 0.1.0
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

WARN := -Wall -Wextra -Wshadow -Wvla -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wundef \
	-Wconversion -Wno-sign-conversion
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE \
	-fno-delete-null-pointer-checks -fno-strict-overflow
ifdef SAN
OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all -fPIE
else
OPT := -O2 -g $(HARDEN)
endif
CFLAGS ?=
# The folder's name stays out of the programs, so that they are the same wherever they are built.
PLACELESS := -ffile-prefix-map=$(CURDIR)=.
override CFLAGS += $(PLACELESS) -std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Isrc $(OPT) $(WARN) $(EXTRA) -MMD -MP \
	-DGORAE_VERSION='"$(VERSION)"' -DGORAE_COMMIT='"$(COMMIT)"' \
	-DLIBEXECDIR='"$(LIBEXECDIR)"' -DBINDIR='"$(BINDIR)"'
LDFLAGS_ALL := -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--gc-sections $(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS)
# The shim and the runtime enter hostile ground and start for every container: they load no library at all.
LDFLAGS_STATIC := $(if $(SAN),$(LDFLAGS_ALL),-static-pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--gc-sections $(LDFLAGS))

MODULES  := base wire cli api engine image net shim runtime archive doctor tlspipe
lib      = $(BUILD)/lib/$(1).a
objects  = $(patsubst src/%.c,$(BUILD)/obj/%.o,$(filter-out src/$(1)/main.c,$(sort $(wildcard src/$(1)/*.c))))
PROGRAMS := gorae goraed gorae-shim gorae-runtime gorae-init gorae-archive gorae-doctor gorae-tlspipe
# Nobody types their names.
HELPERS  := $(filter-out gorae goraed,$(PROGRAMS))
BINARIES := $(PROGRAMS:%=$(BUILD)/bin/%)

# One line a file; `make V=1` shows the whole commands.
quiet := $(if $(V),,@)
say   := @$(if $(V),true,echo)

.PHONY: all help clean
all: $(BINARIES)

# What is told to the compiler may differ from one call of make to the next; the files that use it are then made again.
TOLD := $(VERSION) $(COMMIT) $(LIBEXECDIR) $(BINDIR)
ifneq ($(TOLD),$(shell cat $(BUILD)/told 2>/dev/null))
$(shell mkdir -p $(BUILD) && echo '$(TOLD)' >$(BUILD)/told)
endif
$(patsubst src/%.c,$(BUILD)/obj/%.o,$(shell grep -lE 'GORAE_(VERSION|COMMIT)|LIBEXECDIR|BINDIR|API_SERVER' $(wildcard src/*/*.c))): $(BUILD)/told

$(BUILD)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	$(say) "CC    $<"
	$(quiet)$(CC) $(CFLAGS) -ffunction-sections -fdata-sections -c $< -o $@

define module
$(BUILD)/lib/$(1).a: $(call objects,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(say) "AR    $$@"
	$$(quiet)ar rcs $$@ $$^
endef
$(foreach m,$(MODULES),$(eval $(call module,$(m))))

# program: its module with main.c, the libraries in link order, the system's libraries
define program
$(BUILD)/bin/$(1): $(BUILD)/obj/$(2)/main.o $(foreach m,$(3),$(BUILD)/lib/$(m).a)
	@mkdir -p $$(@D)
	$$(say) "LINK  $$@"
	$$(quiet)$(CC) $$(CFLAGS) $$< $(foreach m,$(3),$(BUILD)/lib/$(m).a) $(5) $(4) -o $$@
endef
# The client hashes a context's name now and then: a library more to load would cost each start a fifth of a millisecond.
$(eval $(call program,gorae,cli,cli wire base,-ljansson -l:libnettle.a,$$(LDFLAGS_ALL)))
$(eval $(call program,goraed,api,api engine image net wire base,-ljansson -lnettle -lpthread,$$(LDFLAGS_ALL)))
$(eval $(call program,gorae-shim,shim,shim wire base,-ljansson,$$(LDFLAGS_STATIC)))
$(eval $(call program,gorae-runtime,runtime,runtime base,-ljansson -lseccomp -lcap,$$(LDFLAGS_STATIC)))
# It runs inside containers, in images that have no library of any sort: static whatever the rest is built with.
$(BUILD)/bin/gorae-init: src/init/main.c
	@mkdir -p $(@D)
	$(say) "LINK  $@"
	$(quiet)$(CC) $(PLACELESS) -std=gnu17 -D_GNU_SOURCE -O2 -g $(HARDEN) $(WARN) $(EXTRA) $< -static-pie -Wl,-z,relro,-z,now,-z,noexecstack $(LDFLAGS) -o $@
$(eval $(call program,gorae-archive,archive,archive base,-ljansson -larchive -lnettle,$$(LDFLAGS_ALL)))
$(eval $(call program,gorae-tlspipe,tlspipe,tlspipe base,-ljansson -lseccomp -lssl -lcrypto,$$(LDFLAGS_ALL)))
$(eval $(call program,gorae-doctor,doctor,doctor base,-ljansson,$$(LDFLAGS_ALL)))

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# Parts of this Makefile that have a subject of their own:
-include tests/tests.mk

clean: ## remove everything that was built
	rm -rf build

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed 's/:.*## /\t/' | expand -t 18
