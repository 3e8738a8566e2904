/** @file
 * Published ports: as text for `ps`, and from the text of -p and --expose.
 */
#ifndef GORAE_CLI_PORTS_H
#define GORAE_CLI_PORTS_H

#include "base/err.h"

#include <jansson.h>

/** The Ports array of GET /containers/json as `ps` shows it: "0.0.0.0:8080->80/tcp, 443/tcp". Neighbouring ports whose
 * two numbers agree are folded: "0.0.0.0:9000-9002->9000-9002/udp". @return the caller's */
char *ports_text(const json_t *ports);

/** Read one -p: [[ip:]host port or range:]container port or range[/tcp|/udp|/sctp]. Adds to the ExposedPorts object
 * ("80/tcp": {}) and to PortBindings ("80/tcp": [{HostIp, HostPort}]). An IPv6 address stands in brackets. */
int ports_publish(const char *spec, json_t *exposed, json_t *bindings, struct err *e);

/** Read one --expose: a port or range with optional protocol. */
int ports_expose(const char *spec, json_t *exposed, struct err *e);

#endif
