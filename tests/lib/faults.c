// SPDX-License-Identifier: MIT
#include "faults.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/loop.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "scratch.h"
#include "snapshot.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif

/* ---- calls ---- */

#define MOST_ERRORS 8

struct call {
	int number;
	const char *name;
	int argument; /* this one has to have the value; -1: whatever they are */
	uint64_t value;
	int errors[MOST_ERRORS + 1]; /* 0 ends them; without any, the call is not counted */
};

#define CALL(name, ...)                   \
	{                                 \
		SYS_##name, #name, -1, 0, \
		{                         \
			__VA_ARGS__       \
		}                         \
	}
#define CALL_WITH(name, argument, value, ...)       \
	{                                           \
		SYS_##name, #name, argument, value, \
		{                                   \
			__VA_ARGS__                 \
		}                                   \
	}

/* The first one that fits holds. */
static const struct call calls[] = {
	/* files */
	CALL(openat, EINTR, ENOMEM, EMFILE, ENFILE, EACCES, EIO),
	CALL(openat2, EINTR, ENOMEM, EMFILE, ENFILE, EACCES, EAGAIN, ENOSYS),
	CALL(newfstatat, EINTR, ENOMEM, EIO),
	CALL(fstat, ENOMEM, EIO),
	CALL(statx, EINTR, ENOMEM, EIO),
	CALL(fstatfs, EINTR, ENOMEM, EIO),
	CALL(readlinkat, ENOMEM, EIO, EACCES),
	CALL(faccessat, ENOMEM, EIO),
	CALL(name_to_handle_at, EINTR, ENOMEM, EOPNOTSUPP),
	CALL(open_by_handle_at, EINTR, ENOMEM, EMFILE, EPERM),
	CALL(mkdirat, ENOMEM, ENOSPC, EDQUOT, EACCES, EROFS),
	CALL(mknodat, ENOMEM, ENOSPC, EPERM),
	CALL(symlinkat, ENOMEM, ENOSPC, EIO),
	CALL(unlinkat, ENOMEM, EIO, EACCES),
	CALL(fchownat, ENOMEM, EPERM, EIO),
	CALL(fchmodat, ENOMEM, EPERM, EIO),
	CALL(fchmod, ENOMEM, EPERM, EIO),
	CALL(fchown, ENOMEM, EPERM, EIO),
	CALL(ftruncate, EINTR, EIO, ENOSPC),
	CALL(read, EINTR, ENOMEM, EIO),
	CALL(write, EINTR, ENOMEM, EIO, ENOSPC, EDQUOT),
	CALL(writev, EINTR, ENOMEM, EIO, ENOSPC),
	CALL(pread64, EINTR, ENOMEM, EIO),
	CALL(pwrite64, EINTR, ENOMEM, EIO, ENOSPC),
	CALL(fsync, EINTR, EIO, ENOSPC),
	CALL(flock, EINTR, ENOLCK, ENOMEM),
	CALL(getdents64, EINTR, ENOMEM, EIO),
	CALL(fchdir, EINTR, ENOMEM, EACCES),
	CALL(chdir, EINTR, ENOMEM, EACCES),
	CALL(getcwd, ENOMEM),
	CALL(dup3, EINTR, EBUSY, EMFILE),
	CALL_WITH(fcntl, 1, F_DUPFD, EMFILE, ENOMEM),
	CALL_WITH(fcntl, 1, F_DUPFD_CLOEXEC, EMFILE, ENOMEM),
	CALL_WITH(fcntl, 1, F_SETLK, EINTR, ENOLCK, ENOMEM),
	CALL_WITH(fcntl, 1, F_SETLKW, EINTR, ENOLCK, ENOMEM),
	CALL_WITH(fcntl, 1, F_GETLK, EINTR, ENOLCK),
	CALL_WITH(fcntl, 1, F_ADD_SEALS, EPERM, EBUSY),
	CALL(fcntl, 0),
	CALL_WITH(ioctl, 1, IDM_NS_GET_NSTYPE, 0),
	CALL_WITH(ioctl, 1, IDM_NS_MNT_GET_INFO, ENOTTY, EPERM),
	CALL_WITH(ioctl, 1, IDM_NS_MNT_GET_NEXT, ENOMEM, EMFILE, ENFILE, EPERM),
	CALL_WITH(ioctl, 1, IDM_NS_MNT_GET_PREV, ENOMEM, EMFILE, ENFILE, EPERM),
	CALL_WITH(ioctl, 1, IDM_NS_GET_PID_FROM_PIDNS, ENOTTY),
	CALL_WITH(ioctl, 1, IDM_PIDFD_GET_INFO, ENOTTY, EINVAL, EPERM),
	CALL_WITH(ioctl, 1, LOOP_CTL_GET_FREE, EINTR, ENOMEM, ENOSPC),
	CALL_WITH(ioctl, 1, LOOP_CONFIGURE, EINTR, ENOMEM, EIO),
	CALL_WITH(ioctl, 1, TCGETS, 0), /* asks whether it is a terminal, and ENOTTY is the answer */
	CALL(ioctl, EINTR, EIO, ENOMEM),
	/* mounts */
	CALL(mount, ENOMEM, EPERM, ENOSPC),
	CALL(umount2, EBUSY, ENOMEM, EPERM),
	CALL(fsopen, EINTR, ENOMEM, EMFILE, ENFILE, EPERM),
	CALL(fsconfig, EINTR, ENOMEM, EINVAL, EPERM, EBUSY),
	CALL(fsmount, EINTR, ENOMEM, EMFILE, ENFILE, EPERM),
	CALL(open_tree, EINTR, ENOMEM, EMFILE, ENFILE, EPERM, EINVAL),
	CALL(open_tree_attr, EINTR, ENOMEM, EMFILE, ENFILE, ENOSPC, EPERM, EINVAL, ENOSYS),
	CALL(mount_setattr, EINTR, ENOMEM, EPERM, EINVAL, EBUSY),
	CALL(move_mount, EINTR, ENOMEM, ENOSPC, EPERM, EINVAL, EBUSY),
	CALL(statmount, EINTR, ENOMEM, EPERM, EOVERFLOW, ENOSYS),
	CALL(listmount, EINTR, ENOMEM, EPERM, ENOSYS),
	CALL(pivot_root, ENOMEM, EPERM, EINVAL),
	CALL(chroot, ENOMEM, EPERM),
	/* processes */
	CALL(clone, EAGAIN, ENOMEM, EPERM, ENOSPC),
	CALL(clone3, EAGAIN, ENOMEM, EPERM, ENOSPC, ENOSYS),
	CALL(unshare, ENOMEM, ENOSPC, EPERM),
	CALL(setns, ENOMEM, EPERM),
	CALL(execve, ENOMEM, EACCES, E2BIG, EIO),
	CALL(execveat, ENOMEM, EACCES, E2BIG, EIO),
	CALL(capget, EPERM),
	CALL(capset, ENOMEM, EPERM),
	CALL(setgroups, ENOMEM, EPERM),
	CALL(setuid, EAGAIN, EPERM),
	CALL(setgid, ENOMEM, EPERM),
	CALL(setresuid, EAGAIN, ENOMEM, EPERM),
	CALL(setresgid, ENOMEM, EPERM),
	CALL(setsid, EPERM),
	CALL(setpgid, EPERM, EACCES),
	CALL(sethostname, EPERM),
	CALL(pidfd_open, ENOMEM, EMFILE, ENFILE),
	CALL(pidfd_send_signal, EPERM, ENOSYS),
	CALL(kill, EPERM),
	CALL(waitid, EINTR),
	CALL(wait4, EINTR),
	CALL(memfd_create, ENOMEM, EMFILE, ENFILE, EACCES),
#if !TEST_SANITIZED
	CALL(mmap, ENOMEM, EAGAIN),
	CALL(mprotect, ENOMEM),
#endif
	/* waiting */
	CALL(ppoll, EINTR, ENOMEM),
	CALL(epoll_create1, ENOMEM, EMFILE, ENFILE),
	CALL(epoll_ctl, ENOMEM, ENOSPC),
	CALL(epoll_pwait, EINTR),
#ifdef SYS_poll /* not on every architecture */
	CALL(poll, EINTR, ENOMEM),
	CALL(epoll_wait, EINTR),
	CALL(open, EINTR, ENOMEM, EMFILE, ENFILE, EACCES),
	CALL(readlink, ENOMEM, EIO, EACCES),
	CALL(unlink, ENOMEM, EIO, EACCES),
	CALL(mkdir, ENOMEM, ENOSPC, EDQUOT),
	CALL(rmdir, ENOMEM, EIO, EBUSY),
	CALL(access, ENOMEM, EIO),
	CALL(dup2, EINTR, EBUSY, EMFILE),
	CALL(vfork, EAGAIN, ENOMEM),
	CALL(fork, EAGAIN, ENOMEM),
#endif
	CALL(signalfd4, ENOMEM, EMFILE, ENFILE),
	CALL(eventfd2, ENOMEM, EMFILE, ENFILE),
	CALL(timerfd_create, ENOMEM, EMFILE, ENFILE),
	CALL(pipe2, ENOMEM, EMFILE, ENFILE),
	CALL(socketpair, ENOMEM, EMFILE, ENFILE, ENOBUFS),
	CALL(sendmsg, EINTR, ENOMEM, ENOBUFS),
	CALL(recvmsg, EINTR, ENOMEM),
	CALL(recvfrom, EINTR, ENOMEM, ECONNRESET),
	CALL(connect, EINTR, ENOMEM, EACCES, EAGAIN),
	CALL(socket, ENOMEM, EMFILE, ENFILE, ENOBUFS),
};

