// SPDX-License-Identifier: MIT
/*
 * Calls beside themselves in a process that has much memory, and on a host with 10,000 mounts: those
 * that no other benchmark measures so. Overlays: overlay.c, plans: plan.c, processes: children.c, user
 * namespaces: userns.c, the listing: list.c, the commands: run-true.sh.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "bench/lib/measure.h"
#include "bench/lib/mount-calls.h"
#include "bench/lib/overlay-ways.h"
#include "bench/lib/userns-ways.h"
#include "bench/lib/workers.h"

#define SOURCE PLACE "/source"
#define TARGET PLACE "/target"
#define BELOW TARGET "/below"
#define MAPPED PLACE "/mapped"
#define USER "root"

static int userns;
static struct idm_error err;

/* ---- mounts ---- */

static void attach_mapped(int by, const char *target)
{
	int tree = check_idm(idm_tree_open(AT_FDCWD, SOURCE, by, NULL, &err), &err);

	check_idm(idm_tree_attach(tree, AT_FDCWD, target, NULL, &err), &err);
	close(tree);
}

static void mount_and_unmount(void)
{
	int by = userns_ours();

	attach_mapped(by, TARGET);
	check_idm(idm_umount(AT_FDCWD, TARGET, 0, &err), &err);
	close(by);
}

static void unmount_by_descriptor(void)
{
	int mount;

	attach_mapped(userns, TARGET);
	mount = (int)check(open(TARGET, O_PATH | O_CLOEXEC), TARGET);
	check_idm(idm_umount_fd(mount, IDM_UMOUNT_LAZY, &err), &err);
	close(mount);
}

static void attach_two(void)
{
	attach_mapped(userns, TARGET);
	attach_mapped(userns, BELOW);
}

static void unmount_all_below(void)
{
	check_idm(idm_umount(AT_FDCWD, TARGET, IDM_UMOUNT_RECURSIVE, &err), &err);
}

static void open_staging(void)
{
	close(check_idm(idm_staging_open(0, &err), &err));
}

/* ---- the same by bare calls, nothing checked ---- */

static void bare_attach(int by)
{
	int tree = clone_mapped(SOURCE, by);

	check(move_mount(tree, "", AT_FDCWD, TARGET, MOVE_MOUNT_F_EMPTY_PATH), "move_mount");
	close(tree);
}

static void bare_mount_and_unmount(void)
{
	int by = userns_bare();

	bare_attach(by);
	check(umount2(TARGET, 0), "umount2");
	close(by);
}

static void bare_detach(void)
{
	bare_attach(userns);
	check(umount2(TARGET, MNT_DETACH), "umount2");
}

/* The kernel looks at each mount for the list. */
static void bare_unmount_two(void)
{
	uint64_t below[8];

	call_listmount(find_mount_id(AT_FDCWD, TARGET), below, COUNT(below));
	check(umount2(BELOW, 0), "umount2");
	check(umount2(TARGET, 0), "umount2");
}

static void bare_check(void)
{
	int by = userns_bare();

	close(clone_mapped(SOURCE, by));
	close(by);
}

/*
 * The kernel looks at the mounts of the namespace when a detached mount disappears. idm_features() makes
 * three, and a mapped copy.
 */
static void bare_features(void)
{
	for (int i = 0; i < 3; i++) {
		int fs = (int)check(fsopen("tmpfs", FSOPEN_CLOEXEC), "fsopen");

		check(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), "fsconfig");
		close((int)check(fsmount(fs, FSMOUNT_CLOEXEC, 0), "fsmount"));
		close(fs);
	}
	close(clone_mapped(SOURCE, userns));
}

/* ---- maps ---- */

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

/* Of the process's own mount namespace. */
static void read_map_of_mount(void)
{
	static int mapped = -1;

	if (mapped < 0)
		mapped = (int)check(open(MAPPED, O_PATH | O_CLOEXEC), MAPPED);
	read_map(idm_map_add_mount, mapped);
}

static void read_map_of_process(void)
{
	struct idm_map *map;

	check(idm_map_new(&map), "map");
	check_idm(idm_map_add_pid(map, getpid(), &err), &err);
	idm_map_free(map);
}

static int add_subid(void)
{
	struct idm_map *map;
	int r;

	check(idm_map_new(&map), "map");
	r = idm_map_add_subid(map, USER, &err);
	idm_map_free(map);
	return r;
}

static void read_subid(void)
{
	check_idm(add_subid(), &err);
}

