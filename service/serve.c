// SPDX-License-Identifier: MIT
/*
 * One thread accepts connections, and waits for all of them in one poll(2). A client that has sent its
 * request gets a worker, a forked process, for the rest. The worker alone receives descriptors. Closing
 * one can wait for the server of a FUSE filesystem, also when the process is killed. So only the worker
 * waits, and only its user.
 *
 * A message that is left unread has descriptors, too. The process that drops it waits for a socket with
 * SO_LINGER, unless that process exits. So the first process drops no message.
 *
 * There is a limit for everything, and a fixed array. The kernel keeps further connections in the queue
 * of the listening socket.
 */
#include "serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "log.h"
#include "reply.h"
#include "worker.h"

#define SLOTS 512
#define SLOTS_OF_USER 128
#define WORKERS 16
#define WORKERS_OF_USER 4
#define CLOSERS 8
#define CLOSERS_OF_USER 2

#define WAIT_MS 5000 /* for a request, and for a free worker */
#define HURRY_MS 500 /* the same while no slot is free */
#define WORK_MS 5000 /* for a worker */
#define PAUSE_MS 100 /* after accept4(2) lacked a descriptor or memory */

enum state {
	FREE = 0,
	SILENT,	 /* connected */
	READY,	 /* has sent its request, or closed the connection */
	WORKING, /* has a worker */
	KILLED,	 /* its child was killed, and has not exited in time */
	OVER,	 /* shut down, and has unread messages */
	CLOSING, /* a child that exits closes it */
};

struct slot {
	enum state state;
	int fd; /* the connection; -1: only the child has it */
	int pidfd;
	pid_t child; /* the worker, or the child that closes the connection */
	struct ucred client;
	int64_t since; /* in this state, in milliseconds */
};

struct server {
	int listener, signals;
	bool any_directory;
	bool stopping;
	int64_t paused_until;
	struct slot slots[SLOTS];
};

static int64_t get_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* ---- slots ---- */

static void enter_state(struct slot *slot, enum state state)
{
	slot->state = state;
	slot->since = get_milliseconds();
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void release_slot(struct slot *slot)
{
	close_if_open(slot->fd);
	close_if_open(slot->pidfd);
	*slot = (struct slot){ .state = FREE, .fd = -1, .pidfd = -1 };
}

static bool has_worker(const struct slot *slot)
{
	return slot->state == WORKING || slot->state == KILLED;
}

static bool is_used(const struct slot *slot)
{
	return slot->state != FREE;
}

static bool has_closer(const struct slot *slot)
{
	return slot->state == CLOSING;
}

/* Of this user; NULL: of all. */
static unsigned int count_slots(const struct server *s, bool (*counts)(const struct slot *),
				const uid_t *user)
{
	unsigned int n = 0;

	for (size_t i = 0; i < SLOTS; i++)
		n += counts(&s->slots[i]) && (!user || s->slots[i].client.uid == *user);
	return n;
}

static struct slot *find_free_slot(struct server *s)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (s->slots[i].state == FREE)
			return &s->slots[i];
	return NULL;
}

/* ---- the end of a connection ---- */

/*
 * After shutdown(2). Each message has credentials (SO_PASSCRED), also an empty one. The end has none. An
 * error of the connection comes before the messages.
 */
static bool has_message(int connection)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
	struct msghdr header = { .msg_control = control, .msg_controllen = sizeof(control) };

	return recvmsg(connection, &header, MSG_PEEK | MSG_DONTWAIT) != 0 || header.msg_controllen > 0;
}

__attribute__((noreturn)) static void await_kill(pid_t service)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == service)
		pause();
	_exit(0);
}

/* The child has these, too. The first slot keeps the child. */
static void close_all_of_user(struct server *s, struct slot *first)
{
	const uid_t user = first->client.uid;

	for (size_t i = 0; i < SLOTS; i++)
		if (s->slots[i].state == OVER && s->slots[i].client.uid == user && &s->slots[i] != first)
			release_slot(&s->slots[i]);
	close(first->fd);
	first->fd = -1;
	enter_state(first, CLOSING);
}

/* The child closes all that its user has left after this process, by its exit. */
static void close_by_child(struct server *s, struct slot *slot)
{
	pid_t service = getpid(), child = fork();
	int pidfd;

	if (child == 0)
		await_kill(service);
	pidfd = child < 0 ? -1 : idm_sys_pidfd_open(child);
	if (pidfd >= 0) {
		slot->child = child;
		slot->pidfd = pidfd;
		close_all_of_user(s, slot);
	} else {
		s->paused_until = get_milliseconds() + PAUSE_MS;
	}
	if (child > 0)
		kill(child, SIGKILL); /* a child that was not waited for */
	if (child > 0 && pidfd < 0)
		waitpid(child, NULL, 0);
}

