# The book: its chapters as layers, its text against its code, its commands against what they print. The tools are beside
# this file; each opens with what it is for. Here they get names that one can type.
BOOK := python3 -B tests/book

# $(call chapter_or_stop): ends make with the tool's one sentence unless N names a chapter.
chapter_or_stop = $(eval wrong := $(shell $(BOOK)/layers.py name "$(N)" 2>&1 >/dev/null))$(if $(wrong),$(error $(patsubst %.,%,$(wrong))))
# The same where N may be left out.
chapter_or_all = $(if $(N),$(chapter_or_stop))
# $(call root_or_stop,what): ends make unless we are root.
root_or_stop = $(if $(filter 0,$(shell id -u)),,$(error $(1) needs root, because it makes namespaces and mounts: sudo make $@ $(if $(N),N=$(N))))
# The chapters run gorae's own programs where the reader has them, in build/bin, whatever BUILD says.
gorae = $(MAKE) --no-print-directory -s BUILD=build all

.PHONY: chapter diff layers shell weave weave-check transcripts ladder ko-check doctor book book-site test-book test-exercises
chapter: ## N=03: flatten the layers of chapters 1..N into build/chapters/ and build them
	@$(chapter_or_stop)$(BOOK)/layers.py build "$(N)"

diff: ## N=03: what chapter N changes, as a diff
	@$(chapter_or_stop)$(BOOK)/layers.py diff "$(N)"

layers: ## the stack of chapters, as docker history shows an image's
	@$(BOOK)/layers.py layers

shell: ## N=03: a shell in the private world in which the tests type chapter N's commands
	@$(chapter_or_stop)$(call root_or_stop,A private world)$(BOOK)/world.py shell "$(N)"

weave: ## fill the code blocks of the chapters from their sources
	@$(BOOK)/weave.py weave

weave-check: ## is every code block current, every line of code shown, every name real?
	@$(chapter_or_all)$(BOOK)/weave.py check $(N)

transcripts: ## [N=03]: type every command of the book and compare what comes
	@$(chapter_or_all)$(call root_or_stop,Playing the transcripts)$(gorae)
	@$(BOOK)/transcript.py $(if $(STRICT),--strict) $(N)

ladder: ## [N=03]: which commands of the stock client work against the chapter's daemon?
	@$(chapter_or_all)$(call root_or_stop,Measuring the ladder)$(BOOK)/ladder.py check $(N)

ko-check: ## which translations are behind their originals?
	@$(BOOK)/ko.py check

# Without N both of them: the book's doctor first, for it also tells what is missing to build the other.
doctor: ## [N=03]: can this machine do what the chapters, and without N what the daemon needs?
	@$(chapter_or_all)$(if $(N),,echo "For the book:"; )$(BOOK)/doctor.py $(N); book=$$?; $(if $(N),exit $$book, \
	echo; echo "For the daemon:"; $(MAKE) --no-print-directory -s all && $(BUILD)/bin/goraed --check && exit $$book)

book: deps-book ## the book and the API reference as one site in build/book/html
	@$(BOOK)/pages.py

test-book: ## [N=03]: all tests of the book, as TAP
	@$(chapter_or_all)$(gorae)
	@$(BOOK)/everything.py $(if $(QUICK),--quick) $(N)

test-exercises: ## the graders against starters, solutions, mutants and hostile submissions
	@$(call root_or_stop,Grading)BUILD='$(BUILD)' python3 -B tests/book/grade_test.py
