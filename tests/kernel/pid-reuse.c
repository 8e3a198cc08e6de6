// SPDX-License-Identifier: MIT
/*
 * The very race, not left to chance: at every system call of the library, one after the other, its child
 * is reaped by another thread and its number given to another process in another user namespace. The
 * library must notice, leave that one alone, and come back with the right namespace.
 *
 * A seccomp filter hands the calls to a second thread, which lets them go on when the deed is done.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maps.h"
#include "scratch.h"
#include "util.h"

#define SOME_MAP "u:0:100000:1000,u:1000:0:1,g:0:200000:1000,g:1000:7:1"

/* By this the thread says that it is through: no path is opened there. */
#define LAST_CALL 123456

static struct theft {
	void (*victim)(struct theft *);
	int listener;	 /* -1 until the filter is there */
	unsigned int at; /* take the child at this call of those that are made while there is one */
	unsigned int calls;
	pid_t taken; /* the child's number, and the decoy's */
	int decoy;   /* its pidfd; -1 if somebody else was given the number */
	int userns;  /* what the victim works on or brings home */
} theft;

/* ---- the one whose child is taken ---- */

static void hand_over_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 8, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 7, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fstatfs, 6, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_newfstatat, 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_read, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_send_signal, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_waitid, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };
	int fd = (int)must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				   SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));

	__atomic_store_n(&theft.listener, fd, __ATOMIC_RELEASE);
}

static void *be_victim(void *unused)
{
	(void)unused;
	hand_over_calls();
	theft.victim(&theft);
	syscall(SYS_openat, LAST_CALL, "", 0, 0);
	return NULL;
}

/* ---- the thief ---- */

/* Whether the victim has a child; waits until it is a zombie. */
static bool see_child(pid_t *pid)
{
	siginfo_t info;

	if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | __WALL) < 0) {
		assert_int_equal(errno, ECHILD);
		return false;
	}
	*pid = info.si_pid;
	return true;
}

/* A process in a user namespace of its own, with just this number. */
static void start_decoy(pid_t number)
{
	struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&theft.decoy,
		.set_tid = (uint64_t)(uintptr_t)&number,
		.set_tid_size = 1,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		for (;;)
			syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
	if (pid < 0 && errno != EEXIST)
		fail_msg("cannot start a process with number %d: %s", number, strerror(errno));
}

static void maybe_take_child(void)
{
	pid_t pid;

	if (theft.taken || !see_child(&pid) || ++theft.calls != theft.at)
		return;
	assert_int_equal(must(waitpid(pid, NULL, __WALL)), pid);
	theft.taken = pid;
	start_decoy(pid);
}

static void serve(int listener)
{
	for (bool last = false; !last;) {
		struct seccomp_notif call = { 0 };
		struct seccomp_notif_resp answer = { 0 };

		must(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call));
		last = call.data.nr == SYS_openat && (int)call.data.args[0] == LAST_CALL;
		if (!last)
			maybe_take_child();
		answer.id = call.id;
		answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		must(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer));
	}
}

/* ---- afterwards ---- */

/* Nobody has written its maps, and what came home is not its namespace. */
static void assert_decoy_untouched(void)
{
	char path[64], text[8];
	struct stat theirs, ours;
	AUTO_CLOSE int map = -1;

	snprintf(path, sizeof(path), "/proc/%d/uid_map", theft.taken);
	map = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	assert_int_equal(must(read(map, text, sizeof(text))), 0);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", theft.taken);
	must(stat(path, &theirs));
	must(fstat(theft.userns, &ours));
	assert_int_not_equal(theirs.st_ino, ours.st_ino);
}

static void end_decoy(void)
{
	must(syscall(SYS_pidfd_send_signal, theft.decoy, SIGKILL, NULL, 0));
	must(waitpid(theft.taken, NULL, __WALL));
	close(theft.decoy);
}

/* Takes the child at the given call. False: so many calls are not made. */
static bool take_at(unsigned int at, void (*victim)(struct theft *))
{
	pthread_t thread;
	int listener;

	theft.victim = victim;
	theft.listener = theft.decoy = -1;
	theft.at = at;
	theft.calls = 0;
	theft.taken = 0;
	assert_int_equal(pthread_create(&thread, NULL, be_victim, NULL), 0);
	while ((listener = __atomic_load_n(&theft.listener, __ATOMIC_ACQUIRE)) < 0)
		usleep(100);
	serve(listener);
	pthread_join(thread, NULL);
	close(listener);
	if (theft.decoy >= 0) {
		assert_decoy_untouched();
		end_decoy();
	}
	return theft.taken;
}

/* ---- the two that start a child ---- */

static unsigned int way;

static void make_userns(struct theft *t)
{
	AUTO_MAP struct idm_map *map = map_of(SOME_MAP);
	struct idm_error err;

	t->userns = (int)assert_ok(idm_userns_open(map, way, &err), &err);
}

TEST(whenever_the_child_is_taken_the_namespace_is_right)
{
	AUTO_MAP struct idm_map *map = map_of(SOME_MAP);
	unsigned int decoys = 0;
	bool taken = true;

	need_root();
	for (way = 0; way <= IDM_USERNS_ZOMBIE; way++) {
		unsigned int at = 0;

		for (taken = true; taken;) {
			taken = take_at(++at, make_userns);
			decoys += theft.decoy >= 0;
			assert_userns(theft.userns, map);
			close(theft.userns);
		}
		note("taken at each of %u calls", at - 1);
		assert_true(at >
			    8); /* finding the process, opening three files, the question, two writes */
	}
	assert_true(decoys > 8);
}

static void read_userns(struct theft *t)
{
	AUTO_MAP struct idm_map *map = map_of("");
	struct idm_error err;

	assert_ok(idm_map_add_userns(map, t->userns, &err), &err);
	assert_map(map, SOME_MAP);
}

TEST(whenever_the_child_is_taken_the_map_is_right)
{
	AUTO_MAP struct idm_map *map = map_of(SOME_MAP);
	unsigned int at = 0;
	struct idm_error err;

	need_root();
	theft.userns = (int)assert_ok(idm_userns_open(map, 0, &err), &err);
	while (take_at(++at, read_userns))
		;
	note("taken at each of %u calls", at - 1);
	assert_true(at > 8);
	close(theft.userns);
}
