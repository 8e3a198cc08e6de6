// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/command.h"
#include "cli/common/report.h"
#include "lib/base/array.h"

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
	uint64_t id;
	char *target;
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
	*new = (struct mapped_mount){ m->id, strdup(m->target) };
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

/* The kernel unmounts what is on top. So a mount below another one, or that nothing can reach, stays. */
static int umount_mapped(const struct mapped_mount *m, unsigned int flags)
{
	uint64_t id = m->id;

	if (*m->target && idm_list_path(AT_FDCWD, m->target, 0, compare_mount_id, &id, NULL) == 1)
		return umount_target(m->target, flags);
	if (!is_still_mounted(id)) /* with its parent, or with a peer */
		return DONE;
	if (*m->target)
		return report_failure("%s: unmount: another mount covers it", m->target);
	return report_failure("mount %llu: unmount: it is not below the root directory",
			      (unsigned long long)id);
}

static int umount_all(unsigned int flags)
{
	struct mapped_mounts all = { 0 };
	struct idm_error err;
	int r = idm_list(0, add_mapped_mount, &all, &err), status = DONE;

	if (r != 0)
		status = r < 0 ? report_error(&err) : out_of_memory();
	for (size_t i = all.n; i-- > 0;) {
		if (r == 0 && umount_mapped(&all.mounts[i], flags) != DONE)
			status = FAILED;
		free(all.mounts[i].target);
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
