// SPDX-License-Identifier: MIT
/* Many clients: what one user has of the service, whatever its IDs are, and what is left for others. */
#include <linux/securebits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clients.h"
#include "lib/base/macros.h"

static struct identity user_with(uint32_t uid, char map[32])
{
	snprintf(map, 32, "0 %u 1\n", uid);
	return (struct identity){ .uid = uid, .gid = uid, .map = map };
}

static void make_directory_of(uint32_t uid, char path[64])
{
	snprintf(path, 64, SCRATCH "/of%u", uid);
	scratch_dir(path);
	must(chown(path, uid, uid));
}

static void ask_as_user(void *path)
{
	char map[32];

	snprintf(map, sizeof(map), "%u:0", OTHER_USER);
	assert_mapped(ask_for(path, map));
}

/* The service has not waited for a time-out. */
static void assert_other_user_is_served(void)
{
	AUTO_FREE char *log = NULL;
	char map[32], path[64];

	make_directory_of(OTHER_USER, path);
	as_client(user_with(OTHER_USER, map), ask_as_user, path);
	log = service_log();
	assert_contains(log, "uid 1600");
	assert_null(strstr(log, "timed out"));
}

static unsigned int count_lines_with(const char *text, const char *words)
{
	unsigned int n = 0;

	while ((text = strstr(text, words))) {
		n++;
		text += strlen(words);
	}
	return n;
}

/* ---- one user with many IDs ---- */

#define IDS 20
#define REQUESTS_OF_ID 4

struct held {
	const char *path, *map;
	int *pipes; /* it is ready; it may go on */
};

/* Requests whose proofs are not sent. Some of them wait for a worker. */
static void hold_requests(const struct held *held)
{
	AUTO_CLOSE int tree = clone_tree(held->path), userns = userns_of(held->map);
	const int fds[] = { tree, userns };
	char byte;

	for (int i = 0; i < REQUESTS_OF_ID; i++)
		send_request(connect_service(), IDM_SERVICE_MAP, fds, 2);
	must(write(held->pipes[1], "", 1));
	must(read(held->pipes[2], &byte, 1));
	_exit(0);
}

/* Its capabilities stay. */
static void become_subordinate(uint32_t id)
{
	must(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0));
	must(syscall(SYS_setresgid, id, id, id));
	must(syscall(SYS_setresuid, id, id, id));
	must(prctl(PR_SET_DUMPABLE, 1));
}

