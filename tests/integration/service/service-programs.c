// SPDX-License-Identifier: MIT
/*
 * Setuid and setgid programs, and programs with file capabilities, are executed through an attached tree
 * that the service has mapped. A process becomes nothing by these that it could not become by a program
 * of the client's own: a copy whose owner, mode and capabilities the client has set. The program is
 * cat(1), which shows its own status.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "clients.h"
#include "lib/base/macros.h"
#include "lib/base/read-file.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"

#define PLACE SCRATCH "/programs"
#define DISK PLACE "/disk" /* programs with IDs of the host, in a directory of USER's */
#define OWN PLACE "/own"   /* the client's */
#define ATTACHED PLACE "/attached"
#define CAPABILITY "security.capability"

#define MAPS (test_is_long() ? 40 : test_is_slow() ? 2 : 4)
#define IDS 4U /* of a namespace with FEW_IDS */
#define OWNERS 6U

/* ---- programs ---- */

/* Root's ID is the last one: version 2 of the attribute has none. */
static void set_capability(const char *path, uint32_t root_id)
{
	struct vfs_ns_cap_data data = { .magic_etc = VFS_CAP_REVISION_3 | VFS_CAP_FLAGS_EFFECTIVE,
					.data = { { 1U << CAP_CHOWN, 0 } },
					.rootid = root_id };
	size_t size = sizeof(data);

	if (root_id == UINT32_MAX) {
		data.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
		size = sizeof(struct vfs_cap_data);
	}
	must(setxattr(path, CAPABILITY, &data, size, 0));
}

static const char *name_program(const char *dir, unsigned int i)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/p%u", dir, i);
	return path;
}

static void copy_program(const char *path)
{
	assert_int_equal(RUN("cp", "--preserve=mode", "/bin/cat", path), 0);
	must(chmod(path, 0755));
}

static void make_setid(const char *path, uint32_t owner, uint32_t group, mode_t bits)
{
	must(chown(path, owner, group));
	must(chmod(path, bits | 0755));
}

/* Each owner with each bit, and each root ID. */
#define DISK_PROGRAMS (4 * OWNERS + 1)

static void make_disk_program(unsigned int i)
{
	static const mode_t bits[] = { 04000, 02000, 06000 };
	const char *path = name_program(DISK, i);
	unsigned int kind = i / OWNERS;

	copy_program(path);
	if (kind < 3)
		make_setid(path, some_owners[i % OWNERS], some_groups[(i + kind) % OWNERS], bits[kind]);
	else
		set_capability(path, kind == 3 ? some_owners[i % OWNERS] : UINT32_MAX);
}

/* Each ID of the namespace, and each owner with each group. The first is an ordinary program. */
#define OWN_PROGRAMS (2 + 2 * IDS + IDS * IDS)

static void change_own_program(unsigned int i)
{
	const char *path = name_program(OWN, i);

	if (i == 1) /* the kernel adds the root of this namespace */
		set_capability(path, UINT32_MAX);
	else if (i >= 2 + 2 * IDS)
		make_setid(path, (i - 2 - 2 * IDS) / IDS, (i - 2 - 2 * IDS) % IDS, 06000);
	else if (i >= 2)
		make_setid(path, (i - 2) % IDS, (i - 2) % IDS, i < 2 + IDS ? 04000 : 02000);
}

static void make_programs(void)
{
	enter_with_data();
	scratch_dir(PLACE);
	do_mount(PLACE, PLACE, NULL, MS_BIND, NULL);
	do_mount(NULL, PLACE, NULL, MS_REMOUNT | MS_BIND, NULL); /* with setuid programs */
	scratch_dir(DISK);
	scratch_dir(OWN);
	scratch_dir(ATTACHED);
	for (unsigned int i = 0; i < DISK_PROGRAMS; i++)
		make_disk_program(i);
	for (unsigned int i = 0; i < OWN_PROGRAMS; i++) {
		copy_program(name_program(OWN, i));
		must(chown(name_program(OWN, i), USER, USER));
	}
	must(chown(DISK, USER, USER));
	must(chown(OWN, USER, USER));
}

