// SPDX-License-Identifier: MIT
/*
 * The commands survive the failure of every system call, from main() to exit(). They survive their own
 * death at every system call, too: see faults.h. Each failure prints one clear line, and the exit status
 * is not 0.
 */
#include <sys/wait.h>

#include "tests/integration/rootfs/plans.h"
#include "tests/lib/faults.h"

#define MAP_TEXT "0:100000:65536"
#define SOURCE SCRATCH "/source"
#define JOURNAL SCRATCH "/journal"
#define LIST SCRATCH "/list.json"

/* The path that meson sets, else one beside this program's directory. */
static const char *program(const char *variable, const char *name)
{
	static char paths[2][512];
	char *path = paths[*name == 'm'], *slash;
	ssize_t n;

	if (getenv(variable))
		return getenv(variable);
	n = must(readlink("/proc/self/exe", path, sizeof(paths[0]) - 32));
	path[n] = '\0';
	slash = strrchr(path, '/');
	*slash = '\0';
	slash = strrchr(path, '/');
	strcpy(slash + 1, name);
	return path;
}

#define IDMOUNT(...) ((const char *const[]){ program("IDMOUNT", "idmount"), __VA_ARGS__, NULL })

/* Sanitizers make system calls that must not fail. The tests of the library run with sanitizers. */
static bool enter(void)
{
	if (TEST_SANITIZED) {
		note("not with sanitizers");
		return false;
	}
	faults_enter();
	make_image();
	scratch_dir(SOURCE);
	owned_file(SOURCE "/file", 1000, 1001);
	return true;
}

static void survive(const struct operation *op)
{
	faults_survived(op);
	kills_survived(op);
}

static bool is_mounted(const char *path)
{
	struct statx st;

	return statx(AT_FDCWD, path, 0, 0, &st) == 0 && st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/* A killed command may have mounted it or not. */
static void unmount_bind(enum outcome outcome)
{
	if (outcome == FAULT_DONE)
		assert_mounted(TARGET);
	if (outcome == FAULT_REFUSED || !is_mounted(TARGET))
		return;
	assert_owner(TARGET "/file", 101000, 101001);
	do_umount(TARGET);
	assert_false(is_mounted(TARGET));
}

TEST_OF_RUNS(mount)
{
	if (enter())
		survive(&(struct operation){
			"idmount mount",
			.argv = IDMOUNT("mount", "-m", MAP_TEXT, "-o", "private", SOURCE, TARGET),
			.finish = unmount_bind,
		});
}

TEST_OF_RUNS(mount_idmap)
{
	const char *const argv[] = {
		program("MOUNT_IDMAP", "mount.idmap"), SOURCE, TARGET, "-o", "map=" MAP_TEXT, NULL
	};

	if (enter())
		survive(&(struct operation){ "mount.idmap", .argv = argv, .finish = unmount_bind });
}

static void mount_to_go(void)
{
	mount_mapped(SOURCE, TARGET, MAP_TEXT);
}

static void unmount_rest(enum outcome outcome)
{
	if (outcome == FAULT_DONE)
		assert_false(is_mounted(TARGET));
	if (is_mounted(TARGET))
		do_umount(TARGET);
}

TEST_OF_RUNS(umount)
{
	if (enter())
		survive(&(struct operation){
			"idmount umount",
			.prepare = mount_to_go,
			.argv = IDMOUNT("umount", TARGET),
			.finish = unmount_rest,
		});
}

TEST_OF_RUNS(umount_recursive)
{
	if (enter())
		survive(&(struct operation){
			"idmount umount -R",
			.prepare = mount_to_go,
			.argv = IDMOUNT("umount", "-R", TARGET),
			.finish = unmount_rest,
			.partly = true,
		});
}

static void check_list(enum outcome outcome)
{
	if (outcome != FAULT_DONE)
		return;
	assert_contains(faults_output(), TARGET);
	/* A map that cannot be read is not a missing map. */
	if (!strstr(faults_output(), "0-65535->100000-165535"))
		assert_contains(faults_output(), "not readable");
}

TEST_OF_RUNS(list)
{
	if (!enter())
		return;
	mount_to_go();
	survive(&(struct operation){ "idmount list", .argv = IDMOUNT("list"), .finish = check_list });
	survive(&(struct operation){ "idmount list TARGET", .argv = IDMOUNT("list", TARGET),
				     .finish = check_list });
}

static void check_check(enum outcome outcome)
{
	if (outcome == FAULT_DONE)
		assert_contains(faults_output(), SOURCE);
}

TEST_OF_RUNS(check)
{
	if (enter())
		survive(&(struct operation){ "idmount check", .argv = IDMOUNT("check", SOURCE),
					     .finish = check_check });
}

/* ---- overlays ---- */

static void unmount_overlay(enum outcome outcome)
{
	if (outcome == FAULT_DONE)
		assert_mounted(TARGET);
	if (outcome != FAULT_REFUSED && is_mounted(TARGET)) {
		assert_owner(TARGET "/etc/mail", 100008, 100012);
		do_umount(TARGET);
	}
	rmdir(SCRATCH "/work/work/incompat"); /* the kernel creates these */
	rmdir(SCRATCH "/work/work");
	rmdir(SCRATCH "/work/index");
}

static void overlays_are_refused(void)
{
	struct snapshot *before;
	char command[1024];

	scratch_enter();
	scratch_dir(ROOT);
	scratch_dir(SOURCE);
	scratch_dir(TARGET);
	scratch_file(SCRATCH "/words", "");
	/* Before Linux 5.12 either version is right. Later only 5.19 is. */
	snprintf(command, sizeof(command),
		 "! %s overlay -m " MAP_TEXT " -L " ROOT ":" SOURCE " " TARGET " 2>" SCRATCH "/words &&"
		 " grep -q 'needs Linux 5.1[29]' " SCRATCH "/words && : >" SCRATCH "/words",
		 program("IDMOUNT", "idmount"));
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	assert_int_equal(RUN("sh", "-c", command), 0);
	snapshot_assert_same(before);
}

TEST_OF_RUNS_SINCE(5, 19, overlays_are_refused, overlay)
{
	if (!enter())
		return;
	scratch_dir(SCRATCH "/upper");
	scratch_dir(SCRATCH "/work");
	survive(&(struct operation){
		"idmount overlay",
		.argv = IDMOUNT("overlay", "-m", MAP_TEXT, "-L", ROOT ":" SOURCE, "-U", SCRATCH "/upper",
				"-W", SCRATCH "/work", "--upper-ids", "disk", TARGET),
		.finish = unmount_overlay,
	});
}

/* ---- plans ---- */

static void write_list(void)
{
	scratch_file(LIST, "[{\"Type\": \"bind\", \"Source\": \"" ROOT "\", \"Options\": [\"bind\"]},"
			   " {\"Type\": \"tmpfs\", \"Target\": \"/etc\", \"Options\": [\"size=1m\"]}]");
}

static int undo(const char *journal)
{
	pid_t pid = (pid_t)must(fork());
	const char *const *argv = IDMOUNT("undo", "--journal", journal);
	int status;

	if (pid == 0) {
		execv(argv[0], (char *const *)argv);
		_exit(126);
	}
	must(TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)));
	return status;
}

