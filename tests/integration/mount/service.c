// SPDX-License-Identifier: MIT
/* The library's side of idmountd: what it asks for, and what it accepts as an answer. */
#include "service.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "lib/base/macros.h"
#include "lib/mount/service-client.h"

/* A test does not wait for half a minute. */
void __real_idm_sys_deadline(struct timespec *deadline, int timeout_ms);
void __wrap_idm_sys_deadline(struct timespec *deadline, int timeout_ms);
void __wrap_idm_sys_deadline(struct timespec *deadline, int timeout_ms)
{
	__real_idm_sys_deadline(deadline, timeout_ms == IDM_SERVICE_TIMEOUT_MS ? 500 : timeout_ms);
}

/* ---- a service that does what it is told ---- */

/* What it does with a request. */
enum behaviour {
	MAP,	 /* as the real one: after a challenge, it maps the tree */
	MAP_ANY, /* without a challenge */
	LIE,	 /* says that it did */
	REFUSE,	 /* with a reason and a hint */
	REFUSE_BARE,
	REFUSE_UNREAD, /* the same, and closes without reading */
	SEND_SHORT,
	SEND_LONG,
	SEND_VERSION,
	SEND_OTHER_VERSION_SHORT,
	SEND_REASON_WITHOUT_END,
	SEND_HINT_WITHOUT_END,
	SEND_STATE,
	SEND_POSITIVE,
	SEND_HUGE,
	SEND_DESCRIPTORS,
	CHALLENGE_TWICE,
	CHALLENGE_FOREIGN, /* an ID that the caller lacks */
	HANG_UP,
	HANG_UP_AFTER_CHALLENGE,
	STAY_SILENT,
	STAY_SILENT_AFTER_CHALLENGE,
};

static const struct idm_service_reply done = { .version = IDM_SERVICE_VERSION };
static const struct idm_service_reply challenge = {
	.version = IDM_SERVICE_VERSION, .state = IDM_SERVICE_CHALLENGE, .uid = 3, .gid = 4
};

static void answer(int fd, const struct idm_service_reply *reply, size_t size)
{
	must(send(fd, reply, size, MSG_NOSIGNAL));
}

struct received {
	struct idm_service_request request;
	int fds[2];
	struct ucred sender;
};

static struct received take_request(int fd, uint32_t operation)
{
	char control[256];
	struct received got = { .fds = { -1, -1 } };
	struct iovec data = { &got.request, sizeof(got.request) };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };

	assert_int_equal(must(recvmsg(fd, &message, MSG_CMSG_CLOEXEC)), sizeof(got.request));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_type == SCM_RIGHTS)
			memcpy(got.fds, CMSG_DATA(c), sizeof(got.fds));
		else
			memcpy(&got.sender, CMSG_DATA(c), sizeof(got.sender));
	}
	assert_int_equal(got.request.version, IDM_SERVICE_VERSION);
	assert_int_equal(got.request.operation, operation);
	return got;
}

static void challenge_client(int fd)
{
	struct received got;

	answer(fd, &challenge, sizeof(challenge));
	got = take_request(fd, IDM_SERVICE_PROVE);
	/* The IDs of the challenge, as the initial user namespace counts. */
	assert_int_equal(got.sender.uid, SUBORDINATE + 2);
	assert_int_equal(got.sender.gid, SUBORDINATE + 3);
	assert_int_equal(got.fds[0], -1);
}

static void map_as_asked(int fd, const int fds[2])
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)fds[1] };

	assert_ok(idm_sys_mount_setattr(fds[0], "", AT_EMPTY_PATH, &attr), NULL);
	answer(fd, &done, sizeof(done));
}

static void refuse(int fd, bool with_words)
{
	struct idm_service_reply reply = done;

	reply.result = -EACCES;
	if (with_words) {
		strcpy(reply.reason, "not\nyours");
		strcpy(reply.hint, "ask root");
	}
	answer(fd, &reply, sizeof(reply));
}