/* No message arrives after shutdown(2), and the client reads the end. */
static void end_connection(struct slot *slot)
{
	close_if_open(slot->pidfd);
	slot->pidfd = -1;
	shutdown(slot->fd, SHUT_RDWR);
	if (has_message(slot->fd))
		enter_state(slot, OVER);
	else
		release_slot(slot);
}

static void refuse_slot(struct slot *slot, int code, const char *reason)
{
	struct idm_service_reply reply;

	refuse_request(&reply, code, "%s", reason);
	send_reply(slot->fd, &reply);
	end_connection(slot);
}

/* ---- accepting ---- */

static void admit(struct server *s, struct slot *slot, int connection)
{
	socklen_t size = sizeof(slot->client);

	slot->fd = connection;
	slot->pidfd = -1;
	enter_state(slot, SILENT);
	if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &slot->client, &size) < 0)
		end_connection(slot);
	else if (count_slots(s, is_used, &slot->client.uid) > SLOTS_OF_USER)
		refuse_slot(slot, -EAGAIN, "too many connections of this user are open");
}

static bool accept_one(struct server *s)
{
	struct slot *slot = find_free_slot(s);
	int connection = slot ? accept4(s->listener, NULL, NULL, SOCK_CLOEXEC) : -1;

	if (connection >= 0) {
		admit(s, slot, connection);
		return true;
	}
	if (slot && idm_is_shortage(-errno))
		s->paused_until = get_milliseconds() + PAUSE_MS;
	return slot && errno == ECONNABORTED;
}

static bool is_accepting(struct server *s)
{
	return !s->stopping && get_milliseconds() >= s->paused_until && find_free_slot(s);
}

/* ---- workers ---- */

/*
 * It exits with the service. It has other clients' connections, too. To close one could wait, so only
 * its exit does.
 */
static void run_worker(struct server *s, const struct slot *own, pid_t service)
{
	setpgid(0, 0);
	close(s->listener);
	close(s->signals);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == service)
		serve_client(own->fd, s->any_directory);
	_exit(0);
}

static void start_worker(struct server *s, struct slot *slot)
{
	pid_t service = getpid(), worker = fork();
	int pidfd;

	if (worker == 0)
		run_worker(s, slot, service);
	pidfd = worker < 0 ? -1 : idm_sys_pidfd_open(worker);
	if (pidfd < 0) {
		if (worker > 0 && kill(worker, SIGKILL) == 0) /* a child that was not waited for */
			waitpid(worker, NULL, 0);
		refuse_slot(slot, -EAGAIN, "the service lacks memory or descriptors");
		return;
	}
	slot->pidfd = pidfd;
	slot->child = worker;
	enter_state(slot, WORKING);
}

/* The one that has waited longest, of a user with a free worker. */
static struct slot *find_next(struct server *s)
{
	struct slot *next = NULL;

	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &s->slots[i];

		if (slot->state == READY && (!next || slot->since < next->since) &&
		    count_slots(s, has_worker, &slot->client.uid) < WORKERS_OF_USER)
			next = slot;
	}
	return next;
}

static void start_workers(struct server *s)
{
	struct slot *slot;

	while (count_slots(s, has_worker, NULL) < WORKERS && (slot = find_next(s)))
		start_worker(s, slot);
}

static void reap_child(struct slot *slot)
{
	if (slot->state == KILLED && slot->fd >= 0)
		log_problem("uid %u, pid %d: timed out", slot->client.uid, (int)slot->client.pid);
	waitpid(slot->child, NULL, 0);
	if (slot->fd < 0)
		release_slot(slot);
	else
		end_connection(slot);
}

static bool may_close(const struct server *s, const struct slot *slot)
{
	return slot->state == OVER && get_milliseconds() >= s->paused_until &&
	       count_slots(s, has_closer, NULL) < CLOSERS &&
	       count_slots(s, has_closer, &slot->client.uid) < CLOSERS_OF_USER;
}

static void close_connections(struct server *s)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (may_close(s, &s->slots[i]))
			close_by_child(s, &s->slots[i]);
}

/* ---- time ---- */

/* When the slot's state is over; -1: never. */
static int64_t find_end(const struct slot *slot, bool full)
{
	switch (slot->state) {
	case SILENT:
	case READY:
		return slot->since + (full ? HURRY_MS : WAIT_MS);
	case WORKING:
	case CLOSING:
		return slot->since + WORK_MS;
	default:
		return -1;
	}
}

