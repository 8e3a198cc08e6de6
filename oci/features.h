/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_FEATURES_H
#define IDM_OCI_FEATURES_H

#include "idmount.h"

/*
 * What the runtime says when it is executed with these arguments, and that mounts can be mapped. Of one
 * that cannot tell, only that. Returns 0 or a negative errno.
 */
int print_features(char **argv, struct idm_error *err);

#endif
