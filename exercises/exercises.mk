# The exercises: grade one, grade a class, hand out, look up. Included by the Makefile at the top and by the student kit's.
# A wrong use is answered by one sentence and exit code 2.
GRADE := BUILD='$(BUILD)' python3 tests/book/grade.py

.PHONY: exercise exercises grade student-kit solutions
exercise: ## N=01-1 [FILE=f or DIR=d] [HINT=1|2|3] [SEED=n]: grade your work on an exercise
	@$(GRADE) exercise '$(N)' --file='$(FILE)' --dir='$(DIR)' --hint='$(or $(HINT),1)' --seed='$(SEED)'

exercises: ## list the exercises
	@$(GRADE) list

grade: ## SUBMISSIONS=dir ROSTER=file.csv [N=01-1] [SEED=n] [OUT=dir]: grade a class
	@$(GRADE) class '$(SUBMISSIONS)' '$(ROSTER)' --only='$(N)' --seed='$(SEED)' --out='$(OUT)'

student-kit: ## pack book, starters and graders, without solutions
	@$(GRADE) kit

solutions: ## N=01-1: unpack a solution and its explanation into build/solutions/
	@$(GRADE) solutions '$(N)'
