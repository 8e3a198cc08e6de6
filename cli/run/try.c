// SPDX-License-Identifier: MIT
/* --dry-run: makes what leaves nothing behind, and looks for what would make the start fail. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/common/dry-run.h"
#include "cli/common/report.h"
#include "oci/open-inside.h"
#include "run.h"

/* A writable overlay of the host would write into its work directory. So no root is made of it. */
static int try_layers_of_root(const struct run_request *q)
{
	const struct idm_path upper = { AT_FDCWD, q->upper }, work = { AT_FDCWD, q->work };
	int status = try_writable_directory(&upper);

	if (status == DONE)
		status = try_writable_directory(&work);
	for (size_t i = 0; i < q->layers.n_lower && status == DONE; i++)
		status = try_directory(&q->layers.lower[i]);
	return status;
}

/* In /dev, which is another mount by then, the command itself creates what is missing. */
static bool is_in_earlier_mount(const struct run_root *root, size_t i)
{
	const char *target = root->mounts[i].target;

	while (i-- > 0) {
		size_t n = strlen(root->mounts[i].target);

		if (strncmp(target, root->mounts[i].target, n) == 0 && target[n] == '/')
			return true;
	}
	return false;
}

/* A target that is missing in a writable root would be created. */
static int try_targets_of_mounts(const struct run_root *root)
{
	struct statvfs fs;

	if (fstatvfs(root->tree, &fs) < 0 || !(fs.f_flag & ST_RDONLY))
		return DONE;
	for (size_t i = 0; i < root->n_mounts; i++) {
		const struct idm_child_mount *m = &root->mounts[i];
		int fd = m->flags & IDM_CHILD_MOUNT_MKDIR && !is_in_earlier_mount(root, i)
				 ? open_inside(root->tree, m->target, O_PATH)
				 : -1;

		if (fd == -ENOENT)
			return report_failure("%s: make mount point: %s", m->target, strerror(EROFS));
		if (fd >= 0)
			close(fd);
	}
	return DONE;
}

int run_try(struct run_request *q, struct run_root *root)
{
	struct run_user user = { 0 };
	int status = q->upper ? try_layers_of_root(q) : run_make_root(q, root);

	if (status == DONE && !q->upper)
		status = run_find_user(q, root->tree, &user);
	if (status == DONE && !q->upper)
		status = try_targets_of_mounts(root);
	run_root_free(root);
	if (status != DONE)
		return RUN_FAILED;
	return print_line("%s: can be started; it was not, because of --dry-run", q->command[0]);
}
