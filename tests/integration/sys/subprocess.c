// SPDX-License-Identifier: MIT
/* A subprocess that shares the caller's memory leaves the caller as it was, whatever happens to it. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lib/sys/subprocess.h"
#include "tests/integration/mount/trees.h"

#define RUN_IT(run, data) idm_subprocess_shared(run, &(data), sizeof(data))

static void die_of(int signal)
{
	syscall(SYS_kill, (pid_t)syscall(SYS_getpid), signal);
}

/* ---- the caller ---- */

static int change_everything(void *data)
{
	int *answer = data;

	if (idm_subprocess_new_mount_ns() < 0 || idm_sys_mount("over", SCRATCH, "tmpfs", 0, NULL) < 0 ||
	    idm_sys_fchdir(*answer) < 0)
		return -EIO;
	errno = ENOTTY;
	*answer = 42;
	return 7;
}

TEST(the_caller_is_as_before)
{
	struct snapshot *before;
	char cwd[64], now[64];
	sigset_t mask;
	int answer;

	scratch_enter();
	must(getcwd(cwd, sizeof(cwd)) ? 0 : -1);
	answer = (int)must(open(SCRATCH, O_PATH | O_DIRECTORY | O_CLOEXEC));
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	errno = EXDEV;
	{
		int place = answer;

		assert_int_equal(RUN_IT(change_everything, place), 7);
		assert_int_equal(place, 42);
	}
	assert_int_equal(errno, EXDEV);
	must(getcwd(now, sizeof(now)) ? 0 : -1);
	assert_string_equal(now, cwd);
	assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
	must(pthread_sigmask(SIG_SETMASK, NULL, &mask));
	assert_false(sigismember(&mask, SIGUSR1));
	snapshot_assert_same(before);
	close(answer);
}

static int return_seven(void *data)
{
	(void)data;
	return 7;
}

static int die_in_libc(void *data)
{
	int type;

	*(int *)data = 1;
	errno = ENOTTY;
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type); /* as read(2) of libc does */
	die_of(SIGKILL);
	return 0;
}

TEST_ANYWHERE(a_child_that_is_killed)
{
	struct snapshot *before = snapshot_take(SNAPSHOT_FDS | SNAPSHOT_PROCESSES);
	int began = 0, type;

	errno = EXDEV;
	assert_int_equal(RUN_IT(die_in_libc, began), -ESRCH);
	assert_int_equal(began, 1);
	assert_int_equal(errno, EXDEV);
	must(pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type));
	assert_int_equal(type, PTHREAD_CANCEL_DEFERRED);
	snapshot_assert_same(before);
}

/* Its result is final before it is reaped, and it stays the caller's until then. */
TEST_ANYWHERE(a_child_that_is_reaped_later)
{
	struct snapshot *before = snapshot_take(SNAPSHOT_FDS | SNAPSHOT_PROCESSES);
	struct idm_subprocess process;
	siginfo_t info;
	int zero = 0;

	assert_int_equal(idm_subprocess_run_shared(&process, return_seven, &zero, sizeof(zero)), 7);
	must(waitid(P_PIDFD, (id_t)process.pidfd, &info, WEXITED | WNOWAIT | __WALL));
	assert_int_equal(info.si_code, CLD_EXITED);
	idm_subprocess_end(&process);
	assert_int_equal(process.pidfd, -1);
	snapshot_assert_same(before);
}

static atomic_int handled;

static void handle(int signal)
{
	(void)signal;
	handled++;
}

static int signal_itself(void *data)
{
	for (*(int *)data = 1; *(int *)data < 32; ++*(int *)data)
		if (*(int *)data != SIGKILL && *(int *)data != SIGSTOP)
			die_of(*(int *)data);
	return handled;
}

TEST_ANYWHERE(no_handler_runs_in_it)
{
	int signal = 0;

	for (int s = 1; s < 32; s++)
		if (s != SIGKILL && s != SIGSTOP)
			must(sigaction(s, &(struct sigaction){ .sa_handler = handle }, NULL));
	assert_int_equal(RUN_IT(signal_itself, signal), 0);
	assert_int_equal(signal, 32);
	assert_int_equal(handled, 0);
}

/* ---- the memory ---- */

static int do_nothing(void *data)
{
	return *(int *)data;
}

static long faults_of_writing(char *memory, size_t size)
{
	struct rusage before, after;

	must(getrusage(RUSAGE_THREAD, &before));
	for (size_t i = 0; i < size; i += 4096)
		((volatile char *)memory)[i]++;
	must(getrusage(RUSAGE_THREAD, &after));
	return after.ru_minflt - before.ru_minflt;
}

