/** @file
 * Rotating a log: what the shim does with the files of base/logset.h when the youngest is full.
 */
#ifndef GORAE_SHIM_LOGSET_ROTATE_H
#define GORAE_SHIM_LOGSET_ROTATE_H

#include "base/err.h"

/** Set the log's file aside and begin a new one. @param keep files that remain, the new one counted; 1: the old one is
 * deleted @param ret_fd the new file, open for appending @return 1; 0 where somebody is just opening the files: try
 * again later; -1: write on in the file you have */
int logset_rotate(const char *path, int keep, int *ret_fd, struct err *e);

#endif
