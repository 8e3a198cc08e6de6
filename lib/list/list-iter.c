// SPDX-License-Identifier: MIT
/* The listing without a callback: it is over before the first mount is handed out. */
#include <errno.h>
#include <stdlib.h>

#include "idmount.h"
#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/base/items.h"
#include "lib/sys/fail-errno.h"
#include "mount-copy.h"

struct idm_list_iter {
	struct idm_items mounts;
};

static int add_mount_copy(const struct idm_mount_info *mount, void *data)
{
	struct idm_list_iter *iter = data;

	return idm_items_add(&iter->mounts, idm_copy_mount_info(mount), idm_free_mount_info);
}

/* What was asked for: all mounts, or that of a path. */
struct listed {
	int dirfd;
	const char *path; /* NULL: all */
	unsigned int flags;
};

static int fill_list_iter(const struct listed *what, struct idm_list_iter **iter, struct idm_error *err)
{
	struct idm_list_iter *made = calloc(1, sizeof(*made));
	int r;

	if (!made)
		r = IDM_ITEMS_FULL;
	else if (what->path)
		r = idm_list_path(what->dirfd, what->path, what->flags, add_mount_copy, made, err);
	else
		r = idm_list(what->flags, add_mount_copy, made, err);
	if (r == IDM_ITEMS_FULL)
		r = idm_fail_errno(err, -ENOMEM, IDM_STEP_LIST_MOUNTS, what->path);
	if (r == 0)
		*iter = made;
	else
		idm_list_iter_free(made);
	return r;
}

int idm_list_iter_new(unsigned int flags, struct idm_list_iter **iter, struct idm_error *err)
{
	HOLD_CANCEL;
	const struct listed all = { .flags = flags };

	return fill_list_iter(&all, iter, err);
}

int idm_list_path_iter_new(int dirfd, const char *path, unsigned int flags, struct idm_list_iter **iter,
			   struct idm_error *err)
{
	HOLD_CANCEL;
	const struct listed one = { dirfd, path, flags };

	return fill_list_iter(&one, iter, err);
}

const struct idm_mount_info *idm_list_iter_next(struct idm_list_iter *iter)
{
	return idm_items_next(&iter->mounts);
}

void idm_list_iter_free(struct idm_list_iter *iter)
{
	HOLD_CANCEL;

	if (iter)
		idm_items_free(&iter->mounts, idm_free_mount_info);
	free(iter);
}
