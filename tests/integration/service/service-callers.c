// SPDX-License-Identifier: MIT
/* Callers: which processes get a map, and which do not, in both ways to know a process. */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "clients.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"

/* With the service as it is, and as on a kernel before Linux 6.5. */
static void in_both_ways(void (*body)(void))
{
	struct service (*const starts[])(const char *) = { service_start, service_start_by_number };

	enter_with_data();
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		struct service service = starts[i](NULL);

		body();
		service_stop(&service);
	}
}

/* ---- the parent ---- */

struct handed {
	int tree, userns;
};

static void ask_from_outside(void *data)
{
	const struct handed *handed = data;

	assert_refused(ask(handed->tree, handed->userns), -EPERM, "not in the parent");
}

static void ask_for_namespaces_of_others(void)
{
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of_client(ORDINARY, "1500:0");
	struct handed handed = { tree, userns };

	/* The same user: in another namespace like it, in one below it, in the initial one. */
	as_client(ORDINARY, ask_from_outside, &handed);
	as_client((struct identity){ .uid = USER, .gid = USER }, ask_from_outside, &handed);
	as_client((struct identity){ .uid = OTHER_USER, .gid = OTHER_USER, .map = "0 1600 1\n" },
		  ask_from_outside, &handed);
	as_client((struct identity){ .uid = OTHER_USER, .gid = OTHER_USER }, ask_from_outside, &handed);
	in_child(ask_from_outside, &handed);
}

TEST(caller_outside_of_the_parent_is_refused)
{
	in_both_ways(ask_for_namespaces_of_others);
}

static void ask_from_above(void *unused)
{
	AUTO_CLOSE int tree = clone_tree(DATA), userns = -1;
	int report[2], go[2];
	pid_t pid;

	(void)unused;
	must(pipe2(report, O_CLOEXEC));
	must(pipe2(go, O_CLOEXEC));
	pid = (pid_t)must(fork());
	if (pid == 0) {
		char byte;
		int fd;

		must(unshare(CLONE_NEWUSER));
		must(write(report[1], "", 1));
		must(read(go[0], &byte, 1));
		fd = userns_of("1500:0");
		must(write(report[1], &fd, sizeof(fd)));
		must(read(go[0], &byte, 1));
		_exit(0);
	} else {
		char byte;
		int number;

		must(read(report[0], &byte, 1));
		write_id_map(pid, "uid_map", "0 0 1\n1 1 1000\n");
		write_id_map(pid, "gid_map", "0 0 1\n1 1 1000\n");
		must(write(go[1], "", 1));
		must(read(report[0], &number, sizeof(number)));
		userns = get_fd(pid, number);
		must(write(go[1], "", 1));
		await_child(pid);
	}
	assert_refused(ask(tree, userns), -EPERM, "not in the parent");
	for (int i = 0; i < 2; i++) {
		close(report[i]);
		close(go[i]);
	}
}

static void ask_as_grandparent(void)
{
	as_client(ORDINARY, ask_from_above, NULL);
}

TEST(caller_above_the_parent_is_refused)
{
	in_both_ways(ask_as_grandparent);
}

/* ---- capabilities ---- */

static void drop_capability(unsigned int number)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	must(syscall(SYS_capget, &header, data));
	data[0].effective &= ~(1U << number);
	must(syscall(SYS_capset, &header, data));
}

static const struct missing {
	unsigned int number;
	const char *reason;
} missing[] = {
	{ CAP_SETUID, "the caller requires CAP_SETUID in its user namespace" },
	{ CAP_SETGID, "the caller requires CAP_SETGID in its user namespace" },
	{ CAP_SETFCAP, "the caller requires CAP_SETFCAP in its user namespace" },
	{ CAP_SYS_ADMIN, "the caller requires CAP_SYS_ADMIN in its user namespace" },
};

static void ask_without(void *data)
{
	const struct missing *m = data;
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("200005:0");

	drop_capability(m->number);
	/* /proc/PID/status has the name, too, in a line before the capabilities. */
	must(prctl(PR_SET_NAME, "a\nCapEff:\tffff"));
	assert_refused(ask(tree, userns), -EPERM, m->reason);
}

static void ask_without_capabilities(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
		as_client(ORDINARY, ask_without, (void *)&missing[i]);
}

