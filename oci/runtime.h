/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_RUNTIME_H
#define IDM_OCI_RUNTIME_H

#include <stdbool.h>

/* By this name the command is the front of a runtime, whatever its arguments. */
#define OCI_RUNTIME_NAME "idmount-oci-runtime"

/* A runtime's log, where engines look for errors. */
struct oci_log {
	const char *file; /* NULL: none */
	bool json;
};

/*
 * Adds an error, and its hint or NULL. An error that cannot be written there is still on standard error.
 */
void oci_log_error(const struct oci_log *log, const char *message, const char *hint);

#endif