static void hold_in_namespace(void *pipes)
{
	for (uint32_t i = 0; i < IDS; i++) {
		if (must(fork()) != 0)
			continue;
		become_subordinate(1 + i);
		hold_requests(&(struct held){ DATA, "1500:0", pipes });
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* As a setuid program of each ID does, outside of the user's namespaces. */
static void hold_outside(void *pipes)
{
	for (uint32_t i = 0; i < IDS; i++) {
		char ids[32], path[64], map[32];
		struct identity who = user_with(200000 + i, ids);

		make_directory_of(200000 + i, path);
		if (must(fork()) != 0)
			continue;
		become_client(&who);
		snprintf(map, sizeof(map), "%u:0", 200000 + i);
		hold_requests(&(struct held){ path, map, pipes });
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void hold_as_ordinary(void *pipes)
{
	as_client(ORDINARY, hold_in_namespace, pipes);
}

/* /etc/subuid of the test's own. */
static void enter_with_etc(void)
{
	enter_with_data();
	scratch_dir(SCRATCH "/etc");
	scratch_file(SCRATCH "/etc/passwd", "root:x:0:0::/:/bin/sh\njoe:x:1500:1500::/:/bin/sh\n");
	scratch_file(SCRATCH "/etc/subuid", "ann:100000:65536\njoe:200000:1000\n");
	must(mount(SCRATCH "/etc", "/etc", NULL, MS_BIND, NULL));
}

static void hold_all(void (*hold)(void *), struct service (*start)(const char *))
{
	struct service service;
	int ready[2], go[2];
	char byte;
	pid_t pid;

	enter_with_etc();
	service = start(NULL);
	must(pipe2(ready, O_CLOEXEC));
	must(pipe2(go, O_CLOEXEC));
	pid = (pid_t)must(fork());
	if (pid == 0) {
		hold((int[]){ ready[0], ready[1], go[0] });
		_exit(0);
	}
	for (int i = 0; i < IDS; i++)
		must(read(ready[0], &byte, 1));
	assert_other_user_is_served();
	for (int i = 0; i < IDS; i++)
		must(write(go[1], "", 1));
	await_child(pid);
	service_stop(&service);
	proof("hostile", IDS * REQUESTS_OF_ID, "requests of one user by many IDs");
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
}

TEST_SINCE(5, 12, mounts_are_not_mapped, ids_of_a_namespace_are_one_user)
{
	hold_all(hold_as_ordinary, service_start);
}

TEST_SINCE(5, 12, mounts_are_not_mapped, ids_of_a_line_are_one_user)
{
	hold_all(hold_outside, service_start);
}

static void hold_by_odd_line(void *pipes)
{
	scratch_file(SCRATCH "/etc/subuid", "ann:100000:65536\njoe: 0x30d40:1000:");
	hold_outside(pipes);
}

/* newuidmap(1) accepts it. */
TEST_SINCE(5, 12, mounts_are_not_mapped, ids_of_an_odd_line_are_one_user)
{
	hold_all(hold_by_odd_line, service_start);
}

/* The kernel does not tell whose namespace it is. The line does. */
TEST_SINCE(5, 12, mounts_are_not_mapped, ids_are_one_user_before_linux_6_5)
{
	hold_all(hold_as_ordinary, service_start_by_number);
}

static void hold_without_line(void *pipes)
{
	scratch_file(SCRATCH "/etc/subuid", "");
	hold_as_ordinary(pipes);
}

static void the_kernel_does_not_tell(void)
{
	untried("the kernel does not tell a service which user namespace a client is in");
}

TEST_SINCE(6, 5, the_kernel_does_not_tell, ids_of_a_namespace_without_a_line_are_one_user)
{
	hold_all(hold_without_line, service_start);
}

/* ---- users who act together ---- */

#define TOGETHER 4
#define REQUESTS_TOGETHER 130 /* more than the service accepts of one */

/* Requests without proofs, in a directory of the user. All connections stay open. */
struct together {
	int ready[2], go[2];
	pid_t pids[TOGETHER];
};

static void hold_as_one_of(const struct together *t, uint32_t uid)
{
	AUTO_CLOSE int tree = -1, userns = -1;
	char path[64], ids[32], map[32], byte;
	struct identity who = user_with(uid, ids);

	make_directory_of(uid, path);
	become_client(&who);
	snprintf(map, sizeof(map), "%u:0", uid);
	tree = clone_tree(path);
	userns = userns_of(map);
	for (int i = 0; i < REQUESTS_TOGETHER; i++)
		send_request(connect_service(), IDM_SERVICE_MAP, (int[]){ tree, userns }, 2);
	must(write(t->ready[1], "", 1));
	must(read(t->go[0], &byte, 1));
	_exit(0);
}

static void begin_together(struct together *t)
{
	char byte;

	must(pipe2(t->ready, O_CLOEXEC));
	must(pipe2(t->go, O_CLOEXEC));
	for (uint32_t i = 0; i < TOGETHER; i++) {
		t->pids[i] = (pid_t)must(fork());
		if (t->pids[i] == 0)
			hold_as_one_of(t, 30000 + i);
	}
	for (uint32_t i = 0; i < TOGETHER; i++)
		must(read(t->ready[0], &byte, 1));
}

static void end_together(struct together *t)
{
	for (uint32_t i = 0; i < TOGETHER; i++)
		must(write(t->go[1], "", 1));
	for (uint32_t i = 0; i < TOGETHER; i++)
		await_child(t->pids[i]);
	for (int i = 0; i < 2; i++) {
		close(t->ready[i]);
		close(t->go[i]);
	}
}

/* They have all 512 connections. */
TEST_SINCE(5, 12, mounts_are_not_mapped, four_users_stop_no_other_one)
{
	struct together t;
	struct service service;

	enter_with_data();
	service = service_start(NULL);
	begin_together(&t);
	assert_other_user_is_served();
	end_together(&t);
	service_stop(&service);
}

/* ---- many users at once ---- */

#define USERS (test_is_long() ? 100U : test_is_slow() ? 4U : 20U)
#define REQUESTS_OF_USER (test_is_long() ? 100 : 25)
#define OPEN_OF_USER 32 /* more can be refused while no connection is free */
#define FIRST_USER 30000U

struct crowd {
	uint32_t uid;
	char path[64];
	int go;
};

/* False: the queue of the listening socket is full. */
static bool begin_request(const struct crowd *crowd, int userns, struct pollfd *connection)
{
	AUTO_CLOSE int tree = -1;

	connection->events = POLLIN;
	connection->fd = connect_without_waiting();
	if (connection->fd < 0)
		return false;
	tree = clone_tree(crowd->path);
	send_request(connection->fd, IDM_SERVICE_MAP, (int[]){ tree, userns }, 2);
	return true;
}

/* Returns whether the request is over. */
static bool go_on(struct pollfd *connection)
{
	struct idm_service_reply reply;

	if (!connection->revents)
		return false;
	reply = receive_reply(connection->fd);
	if (reply.state == IDM_SERVICE_CHALLENGE) {
		send_proof(connection->fd, &reply);
		return false;
	}
	assert_mapped(reply);
	close(connection->fd);
	connection->fd = -1;
	return true;
}

static void ask_at_once(void *data)
{
	const struct crowd *crowd = data;
	AUTO_CLOSE int userns = -1;
	struct pollfd connections[100];
	int begun = 0, over = 0;
	char map[32], byte;

	snprintf(map, sizeof(map), "%u:0", crowd->uid);
	userns = userns_of(map);
	must(read(crowd->go, &byte, 1));
	while (over < REQUESTS_OF_USER) {
		while (begun < REQUESTS_OF_USER && begun - over < OPEN_OF_USER &&
		       begin_request(crowd, userns, &connections[begun]))
			begun++;
		must(poll(connections, (nfds_t)begun, begun < REQUESTS_OF_USER ? 10 : -1));
		for (int i = 0; i < begun; i++)
			over += go_on(&connections[i]);
	}
}

static pid_t start_user(uint32_t uid, int go)
{
	struct crowd crowd = { .uid = uid, .go = go };
	char ids[32];
	pid_t pid;

	make_directory_of(uid, crowd.path);
	pid = (pid_t)must(fork());
	if (pid == 0) {
		as_client(user_with(uid, ids), ask_at_once, &crowd);
		_exit(0);
	}
	return pid;
}

/* Among them is one user whose clients never send a proof. */
static void serve_crowd(void)
{
	int hold[2], ready[2], go[2];
	pid_t users[100], slow;
	char byte;

	must(pipe2(hold, O_CLOEXEC));
	must(pipe2(ready, O_CLOEXEC));
	must(pipe2(go, O_CLOEXEC));
	slow = (pid_t)must(fork());
	if (slow == 0) {
		hold_as_ordinary((int[]){ ready[0], ready[1], hold[0] });
		_exit(0);
	}
	for (int i = 0; i < IDS; i++)
		must(read(ready[0], &byte, 1));
	for (uint32_t i = 0; i < USERS; i++)
		users[i] = start_user(FIRST_USER + i, go[0]);
	for (uint32_t i = 0; i < USERS; i++)
		must(write(go[1], "", 1));
	for (uint32_t i = 0; i < USERS; i++)
		await_child(users[i]);
	for (int i = 0; i < IDS; i++)
		must(write(hold[1], "", 1));
	await_child(slow);
	for (int i = 0; i < 2; i++) {
		close(hold[i]);
		close(ready[i]);
		close(go[i]);
	}
}

TEST_AS(requests_of_many_users_at_once, 300, 5, 12, mounts_are_not_mapped)
{
	struct service service;
	unsigned int fds;

	enter_with_data();
	service = service_start(NULL);
	fds = service_fds(&service);
	serve_crowd();
	while (service_fds(&service) > fds)
		usleep(1000);
	service_stop(&service);
	proof("hostile", USERS * (unsigned long)REQUESTS_OF_USER, "requests of many users at once");
}

/* ---- connections that are closed at once ---- */

#define FLOODERS 3

/* The service accepts more slowly than these connect. */
static void flood(void *ready)
{
	for (int i = 0;; i++) {
		close(connect_service());
		if (i == 1000)
			must(write(*(int *)ready, "", 1));
	}
}

static void flood_as_ordinary(void *ready)
{
	must(prctl(PR_SET_PDEATHSIG, SIGKILL));
	become_client(&ORDINARY);
	must(prctl(PR_SET_PDEATHSIG, SIGKILL));
	flood(ready);
}

/* Before, the service accepted until there was no further connection, and then answered. */
TEST_SINCE(5, 12, mounts_are_not_mapped, connections_without_end_stop_no_other_user)
{
	pid_t flooders[FLOODERS];
	struct service service;
	int ready[2];
	char byte;

	enter_with_data();
	service = service_start(NULL);
	must(pipe2(ready, O_CLOEXEC));
	for (int i = 0; i < FLOODERS; i++) {
		flooders[i] = (pid_t)must(fork());
		if (flooders[i] == 0)
			flood_as_ordinary(&ready[1]);
	}
	for (int i = 0; i < FLOODERS; i++)
		must(read(ready[0], &byte, 1));
	assert_other_user_is_served();
	for (int i = 0; i < FLOODERS; i++) {
		must(kill(flooders[i], SIGKILL));
		must(waitpid(flooders[i], NULL, 0));
	}
	service_stop(&service);
	close(ready[0]);
	close(ready[1]);
}

#define CLOSED 10

/* Each event has this size: a file that is watched itself has no name in it. */
static size_t count_events(int inotify)
{
	char events[100 * sizeof(struct inotify_event)];

	return (size_t)must(read(inotify, events, sizeof(events))) / sizeof(struct inotify_event);
}

/* The user of a client that has sent nothing is not needed. */
TEST_SINCE(5, 12, mounts_are_not_mapped, files_are_not_read_for_a_closed_connection)
{
	AUTO_CLOSE int inotify = -1;
	struct service service;

	enter_with_etc();
	service = service_start(NULL);
	inotify = (int)must(inotify_init1(IN_CLOEXEC));
	must(inotify_add_watch(inotify, "/etc/subuid", IN_OPEN | IN_CLOSE_NOWRITE));
	must(kill(service.pid, SIGSTOP));
	for (int i = 0; i < CLOSED; i++)
		close(connect_service());
	must(kill(service.pid, SIGCONT));
	assert_other_user_is_served();
	/* It can have read the file for the connection that its start was awaited with. */
	assert_true(count_events(inotify) <= 4);
	service_stop(&service);
}

/* ---- the log ---- */

#define MAPPED 300
#define REFUSALS 100

static void be_refused(void *unused)
{
	(void)unused;
	for (int i = 0; i < REFUSALS; i++)
		assert_refused(ask_for(DATA, "u:0:0,g:1500:0"), -EPERM, "disk uid 0");
}

/* What the lines about left out ones say together. */
static unsigned int sum_left_out(const char *log, const char *kind)
{
	unsigned int sum = 0;

	for (const char *line = log; (line = strstr(line, "uid 1500: ")); line++) {
		char *rest;
		unsigned int n = (unsigned int)strtoul(line + strlen("uid 1500: "), &rest, 10);

		if (strncmp(rest, kind, strlen(kind)) == 0)
			sum += n;
	}
	return sum;
}

static void be_mapped_often(void *unused)
{
	AUTO_CLOSE int userns = userns_of("1500:0");

	(void)unused;
	for (int i = 0; i < MAPPED; i++) {
		AUTO_CLOSE int tree = clone_tree(DATA);

		assert_mapped(ask(tree, userns));
	}
	be_refused(NULL);
}

TEST_SINCE(5, 12, mounts_are_not_mapped, requests_do_not_flood_the_log)
{
	AUTO_FREE char *log = NULL;
	unsigned int mapped, refused;
	struct service service;

	enter_with_data();
	service = service_start(NULL);
	as_client(ORDINARY, be_mapped_often, NULL);
	assert_other_user_is_served();
	service_stop(&service);
	log = service_log();
	refused = count_lines_with(log, ": refused: disk uid 0");
	assert_true(refused > 0 && refused < REFUSALS / 2);
	assert_int_equal(refused + sum_left_out(log, " refused requests more"), REFUSALS);
	mapped = count_lines_with(log, "uid 1500, pid ") - refused;
	assert_true(mapped < MAPPED);
	assert_int_equal(mapped + sum_left_out(log, " mapped requests more"), MAPPED);
}

#define ODD_NAME "a\nidmountd: b\033[2J" /* also of a process, which has 15 bytes */
#define ODD_DIRECTORY DATA "/" ODD_NAME
#define LINE_LIMIT 1023

static char *print_long_side(char *at, char kind, unsigned int first, unsigned int second)
{
	at += sprintf(at, "%c:%u:0", kind, first);
	for (unsigned int i = 1; i < IDM_SERVICE_MAP_LINES; i++)
		at += sprintf(at, ",%c:%u:%u", kind, second + 2 * i, i);
	return at;
}

/* Its first ID is `first`. The sides differ, so that the log has both. */
static void make_long_map(char *map, unsigned int first)
{
	char *at = print_long_side(map, 'u', first, 200000);

	*at++ = ',';
	print_long_side(at, 'g', USER, 200001);
}

static void ask_with_odd_names(void *unused)
{
	static char map[IDM_SERVICE_MAP_LINES * 64];

	(void)unused;
	must(prctl(PR_SET_NAME, ODD_NAME));
	make_long_map(map, USER);
	assert_mapped(ask_for(ODD_DIRECTORY, map));
	make_long_map(map, OTHER_USER);
	assert_refused(ask_for(ODD_DIRECTORY, map), -EPERM, "disk uid 1600");
}

/* Returns the next line. */
static const char *check_log_line(const char *line)
{
	static const char start[] = "idmountd: uid 1500, pid ";
	const char *end = strchr(line, '\n');

	assert_non_null(end);
	assert_true(strncmp(line, start, sizeof(start) - 1) == 0);
	assert_true(end - line <= LINE_LIMIT);
	for (const char *c = line; c < end; c++)
		assert_true(*c >= ' ' && *c <= '~');
	return end + 1;
}

/* No word of a client's is in the log. A long map is cut, and the verdict is there. */
TEST_SINCE(5, 12, mounts_are_not_mapped, each_request_is_one_line_of_the_log)
{
	AUTO_FREE char *log = NULL;
	struct service service;
	const char *line;
	unsigned int n = 0;

	enter_with_data();
	scratch_dir(ODD_DIRECTORY);
	must(chown(ODD_DIRECTORY, USER, USER));
	service = service_start(NULL);
	as_client(ORDINARY, ask_with_odd_names, NULL);
	service_stop(&service);
	log = service_log();
	for (line = log; *line; n++)
		line = check_log_line(line);
	assert_int_equal(n, 2);
	assert_contains(log, "...: mapped\n");
	assert_contains(log, "...: refused: disk uid 1600");
	assert_int_equal(count_lines_with(log, ODD_NAME), 0);
}