/* ---- what there is ---- */

static void check_directory(void)
{
	struct idm_check_result result = IDM_CHECK_RESULT_INIT;

	check_idm(idm_check_path(AT_FDCWD, SOURCE, 0, &result, NULL, &err), &err);
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

static int explain_place(const struct idm_explain_info *place, void *data)
{
	struct idm_explain_result result = IDM_EXPLAIN_RESULT_INIT;

	(void)data;
	return idm_explain(place->facts, &result, NULL);
}

static void explain_path(void)
{
	check_idm(idm_explain_path(getpid(), MAPPED, 0, explain_place, NULL, &err), &err);
}

/* ---- the tables ---- */

static void measure_memory_of_calls(void)
{
	const struct way ways[] = {
		{ .name = "user namespace, mapped mount and unmount",
		  .go = mount_and_unmount,
		  .times = times(8) },
		{ .name = "mapped mount, unmount by descriptor",
		  .go = unmount_by_descriptor,
		  .times = times(8) },
		{ .name = "unmounting of two mounts",
		  .prepare = attach_two,
		  .go = unmount_all_below,
		  .times = times(8) },
		{ .name = "map of a user namespace", .go = read_map_of_userns, .times = times(8) },
		{ .name = "map of a process", .go = read_map_of_process, .times = times(20) },
		{ .name = "map of a mount", .go = read_map_of_mount, .times = times(20) },
		{ .name = "subordinate IDs of a user",
		  .go = read_subid,
		  .times = times(8),
		  .absent = add_subid() < 0 },
		{ .name = "staging namespace", .go = open_staging, .times = times(4) },
		{ .name = "features of the kernel", .go = try_features, .times = times(2) },
		{ .name = "check of a path", .go = check_directory, .times = times(8) },
		{ .name = "access to a path", .go = explain_path, .times = times(8) },
		{ .name = "list of mounts", .go = list_mounts, .times = times(8) },
		{ .name = "mount of a path", .go = list_path, .times = times(20) },
	};

	measure_memory(ways, COUNT(ways), rounds(41));
}

static void measure_mounts_of_calls(void)
{
	void (*const mapped)(void) = userns_has_bare() ? bare_mount_and_unmount : NULL;
	void (*const checked)(void) = userns_has_bare() ? bare_check : NULL;
	const struct grown_host hosts[] = {
		{ .way = { .name = "user namespace, mapped mount and unmount", .go = mount_and_unmount },
		  .bare = mapped },
		{ .way = { .name = "mapped mount, unmount by descriptor", .go = unmount_by_descriptor },
		  .bare = bare_detach },
		{ .way = { .name = "unmounting of two mounts",
			   .prepare = attach_two,
			   .go = unmount_all_below },
		  .bare = is_kernel_since(6, 8) ? bare_unmount_two : NULL },
		{ .way = { .name = "map of a user namespace", .go = read_map_of_userns } },
		{ .way = { .name = "map of a process", .go = read_map_of_process } },
		{ .way = { .name = "map of a mount", .go = read_map_of_mount } },
		{ .way = { .name = "features of the kernel", .go = try_features }, .bare = bare_features },
		{ .way = { .name = "check of a path", .go = check_directory }, .bare = checked },
		{ .way = { .name = "access to a path", .go = explain_path } },
		{ .way = { .name = "mount of a path", .go = list_path } },
	};
	struct grown_host all[COUNT(hosts)];

	for (size_t i = 0; i < COUNT(hosts); i++) {
		all[i] = hosts[i];
		all[i].way.times = times(8);
		all[i].at_most = 1.2;
	}
	measure_mounts(all, COUNT(all), rounds(41));
}

/* With one range, whatever the machine has. */
static void give_subid(const char *file, const char *path)
{
	int fd = (int)check(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644), file);

	check(dprintf(fd, USER ":200000:65536\n"), file);
	close(fd);
	if (access(path, F_OK) == 0)
		check(mount(file, path, NULL, MS_BIND, NULL), path);
}

int main(void)
{
	userns_begin();
	userns = userns_ours();
	enter_place();
	mkdir_all(SOURCE "/below");
	mkdir_all(TARGET);
	mkdir_all(MAPPED);
	give_subid(PLACE "/subuid", "/etc/subuid");
	give_subid(PLACE "/subgid", "/etc/subgid");
	attach_mapped(userns, MAPPED);
	measure_memory_of_calls();
	measure_mounts_of_calls();
	return 0;
}