TEST(caller_without_a_capability_is_refused)
{
	in_both_ways(ask_without_capabilities);
}

/* With the IDs of the challenge: the kernel's answer. */
static int try_to_prove(int connection, const struct idm_service_reply *challenge)
{
	const struct ucred credentials = { getpid(), challenge->uid, challenge->gid };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(credentials))] = { 0 };
	struct cmsghdr *c = (struct cmsghdr *)control;
	struct msghdr header = { .msg_control = control, .msg_controllen = sizeof(control) };

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_CREDENTIALS;
	c->cmsg_len = CMSG_LEN(sizeof(credentials));
	memcpy(CMSG_DATA(c), &credentials, sizeof(credentials));
	return sendmsg(connection, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* It has them for the first look of the service, but not for its proof. */
static void prove_without_capabilities(void *unused)
{
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("200005:0");
	AUTO_CLOSE int connection = connect_service();
	const int fds[] = { tree, userns };
	const struct idm_service_request proof = { IDM_SERVICE_VERSION, IDM_SERVICE_PROVE };
	struct idm_service_reply challenge;

	(void)unused;
	send_request(connection, IDM_SERVICE_MAP, fds, 2);
	challenge = receive_reply(connection);
	assert_int_equal(challenge.state, IDM_SERVICE_CHALLENGE);
	must(syscall(SYS_setresgid, 5, 5, 5));
	must(syscall(SYS_setresuid, 5, 5, 5));
	assert_int_equal(try_to_prove(connection, &challenge), -EPERM);
	send_message(connection, &proof, sizeof(proof), NULL, 0, NULL);
	assert_refused(receive_reply(connection), -EPERM, "the proof has uid 200004 and gid 200004");
}

static void ask_and_drop(void)
{
	as_client(ORDINARY, prove_without_capabilities, NULL);
}

TEST(proof_requires_capabilities)
{
	in_both_ways(ask_and_drop);
}

/* ---- a program with privileges between the request and the look ---- */

#define PROGRAM SCRATCH "/programs/sleep"

static void await_text(pid_t pid, const char *name, const char *text)
{
	char path[64], line[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	while (strcmp(line, text) != 0) {
		AUTO_CLOSE int fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
		ssize_t n = must(read(fd, line, sizeof(line) - 1));

		line[n] = '\0';
		usleep(1000);
	}
}

/* An ordinary process in the client's namespace sends the request, and becomes the program. */
static void send_and_execute(const int fds[2])
{
	int connection;

	must(syscall(SYS_setgroups, 0, NULL));
	must(syscall(SYS_setresgid, 5, 5, 5));
	must(syscall(SYS_setresuid, 5, 5, 5));
	connection = connect_service();
	send_request(connection, IDM_SERVICE_MAP, fds, 2);
	must(dup2(connection, STDIN_FILENO));
	execl(PROGRAM, "sleep", "60", NULL);
	fail_msg("execute: %s", strerror(errno));
}

/* Another process of the attacker's has the connection, too. The look finds all capabilities. */
static void take_reply(pid_t pid, bool is_setuid)
{
	AUTO_CLOSE int connection = get_fd(pid, STDIN_FILENO);
	struct idm_service_reply reply = receive_reply(connection);

	if (is_setuid) {
		assert_refused(reply, -EPERM, "another uid than when it connected");
		return;
	}
	assert_int_equal(reply.state, IDM_SERVICE_CHALLENGE);
	send_proof(connection, &reply);
	assert_refused(receive_reply(connection), -EPERM, "made the connection");
}

static void race_with_execute(void *data)
{
	const struct race *race = data;
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("200005:5");
	const int fds[] = { tree, userns };
	char byte;
	pid_t pid = (pid_t)must(fork());

	if (pid == 0)
		send_and_execute(fds);
	await_text(pid, "comm", "sleep\n");
	must(write(race->ready, "", 1));
	must(read(race->go, &byte, 1));
	take_reply(pid, *(const bool *)race->data);
	must(kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0));
}

/* In a namespace whose root user is USER. */
static void add_all_capabilities(const char *path)
{
	const struct vfs_ns_cap_data data = { .magic_etc = VFS_CAP_REVISION_3 | VFS_CAP_FLAGS_EFFECTIVE,
					      .data = { { UINT32_MAX, 0 }, { 0xff, 0 } },
					      .rootid = USER };

	must(setxattr(path, "security.capability", &data, sizeof(data), 0));
}

static void make_program(bool is_setuid)
{
	scratch_dir(SCRATCH "/programs");
	do_mount("programs", SCRATCH "/programs", "tmpfs", 0, NULL);
	assert_int_equal(RUN("cp", "/bin/sleep", PROGRAM), 0);
	must(chown(PROGRAM, USER, USER)); /* root there */
	must(chmod(PROGRAM, is_setuid ? 04755 : 0755));
	if (!is_setuid)
		add_all_capabilities(PROGRAM);
}

/* The service is stopped until the process is the program. */
static void race_with_program(void (*attack)(void *), bool is_setuid)
{
	enter_with_data();
	make_program(is_setuid);
	race_with_service(attack, &is_setuid);
}

TEST(setuid_program_is_not_the_caller)
{
	race_with_program(race_with_execute, true);
}

TEST(program_with_capabilities_does_not_prove_anything)
{
	race_with_program(race_with_execute, false);
}

/*
 * The highest IDs of the namespace, which the service asks for. A setuid program of a user with
 * subordinate IDs has them.
 */
#define HIGHEST 119999

static void prove_and_execute(const int fds[2])
{
	int connection;

	must(syscall(SYS_setgroups, 0, NULL));
	must(syscall(SYS_setresgid, 5, 5, HIGHEST));
	must(syscall(SYS_setresuid, 5, 5, HIGHEST));
	connection = connect_service();
	send_request(connection, IDM_SERVICE_MAP, fds, 2);
	send_proof(connection, &(struct idm_service_reply){ .uid = HIGHEST, .gid = HIGHEST });
	must(dup2(connection, STDIN_FILENO));
	execl(PROGRAM, "sleep", "60", NULL);
	fail_msg("execute: %s", strerror(errno));
}

/* The map would let uid 5 act as root of its namespace. */
static void prove_before_execute(void *data)
{
	const struct race *race = data;
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("1500:5"), connection = -1;
	const int fds[] = { tree, userns };
	char byte;
	pid_t pid = (pid_t)must(fork());

	if (pid == 0)
		prove_and_execute(fds);
	await_text(pid, "comm", "sleep\n");
	must(write(race->ready, "", 1));
	must(read(race->go, &byte, 1));
	connection = get_fd(pid, STDIN_FILENO);
	assert_refused(receive_reply(connection), -EPERM, "came before the challenge");
	must(kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0));
}

