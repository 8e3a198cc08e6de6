/* SPDX-License-Identifier: MIT */
/* The changes that a process tries at one file, and beside it. */
#ifndef IDM_TESTS_SERVICE_CHANGES_H
#define IDM_TESTS_SERVICE_CHANGES_H

#include <stdint.h>

#define CAPABILITY "security.capability"
#define ACL "system.posix_acl_access"
#define NOTE "user.note"

#define IDS 4 /* of each kind, which the changes name */

struct change {
	int other;			  /* a directory descriptor of the second tree */
	const struct file_handle *handle; /* of the directory */
	const uint32_t *uids, *gids;	  /* IDS of them, as the process counts */
	char file[16], made[16], renamed[16], linked[16];
};

/*
 * Each ID as owner, each as group, each as owner with each as group, each as root ID of capabilities,
 * each as user and as group of an ACL. Then new files.
 */
enum {
	OWNER = 0,
	GROUP = OWNER + IDS,
	BOTH = GROUP + IDS,
	CAPABLE = BOTH + IDS * IDS,
	NAMED = CAPABLE + IDS + 1,
	MADE = NAMED + 2 * IDS,
	OTHERS = MADE + 3,
	CHANGES = OTHERS + 19,
};

/* 0: it changed something. */
int change_place(const struct change *c, int number);

/* A map has other numbers for the same IDs. So the changes of a kind are compared as one. */
int get_change_kind(int number);

#endif
