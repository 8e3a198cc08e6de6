// SPDX-License-Identifier: MIT
/*
 * Undoes a journal. It unmounts the mounts of the journal and no other. It removes the directories of
 * the journal if they are empty. It removes nothing recursively. It checks everything first: obstacles
 * are found before anything is undone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/sys/fail-errno.h"

static int undo_journal(struct idm_undo *u, struct idm_error *err)
{
	int r = idm_undo_mark_mounts(u, err);

	if (r == 0)
		r = idm_undo_find_inside(u, err);
	if (r == 0)
		r = idm_undo_unmount_all(u, err);
	if (r < 0)
		return r;
	idm_undo_remove_outside(u, err);
	return u->left;
}

static void free_undo(struct idm_undo *u)
{
	free(u->on);
	idm_mount_nodes_free(&u->nodes);
	idm_journal_free(&u->journal);
}

static int remove_journal(const struct idm_journal *r, const char *path, struct idm_error *err)
{
	int code = idm_journal_remove(r->directory, strrchr(path, '/') ? strrchr(path, '/') + 1 : path,
				      r->fd);

	if (code == -ESTALE)
		return idm_fail(err, code, IDM_STEP_REMOVE_JOURNAL, path,
				"another file replaced it, and was kept");
	return code < 0 ? idm_fail_errno(err, code, IDM_STEP_REMOVE_JOURNAL, path) : 0;
}

int idm_plan_undo(const char *journal, unsigned int flags, struct idm_error *err)
{
	HOLD_CANCEL;
	struct idm_undo u = { .flags = flags };
	int r = idm_check_flags(flags, IDM_PLAN_UNDO_LAZY, IDM_STEP_UNDO, journal, err);

	if (r == 0)
		r = idm_journal_read(&u.journal, journal, err);
	if (r < 0)
		return r;
	r = undo_journal(&u, err);
	if (r == 0)
		r = remove_journal(&u.journal, journal, err);
	free_undo(&u);
	return r;
}
