// SPDX-License-Identifier: MIT
/*
 * A client acts at a moment between two system calls of the service: at each of them in turn. The
 * service runs below a filter that hands its calls to the test. So no time decides.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clients.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "tests/lib/neighbour.h"

#define MOVED SCRATCH "/moved"

static int open_of(pid_t pid, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return (int)must(open(path, flags | O_CLOEXEC));
}

static ino_t inode_of(pid_t pid, const char *name)
{
	AUTO_CLOSE int fd = open_of(pid, name, O_RDONLY);
	struct stat st;

	must(fstat(fd, &st));
	return st.st_ino;
}

/* ---- what the service has in the client's namespace ---- */

/* Closes the descriptor. */
static unsigned int count_names(int dir)
{
	DIR *stream = fdopendir(dir);
	const struct dirent *entry;
	unsigned int n = 0;

	assert_non_null(stream);
	while ((entry = readdir(stream)))
		n += entry->d_name[0] != '.';
	closedir(stream);
	return n;
}

/* Nothing above it, nothing in it, and nothing can be added. */
static void assert_empty(pid_t pid, const char *name)
{
	AUTO_CLOSE int dir = open_of(pid, name, O_RDONLY | O_DIRECTORY);
	struct stat st, above;

	must(fstat(dir, &st));
	must(fstatat(dir, "..", &above, 0));
	if (st.st_ino != above.st_ino || st.st_dev != above.st_dev)
		fail_msg("%s leads to a directory above it", name);
	assert_int_equal(st.st_mode & 07777, 0);
	assert_int_equal(openat(dir, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), -1);
	assert_int_equal(errno, EROFS);
	assert_int_equal(count_names(idm_steal_fd(&dir)), 0);
}

/* The namespace, which the client has handed over. */
static void assert_one_descriptor(pid_t pid)
{
	assert_int_equal(count_names(open_of(pid, "fd", O_RDONLY | O_DIRECTORY)), 1);
	assert_int_equal(inode_of(pid, "fd/0"), inode_of(pid, "ns/user"));
}

/* It has all capabilities in the namespace, and the uid of the process. */
static void trace_from_namespace(void *data)
{
	const pid_t *pid = data;
	AUTO_CLOSE int userns = open_of(*pid, "ns/user", O_RDONLY);
	char byte;
	struct iovec here = { &byte, 1 }, there = { (void *)trace_from_namespace, 1 };

	must(setns(userns, CLONE_NEWUSER));
	must(prctl(PR_SET_DUMPABLE, 1));
	assert_int_equal(process_vm_readv(*pid, &here, 1, &there, 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ptrace(PTRACE_SEIZE, *pid, NULL, NULL), -1);
	assert_int_equal(errno, EPERM);
}

struct visits {
	ino_t own;
	unsigned int n;
};

static void inspect_visitor(const struct seccomp_notif *call, void *data)
{
	struct visits *visits = data;
	pid_t pid = (pid_t)call->pid;

	if (inode_of(pid, "ns/user") == visits->own)
		return;
	visits->n++;
	assert_empty(pid, "root");
	assert_empty(pid, "cwd");
	assert_one_descriptor(pid);
	in_child(trace_from_namespace, &pid);
}

static void map_data(void *unused)
{
	(void)unused;
	assert_mapped(ask_for(DATA, "1500:0"));
}

/* A process without its memory can be looked at: see join_handed_userns(). */
TEST_SINCE(5, 12, mounts_are_not_mapped, nothing_of_the_service_is_in_a_clients_namespace)
{
	struct visits visits = { .own = inode_of(getpid(), "ns/user") };
	struct service service;
	int listener;
	pid_t pid;

	enter_with_data();
	service = service_start_held(&listener);
	pid = (pid_t)must(fork());
	if (pid == 0) {
		as_client(ORDINARY, map_data, NULL);
		_exit(0);
	}
	answer_calls_until_exit(listener, pid, inspect_visitor, &visits);
	service_stop_held(&service, listener);
	assert_true(visits.n > 0);
}

/* ---- a process in the client's namespace that is traced ---- */

#define WORKERS_OF_USER 4

struct tracing {
	ino_t own;
	unsigned int n;
	pid_t traced[WORKERS_OF_USER];
};

/* As the client can, where the kernel ignores the attribute of a process that exits. */
static void trace_visitor(const struct seccomp_notif *call, void *data)
{
	struct tracing *tracing = data;
	const pid_t pid = (pid_t)call->pid;

	if (tracing->n == WORKERS_OF_USER || inode_of(pid, "ns/user") == tracing->own)
		return;
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0)
		tracing->traced[tracing->n++] = pid;
}