/* Undoes by the command, as an administrator would. */
static void undo_applied(enum outcome outcome)
{
	if (outcome == FAULT_DONE) {
		assert_mounted(SCRATCH "/new/target/etc");
		assert_owner(SCRATCH "/new/target/bin/sh", 100000, 100000);
	}
	if (outcome != FAULT_REFUSED && access(JOURNAL, F_OK) == 0)
		assert_int_equal(undo(JOURNAL), 0);
}

static const char *const *apply_argv(void)
{
	static const char *argv[10];

	memcpy(argv,
	       IDMOUNT("apply", "-m", MAP_TEXT, "--mkdir", "--journal", JOURNAL, LIST,
		       SCRATCH "/new/target"),
	       sizeof(argv));
	return argv;
}

TEST_OF_RUNS(apply)
{
	if (!enter())
		return;
	write_list();
	survive(&(struct operation){ "idmount apply", .argv = apply_argv(), .finish = undo_applied });
}

static void apply_first(void)
{
	pid_t pid = (pid_t)must(fork());

	if (pid == 0) {
		execv(apply_argv()[0], (char *const *)apply_argv());
		_exit(126);
	}
	await_child(pid);
}

static void undo_again(enum outcome outcome)
{
	if (outcome != FAULT_DONE && access(JOURNAL, F_OK) == 0)
		assert_int_equal(undo(JOURNAL), 0);
	assert_int_equal(access(JOURNAL, F_OK), -1);
}

TEST_OF_RUNS(undo)
{
	if (!enter())
		return;
	write_list();
	survive(&(struct operation){
		"idmount undo",
		.prepare = apply_first,
		.argv = IDMOUNT("undo", "--journal", JOURNAL),
		.finish = undo_again,
		.partly = true,
	});
}

/* ---- run ---- */

static void copy_file(const char *from, const char *to)
{
	if (RUN("cp", from, to) != 0)
		fail_msg("cannot copy %s", from);
}

static void check_run(enum outcome outcome)
{
	if (outcome == FAULT_DONE)
		assert_string_equal(faults_output(), "0 100000 65536 box 101000\n");
}

/* The shell prints what it sees, without another program. */
TEST_OF_RUNS(run)
{
	if (!enter())
		return;
	need_command("busybox");
	scratch_dir(ROOT "/data");
	scratch_dir(ROOT "/proc"); /* the command creates what is missing, and leaves it */
	scratch_dir(ROOT "/sys");
	scratch_dir(ROOT "/dev");
	copy_file(access("/bin/busybox", X_OK) == 0 ? "/bin/busybox" : "/usr/bin/busybox",
		  ROOT "/bin/busybox");
	must(unlink(ROOT "/bin/sh"));
	must(symlink("busybox", ROOT "/bin/sh"));
	survive(&(struct operation){
		"idmount run",
		.argv = IDMOUNT("run", "--no-tty", "-m", MAP_TEXT, "--rootfs", ROOT, "--hostname", "box",
				"--bind", SOURCE ":/data", "--", "sh", "-c",
				"read -r a b c </proc/self/uid_map; "
				"read -r name </proc/sys/kernel/hostname; "
				"[ -f /data/file ] && echo $a $b $c $name 101000"),
		.finish = check_run,
		.ignore = "sh",
	});
}