TEST(proof_comes_after_the_look)
{
	race_with_program(prove_before_execute, false);
}

/* ---- a program between the two looks ---- */

static void challenge_and_execute(void *data)
{
	const struct race *race = data;
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("1500:0");
	AUTO_CLOSE int connection = connect_service();
	const int fds[] = { tree, userns };
	struct idm_service_reply challenge;
	char byte;

	send_request(connection, IDM_SERVICE_MAP, fds, 2);
	challenge = receive_reply(connection);
	assert_int_equal(challenge.state, IDM_SERVICE_CHALLENGE);
	must(write(race->ready, "", 1));
	must(read(race->go, &byte, 1));
	send_proof(connection, &challenge);
	must(dup2(connection, STDIN_FILENO));
	execlp("sleep", "sleep", "60", NULL);
	fail_msg("execute: %s", strerror(errno));
}

/* The worker is stopped from the challenge on until the process is the other program. */
static void execute_between_looks(const struct service *service)
{
	AUTO_CLOSE int connection = -1;
	int ready[2], go[2];
	pid_t pid, worker;
	char byte;

	must(pipe2(ready, O_CLOEXEC));
	must(pipe2(go, O_CLOEXEC));
	pid = (pid_t)must(fork());
	if (pid == 0) {
		become_client(&ORDINARY);
		challenge_and_execute(&(struct race){ .ready = ready[1], .go = go[0] });
	}
	must(read(ready[0], &byte, 1));
	worker = service_worker(service);
	must(kill(worker, SIGSTOP));
	must(write(go[1], "", 1));
	await_text(pid, "comm", "sleep\n");
	connection = get_fd(pid, STDIN_FILENO);
	must(kill(worker, SIGCONT));
	assert_refused(receive_reply(connection), -EPERM, "executed a program");
	must(kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0));
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
}

