// SPDX-License-Identifier: MIT
/*
 * What one ID-mapped mount costs a program, from its map to unmounted again, with a cached user
 * namespace: ours, and the bare system calls of a plain bind mount.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "measure.h"
#include "userns-ways.h"

/* Not from <sys/mount.h>, which does not go together with <linux/mount.h>. */
int umount2(const char *target, int flags);

#define SOURCE PLACE "/source"
#define TARGET PLACE "/target"
#define PRIVATE (1UL << 18)

static void ours(void)
{
	struct idm_error err;
	int userns = userns_cached();
	int tree = check_idm(idm_tree_open(AT_FDCWD, SOURCE, userns, NULL, &err), &err);

	close(userns);
	check_idm(idm_tree_attach(tree, AT_FDCWD, TARGET, 0, IDM_PROPAGATION_DEFAULT, &err), &err);
	close(tree);
	check_idm(idm_umount(TARGET, 0, &err), &err);
}

static void attach_and_unmount(int tree)
{
	check(syscall(SYS_move_mount, tree, "", AT_FDCWD, TARGET, MOVE_MOUNT_F_EMPTY_PATH),
	      "move_mount");
	close(tree);
	check(umount2(TARGET, 0), "umount2");
}

static void plain(void)
{
	attach_and_unmount((int)check(
		syscall(SYS_open_tree, AT_FDCWD, SOURCE, OPEN_TREE_CLONE | O_CLOEXEC), "open_tree"));
}

/* The same calls for a mapped mount, with the namespace in hand. */
static int userns;

static void bare(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP,
				   .propagation = PRIVATE,
				   .userns_fd = (uint64_t)userns };

	attach_and_unmount((int)check(syscall(467 /* open_tree_attr, Linux 6.15 */, AT_FDCWD, SOURCE,
					      OPEN_TREE_CLONE | O_CLOEXEC, &attr, sizeof(attr)),
				      "open_tree_attr"));
}

static bool has_open_tree_attr(void)
{
	return syscall(467, -1, "", ~0U, NULL, 0) == 0 || errno != ENOSYS;
}

int main(void)
{
	enum { OURS, PLAIN, BARE };
	struct way ways[] = {
		[OURS] = { .name = "library", .go = ours, .times = times(50) },
		[PLAIN] = { .name = "bare calls, plain bind", .go = plain, .times = times(50) },
		[BARE] = { .name = "bare calls, mapped", .go = bare, .times = times(50) },
	};
	static const struct row rows[] = {
		{ .question = "mapped mount and unmount by the library",
		  .ours = OURS,
		  .yardstick = PLAIN,
		  .floor = BARE,
		  .at_most = 1.1 },
		{ .question = "mapped mount and unmount by the library",
		  .ours = OURS,
		  .yardstick = BARE,
		  .floor = NO_WAY },
	};
	static struct measured m;

	userns_begin();
	userns = userns_cached();
	enter_place();
	mkdir_all(SOURCE);
	mkdir_all(TARGET);
	ways[BARE].absent = !has_open_tree_attr();
	measure(&m, ways, COUNT(ways), rounds(101));
	report_all(&m, rows, COUNT(rows));
	return 0;
}
