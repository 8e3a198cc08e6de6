// SPDX-License-Identifier: MIT
/*
 * Every system call that applying and undoing a plan makes fails once, one after the other: nothing is
 * left of what was to be applied, and what was not undone is undone by the next try. A seccomp filter
 * hands the calls to the test, which counts them, and answers the one that is to fail. It holds for the
 * short-lived children too.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "errand.h"
#include "plans.h"

#define RECORD SCRATCH "/record"
#define DEEP SCRATCH "/shared/deep/target" /* not there before */

/* ---- calls ---- */

static const struct call {
	int number, error;
	bool other; /* putting together in a namespace makes others of it, or in other places */
} calls[] = {
	{ SYS_openat, EMFILE, false },
	{ SYS_openat2, EMFILE, false },
	{ SYS_newfstatat, ENOMEM, false },
	{ SYS_statx, ENOMEM, false },
	{ SYS_fstatfs, EIO, false },
	{ SYS_readlinkat, ENOMEM, false },
	{ SYS_mkdirat, ENOSPC, true },
	{ SYS_symlinkat, ENOSPC, false },
	{ SYS_unlinkat, EIO, false },
	{ SYS_read, EIO, false },
	{ SYS_write, ENOSPC, false },
	{ SYS_fsync, EIO, false },
	{ SYS_flock, ENOLCK, false },
	{ SYS_fcntl, EMFILE, false },
	{ SYS_fchdir, ENOMEM, false },
	{ SYS_clone, EAGAIN, true },
	{ SYS_clone3, EAGAIN, true },
	{ SYS_unshare, ENOMEM, true },
	{ SYS_setns, ENOMEM, true },
	{ SYS_capset, EPERM, false },
	{ SYS_mount, ENOMEM, true },
	{ SYS_umount2, EBUSY, false },
	{ SYS_fsopen, EMFILE, false },
	{ SYS_fsconfig, ENOMEM, false },
	{ SYS_fsmount, EMFILE, false },
	{ SYS_open_tree, EMFILE, true },
	{ 467 /* open_tree_attr */, EMFILE, false },
	{ SYS_mount_setattr, ENOMEM, false },
	{ SYS_move_mount, ENOSPC, true },
	{ 457 /* statmount */, ENOMEM, false },
	{ 458 /* listmount */, ENOMEM, false },
	{ SYS_pidfd_send_signal, EPERM, false },
};

/* From here on the calls wait for an answer, which comes through the descriptor that is returned. */
static int hand_calls_over(void)
{
	struct sock_filter code[ARRAY_SIZE(calls) + 3] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog program = { ARRAY_SIZE(code), code };
	const size_t n = ARRAY_SIZE(calls);

	for (size_t i = 0; i < n; i++)
		code[1 + i] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i].number, (uint8_t)(n - i), 0);
	code[n + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[n + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	return (int)must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
				 &program));
}

static const struct call *find_call(int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].number == number)
			return &calls[i];
	fail_msg("the filter handed over system call %d", number);
}

/* ---- runs ---- */

static unsigned int way;

/* One run, in memory that the test and the child that makes it share. */
static struct run {
	int (*go)(struct idm_error *err);
	unsigned int nth; /* the call that is to fail */
	volatile int listener;
	bool only_other;      /* that is one of those of calls[] */
	volatile bool counts; /* it is the library that makes the calls */
	int result;
	int failed; /* the number of the call that failed, or -1 */
} * run;

/* Answers until nobody is left who could call. */
static void answer_calls(int listener)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };

	for (unsigned int count = 0; must(poll(&p, 1, -1)) && !(p.revents & POLLHUP);) {
		struct seccomp_notif_resp response = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
		struct seccomp_notif call = { 0 };
		const struct call *known;

		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
			continue; /* its caller is gone */
		response.id = call.id;
		known = find_call(call.data.nr);
		if (run->counts && (known->other || !run->only_other) && count++ == run->nth) {
			run->failed = known->number;
			response.flags = 0;
			response.error = -known->error;
		}
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
	}
}

