/** @file
 * systemd's slices: a name says where its control group's folder is. Source: systemd.slice(5).
 */
#ifndef GORAE_BASE_SLICE_H
#define GORAE_BASE_SLICE_H

#include "base/err.h"

/** The folder of a slice, below the hierarchy: "a-b.slice" is "/a.slice/a-b.slice", and "-.slice" is "".
 * @return the caller's; NULL with ERR_INVALID where it is no slice's name */
char *slice_path(const char *slice, struct err *e);

#endif