/* ---- what a process becomes ---- */

/* Its IDs and capabilities; empty: it cannot execute the program. */
struct credentials {
	char text[256];
};

static void add_line(struct credentials *c, const char *status, const char *name)
{
	const char *line = idm_procfs_find_line(status, name);
	size_t n = strlen(c->text);

	snprintf(c->text + n, sizeof(c->text) - n, "%s%.*s", name, (int)strcspn(line, "\n"), line);
}

static struct credentials parse_credentials(const char *status)
{
	static const char *const names[] = { "\nUid:", "\nGid:", "\nCapPrm:", "\nCapEff:" };
	struct credentials c = { "" };

	for (size_t i = 0; *status && i < ARRAY_SIZE(names); i++)
		add_line(&c, status, names[i]);
	return c;
}

static void execute_as(const struct subject *s, const char *path, int output)
{
	if (!become_subject(s))
		_exit(1);
	must(dup2(output, STDOUT_FILENO));
	execl(path, "cat", "/proc/self/status", NULL);
	_exit(2);
}

static struct credentials credentials_by(const struct subject *s, const char *path)
{
	char status[8192];
	int output[2], result;
	ssize_t n;
	pid_t pid;

	must(pipe2(output, O_CLOEXEC));
	pid = (pid_t)must(fork());
	if (pid == 0)
		execute_as(s, path, output[1]);
	close(output[1]);
	n = must(idm_read_all(output[0], status, sizeof(status) - 1));
	status[n] = '\0';
	close(output[0]);
	must(waitpid(pid, &result, 0));
	assert_int_equal(result, n > 0 ? 0 : 2 << 8);
	return parse_credentials(status);
}

/* ---- a client ---- */

static const struct subject subjects[] = {
	{ 0, 0, true, true },
	{ 0, 0, true, false },
	{ 1, 1, true, false },
	{ 3, 2, true, false },
};

struct known {
	struct credentials of[OWN_PROGRAMS];
};

static void learn(const struct subject *s, struct known *known)
{
	for (unsigned int i = 0; i < OWN_PROGRAMS; i++) {
		known->of[i] = credentials_by(s, name_program(OWN, i));
		assert_true(*known->of[i].text);
	}
}

static bool is_known(const struct known *known, const struct credentials *c)
{
	for (unsigned int i = 0; i < OWN_PROGRAMS; i++)
		if (strcmp(known->of[i].text, c->text) == 0)
			return true;
	return !*c->text;
}

struct trial {
	unsigned int executed, changed, capable; /* by programs that changed IDs, or capabilities */
	const char *source;
};

static void count(struct trial *trial, const struct credentials *c, const struct known *known)
{
	trial->executed++;
	trial->changed += strcmp(c->text, known->of[0].text) != 0;
	trial->capable += strcmp(c->text, known->of[1].text) == 0 &&
			  strcmp(known->of[0].text, known->of[1].text) != 0;
}

static void execute_all(struct trial *trial, const struct subject *s, const char *map)
{
	static struct known known;

	learn(s, &known);
	for (unsigned int i = 0; i < DISK_PROGRAMS; i++) {
		struct credentials c = credentials_by(s, name_program(ATTACHED, i));

		if (!is_known(&known, &c))
			fail_msg("p%u with the map %s, as uid %u: %s", i, map, s->uid, c.text);
		count(trial, &c, &known);
	}
}

static void attach_tree(int tree)
{
	must(idm_sys_move_mount(tree, "", AT_FDCWD, ATTACHED, MOVE_MOUNT_F_EMPTY_PATH));
}

