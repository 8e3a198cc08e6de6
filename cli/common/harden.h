/* SPDX-License-Identifier: MIT */
/* Set-user-ID and device files of owners who appear as other ones. */
#ifndef IDM_CLI_COMMON_HARDEN_H
#define IDM_CLI_COMMON_HARDEN_H

#include "mount-options.h"

struct hardening {
	uint32_t added; /* IDM_ATTR_* */
	struct idm_hardening_info why;
};

/* Adds what idm_map_hardening() says to the mount options, unless they name the attribute. */
struct hardening harden_options(struct mount_options *mount_options, const struct idm_map *map,
				enum idm_harden_as as);

/* Says so in one line, if an ID was the reason; `words` are those that prevent it. */
void report_hardening(const struct hardening *hardening, const char *words);

/* Mounts that got attributes because of an ID. Begins as { 0 }. */
struct hardened {
	size_t n;
	uint32_t added;		       /* to any of them */
	const char *target;	       /* of the first */
	struct idm_hardening_info why; /* of the first */
};

/* One more of them, if it got any. */
void hardened_add(struct hardened *all, const struct hardening *h, const char *target);

/* Says so in one line, unless there are none; `what` is "mount" or "bind". */
void report_hardened(const struct hardened *all, const char *what);

#endif
