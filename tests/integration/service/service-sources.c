// SPDX-License-Identifier: MIT
/*
 * What the source of a mapped tree has beside its files: quotas, project IDs, and mounts that propagate.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "clients.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"

/* ---- quotas ---- */

#define DISK SCRATCH "/disk"
#define LIMITED 200005 /* has a limit of LIMIT bytes */
#define LIMIT 65536
#define MORE_BYTES (4 * LIMIT)

/* Of a filesystem that is mounted: it is known by its loop device. */
static void find_device(char path[64])
{
	struct stat st;

	must(stat(DISK, &st));
	snprintf(path, 64, "/dev/loop%u", minor(st.st_dev));
}

static struct if_dqblk quota_of(uint32_t uid)
{
	struct if_dqblk quota = { 0 };
	char device[64];

	find_device(device);
	must(syscall(SYS_quotactl, QCMD(Q_GETQUOTA, USRQUOTA), device, uid, &quota));
	return quota;
}

static void limit_space(uint32_t uid)
{
	struct if_dqblk quota = { .dqb_bhardlimit = LIMIT / QIF_DQBLKSIZE, .dqb_valid = QIF_BLIMITS };
	char device[64];

	find_device(device);
	must(syscall(SYS_quotactl, QCMD(Q_SETQUOTA, USRQUOTA), device, uid, &quota));
}

/* Returns false if the kernel has no such quotas: it is built without their format. */
static bool mount_with_quotas(void)
{
	scratch_file(SCRATCH "/image", "");
	must(truncate(SCRATCH "/image", 64 << 20));
	scratch_dir(DISK);
	need_command("mkfs.ext4");
	assert_int_equal(
		RUN("mkfs.ext4", "-q", "-O", "quota", "-E", "quotatype=usrquota", SCRATCH "/image"), 0);
	if (RUN("mount", "-o", "loop,usrquota", SCRATCH "/image", DISK) != 0) {
		untried("this kernel has no quotas of ext4 (CONFIG_QFMT_V2)");
		return false;
	}
	must(chown(DISK, USER, USER));
	must(chmod(DISK, 01777));
	limit_space(LIMITED);
	return true;
}