static void try_map(struct trial *trial, const char *map)
{
	AUTO_CLOSE int tree = clone_tree(trial->source), userns = userns_of(map);

	assert_mapped(ask(tree, userns));
	attach_tree(tree);
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++)
		execute_all(trial, &subjects[i], map);
	must(umount2(ATTACHED, MNT_DETACH));
}

static void run_trial(void *data)
{
	struct trial *trial = data;
	struct rng rng = rng_new(13);

	for (unsigned int i = 0; i < OWN_PROGRAMS; i++)
		change_own_program(i);
	/* Programs of the first subordinate ID become root's. */
	try_map(trial, "200000:0,1500:1,200001:2");
	for (int i = 1; i < MAPS; i++) {
		char map[512] = "";

		add_random_side(&rng, map, 'u', some_owners, IDS);
		add_random_side(&rng, map, 'g', some_groups, IDS);
		try_map(trial, map);
	}
	note("%u programs executed, %u with other IDs or capabilities", trial->executed, trial->changed);
	proof("hostile", trial->executed, "programs of mapped trees");
}

static void try_effective(void *unused)
{
	struct trial trial = { .source = DISK };

	(void)unused;
	run_trial(&trial);
	assert_true(trial.changed > 0);
	assert_true(trial.capable > 0);
}

/* The programs have been made. */
static void with_programs(void (*body)(void *), void *data)
{
	struct service service = service_start(NULL);

	as_client((struct identity){ .uid = USER, .gid = USER, .map = FEW_IDS }, body, data);
	service_stop(&service);
}

TEST_SINCE(5, 12, mounts_are_not_mapped, programs_of_mapped_trees_give_nothing_more)
{
	make_programs();
	with_programs(try_effective, NULL);
}

/* ---- a source without setuid programs ---- */

#define NOSUID PLACE "/nosuid"

static void try_ineffective(void *unused)
{
	struct trial trial = { .source = NOSUID };

	(void)unused;
	run_trial(&trial);
	assert_int_equal(trial.changed, 0);
}

TEST_SINCE(5, 12, mounts_are_not_mapped, programs_of_a_nosuid_source_have_no_effect)
{
	make_programs();
	scratch_dir(NOSUID);
	do_mount(DISK, NOSUID, NULL, MS_BIND, NULL);
	do_mount(NULL, NOSUID, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID, NULL);
	with_programs(try_ineffective, NULL);
}

/* ---- the control ---- */

#define CONTROL PLACE "/control"

/* A process without capabilities has a file that the map shows as root's. */
static void ask_without_capabilities(int tree, int userns)
{
	assert_true(become_subject(&(struct subject){ 3, 3, true, false }));
	assert_refused(ask(tree, userns), -EPERM, "the caller requires CAP_SETUID");
	_exit(0);
}

static void compare_control(void *mapper)
{
	const struct subject s = { 3, 3, true, false };
	AUTO_CLOSE int tree = clone_tree(CONTROL), userns = userns_of("200001:0,1500:1");
	struct credentials before = credentials_by(&s, CONTROL "/p0"), after;
	pid_t pid = (pid_t)must(fork());

	if (pid == 0)
		ask_without_capabilities(tree, userns);
	await_child(pid);
	mapper_ask(mapper, tree, userns);
	attach_tree(tree);
	after = credentials_by(&s, ATTACHED "/p0");
	assert_contains(before.text, "\nUid:\t3\t2\t2");
	assert_contains(after.text, "\nUid:\t3\t0\t0");
}

TEST_SINCE(5, 12, mounts_are_not_mapped, program_by_a_refused_map_would_be_a_gain)
{
	struct mapper mapper;

	make_programs();
	scratch_dir(CONTROL);
	copy_program(CONTROL "/p0");
	make_setid(CONTROL "/p0", 200001, 200001, 04000);
	must(chown(CONTROL, USER, USER));
	mapper = mapper_start();
	with_programs(compare_control, &mapper);
	mapper_end(&mapper);
}