static void ask_while_traced(void)
{
	assert_refused(ask_for(DATA, "1500:0"), -ETIMEDOUT, "not finished in time");
}

static void ask_with_all_workers(void *unused)
{
	pid_t pids[WORKERS_OF_USER];

	(void)unused;
	for (size_t i = 0; i < WORKERS_OF_USER; i++) {
		pids[i] = (pid_t)must(fork());
		if (pids[i] == 0) {
			ask_while_traced();
			_exit(0);
		}
	}
	for (size_t i = 0; i < WORKERS_OF_USER; i++)
		await_child(pids[i]);
	/* Each counts, until its tracer lets it go. */
	assert_refused(ask_for(DATA, "1500:0"), -ETIMEDOUT, "the service is busy");
}

static void run_held(int listener, void (*body)(void *),
		     void (*act)(const struct seccomp_notif *, void *), void *data)
{
	pid_t pid = (pid_t)must(fork());

	if (pid == 0) {
		as_client(ORDINARY, body, NULL);
		_exit(0);
	}
	answer_calls_until_exit(listener, pid, act, data);
}

TEST_SINCE(5, 12, mounts_are_not_mapped, traced_processes_count_for_their_user)
{
	struct tracing tracing = { .own = inode_of(getpid(), "ns/user") };
	struct service service;
	int listener;

	must(prctl(PR_SET_CHILD_SUBREAPER, 1)); /* the parent of processes whose worker was killed */
	enter_with_data();
	service = service_start_held(&listener);
	run_held(listener, ask_with_all_workers, trace_visitor, &tracing);
	assert_int_equal(tracing.n, WORKERS_OF_USER);
	for (size_t i = 0; i < WORKERS_OF_USER; i++)
		must(waitpid(tracing.traced[i], NULL, __WALL));
	run_held(listener, map_data, NULL, NULL);
	service_stop_held(&service, listener);
}

/* ---- a tree after the reply ---- */

/* A worker that has replied waits before its next call. */
struct pause {
	pid_t service;
	unsigned int n;
	int done[2]; /* the client closes its end */
};

static void hold_after_reply(const struct seccomp_notif *call, void *data)
{
	struct pause *pause = data;
	char byte;

	if ((pid_t)call->pid == pause->service || call->data.nr != SYS_shutdown)
		return;
	pause->n++;
	must(read(pause->done[0], &byte, 1));
}

/* As ask() does, but the connection is not closed yet. */
static void get_map(int connection, int tree, int userns)
{
	const int fds[] = { tree, userns };
	struct idm_service_reply reply;

	send_request(connection, IDM_SERVICE_MAP, fds, 2);
	reply = receive_reply(connection);
	assert_int_equal(reply.state, IDM_SERVICE_CHALLENGE);
	send_proof(connection, &reply);
	assert_mapped(receive_reply(connection));
}

static void mount_and_umount(void *data)
{
	const struct pause *pause = data;
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("1500:5");
	AUTO_CLOSE int connection = connect_service();

	close(pause->done[0]);
	get_map(connection, tree, userns);
	must(idm_sys_move_mount(tree, "", AT_FDCWD, MOVED, MOVE_MOUNT_F_EMPTY_PATH));
	close(idm_steal_fd(&tree));
	must(umount2(MOVED, 0));
	must(write(pause->done[1], "", 1));
}

TEST_SINCE(5, 12, mounts_are_not_mapped, mapped_tree_is_not_busy)
{
	struct pause pause = { 0 };
	struct service service;
	int listener;
	pid_t pid;

	enter_with_data();
	scratch_dir(MOVED);
	service = service_start_held(&listener);
	pause.service = service.pid;
	must(pipe2(pause.done, O_CLOEXEC));
	pid = (pid_t)must(fork());
	if (pid == 0) {
		as_client(ORDINARY, mount_and_umount, &pause);
		_exit(0);
	}
	close(pause.done[1]);
	answer_calls_until_exit(listener, pid, hold_after_reply, &pause);
	service_stop_held(&service, listener);
	close(pause.done[0]);
	assert_int_equal(pause.n, 1);
}

/* ---- an attack between two calls ---- */

struct attack {
	const char *map; /* NULL: the striker writes one */
	void (*strike)(const struct attack *attack);
	bool may_succeed;
	/* of the client */
	int tree, userns, other;
	struct neighbour holder; /* in a namespace without a map */
	unsigned int mapped, refused;
};

struct moment {
	pid_t service;
	unsigned int n, nth; /* calls of the workers */
	int go[2], done[2];
	struct attack *attack;
};

static void strike_at_moment(const struct seccomp_notif *call, void *data)
{
	struct moment *moment = data;
	char byte;

	if ((pid_t)call->pid == moment->service || moment->n++ != moment->nth)
		return;
	must(write(moment->go[1], "", 1));
	must(read(moment->done[0], &byte, 1)); /* nothing, if the client has exited */
}

