// SPDX-License-Identifier: MIT
/* A subprocess that shares the caller's memory leaves the caller as it was, whatever happens to it. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lib/base/cancel.h"
#include "lib/base/macros.h"
#include "lib/sys/raw-syscall.h"
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

#define SIGNALS 65

static int signal_itself(void *data)
{
	for (*(int *)data = 1; *(int *)data < SIGNALS; ++*(int *)data)
		if (*(int *)data != SIGKILL && *(int *)data != SIGSTOP)
			die_of(*(int *)data);
	return handled;
}

/* glibc keeps two signals for itself, and refuses to change their handlers. */
static void set_handler(int signal)
{
	struct {
		void (*handler)(int signal);
		unsigned long flags;
		void *restorer;
		uint64_t mask;
	} action = { .handler = handle };

	must(syscall(SYS_rt_sigaction, signal, &action, NULL, sizeof(action.mask)));
}

TEST_ANYWHERE(no_handler_runs_in_it)
{
	int signal = 0;

	for (int s = 1; s < SIGNALS; s++)
		if (s != SIGKILL && s != SIGSTOP)
			set_handler(s);
	assert_int_equal(RUN_IT(signal_itself, signal), 0);
	assert_int_equal(signal, SIGNALS);
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

	if (!IDM_RAW_HAS_ASSEMBLY)
		skip_test("not on this architecture");
	if (TEST_SANITIZED) {
		note("sanitizers map memory");
		return;
	}
	must(setrlimit(RLIMIT_AS, &none));
	assert_true(mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	assert_int_equal(RUN_IT(count_up, number), 4);
	assert_int_equal(number, 4);
}

/* ---- a cgroup without room for a process ---- */

#define CGROUP SCRATCH "/cgroup"

static void write_to(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(2);
	close(fd);
}

/* Returns false where no controller counts processes. */
static bool mount_cgroup(void)
{
	must(mkdir(CGROUP, 0755));
	if (mount("none", CGROUP, "cgroup", 0, "pids") < 0) {
		if (mount("none", CGROUP, "cgroup2", 0, NULL) < 0)
			return false;
		write_to(CGROUP "/cgroup.subtree_control", "+pids");
	}
	must(mkdir(CGROUP "/idmount-test", 0755));
	return access(CGROUP "/idmount-test/pids.max", F_OK) == 0;
}

static int try_in_full_cgroup(void)
{
	struct idm_subprocess process;
	int number = 3, r;

	write_to(CGROUP "/idmount-test/cgroup.procs", "0");
	write_to(CGROUP "/idmount-test/pids.max", "1");
	r = idm_subprocess_run_shared(&process, count_up, &number, sizeof(number));
	return r == -EAGAIN && process.pidfd == -1 ? 0 : 1;
}

/* The kernel has written it, and may have given it to another thread since. */
TEST(a_number_of_a_pidfd_that_was_taken_back_is_not_kept)
{
	int status;
	pid_t pid;

	scratch_enter();
	if (!mount_cgroup()) {
		untried("no controller counts processes here");
		return;
	}
	pid = (pid_t)must(fork());
	if (pid == 0)
		_exit(try_in_full_cgroup());
	must(waitpid(pid, &status, 0));
	must(rmdir(CGROUP "/idmount-test")); /* it would outlive the test */
	assert_int_equal(status, 0);
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

/* ---- the signals that glibc keeps for itself ---- */

static int go_pipe[2];

/* In libc's read(2), by which the child changes the thread's cancellation type at the same time. */
static int wait_in_read(void *data)
{
	char byte;

	is_waiting = true;
	return read(go_pipe[0], &byte, 1) == 1 ? *(int *)data : -EIO;
}

/* A function by itself: the address sanitizer does not know of frames that a cancellation removes. */
__attribute__((noinline)) static void run_held(int *answer)
{
	HOLD_CANCEL;

	*answer = RUN_IT(wait_in_read, *answer);
}

static void *run_and_be_cancelled(void *answer)
{
	run_held(answer);
	pthread_testcancel();
	return NULL;
}

/* As in each public function. */
TEST_ANYWHERE(the_thread_is_cancelled_after_the_call)
{
	pthread_t thread;
	int answer = 6;
	void *result;

	must(pipe2(go_pipe, O_CLOEXEC));
	assert_int_equal(pthread_create(&thread, NULL, run_and_be_cancelled, &answer), 0);
	while (!is_waiting)
		sched_yield();
	assert_int_equal(pthread_cancel(thread), 0);
	must(write(go_pipe[1], "x", 1));
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_true(result == PTHREAD_CANCELED);
	assert_int_equal(answer, 6);
	close(go_pipe[0]);
	close(go_pipe[1]);
}

#define SIGSETXID 33

/* Whether a signal waits for this thread. */
static bool is_pending(pid_t tid, int signal)
{
	char path[64], status[4096];
	AUTO_CLOSE int fd = -1;
	const char *line;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	status[must(read(fd, status, sizeof(status) - 1))] = '\0';
	line = strstr(status, "\nSigPnd:\t");
	assert_non_null(line);
	return strtoull(line + 9, NULL, 16) >> (signal - 1) & 1;
}

static atomic_bool has_changed;

/* glibc tells each thread by a signal, and waits until each has changed its own. */
static void *change_user(void *unused)
{
	while (!is_waiting)
		sched_yield();
	must(setuid(1234));
	has_changed = true;
	return unused;
}

static void *let_go_when_told(void *tid)
{
	while (!is_waiting || !is_pending(*(const pid_t *)tid, SIGSETXID))
		sched_yield();
	assert_false(has_changed);
	may_go = true;
	return NULL;
}

static int wait_and_get_user(void *data)
{
	wait_for_thread(data);
	*(int *)data = (int)syscall(SYS_getuid);
	return handled;
}

static void change_user_meanwhile(void *unused)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);
	pthread_t changer, watcher;
	int user = -1;

	(void)unused;
	assert_int_equal(pthread_create(&changer, NULL, change_user, NULL), 0);
	assert_int_equal(pthread_create(&watcher, NULL, let_go_when_told, &tid), 0);
	assert_int_equal(RUN_IT(wait_and_get_user, user), 0);
	assert_int_equal(pthread_join(watcher, NULL), 0);
	assert_int_equal(pthread_join(changer, NULL), 0);
	assert_int_equal(user, 0);
	assert_int_equal(syscall(SYS_getuid), 1234);
}

