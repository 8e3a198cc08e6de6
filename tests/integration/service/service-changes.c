// SPDX-License-Identifier: MIT
/*
 * What a client can bring about on disk before, with each of its IDs, and by two mapped trees. The
 * latter is never more. Each change that a process makes is looked at by root, and undone. So all begin
 * at the same files. By induction no sequence of changes leads further. Processes outside of the
 * client's namespace get the trees, too: its user's, and another user's. A control shows that gains are
 * seen.
 */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "changes.h"
#include "clients.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"

#define REAL SCRATCH "/real" /* DATA without the flags of its mount */
#define KEPT SCRATCH "/kept" /* a second name of each file */
#define PLACES 6	     /* of a tree */
#define TREES (test_is_long() ? 1000U : test_is_slow() ? 1U : 5U)

/* ---- the files: directories with one file "f" each ---- */

struct attributes {
	struct stat st;
	char acl[128], capability[32], note[8];
	ssize_t acl_size, capability_size;
};

static struct attributes original[PLACES];

/* Of the directories. */
static union {
	struct file_handle header;
	char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
} handles[PLACES];

static bool read_attributes(const char *path, struct attributes *a)
{
	memset(a, 0, sizeof(*a));
	if (lstat(path, &a->st) < 0)
		return false;
	a->acl_size = lgetxattr(path, ACL, a->acl, sizeof(a->acl));
	a->capability_size = lgetxattr(path, CAPABILITY, a->capability, sizeof(a->capability));
	lgetxattr(path, NOTE, a->note, sizeof(a->note));
	return true;
}

static void restore_xattr(const char *path, const char *name, const char *value, ssize_t size)
{
	if (size > 0)
		must(setxattr(path, name, value, (size_t)size, 0));
	else
		removexattr(path, name);
}

/* Changes of owner and mode remove others. */
static void restore_attributes(const char *path, const struct attributes *a)
{
	const struct timespec times[2] = { { 1000, 0 }, { 1000, 0 } };

	must(chown(path, a->st.st_uid, a->st.st_gid));
	restore_xattr(path, ACL, a->acl, a->acl_size);
	must(chmod(path, a->st.st_mode & 07777));
	restore_xattr(path, CAPABILITY, a->capability, a->capability_size);
	removexattr(path, NOTE);
	must(utimensat(AT_FDCWD, path, times, 0));
}

static mode_t pick_mode(struct rng *rng, uint32_t bits)
{
	return rng_below(rng, bits) | (rng_below(rng, 3) ? 0 : 0777);
}

static void chown_randomly(struct rng *rng, const char *path)
{
	must(chown(path, some_owners[rng_below(rng, 6)], some_groups[rng_below(rng, 6)]));
}

/* With and without a root ID. */
static void add_capability(struct rng *rng, const char *path)
{
	struct vfs_ns_cap_data data = { .magic_etc = VFS_CAP_REVISION_3 | VFS_CAP_FLAGS_EFFECTIVE,
					.data = { { 1 << CAP_CHOWN, 0 } },
					.rootid = some_owners[rng_below(rng, 6)] };
	size_t size = sizeof(data);

	if (data.rootid == 0) {
		data.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
		size = sizeof(struct vfs_cap_data);
	}
	must(setxattr(path, CAPABILITY, &data, size, 0));
}

static void make_place(struct rng *rng, int i)
{
	char dir[64], file[80], kept[64];

	snprintf(dir, sizeof(dir), REAL "/c%d", i);
	snprintf(file, sizeof(file), "%s/f", dir);
	snprintf(kept, sizeof(kept), KEPT "/%d", i);
	scratch_dir(dir);
	scratch_file(file, "text");
	must(link(file, kept));
	chown_randomly(rng, dir);
	must(chmod(dir, pick_mode(rng, 010000)));
	chown_randomly(rng, file);
	if (rng_below(rng, 3) == 0)
		add_random_acl(rng, dir);
	if (rng_below(rng, 3) == 0)
		add_random_acl(rng, file);
	must(chmod(file, pick_mode(rng, 010000)));
	if (rng_below(rng, 2) == 0)
		add_capability(rng, file);
	assert_true(read_attributes(file, &original[i]));
	restore_attributes(file, &original[i]);
	handles[i].header.handle_bytes = MAX_HANDLE_SZ;
	must(name_to_handle_at(AT_FDCWD, dir, &handles[i].header, &(int){ 0 }, 0));
}

/* ---- what is on disk ---- */

static uint64_t add_to_hash(uint64_t hash, const void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ ((const unsigned char *)data)[i]) * 0x100000001b3;
	return hash;
}

