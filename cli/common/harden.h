/* SPDX-License-Identifier: MIT */
/* Set-user-ID and device files of owners that appear as other owners. */
#ifndef IDM_CLI_COMMON_HARDEN_H
#define IDM_CLI_COMMON_HARDEN_H

#include "mount-options.h"

struct hardening {
	uint32_t added; /* IDM_ATTR_* */
	struct idm_hardening_info why;
};

/*
 * Adds the attributes of idm_map_hardening() to the mount options, but none that these name already.
 * `container` may be NULL.
 */
struct hardening harden_options(struct mount_options *mount_options, const struct idm_map *map,
				enum idm_harden_as as, const struct idm_map *container);

/*
 * Reports added attributes in one line, if an ID was the reason. `options` prevent that.
 */
void report_hardening(const struct hardening *hardening, const char *options);

/* Mounts that got attributes because of an ID. Begins as { 0 }. */
struct hardened {
	size_t n;
	uint32_t added;		       /* to any of them */
	const char *target;	       /* of the first */
	struct idm_hardening_info why; /* of the first */
};

/* Counts one more mount, if it got any attributes. */
void hardened_add(struct hardened *all, const struct hardening *h, const char *target);

/* Reports the mounts in one line, if any exist. `what` is "mount" or "bind". */
void report_hardened(const struct hardened *all, const char *what);

#endif