/* No part of the library makes this one: the operation's child tells by it how far it is. */
#define MARK SYS_kcmp

enum stage { LISTENING, BEGINNING, ENDING };

/* From here on the calls wait for an answer, which comes through the descriptor that is returned. */
static int hand_calls_over(void)
{
	struct sock_filter code[ARRAY_SIZE(calls) + 4] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MARK, ARRAY_SIZE(calls) + 1, 0),
	};
	struct sock_fprog program = { ARRAY_SIZE(code), code };
	const size_t n = ARRAY_SIZE(calls);
	long listener;

	for (size_t i = 0; i < n; i++)
		code[2 + i] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i].number, (uint8_t)(n - i), 0);
	code[n + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[n + 3] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	/* Else a signal that comes during the call makes the call begin anew, and it would be counted
	 * twice.
	 */
	listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			   SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
			   &program);
	if (listener < 0 && errno == EINVAL)
		listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				   SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	return (int)must(listener);
}

static size_t count_errors(size_t call)
{
	size_t n = 0;

	while (calls[call].errors[n])
		n++;
	return n;
}

static bool is_wanted(const struct operation *op, int number)
{
	for (const int *only = op->only; only && *only != number; only++)
		if (!*only)
			return false;
	return true;
}

/* The row of what was handed over. -1: it is not counted. */
static int find_call(const struct operation *op, const struct seccomp_data *data)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].number == data->nr &&
		    (calls[i].argument < 0 || data->args[calls[i].argument] == calls[i].value))
			return calls[i].errors[0] && is_wanted(op, data->nr) ? (int)i : -1;
	return -1;
}

