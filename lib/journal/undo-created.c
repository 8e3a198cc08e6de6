// SPDX-License-Identifier: MIT
/* Removes a directory or a file that a plan created, if it is the same and empty. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/mount/target.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_undo = IDM_STEP_UNDO;

/* A thing that appeared up to so long after its announcement counts as the one that was created then. */
#define MOST_NANOSECONDS 10000000000ULL

bool idm_undo_is_gone(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -ENAMETOOLONG;
}

void idm_undo_note_left(struct idm_undo *u, int r)
{
	if (r < 0 && !u->left)
		u->left = r;
}

/*
 * If an entry was about to be created, only the time is known. A user may create it by hand that soon
 * after the program died. Then the user loses an empty directory.
 */
static bool is_same_file(const struct idm_journal_entry *e, const struct idm_file_id *is, bool directory)
{
	const struct idm_file_id was = { .inode = e->number, .born = e->born };

	if (e->number)
		return idm_is_same_file(&was, is, directory);
	return (directory ? S_ISDIR(is->mode) : S_ISREG(is->mode)) && is->born >= e->born &&
	       is->born - e->born < MOST_NANOSECONDS;
}

int idm_undo_remove_created(int parent, const char *name, const struct idm_journal_entry *e,
			    struct idm_error *err)
{
	bool directory = e->kind == IDM_JOURNAL_DIRECTORY || e->kind == IDM_JOURNAL_INSIDE_DIRECTORY;
	struct idm_file_id is;
	int r = idm_file_id(parent, name, &is);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return idm_fail_errno(err, r, step_undo, e->path);
	/* Another process may have replaced it, or put something into it. Then it has to stay. */
	if (!is_same_file(e, &is, directory))
		return 0;
	if (!directory && is.size)
		return idm_fail(err, -ENOTEMPTY, step_undo, e->path, "the file is not empty");
	r = idm_sys_unlinkat(parent, name, directory ? AT_REMOVEDIR : 0);
	return r < 0 && r != -ENOENT ? idm_fail_errno(err, r, step_undo, e->path) : 1;
}

/* ---- outside of the root filesystem ---- */

static int remove_outside(const struct idm_journal_entry *e, struct idm_error *err)
{
	AUTO_FREE char *above = strdup(e->path);
	AUTO_CLOSE int parent = -1;
	char *slash;

	if (!above)
		return idm_fail_errno(err, -ENOMEM, step_undo, NULL);
	slash = strrchr(above, '/');
	slash[slash == above] = '\0';
	parent = idm_sys_openat(AT_FDCWD, above, O_PATH | O_DIRECTORY, 0);
	if (idm_undo_is_gone(parent))
		return 0;
	if (parent < 0)
		return idm_fail_errno(err, parent, step_undo, above);
	return idm_undo_remove_created(parent, strrchr(e->path, '/') + 1, e, err);
}

void idm_undo_remove_outside(struct idm_undo *u, struct idm_error *err)
{
	for (size_t i = u->journal.n; i-- > 0;) {
		const struct idm_journal_entry *e = &u->journal.entries[i];

		if (e->kind == IDM_JOURNAL_DIRECTORY || e->kind == IDM_JOURNAL_FILE)
			idm_undo_note_left(u, remove_outside(e, u->left ? NULL : err));
	}
}
