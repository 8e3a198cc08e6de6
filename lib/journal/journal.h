/* SPDX-License-Identifier: MIT */
/*
 * A journal lists what a plan created. It is a file of lines. A line is written as soon as it is true:
 *
 *   idmount journal 1
 *   boot UUID                  the start of the machine. After another start no mount is left
 *   namespace INODE            the mount namespace
 *   ids unique|reused          reused: before Linux 6.8
 *   directory INODE BORN PATH  created; also "file". BORN: in nanoseconds of the epoch, or 0.
 *                              INODE 0: about to be created at that time. Counts as the last line only
 *   inside-directory INODE BORN PATH   the same in the root filesystem; also "inside-file"
 *   limit ID                   every mount of the plan has a smaller ID. Absent where IDs are reused
 *   base ID PATH               a mount below the root, written before it is attached. Mostly absent
 *   root ID PATH               the mount of the root filesystem, written before it is attached
 *   mount ID PATH              every mount, the root first, written when all are attached
 *   end
 *
 * In a path, the backslash and bytes that are not printable ASCII are three octal digits: \\040. A last
 * line without a line end does not count: the program died while it wrote that line.
 *
 * A process that writes the file or undoes it holds a lock on it (flock(2)).
 */
#ifndef IDM_JOURNAL_JOURNAL_H
#define IDM_JOURNAL_JOURNAL_H

#include "lib/mount/target.h"

struct idm_journal_writer {
	int fd;	       /* -1: nothing is written */
	int directory; /* of the file */
	const char *path;
	const char *name; /* in the directory */
	uint64_t limit;	  /* as written; 0: none */
};

/* If `path` is NULL, all functions write nothing and succeed. */
int idm_journal_writer_open(struct idm_journal_writer *writer, const char *path, struct idm_error *err);

/* For idm_target.created. They write what was created outside of the root filesystem, or in it. */
int idm_journal_outside(const struct idm_created *created, const char *path, void *writer,
			struct idm_error *err);
int idm_journal_inside(const struct idm_created *created, const char *path, void *writer,
		       struct idm_error *err);

/*
 * Writes that all mounts are created, and that no other follows. Called before the next two. `newest` is
 * the unique ID of the last one, or 0: it is not known, and a further mount tells it, which costs more
 * than a whole bind.
 */
int idm_journal_limit(struct idm_journal_writer *writer, uint64_t newest, struct idm_error *err);

/* Write the mount below the root, if there is one, and the root itself. Both are about to be attached at
 * `target`. Each returns when its line is on the disk. */
int idm_journal_base(struct idm_journal_writer *writer, int tree, const struct idm_target *target,
		     struct idm_error *err);
int idm_journal_root(struct idm_journal_writer *writer, int tree, const struct idm_target *target,
		     struct idm_error *err);

/* Writes all mounts from this one on, once they are attached. */
int idm_journal_mounts(struct idm_journal_writer *writer, int tree, struct idm_error *err);

/* Closes the file, and on failure (`code` is negative) removes it. Returns `code`. */
int idm_journal_writer_close(struct idm_journal_writer *writer, int code);

#endif
