// SPDX-License-Identifier: MIT
/*
 * What one ID-mapped mount costs a program, from its map to unmounted again, with a cached user
 * namespace: the library, and the bare system calls of a plain bind mount.
 */
#include <fcntl.h>
#include <linux/mount.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/lib/measure.h"
#include "bench/lib/overlay-ways.h"
#include "bench/lib/userns-ways.h"

/* Not from <sys/mount.h>, which does not go together with <linux/mount.h>. */
int umount2(const char *target, int flags);

#define SOURCE PLACE "/source"
#define TARGET PLACE "/target"
#define PRIVATE (1UL << 18)

static void mount_by_library(int by)
{
	struct idm_error err;
	int tree = check_idm(idm_tree_open(AT_FDCWD, SOURCE, by, NULL, &err), &err);

	check_idm(idm_tree_attach(tree, AT_FDCWD, TARGET, NULL, &err), &err);
	close(tree);
	check_idm(idm_umount(AT_FDCWD, TARGET, 0, &err), &err);
}

static void ours(void)
{
	int cached = userns_cached();

	mount_by_library(cached);
	close(cached);
}

static void attach_and_unmount(int tree, const char *path)
{
	check(syscall(SYS_move_mount, tree, path, AT_FDCWD, TARGET, *path ? 0 : MOVE_MOUNT_F_EMPTY_PATH),
	      "move_mount");
	close(tree);
	check(umount2(TARGET, 0), "umount2");
}

static void plain(void)
{
	attach_and_unmount(
		(int)check(syscall(SYS_open_tree, AT_FDCWD, SOURCE, OPEN_TREE_CLONE | O_CLOEXEC),
			   "open_tree"),
		"");
}

/* ---- the same with a map, with the namespace in hand or a cache's duplicate of it ---- */

static int userns;

static void ours_in_hand(void)
{
	mount_by_library(userns);
}

static bool has_open_tree_attr; /* Linux 6.15 */

static int open_mapped(int by)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP,
				   .propagation = PRIVATE,
				   .userns_fd = (uint64_t)by };

	if (!has_open_tree_attr)
		return clone_mapped(SOURCE, by);
	return (int)check(syscall(467 /* open_tree_attr */, AT_FDCWD, SOURCE,
				  OPEN_TREE_CLONE | O_CLOEXEC, &attr, sizeof(attr)),
			  "open_tree_attr");
}

/* "." is what keeps a tree off a symbolic link, unless it is of a file; no call does it for less. */
static void attach_mapped(int by)
{
	attach_and_unmount(open_mapped(by), ".");
}

static void bare_in_hand(void)
{
	attach_mapped(userns);
}

static void bare(void)
{
	int copy = (int)check(fcntl(userns, F_DUPFD_CLOEXEC, 3), "dup");

	attach_mapped(copy);
	close(copy);
}

int main(void)
{
	enum { OURS, IN_HAND, PLAIN, BARE, BARE_IN_HAND };
	struct way ways[] = {
		[OURS] = { .name = "library, cache", .go = ours, .times = times(50) },
		[IN_HAND] = { .name = "library", .go = ours_in_hand, .times = times(50) },
		[PLAIN] = { .name = "bare calls, plain bind", .go = plain, .times = times(50) },
		[BARE] = { .name = "bare calls, mapped", .go = bare, .times = times(50) },
		[BARE_IN_HAND] = { .name = "bare calls, mapped",
				   .go = bare_in_hand,
				   .times = times(50) },
	};
	static const struct row rows[] = {
		{ .question = "mapped mount and unmount, cached namespace",
		  .ours = OURS,
		  .yardstick = PLAIN,
		  .lower_bound = BARE,
		  .at_most = 1.1 },
		{ .question = "the same", .ours = OURS, .yardstick = BARE, .lower_bound = NO_WAY },
		{ .question = "mapped mount and unmount, namespace in hand",
		  .ours = IN_HAND,
		  .yardstick = PLAIN,
		  .lower_bound = BARE_IN_HAND },
		{ .question = "the same",
		  .ours = IN_HAND,
		  .yardstick = BARE_IN_HAND,
		  .lower_bound = NO_WAY },
	};
	static struct measured m;

	userns_begin();
	userns = userns_cached();
	enter_place();
	mkdir_all(SOURCE);
	mkdir_all(TARGET);
	has_open_tree_attr = is_kernel_since(6, 15);
	measure(&m, ways, COUNT(ways), rounds(101));
	report_all(&m, rows, COUNT(rows));
	return 0;
}
