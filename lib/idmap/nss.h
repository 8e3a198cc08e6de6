/* SPDX-License-Identifier: MIT */
/* Names to IDs, through the name service. */
#ifndef IDM_IDMAP_NSS_H
#define IDM_IDMAP_NSS_H

#include <stddef.h>
#include <stdint.h>

struct idm_ids {
	uint32_t uid;
	uint32_t gid;
};

/* A user's uid and primary gid. 0, -ENOENT, or the name service's error. */
int idm_nss_find_user(const char *name, struct idm_ids *ids);

/* A group's gid. 0, -ENOENT, or the name service's error. */
int idm_nss_find_group(const char *name, uint32_t *gid);

/*
 * The groups of a user: those that list the user as a member, and `gid`. Appends to *groups, which the
 * caller frees, also after an error. 0, -ENOMEM, or the -errno of reading them.
 */
int idm_nss_find_groups(const char *name, uint32_t gid, uint32_t **groups, size_t *n);

/* The name of a uid, or of the calling thread's real uid. */
int idm_nss_find_name(uint32_t uid, char *name, size_t size);
int idm_nss_find_caller(char *name, size_t size);

#endif
