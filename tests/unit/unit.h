/* What every unit test begins and ends with: the cases of its suite, and the run of all. */
#ifndef GORAE_TESTS_UNIT_H
#define GORAE_TESTS_UNIT_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static inline TCase *unit_case(Suite *s, const char *name)
{
    TCase *t = tcase_create(name);
    suite_add_tcase(s, t);
    return t;
}

/* A case whose tests need root, and what for: without root they are left out, and that is said. */
static inline TCase *unit_root_case(Suite *s, const char *name, const char *what_for)
{
    if (geteuid() == 0)
        return unit_case(s, name);
    printf("skipped: %s: needs root to %s\n", name, what_for);
    return tcase_create(name); /* belongs to no suite, so nobody runs it */
}

/* @return main's exit code */
static inline int unit_run(Suite *s)
{
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