/* ---- a run ---- */

#define NEVER UINT32_MAX

/* What the test and the child share. */
static struct shared {
	volatile int listener;
	volatile int result;
	char message[sizeof(((struct idm_error *)0)->message)];
} * shared;

static struct run {
	const struct operation *op;
	uint32_t nth; /* the call that is to fail */
	size_t error; /* with this one of its errors */
	bool kills, kills_main;
	/* What has come of it: */
	pid_t pid;
	int pidfd, listener, output[2];
	bool counts, ended;
	uint32_t n;
	int failed; /* the row of the call that failed, or -1 */
	int status; /* of the process */
	char *fds;
} run;

static char output_text[2][65536];

const char *faults_output(void)
{
	return output_text[0];
}

int faults_error(void)
{
	if (run.failed < 0 || run.kills)
		return 0;
	return calls[run.failed].errors[run.error % count_errors((size_t)run.failed)];
}

bool faults_are_kills(void)
{
	return run.kills;
}

static void describe(void)
{
	const struct call *c = run.failed < 0 ? NULL : &calls[run.failed];

	if (!c)
		note("%s, without a fault", run.op->name);
	else if (run.kills)
		note("%s, killed%s at call %u, %s", run.op->name, run.kills_main ? " as a whole" : "",
		     run.nth, c->name);
	else
		note("%s, call %u, %s, failing: %s", run.op->name, run.nth, c->name,
		     strerrorname_np(faults_error()));
}