TEST_ANYWHERE(the_memory_is_not_copied)
{
	const size_t size = 1UL << 26;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int zero = 0;

	assert_true(memory != MAP_FAILED);
	must(madvise(memory, size, MADV_NOHUGEPAGE));
	faults_of_writing(memory, size);
	assert_int_equal(RUN_IT(do_nothing, zero), 0);
	assert_true(faults_of_writing(memory, size) < 1000);
	/* This is how it is seen. */
	assert_int_equal(idm_subprocess(do_nothing, &zero), 0);
	assert_true(faults_of_writing(memory, size) >= (long)(size / 4096));
	munmap(memory, size);
}

static int count_up(void *data)
{
	return ++*(int *)data;
}

/* Linux 5.6 to 6.1 after unshare(CLONE_NEWTIME). */
TEST_ANYWHERE(where_no_memory_can_be_shared_it_is_copied)
{
	int number = 3;

	refuse_call_with(SYS_clone, CLONE_VFORK, EINVAL);
	assert_int_equal(RUN_IT(count_up, number), 4);
	assert_int_equal(number, 4);
	assert_int_equal(RUN_IT(die_in_libc, number), -ESRCH);
	assert_int_equal(number, 1);
}

TEST_ANYWHERE(what_a_filter_refuses_is_said)
{
	int number = 3;

	refuse_call_with(SYS_clone, CLONE_VFORK, EPERM);
	assert_int_equal(RUN_IT(count_up, number), -EPERM);
	assert_int_equal(number, 3);
}

/* It is on the stack of its thread. */
TEST_ANYWHERE(no_memory_is_mapped_for_it)
{
	const struct rlimit none = { 1, RLIM_INFINITY };
	int number = 3;

	if (TEST_SANITIZED) {
		note("sanitizers map memory");
		return;
	}
	must(setrlimit(RLIMIT_AS, &none));
	assert_true(mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	assert_int_equal(RUN_IT(count_up, number), 4);
	assert_int_equal(number, 4);
}

/* ---- others ---- */

static atomic_bool is_waiting, may_go;

static int wait_for_thread(void *data)
{
	is_waiting = true;
	while (!may_go)
		syscall(SYS_sched_yield);
	return *(int *)data;
}

static void *let_go(void *unused)
{
	while (!is_waiting)
		sched_yield();
	may_go = true;
	return unused;
}

TEST_ANYWHERE(other_threads_run_on)
{
	pthread_t thread;
	int answer = 5;

	assert_int_equal(pthread_create(&thread, NULL, let_go, NULL), 0);
	assert_int_equal(RUN_IT(wait_for_thread, answer), 5);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static atomic_bool is_over;

static void *reap_all(void *unused)
{
	while (!is_over)
		waitpid(-1, NULL, __WALL | WNOHANG);
	return unused;
}

TEST_ANYWHERE(the_answer_is_right_whichever_thread_reaps)
{
	int rounds = test_is_slow() ? 100 : 2000, number = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, reap_all, NULL), 0);
	for (int i = 1; i <= rounds; i++)
		assert_int_equal(RUN_IT(count_up, number), i);
	is_over = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
}

struct meeting {
	int begin, go, done; /* the ends of pipes */
};

static int outlive_caller(void *data)
{
	const struct meeting *m = data;
	char byte = 'x';

	if (idm_sys_write(m->begin, &byte, 1) != 1 || idm_sys_read(m->go, &byte, 1) != 1)
		return -EIO;
	return (int)idm_sys_write(m->done, &byte, 1);
}

/* The memory stays as long as the child has it. */
TEST_ANYWHERE(it_outlives_a_caller_that_is_killed)
{
	int begin[2], go[2], done[2];
	char byte;
	pid_t caller;

	must(pipe2(begin, O_CLOEXEC));
	must(pipe2(go, O_CLOEXEC));
	must(pipe2(done, O_CLOEXEC));
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	caller = (pid_t)must(fork());
	if (caller == 0) {
		struct meeting m = { begin[1], go[0], done[1] };

		RUN_IT(outlive_caller, m);
		_exit(1);
	}
	assert_int_equal(must(read(begin[0], &byte, 1)), 1);
	must(kill(caller, SIGKILL));
	must(waitpid(caller, NULL, 0)); /* the child is the test's now */
	byte = 'y';
	must(write(go[1], &byte, 1));
	assert_int_equal(must(read(done[0], &byte, 1)), 1);
	assert_int_equal(byte, 'y'); /* as it read it from the pipe */
	must(waitpid(-1, NULL, __WALL));
	for (int i = 0; i < 2; i++) {
		close(begin[i]);
		close(go[i]);
		close(done[i]);
	}
}
