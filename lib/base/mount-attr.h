/* SPDX-License-Identifier: MIT */
/*
 * The mount options that are attributes and propagation types of a mount, under the names that mount(8)
 * and the OCI runtime specification give them. One table, for plans, the command and the mount(8)
 * helper.
 */
#ifndef IDM_BASE_MOUNT_ATTR_H
#define IDM_BASE_MOUNT_ATTR_H

#include <stdbool.h>
#include <stddef.h>

#include "idmount.h"

struct idm_attr_option {
	const char *name;
	uint32_t set, clear;		  /* IDM_ATTR_* */
	enum idm_propagation propagation; /* IDM_PROPAGATION_DEFAULT: says nothing about it */
	bool no_change;			  /* asks for what is so anyway */
};

/*
 * Returns the option with this name, which is `n` bytes long, or NULL. *deep says whether the name has
 * an "r" in front ("rro"): then the option also holds for the mounts below.
 */
const struct idm_attr_option *idm_find_attr_option(const char *name, size_t n, bool *deep);

/* Returns the name of the option at an index, or NULL behind the last one. */
const char *idm_attr_option_name(size_t index);

/*
 * Applies the option to the attributes to set and to clear. The later option of two that contradict each
 * other wins.
 */
void idm_apply_attr_option(const struct idm_attr_option *option, uint32_t *set, uint32_t *clear);

/*
 * Checks attributes of a request: known ones, and at most one for access times among those to set.
 * Returns 0, or fails in `step` with -EINVAL.
 */
int idm_check_attributes(uint32_t set, uint32_t clear, enum idm_error_step step, const char *subject,
			 struct idm_error *err);

/*
 * Returns what mount_setattr(2) has to clear for a request. The access times are one field. The kernel
 * requires that each change of a part clears all of it.
 */
uint32_t idm_attributes_to_clear(uint32_t set, uint32_t clear);

/*
 * Those of a mount in statfs.f_flags. ST_RDONLY is also there if only the filesystem is read-only. Not all
 * attributes are there.
 */
uint32_t idm_attr_from_statfs(unsigned long flags);

/* Writes the options that describe a mount to `buf`, separated by commas. */
void idm_describe_attr(uint32_t attr, enum idm_propagation propagation, char *buf, size_t size);

#endif