/* Fails the test; first it says what was tried. */
#define fail_run(...) (describe(), fail_msg(__VA_ARGS__))

/* ---- the child ---- */

static void mark(enum stage stage)
{
	syscall(MARK, stage, 0, 0, 0, 0);
}

/* An error has to say what it is. */
static void go(const struct operation *op)
{
	struct idm_error err;

	mark(BEGINNING);
	shared->result = op->go(&err);
	mark(ENDING);
	if (shared->result < 0)
		memcpy(shared->message, err.message, sizeof(err.message));
	if (shared->result < 0)
		assert_error(shared->result, -err.errnum, &err, NULL, NULL, NULL);
	else if (op->check)
		op->check(shared->result);
	mark(ENDING); /* again, since only now it is all let go of */
	_exit(0);
}

static void execute(const struct operation *op)
{
	must(dup2(run.output[0], STDOUT_FILENO));
	must(dup2(run.output[1], STDERR_FILENO));
	mark(BEGINNING);
	execv(op->argv[0], (char *const *)op->argv);
	_exit(126);
}

static void be_the_child(const struct operation *op)
{
	int listener = hand_calls_over();

	shared->listener = listener;
	mark(LISTENING);
	must(close(listener)); /* the test has its own by now */
	if (op->go)
		go(op);
	execute(op);
}

/* ---- looking at processes ---- */

/* A file of /proc; to free(). "" if the process is gone. */
static char *read_proc(pid_t pid, const char *name)
{
	char path[64], *text = calloc(1, 65536);
	size_t length = 0;
	ssize_t n;
	int fd;

	assert_non_null(text);
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (n = read(fd, text + length, 65535 - length)) > 0)
		length += (size_t)n;
	if (fd >= 0)
		close(fd);
	return text;
}

/* Its descriptors, one a line; to free(). */
static char *read_fds(pid_t pid)
{
	char path[64], target[256], *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	for (int fd = 0; fd < 256; fd++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
		n = readlink(path, target, sizeof(target));
		if (n >= 0)
			fprintf(to, "%d -> %.*s\n", fd, (int)n, target);
	}
	fclose(to);
	return text;
}

static bool is_called(pid_t pid, const char *name)
{
	AUTO_FREE char *comm = read_proc(pid, "comm");

	comm[strcspn(comm, "\n")] = '\0';
	return strcmp(comm, name) == 0;
}

/* Whether the instruction at this address is the dynamic loader's. */
static bool is_in_loader(pid_t pid, uint64_t address)
{
	AUTO_FREE char *maps = read_proc(pid, "maps");
	char *rest = maps, *line;
	unsigned long start, end;

	while ((line = strsep(&rest, "\n")))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && address >= start && address < end)
			return strstr(line, "/ld-") || strstr(line, "/ld.");
	return false;
}

/* ---- the answers ---- */

static void compare_fds(void)
{
	AUTO_FREE char *fds = read_fds(run.pid);

	if (strcmp(fds, run.fds) != 0)
		fail_run("the descriptors were\n%sand are\n%s", run.fds, fds);
}

static void compare_children(void)
{
	char name[48];
	AUTO_FREE char *children = (snprintf(name, sizeof(name), "task/%d/children", (int)run.pid),
				    read_proc(run.pid, name));

	if (*children)
		fail_run("it has left the children %s", children);
}

