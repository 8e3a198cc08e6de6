/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_FEATURES_H
#define IDM_OCI_FEATURES_H

#include "idmount.h"

/*
 * Prints the runtime's answer to these arguments, and that mounts can be mapped. If the runtime has no
 * answer, prints only the latter. Returns 0 or a negative errno.
 */
int print_features(char **argv, struct idm_error *err);

#endif
