/* SPDX-License-Identifier: MIT */
/* Prepares the text of a config.json for a runtime that cannot map mounts; see bundle.h. */
#ifndef IDM_OCI_CONFIG_REWRITE_H
#define IDM_OCI_CONFIG_REWRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "idmount.h"

struct idm_oci;
struct oci_log;

struct config {
	const char *text;
	size_t length;
	int dirfd;		   /* of the bundle */
	const char *hook;	   /* the path of this program */
	const char *handler;	   /* of the runtime, for the hook; NULL: not known */
	const struct oci_log *log; /* of the runtime, for the hook; with an absolute path */
	bool hook_stderr;	   /* show the hook's standard error by an annotation of crun */
	bool *output_replaced;	   /* set: such an annotation named another file; NULL: not needed */
	/*
	 * Returns 0 if the maps that the configuration asks for are allowed, or a negative errno. NULL:
	 * not called.
	 */
	int (*judge)(struct idm_oci *oci, struct idm_error *err);
};

/* Returns 1 if the configuration asks for any map, 0 if not, or a negative errno. */
int config_requests_map(const struct config *config, struct idm_error *err);

/*
 * Makes the new text, *prepared, of *n bytes, which the caller frees. *prepared is NULL if the text
 * needs no change. The hook is known to accept the new text. Returns 0 or a negative errno.
 */
int prepare_config(const struct config *config, char **prepared, size_t *n, struct idm_error *err);

#endif