static void answer_wrongly(int fd, enum behaviour behaviour)
{
	struct {
		struct idm_service_reply reply;
		char more[100];
	} a = { .reply = done };
	size_t size = sizeof(a.reply);

	if (behaviour == SEND_SHORT)
		size -= 1;
	if (behaviour == SEND_LONG)
		size = sizeof(a);
	if (behaviour == SEND_VERSION || behaviour == SEND_OTHER_VERSION_SHORT)
		a.reply.version = 7;
	if (behaviour == SEND_OTHER_VERSION_SHORT)
		size = 12;
	if (behaviour == SEND_REASON_WITHOUT_END)
		memset(a.reply.reason, 'x', sizeof(a.reply.reason));
	if (behaviour == SEND_HINT_WITHOUT_END)
		memset(a.reply.hint, 'x', sizeof(a.reply.hint));
	if (behaviour == SEND_STATE)
		a.reply.state = 2;
	if (behaviour == SEND_POSITIVE)
		a.reply.result = 1;
	if (behaviour == SEND_HUGE)
		a.reply.result = INT32_MIN;
	answer(fd, &a.reply, size);
}

static void send_descriptors(int fd)
{
	AUTO_FD int file = (int)must(open("/", O_RDONLY | O_CLOEXEC));
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct idm_service_reply reply = done;
	struct iovec data = { &reply, sizeof(reply) };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	*c = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(c), &file, sizeof(file));
	reply.result = -EPERM;
	must(sendmsg(fd, &message, MSG_NOSIGNAL));
}

static void serve_one(int fd, enum behaviour behaviour)
{
	struct received got;

	if (behaviour == REFUSE_UNREAD) {
		refuse(fd, true);
		return;
	}
	got = take_request(fd, IDM_SERVICE_MAP);
	assert_true(got.fds[0] >= 0 && got.fds[1] >= 0);
	switch (behaviour) {
	case MAP:
		challenge_client(fd);
		map_as_asked(fd, got.fds);
		break;
	case MAP_ANY:
		map_as_asked(fd, got.fds);
		break;
	case LIE:
		answer(fd, &done, sizeof(done));
		break;
	case REFUSE:
	case REFUSE_BARE:
		refuse(fd, behaviour == REFUSE);
		break;
	case SEND_DESCRIPTORS:
		send_descriptors(fd);
		break;
	case CHALLENGE_TWICE:
		challenge_client(fd);
		answer(fd, &challenge, sizeof(challenge));
		break;
	case CHALLENGE_FOREIGN: {
		struct idm_service_reply foreign = challenge;

		foreign.uid = 70000;
		answer(fd, &foreign, sizeof(foreign));
		break;
	}
	case HANG_UP:
		break;
	case HANG_UP_AFTER_CHALLENGE:
		challenge_client(fd);
		break;
	case STAY_SILENT_AFTER_CHALLENGE:
		challenge_client(fd);
		/* fall through */
	case STAY_SILENT:
		must(recv(fd, &got, 1, 0)); /* until the client has gone */
		break;
	default:
		answer_wrongly(fd, behaviour);
	}
}

