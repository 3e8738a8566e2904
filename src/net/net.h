/** @file
 * Networks: for now, which network namespace a container gets.
 *
 * `none` and the default are a namespace of their own with nothing but loopback; `host` is the host's. The bridge, with
 * addresses, names and published ports, joins here: net_plan() is the one question that the engine asks.
 */
#ifndef GORAE_NET_NET_H
#define GORAE_NET_NET_H

#include "base/err.h"

enum net_kind {
    NET_LOOPBACK, /**< a namespace of its own, loopback only: "none", "default", "bridge" */
    NET_HOST,     /**< the host's */
};

/** What HostConfig.NetworkMode asks for. An unknown network is ERR_NOT_FOUND, what a later step brings
 * ERR_NOT_IMPLEMENTED. */
int net_plan(const char *mode, enum net_kind *ret, struct err *e);

#endif
