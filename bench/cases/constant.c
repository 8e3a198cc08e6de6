// SPDX-License-Identifier: MIT
/*
 * Calls beside themselves in a process that has much memory: those that no other benchmark measures so.
 * Overlays: overlay.c, plans: plan.c, starts: reaper.c, user namespaces: userns.c. Then the two ways to
 * the map of a user namespace: by a process in it, and by a mount with it.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/lib/measure.h"
#include "bench/lib/overlay-ways.h"
#include "bench/lib/userns-ways.h"
#include "bench/lib/workers.h"

#define SOURCE PLACE "/source"
#define TARGET PLACE "/target"
#define MAPPED PLACE "/mapped"

static int userns, mapped;
static struct idm_error err;

static void attach_mapped(const char *target)
{
	int tree = check_idm(idm_tree_open(AT_FDCWD, SOURCE, userns, NULL, &err), &err);

	check_idm(idm_tree_attach(tree, AT_FDCWD, target, NULL, &err), &err);
	close(tree);
}

static void mount_and_unmount(void)
{
	attach_mapped(TARGET);
	check_idm(idm_umount(AT_FDCWD, TARGET, 0, &err), &err);
}

static void unmount_by_descriptor(void)
{
	int mount;

	attach_mapped(TARGET);
	mount = (int)check(open(TARGET, O_PATH | O_CLOEXEC), TARGET);
	check_idm(idm_umount_fd(mount, IDM_UMOUNT_LAZY, &err), &err);
	close(mount);
}

static void read_map(int (*add)(struct idm_map *map, int fd, struct idm_error *err), int fd)
{
	struct idm_map *map;

	check(idm_map_new(&map), "map");
	check_idm(add(map, fd, &err), &err);
	idm_map_free(map);
}

static void read_map_of_userns(void)
{
	read_map(idm_map_add_userns, userns);
}

#ifndef SYS_statmount
#define SYS_statmount 457 /* Linux 6.8 */
#endif
#define STATX_UNIQUE_ID 0x4000U /* STATX_MNT_ID_UNIQUE, Linux 6.8 */
#define BOTH_MAPS 0x6000U	/* STATMOUNT_MNT_UIDMAP, STATMOUNT_MNT_GIDMAP, Linux 6.15 */

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
	uint64_t request[4] = { sizeof(request), t->id, BOTH_MAPS };

	check(setns(t->staging, CLONE_NEWNS), "setns");
	check(move_mount(t->tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH), "attach");
	check(syscall(SYS_statmount, request, t->answer, sizeof(t->answer), 0), "statmount");
	check(fchdir(t->tree), "fchdir");
	check(umount2(".", MNT_DETACH), "umount");
	return 0;
}

/* The least of calls: no copy of the staging namespace, and nothing checked or parsed. */
static void read_map_by_mount(void)
{
	struct mapped_tree t = { .staging = kept_staging() };
	struct statx st;

	t.tree = clone_mapped(SOURCE, userns);
	check(statx(t.tree, "", AT_EMPTY_PATH, STATX_UNIQUE_ID, &st), "statx");
	t.id = st.stx_mnt_id;
	run_sharing(ask_mapped_tree, &t);
	check((t.answer[1] & BOTH_MAPS) == BOTH_MAPS ? 0 : -1, "the map of the tree");
	close(t.tree);
}

static void read_map_of_mount(void)
{
	read_map(idm_map_add_mount, mapped);
}

static void read_map_of_process(void)
{
	struct idm_map *map;

	check(idm_map_new(&map), "map");
	check_idm(idm_map_add_pid(map, getpid(), &err), &err);
	idm_map_free(map);
}

static void check_directory(void)
{
	struct idm_check_result result = IDM_CHECK_RESULT_INIT;

	check_idm(idm_check_path(AT_FDCWD, SOURCE, 0, &result, NULL, &err), &err);
}

static void open_staging(void)
{
	close(check_idm(idm_staging_open(0, &err), &err));
}

static int ignore_feature(const struct idm_feature_info *feature, void *data)
{
	(void)feature;
	(void)data;
	return 0;
}

static void try_features(void)
{
	check_idm(idm_features(0, ignore_feature, NULL, &err), &err);
}

static int ignore_mount(const struct idm_mount_info *mount, void *data)
{
	(void)mount;
	(void)data;
	return 0;
}

static void list_mounts(void)
{
	check_idm(idm_list(0, ignore_mount, NULL, &err), &err);
}

static void list_path(void)
{
	check_idm(idm_list_path(AT_FDCWD, MAPPED, 0, ignore_mount, NULL, &err), &err);
}

static void measure_maps(void)
{
	static struct measured m;
	const struct way ways[] = {
		{ .name = "by a delegate", .go = read_map_of_userns, .times = times(8) },
		{ .name = "bare statmount of a mapped tree",
		  .go = read_map_by_mount,
		  .times = times(8),
		  .absent = !is_kernel_since(6, 15) },
	};
	const struct row row = { .question = "map of a user namespace, by a delegate",
				 .ours = 0,
				 .yardstick = 1,
				 .lower_bound = NO_WAY };

	measure(&m, ways, COUNT(ways), rounds(101));
	report(&m, &row);
}

int main(void)
{
	const struct way ways[] = {
		{ .name = "mapped mount and unmount", .go = mount_and_unmount, .times = times(20) },
		{ .name = "mapped mount, unmount by descriptor",
		  .go = unmount_by_descriptor,
		  .times = times(8) },
		{ .name = "map of a user namespace", .go = read_map_of_userns, .times = times(8) },
		{ .name = "map of a process", .go = read_map_of_process, .times = times(20) },
		{ .name = "map of a mount", .go = read_map_of_mount, .times = times(20) },
		{ .name = "staging namespace", .go = open_staging, .times = times(4) },
		{ .name = "features of the kernel", .go = try_features, .times = times(2) },
		{ .name = "check of a path", .go = check_directory, .times = times(8) },
		{ .name = "list of mounts", .go = list_mounts, .times = times(8) },
		{ .name = "mount of a path", .go = list_path, .times = times(20) },
	};

	userns_begin();
	userns = userns_ours();
	enter_place();
	mkdir_all(SOURCE);
	mkdir_all(TARGET);
	mkdir_all(MAPPED);
	attach_mapped(MAPPED);
	mapped = (int)check(open(MAPPED, O_PATH | O_CLOEXEC), MAPPED);
	measure_memory(ways, COUNT(ways), rounds(41));
	measure_maps();
	return 0;
}
