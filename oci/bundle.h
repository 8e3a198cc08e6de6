/* SPDX-License-Identifier: MIT */
/* A bundle made ready for a runtime that cannot map mounts: mapped mounts are left to the hook. */
#ifndef IDM_OCI_BUNDLE_H
#define IDM_OCI_BUNDLE_H

#include <stdbool.h>

#include "idmount.h"

struct bundle {
	const char *directory;
	const char *hook;    /* the path of this program */
	const char *handler; /* of the runtime; NULL: not known */
	bool restored;	     /* from a checkpoint, which no hook can map: it may ask for nothing */
};

/*
 * Rewrites config.json of the bundle if one of its mounts is to be mapped: the hook is added, and what
 * asks for a map moves from the mounts, where runtimes pass over it or refuse it, to the arguments of
 * the hook. Everything else stays byte for byte. The file is exchanged in one step and keeps its owner
 * and mode. A bundle that is ready stays as it is. What annotations ask for root's rules must allow.
 * Returns 0 or a negative errno; `file` (PATH_MAX bytes) names what err is about.
 */
int make_bundle_ready(const struct bundle *bundle, char *file, struct idm_error *err);

#endif