static uint64_t add_file(uint64_t hash, const char *path, const struct attributes *file)
{
	struct attributes a;
	bool exists = read_attributes(path, &a);
	const uint64_t facts[] = { exists,
				   a.st.st_mode,
				   a.st.st_uid,
				   a.st.st_gid,
				   a.st.st_rdev,
				   a.st.st_ino == file->st.st_ino,
				   exists && a.st.st_mtim.tv_sec <= 1000 ? (uint64_t)a.st.st_mtim.tv_sec
									 : 2000 };

	hash = add_to_hash(hash, facts, sizeof(facts));
	hash = add_to_hash(hash, a.acl, sizeof(a.acl));
	hash = add_to_hash(hash, a.note, sizeof(a.note));
	return add_to_hash(hash, a.capability, sizeof(a.capability));
}

/* The names that a change can make or remove; the last one is in the next place. */
static void name_files(int i, char path[4][64])
{
	snprintf(path[0], 64, REAL "/c%d/f", i);
	snprintf(path[1], 64, REAL "/c%d/n", i);
	snprintf(path[2], 64, REAL "/c%d/g", i);
	snprintf(path[3], 64, REAL "/c%d/l", (i + 1) % PLACES);
}

static uint64_t hash_place(int i)
{
	uint64_t hash = 0xcbf29ce484222325;
	char path[4][64];

	name_files(i, path);
	for (int k = 0; k < 4; k++)
		hash = add_file(hash, path[k], &original[i]);
	return hash;
}

static void restore_place(int i)
{
	char path[4][64], kept[64];

	name_files(i, path);
	snprintf(kept, sizeof(kept), KEPT "/%d", i);
	for (int k = 0; k < 4; k++)
		remove(path[k]);
	must(link(kept, path[0]));
	restore_attributes(path[0], &original[i]);
}

/* ---- root looks ---- */

enum phase { BEFORE, AFTER, CONTROL };

struct report {
	enum { LOOK, BEGIN, MAP } kind;
	int place, change; /* LOOK */
	enum phase phase;  /* BEGIN */
	pid_t pid;	   /* MAP: its tree and user namespace */
	int tree, userns;
};

#define OUTCOMES 256

struct outcomes {
	uint64_t seen[OUTCOMES];
	unsigned int n;
};

struct counts {
	unsigned int changes, gains, outcomes;
};

static bool is_seen(const struct outcomes *o, uint64_t hash)
{
	for (unsigned int i = 0; i < o->n; i++)
		if (o->seen[i] == hash)
			return true;
	return false;
}

static void look(const struct report *report, enum phase phase, struct counts *counts)
{
	static struct outcomes before[PLACES][CHANGES];
	struct outcomes *o = &before[report->place][get_change_kind(report->change)];
	uint64_t hash = hash_place(report->place);
	bool seen = is_seen(o, hash);

	counts->changes += phase != BEFORE;
	restore_place(report->place);
	if (seen)
		return;
	if (phase == BEFORE) {
		assert_true(o->n < OUTCOMES);
		o->seen[o->n++] = hash;
		counts->outcomes++;
	} else {
		counts->gains++;
		if (phase == AFTER)
			fail_msg("change %d of c%d has an outcome that it had not before",
				 report->change, report->place);
	}
}

static void serve_reports(int socket, struct counts *counts)
{
	enum phase phase = BEFORE;
	struct report report;

	while (must(read(socket, &report, sizeof(report))) == sizeof(report)) {
		if (report.kind == LOOK)
			look(&report, phase, counts);
		else if (report.kind == BEGIN)
			phase = report.phase;
		else
			map_without_rule(report.pid, report.tree, report.userns);
		must(write(socket, "", 1));
	}
}

static void send_report(int socket, struct report report)
{
	char byte;

	must(write(socket, &report, sizeof(report)));
	assert_int_equal(must(read(socket, &byte, 1)), 1);
}

/* ---- a client ---- */

struct trial {
	unsigned long flags; /* of the source */
	unsigned int tree;
	int socket, outside; /* to root, and to the one that starts processes outside */
	struct counts counts;
};

/* Descriptors of that process: to root, and of the two trees. */
struct view {
	pid_t pid;
	int socket, dir, other;
};

static void change_all(int socket, int other, const uint32_t *uids, const uint32_t *gids)
{
	for (int i = 0; i < PLACES; i++) {
		struct change c = { other, &handles[i].header, uids, gids, "", "", "", "" };

		snprintf(c.file, sizeof(c.file), "c%d/f", i);
		snprintf(c.made, sizeof(c.made), "c%d/n", i);
		snprintf(c.renamed, sizeof(c.renamed), "c%d/g", i);
		snprintf(c.linked, sizeof(c.linked), "c%d/l", (i + 1) % PLACES);
		for (int k = 0; k < CHANGES; k++)
			if (change_place(&c, k) == 0)
				send_report(socket, (struct report){ LOOK, .place = i, .change = k });
	}
}

