// SPDX-License-Identifier: MIT
/*
 * The programs that the library carries for children are never dumpable: neither before their first
 * instruction, nor after a change of their credentials. A filter holds their calls of prctl(2) and
 * setresuid(2), while this process looks at them.
 */
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"
#include "tests/lib/test.h"

static struct held {
	void (*start)(void);
	pthread_t thread;
	int listener;
	bool over;
} held;

static int hold_calls(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setresuid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(code), code };

	return (int)must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
				 &program));
}

static void *run_held(void *unused)
{
	(void)unused;
	__atomic_store_n(&held.listener, hold_calls(), __ATOMIC_RELEASE);
	held.start();
	__atomic_store_n(&held.over, true, __ATOMIC_RELEASE);
	return NULL;
}

static void start_held(void (*start)(void))
{
	held = (struct held){ .start = start, .listener = -1 };
	assert_int_equal(pthread_create(&held.thread, NULL, run_held, NULL), 0);
	while (__atomic_load_n(&held.listener, __ATOMIC_ACQUIRE) < 0)
		sched_yield();
}

static struct seccomp_notif await_call(void)
{
	struct seccomp_notif call = { 0 };

	must(TEMP_FAILURE_RETRY(ioctl(held.listener, SECCOMP_IOCTL_NOTIF_RECV, &call)));
	return call;
}

static void let_go(const struct seccomp_notif *call)
{
	struct seccomp_notif_resp answer = { .id = call->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

	must(ioctl(held.listener, SECCOMP_IOCTL_NOTIF_SEND, &answer));
}

static bool is_undumpable(const struct seccomp_notif *call)
{
	return call->data.nr == SYS_prctl && call->data.args[0] == PR_SET_DUMPABLE &&
	       call->data.args[1] == 0;
}

/* Lets all calls pass before that. */
static struct seccomp_notif await_undumpable(void)
{
	struct seccomp_notif call;

	while (call = await_call(), !is_undumpable(&call))
		let_go(&call);
	return call;
}

/* The calls that come afterwards pass. */
static void end_held(void)
{
	struct pollfd p = { .fd = held.listener, .events = POLLIN };

	while (!__atomic_load_n(&held.over, __ATOMIC_ACQUIRE))
		if (poll(&p, 1, 10) > 0 && p.revents & POLLIN) {
			struct seccomp_notif call = await_call();

			let_go(&call);
		}
	assert_int_equal(pthread_join(held.thread, NULL), 0);
	close(held.listener);
}

/* ---- before the first instruction ---- */

static void start_child(void)
{
	static const char *const argv[] = { "true", NULL };
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	struct idm_error err;
	int child;

	o.path = "/bin/true";
	o.argv = argv;
	o.namespaces = IDM_NS_UTS; /* requires the executor */
	child = (int)assert_ok(idm_child_start(&o, &err), &err);
	assert_ok(idm_child_wait(child, -1, NULL, &err), &err);
	close(child);
}

static void start_forkserver(void)
{
	struct idm_reaper *reaper;
	struct idm_error err;

	assert_ok(idm_reaper_new(&reaper, &err), &err);
	assert_ok(idm_reaper_start_forkserver(reaper, 0, NULL, &err), &err);
	idm_reaper_free(reaper);
}

#define SOME_CAPABILITIES \
	(1ULL << CAP_SYS_ADMIN | 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_SETUID | 1ULL << CAP_SETGID)

static const struct kind {
	void (*start)(void);
	uint64_t capabilities;
} kinds[] = {
	{ start_child, SOME_CAPABILITIES },
	{ start_child, SOME_CAPABILITIES & ~(1ULL << CAP_DAC_OVERRIDE) },
	{ start_forkserver, SOME_CAPABILITIES },
	{ start_forkserver, SOME_CAPABILITIES & ~(1ULL << CAP_DAC_OVERRIDE) },
};

static void keep_only(uint64_t capabilities)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = (uint32_t)(capabilities >> 32 * i);
	must(syscall(SYS_capset, &header, data));
}

/* The files of a process in /proc belong to root when it is not dumpable. */
static void execute_as_user(void *data)
{
	const struct kind *kind = data;
	struct seccomp_notif call;

	must(prctl(PR_SET_KEEPCAPS, 1));
	must(setresgid(1000, 1000, 1000));
	must(setresuid(1000, 1000, 1000));
	keep_only(kind->capabilities);
	must(prctl(PR_SET_DUMPABLE, 1));
	start_held(kind->start);
	call = await_undumpable();
	assert_int_equal(owner_of_status(getpid()), 1000);
	assert_int_equal(owner_of_status((pid_t)call.pid), 0);
	let_go(&call);
	end_held();
}

TEST(carried_programs_are_not_dumpable_when_they_begin)
{
	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		in_child(execute_as_user, (void *)&kinds[i]);
}

/* ---- after a change of credentials ---- */

static void start_container(void)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	static const char *const argv[] = { "true", NULL };
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	struct idm_error err;
	int child;

	o.path = "/bin/true";
	o.argv = argv;
	o.map = map;
	o.namespaces = IDM_NS_UTS;
	child = (int)assert_ok(idm_child_start(&o, &err), &err);
	assert_ok(idm_child_wait(child, -1, NULL, &err), &err);
	close(child);
}

/* The kernel may have made it dumpable: see fs.suid_dumpable in proc_sys_fs(5). */
static void look_at_calls(void *unused)
{
	struct seccomp_notif call;

	(void)unused;
	start_held(start_container);
	while (call = await_call(), call.data.nr != SYS_setresuid)
		let_go(&call);
	let_go(&call);
	call = await_call();
	assert_true(is_undumpable(&call));
	let_go(&call);
	end_held();
}

TEST(the_executor_stays_undumpable_with_other_ids)
{
	need_root();
	in_child(look_at_calls, NULL);
}