TEST(caller_executes_no_program)
{
	struct service (*const starts[])(const char *) = { service_start, service_start_by_number };

	enter_with_data();
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		struct service service = starts[i](NULL);

		execute_between_looks(&service);
		service_stop(&service);
	}
}

/* ---- groups ---- */

#define NEGATIVE DATA "/negative"

static int open_negative(int dirfd, const char *path)
{
	AUTO_CLOSE int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

static void ask_in_group(void *mapper)
{
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("1500:0");

	assert_int_equal(open_negative(AT_FDCWD, NEGATIVE), -EACCES);
	assert_refused(ask(tree, userns), -EPERM, "cannot leave group 1700");
	assert_int_equal(open_negative(tree, "negative"), -EACCES);
	/* The map that was refused would have given access. */
	mapper_ask(mapper, tree, userns);
	assert_int_equal(open_negative(tree, "negative"), 0);
}

static void map_for_group(void *unused)
{
	(void)unused;
	assert_mapped(ask_for(DATA, "1500:0"));
}

/* The caller's namespace has the group as 1. */
static void map_and_keep_group(void *unused)
{
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("u:1500:0,g:1500:0,g:1700:1");

	(void)unused;
	assert_refused(ask_for(DATA, "u:1500:0,g:1500:0,g:1700:2"), -EPERM, "cannot leave group 1700");
	assert_mapped(ask(tree, userns));
	assert_int_equal(open_negative(tree, "negative"), -EACCES);
}

/* With a map that leaves out a group that cannot be left. */
static void refuse_for_group(struct identity who)
{
	struct mapper mapper = mapper_start();

	as_client(who, ask_in_group, &mapper);
	mapper_end(&mapper);
}

static void try_groups(void)
{
	const struct identity member = { .uid = USER,
					 .gid = USER,
					 .group = OTHER_GROUP,
					 .map = "0 1500 1\n",
					 .deny_setgroups = true };
	struct identity who = member;

	refuse_for_group(who);
	who.gid_map = "0 1500 1\n1 1700 1\n2 1800 1\n" MANY_IDS;
	refuse_for_group(who);
	as_client(who, map_and_keep_group, NULL);
	who = member;
	who.group = 0;
	as_client(who, map_for_group, NULL);
	who = member;
	who.deny_setgroups = false;
	as_client(who, map_for_group, NULL);
}

static void make_negative(void)
{
	scratch_file(NEGATIVE, "secret");
	must(chown(NEGATIVE, OTHER_USER, OTHER_GROUP));
	must(chmod(NEGATIVE, 0604));
	try_groups();
}

TEST_SINCE(5, 12, mounts_are_not_mapped, group_that_cannot_be_left_is_refused)
{
	in_both_ways(make_negative);
}

#define GROUPS 8

/* Of the process that makes a connection, as SO_PEERGROUPS and /proc list them. */
static size_t list_groups(gid_t groups[GROUPS])
{
	int pair[2];
	socklen_t size = GROUPS * sizeof(*groups);

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	must(getsockopt(pair[0], SOL_SOCKET, SO_PEERGROUPS, groups, &size));
	close(pair[0]);
	close(pair[1]);
	return size / sizeof(*groups);
}

static void assert_groups_stay(size_t expected)
{
	gid_t groups[GROUPS];

	assert_int_equal(syscall(SYS_setgroups, 0, NULL), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(list_groups(groups), expected);
}

/* In its namespace, and as the root user of one below. */
static void try_to_leave_groups(void *unused)
{
	(void)unused;
	assert_groups_stay(1);
	must(unshare(CLONE_NEWUSER));
	write_id_map(getpid(), "uid_map", "0 0 1\n");
	write_id_map(getpid(), "gid_map", "0 0 1\n");
	assert_groups_stay(1);
}

/* So the groups at the look are those of the connection, and SO_PEERGROUPS would tell no others. */
TEST_ANYWHERE(groups_of_a_caller_are_final_where_setgroups_is_denied)
{
	need_root();
	as_client((struct identity){ .uid = USER,
				     .gid = USER,
				     .group = OTHER_GROUP,
				     .map = "0 1500 1\n",
				     .deny_setgroups = true },
		  try_to_leave_groups, NULL);
}

/* ---- processes that cannot execute newuidmap ---- */

static void ask_without_ranges(void *unused)
{
	(void)unused;
	assert_refused(ask_for(DATA, "u:200005:0,g:1500:0"), -EPERM, "disk uid 200005");
	assert_refused(ask_for(DATA, "u:1500:0,g:200005:0"), -EPERM, "disk gid 200005");
	if (!kernel_is_before(5, 12))
		assert_mapped(ask_for(DATA, "1500:0"));
}

static void ask_with_no_new_privs(void)
{
	as_client((struct identity){ .uid = USER,
				     .gid = USER,
				     .map = "0 1500 1\n",
				     .deny_setgroups = true,
				     .no_new_privs = true },
		  ask_without_ranges, NULL);
}

TEST(ranges_in_files_do_not_matter)
{
	in_both_ways(ask_with_no_new_privs);
}

/* sg(1) adds to a process a group that its user namespace lacks. */
static void ask_with_group(void *unused)
{
	(void)unused;
	assert_refused(ask_for(DATA, "u:1500:0,g:1700:0"), -EPERM, "disk gid 1700");
}

static void ask_with_foreign_group(void)
{
	as_client((struct identity){ .uid = USER, .gid = OTHER_GROUP, .map = RANGES }, ask_with_group,
		  NULL);
}

TEST(effective_group_does_not_matter)
{
	in_both_ways(ask_with_foreign_group);
}

static void ask_undumpable(void *unused)
{
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("1500:0");

	(void)unused;
	must(prctl(PR_SET_DUMPABLE, 0));
	assert_mapped(ask(tree, userns));
}

static void ask_as_undumpable(void)
{
	as_client(ORDINARY, ask_undumpable, NULL);
}

TEST_SINCE(5, 12, mounts_are_not_mapped, caller_may_be_undumpable)
{
	in_both_ways(ask_as_undumpable);
}

/* ---- which process ---- */

static void ask_for_parent(void *data)
{
	const int *connection = data;
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("1500:0");
	const int fds[] = { tree, userns };

	send_request(*connection, IDM_SERVICE_MAP, fds, 2);
	assert_refused(receive_reply(*connection), -EPERM, "made the connection");
}

static void hand_connection_to_child(void *unused)
{
	AUTO_CLOSE int connection = connect_service();

	(void)unused;
	in_child(ask_for_parent, &connection);
}

static void ask_by_child(void)
{
	as_client(ORDINARY, hand_connection_to_child, NULL);
}

TEST(one_process_connects_and_sends)
{
	in_both_ways(ask_by_child);
}

/* The process that connected has exited, and was waited for. The service had accepted it by then. */
static int connection_of_exited(pid_t *number)
{
	int pair[2], fd;
	pid_t pid;

	must(pipe2(pair, O_CLOEXEC));
	pid = (pid_t)must(fork());
	if (pid == 0) {
		fd = connect_service();
		must(write(pair[1], &fd, sizeof(fd)));
		pause();
	}
	must(read(pair[0], &fd, sizeof(fd)));
	await_turn();
	fd = get_fd(pid, fd);
	must(kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0));
	close(pair[0]);
	close(pair[1]);
	*number = pid;
	return fd;
}

static void ask_on_connection_of_exited(void *unused)
{
	AUTO_CLOSE int connection = -1, tree = clone_tree(DATA), userns = userns_of("1500:0");
	const int fds[] = { tree, userns };
	pid_t number;

	(void)unused;
	connection = connection_of_exited(&number);
	send_request(connection, IDM_SERVICE_MAP, fds, 2);
	/* Some kernels have a pidfd of a process that exited. */
	assert_true(receive_reply(connection).result < 0);
}

static void ask_as_exited(void)
{
	as_client(ORDINARY, ask_on_connection_of_exited, NULL);
}

TEST(connection_of_an_exited_process_is_refused)
{
	in_both_ways(ask_as_exited);
}

/* ---- a number that is used again ---- */

/*
 * A client, and a connection of a process of the client's that has exited. Another process has its
 * number now, and all that a caller needs: it is root in the same user namespace.
 */
struct reuse {
	pid_t client, other;
	int tree, userns, connection;
	int go[2]; /* the other process waits */
};

/* Connects, and sends the request if there is one. The client kills it after that. */
static pid_t start_connector(const int *fds, int report)
{
	pid_t pid = (pid_t)must(fork());
	int connection;

	if (pid != 0)
		return pid;
	connection = connect_service();
	if (fds)
		send_request(connection, IDM_SERVICE_MAP, fds, 2);
	must(write(report, &connection, sizeof(connection)));
	pause();
	_exit(0);
}

struct reuse_plan {
	bool request_first; /* the process that exits sends it */
	int report[2];
};

struct reuse_report {
	pid_t number;
	int tree, userns, connection;
};

/* The service has accepted the connection before its process exits. */
static void connect_and_exit(void *data)
{
	const struct reuse_plan *plan = data;
	int tree = clone_tree(DATA), userns = userns_of("1500:0");
	const int fds[] = { tree, userns };
	struct reuse_report report = { .tree = tree, .userns = userns };
	int numbers[2];

	must(pipe2(numbers, O_CLOEXEC));
	report.number = start_connector(plan->request_first ? fds : NULL, numbers[1]);
	must(read(numbers[0], &report.connection, sizeof(report.connection)));
	if (!plan->request_first)
		await_turn();
	report.connection = get_fd(report.number, report.connection);
	must(kill(report.number, SIGKILL));
	must(waitpid(report.number, NULL, 0));
	must(write(plan->report[1], &report, sizeof(report)));
	pause();
}

static void become_root_of(pid_t client)
{
	AUTO_CLOSE int userns = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)client);
	userns = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	must(setns(userns, CLONE_NEWUSER));
	must(syscall(SYS_setgroups, 0, NULL));
	must(syscall(SYS_setresgid, 0, 0, 0));
	must(syscall(SYS_setresuid, 0, 0, 0));
}