/*
 * A capability over a directory need not be one over a file in it: a map can show one of them alone.
 * Without the map, the client drops the capability. CAP_FSETID is the only one that a change succeeds
 * without, with another outcome.
 */
static void drop_fsetid(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	must(syscall(SYS_capget, &header, data));
	data[0].effective &= ~(1U << CAP_FSETID);
	must(syscall(SYS_capset, &header, data));
}

enum rights { NO_CAPABILITIES, ALL_CAPABILITIES, WITHOUT_FSETID, RIGHTS };

static void change_as(const struct subject *s, enum rights rights, const struct view *view)
{
	static const uint32_t ids[IDS] = { 0, 1, 2, 3 };
	pid_t pid = (pid_t)must(fork());

	if (pid != 0) {
		await_child(pid);
		return;
	}
	umask(0);
	must(fchdir(view->dir));
	if (!become_subject(s))
		_exit(0);
	if (rights == WITHOUT_FSETID)
		drop_fsetid();
	change_all(view->socket, view->other, ids, ids);
	_exit(0);
}

static void change_with_all_ids(const struct view *view)
{
	for (uint32_t i = 0; i < IDS * IDS * 2; i++)
		for (enum rights rights = 0; rights < RIGHTS; rights++)
			change_as(&(struct subject){ i / 2 % IDS, i / 2 / IDS, i & 1,
						     rights != NO_CAPABILITIES },
				  rights, view);
}

/* ---- processes in the initial user namespace ---- */

/* The user's, with the groups that its namespace lacks, and another user's. */
static const struct outsider {
	uint32_t uid, gid;
} outsiders[] = { { USER, USER }, { USER, OTHER_GROUP }, { OTHER_USER, OTHER_GROUP } };

static void change_outside(const struct outsider *who, const struct view *view)
{
	const int socket = get_fd(view->pid, view->socket);
	const int other = get_fd(view->pid, view->other);
	const uint32_t group = OTHER_GROUP;

	umask(0);
	must(fchdir(get_fd(view->pid, view->dir)));
	must(setgroups(1, &group));
	must(syscall(SYS_setresgid, who->gid, who->gid, who->gid));
	must(syscall(SYS_setresuid, who->uid, who->uid, who->uid));
	change_all(socket, other, some_owners, some_groups);
	_exit(0);
}

static void serve_outside(int socket)
{
	struct view view;

	while (must(read(socket, &view, sizeof(view))) == sizeof(view)) {
		for (size_t i = 0; i < ARRAY_SIZE(outsiders); i++) {
			pid_t pid = (pid_t)must(fork());

			if (pid == 0)
				change_outside(&outsiders[i], &view);
			await_child(pid);
		}
		must(write(socket, "", 1));
	}
	_exit(0);
}

static void change_everywhere(const struct trial *trial, int dir, int other)
{
	const struct view view = { getpid(), trial->socket, dir, other };
	char byte;

	change_with_all_ids(&view);
	must(write(trial->outside, &view, sizeof(view)));
	assert_int_equal(must(read(trial->outside, &byte, 1)), 1);
}

/* ---- a trial ---- */

/* They are locked: the clone is in a mount namespace of the client's. */
static void assert_flags_stay(int tree, unsigned long flags)
{
	struct mount_attr attr = { .attr_clr = flags & MS_RDONLY ? MOUNT_ATTR_RDONLY
								 : MOUNT_ATTR_NOSUID };

	if (flags)
		assert_int_equal(idm_sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr), -EPERM);
}

static void change_by_random_maps(const struct trial *trial, struct rng *rng)
{
	char map[2][512] = { "", "" };
	AUTO_CLOSE int tree = clone_tree(DATA), other = clone_tree(DATA), userns = -1, second = -1;

	for (int i = 0; i < 2; i++) {
		add_random_side(rng, map[i], 'u', some_owners, IDS);
		add_random_side(rng, map[i], 'g', some_groups, IDS);
	}
	userns = userns_of(map[0]);
	second = userns_of(map[1]);
	assert_mapped(ask(tree, userns));
	assert_mapped(ask(other, second));
	assert_flags_stay(tree, trial->flags);
	change_everywhere(trial, tree, other);
}

static void change_by_refused_map(const struct trial *trial)
{
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("u:1600:0,g:1700:0");

	assert_refused(ask(tree, userns), -EPERM, "disk uid 1600");
	send_report(trial->socket,
		    (struct report){ MAP, .pid = getpid(), .tree = tree, .userns = userns });
	change_everywhere(trial, tree, tree);
}

