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
	/* Whether what the configuration asks for is allowed; 0 or a negative errno. NULL: it is not
	 * asked. */
	int (*judge)(struct idm_oci *oci, struct idm_error *err);
};

/* Whether anything in there asks for a map: 1 or 0, or a negative errno. */
int config_asks(const struct config *config, struct idm_error *err);

/*
 * *ready is the new text, of *n bytes, the caller's to free; NULL: it is ready as it is, or has nothing
 * to be mapped. What it says the hook is known to take. Returns 0 or a negative errno.
 */
int make_config_ready(const struct config *config, char **ready, size_t *n, struct idm_error *err);

#endif
