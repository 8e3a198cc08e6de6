/* SPDX-License-Identifier: MIT */
/* Where a tree is to be attached: found or created, and rolled back. */
#ifndef IDM_MOUNT_TARGET_H
#define IDM_MOUNT_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "idmount.h"

/* The owner of what is created, if that is not the caller. */
struct idm_owner {
	uint32_t uid, gid;
};

/* What tells a file from others that have its place, or even its inode number, later. */
struct idm_file_id {
	uint64_t inode;
	uint64_t born; /* nanoseconds of the epoch; 0 if the filesystem does not tell */
	unsigned int mode;
	uint64_t size;
	bool covered; /* it is the root of a mount: what is below that is not seen */
};

/* One directory or file that was created. */
struct idm_created {
	struct idm_created *next;
	int parent; /* O_PATH */
	bool directory;
	struct idm_file_id id;
	char name[];
};

/* Of what is at the path, a symbolic link not followed. 0 or -errno. */
int idm_file_id(int dirfd, const char *path, struct idm_file_id *id);

/* Whether that is what was created, whatever is in it. */
bool idm_is_same_file(const struct idm_file_id *was, const struct idm_file_id *is, bool directory);

struct idm_target {
	int fd;			  /* O_PATH */
	struct idm_created *made; /* what was created for it, the deepest first */

	/* Set by the caller before; all may be 0. */
	const struct idm_owner *owner; /* NULL: the caller itself */
	/*
	 * Is told of each thing, with its path as it was asked for, just before it is created (inode 0,
	 * and the time), and as soon as it is. 0 or -errno.
	 */
	int (*created)(const struct idm_created *made, const char *path, void *data,
		       struct idm_error *err);
	void *created_data;
};

/*
 * Opens `path` into a target of zeros, but for what the caller may set (flags: IDM_ATTACH_*; with
 * IN_ROOT below dirfd), creating it with IDM_ATTACH_MKDIR if it is missing: as a directory or an empty
 * file. Refuses a symbolic link without IDM_ATTACH_FOLLOW, and what is not of the wanted kind. On
 * failure nothing is left.
 */
int idm_target_open(struct idm_target *target, int dirfd, const char *path, unsigned int flags,
		    bool directory, struct idm_error *err);

/* Removes what idm_target_open() created, as far as it is still that, and empty. */
void idm_target_rollback(struct idm_target *target);

/* Releases the target; what was created stays. */
void idm_target_close(struct idm_target *target);

#endif