/* No child works as the old user when setuid(3) has returned. */
TEST_ANYWHERE(another_thread_that_changes_the_user_waits_for_the_child)
{
	if (strcmp(getenv("IDM_LIBC") ? getenv("IDM_LIBC") : "glibc", "glibc") != 0)
		skip_test("another libc has another signal for that");
	need_root();
	in_child(change_user_meanwhile, NULL);
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

/* ---- execve ---- */

struct execution {
	struct meeting m;
	int executed; /* the end of a pipe for the program, at its standard output */
	atomic_bool is_waiting;
	pid_t child;
};

static int outlive_memory(void *data)
{
	struct execution *e = data;

	e->child = (pid_t)syscall(SYS_getpid);
	e->is_waiting = true;
	return outlive_caller(&e->m);
}

static void *execute_program(void *data)
{
	struct execution *e = data;

	while (!e->is_waiting)
		sched_yield();
	must(dup2(e->executed, STDOUT_FILENO));
	execl("/bin/sh", "sh", "-c", "echo x; exec sleep 1000", NULL);
	_exit(1);
}

/* The other thread's program replaces the thread that waits for the child. */
_Noreturn static void be_replaced(struct execution *e)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, execute_program, e), 0);
	idm_subprocess_shared(outlive_memory, e, sizeof(*e));
	pause();
	_exit(1);
}

static bool is_zombie(pid_t pid)
{
	char path[64], text[256];
	AUTO_CLOSE int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	text[must(read(fd, text, sizeof(text) - 1))] = '\0';
	return strstr(text, ") Z ");
}

/* The child keeps the old memory and the old descriptors, and finishes. */
TEST_ANYWHERE(it_outlives_a_caller_that_executes_another_program)
{
	struct execution *e = idm_subprocess_memory(sizeof(*e));
	int begin[2], go[2], done[2], executed[2];
	char byte;
	pid_t caller;

	assert_non_null(e);
	must(pipe2(begin, O_CLOEXEC));
	must(pipe2(go, O_CLOEXEC));
	must(pipe2(done, O_CLOEXEC));
	must(pipe2(executed, O_CLOEXEC));
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	e->m = (struct meeting){ begin[1], go[0], done[1] };
	e->executed = executed[1];
	caller = (pid_t)must(fork());
	if (caller == 0)
		be_replaced(e);
	close(executed[1]);
	assert_int_equal(must(read(begin[0], &byte, 1)), 1);
	assert_int_equal(must(read(executed[0], &byte, 1)), 1);
	assert_false(is_zombie(e->child));
	must(write(go[1], "y", 1));
	assert_int_equal(must(read(done[0], &byte, 1)), 1);
	assert_int_equal(byte, 'y');
	while (!is_zombie(e->child)) /* of the program, which knows nothing of it */
		sched_yield();
	must(kill(caller, SIGKILL));
	must(waitpid(caller, NULL, 0));
	must(waitpid(e->child, NULL, __WALL));
	for (int i = 0; i < 2; i++) {
		close(begin[i]);
		close(go[i]);
		close(done[i]);
	}
	close(executed[0]);
	idm_subprocess_memory_free(e, sizeof(*e));
}
