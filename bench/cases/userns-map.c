// SPDX-License-Identifier: MIT
/*
 * The two ways to the map of a user namespace: by a process in it, as idm_map_add_userns() has it, and
 * by a mount with it.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mount.h>
#include <unistd.h>

#include "bench/lib/measure.h"
#include "bench/lib/mount-calls.h"
#include "bench/lib/overlay-ways.h"
#include "bench/lib/userns-ways.h"
#include "bench/lib/workers.h"

#define SOURCE PLACE "/source"

static int userns;

static void read_map_by_delegate(void)
{
	struct idm_map *map;
	struct idm_error err;

	check(idm_map_new(&map), "map");
	check_idm(idm_map_add_userns(map, userns, &err), &err);
	idm_map_free(map);
}

#define BOTH_MAPS 0x6000U /* STATMOUNT_MNT_UIDMAP, STATMOUNT_MNT_GIDMAP, Linux 6.15 */

struct mapped_tree {
	int staging, tree;
	uint64_t id;
	uint64_t answer[128]; /* a struct statmount, and its strings */
};

/* In a child. statmount(2) reports a mount of its mount namespace only, so the tree is attached there.
 */
static int ask_mapped_tree(void *data)
{
	struct mapped_tree *t = data;

	check(setns(t->staging, CLONE_NEWNS), "setns");
	check(move_mount(t->tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH), "attach");
	check(call_statmount(t->id, BOTH_MAPS, t->answer, sizeof(t->answer)), "statmount");
	check(fchdir(t->tree), "fchdir");
	check(umount2(".", MNT_DETACH), "umount");
	return 0;
}

/* The least of calls: no copy of the staging namespace, and nothing checked or parsed. */
static void read_map_by_mount(void)
{
	struct mapped_tree t = { .staging = kept_staging() };

	t.tree = clone_mapped(SOURCE, userns);
	t.id = find_mount_id(t.tree, "");
	run_sharing(ask_mapped_tree, &t);
	check((t.answer[1] & BOTH_MAPS) == BOTH_MAPS ? 0 : -1, "the map of the tree");
	close(t.tree);
}

int main(void)
{
	static struct measured m;
	const struct way ways[] = {
		{ .name = "by a delegate", .go = read_map_by_delegate, .times = times(8) },
		{ .name = "bare statmount of a mapped tree",
		  .go = read_map_by_mount,
		  .times = times(8),
		  .absent = !is_kernel_since(6, 15) },
	};
	const struct row row = { .question = "map of a user namespace, by a delegate",
				 .ours = 0,
				 .yardstick = 1,
				 .lower_bound = NO_WAY };

	userns_begin();
	userns = userns_ours();
	enter_place();
	mkdir_all(SOURCE);
	measure(&m, ways, COUNT(ways), rounds(101));
	report(&m, &row);
	return 0;
}
