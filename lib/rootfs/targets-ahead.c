// SPDX-License-Identifier: MIT
/*
 * Creates missing targets of a plan before it is their turn, so that one child can attach several trees.
 *
 * That must not change where a target is. It is safe as long as no mount that is not attached yet can
 * be on the way to it. A target that is there without a symbolic link on its way is where its text says.
 * So a mount on it is only on the way to targets whose text begins with that text. On any doubt the
 * target, and all behind it, wait for their turn.
 */
#include <errno.h>
#include <string.h>

#include "assemble.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "place.h"

/* No component is empty or ".", so paths can be compared as text. A plan has no "..". */
static bool is_plain(const char *target)
{
	while (*target) {
		size_t n = strcspn(target, "/");

		if (n == 0 || (n == 1 && *target == '.'))
			return false;
		target += n;
		target += *target == '/';
	}
	return true;
}

static bool is_within(const char *target, const char *other)
{
	size_t n = strlen(other);

	return strncmp(target, other, n) == 0 && (!target[n] || target[n] == '/');
}

/* Whether a mount from `first` on will be on the way to the target of entry i. */
static bool is_on_the_way(const struct idm_plan *plan, size_t first, size_t i)
{
	for (size_t k = first; k < i; k++)
		if (is_within(plan->entries[i].target, plan->entries[k].target))
			return true;
	return false;
}

/* Returns 1, or 0 if it is missing. -errno: a symbolic link is on the way, or it cannot be known. */
static int is_there(int root, const char *target)
{
	AUTO_CLOSE int fd = idm_sys_openat2(root, target, O_PATH, 0,
					    RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);

	return fd >= 0 ? 1 : fd == -ENOENT ? 0 : fd;
}

/* If that fails, it fails again when it is the target's turn, with the words for the error. */
static bool create_target(struct idm_assembly *a, size_t i, bool mkdir)
{
	const struct idm_plan_entry *step = &a->plan->entries[i];
	struct idm_target *target = &a->targets[i];
	int r;

	if (!mkdir && !(step->flags & IDM_PLAN_ADD_MKDIR))
		return false;
	r = idm_open_entry_target(a->mounts[0], step, a->mounts[i], true, target, NULL);
	idm_close_fd(&target->fd);
	return r == 0;
}

void idm_create_targets_ahead(struct idm_assembly *a, size_t first, bool mkdir)
{
	for (size_t i = first; i < a->plan->n; i++) {
		const char *target = a->plan->entries[i].target;
		int there;

		if (!is_plain(target) || is_on_the_way(a->plan, first, i))
			return;
		there = is_there(a->mounts[0], target);
		if (there < 0 || (there == 0 && !create_target(a, i, mkdir)))
			return;
	}
}