/*
 * With its children: the client can stop a process that joins the handed user namespace. The worker was
 * not waited for, so no other group has its number.
 */
static void kill_worker(const struct slot *slot)
{
	idm_sys_pidfd_send_signal(slot->pidfd, SIGKILL);
	kill(-slot->child, SIGKILL);
}

static void expire_slot(struct slot *slot)
{
	if (slot->state == WORKING) {
		kill_worker(slot);
		shutdown(slot->fd, SHUT_RDWR);
		enter_state(slot, KILLED);
	} else if (slot->state == CLOSING) {
		enter_state(slot, KILLED);
	} else {
		refuse_slot(slot, -ETIMEDOUT,
			    slot->state == SILENT ? "no request came in time" : "the service is busy");
	}
}

static void expire_slots(struct server *s)
{
	int64_t now = get_milliseconds();
	bool full = !find_free_slot(s);

	for (size_t i = 0; i < SLOTS; i++) {
		int64_t end = find_end(&s->slots[i], full && s->slots[i].state == SILENT);

		if (end >= 0 && end <= now)
			expire_slot(&s->slots[i]);
	}
}

static int find_timeout(struct server *s)
{
	int64_t now = get_milliseconds(), first = s->paused_until > now ? s->paused_until : -1;
	bool full = !find_free_slot(s);

	for (size_t i = 0; i < SLOTS; i++) {
		int64_t end = find_end(&s->slots[i], full && s->slots[i].state == SILENT);

		if (end >= 0 && (first < 0 || end < first))
			first = end;
	}
	return first < 0 ? -1 : first <= now ? 0 : (int)(first - now);
}

/* ---- the loop ---- */

/* Workers finish their requests, and others close connections. They have WORK_MS for that. */
static void begin_to_stop(struct server *s)
{
	s->stopping = true;
	for (size_t i = 0; i < SLOTS; i++)
		if (s->slots[i].state == SILENT || s->slots[i].state == READY)
			end_connection(&s->slots[i]);
}

/* A killed worker that does not exit holds nothing of the service. */
static bool is_over(const struct server *s)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (s->slots[i].state == WORKING || s->slots[i].state == CLOSING)
			return false;
	return s->stopping;
}

enum { LISTENER, SIGNALS, FIRST_SLOT };

/* A message, or the exit of a child. */
static int find_awaited(const struct slot *slot)
{
	if (slot->state == SILENT)
		return slot->fd;
	return has_worker(slot) || has_closer(slot) ? slot->pidfd : -1;
}

static void fill_pollfds(struct server *s, struct pollfd *p)
{
	p[LISTENER] = (struct pollfd){ .fd = is_accepting(s) ? s->listener : -1, .events = POLLIN };
	p[SIGNALS] = (struct pollfd){ .fd = s->stopping ? -1 : s->signals, .events = POLLIN };
	for (size_t i = 0; i < SLOTS; i++)
		p[FIRST_SLOT + i] = (struct pollfd){ .fd = find_awaited(&s->slots[i]),
						     .events = POLLIN };
}

/* Without a worker, if the client has sent nothing. Descriptors of a message stay in it. */
static void handle_client(struct slot *slot)
{
	char byte;

	if (recv(slot->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		enter_state(slot, READY);
	else
		refuse_slot(slot, -EBADMSG, "expected a request, got an empty message");
}

static void handle_slots(struct server *s, const struct pollfd *p)
{
	for (size_t i = 0; i < SLOTS; i++) {
		if (!p[i].revents)
			continue;
		if (s->slots[i].state != SILENT)
			reap_child(&s->slots[i]);
		else
			handle_client(&s->slots[i]);
	}
}

static int handle_events(struct server *s)
{
	static struct pollfd p[FIRST_SLOT + SLOTS];

	fill_pollfds(s, p);
	if (poll(p, ARRAY_SIZE(p), find_timeout(s)) < 0 && errno != EINTR)
		return log_problem("poll: %s", strerror(errno));
	handle_slots(s, p + FIRST_SLOT);
	if (p[SIGNALS].revents)
		begin_to_stop(s);
	expire_slots(s);
	while (p[LISTENER].revents && is_accepting(s) && accept_one(s))
		;
	start_workers(s);
	close_connections(s);
	return 0;
}

int serve(int listener, bool any_directory)
{
	static struct server s;
	int r = 0;

	s.listener = listener;
	s.any_directory = any_directory;
	s.signals = idm_sys_signalfd(1ULL << (SIGTERM - 1) | 1ULL << (SIGINT - 1));
	if (s.signals < 0)
		return log_problem("signalfd: %s", strerror(-s.signals));
	while (r == 0 && !is_over(&s))
		r = handle_events(&s);
	return r;
}