static int listen_there(void)
{
	const struct sockaddr_un at = { AF_UNIX, SOCKET };
	AUTO_FD int fd = (int)must(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
	int on = 1;

	unlink(SOCKET);
	must(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	must(bind(fd, (const struct sockaddr *)&at, sizeof(at)));
	must(chmod(SOCKET, 0666));
	must(listen(fd, 1));
	return idm_steal_fd(&fd);
}

/* Serves one client. */
static pid_t start_service(enum behaviour behaviour)
{
	AUTO_FD int listener = listen_there();
	pid_t pid = (pid_t)must(fork());

	if (pid == 0) {
		AUTO_FD int fd = (int)must(accept4(listener, NULL, NULL, SOCK_CLOEXEC));

		serve_one(fd, behaviour);
		_exit(0);
	}
	return pid;
}

/* ---- a call ---- */

struct attempt {
	enum behaviour behaviour;
	const char *path, *map;
	unsigned int flags;
	int code; /* 0: it works */
	const char *subject, *reason;
};

/* Nothing is left, whatever happened. */
static void try_as_user(void *data)
{
	const struct attempt *a = data;
	struct snapshot *before;
	struct idm_error err;
	int tree;

	enter_as_user();
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	tree = open_with(a->path, a->map ? a->map : SHIFT, a->flags, 0, &err);
	if (a->code)
		assert_error(tree, a->code, &err, a->subject, "ask idmountd", a->reason);
	else
		assert_ok(tree, &err);
	if (!a->code && !a->map)
		assert_shifted(tree);
	close_fd(&tree);
	snapshot_assert_same(before);
}

static void assert_attempt(struct attempt a)
{
	pid_t service = start_service(a.behaviour);

	if (!a.path)
		a.path = SOURCE;
	in_child(try_as_user, &a);
	await_child(service);
}

/* ---- what works ---- */

TEST(the_service_maps_what_the_kernel_refuses)
{
	make_source();
	assert_attempt((struct attempt){ .behaviour = MAP });
	assert_attempt((struct attempt){ .behaviour = MAP_ANY });
	assert_attempt((struct attempt){ .behaviour = MAP, .flags = IDM_TREE_NOFOLLOW });
	assert_attempt((struct attempt){ .behaviour = MAP, .flags = IDM_TREE_RECURSIVE });
}

static void use_it(void *unused)
{
	AUTO_FD int tree = -1;
	struct idm_mount_info mount;
	struct idm_error err;

	(void)unused;
	enter_as_user();
	tree = (int)assert_ok(open_with(SOURCE, SHIFT, 0, IDM_ATTR_RDONLY | IDM_ATTR_NOEXEC, &err),
			      &err);
	attach_at(tree, TARGET);
	assert_owner(TARGET "/sub", 8, 9);
	mount = mount_at(TARGET);
	assert_true(mount.attr & IDM_ATTR_IDMAP);
	assert_true(mount.attr & IDM_ATTR_RDONLY && mount.attr & IDM_ATTR_NOEXEC);
	assert_int_equal(mount.propagation, IDM_PROPAGATION_PRIVATE);
	assert_true(open(TARGET "/new", O_CREAT | O_WRONLY | O_CLOEXEC, 0600) < 0 && errno == EROFS);
}

TEST(its_tree_is_attached_with_all_that_was_asked_for)
{
	pid_t service;

	make_source();
	service = start_service(MAP);
	in_child(use_it, NULL);
	await_child(service);
}

/* The top shows the same owner with and without the map. So only the mount shows the map. */
#define SAME_TOP "1500:0:1,200000:8:2"

static const char *const tops[] = { SOURCE, SOURCE "/user" };

TEST(a_map_that_keeps_the_owner_of_the_top)
{
	make_source();
	for (size_t i = 0; i < ARRAY_SIZE(tops); i++)
		assert_attempt((struct attempt){ .behaviour = MAP, .path = tops[i], .map = SAME_TOP });
}

/* ---- what the service says ---- */

static void before_a_lie_is_seen(void)
{
	if (kernel_is_before(5, 12)) {
		mounts_are_refused();
		return;
	}
	/* The service is trusted. */
	make_source();
	assert_attempt((struct attempt){ .behaviour = LIE, .map = SHIFT });
}

TEST_SINCE(6, 15, before_a_lie_is_seen, a_lie)
{
	static const char reason[] = "the tree is not mapped";

	make_source();
	assert_attempt((struct attempt){
		.behaviour = LIE, .code = -EPROTO, .subject = SOURCE, .reason = reason });
}

static void the_service_is_trusted(void)
{
	make_source();
	for (size_t i = 0; i < ARRAY_SIZE(tops); i++)
		assert_attempt((struct attempt){ .behaviour = LIE, .path = tops[i], .map = SAME_TOP });
}

static void before_copies_of_trees(void)
{
	if (kernel_is_before(5, 12))
		mounts_are_refused();
	else
		the_service_is_trusted();
}

TEST_SINCE(6, 15, before_copies_of_trees, a_lie_that_the_owner_of_the_top_does_not_show)
{
	make_source();
	for (size_t i = 0; i < ARRAY_SIZE(tops); i++)
		assert_attempt((struct attempt){ .behaviour = LIE,
						 .path = tops[i],
						 .map = SAME_TOP,
						 .code = -EPROTO,
						 .subject = tops[i],
						 .reason = "the tree is not mapped" });
}

TEST(wrong_answers)
{
	static const struct attempt attempts[] = {
		{ .behaviour = SEND_SHORT, .reason = "expected a reply of" },
		{ .behaviour = SEND_LONG, .reason = "expected a reply of" },
		{ .behaviour = SEND_VERSION, .reason = "expected a reply of version 1, got version 7" },
		{ .behaviour = SEND_OTHER_VERSION_SHORT,
		  .reason = "expected a reply of version 1, got version 7" },
		{ .behaviour = SEND_REASON_WITHOUT_END, .reason = "a text of the reply has no end" },
		{ .behaviour = SEND_HINT_WITHOUT_END, .reason = "a text of the reply has no end" },
		{ .behaviour = SEND_STATE, .reason = "unknown state 2" },
		{ .behaviour = SEND_POSITIVE,
		  .reason = "expected 0 or a negative errno as result, got 1" },
		{ .behaviour = SEND_HUGE,
		  .reason = "expected 0 or a negative errno as result, got -2147483648" },
		{ .behaviour = CHALLENGE_TWICE, .reason = "asked for a second proof" },
		{ .behaviour = HANG_UP, .reason = "closed the connection without a reply" },
		{ .behaviour = HANG_UP_AFTER_CHALLENGE,
		  .reason = "closed the connection without a reply" },
	};

	make_source();
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		struct attempt a = attempts[i];

		a.code = -EPROTO;
		a.subject = SOCKET;
		assert_attempt(a);
	}
}

TEST(a_challenge_that_cannot_be_met)
{
	make_source();
	assert_attempt(
		(struct attempt){ .behaviour = CHALLENGE_FOREIGN, .code = -EINVAL, .subject = SOCKET });
}

TEST(refusals)
{
	make_source();
	assert_attempt((struct attempt){
		.behaviour = REFUSE, .code = -EACCES, .subject = SOURCE, .reason = "not\\012yours" });
	assert_attempt((struct attempt){ .behaviour = REFUSE_BARE,
					 .code = -EACCES,
					 .subject = SOURCE,
					 .reason = "Permission denied" });
	assert_attempt((struct attempt){ .behaviour = REFUSE_UNREAD,
					 .code = -EACCES,
					 .subject = SOURCE,
					 .reason = "not\\012yours" });
	assert_attempt(
		(struct attempt){ .behaviour = SEND_DESCRIPTORS, .code = -EPERM, .subject = SOURCE });
}

static void read_hint(void *unused)
{
	struct idm_error err;

	(void)unused;
	enter_as_user();
	assert_int_equal(open_with(SOURCE, SHIFT, 0, 0, &err), -EACCES);
	assert_string_equal(err.hint, "ask root");
	assert_int_equal(err.step, IDM_STEP_ASK_SERVICE);
}

TEST(the_hint_of_a_refusal)
{
	pid_t service;

	make_source();
	service = start_service(REFUSE);
	in_child(read_hint, NULL);
	await_child(service);
}

/* ---- a service that is busy ---- */

static void refuse_as_busy(int listener)
{
	AUTO_FD int fd = (int)must(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	struct idm_service_reply reply = done;

	reply.result = -EAGAIN;
	strcpy(reply.reason, "too many connections of this user are open");
	answer(fd, &reply, sizeof(reply));
}

/* Refuses this many requests. Then it maps the tree of one. */
static pid_t start_busy_service(int refused)
{
	AUTO_FD int listener = listen_there(), fd = -1;
	pid_t pid = (pid_t)must(fork());

	if (pid != 0)
		return pid;
	for (int i = 0; i < refused; i++)
		refuse_as_busy(listener);
	fd = (int)must(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	serve_one(fd, MAP);
	_exit(0);
}

TEST(a_busy_service_is_asked_again)
{
	pid_t service;

	make_source();
	service = start_busy_service(3);
	in_child(try_as_user, &(struct attempt){ .path = SOURCE });
	await_child(service);
}

static void exhaust_patience(void *unused)
{
	struct idm_error err;

	(void)unused;
	enter_as_user();
	assert_error(open_with(SOURCE, SHIFT, 0, 0, &err), -EAGAIN, &err, SOURCE, "ask idmountd",
		     "too many connections of this user are open");
	assert_contains(err.hint, "it stayed so for 30 seconds");
}

TEST(a_service_that_stays_busy)
{
	pid_t service;

	make_source();
	service = start_busy_service(1000000);
	in_child(exhaust_patience, NULL);
	must(kill(service, SIGKILL));
	must(waitpid(service, NULL, 0));
}

/* ---- time, and signals ---- */

TEST(a_silent_service)
{
	static const char reason[] = "idmountd did not answer in 30 seconds";

	make_source();
	assert_attempt((struct attempt){
		.behaviour = STAY_SILENT, .code = -ETIMEDOUT, .subject = SOCKET, .reason = reason });
	assert_attempt((struct attempt){ .behaviour = STAY_SILENT_AFTER_CHALLENGE,
					 .code = -ETIMEDOUT,
					 .subject = SOCKET,
					 .reason = reason });
}

static void find_it_busy(void *unused)
{
	struct idm_error err;

	(void)unused;
	enter_as_user();
	assert_error(open_with(SOURCE, SHIFT, 0, 0, &err), -ETIMEDOUT, &err, SOCKET, "ask idmountd",
		     "did not answer");
}

/* The queue of the listening socket is full, and nothing accepts one. */
TEST(a_service_that_accepts_no_connection)
{
	const struct sockaddr_un at = { AF_UNIX, SOCKET };
	int waiting[8];

	make_source();
	AUTO_FD int listener = listen_there();

	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++) {
		waiting[i] =
			(int)must(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
		(void)!connect(waiting[i], (const struct sockaddr *)&at, sizeof(at));
	}
	in_child(find_it_busy, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
		close(waiting[i]);
}

static volatile sig_atomic_t signals_seen;

static void count_signal(int signal)
{
	(void)signal;
	signals_seen++;
}

static void interrupt_often(void)
{
	const struct itimerval often = { { 0, 2000 }, { 0, 2000 } };
	const struct sigaction action = { .sa_handler = count_signal };

	must(sigaction(SIGALRM, &action, NULL));
	must(setitimer(ITIMER_REAL, &often, NULL));
}

static void try_while_interrupted(void *data)
{
	const struct attempt *a = data;
	struct idm_error err;
	int tree;

	enter_as_user();
	signal(SIGPIPE, SIG_DFL);
	interrupt_often();
	tree = open_with(SOURCE, SHIFT, 0, 0, &err);
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	assert_int_equal(a->code ? tree : tree < 0, a->code);
	assert_true(signals_seen > 0 || a->behaviour != STAY_SILENT);
	close_fd(&tree);
}

/* A timer of the caller's neither ends the wait nor prolongs it. */
TEST(signals_while_it_waits)
{
	static const struct attempt attempts[] = {
		{ .behaviour = MAP },
		{ .behaviour = STAY_SILENT, .code = -ETIMEDOUT },
		{ .behaviour = HANG_UP, .code = -EPROTO },
		{ .behaviour = REFUSE_UNREAD, .code = -EACCES },
	};

	make_source();
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		pid_t service = start_service(attempts[i].behaviour);

		in_child(try_while_interrupted, (void *)&attempts[i]);
		await_child(service);
	}
}

/* Not on the stack, which AddressSanitizer cannot clean for a thread that is cancelled. */
static const struct idm_tree_options with_service = {
	.size = sizeof(struct idm_tree_options),
	.flags = IDM_TREE_SERVICE,
};

static void *ask_in_thread(void *userns)
{
	assert_int_equal(idm_tree_open(AT_FDCWD, SOURCE, *(int *)userns, &with_service, NULL),
			 -ETIMEDOUT);
	pthread_testcancel();
	return NULL;
}

static void cancel_it(void *unused)
{
	struct snapshot *before;
	int userns;
	pthread_t thread;
	void *result;

	(void)unused;
	enter_as_user();
	userns = userns_of(SHIFT);
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	assert_int_equal(pthread_create(&thread, NULL, ask_in_thread, &userns), 0);
	assert_int_equal(pthread_cancel(thread), 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_true(result == PTHREAD_CANCELED);
	snapshot_assert_same(before);
}

/* The request is pending before the call, or comes while it waits. */
TEST(a_cancelled_thread)
{
	pid_t service;

	make_source();
	service = start_service(STAY_SILENT);
	in_child(cancel_it, NULL);
	await_child(service);
}

/* ---- no service ---- */

static void miss_it(void *unused)
{
	struct snapshot *before;
	struct idm_error err;

	(void)unused;
	enter_as_user();
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	assert_error(open_with(SOURCE, SHIFT, 0, 0, &err), -EPERM, &err, SOURCE, "map tree",
		     "that mounted the filesystem");
	assert_contains(err.hint, "idmountd can map it, but is not running at " SOCKET);
	assert_contains(err.hint, "root starts it by idmountd --socket " SOCKET);
	assert_int_equal(open_with(SOURCE, SHIFT, 0, 0, NULL), -EPERM);
	snapshot_assert_same(before);
}

TEST(no_service)
{
	AUTO_FD int listener = -1;

	make_source();
	in_child(miss_it, NULL);
	listener = listen_there();
	close(listener);
	listener = -1;
	in_child(miss_it, NULL); /* the file is left, and nothing listens there */
}

static void find_default(void *unused)
{
	char start[128];

	(void)unused;
	must(unsetenv(IDM_SERVICE_SOCKET_ENV));
	assert_string_equal(idm_service_socket(), "/run/idmount/idmountd.sock");
	idm_service_print_start(start, sizeof(start));
	assert_string_equal(start, "systemctl start idmountd.socket, or by idmountd");
	must(setenv(IDM_SERVICE_SOCKET_ENV, "", 1));
	assert_string_equal(idm_service_socket(), "/run/idmount/idmountd.sock");
	must(setenv(IDM_SERVICE_SOCKET_ENV, SOCKET, 1));
	assert_string_equal(idm_service_socket(), SOCKET);
	idm_service_print_start(start, sizeof(start));
	assert_string_equal(start, "idmountd --socket " SOCKET " (from IDMOUNTD_SOCKET)");
}

TEST(the_path_of_the_socket)
{
	in_child(find_default, NULL);
}

static void ask_wrong_files(void *unused)
{
	static char name[200];
	struct idm_error err;

	(void)unused;
	enter_as_user();
	memset(name, 'x', sizeof(name) - 1);
	must(setenv(IDM_SERVICE_SOCKET_ENV, name, 1));
	assert_error(open_with(SOURCE, SHIFT, 0, 0, &err), -ENAMETOOLONG, &err, name, "ask idmountd",
		     NULL);
	assert_contains(err.hint, "IDMOUNTD_SOCKET in the environment");
	must(setenv(IDM_SERVICE_SOCKET_ENV, SOURCE "/user", 1)); /* no socket */
	assert_error(open_with(SOURCE, SHIFT, 0, 0, &err), -EPERM, &err, SOURCE, "map tree", NULL);
	assert_contains(err.hint, "not running at " SOURCE "/user");
}

TEST(a_path_that_is_no_socket)
{
	make_source();
	in_child(ask_wrong_files, NULL);
}

/* ---- it is not asked ---- */

/* Nothing listens at the socket, so that a question would fail. */
TEST(the_caller_can_do_it)
{
	AUTO_FD int tree = -1;
	struct idm_error err;

	make_source();
	tree = (int)assert_ok(open_with(SOURCE, SHIFT, 0, 0, &err), &err);
	assert_owner_in(tree, "sub", 8, 9);
}

static void lack_capabilities(void *unused)
{
	AUTO_FD int userns = userns_of(SHIFT);
	struct idm_tree_options options = IDM_TREE_OPTIONS_INIT;
	struct idm_error err;

	(void)unused;
	options.flags = IDM_TREE_SERVICE;
	become_user(USER, USER);
	assert_error(idm_tree_open(AT_FDCWD, SOURCE, userns, &options, &err), -EPERM, &err, SOURCE,
		     "map tree", "CAP_SYS_ADMIN");
}

TEST(in_the_initial_user_namespace)
{
	make_source();
	in_child(lack_capabilities, NULL);
}

static void use_own_mount(void *unused)
{
	AUTO_FD int tree = -1;
	struct idm_error err;

	(void)unused;
	enter_as_user();
	do_mount("own", TARGET, "tmpfs", 0, "mode=0755");
	tree = (int)assert_ok(open_with(TARGET, "0:5:1", 0, 0, &err), &err);
	assert_owner_in(tree, "", 5, 5);
	/* Without a map it is not a matter of the service. */
	close_fd(&tree);
	tree = (int)assert_ok(
		idm_tree_open(AT_FDCWD, SOURCE, -1,
			      &(const struct idm_tree_options){ .size = sizeof(struct idm_tree_options),
								.flags = IDM_TREE_SERVICE },
			      &err),
		&err);
}

static void a_tmpfs_cannot_be_mapped(void)
{
	if (kernel_is_before(5, 12))
		mounts_are_refused();
	else
		untried("a tmpfs cannot be mapped");
}

TEST_SINCE(6, 3, a_tmpfs_cannot_be_mapped, a_mount_of_the_user_namespace_itself)
{
	make_source();
	in_child(use_own_mount, NULL);
}

static void ask_without_flag(void *unused)
{
	AUTO_FD int userns = -1;
	struct idm_error err;

	(void)unused;
	enter_as_user();
	userns = userns_of(SHIFT);
	assert_error(idm_tree_open(AT_FDCWD, SOURCE, userns, NULL, &err), -EPERM, &err, SOURCE,
		     "map tree", "that mounted the filesystem");
}

TEST(without_the_flag)
{
	make_source();
	in_child(ask_without_flag, NULL);
}

static void ask_for_attributes(void *unused)
{
	struct idm_error err;
	AUTO_FD int userns = -1;
	struct idm_tree_options options = IDM_TREE_OPTIONS_INIT;

	(void)unused;
	enter_as_user();
	userns = userns_of(SHIFT);
	options.flags = IDM_TREE_SERVICE;
	options.attr_clear = IDM_ATTR_NOSUID; /* locked */
	assert_error(idm_tree_open(AT_FDCWD, SOURCE, userns, &options, &err), -EPERM, &err, SOURCE,
		     "map tree", "a mount attribute is locked");
}

TEST(what_fails_without_a_map_too)
{
	make_source();
	in_child(ask_for_attributes, NULL);
}

/* ---- more than one mount, more than one map ---- */

static void map_recursively(void *unused)
{
	struct idm_error err;

	(void)unused;
	enter_as_user();
	must(mkdir(SOURCE "/below", 0755));
	do_mount("below", SOURCE "/below", "tmpfs", 0, NULL);
	assert_error(open_with(SOURCE, SHIFT, IDM_TREE_RECURSIVE, 0, &err), -EOPNOTSUPP, &err, SOURCE,
		     "ask idmountd", "the source has mounts below it");
}

static void map_recursively_without_proc(void *unused)
{
	struct idm_error err;

	(void)unused;
	enter_as_user();
	AUTO_FD int userns = userns_of(SHIFT);
	struct idm_tree_options options = IDM_TREE_OPTIONS_INIT;

	options.flags = IDM_TREE_SERVICE | IDM_TREE_RECURSIVE;
	do_mount("none", "/proc", "tmpfs", 0, NULL);
	assert_error(idm_tree_open(AT_FDCWD, SOURCE, userns, &options, &err), -EOPNOTSUPP, &err, SOURCE,
		     "ask idmountd", "mounts below the source cannot be seen");
}

TEST(recursively)
{
	make_source();
	in_child(map_recursively, NULL);
	in_child(map_recursively_without_proc, NULL);
}

TEST_ANYWHERE(with_flags_that_exclude_it)
{
	static const unsigned int flags[] = { IDM_TREE_REMAP, IDM_TREE_ON_TOP };

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct idm_tree_options options = IDM_TREE_OPTIONS_INIT;
		struct idm_error err;

		options.flags = IDM_TREE_SERVICE | flags[i];
		assert_error(idm_tree_open(AT_FDCWD, "/", -1, &options, &err), -EINVAL, &err, "",
			     "open tree", "IDM_TREE_SERVICE excludes IDM_TREE_REMAP");
	}
}

static void map_a_mapped_source(void *unused)
{
	struct idm_error err;

	(void)unused;
	enter_as_user();
	assert_error(open_with(TARGET, SHIFT, 0, 0, &err), -EPERM, &err, TARGET, "map tree",
		     "ID-mapped already");
}

TEST(a_source_that_is_mapped_already)
{
	make_source();
	mount_mapped(SOURCE, TARGET, "1500:1500:1");
	in_child(map_a_mapped_source, NULL);
}

/* ---- few descriptors ---- */

static void lack_descriptors(void *unused)
{
	struct snapshot *before;
	struct idm_error err;
	AUTO_FD int userns = -1;
	struct idm_tree_options options = IDM_TREE_OPTIONS_INIT;
	int r = -EMFILE;

	(void)unused;
	enter_as_user();
	userns = userns_of(SHIFT);
	options.flags = IDM_TREE_SERVICE;
	before = snapshot_take(SNAPSHOT_ALL);
	/* Up to the number that is enough, which nothing answers. */
	for (rlim_t limit = 4; r == -EMFILE; limit++) {
		struct rlimit old;

		assert_true(limit < 64);
		must(getrlimit(RLIMIT_NOFILE, &old));
		must(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ limit, old.rlim_max }));
		r = idm_tree_open(AT_FDCWD, SOURCE, userns, &options, &err);
		must(setrlimit(RLIMIT_NOFILE, &old));
		assert_true(r < 0);
	}
	assert_int_equal(r, -EPERM);
	snapshot_assert_same(before);
}

TEST(few_descriptors)
{
	make_source();
	in_child(lack_descriptors, NULL);
}
