/* SPDX-License-Identifier: MIT */
/*
 * What a plan made, as a file of lines, each written as soon as what it says is so:
 *
 *   idmount journal 1
 *   boot UUID                  after another start of the machine no mount is left
 *   namespace INODE            the mount namespace
 *   ids unique|reused          reused: before Linux 6.8
 *   directory INODE BORN PATH  created; also "file". BORN: in nanoseconds of the epoch, or 0.
 *                              INODE 0: about to be created at that time. Counts as the last line only
 *   inside-directory INODE BORN PATH   the same in the root filesystem; also "inside-file"
 *   limit ID                   of every mount of the plan the id is smaller; not where ids are reused
 *   base ID PATH               a mount below the root, written before it is attached; mostly none
 *   root ID PATH               the mount of the root filesystem, written before it is attached
 *   mount ID PATH              every mount, the root first, written when all are there
 *   end
 *
 * In a path, bytes that are not printable ASCII, and the backslash, are three octal digits: \\040. A
 * last line without a line end was being written when the program died, and does not count.
 *
 * Whoever writes the file or undoes what it says holds a lock on it (flock(2)).
 */
#ifndef IDM_JOURNAL_JOURNAL_H
#define IDM_JOURNAL_JOURNAL_H

#include "lib/mount/target.h"

/* ---- writing ---- */

struct idm_journal_writer {
	int fd;	       /* -1: nothing is recorded */
	int directory; /* that it is in */
	const char *path;
	const char *name; /* there */
};

/* `path` NULL: records nothing, always with success. */
int idm_journal_writer_open(struct idm_journal_writer *writer, const char *path, struct idm_error *err);

/* For idm_target.created: a thing that was created, outside of the root filesystem or in it. */
int idm_journal_outside(const struct idm_created *made, const char *path, void *writer,
			struct idm_error *err);
int idm_journal_inside(const struct idm_created *made, const char *path, void *writer,
		       struct idm_error *err);

/* That all mounts are made, and no other is to come. Before the next two. */
int idm_journal_limit(struct idm_journal_writer *writer, struct idm_error *err);

/* The mount below the root, if there is one, and the root of what is about to be attached at `target`.
 * Return when that is on the disk. */
int idm_journal_base(struct idm_journal_writer *writer, int tree, const struct idm_target *target,
		     struct idm_error *err);
int idm_journal_root(struct idm_journal_writer *writer, int tree, const struct idm_target *target,
		     struct idm_error *err);

/* All mounts from this one on, now that they are attached. */
int idm_journal_mounts(struct idm_journal_writer *writer, int tree, struct idm_error *err);

/* Closes the file, and on failure (`code` is negative) removes it. Returns `code`. */
int idm_journal_writer_close(struct idm_journal_writer *writer, int code);

/* ---- reading ---- */

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
	uint64_t number; /* inode or mount id; 0: of what may have been created, or not */
	uint64_t born;	 /* of what was created: 0 if the filesystem does not tell */
	char *path;
};

struct idm_journal {
	int fd;	       /* which holds the lock */
	int directory; /* that it was found in */
	char boot[40];
	uint64_t namespace_inode;
	bool unique_ids;
	uint64_t limit; /* 0: not known */
	bool complete;	/* all mounts are named */
	struct idm_journal_entry *entries;
	size_t n;
};

/* -EBUSY: somebody else writes or undoes it. */
int idm_journal_read(struct idm_journal *journal, const char *path, struct idm_error *err);
void idm_journal_free(struct idm_journal *journal);

/*
 * The directory that a journal is in, O_PATH, and its name there; -errno. All that is done with the file
 * is done there: a path that others own a part of can lead elsewhere the next time.
 */
int idm_journal_directory(const char *path, const char **name);

/* Removes the journal behind `fd`. -ESTALE: another file has its name by now. */
int idm_journal_remove(int directory, const char *name, int fd);

/* Locks an open journal. -ENOENT: it has been removed meanwhile. */
int idm_journal_lock(int fd, const char *path, struct idm_error *err);
void idm_journal_unlock(int *fd); /* and closes it */

/* The id of this start of the machine. */
int idm_boot_id(char boot[40], struct idm_error *err);

#endif