static void take_mark(enum stage stage)
{
	switch (stage) {
	case LISTENING:
		break;
	case BEGINNING:
		if (run.op->go)
			run.fds = read_fds(run.pid);
		run.counts = run.op->go;
		break;
	case ENDING:
		run.counts = false;
		if (run.ended) {
			compare_fds();
			compare_children();
		}
		run.ended = true;
		break;
	}
}

/* A command begins to count when the dynamic loader is through. */
static bool has_begun(const struct seccomp_notif *call)
{
	if (!run.counts && !run.op->go && run.fds && (pid_t)call->pid == run.pid)
		run.counts = !is_in_loader(run.pid, call->data.instruction_pointer);
	/* The execve of it is the child's own. */
	if (!run.op->go && !run.fds && call->data.nr == SYS_execve)
		run.fds = strdup("");
	return run.counts;
}

static void kill_somebody(pid_t caller)
{
	if (kill(run.kills_main ? run.pid : caller, SIGKILL) < 0 && errno != ESRCH)
		fail_run("kill: %s", strerror(errno));
}

static void answer(void)
{
	struct seccomp_notif_resp response = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	struct seccomp_notif call = { 0 };
	int known;

	if (ioctl(run.listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
		return; /* its caller is gone */
	response.id = call.id;
	known = call.data.nr == MARK ? -1 : find_call(run.op, &call.data);
	if (call.data.nr == MARK) {
		take_mark((enum stage)call.data.args[0]);
		response.flags = 0;
	} else if (has_begun(&call) && known >= 0 &&
		   !(run.op->ignore && is_called((pid_t)call.pid, run.op->ignore)) &&
		   run.n++ == run.nth) {
		run.failed = known;
		response.flags = 0;
		response.error = -calls[known].errors[run.error % count_errors((size_t)known)];
		if (run.kills)
			kill_somebody((pid_t)call.pid);
		if (run.kills && (!run.kills_main || (pid_t)call.pid == run.pid))
			return; /* no process waits for an answer */
		if (run.kills)
			response = (struct seccomp_notif_resp){
				.id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE
			};
	}
	ioctl(run.listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

/* ---- beginning and end ---- */

#define PATIENCE_SECONDS (test_is_slow() ? 60 : 20)

static void await_listener(void)
{
	while (shared->listener < 0) {
		if (waitpid(run.pid, &run.status, WNOHANG) == run.pid)
			fail_run("the child exited before it began");
		usleep(20);
	}
	run.listener = (int)must(syscall(SYS_pidfd_getfd, run.pidfd, shared->listener, 0));
}

/* Reaps whatever is left of the run: all of it has been given to us. Whether anything is there still. */
static bool reap(void)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0)
		if (pid == run.pid)
			run.status = status;
	return pid == 0;
}

/*
 * Answers until no process is left. After a kill, the children of that process exit by themselves, or
 * find it gone; they cannot report that. Otherwise no other process may exist when the child exits.
 */
static void answer_until_the_end(void)
{
	struct pollfd p[] = { { .fd = run.listener, .events = POLLIN },
			      { .fd = run.pidfd, .events = POLLIN } };
	time_t limit = time(NULL) + PATIENCE_SECONDS;
	bool ended = false;

	for (;;) {
		p[0].revents = p[1].revents = 0;
		must(TEMP_FAILURE_RETRY(poll(p, ended ? 1 : 2, ended ? 1 : 1000)));
		if (p[0].revents & POLLIN)
			answer();
		else if (p[1].revents || ended) {
			if (!ended)
				must(waitpid(run.pid, &run.status, 0));
			ended = true;
			if (!reap())
				return;
			if (!WIFSIGNALED(run.status) && !run.kills)
				fail_run("it has left a process");
		}
		if (time(NULL) > limit)
			fail_run(ended ? "what it has started does not end" : "it hangs");
	}
}

static int open_output(void)
{
	return (int)must(memfd_create("output", MFD_CLOEXEC));
}

static void close_output(int i)
{
	ssize_t n = must(pread(run.output[i], output_text[i], sizeof(output_text[i]) - 1, 0));

	output_text[i][n] = '\0';
	close(run.output[i]);
}

static void start(void)
{
	*shared = (struct shared){ .listener = -1 };
	run.failed = -1;
	run.output[0] = open_output();
	run.output[1] = open_output();
	run.pid = (pid_t)must(fork());
	if (run.pid == 0)
		be_the_child(run.op);
	run.pidfd = (int)must(syscall(SYS_pidfd_open, run.pid, 0));
	await_listener();
	answer_until_the_end();
	close(run.pidfd);
	close(run.listener);
	close_output(0);
	close_output(1);
	free(run.fds);
}

/* ---- looking at the result ---- */

/* "idmount: what: why", and hints and notes after it. */
static void check_refusal(const char *text)
{
	unsigned int errors = 0;

	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");

		if (strncmp(line, "hint: ", 6) != 0) {
			if (strncmp(line, "idmount: ", 9) != 0 &&
			    strncmp(line, "mount.idmap: ", 13) != 0)
				fail_run("a line is not the command's: %s", text);
			errors += !memmem(line, n, ": note: ", 8);
		}
		if (line[n] != '\n')
			fail_run("a line has no end: %s", text);
		line += n + 1;
	}
	if (errors != 1)
		fail_run("%u lines say why: %s", errors, text);
}

static enum outcome outcome_of_run(void)
{
	if (WIFSIGNALED(run.status) && WTERMSIG(run.status) == SIGKILL && run.kills && run.failed >= 0)
		return FAULT_KILLED;
	if (WIFSIGNALED(run.status))
		fail_run("killed by signal %d", WTERMSIG(run.status));
	if (run.op->go && WEXITSTATUS(run.status) != 0)
		fail_run("see above");
	if (run.op->go)
		return shared->result < 0 ? FAULT_REFUSED : FAULT_DONE;
	if (WEXITSTATUS(run.status) == 0)
		return FAULT_DONE;
	/* It is the program that was killed, and that was told. */
	if (run.kills && run.op->ignore && WEXITSTATUS(run.status) == 128 + SIGKILL)
		return FAULT_REFUSED;
	check_refusal(output_text[1]);
	return FAULT_REFUSED;
}

static bool has_mount_of(const struct idm_mnt_ns_info *ns, dev_t device)
{
	struct idm_mnt_id_req req = { .size = sizeof(req),
				      .mnt_id = IDM_LSMT_ROOT,
				      .mnt_ns_id = ns->mnt_ns_id };
	struct idm_statmount mount;
	uint64_t ids[1024];
	ssize_t n = idm_sys_listmount(&req, ids, ARRAY_SIZE(ids));

	req.param = IDM_STATMOUNT_SB_BASIC;
	for (ssize_t i = 0; i < n; i++) {
		req.mnt_id = ids[i];
		if (idm_sys_statmount(&req, &mount, sizeof(mount)) == 0 &&
		    makedev(mount.sb_dev_major, mount.sb_dev_minor) == device)
			return true;
	}
	return false;
}

/* Other mount namespaces in which SCRATCH is mounted: copies of the test's. Linux 6.12; before, 0. */
static unsigned int copies_of_our_namespace(void)
{
	static const unsigned int ways[] = { IDM_NS_MNT_GET_PREV, IDM_NS_MNT_GET_NEXT };
	unsigned int n = 0;
	struct stat st;

	must(stat(SCRATCH, &st));
	for (int i = 0; i < 2; i++) {
		int fd = (int)must(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC)), next;
		struct idm_mnt_ns_info info;

		while ((next = ioctl(fd, ways[i], &info)) >= 0) {
			close(fd);
			fd = next;
			n += has_mount_of(&info, st.st_dev);
		}
		close(fd);
	}
	return n;
}

