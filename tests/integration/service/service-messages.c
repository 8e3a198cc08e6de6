// SPDX-License-Identifier: MIT
/* Messages, descriptors, limits, and the socket itself. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clients.h"
#include "tests/integration/check/fuse-server.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"

static void with_service(void (*body)(void *))
{
	struct service service;
	unsigned int fds;

	enter_with_data();
	service = service_start(NULL);
	fds = service_fds(&service);
	as_client(ORDINARY, body, NULL);
	/* A worker that has replied may not have exited yet. */
	while (service_fds(&service) > fds)
		usleep(1000);
	service_stop(&service);
}

/* ---- messages ---- */

static struct idm_service_reply reply_to(const void *data, size_t size, const int *fds, size_t n)
{
	AUTO_CLOSE int connection = connect_service();
	struct idm_service_reply reply;

	send_message(connection, data, size, fds, n, NULL);
	reply = receive_reply(connection);
	assert_int_equal(reply.state, IDM_SERVICE_DONE);
	assert_closed(connection);
	return reply;
}

static void send_odd_messages(void *unused)
{
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("1500:0");
	const int fds[] = { tree, userns };
	const struct idm_service_request future = { 2, IDM_SERVICE_MAP },
					 prove = { 1, IDM_SERVICE_PROVE }, nonsense = { 1, 77 };
	const uint32_t longer[3] = { 1, IDM_SERVICE_MAP, 0 };

	(void)unused;
	assert_refused(reply_to(longer, 4, fds, 2), -EBADMSG, "expected a request of 8 bytes, got 4");
	assert_refused(reply_to(longer, 7, fds, 2), -EBADMSG, "expected a request of 8 bytes, got 7");
	assert_refused(reply_to(longer, 12, fds, 2), -EBADMSG, "expected a request of 8 bytes");
	assert_refused(reply_to(longer, 0, fds, 2), -EBADMSG, "empty message");
	assert_refused(reply_to(&future, 8, fds, 2), -EPROTONOSUPPORT, "expected version 1");
	assert_refused(reply_to(&prove, 8, fds, 2), -EBADMSG, "expected operation 1, got 2");
	assert_refused(reply_to(&nonsense, 8, fds, 2), -EBADMSG, "expected operation 1, got 77");
}

TEST(odd_messages_are_refused)
{
	with_service(send_odd_messages);
}

static void send_second_request(void *unused)
{
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("1500:0");
	AUTO_CLOSE int connection = connect_service();
	const int fds[] = { tree, userns };

	(void)unused;
	send_request(connection, IDM_SERVICE_MAP, fds, 2);
	assert_int_equal(receive_reply(connection).state, IDM_SERVICE_CHALLENGE);
	send_request(connection, IDM_SERVICE_PROVE, fds, 2);
	assert_refused(receive_reply(connection), -EBADMSG, "expected 0 descriptors, got 2");
}

TEST(proof_has_no_descriptors)
{
	with_service(send_second_request);
}

static void send_empty_proof(void *unused)
{
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("1500:0");
	AUTO_CLOSE int connection = connect_service();
	const int fds[] = { tree, userns };

	(void)unused;
	send_request(connection, IDM_SERVICE_MAP, fds, 2);
	assert_int_equal(receive_reply(connection).state, IDM_SERVICE_CHALLENGE);
	send_message(connection, "", 0, fds, 1, NULL);
	assert_refused(receive_reply(connection), -EBADMSG, "expected a request of 8 bytes, got 0");
}

TEST(empty_proof_is_not_the_end)
{
	with_service(send_empty_proof);
}

/* ---- descriptors ---- */

static void send_numbers_of_fds(void *unused)
{
	static const size_t numbers[] = { 0, 1, 3, 4, 252, 253 };
	const struct idm_service_request request = { IDM_SERVICE_VERSION, IDM_SERVICE_MAP };
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("1500:0");
	int fds[253];

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = i % 2 ? userns : tree;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		assert_refused(reply_to(&request, sizeof(request), fds, numbers[i]), -EBADMSG,
			       "expected 2 descriptors, got ");
}

TEST(other_numbers_of_descriptors_are_refused)
{
	with_service(send_numbers_of_fds);
}

/* ---- descriptors of other kinds ---- */

#define MOST_KINDS 48

struct kinds {
	int fds[MOST_KINDS];
	size_t n;
};

/* From Linux 6.8 on the kernel sends no io_uring. */
static bool can_be_sent(int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(fd))] = { 0 };
	struct cmsghdr *c = (struct cmsghdr *)control;
	char byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr header = { .msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control) };
	int pair[2];
	bool sent;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	sent = sendmsg(pair[0], &header, 0) == 1;
	close(pair[0]);
	close(pair[1]);
	return sent;
}

/* A kernel lacks some kinds, and can refuse others to ordinary users. */
static void add_kind(struct kinds *kinds, const char *name, long fd)
{
	if (fd >= 0 && can_be_sent((int)fd)) {
		kinds->fds[kinds->n++] = (int)fd;
		return;
	}
	note("no %s: %s", name, strerror(errno));
	if (fd >= 0)
		close((int)fd);
}

static void close_kinds(const struct kinds *kinds)
{
	for (size_t i = 0; i < kinds->n; i++)
		close(kinds->fds[i]);
}

static long make_bpf_map(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
	};

	return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static long open_perf_event(void)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof(attr),
					.config = PERF_COUNT_SW_CPU_CLOCK };

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static long open_io_uring(void)
{
	struct io_uring_params params = { 0 };

	return syscall(SYS_io_uring_setup, 1, &params);
}

static long make_signalfd(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR2);
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