/* A process of the client's, with its descriptors, waits for the moment. */
static pid_t start_striker(const struct moment *moment)
{
	pid_t pid = (pid_t)must(syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL));
	char byte;

	if (pid != 0)
		return pid;
	must(read(moment->go[0], &byte, 1));
	moment->attack->strike(moment->attack);
	must(write(moment->done[1], "", 1));
	_exit(0);
}

static void start_holder(struct attack *attack)
{
	attack->holder = neighbour_start(unshare_into_userns, NULL);
	attack->userns = neighbour_namespace(&attack->holder, "user");
}

static void end_process(pid_t pid)
{
	must(kill(pid, SIGKILL)); /* a child that was not waited for */
	must(waitpid(pid, NULL, 0));
}

static bool is_mapped(int tree)
{
	return owner_at(tree, "1500").uid != 0;
}

/* Exactly the tree of the request has a map, if the service says so. */
static void check_outcome(struct attack *attack, int tree, int result)
{
	assert_int_equal(is_mapped(tree), result == 0);
	assert_false(is_mapped(attack->other));
	if (result == 0)
		attack->mapped++;
	else
		attack->refused++;
	assert_true(result < 0 || attack->may_succeed);
}

static void attack_service(void *data)
{
	const struct moment *moment = data;
	struct attack *attack = moment->attack;
	AUTO_CLOSE int kept = clone_tree(DATA);
	struct idm_service_reply reply;
	pid_t striker;

	must(mount("moved", MOVED, "tmpfs", 0, NULL));
	attack->tree = (int)must(fcntl(kept, F_DUPFD_CLOEXEC, 0));
	attack->other = clone_tree(SCRATCH "/other");
	if (attack->map)
		attack->userns = userns_of(attack->map);
	else
		start_holder(attack);
	striker = start_striker(moment);
	reply = ask(attack->tree, attack->userns);
	end_process(striker);
	check_outcome(attack, kept, reply.result);
	if (!attack->map)
		neighbour_end(&attack->holder);
	close(attack->tree);
	close(attack->other);
	close(attack->userns);
}

/* The worker can outlive the reply. */
static void await_idle(const struct service *service, int listener)
{
	while (service_worker(service))
		answer_call(listener, 1, NULL, NULL);
}

/* Returns whether there was such a call. */
static bool attack_at(const struct service *service, int listener, struct attack *attack,
		      unsigned int nth)
{
	struct moment moment = { .service = service->pid, .nth = nth, .attack = attack };
	pid_t pid;

	must(pipe2(moment.go, O_CLOEXEC));
	must(pipe2(moment.done, O_CLOEXEC));
	pid = (pid_t)must(fork());
	if (pid == 0) {
		as_client(ORDINARY, attack_service, &moment);
		_exit(0);
	}
	close(moment.done[1]);
	answer_calls_until_exit(listener, pid, strike_at_moment, &moment);
	await_idle(service, listener);
	close(moment.done[0]);
	close(moment.go[0]);
	close(moment.go[1]);
	return moment.n > nth;
}

static struct attack attack_at_each_call(struct attack attack)
{
	const unsigned int step = test_is_long() ? 1 : test_is_slow() ? 16 : 8;
	struct attack *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct service service;
	unsigned int nth = 0;
	int listener;

	*shared = attack;
	enter_with_data();
	scratch_dir(MOVED);
	scratch_dir(SCRATCH "/other");
	scratch_file(SCRATCH "/other/1500", "text");
	must(chown(SCRATCH "/other/1500", USER, USER));
	service = service_start_held(&listener);
	while (attack_at(&service, listener, shared, nth))
		nth += step;
	service_stop_held(&service, listener);
	attack = *shared;
	munmap(shared, sizeof(*shared));
	note("%u mapped, %u refused", attack.mapped, attack.refused);
	assert_true(nth > 3 * step);
	proof("hostile", attack.mapped + attack.refused, "attacks between two calls of the service");
	return attack;
}

/* ---- a caller that exits ---- */

struct end_of_caller {
	pid_t service, caller;
	unsigned int n, nth; /* looks whether the caller lives */
	bool over;
};

static bool is_look_for_life(const struct seccomp_data *call)
{
	return call->nr == SYS_pidfd_send_signal && call->args[1] == 0;
}

/* Nothing of the caller is left when the call happens. */
static void end_caller_at_look(const struct seccomp_notif *call, void *data)
{
	struct end_of_caller *end = data;

	if ((pid_t)call->pid == end->service || !is_look_for_life(&call->data) || end->n++ != end->nth)
		return;
	end_process(end->caller);
	end->over = true;
}

