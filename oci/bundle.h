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
 * Rewrites config.json of the bundle if one of its mounts is to be mapped. Adds the hook, and moves the
 * requests for maps from the mounts to the arguments of the hook. Runtimes would ignore or refuse them
 * in the mounts. Everything else stays byte for byte. The file is exchanged in one step and keeps its
 * owner and mode. A bundle that is ready stays as it is. Root's rules must allow the maps that
 * annotations ask for. Returns 0 or a negative errno; `file` (PATH_MAX bytes) names what err is about.
 */
int make_bundle_ready(const struct bundle *bundle, char *file, struct idm_error *err);

#endif
