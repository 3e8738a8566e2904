# What can be run and checked. Included by the Makefile at the top.

# ---- packages ------------------------------------------------------------------------------------------------------
# Debian's and Ubuntu's names. Nothing is asked of the network where all are there already.
DEPS_BUILD := gcc make libc6-dev libjansson-dev nettle-dev libarchive-dev libseccomp-dev libcap-dev libssl-dev
DEPS_RUN   := $(DEPS_BUILD) busybox-static graphviz iproute2
DEPS_TEST  := $(DEPS_RUN) check bats socat python3 jq curl strace procps bsdextrautils libcap2-bin util-linux xz-utils man-db mandoc openssl
DEPS_LINT  := $(DEPS_BUILD) check clang-format-14 clang-tidy-14 cppcheck shellcheck
DEPS_FUZZ  := $(DEPS_BUILD) clang-14 libclang-rt-14-dev
DEPS_BOOK  := doxygen graphviz python3 clang
DEPS_DEB   := $(DEPS_BUILD) dpkg-dev binutils
DEPS_PACKAGE := $(DEPS_DEB) lintian debootstrap
DEPS_VM    := $(DEPS_DEB) qemu-system-x86 debootstrap e2fsprogs busybox-static python3
DEPS_PEERS := runc crun docker.io python3-docker skopeo openssh-server docker-compose

.PHONY: deps-build deps-run deps-test deps-lint deps-fuzz deps-book deps-deb deps-package deps-peers
deps-build: ; @tests/install.sh $(DEPS_BUILD)
deps-run:   ; @tests/install.sh $(DEPS_RUN)
deps-test:  ; @tests/install.sh $(DEPS_TEST) $(DEPS_BOOK)
deps-lint:  ; @tests/install.sh $(DEPS_LINT)
deps-fuzz:  ; @tests/install.sh $(DEPS_FUZZ)
deps-book:  ; @tests/install.sh $(DEPS_BOOK)
deps-deb:   ; @tests/install.sh $(DEPS_DEB)
deps-package: ; @tests/install.sh $(DEPS_PACKAGE)
deps-peers: ## install the real tools that gorae is compared with
	@tests/install.sh $(DEPS_PEERS)

# ---- run -----------------------------------------------------------------------------------------------------------
.PHONY: run up down
run: deps-run ## install what is missing, build, and show one container from end to end
	@$(MAKE) --no-print-directory all
	@tests/tour.sh $(BUILD)

up: all ## start a private daemon under build/ and print how to talk to it
	@tests/private.sh up $(BUILD)

down: ## stop it, and its containers
	@tests/private.sh down $(BUILD)

