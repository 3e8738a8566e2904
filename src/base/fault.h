/** @file
 * Named fault points.
 *
 * `FAULT("create.record-written");` marks an instant between two durable effects. In a normal build the
 * macro is nothing. In the test build (-DGORAE_FAULTS) the environment variable
 * GORAE_FAULT=NAME:kill | NAME:sleep=MS, with an optional "#N" after NAME for the Nth time it is reached,
 * makes the process die there with SIGKILL, or wait; GORAE_FAULT_LOG names a file that gets a line when it happens. The
 * suite in tests/fault lists the points from the sources, kills the daemon at each, starts it again and lets the judge
 * look for what was left behind.
 */
#ifndef GORAE_BASE_FAULT_H
#define GORAE_BASE_FAULT_H

#ifdef GORAE_FAULTS
struct strv;
void fault_hit(const char *name);
void fault_pass(struct strv *env);
#define FAULT(name)     fault_hit(name)
/** Put what concerns faults into the environment of a program that gets no other: FAULT_PASS(&env). */
#define FAULT_PASS(env) fault_pass(env)
#else
#define FAULT(name)     ((void)0)
#define FAULT_PASS(env) ((void)0)
#endif

#endif
