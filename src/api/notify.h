/** @file
 * Telling a service manager how we are (sd_notify(3)). */
#ifndef GORAE_API_NOTIFY_H
#define GORAE_API_NOTIFY_H

/** Send a line such as "READY=1" to the socket that $NOTIFY_SOCKET names; without one nothing happens. */
void notify(const char *state);
/** How often the manager wants to hear WATCHDOG=1, halved; -1 where it does not. Milliseconds. */
int notify_watchdog_ms(void);

#endif