static void ask_until_end(int report)
{
	AUTO_CLOSE int tree = -1, userns = -1;

	become_client(&ORDINARY);
	tree = clone_tree(DATA);
	userns = userns_of("1500:5");
	must(write(report, &tree, sizeof(tree)));
	assert_mapped(ask(tree, userns));
	_exit(0);
}

/* Returns its tree. */
static int start_caller(struct end_of_caller *end)
{
	int report[2], number;

	must(pipe2(report, O_CLOEXEC));
	end->caller = (pid_t)must(fork());
	if (end->caller == 0)
		ask_until_end(report[1]);
	assert_int_equal(must(read(report[0], &number, sizeof(number))), sizeof(number));
	close(report[0]);
	close(report[1]);
	return get_fd(end->caller, number);
}

/* Returns whether there was such a look. */
static bool end_caller(const struct service *service, int listener, unsigned int nth)
{
	struct end_of_caller end = { .service = service->pid, .nth = nth };
	AUTO_CLOSE int tree = start_caller(&end);
	int status = 0;

	while (!end.over && must(waitpid(end.caller, &status, WNOHANG)) == 0)
		answer_call(listener, 1, end_caller_at_look, &end);
	await_idle(service, listener);
	assert_int_equal(status, 0);
	assert_int_equal(owner_at(tree, "1500").uid == USER, end.over);
	return end.over;
}

/* The last look comes after all that the service reads about the caller. */
TEST_SINCE(5, 12, mounts_are_not_mapped, caller_that_exits_before_a_look_is_refused)
{
	AUTO_FREE char *log = NULL;
	struct service service;
	unsigned int looks = 0;
	int listener;

	enter_with_data();
	service = service_start_held(&listener);
	while (end_caller(&service, listener, looks))
		looks++;
	service_stop_held(&service, listener);
	log = service_log();
	assert_contains(log, "refused: the caller exited");
	assert_true(looks >= 2); /* before the challenge, and after the proof */
}

/* ---- the attacks ---- */

static void write_map_of_others(const struct attack *attack)
{
	write_id_map(attack->holder.pid, "uid_map", "1600 0 1\n");
	write_id_map(attack->holder.pid, "gid_map", "1600 0 1\n");
}

TEST_AS(map_after_the_look_is_refused, 300, 5, 12, mounts_are_not_mapped)
{
	attack_at_each_call((struct attack){ .strike = write_map_of_others });
}

static void write_own_map(const struct attack *attack)
{
	write_id_map(attack->holder.pid, "gid_map", "1500 5 1\n");
	write_id_map(attack->holder.pid, "uid_map", "1500 5 1\n");
}

/* The control: a map that the rule allows is refused from the look on. */
TEST_AS(map_before_the_look_is_read, 300, 5, 12, mounts_are_not_mapped)
{
	struct attack attack =
		attack_at_each_call((struct attack){ .strike = write_own_map, .may_succeed = true });

	assert_true(attack.mapped > 0);
	assert_true(attack.refused > 0);
}

static void attach_tree(const struct attack *attack)
{
	must(idm_sys_move_mount(attack->tree, "", AT_FDCWD, MOVED, MOVE_MOUNT_F_EMPTY_PATH));
}

/* The kernel refuses the call for it. */
TEST_AS(tree_attached_after_the_look_is_refused, 300, 5, 12, mounts_are_not_mapped)
{
	struct attack attack = attack_at_each_call(
		(struct attack){ .map = "1500:5", .strike = attach_tree, .may_succeed = true });

	assert_true(attack.mapped > 0);
	assert_true(attack.refused > 0);
}

static void exchange_tree(const struct attack *attack)
{
	must(dup2(attack->other, attack->tree));
}

/* The number is the client's. The service has the tree. */
TEST_AS(tree_exchanged_after_the_look_has_no_map, 300, 5, 12, mounts_are_not_mapped)
{
	struct attack attack = attack_at_each_call(
		(struct attack){ .map = "1500:5", .strike = exchange_tree, .may_succeed = true });

	assert_true(attack.mapped > 0);
}

/* Another mount is what a path through the tree leads to. */
static void cover_tree(const struct attack *attack)
{
	must(idm_sys_move_mount(attack->other, "", attack->tree, "",
				MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

static void trees_are_not_covered(void)
{
	untried("a detached tree cannot be a target");
}

TEST_AS(tree_covered_after_the_look_has_no_map, 300, 6, 15, trees_are_not_covered)
{
	struct attack attack = attack_at_each_call(
		(struct attack){ .map = "1500:5", .strike = cover_tree, .may_succeed = true });

	assert_true(attack.mapped > 0);
}