/* Another test that looks for the same may hold one open for a moment. */
static void check_namespaces(unsigned int before)
{
	time_t limit = time(NULL) + PATIENCE_SECONDS;

	while (copies_of_our_namespace() != before) {
		if (time(NULL) > limit)
			fail_run("a mount namespace is left");
		usleep(1000);
	}
}

#define WATCHED (SNAPSHOT_MOUNTS | SNAPSHOT_FILES)

/* Says what was tried, if it is not as before. */
static void check_same(struct snapshot *before)
{
	struct snapshot *now = snapshot_take(WATCHED);

	if (strcmp(snapshot_text(now), snapshot_text(before)) != 0)
		describe();
	snapshot_free(now);
	snapshot_assert_same(before);
}

/* For who wants to read what comes of each fault: with IDM_FAULTS in the environment. */
static void tell(enum outcome outcome)
{
	describe();
	note("-> %s", outcome == FAULT_DONE ? "done" : run.op->go ? shared->message : output_text[1]);
}

/* Whether there was a call to fail. */
static bool try_once(const struct operation *op, uint32_t nth, size_t error, bool kills, bool kills_main)
{
	struct snapshot *before = snapshot_take(WATCHED), *prepared = NULL;
	unsigned int namespaces = copies_of_our_namespace();
	enum outcome outcome;

	if (op->prepare) {
		op->prepare();
		prepared = snapshot_take(WATCHED);
	}
	run = (struct run){
		.op = op, .nth = nth, .error = error, .kills = kills, .kills_main = kills_main
	};
	start();
	outcome = outcome_of_run();
	if (run.failed < 0 && outcome != FAULT_DONE)
		fail_run("it does not succeed: %s", op->go ? shared->message : output_text[1]);
	if (getenv("IDM_FAULTS") && run.failed >= 0 && !kills)
		tell(outcome);
	if (prepared && outcome == FAULT_REFUSED && !op->partly)
		check_same(prepared);
	else if (prepared)
		snapshot_free(prepared);
	if (op->finish)
		op->finish(outcome);
	check_namespaces(namespaces);
	check_same(before);
	return run.failed >= 0;
}