/* In the child. An error has to say what it is, and to leave the process as it was. */
static void go_and_check(void)
{
	struct snapshot *before = snapshot_take(SNAPSHOT_FDS | SNAPSHOT_PROCESSES);
	struct idm_error err;
	int listener = hand_calls_over();

	run->listener = listener;
	run->counts = true;
	run->result = run->go(&err);
	run->counts = false;
	must(close(listener)); /* the test has its own by now */
	if (run->result < 0)
		assert_error(run->result, -err.errnum, &err, NULL, NULL, NULL);
	snapshot_assert_same(before);
	_exit(0);
}

/* With the nth call failing. Returns whether there was one. */
static bool go_with_fault(int (*go)(struct idm_error *err), unsigned int nth)
{
	pid_t pid;

	*run = (struct run){ .go = go, .nth = nth, .listener = -1, .failed = -1 };
	run->only_other = way == IDM_APPLY_IN_NAMESPACE && !kernel_is_before(6, 15);
	pid = (pid_t)must(fork());
	if (pid == 0)
		go_and_check();
	{
		AUTO_FD int pidfd = (int)must(syscall(SYS_pidfd_open, pid, 0)), listener = -1;

		while (run->listener < 0)
			usleep(20);
		listener = (int)must(syscall(SYS_pidfd_getfd, pidfd, run->listener, 0));
		answer_calls(listener);
	}
	await_child(pid);
	return run->failed >= 0;
}

/* ---- plans ---- */

static struct idm_plan *plan;

static int apply(struct idm_error *err)
{
	struct idm_apply o = IDM_APPLY_INIT;

	o.flags = IDM_APPLY_MKDIR | way;
	o.record = RECORD;
	return idm_plan_apply(plan, AT_FDCWD, DEEP, &o, err);
}

static int undo(struct idm_error *err)
{
	return idm_plan_undo(RECORD, 0, err);
}

static void enter(void)
{
	enter_image();
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	scratch_dir(SCRATCH "/shared");
	do_mount("shared", SCRATCH "/shared", "tmpfs", 0, NULL);
	do_mount(NULL, SCRATCH "/shared", NULL, MS_SHARED, NULL);
	run = idm_errand_memory(sizeof(*run));
	assert_non_null(run);
	plan = plan_new();
	add_flags = IDM_PLAN_RDONLY_LAST;
	plan_step(plan, "bind", ROOT, "/", "ro", "rprivate", MAP, NULL);
	add_flags = 0;
	plan_step(plan, "tmpfs", NULL, "/made/here", "size=1m", NULL);
	plan_step(plan, "bind", ROOT "/etc/hosts", "/etc/made", "ro", NULL);
}

/* Says which call it was, if it is not. */
static void assert_same(struct snapshot *before)
{
	struct snapshot *now = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);

	if (strcmp(snapshot_text(now), snapshot_text(before)) != 0)
		note("after system call %d has failed, the %uth", run->failed, run->nth);
	snapshot_free(now);
	snapshot_assert_same(before);
}

static void apply_with_faults(void)
{
	struct snapshot *before;
	unsigned int n = 0;

	enter();
	for (bool more = true; more; n++) {
		struct idm_error err;

		before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
		more = go_with_fault(apply, n);
		if (run->result == 0) {
			int r = undo(&err);

			if (r < 0)
				note("after system call %d has failed, the %uth", run->failed, run->nth);
			assert_ok(r, &err);
		}
		assert_same(before);
	}
	note("%u calls", n - 1);
	assert_int_equal(run->result, 0);
	idm_plan_free(plan);
}

TEST(applying_detached)
{
	if (kernel_is_before(6, 15))
		return;
	way = IDM_APPLY_DETACHED;
	apply_with_faults();
}

TEST(applying_in_a_namespace)
{
	way = IDM_APPLY_IN_NAMESPACE;
	apply_with_faults();
}

TEST(undoing)
{
	struct snapshot *before;
	unsigned int n = 0;

	enter();
	for (bool more = true; more; n++) {
		struct idm_error err;

		before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
		assert_ok(apply(&err), &err);
		more = go_with_fault(undo, n);
		if (run->failed == SYS_umount2) /* in use for a moment only */
			assert_int_equal(run->result, 0);
		if (run->result < 0)
			assert_ok(undo(&err), &err);
		assert_same(before);
	}
	note("%u calls", n - 1);
	assert_int_equal(run->result, 0);
	idm_plan_free(plan);
}
