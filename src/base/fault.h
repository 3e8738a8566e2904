/** @file
 * Named fault points.
 *
 * `FAULT("create.record-written");` marks an instant between two durable effects. In a normal build the
 * macro is nothing. In the test build (-DGORAE_FAULTS) the environment variable
 * GORAE_FAULT=NAME:kill | NAME:sleep=MS, with an optional "#N" after NAME for the Nth time it is reached,
 * makes the process die there with SIGKILL, or wait. The suite in tests/fault lists the points from the
 * sources, kills the daemon at each, starts it again and lets the judge look for what was left behind.
 */
#ifndef GORAE_BASE_FAULT_H
#define GORAE_BASE_FAULT_H

#ifdef GORAE_FAULTS
void fault_hit(const char *name);
#define FAULT(name) fault_hit(name)
#else
#define FAULT(name) ((void)0)
#endif

#endif
