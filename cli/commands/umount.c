// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/common/command.h"
#include "cli/common/report.h"
#include "lib/base/array.h"
#include "lib/base/error.h"

static const struct option_row options[] = {
	{ 'R', "recursive", NULL, "also every mount below TARGET" },
	{ 'l', "lazy", NULL, "detach now, also when in use" },
	{ 'a', "all", NULL, "all ID-mapped mounts of this mount namespace, the last first" },
	{ 0 },
};

static int umount_target(const char *target, unsigned int flags)
{
	struct idm_error err;

	return idm_umount(AT_FDCWD, target, flags, &err) < 0 ? report_error(&err) : DONE;
}

/* ---- all ---- */

struct mapped_mount {
	uint64_t id, parent;
	char *target; /* NULL: done */
};

struct mapped_mounts {
	struct mapped_mount *mounts;
	size_t n;
};

static int add_mapped_mount(const struct idm_mount_info *m, void *data)
{
	struct mapped_mounts *all = data;
	struct mapped_mount *new = idm_array_append(&all->mounts, &all->n, sizeof(*new));

	if (!new)
		return 1;
	*new = (struct mapped_mount){ m->id, m->parent_id, strdup(m->target) };
	return new->target ? 0 : 1;
}

static int compare_mount_id(const struct idm_mount_info *m, void *data)
{
	return m->id == *(const uint64_t *)data;
}

static bool is_still_mounted(uint64_t id)
{
	return idm_list(0, compare_mount_id, &id, NULL) == 1;
}

/* The error names the whole path, also in place of a name in the directory. */
static int report_umount_error(const struct idm_error *from, const char *target)
{
	struct idm_error err;

	if (from->errnum == EBUSY) {
		idm_fail_busy_mount(&err, target);
		return report_error(&err);
	}
	idm_fail(&err, -from->errnum, from->step, target, "%.*s", IDM_PART(from, reason));
	idm_hint(&err, "%s", from->hint);
	return report_error(&err);
}

/*
 * The owner of a directory above can exchange everything on the way. Once the directory of the mount
 * point is open, the name in it leads to the mount that was found there. See idm_unmount_by_id() for a
 * gap. While the mount is in use, idm_umount() tries it again, and never one that is mounted over it.
 */
static int open_mount_directory(const char *target)
{
	const char *slash = strrchr(target, '/');
	char *above = strndup(target, slash == target ? 1 : (size_t)(slash - target));
	int fd = above ? open(above, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	free(above);
	return fd;
}

/* The kernel unmounts what is on top. So a mount below another one, or that nothing can reach, stays. */
static int umount_mapped(const struct mapped_mount *m, unsigned int flags)
{
	const char *slash = strrchr(m->target, '/'), *name = slash && slash[1] ? slash + 1 : "/";
	int directory = slash ? open_mount_directory(m->target) : -1, status = DONE;
	uint64_t id = m->id;
	struct idm_error err;

	if (directory >= 0 && idm_list_path(directory, name, 0, compare_mount_id, &id, NULL) == 1) {
		if (idm_umount(directory, name, flags, &err) < 0)
			status = report_umount_error(&err, m->target);
	} else if (is_still_mounted(id)) { /* else it went with its parent, or with a peer */
		status = *m->target ? report_failure("%s: unmount: another mount covers it", m->target)
				    : report_failure("mount %llu: unmount: it is not below the root "
						     "directory",
						     (unsigned long long)id);
	}
	if (directory >= 0)
		close(directory);
	return status;
}

static bool has_mapped_child(const struct mapped_mounts *all, uint64_t id)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->mounts[i].target && all->mounts[i].parent == id)
			return true;
	return false;
}

/*
 * Finds the last mount on which no other one is. A mount that was moved can be on one that was made
 * later. Mounts that move while they are listed may each be on another one: then it is the last of all.
 */
static struct mapped_mount *find_last_free_mount(const struct mapped_mounts *all)
{
	struct mapped_mount *last = NULL;

	for (size_t i = all->n; i-- > 0;) {
		struct mapped_mount *m = &all->mounts[i];

		if (!m->target)
			continue;
		if (!has_mapped_child(all, m->id))
			return m;
		if (!last)
			last = m;
	}
	return last;
}

static int umount_all(unsigned int flags)
{
	struct mapped_mounts all = { 0 };
	struct mapped_mount *m;
	struct idm_error err;
	int r = idm_list(0, add_mapped_mount, &all, &err), status = DONE;

	if (r != 0)
		status = r < 0 ? report_error(&err) : out_of_memory();
	while ((m = find_last_free_mount(&all))) {
		if (r == 0 && umount_mapped(m, flags) != DONE)
			status = FAILED;
		free(m->target);
		m->target = NULL;
	}
	free(all.mounts);
	return status;
}

/* ---- the command ---- */

static int umount_targets(char **target, size_t n, unsigned int flags)
{
	int status = DONE;

	for (size_t i = 0; i < n; i++)
		if (umount_target(target[i], flags) != DONE)
			status = FAILED;
	return status;
}

static int run_umount(int argc, char **argv)
{
	struct arguments a = { .command = &command_umount, .argc = argc, .argv = argv };
	unsigned int flags = 0;
	bool all = false;
	char **target;
	int letter;
	size_t n;

	while ((letter = next_command_option(&a)) > 0) {
		flags |= letter == 'R' ? IDM_UMOUNT_RECURSIVE : letter == 'l' ? IDM_UMOUNT_LAZY : 0;
		all |= letter == 'a';
	}
	if (letter < 0)
		return letter == OPTION_HELP ? DONE : USAGE;
	n = operands(&a, &target);
	if (all && n)
		return report_usage("%s: -a unmounts all, and expects no TARGET", target[0]);
	if (!all && !n)
		return report_usage("a TARGET is missing; see \"idmount help umount\"");
	return all ? umount_all(flags) : umount_targets(target, n, flags);
}

const struct command command_umount = {
	.name = "umount",
	.operands = "TARGET...|-a",
	.summary = "undo mounts",
	.options = options,
	.run = run_umount,
};
