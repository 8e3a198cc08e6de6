/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_RUNTIME_H
#define IDM_OCI_RUNTIME_H

#include <stdbool.h>

/* By this name the command is the front of a runtime, whatever its arguments. */
#define OCI_RUNTIME_NAME "idmount-oci-runtime"

/*
 * Adds an error to a runtime's log, where engines look for it; NULL: no log. An error that cannot be
 * written there is still on standard error.
 */
void oci_log(const char *file, bool json, const char *message);

#endif
