/* SPDX-License-Identifier: MIT */
/* The owners of the files below a directory, and how the mount and the process show them. */
#ifndef IDM_CLI_EXPLAIN_OWNERS_H
#define IDM_CLI_EXPLAIN_OWNERS_H

#include "verdict.h"

#define OWNERS_FILES_MOST 10000
/* On an overlay, each of them requires hundreds of system calls. */
#define OWNERS_JUDGED_ON_OVERLAY 100

struct owner {
	unsigned int kind;	     /* IDM_UID or IDM_GID */
	uint32_t disk, seen, inside; /* IDM_EXPLAIN_NO_ID: unmapped; on disk: not visible */
	uint64_t files;
	char may[4]; /* "rwx", of find_permissions() */
};

struct owners {
	struct owner *list;
	size_t n;
	unsigned int files;
	bool has_more;	 /* files than OWNERS_FILES_MOST */
	bool incomplete; /* a directory could not be read, or is too deep */
};

/*
 * Counts the owners on the mount of the last place, in no order of files. Reads directories without a
 * change of their access times, if the caller may. Returns 0 or -errno. Call free_owners() afterwards.
 */
int find_owners(const struct verdict *v, struct owners *owners);
void free_owners(struct owners *owners);

/*
 * Fills in what a process with each ID may do with the last place: "-" what is refused, "?" what is not
 * known. Empty: the user namespace of the process does not have the ID.
 */
void find_permissions(const struct verdict *v, struct owners *owners);

#endif