static void run_trial(void *data)
{
	const struct trial *trial = data;
	AUTO_CLOSE int dir = (int)must(open(DATA, O_PATH | O_CLOEXEC));
	struct rng rng = rng_new(11 + trial->tree);

	send_report(trial->socket, (struct report){ BEGIN, .phase = BEFORE });
	change_everywhere(trial, dir, dir);
	send_report(trial->socket, (struct report){ BEGIN, .phase = AFTER });
	change_by_random_maps(trial, &rng);
	send_report(trial->socket, (struct report){ BEGIN, .phase = CONTROL });
	change_by_refused_map(trial);
}

/* For the control: the map of others would let the client write there. */
static void make_file_of_others(void)
{
	must(chown(REAL "/c0", USER, USER));
	must(chmod(REAL "/c0", 0777));
	must(chown(REAL "/c0/f", OTHER_USER, OTHER_GROUP));
	must(chmod(REAL "/c0/f", 0600));
	assert_true(read_attributes(REAL "/c0/f", &original[0]));
	restore_place(0);
}

static void remove_places(void)
{
	char path[64];

	for (int i = 0; i < PLACES; i++) {
		snprintf(path, sizeof(path), REAL "/c%d/f", i);
		remove(path);
		snprintf(path, sizeof(path), REAL "/c%d", i);
		remove(path);
		snprintf(path, sizeof(path), KEPT "/%d", i);
		remove(path);
	}
}

static void make_places(struct rng *rng)
{
	remove_places(); /* those of the tree before */
	for (int i = 0; i < PLACES; i++)
		make_place(rng, i);
	make_file_of_others();
}

static void make_source(unsigned long flags)
{
	enter_with_data();
	scratch_dir(REAL);
	scratch_dir(KEPT);
	must(chmod(KEPT, 0700));
	must(chown(REAL, USER, USER));
	do_mount(REAL, DATA, NULL, MS_BIND, NULL);
	do_mount(NULL, DATA, NULL, MS_REMOUNT | MS_BIND | flags, NULL);
}

/* Root has the other end of *socket. */
static pid_t start_root(int *socket, struct trial *trial)
{
	int pair[2];
	pid_t pid;

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	pid = (pid_t)must(fork());
	if (pid == 0) {
		close(pair[1]);
		if (socket == &trial->socket)
			serve_reports(pair[0], &trial->counts);
		else
			serve_outside(pair[0]);
		_exit(0);
	}
	close(pair[0]);
	*socket = pair[1];
	return pid;
}

static void try_tree(struct trial *trial)
{
	pid_t outside = start_root(&trial->outside, trial), root = start_root(&trial->socket, trial);

	as_client((struct identity){ .uid = USER, .gid = USER, .group = OTHER_GROUP, .map = FEW_IDS },
		  run_trial, trial);
	close(trial->socket);
	close(trial->outside);
	await_child(root);
	await_child(outside);
}

static struct counts try_source(unsigned long flags)
{
	struct trial *trial = mmap(NULL, sizeof(*trial), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct rng rng = rng_new(5);
	struct service service;

	*trial = (struct trial){ .flags = flags };
	make_source(flags);
	service = service_start(NULL);
	for (; trial->tree < TREES; trial->tree++) {
		make_places(&rng);
		try_tree(trial);
	}
	service_stop(&service);
	note("%u outcomes before; %u changes by mapped trees; %u gains of the control",
	     trial->counts.outcomes, trial->counts.changes, trial->counts.gains);
	proof("hostile", trial->tree, "random trees, which a map does not change further");
	return trial->counts;
}

TEST_AS(mapped_trees_change_nothing_more, 300, 5, 12, mounts_are_not_mapped)
{
	struct counts counts = try_source(0);

	assert_true(counts.outcomes > 100);
	assert_true(counts.changes > TREES * 100U);
	assert_true(counts.gains >= TREES);
	proof("hostile", counts.changes, "changes by mapped trees");
}

TEST_AS(mapped_trees_without_setuid_and_devices_change_nothing_more, 300, 5, 12, mounts_are_not_mapped)
{
	struct counts counts = try_source(MS_NOSUID | MS_NODEV | MS_NOEXEC);

	assert_true(counts.outcomes > 100);
	assert_true(counts.gains > 0);
}

TEST_AS(mapped_trees_of_a_read_only_source_change_nothing, 300, 5, 12, mounts_are_not_mapped)
{
	struct counts counts = try_source(MS_RDONLY);

	assert_int_equal(counts.outcomes, 0);
	assert_int_equal(counts.changes, 0);
}