/* The number is free: no other test has processes in this PID namespace. */
static pid_t fork_with_number(pid_t number)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&number,
		.set_tid_size = 1,
	};

	return (pid_t)must(syscall(SYS_clone3, &args, sizeof(args)));
}

/* Runs `body` in a process that has the number and the rights. */
static void run_with_number(struct reuse *reuse, pid_t number, void (*body)(const struct reuse *))
{
	char byte;

	reuse->other = fork_with_number(number);
	if (reuse->other == 0) {
		assert_int_equal(getpid(), number);
		become_root_of(reuse->client);
		must(write(reuse->go[1], "", 1));
		body(reuse);
		_exit(0);
	}
	assert_int_equal(reuse->other, number);
	must(read(reuse->go[0], &byte, 1));
}

static struct reuse_report start_reused(struct reuse *reuse, bool request_first)
{
	struct reuse_plan plan = { .request_first = request_first };
	struct reuse_report report;

	must(pipe2(plan.report, O_CLOEXEC));
	must(pipe2(reuse->go, O_CLOEXEC));
	reuse->client = (pid_t)must(fork());
	if (reuse->client == 0) {
		become_client(&ORDINARY);
		connect_and_exit(&plan);
	}
	assert_int_equal(must(read(plan.report[0], &report, sizeof(report))), sizeof(report));
	reuse->tree = get_fd(reuse->client, report.tree);
	reuse->userns = get_fd(reuse->client, report.userns);
	reuse->connection = get_fd(reuse->client, report.connection);
	for (int i = 0; i < 2; i++)
		close(plan.report[i]);
	return report;
}