/* Any one that can be opened. Nothing is read from it. */
static long open_block_device(void)
{
	DIR *dir = opendir("/sys/class/block");
	const struct dirent *entry;
	long fd = -1;
	char path[300];

	while (fd < 0 && dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		if (entry->d_name[0] != '.')
			fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return fd;
}

static void add_kinds_of_user(struct kinds *kinds)
{
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	add_kind(kinds, "timerfd", timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	add_kind(kinds, "signalfd", make_signalfd());
	add_kind(kinds, "inotify", inotify_init1(IN_CLOEXEC));
	add_kind(kinds, "context of a filesystem", idm_sys_fsopen("tmpfs", FSOPEN_CLOEXEC));
	add_kind(kinds, "io_uring", open_io_uring());
	add_kind(kinds, "userfaultfd", syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
	add_kind(kinds, "terminal", terminal);
	if (terminal >= 0 && unlockpt(terminal) == 0)
		add_kind(kinds, "end of a terminal",
			 ioctl(terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
}

static void add_common_kinds(struct kinds *kinds)
{
	int *fds = kinds->fds, pair[2], pipes[2];
	size_t n = kinds->n;

	must(pipe2(pipes, O_CLOEXEC));
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	fds[n++] = pipes[0];
	fds[n++] = pipes[1];
	fds[n++] = pair[0];
	fds[n++] = pair[1];
	fds[n++] = (int)must(memfd_create("kind", MFD_CLOEXEC));
	fds[n++] = (int)must(epoll_create1(EPOLL_CLOEXEC));
	fds[n++] = (int)must(eventfd(0, EFD_CLOEXEC));
	fds[n++] = idm_sys_pidfd_open(getpid());
	fds[n++] = (int)must(open("/dev/null", O_RDWR | O_CLOEXEC));
	fds[n++] = (int)must(open("/proc/self/status", O_RDONLY | O_CLOEXEC));
	fds[n++] = (int)must(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
	fds[n++] = (int)must(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	fds[n++] = (int)must(open(DATA, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	fds[n++] = (int)must(open(DATA, O_PATH | O_CLOEXEC));
	fds[n++] = connect_service();
	kinds->n = n;
}

static void send_all_kinds(void *root)
{
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("1500:0");
	struct kinds kinds = *(const struct kinds *)root;
	const size_t of_root = kinds.n;

	add_common_kinds(&kinds);
	add_kinds_of_user(&kinds);
	for (size_t i = 0; i < kinds.n; i++) {
		assert_true(ask(kinds.fds[i], userns).result < 0);
		assert_refused(ask(tree, kinds.fds[i]), -EINVAL, "not a user namespace");
		assert_true(ask(kinds.fds[i], kinds.fds[kinds.n - 1 - i]).result < 0);
	}
	assert_refused(ask(userns, tree), -EINVAL, "not a user namespace");
	proof("hostile", (unsigned int)(2 * kinds.n), "descriptors of other kinds");
	for (size_t i = of_root; i < kinds.n; i++)
		close(kinds.fds[i]);
}

/* Ordinary users open none of these. A process of root's can hand one to a user. */
static struct kinds open_kinds_of_root(void)
{
	struct kinds kinds = { 0 };

	add_kind(&kinds, "fanotify", fanotify_init(FAN_CLOEXEC | FAN_CLASS_CONTENT, O_RDONLY));
	add_kind(&kinds, "BPF map", make_bpf_map());
	add_kind(&kinds, "perf event", open_perf_event());
	add_kind(&kinds, "block device", open_block_device());
	add_kind(&kinds, "file of root's", open(DATA "/0", O_RDWR | O_CLOEXEC));
	return kinds;
}

TEST(other_kinds_of_descriptors_are_refused)
{
	struct kinds root;
	struct service service;

	enter_with_data();
	root = open_kinds_of_root();
	service = service_start(NULL);
	as_client(ORDINARY, send_all_kinds, &root);
	service_stop(&service);
	close_kinds(&root);
}

/* ---- time and limits ---- */

static void be_silent(void *unused)
{
	AUTO_CLOSE int silent = connect_service(), half = connect_service();
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("1500:0");
	const int fds[] = { tree, userns };

	(void)unused;
	send_request(half, IDM_SERVICE_MAP, fds, 2);
	assert_int_equal(receive_reply(half).state, IDM_SERVICE_CHALLENGE);
	/* No other client waits for these. */
	assert_refused(ask_for(DATA, "u:0:0,g:1500:0"), -EPERM, "disk uid 0");
	assert_refused(receive_reply(silent), -ETIMEDOUT, "no request came in time");
	assert_closed(silent);
	assert_refused(receive_reply(half), -ETIMEDOUT, "not finished in time");
	assert_closed(half);
}

TEST(silent_clients_are_closed)
{
	AUTO_FREE char *log = NULL;

	with_service(be_silent);
	log = service_log();
	assert_contains(log, "timed out");
}

#define MOST_CONNECTIONS 10000
#define CONNECTIONS (test_is_long() ? MOST_CONNECTIONS : 2000U)

static void raise_limit(unsigned int least)
{
	struct rlimit limit;

	must(getrlimit(RLIMIT_NOFILE, &limit));
	if (limit.rlim_max < least)
		skip_test("it requires %u descriptors", least);
	limit.rlim_cur = limit.rlim_max;
	must(setrlimit(RLIMIT_NOFILE, &limit));
}

/* Of one user: some are refused at once, and all are closed. */
static void connect_often(void *pipes)
{
	static int fds[MOST_CONNECTIONS];
	int *p = pipes;
	char byte;

	for (size_t i = 0; i < CONNECTIONS; i++)
		fds[i] = connect_service();
	must(write(p[0], "", 1));
	must(read(p[1], &byte, 1));
	for (size_t i = 0; i < CONNECTIONS; i++)
		close(fds[i]);
}

static void ask_as_other(void *unused)
{
	(void)unused;
	for (int i = 0; i < 20; i++)
		assert_refused(ask_for(SCRATCH "/other", "0:0"), -EPERM, "disk uid 0");
}

TEST(many_connections_stop_no_other_user)
{
	struct service service;
	int ready[2], go[2];
	char byte;
	pid_t pid;

	enter_with_data();
	raise_limit(CONNECTIONS + 100);
	scratch_dir(SCRATCH "/other");
	must(chown(SCRATCH "/other", OTHER_USER, OTHER_USER));
	service = service_start(NULL);
	must(pipe2(ready, O_CLOEXEC));
	must(pipe2(go, O_CLOEXEC));
	pid = (pid_t)must(fork());
	if (pid == 0) {
		int pipes[] = { ready[1], go[0] };

		as_client(ORDINARY, connect_often, pipes);
		_exit(0);
	}
	must(read(ready[0], &byte, 1));
	as_client((struct identity){ .uid = OTHER_USER, .gid = OTHER_USER, .map = "0 1600 1\n" },
		  ask_as_other, NULL);
	assert_true(service_fds(&service) < 600);
	must(write(go[1], "", 1));
	await_child(pid);
	service_stop(&service);
	proof("hostile", CONNECTIONS, "connections at once");
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
}

/* ---- the connections of one user ---- */

#define CONNECTIONS_OF_USER 128

/* The service answers in the order of the connections. */
static void exceed_connections(void *unused)
{
	int fds[CONNECTIONS_OF_USER + 1];
	struct pollfd last = { .events = POLLIN };
	struct idm_service_reply reply;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = connect_service();
	assert_refused(receive_reply(fds[CONNECTIONS_OF_USER]), -EAGAIN,
		       "too many connections of this user are open");
	assert_closed(fds[CONNECTIONS_OF_USER]);
	last.fd = fds[CONNECTIONS_OF_USER - 1];
	assert_int_equal(must(poll(&last, 1, 0)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	/* It can accept this one before it finds the others closed. */
	do
		reply = ask_for(DATA, "u:0:0,g:1500:0");
	while (reply.result == -EAGAIN);
	assert_refused(reply, -EPERM, "disk uid 0");
}

TEST(connections_of_a_user_are_limited)
{
	with_service(exceed_connections);
}

/* ---- a file whose server never answers when it is closed ---- */

#define FUSE_FILE SCRATCH "/fuse"

static void answer_fuse(int dev, const struct fuse_in_header *in)
{
	const struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION,
					    .minor = FUSE_KERNEL_MINOR_VERSION,
					    .max_write = 4096 };
	const struct fuse_attr_out attr = { .attr = { .ino = 1, .mode = S_IFREG | 0666, .nlink = 1 } };
	const struct fuse_open_out opened = { .fh = 1 };

	if (in->opcode == FUSE_INIT)
		fuse_answer(dev, in, 0, &init, sizeof(init));
	else if (in->opcode == FUSE_GETATTR)
		fuse_answer(dev, in, 0, &attr, sizeof(attr));
	else if (in->opcode == FUSE_OPEN)
		fuse_answer(dev, in, 0, &opened, sizeof(opened));
	else if (in->opcode != FUSE_FLUSH && fuse_wants_answer(in))
		fuse_answer(dev, in, -ENOSYS, "", 0);
}

/* The descriptor is the server's alone, so that the filesystem ends with it. */
static pid_t start_fuse(void (*answer)(int dev, const struct fuse_in_header *in))
{
	union fuse_request request;
	char options[128];
	pid_t pid;
	int dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (dev < 0)
		skip_test("no /dev/fuse: %s", strerror(errno));
	scratch_file(FUSE_FILE, "");
	snprintf(options, sizeof(options), "fd=%d,rootmode=100666,user_id=0,group_id=0,allow_other",
		 dev);
	do_mount("fuse", FUSE_FILE, "fuse", 0, options);
	pid = (pid_t)must(fork());
	if (pid != 0) {
		close(dev);
		return pid;
	}
	while (fuse_next(dev, &request))
		answer(dev, &request.in);
	_exit(0);
}

/* No other process has the file: its exit would wait for the server, too. */
static void hand_dead_file(void *done)
{
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("1500:0"),
		       bad = userns_of("u:0:0,g:1500:0");
	int file = (int)must(open(FUSE_FILE, O_RDWR | O_CLOEXEC));

	assert_refused(ask(tree, file), -EINVAL, "not a user namespace");
	assert_true(ask(file, userns).result < 0);
	assert_refused(ask(tree, bad), -EPERM, "disk uid 0");
	must(write(*(int *)done, "", 1));
}

static void ask_beside_dead_file(void)
{
	scratch_dir(SCRATCH "/other");
	must(chown(SCRATCH "/other", OTHER_USER, OTHER_USER));
	as_client((struct identity){ .uid = OTHER_USER, .gid = OTHER_USER, .map = "0 1600 1\n" },
		  ask_as_other, NULL);
}

TEST(file_that_cannot_be_closed_stops_its_user_only)
{
	struct service service;
	pid_t server, client;
	unsigned int fds;
	int done[2];
	char byte;

	enter_with_data();
	service = service_start(NULL);
	server = start_fuse(answer_fuse);
	fds = service_fds(&service);
	must(pipe2(done, O_CLOEXEC));
	client = (pid_t)must(fork());
	if (client == 0) {
		as_client(ORDINARY, hand_dead_file, &done[1]);
		_exit(0);
	}
	must(read(done[0], &byte, 1));
	close(done[0]);
	close(done[1]);
	ask_beside_dead_file();
	must(kill(server, SIGKILL));
	must(waitpid(server, NULL, 0));
	await_child(client);
	while (service_fds(&service) > fds)
		usleep(1000);
	service_stop(&service);
}

/* ---- files that wait for a server that writes nothing ---- */

#define STUCK 3000
#define STUCK_IDS 600U
#define STUCK_CHILDREN 8 /* four workers, two closers, and one of another user */

/* Each file's last close(2) writes its page, and waits for that. */
static void answer_all_but_write(int dev, const struct fuse_in_header *in)
{
	const struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION,
					    .minor = FUSE_KERNEL_MINOR_VERSION,
					    .flags = FUSE_WRITEBACK_CACHE,
					    .max_write = 4096 };

	if (in->opcode == FUSE_INIT)
		fuse_answer(dev, in, 0, &init, sizeof(init));
	else if (in->opcode == FUSE_FLUSH)
		fuse_answer(dev, in, -ENOSYS, "", 0);
	else if (in->opcode != FUSE_WRITE)
		answer_fuse(dev, in);
}

/* This process closes the file without waiting. There is nothing to write yet. */
static void leave_file(void)
{
	AUTO_CLOSE int connection = connect_service(),
		       file = (int)must(open(FUSE_FILE, O_RDWR | O_CLOEXEC));

	send_message(connection, "12345678", 8, &file, 1, NULL);
}

static void signal_and_wait(const struct race *race)
{
	char byte;

	must(write(race->ready, "", 1));
	must(read(race->go, &byte, 1));
}

static void leave_files_as_one(void)
{
	for (int i = 0; i < STUCK; i++)
		leave_file();
}

static void leave_files_as_many(void)
{
	for (uint32_t i = 0; i < STUCK_IDS; i++) {
		pid_t pid = (pid_t)must(fork());

		if (pid == 0) {
			must(syscall(SYS_setresuid, 1 + i, 1 + i, 1 + i));
			leave_file();
			_exit(0);
		}
		await_child(pid);
	}
}

/* The service is stopped, until there is something to write. */
static void leave_before_writing(const struct race *race, void (*leave)(void))
{
	int file = (int)must(open(FUSE_FILE, O_RDWR | O_CLOEXEC));

	leave();
	must(pwrite(file, "text", 4, 0));
	signal_and_wait(race);
}

static void leave_files(void *race)
{
	leave_before_writing(race, leave_files_as_one);
}

static void leave_files_of_user(const struct race *race)
{
	as_client(ORDINARY, leave_files, (void *)race);
}

static void leave_files_by_ids(void *race)
{
	leave_before_writing(race, leave_files_as_many);
}

static void leave_files_of_ids(const struct race *race)
{
	as_client(ORDINARY, leave_files_by_ids, (void *)race);
}

#define STUCK_USERS 12U
#define STUCK_OF_USER 200

/* The service sees a user in a process that has not exited. */
static void leave_few_files(void *race)
{
	for (int i = 0; i < STUCK_OF_USER; i++)
		leave_file();
	signal_and_wait(race);
}

static void start_user(uint32_t uid, struct race *race)
{
	if (must(fork()) != 0)
		return;
	as_client((struct identity){ .uid = uid, .gid = uid }, leave_few_files, race);
	_exit(0);
}

static void leave_files_of_users(const struct race *race)
{
	AUTO_CLOSE int file = (int)must(open(FUSE_FILE, O_RDWR | O_CLOEXEC));
	int ready[2], go[2];
	char bytes[STUCK_USERS];

	must(pipe2(ready, O_CLOEXEC));
	must(pipe2(go, O_CLOEXEC));
	for (uint32_t i = 0; i < STUCK_USERS; i++)
		start_user(1700 + i, &(struct race){ ready[1], go[0], NULL });
	for (uint32_t i = 0; i < STUCK_USERS; i++)
		must(read(ready[0], bytes, 1));
	must(pwrite(file, "text", 4, 0));
	signal_and_wait(race);
	must(write(go[1], bytes, sizeof(bytes)));
	for (uint32_t i = 0; i < STUCK_USERS; i++)
		must(wait(NULL));
}

/* Also those that are killed, and do not exit. */
static void list_children(const struct service *service, char list[65536])
{
	char path[64];
	AUTO_CLOSE int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", service->pid, service->pid);
	fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	n = read(fd, list, 65535);
	list[must(n)] = '\0';
}

static unsigned int count_children(const struct service *service)
{
	char list[65536], *at = list;
	unsigned int n = 0;

	list_children(service, list);
	while (strtol(at, &at, 10))
		n++;
	return n;
}

static pid_t find_child(const struct service *service)
{
	char list[65536];

	list_children(service, list);
	return (pid_t)strtol(list, NULL, 10);
}

/* Returns how many children the service has then. */
static unsigned int leave_and_serve_others(void (*leave)(const struct race *),
					   struct service (*start)(const char *option))
{
	struct service service;
	unsigned int children;
	pid_t server, client;
	int ready[2], go[2];
	char byte;

	enter_with_data();
	raise_limit(5 * STUCK);
	service = start(NULL);
	server = start_fuse(answer_all_but_write);
	must(pipe2(ready, O_CLOEXEC));
	must(pipe2(go, O_CLOEXEC));
	must(kill(service.pid, SIGSTOP));
	client = (pid_t)must(fork());
	if (client == 0) {
		leave(&(struct race){ ready[1], go[0], NULL });
		_exit(0);
	}
	must(read(ready[0], &byte, 1));
	must(kill(service.pid, SIGCONT));
	ask_beside_dead_file();
	children = count_children(&service);
	must(kill(server, SIGKILL));
	must(waitpid(server, NULL, 0));
	must(write(go[1], "", 1));
	await_child(client);
	service_stop(&service);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
	return children;
}

static void assert_few_children(unsigned int children)
{
	if (children > STUCK_CHILDREN)
		fail_msg("%u processes wait for the server", children);
}

TEST(files_that_cannot_be_written_fill_nothing)
{
	assert_few_children(leave_and_serve_others(leave_files_of_user, service_start));
	proof("hostile", STUCK, "files that cannot be closed");
}

/* All of them are more than the service can have. */
TEST(users_do_not_exhaust_few_descriptors)
{
	note("%u children", leave_and_serve_others(leave_files_of_users, service_start_with_few_fds));
	proof("hostile", STUCK_USERS * STUCK_OF_USER, "files of a dozen users that cannot be closed");
}

/* ---- the same in connections that the service has not accepted ---- */

/* A service that stops accepts no connection, and waits for the request. */
static void leave_files_in_queue(void *data)
{
	const struct race *race = data;
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("1500:0");
	AUTO_CLOSE int file = (int)must(open(FUSE_FILE, O_RDWR | O_CLOEXEC));
	AUTO_CLOSE int connection = connect_service(), silent = connect_service();
	const int fds[] = { tree, userns };
	struct idm_service_reply challenge;

	send_request(connection, IDM_SERVICE_MAP, fds, 2);
	challenge = receive_reply(connection);
	await_turn();
	signal_and_wait(race);
	assert_closed(silent);
	leave_file();
	must(pwrite(file, "text", 4, 0));
	send_proof(connection, &challenge);
	assert_mapped(receive_reply(connection));
	signal_and_wait(race);
}

static pid_t start_racer(struct race *race, struct race *racer, void (*attack)(void *))
{
	int ready[2], go[2];
	pid_t pid;

	must(pipe2(ready, O_CLOEXEC));
	must(pipe2(go, O_CLOEXEC));
	*race = (struct race){ go[1], ready[0], NULL };
	*racer = (struct race){ ready[1], go[0], NULL };
	pid = (pid_t)must(fork());
	if (pid == 0) {
		as_client(ORDINARY, attack, racer);
		_exit(0);
	}
	return pid;
}

static void close_race(const struct race *race)
{
	close(race->ready);
	close(race->go);
}

TEST_SINCE(5, 12, mounts_are_not_mapped, files_in_the_queue_stop_no_exit)
{
	struct race race, racer;
	struct service service;
	pid_t server, client;
	siginfo_t info;
	char byte;

	enter_with_data();
	service = service_start(NULL);
	server = start_fuse(answer_all_but_write);
	client = start_racer(&race, &racer, leave_files_in_queue);
	must(read(race.go, &byte, 1));
	must(kill(service.pid, SIGTERM));
	signal_and_wait(&race);
	must(waitid(P_PID, (id_t)service.pid, &info, WEXITED | WNOWAIT));
	must(kill(server, SIGKILL));
	must(waitpid(server, NULL, 0));
	must(write(race.ready, "", 1));
	await_child(client);
	service_stop(&service);
	close_race(&race);
	close_race(&racer);
}

static void the_kernel_does_not_tell(void)
{
	untried("the kernel does not tell a service that a client exited");
}

/* Their processes are gone before the service accepts. */
TEST_SINCE(6, 5, the_kernel_does_not_tell, exited_clients_are_one_user)
{
	assert_few_children(leave_and_serve_others(leave_files_of_ids, service_start));
}

/* ---- what a worker has ---- */

static void wait_beside_silent(void *data)
{
	const struct race *race = data;
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("1500:0");
	const int fds[] = { tree, userns }, silent = connect_service();
	AUTO_CLOSE int connection = connect_service();
	char byte;

	send_request(connection, IDM_SERVICE_MAP, fds, 2);
	assert_int_equal(receive_reply(connection).state, IDM_SERVICE_CHALLENGE);
	must(write(race->ready, "", 1));
	must(read(race->go, &byte, 1));
	close(silent);
}

static unsigned int count_sockets(pid_t pid)
{
	char path[300], target[64];
	unsigned int n = 0;
	const struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%s", (int)pid, entry->d_name);
		n += readlink(path, target, sizeof(target)) > 7 && strncmp(target, "socket:", 7) == 0;
	}
	closedir(dir);
	return n;
}

/* Else its exit could be the last to close another client's connection, and wait for a file in that. */
TEST(worker_has_no_other_connection)
{
	struct service service;
	unsigned int sockets;
	int ready[2], go[2];
	pid_t client;
	char byte;

	enter_with_data();
	service = service_start(NULL);
	must(pipe2(ready, O_CLOEXEC));
	must(pipe2(go, O_CLOEXEC));
	client = (pid_t)must(fork());
	if (client == 0) {
		as_client(ORDINARY, wait_beside_silent, &(struct race){ ready[1], go[0], NULL });
		_exit(0);
	}
	must(read(ready[0], &byte, 1));
	sockets = count_sockets(find_child(&service));
	must(write(go[1], "", 1));
	await_child(client);
	service_stop(&service);
	assert_int_equal(sockets, 1);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
}

/* ---- descriptors in messages that the service does not read ---- */

/* close(2) of the last descriptor waits an hour for its peer, which reads nothing. */
static int lingering_socket(int listener)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 3600 };
	static const char data[65536];
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	int fd = (int)must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

	must(getsockname(listener, (struct sockaddr *)&address, &size));
	must(connect(fd, (struct sockaddr *)&address, size));
	must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	return fd;
}

static int listen_on_loopback(void)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = (int)must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		skip_test("bind to the loopback address: %s", strerror(errno));
	must(listen(fd, 64));
	return fd;
}

/* `first` bytes are what the service judges. The socket is in this message, or in another one behind it.
 */
static int leave_socket(int listener, size_t first, bool behind)
{
	AUTO_CLOSE int fd = lingering_socket(listener);
	int connection = connect_service();

	send_message(connection, "12345678", first, &fd, behind ? 0 : 1, NULL);
	if (behind)
		send_message(connection, "12345678", 8, &fd, 1, NULL);
	return connection;
}

static void take_refusal(int connection)
{
	assert_true(receive_reply(connection).result < 0);
	assert_closed(connection);
	close(connection);
}

/* The service reads an error of the connection before the messages. */
static void leave_reply(int connection)
{
	struct pollfd reply = { .fd = connection, .events = POLLIN };

	must(poll(&reply, 1, -1));
	close(connection);
}

#define UNREAD 20

/* The service is stopped until nothing but the messages has the sockets. */
static void leave_sockets(void *data)
{
	const struct race *race = data;
	const int listener = *(const int *)race->data;
	const int alone = leave_socket(listener, 0, false),
		  behind_empty = leave_socket(listener, 0, true),
		  behind_bad = leave_socket(listener, 8, true);
	int unread[UNREAD];
	char byte;

	for (size_t i = 0; i < UNREAD; i++)
		unread[i] = leave_socket(listener, 8, true);
	must(write(race->ready, "", 1));
	must(read(race->go, &byte, 1));
	take_refusal(alone);
	take_refusal(behind_empty);
	take_refusal(behind_bad);
	for (size_t i = 0; i < UNREAD; i++)
		leave_reply(unread[i]);
	/* A service that waits does not answer. */
	assert_refused(ask_for(DATA, "u:0:0,g:1500:0"), -EPERM, "disk uid 0");
}

TEST(socket_that_lingers_stops_nothing)
{
	AUTO_CLOSE int listener = listen_on_loopback();

	enter_with_data();
	race_with_service(leave_sockets, &listener);
}

/* ---- a client that stops the process that reads its map ---- */

#define ATTEMPTS (test_is_long() ? 2000 : 300)

/* It has capabilities over the processes in this namespace. No other process here has this ID. */
static void stop_processes(int userns)
{
	must(idm_sys_setns(userns, CLONE_NEWUSER));
	must(syscall(SYS_setresuid, 200005, 200005, 200005));
	must(prctl(PR_SET_PDEATHSIG, SIGKILL));
	for (;;)
		kill(-1, SIGSTOP);
}

/* Whether the service has read the map, so that it asks for a proof. */
static bool is_challenged(int userns)
{
	AUTO_CLOSE int tree = clone_tree(DATA), connection = connect_service();
	const int fds[] = { tree, userns };

	send_request(connection, IDM_SERVICE_MAP, fds, 2);
	return receive_reply(connection).state == IDM_SERVICE_CHALLENGE;
}

static void stop_a_child(void *unused)
{
	AUTO_CLOSE int userns = userns_of("1500:0,200005:5");
	pid_t pid = (pid_t)must(fork());
	int i;

	(void)unused;
	if (pid == 0)
		stop_processes(userns);
	for (i = 0; i < ATTEMPTS && is_challenged(userns); i++)
		;
	must(kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0));
	if (i == ATTEMPTS)
		note("no process of the service was stopped");
}

/* A zombie has no command line. */
static unsigned int count_running(const char *name)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	unsigned int n = 0;

	assert_non_null(proc);
	while ((entry = readdir(proc))) {
		char path[300], line[64] = "";
		AUTO_CLOSE int fd = -1;

		snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n += fd >= 0 && read(fd, line, sizeof(line) - 1) > 0 && strcmp(line, name) == 0;
	}
	closedir(proc);
	return n;
}

static void stop_in_pid_namespace(void *unused)
{
	struct service service = service_start(NULL);

	(void)unused;
	as_client(ORDINARY, stop_a_child, NULL);
	while (count_running("idmountd") > 1)
		usleep(1000);
	service_stop(&service);
}

/* So that kill(-1) reaches the processes of this test only. */
TEST(stopped_process_is_not_left)
{
	enter_with_data();
	in_pid_namespace(stop_in_pid_namespace, NULL);
}

/* ---- a kernel that lets users trace what was root's ---- */

static void be_refused_for_sysctl(void *unused)
{
	(void)unused;
	assert_refused(ask_for(DATA, "1500:0"), -EPERM, "fs.suid_dumpable is 1");
}

static void be_served(void *unused)
{
	(void)unused;
	assert_mapped(ask_for(DATA, "1500:0"));
}

/* The service has another file instead of the sysctl, which is the machine's. */
static void set_dumpable(const char *text)
{
	AUTO_CLOSE int fd = (int)must(open(SCRATCH "/dumpable", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));

	must(write(fd, text, strlen(text)));
}

TEST_SINCE(5, 12, mounts_are_not_mapped, traceable_children_are_not_started)
{
	struct service service;

	enter_with_data();
	set_dumpable("0\n");
	do_mount(SCRATCH "/dumpable", "/proc/sys/fs/suid_dumpable", NULL, MS_BIND, NULL);
	service = service_start(NULL);
	set_dumpable("1\n");
	as_client(ORDINARY, be_refused_for_sysctl, NULL);
	set_dumpable("2\n");
	as_client(ORDINARY, be_served, NULL);
	do_umount("/proc/sys/fs/suid_dumpable");
	service_stop(&service);
}

/* Pages that the service alone has. */
static unsigned int count_own_pages(const struct service *service)
{
	char path[64], text[4096];
	AUTO_CLOSE int fd = -1;
	const char *line;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)service->pid);
	fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	n = must(read(fd, text, sizeof(text) - 1));
	text[n] = '\0';
	line = strstr(text, "\nAnonymous:");
	assert_non_null(line);
	return (unsigned int)(strtoul(strchr(line, ':') + 1, NULL, 10) * 1024 / (size_t)getpagesize());
}

static void ask_often(void *requests)
{
	AUTO_CLOSE int userns = userns_of("1500:0,200000:1:1000");

	for (unsigned int i = 0; i < *(unsigned int *)requests; i++) {
		AUTO_CLOSE int tree = clone_tree(DATA);

		assert_mapped(ask(tree, userns));
	}
}

/* A worker that has replied may not have exited yet. */
static void ask_and_await_idle(const struct service *service, unsigned int requests)
{
	unsigned int fds = service_fds(service);

	as_client(ORDINARY, ask_often, &requests);
	while (service_fds(service) > fds)
		usleep(1000);
}

/* Neither a descriptor nor memory. The first requests touch pages that all need. */
TEST_SINCE(5, 12, mounts_are_not_mapped, requests_leave_nothing)
{
	struct service service;
	unsigned int few, many;

	enter_with_data();
	service = service_start(NULL);
	ask_and_await_idle(&service, 20);
	few = count_own_pages(&service);
	ask_and_await_idle(&service, 380);
	many = count_own_pages(&service);
	note("%u pages after 20 requests, %u after 400", few, many);
	if (!TEST_SANITIZED) /* a sanitizer keeps what was freed */
		assert_true(many <= few + 4);
	service_stop(&service);
}

/* ---- the program ---- */

static int exit_status(char *const argv[])
{
	pid_t pid = (pid_t)must(fork());
	int status;

	if (pid == 0) {
		int null = (int)must(open("/dev/null", O_WRONLY));

		must(dup2(null, STDOUT_FILENO));
		service_execute(argv);
	}
	must(waitpid(pid, &status, 0));
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}
#define STATUS(...) exit_status((char *const[]){ (char *)"idmountd", __VA_ARGS__, NULL })

TEST(options_are_checked)
{
	AUTO_FREE char *log = NULL;

	scratch_enter();
	assert_int_equal(STATUS((char *)"--help"), 0);
	assert_int_equal(STATUS((char *)"--version"), 0);
	assert_int_equal(STATUS((char *)"--nonsense"), 2);
	assert_int_equal(STATUS((char *)"operand"), 2);
	assert_int_equal(STATUS((char *)"--socket"), 2);
	assert_int_equal(STATUS((char *)"--socket", (char *)""), 1);
	log = service_log();
	assert_contains(log, "idmountd: --socket: expected a path, got an empty one");
}

TEST(socket_of_a_killed_service_is_replaced)
{
	struct service service;
	struct stat st;

	enter_with_data();
	service = service_start(NULL);
	must(kill(service.pid, SIGKILL));
	must(waitpid(service.pid, NULL, 0));
	must(stat(SOCKET_PATH, &st));
	service = service_start(NULL);
	must(stat(SOCKET_PATH, &st));
	assert_int_equal(st.st_mode & 07777, 0666);
	must(stat(SCRATCH "/run", &st));
	assert_int_equal(st.st_mode & 07777, 0755);
	service_stop(&service);
}

static void see_service_killed(void *data)
{
	const int *pipes = data;
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("1500:0");
	AUTO_CLOSE int connection = connect_service(), silent = connect_service();
	const int fds[] = { tree, userns };

	send_request(connection, IDM_SERVICE_MAP, fds, 2);
	assert_int_equal(receive_reply(connection).state, IDM_SERVICE_CHALLENGE);
	must(write(pipes[1], "", 1));
	/* The worker exits with the service. */
	assert_closed(connection);
	assert_closed(silent);
}

TEST(killed_service_leaves_nothing)
{
	struct service service;
	int pipes[2];
	pid_t client;
	char byte;

	enter_with_data();
	must(prctl(PR_SET_CHILD_SUBREAPER, 1)); /* for the worker */
	service = service_start(NULL);
	must(pipe2(pipes, O_CLOEXEC));
	client = (pid_t)must(fork());
	if (client == 0) {
		as_client(ORDINARY, see_service_killed, pipes);
		_exit(0);
	}
	must(read(pipes[0], &byte, 1));
	must(kill(service.pid, SIGKILL));
	must(waitpid(service.pid, NULL, 0));
	await_child(client);
	while (waitpid(-1, NULL, 0) > 0)
		;
	assert_int_equal(errno, ECHILD);
	close(pipes[0]);
	close(pipes[1]);
	must(unlink(SOCKET_PATH));
}

TEST(other_files_are_not_replaced)
{
	AUTO_FREE char *log = NULL;
	struct service service;

	enter_with_data();
	service = service_start(NULL);
	assert_int_equal(STATUS((char *)"--socket", (char *)SOCKET_PATH), 1);
	scratch_file(SCRATCH "/run/file", "text");
	assert_int_equal(STATUS((char *)"--socket", (char *)SCRATCH "/run/file"), 1);
	must(access(SCRATCH "/run/file", F_OK));
	service_stop(&service);
	log = service_log();
	assert_contains(log, SOCKET_PATH ": another process listens there");
	assert_contains(log, SCRATCH "/run/file: it exists, and is not a socket");
}

static void refuse_directory(uid_t owner, mode_t mode)
{
	must(chown(SCRATCH "/there", owner, 0));
	must(chmod(SCRATCH "/there", mode));
	assert_int_equal(STATUS((char *)"--socket", (char *)SCRATCH "/there/sock"), 1);
	assert_int_equal(STATUS((char *)"--socket", (char *)SCRATCH "/there/below/sock"), 1);
	assert_true(access(SCRATCH "/there/sock", F_OK) < 0);
	assert_true(access(SCRATCH "/there/below/sock", F_OK) < 0);
}

/* A user could answer the clients there. */
TEST(directories_of_users_are_refused)
{
	AUTO_FREE char *log = NULL;

	enter_with_data();
	scratch_dir(SCRATCH "/there/below");
	refuse_directory(USER, 0755);
	refuse_directory(0, 0775);
	refuse_directory(0, 0757);
	refuse_directory(USER, 01777);
	log = service_log();
	assert_contains(log, "idmountd: " SCRATCH "/there/: expected directories of root");
}

/* Unlike service_stop(), it does not expect that the path has no file then. */
static void stop_beside_file(const struct service *service)
{
	must(kill(service->pid, SIGTERM));
	await_child(service->pid);
}

/* Of a directory that others can write, the sticky bit protects the file. */
TEST(another_file_at_its_path_stays)
{
	struct service service;

	enter_with_data();
	scratch_dir(SCRATCH "/run");
	must(chmod(SCRATCH "/run", 01777));
	service = service_start(NULL);
	must(unlink(SOCKET_PATH));
	scratch_file(SOCKET_PATH, "text");
	stop_beside_file(&service);
	must(unlink(SOCKET_PATH));
	service = service_start(NULL);
	service_stop(&service);
}

/* As a user can do who owns the directory above. */
TEST(file_of_another_directory_at_its_path_stays)
{
	struct service service;

	enter_with_data();
	service = service_start(NULL);
	must(rename(SCRATCH "/run", SCRATCH "/moved"));
	scratch_dir(SCRATCH "/other");
	scratch_file(SCRATCH "/other/idmountd.sock", "text");
	must(symlink(SCRATCH "/other", SCRATCH "/run"));
	stop_beside_file(&service);
	must(access(SCRATCH "/other/idmountd.sock", F_OK));
	assert_true(access(SCRATCH "/moved/idmountd.sock", F_OK) < 0);
}

static void be_in_a_userns(void *unused)
{
	(void)unused;
	assert_int_equal(STATUS((char *)"--socket", (char *)SOCKET_PATH), 1);
}

TEST(service_requires_the_initial_user_namespace)
{
	AUTO_FREE char *log = NULL;

	enter_with_data();
	scratch_file(LOG_PATH, "");
	must(chmod(LOG_PATH, 0666));
	as_client(ORDINARY, be_in_a_userns, NULL);
	log = service_log();
	assert_contains(log, "requires CAP_SYS_ADMIN in the initial user namespace");
}

/* Else the service would not know whether users can trace its child. */
TEST(service_requires_the_sysctl)
{
	AUTO_FREE char *log = NULL;

	enter_with_data();
	scratch_file(LOG_PATH, "");
	do_mount("proc", "/proc", "proc", 0, "subset=pid");
	assert_int_equal(STATUS((char *)"--socket", (char *)SOCKET_PATH), 1);
	do_umount("/proc");
	log = service_log();
	assert_contains(log, "/proc/sys/fs/suid_dumpable does not exist");
}

static void start_without(void *capability)
{
	must(prctl(PR_CAPBSET_DROP, *(int *)capability, 0, 0, 0));
	assert_int_equal(STATUS((char *)"--socket", (char *)SOCKET_PATH), 1);
}

TEST_SINCE(5, 12, mounts_are_not_mapped, service_requires_no_other_capability)
{
	struct service service;

	enter_with_data();
	service = service_start_as_unit(NULL);
	as_client(ORDINARY, be_served, NULL);
	service_stop(&service);
}

TEST(service_requires_all_capabilities_of_its_unit)
{
	int look = CAP_SYS_PTRACE, read = CAP_DAC_READ_SEARCH, leave = CAP_SYS_CHROOT;
	AUTO_FREE char *log = NULL;

	enter_with_data();
	scratch_file(LOG_PATH, "");
	in_child(start_without, &look);
	in_child(start_without, &read);
	in_child(start_without, &leave);
	log = service_log();
	assert_contains(log, "requires CAP_SYS_PTRACE");
	assert_contains(log, "requires CAP_DAC_READ_SEARCH");
	assert_contains(log, "requires CAP_SYS_CHROOT");
}

/* ---- a socket of a service manager ---- */

static int listen_as_manager(void)
{
	const struct sockaddr_un address = { AF_UNIX, SOCKET_PATH };
	int fd = (int)must(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));

	/* PassCredentials=yes: a message may come before the service has started. */
	must(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int)));
	scratch_dir(SCRATCH "/run");
	must(bind(fd, (const struct sockaddr *)&address, sizeof(address)));
	must(chmod(SOCKET_PATH, 0666));
	must(listen(fd, 10));
	return fd;
}

static void activate(int listener)
{
	char *const argv[] = { (char *)"idmountd", NULL };
	char number[16];

	must(dup2(listener, 3));
	snprintf(number, sizeof(number), "%d", (int)getpid());
	must(setenv("LISTEN_PID", number, 1));
	must(setenv("LISTEN_FDS", "1", 1));
	service_execute(argv);
}

static void ask_once(void *unused)
{
	(void)unused;
	assert_refused(ask_for(DATA, "u:0:0,g:1500:0"), -EPERM, "disk uid 0");
}

TEST(service_manager_passes_the_socket)
{
	AUTO_CLOSE int listener = -1;
	int status;
	pid_t pid;

	enter_with_data();
	listener = listen_as_manager();
	assert_int_not_equal(listener, 3);
	pid = (pid_t)must(fork());
	if (pid == 0)
		activate(listener);
	as_client(ORDINARY, ask_once, NULL);
	must(kill(pid, SIGINT));
	must(waitpid(pid, &status, 0));
	assert_int_equal(status, 0);
	must(access(SOCKET_PATH, F_OK));
}