# ---- tests ---------------------------------------------------------------------------------------------------------
UNIT_SOURCES := $(sort $(wildcard tests/unit/test_*.c))
UNIT_TESTS   := $(UNIT_SOURCES:tests/unit/%.c=$(BUILD)/test/%)
TEST_LIBS    := $(foreach m,api cli engine image net shim runtime archive tlspipe wire base,$(BUILD)/lib/$(m).a)
# A test is linked with the modules whose headers it includes, and with what those need.
needs_api := api engine image net wire
needs_engine := engine image net
needs_cli := cli wire
needs_shim := shim wire
includes = $(sort $(shell sed -n 's,^\#include "\([a-z]*\)/.*,\1,p' $(1) $$(sed -n 's,^\#include "\([a-z_]*\.h\)",tests/unit/\1,p' $(1))))
test_libs = $(foreach m,api cli engine image net shim runtime archive tlspipe wire base,$(if $(filter $(m),base $(foreach i,$(call includes,$(1)),$(i) $(needs_$(i)))),$(BUILD)/lib/$(m).a))
PAYLOADS     := $(patsubst tests/payload/%.c,$(BUILD)/payload/%,$(wildcard tests/payload/*.c))

$(BUILD)/test/test_%: tests/unit/test_%.c $(TEST_LIBS)
	@mkdir -p $(@D)
	$(say) "TEST  $@"
	$(quiet)$(CC) $(CFLAGS) -Wno-conversion -Wno-missing-prototypes -Itests/unit -MF $@.d $< $(call test_libs,$<) \
		-lcheck -lsubunit -ljansson -larchive -lnettle -lseccomp -lcap $(if $(findstring tlspipe,$@),-lssl -lcrypto) -lpthread -lrt -lm $(if $(SAN),-fsanitize=$(SAN)) -o $@

# What runs inside containers: small static programs that need nothing of an image.
$(BUILD)/payload/%: tests/payload/%.c
	@mkdir -p $(@D)
	$(say) "STATIC $@"
	$(quiet)$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra -static $< -o $@

-include tests/fuzz/fuzz.mk
-include tests/book/book.mk
-include exercises/exercises.mk

.PHONY: test test-build test-unit test-e2e test-compat test-fault test-package test-sanitize test-vm
# The book looks whether the machine is left as it was found, so nothing runs beside it.
test: deps-test ## install what the tests need and run them all
	@$(MAKE) --no-print-directory test-build
	@tests/run.sh $(BUILD) laws unit fuzz-corpus figures exercises+e2e,compat+fault book

test-build: all $(UNIT_TESTS) $(PAYLOADS) $(FUZZ_REPLAYS)
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fault EXTRA=-DGORAE_FAULTS all

test-unit: all $(UNIT_TESTS) ## unit tests alone (libcheck)
	@tests/run.sh $(BUILD) unit

test-e2e: all $(PAYLOADS) ## black-box tests alone (bats)
	@tests/run.sh $(BUILD) e2e

test-compat: all $(PAYLOADS) ## the stock client and the real runc beside ours
	@tests/run.sh $(BUILD) compat

test-fault: all $(PAYLOADS) ## kill the daemon at every fault point and look for what it leaves
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fault EXTRA=-DGORAE_FAULTS all
	@tests/run.sh $(BUILD) fault

test-package: deps-test deps-package deb ## the package: lintian, two builds, and its life on a small Debian
	@tests/run.sh $(BUILD) package

test-sanitize: deps-test ## ASan with UBSan, then TSan, over unit and black-box tests
	@$(MAKE) --no-print-directory BUILD=build/asan SAN=address,undefined sanitize-one
	@$(MAKE) --no-print-directory BUILD=build/tsan SAN=thread sanitize-one

# The guest is kept in .cache/vm, which `make clean` leaves alone; `rm -r .cache` is all there is to undo.
test-vm: ## the package on a machine of its own (qemu): systemd, cgroup v2, power cuts, reboot, upgrade, purge
	@[ "$$(uname -m)" != x86_64 ] || tests/install.sh $(DEPS_VM)
	@$(MAKE) --no-print-directory deb
	@tests/run.sh $(BUILD) vm

.PHONY: sanitize-one
sanitize-one: all $(UNIT_TESTS) $(PAYLOADS)
	@tests/run.sh $(BUILD) unit e2e

# ---- lint ----------------------------------------------------------------------------------------------------------
C_FILES := $(shell find src tests -name '*.[ch]' 2>/dev/null | sort)

.PHONY: lint format
lint: deps-lint ## format, the laws of the house, and four readers of the code
	@tests/lint/lint.sh $(BUILD)

format: ## put the sources into the one format
	clang-format-14 -i $(C_FILES)

# ---- figures and bench ---------------------------------------------------------------------------------------------
.PHONY: figures bench
figures: all ## draw diagrams/ from recorded runs
	@tests/figures.sh $(BUILD) write

bench: all $(PAYLOADS) ## measure, beside whatever of docker, podman and runc is installed
	@tests/bench/bench.sh $(BUILD)

# ---- install -------------------------------------------------------------------------------------------------------
.PHONY: certs
certs: ## HOST=name[,address…] [OUT=folder]: a lab authority, a certificate for that daemon, one for its clients
	@[ -n "$(HOST)" ] || { echo "usage: make certs HOST=name[,address...] [OUT=folder]" >&2; exit 2; }
	@src/service/make-certs '$(HOST)' '$(or $(OUT),$(BUILD)/certs)'

# SOURCE_DATE_EPOCH is the time that stands in what is built: the last commit's, without git that of the last release.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || date -d "$$(sed -n '/^ -- .*>  /{s///p;q}' src/service/deb/changelog)" +%s)
export SOURCE_DATE_EPOCH

.PHONY: man install uninstall install-service uninstall-service
man: $(BUILD)/man/made ## the manual's pages below build/man: man -l build/man/man1/gorae.1
$(BUILD)/man/made: $(BINARIES) $(wildcard src/man/*)
	$(say) "MAN   $(@D)"
	$(quiet)src/man/pages.sh $(BUILD)/bin $(@D) $(VERSION)
	@touch $@

install: all man ## install below DESTDIR and PREFIX
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBEXECDIR)
	install -m 755 $(BUILD)/bin/gorae $(BUILD)/bin/goraed $(DESTDIR)$(BINDIR)
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -m 644 src/cli/gorae.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/gorae
	install -m 755 $(HELPERS:%=$(BUILD)/bin/%) src/service/make-certs $(DESTDIR)$(LIBEXECDIR)
	install -d $(foreach n,1 5 8,$(DESTDIR)$(MANDIR)/man$(n))
	cd $(BUILD)/man && for f in man?/*; do cp -dT --remove-destination $$f $(abspath $(DESTDIR)$(MANDIR))/$$f || exit 1; done

# BINDIR is put into what names the daemon by its path.
install-service: install ## also as a service: systemd units, init script, its settings (INITDIR, UNITDIR, DEFAULTDIR)
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(INITDIR) $(DESTDIR)$(DEFAULTDIR)
	sed 's,/usr/sbin/goraed,$(BINDIR)/goraed,' src/service/goraed.service >$(DESTDIR)$(UNITDIR)/goraed.service
	sed 's,/usr/sbin/goraed,$(BINDIR)/goraed,' src/service/goraed.init >$(DESTDIR)$(INITDIR)/goraed
	chmod 755 $(DESTDIR)$(INITDIR)/goraed
	install -m 644 src/service/goraed.socket $(DESTDIR)$(UNITDIR)
	install -m 644 src/service/goraed.default $(DESTDIR)$(DEFAULTDIR)/goraed
	install -d $(DESTDIR)$(CONFDIR) $(DESTDIR)$(LOGROTATEDIR)
	test -e $(DESTDIR)$(CONFDIR)/daemon.json || install -m 644 src/service/daemon.json $(DESTDIR)$(CONFDIR)
	install -m 644 src/service/goraed.logrotate $(DESTDIR)$(LOGROTATEDIR)/goraed

# Of what an administrator may have changed only that goes which is still as it came.
unless_changed = if cmp -s $(1) $(DESTDIR)$(2); then rm -f $(DESTDIR)$(2); fi
uninstall-service: uninstall ## remove these, too; settings that were changed stay
	rm -f $(DESTDIR)$(UNITDIR)/goraed.service $(DESTDIR)$(UNITDIR)/goraed.socket $(DESTDIR)$(INITDIR)/goraed
	$(call unless_changed,src/service/goraed.default,$(DEFAULTDIR)/goraed)
	$(call unless_changed,src/service/daemon.json,$(CONFDIR)/daemon.json)
	$(call unless_changed,src/service/goraed.logrotate,$(LOGROTATEDIR)/goraed)
	rmdir $(DESTDIR)$(CONFDIR) 2>/dev/null || true

.PHONY: deb
deb: deps-deb all ## build/gorae_VERSION_ARCH.deb, the same bytes from the same commit wherever it is made
	@rm -rf $(BUILD)/deb
	@$(MAKE) --no-print-directory -s install-service DESTDIR=$(BUILD)/deb PREFIX=/usr
	@src/service/deb/build.sh $(BUILD)/deb $(BUILD) $(VERSION)

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(BINDIR)/gorae $(DESTDIR)$(BINDIR)/goraed $(DESTDIR)$(PREFIX)/share/bash-completion/completions/gorae
	rm -f $(patsubst %,$(DESTDIR)$(LIBEXECDIR)/%,$(HELPERS) make-certs)
	cd $(DESTDIR)$(MANDIR) 2>/dev/null && rm -f man1/gorae.1 man1/gorae-*.1 man5/gorae-daemon.json.5 man5/daemon.json.5 man8/goraed.8 man8/gorae-runtime.8 || true
	-rmdir $(DESTDIR)$(LIBEXECDIR) 2>/dev/null