static void end_reused(struct reuse *reuse)
{
	const int fds[] = { reuse->tree, reuse->userns, reuse->connection, reuse->go[0], reuse->go[1] };

	must(kill(reuse->client, SIGKILL));
	must(waitpid(reuse->client, NULL, 0));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void send_as_reused(const struct reuse *reuse)
{
	const int fds[] = { reuse->tree, reuse->userns };

	send_request(reuse->connection, IDM_SERVICE_MAP, fds, 2);
}

/* The number is that of the connection. The process is another one. */
static void be_refused_as_reused(const struct reuse *reuse)
{
	send_as_reused(reuse);
	assert_refused(receive_reply(reuse->connection), -ESRCH, "the caller exited");
}

/* Without SO_PEERPIDFD the sender is the caller: it has the number at that time, and proves its rights.
 */
static void be_mapped_as_reused(const struct reuse *reuse)
{
	struct idm_service_reply reply;

	send_as_reused(reuse);
	reply = receive_reply(reuse->connection);
	assert_int_equal(reply.state, IDM_SERVICE_CHALLENGE);
	send_proof(reuse->connection, &reply);
	assert_mapped(receive_reply(reuse->connection));
}

static void ask_with_reused_number(struct service (*start)(const char *),
				   void (*body)(const struct reuse *))
{
	struct service service = start(NULL);
	struct reuse reuse;
	struct reuse_report report = start_reused(&reuse, false);

	run_with_number(&reuse, report.number, body);
	await_child(reuse.other);
	end_reused(&reuse);
	service_stop(&service);
}

static void refuse_reused_number(void *unused)
{
	(void)unused;
	ask_with_reused_number(service_start, be_refused_as_reused);
}

static void callers_are_known_by_number(void)
{
	untried("a service does not know callers of other PID namespaces");
}

TEST_SINCE(6, 5, callers_are_known_by_number, reused_number_is_another_caller)
{
	enter_with_data();
	in_pid_namespace(refuse_reused_number, NULL);
}

static void map_reused_number(void *unused)
{
	(void)unused;
	ask_with_reused_number(service_start_by_number, be_mapped_as_reused);
}

TEST_SINCE(5, 12, mounts_are_not_mapped, reused_number_proves_its_own_rights)
{
	enter_with_data();
	in_pid_namespace(map_reused_number, NULL);
}

/* ---- a number that is used again after the request ---- */

static void stay_with_number(const struct reuse *reuse)
{
	(void)reuse;
	pause();
}

/*
 * The request of a process that exited waits for the service, which finds another process by its number.
 * That one has all rights, and does nothing. A third process has the connection.
 */
static void prove_for_reused(void *data)
{
	const int connection = *(int *)data;
	struct idm_service_reply reply = receive_reply(connection);

	/* The look alone is deceived. */
	assert_int_equal(reply.state, IDM_SERVICE_CHALLENGE);
	send_proof(connection, &reply);
	assert_refused(receive_reply(connection), -EPERM, "made the connection");
}

static void be_refused_for_reused(void *data)
{
	assert_refused(receive_reply(*(int *)data), -ESRCH, "the caller exited");
}

static void ask_before_reuse(struct service (*start)(const char *), void (*body)(void *))
{
	struct service service = start(NULL);
	struct reuse reuse;
	struct reuse_report report;

	must(kill(service.pid, SIGSTOP));
	report = start_reused(&reuse, true);
	run_with_number(&reuse, report.number, stay_with_number);
	must(kill(service.pid, SIGCONT));
	as_client(ORDINARY, body, &reuse.connection);
	must(kill(reuse.other, SIGKILL));
	must(waitpid(reuse.other, NULL, 0));
	end_reused(&reuse);
	service_stop(&service);
}

static void reuse_number_by_number(void *unused)
{
	(void)unused;
	ask_before_reuse(service_start_by_number, prove_for_reused);
}

TEST_SINCE(5, 12, mounts_are_not_mapped, reused_number_does_not_prove_anything)
{
	enter_with_data();
	in_pid_namespace(reuse_number_by_number, NULL);
}

static void reuse_number_of_pidfd(void *unused)
{
	(void)unused;
	ask_before_reuse(service_start, be_refused_for_reused);
}

TEST_SINCE(6, 5, callers_are_known_by_number, reused_number_is_not_looked_at)
{
	enter_with_data();
	in_pid_namespace(reuse_number_of_pidfd, NULL);
}

/* ---- PID namespaces ---- */

static void ask_from_pid_namespace(void *reason)
{
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("1500:0");
	pid_t pid;

	must(unshare(CLONE_NEWPID));
	pid = (pid_t)must(fork());
	if (pid == 0) {
		assert_int_equal(getpid(), 1);
		if (reason)
			assert_refused(ask(tree, userns), -EPERM, reason);
		else
			assert_mapped(ask(tree, userns));
		_exit(0);
	}
	await_child(pid);
}

TEST_SINCE(6, 5, callers_are_known_by_number, caller_may_be_in_a_pid_namespace)
{
	struct service service;

	enter_with_data();
	service = service_start(NULL);
	as_client(ORDINARY, ask_from_pid_namespace, NULL);
	service_stop(&service);
}

/* Root there can send another number than its own. */
TEST(caller_in_a_pid_namespace_needs_linux_6_5)
{
	struct service service;

	enter_with_data();
	service = service_start_by_number(NULL);
	as_client(ORDINARY, ask_from_pid_namespace, (void *)"needs Linux 6.5");
	service_stop(&service);
}
