/* SPDX-License-Identifier: MIT */
/* The text of a config.json made ready for a runtime that cannot map mounts; see oci-bundle.h. */
#ifndef IDM_OCI_CONFIG_REWRITE_H
#define IDM_OCI_CONFIG_REWRITE_H

#include <stddef.h>

#include "idmount.h"

struct idm_oci;

struct config {
	const char *text;
	size_t length;
	int dirfd;	     /* of the bundle */
	const char *hook;    /* the path of this program */
	const char *handler; /* of the runtime, for the hook; NULL: not known */
	/*
	 * Returns 0 if the maps that the configuration asks for are allowed, or a negative errno. NULL:
	 * not called.
	 */
	int (*judge)(struct idm_oci *oci, struct idm_error *err);
};

/* Returns 1 if the configuration asks for any map, 0 if not, or a negative errno. */
int config_asks(const struct config *config, struct idm_error *err);

/*
 * Makes the new text, *ready, of *n bytes, which the caller frees. *ready is NULL if the text is ready
 * as it is, or has no mount to map. The hook is known to accept the new text. Returns 0 or a negative
 * errno.
 */
int make_config_ready(const struct config *config, char **ready, size_t *n, struct idm_error *err);

#endif