/* ---- all of them ---- */

#define MOST_CALLS 8192

struct tour {
	const struct operation *op;
	uint16_t rows[MOST_CALLS]; /* which call each is */
	uint32_t n, calls;
	bool tried[ARRAY_SIZE(calls)][MOST_ERRORS];
	unsigned long points;
};

static bool try_error(struct tour *t, uint32_t nth, size_t error)
{
	if (!try_once(t->op, nth, error, false, false))
		return false;
	t->tried[run.failed][error % count_errors((size_t)run.failed)] = true;
	t->points++;
	return true;
}

/* Where a run is many times slower, something else is looked for: of many points a part is seen. */
static bool sees_all(void)
{
	return !test_is_slow() || test_is_long();
}

static uint32_t after(uint32_t nth)
{
	return nth + (sees_all() || nth < 8 ? 1 : TEST_SANITIZED ? 7 : 17);
}

/* Each call once, with the errors of its kind one after the other. */
static void go_round(struct tour *t)
{
	try_once(t->op, NEVER, 0, false, false);
	t->calls = run.n;
	if (t->calls > MOST_CALLS)
		fail_msg("%s makes over %d calls", t->op->name, MOST_CALLS);
	for (t->n = 0; try_error(t, t->n, t->points); t->n = after(t->n))
		t->rows[t->n] = (uint16_t)run.failed;
}

/* The errors that were not yet among them, each at one of the calls of its kind. */
static void try_other_errors(struct tour *t)
{
	for (uint32_t i = 0; i < t->n && sees_all(); i++)
		for (size_t e = 0; e < count_errors(t->rows[i]); e++)
			if (test_is_long() || !t->tried[t->rows[i]][e])
				try_error(t, i, e);
}

void faults_survived(const struct operation *op)
{
	struct tour *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->op = op;
	go_round(t);
	try_other_errors(t);
	note("%s: %lu points at %u calls", op->name, t->points, t->calls);
	proof("faults", t->points, "points of failure survived");
	free(t);
}

void kills_survived(const struct operation *op)
{
	unsigned long points = 0;

	for (uint32_t n = 0; try_once(op, n, 0, true, n % 2); n = after(n)) {
		points++;
		if (test_is_long())
			points += try_once(op, n, 0, true, !(n % 2));
	}
	proof("faults", points, "kills survived");
}

void faults_enter(void)
{
	scratch_enter();
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(shared != MAP_FAILED);
}