/* Returns 0 or -errno. */
static int write_much(int dir, const char *name)
{
	static const char text[4096];
	AUTO_CLOSE int fd = (int)must(openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	int r = 0;

	for (int i = 0; i < MORE_BYTES && r == 0; i += (int)sizeof(text))
		r = write(fd, text, sizeof(text)) < 0 ? -errno : 0;
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

/* The file belongs to LIMITED without a map. The limit is the same. */
static void write_as_limited(void *unused)
{
	AUTO_CLOSE int dir = (int)must(open(DISK, O_PATH | O_CLOEXEC));

	(void)unused;
	assert_true(become_subject(&(struct subject){ 6, 6, true, false }));
	assert_int_equal(write_much(dir, "unmapped"), -EDQUOT);
	must(unlinkat(dir, "unmapped", 0));
}

/* What appears as this process's is stored as of LIMITED, or as of USER. */
static void write_through_maps(void *unused)
{
	AUTO_CLOSE int tree = clone_tree(DISK), other = clone_tree(DISK);
	AUTO_CLOSE int limited = userns_of("200005:0,1500:1"), swapped = userns_of("1500:0,200005:6");

	(void)unused;
	assert_mapped(ask(tree, limited));
	assert_mapped(ask(other, swapped));
	assert_int_equal(write_much(tree, "mapped"), -EDQUOT);
	must(unlinkat(tree, "mapped", 0));
	assert_int_equal(write_much(other, "free"), 0);
	assert_int_equal(owner_at(other, "free").uid, 0);
	/* A change of the owner changes who pays. */
	assert_int_equal(fchownat(other, "free", 6, 6, 0), -1);
	assert_int_equal(errno, EDQUOT);
}

TEST_SINCE(5, 12, mounts_are_not_mapped, quotas_count_for_the_stored_owner)
{
	struct service service;
	struct if_dqblk before;

	enter_with_data();
	if (!mount_with_quotas())
		return;
	before = quota_of(USER);
	service = service_start(NULL);
	as_client(ORDINARY, write_as_limited, NULL);
	as_client(ORDINARY, write_through_maps, NULL);
	service_stop(&service);
	assert_int_equal(quota_of(LIMITED).dqb_curspace, 0);
	assert_true(quota_of(USER).dqb_curspace >= before.dqb_curspace + MORE_BYTES);
	assert_int_equal(owner_at(AT_FDCWD, DISK "/free").uid, USER);
}

/* ---- two processes in turn ---- */

static void tell(int fd)
{
	must(write(fd, "", 1));
}

static void await(int fd)
{
	char byte;

	assert_int_equal(must(read(fd, &byte, 1)), 1);
}

/* ---- project IDs: only a process in the initial user namespace changes one, as the owner ---- */

#define PROJECT 7
#define OWN_GROUP "own-group" /* of the client's ID 6, as the next one */
#define OTHERS_GROUP "others-group"

/* Returns 0 or -errno. */
static int set_project(int dir, const char *name)
{
	AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	struct fsxattr attributes;

	if (fd < 0 || ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0)
		return -errno;
	attributes.fsx_projid = PROJECT;
	return ioctl(fd, FS_IOC_FSSETXATTR, &attributes) < 0 ? -errno : 0;
}

static void make_file_of(const char *path, uint32_t group)
{
	scratch_file(path, "text");
	must(chown(path, 200005, group));
	must(chmod(path, 0644));
}

/* XFS has them without quotas, too. */
static void mount_with_projects(void)
{
	scratch_filesystem("xfs", DISK, NULL);
	must(chown(DISK, USER, USER));
	make_file_of(DISK "/" OWN_GROUP, 200005);
	make_file_of(DISK "/" OTHERS_GROUP, OTHER_GROUP);
}

struct attempt {
	int dir; /* of the process that starts this one */
	const char *name;
	int expected;
};

/* As the client's user, in the initial user namespace. */
static void set_project_outside(void *data)
{
	const struct attempt *attempt = data;

	assert_true(become_subject(&(struct subject){ USER, USER, true, false }));
	assert_int_equal(set_project(attempt->dir, attempt->name), attempt->expected);
}

static void try_outside(int dir, const char *name, int expected)
{
	in_child(set_project_outside, &(struct attempt){ dir, name, expected });
}

static void fail_inside(void *unused)
{
	(void)unused;
	assert_true(become_subject(&(struct subject){ 6, 6, true, true }));
	assert_int_equal(set_project(AT_FDCWD, DISK "/" OWN_GROUP), -EINVAL);
}

/* To the client's user. */
static void give_files(void *unused)
{
	(void)unused;
	must(chown(DISK "/" OWN_GROUP, 0, 0));
	assert_int_equal(chown(DISK "/" OTHERS_GROUP, 0, UINT32_MAX), -1);
	assert_int_equal(errno, EPERM);
}

static void take_files(void *unused)
{
	(void)unused;
	must(chown(DISK "/" OWN_GROUP, 6, 6));
}

struct handing {
	int report, go;
};

struct handed {
	pid_t pid;
	int tree;
};

/* The user's ID appears as the owner of the files. */
static void map_and_hand(void *data)
{
	const struct handing *handing = data;
	AUTO_CLOSE int tree = clone_tree(DISK), userns = userns_of("200005:0");
	const struct handed handed = { getpid(), tree };

	assert_mapped(ask(tree, userns));
	must(write(handing->report, &handed, sizeof(handed)));
	await(handing->go);
}

/* Sets the project ID of each by the mapped tree. */
static void set_projects_by_map(void)
{
	int report[2], go[2];
	struct handed handed;
	pid_t client;

	must(pipe2(report, O_CLOEXEC));
	must(pipe2(go, O_CLOEXEC));
	client = (pid_t)must(fork());
	if (client == 0) {
		as_client(ORDINARY, map_and_hand, &(struct handing){ report[1], go[0] });
		_exit(0);
	}
	assert_int_equal(must(read(report[0], &handed, sizeof(handed))), sizeof(handed));
	{
		AUTO_CLOSE int tree = get_fd(handed.pid, handed.tree);

		try_outside(tree, OWN_GROUP, 0);
		try_outside(tree, OTHERS_GROUP, 0);
	}
	tell(go[1]);
	await_child(client);
	for (int i = 0; i < 2; i++) {
		close(report[i]);
		close(go[i]);
	}
}

/*
 * Without the map the user changes that of a file by two changes of the owner, if its namespace has the
 * group, too. SECURITY.md excepts the other files.
 */
TEST_SINCE(5, 12, mounts_are_not_mapped, project_ids_change_as_by_chown)
{
	struct service service;
	AUTO_CLOSE int disk = -1;

	enter_with_data();
	mount_with_projects();
	disk = (int)must(open(DISK, O_PATH | O_CLOEXEC));
	as_client(ORDINARY, fail_inside, NULL);
	try_outside(disk, OWN_GROUP, -EPERM);
	try_outside(disk, OTHERS_GROUP, -EPERM);
	as_client(ORDINARY, give_files, NULL);
	try_outside(disk, OWN_GROUP, 0);
	as_client(ORDINARY, take_files, NULL);
	service = service_start(NULL);
	set_projects_by_map();
	service_stop(&service);
}

/* ---- propagation ---- */

#define TARGET SCRATCH "/target"
#define BELOW "/below" /* of DATA */

struct steps {
	int to_client[2], to_root[2];
};

static bool is_top_of_mount(const char *path)
{
	struct statx st;

	must(idm_sys_statx(AT_FDCWD, path, 0, 0, &st));
	return st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/* The source is a slave of the host's in the client's namespace, and shared there. */
static void attach_mapped_tree(void)
{
	AUTO_CLOSE int tree = -1, userns = userns_of("1500:5");

	must(mount(NULL, DATA, NULL, MS_SHARED, NULL));
	tree = clone_tree(DATA);
	assert_mapped(ask(tree, userns));
	must(idm_sys_move_mount(tree, "", AT_FDCWD, TARGET, MOVE_MOUNT_F_EMPTY_PATH));
	assert_int_equal(owner_at(AT_FDCWD, TARGET "/1500").uid, 5);
}

static void mount_below_the_tree(void)
{
	must(mount("of-client", TARGET BELOW, "tmpfs", 0, NULL));
	/* In the client's namespace the source and the tree are peers. */
	assert_true(is_top_of_mount(DATA BELOW));
	must(umount2(TARGET BELOW, 0));
}

/* It arrives at the tree as at the source, without a map. */
static void receive_mount_of_host(void)
{
	assert_true(is_top_of_mount(DATA BELOW));
	assert_true(is_top_of_mount(TARGET BELOW));
	assert_int_equal(owner_at(AT_FDCWD, TARGET BELOW "/file").uid,
			 owner_at(AT_FDCWD, DATA BELOW "/file").uid);
	must(umount2(TARGET BELOW, 0)); /* in this namespace alone, as at the source */
}

static void propagate(void *data)
{
	const struct steps *steps = data;

	attach_mapped_tree();
	mount_below_the_tree();
	tell(steps->to_root[1]);
	await(steps->to_client[0]);
	receive_mount_of_host();
}

static void mount_on_host(const struct steps *steps)
{
	await(steps->to_root[0]);
	assert_false(is_top_of_mount(DATA BELOW));
	do_mount("of-host", DATA BELOW, "tmpfs", 0, NULL);
	scratch_file(DATA BELOW "/file", "text");
	must(chown(DATA BELOW "/file", USER, USER));
	tell(steps->to_client[1]);
}

TEST_SINCE(5, 12, mounts_are_not_mapped, mapped_tree_of_a_shared_source_only_receives)
{
	struct service service;
	struct steps steps;
	pid_t client;

	enter_with_data();
	scratch_dir(TARGET);
	scratch_dir(DATA BELOW);
	do_mount(DATA, DATA, NULL, MS_BIND, NULL);
	do_mount(NULL, DATA, NULL, MS_SHARED, NULL);
	must(pipe2(steps.to_client, O_CLOEXEC));
	must(pipe2(steps.to_root, O_CLOEXEC));
	service = service_start(NULL);
	client = (pid_t)must(fork());
	if (client == 0) {
		as_client(ORDINARY, propagate, &steps);
		_exit(0);
	}
	mount_on_host(&steps);
	await_child(client);
	assert_true(is_top_of_mount(DATA BELOW));
	service_stop(&service);
	do_umount(DATA BELOW);
	for (int i = 0; i < 2; i++) {
		close(steps.to_client[i]);
		close(steps.to_root[i]);
	}
}
