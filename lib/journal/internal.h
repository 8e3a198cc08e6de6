/* SPDX-License-Identifier: MIT */
/* What the files of the journal have in common. journal.h describes its lines. */
#ifndef IDM_JOURNAL_INTERNAL_H
#define IDM_JOURNAL_INTERNAL_H

#include <stdbool.h>

#include "idmount.h"

/* ---- journal-file.c ---- */

/*
 * Opens the directory of a journal (O_PATH), and sets its name there. Returns -errno on failure. All
 * work on the file starts at this directory. Another user may own a part of the path, and can lead it
 * elsewhere the next time.
 */
int idm_journal_directory(const char *path, const char **name);

/* Removes the journal behind `fd`. Fails with -ESTALE if another file has its name by now. */
int idm_journal_remove(int directory, const char *name, int fd);

/* Locks an open journal. Fails with -ENOENT if it was removed in between. */
int idm_journal_lock(int fd, const char *path, struct idm_error *err);
void idm_journal_unlock(int *fd); /* closes it, too */

/* Reads the boot ID, which is another after each start of the machine. */
int idm_boot_id(char boot[40], struct idm_error *err);

/* ---- journal-read.c ---- */

enum idm_journal_kind {
	IDM_JOURNAL_DIRECTORY,
	IDM_JOURNAL_FILE,
	IDM_JOURNAL_INSIDE_DIRECTORY,
	IDM_JOURNAL_INSIDE_FILE,
	IDM_JOURNAL_BASE,
	IDM_JOURNAL_ROOT,
	IDM_JOURNAL_MOUNT,
};

struct idm_journal_entry {
	enum idm_journal_kind kind;
	uint64_t number; /* inode or mount ID; 0: it may have been created, or not */
	uint64_t born;	 /* of what was created; 0: the filesystem does not report it */
	char *path;
};

struct idm_journal {
	int fd;	       /* holds the lock */
	int directory; /* in which it was found */
	char boot[40];
	uint64_t namespace_inode;
	bool unique_ids;
	uint64_t limit; /* 0: not known */
	bool complete;	/* all mounts are named */
	struct idm_journal_entry *entries;
	size_t n;
};

/* Reads and locks a journal. Fails with -EBUSY if another process writes or undoes it. */
int idm_journal_read(struct idm_journal *journal, const char *path, struct idm_error *err);
void idm_journal_free(struct idm_journal *journal);

#endif
