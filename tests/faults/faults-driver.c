// SPDX-License-Identifier: MIT
/* The driver of the other tests of faults detects each kind of fault. Each operation here has to fail
 * it. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "lib/sys/fail-errno.h"
#include "tests/lib/faults.h"
#include "tests/lib/scratch.h"

#define PLACE SCRATCH "/place"

static int fail(struct idm_error *err)
{
	return idm_fail_errno(err, -errno, IDM_STEP_UNDO, PLACE);
}

/* Makes two calls. If the second one fails, the result of the first one is left. */
static int leave_descriptor(struct idm_error *err)
{
	int fd = open("/", O_PATH | O_CLOEXEC), other;

	if (fd < 0)
		return fail(err);
	other = open("/", O_PATH | O_CLOEXEC);
	if (other < 0)
		return fail(err);
	close(other);
	close(fd);
	return 0;
}

static int leave_directory(struct idm_error *err)
{
	int fd;

	if (mkdirat(AT_FDCWD, PLACE, 0755) < 0)
		return fail(err);
	fd = open("/", O_PATH | O_CLOEXEC);
	if (fd < 0)
		return fail(err);
	close(fd);
	return rmdir(PLACE) < 0 ? fail(err) : 0;
}

static int leave_mount(struct idm_error *err)
{
	if (mount(SCRATCH, SCRATCH, NULL, MS_BIND, NULL) < 0 || umount2(SCRATCH, MNT_DETACH) < 0)
		return fail(err);
	return 0;
}

static int leave_process(struct idm_error *err)
{
	pid_t pid = fork();

	if (pid < 0)
		return fail(err);
	if (pid == 0)
		_exit(0);
	return waitpid(pid, NULL, 0) < 0 ? fail(err) : 0; /* not even after EINTR */
}

static int say_nothing(struct idm_error *err)
{
	int fd = open("/", O_PATH | O_CLOEXEC);

	if (fd < 0)
		return idm_fail_errno(err, -errno, IDM_STEP_NONE, NULL);
	close(fd);
	return 0;
}

static int say_another_errno(struct idm_error *err)
{
	int fd = open("/", O_PATH | O_CLOEXEC);

	if (fd < 0) {
		idm_fail_errno(err, -ENOENT, IDM_STEP_UNDO, NULL);
		return -EPERM;
	}
	close(fd);
	return 0;
}

static bool has_opened;

static int do_without(struct idm_error *err)
{
	int fd = open("/", O_PATH | O_CLOEXEC);

	(void)err;
	has_opened = fd >= 0;
	if (fd >= 0)
		close(fd);
	return 0;
}

static void check_opened(int unused)
{
	(void)unused;
	assert_true(has_opened);
}

/* ---- the tests ---- */

static const struct operation *operation;
static void (*driver)(const struct operation *op);

static int status_of_driver(void)
{
	pid_t pid;
	int status;

	note("what follows is to fail:");
	pid = (pid_t)must(fork());
	if (pid == 0) {
		driver(operation);
		_exit(0);
	}
	must(TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)));
	return status;
}

/* The driver's processes become children of this process when the driver fails. */
static void must_fail(void (*with)(const struct operation *op), const struct operation *op)
{
	operation = op;
	driver = with;
	faults_enter();
	assert_int_equal(WEXITSTATUS(status_of_driver()), 1);
	while (waitpid(-1, NULL, __WALL) > 0)
		;
}

TEST(a_descriptor)
{
	must_fail(faults_survived, &(struct operation){ "descriptor", .go = leave_descriptor });
}

TEST(a_directory)
{
	must_fail(faults_survived, &(struct operation){ "directory", .go = leave_directory });
}

TEST(a_directory_of_who_was_killed)
{
	must_fail(kills_survived, &(struct operation){ "directory", .go = leave_directory });
}

TEST(a_mount)
{
	must_fail(faults_survived, &(struct operation){ "mount", .go = leave_mount });
}

TEST(a_process)
{
	must_fail(faults_survived, &(struct operation){ "process", .go = leave_process });
}

TEST(an_error_without_a_step)
{
	must_fail(faults_survived, &(struct operation){ "no step", .go = say_nothing });
}

TEST(an_error_that_is_another)
{
	must_fail(faults_survived, &(struct operation){ "another errno", .go = say_another_errno });
}

TEST(a_wrong_result)
{
	must_fail(faults_survived,
		  &(struct operation){ "wrong result", .go = do_without, .check = check_opened });
}

/* The command prints two lines, or no line. */
TEST(a_command_that_does_not_say_why)
{
	static const char *const argv[] = { "/bin/false", NULL };

	must_fail(faults_survived, &(struct operation){ "no line", .argv = argv });
}
