/* SPDX-License-Identifier: MIT */
/* Prepares a bundle for a runtime that cannot map mounts, so that the hook maps them. */
#ifndef IDM_OCI_BUNDLE_H
#define IDM_OCI_BUNDLE_H

#include <stdbool.h>

#include "idmount.h"
#include "runtime.h"

struct bundle {
	const char *directory;
	const char *hook;    /* the path of this program */
	const char *handler; /* of the runtime; NULL: not known */
	/* For the errors of the hook. Both are ignored in a bundle that is restored. */
	const struct oci_log *log;
	bool hook_stderr; /* show that of the hook by an annotation, where crun would discard it */
	/* Set if an annotation named another file for the output of hooks, and does not any more. */
	bool *output_replaced;
	bool restored; /* from a checkpoint, which no hook can map: requests are refused */
};

/*
 * Rewrites config.json of the bundle if one of its mounts is to be mapped. Adds the hook, and moves the
 * requests for maps from the mounts to the arguments of the hook. Runtimes would ignore or refuse them
 * in the mounts. Everything else stays byte for byte. The file is exchanged in one step and keeps its
 * owner and mode. A prepared bundle stays as it is. Root's rules must allow the maps that
 * annotations ask for. Returns 0 or a negative errno; `file` (PATH_MAX bytes) names what err is about.
 */
int prepare_bundle(const struct bundle *bundle, char *file, struct idm_error *err);

#endif
