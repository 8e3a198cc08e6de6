/* SPDX-License-Identifier: MIT */
/* What the files of the journal have in common. journal.h describes its lines. */
#ifndef IDM_JOURNAL_INTERNAL_H
#define IDM_JOURNAL_INTERNAL_H

#include <stdbool.h>

#include "idmount.h"
#include "lib/mount/mount-nodes.h"

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

/* ---- undo.c ---- */

/* One undo of a journal. */
struct idm_undo {
	struct idm_journal journal;
	unsigned int flags;
	struct idm_mount_nodes nodes; /* that exist now; those to undo are marked */
	bool any_marked;
	uint64_t *on; /* of undo-inside.c */
	int left;     /* the error of the first thing that could not be removed, or 0 */
};

/* ---- undo-mark.c ---- */

/*
 * Marks the mounts to undo. They exist only in the start of the machine in which they were created.
 * Fails in another mount namespace than theirs, and if the journal does not name a mount on or below
 * them.
 */
int idm_undo_mark_mounts(struct idm_undo *u, struct idm_error *err);

bool idm_undo_is_marked(const struct idm_undo *u, uint64_t id);

/*
 * Asks the kernel again, since other processes unmount too. Returns 0, or -ENOENT if the mount is gone.
 * The kernel cannot be asked for reused IDs: then it returns -ENOSYS.
 */
int idm_undo_query_mount(const struct idm_undo *u, uint64_t id);

/* ---- undo-created.c ---- */

/*
 * Removes what the entry names, `name` in `parent`, if it is the same and empty. Returns 1, or 0 if it
 * is gone or another one.
 */
int idm_undo_remove_created(int parent, const char *name, const struct idm_journal_entry *e,
			    struct idm_error *err);

/* Removes what was created outside of the root filesystem. */
void idm_undo_remove_outside(struct idm_undo *u, struct idm_error *err);

/* Returns whether the file, or a directory on its path, is gone or is something else now. */
bool idm_undo_is_gone(int r);

/* Only the first thing that cannot be removed is reported. The rest is undone all the same. */
void idm_undo_note_left(struct idm_undo *u, int r);

/* ---- undo-inside.c ---- */

/* Finds the mounts on which things were created, as far as they are visible yet. */
int idm_undo_find_inside(struct idm_undo *u, struct idm_error *err);

/*
 * Removes what was created on a mount, once nothing is mounted on it. A thing that is not found there
 * may appear once the mount that covers it is gone.
 */
int idm_undo_remove_inside(struct idm_undo *u, uint64_t mount, struct idm_error *err);

/* ---- undo-unmount.c ---- */

/* Unmounts the marked mounts, and removes what was created on each right before. */
int idm_undo_unmount_all(struct idm_undo *u, struct idm_error *err);

#endif
