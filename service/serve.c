// SPDX-License-Identifier: MIT
/*
 * One thread accepts connections, and waits for all of them in one poll(2). A client that has sent its
 * request gets a worker, a forked process, for the rest. The worker alone receives descriptors. Closing
 * one can wait for the server of a FUSE filesystem, also when the process is killed. So only the worker
 * waits, and only its user.
 *
 * A message that is left unread has descriptors, too. The process that drops it waits for a socket with
 * SO_LINGER, unless that process exits. So the first process drops no message. A child does by its exit.
 * A child has connections of one user only, so that it waits for no other one.
 *
 * There is a limit for everything, and a fixed array. The kernel keeps further connections in the queue
 * of the listening socket.
 */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "log.h"
#include "owner.h"
#include "reply.h"
#include "share.h"
#include "worker.h"

#define SLOTS_OF_USER 128
#define OVER_OF_USER 32	     /* further ones, and those that wait for a closer */
#define PARKED_OF_USER 4096  /* these without a slot */
#define WAITING_OF_USER 32   /* that a user keeps while no slot is free */
#define HURRY_OVER_OF_USER 2 /* as OVER_OF_USER, while no slot is free */
#define ACCEPTED_AT_ONCE 32  /* before other work */
#define WORKERS 64
#define WORKERS_OF_USER 4
#define CLOSERS 8
#define CLOSERS_OF_USER 2

#define SILENT_MS 5000	    /* for a request */
#define HURRY_SILENT_MS 500 /* the same while no slot is free */
#define READY_MS 10000	    /* for a free worker */
#define WORK_MS 5000	    /* for a worker */
#define HURRY_WORK_MS 2000  /* the same while another user has no worker, and none is free */
#define LEFT_MS 500	    /* between two looks for a process that a worker has left */
#define PAUSE_MS 100	    /* after accept4(2) lacked a descriptor or memory */

struct slot {
	enum state state;
	int fd; /* the connection; -1: only the child has it */
	int pidfd;
	pid_t child; /* the worker, or the child that closes the connection */
	struct ucred client;
	struct share *share;   /* of the client's user */
	bool quiet[LOG_KINDS]; /* what the worker does not log */
	int64_t since;	       /* in this state, in milliseconds */
};

struct server {
	pid_t pid;
	int listener, signals;
	bool any_directory;
	bool stopping;
	int64_t paused_until;
	unsigned int most_parked; /* of a user */
	unsigned int unwatched;	  /* children that exit without a signal */
	struct slot slots[SLOTS];
	size_t used; /* slots up to the last one that is not free */
	struct share_table table;
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
	move_in_share(slot->share, slot->state, state);
	slot->state = state;
	slot->since = get_milliseconds();
}

static void release_worker_slot(struct slot *slot)
{
	idm_close_fd(&slot->fd);
	idm_close_fd(&slot->pidfd);
	enter_state(slot, FREE);
	*slot = (struct slot){ .state = FREE, .fd = -1, .pidfd = -1 };
}

static unsigned int count_slots(const struct server *s, enum state state)
{
	unsigned int n = 0;

	for (size_t i = 0; i < s->used; i++)
		n += s->slots[i].state == state;
	return n;
}

/* Also the child that closes a connection, if it could not exit in time. */
static unsigned int count_workers(const struct share *share)
{
	return share->in_state[WORKING] + share->in_state[KILLED];
}

static struct slot *find_free_slot(struct server *s)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (s->slots[i].state == FREE)
			return &s->slots[i];
	return NULL;
}

/* ---- children ---- */

static bool is_kept(const struct slot *slot, const struct slot *own)
{
	return slot == own || (own->state == OVER && slot->state == OVER && slot->share == own->share);
}

/*
 * A connection that a child has longer than this process is closed by the exit of the child, which can
 * wait. So a child has no other user's. While this process waits, no close(2) here is the last.
 */
static void close_others(struct server *s, const struct slot *own)
{
	const struct share *shares = s->table.shares;

	for (size_t i = 0; i < s->used; i++)
		if (s->slots[i].state != FREE && !is_kept(&s->slots[i], own))
			idm_close_fd(&s->slots[i].fd);
	for (size_t i = 0; i < s->table.used; i++)
		for (unsigned int k = 0; k < shares[i].n_parked; k++)
			if (own->state != OVER || &shares[i] != own->share)
				close(shares[i].parked[k]);
}

static bool has_others(const struct server *s, const struct slot *own)
{
	const struct share *shares = s->table.shares;

	for (size_t i = 0; i < s->used; i++)
		if (s->slots[i].state != FREE && !is_kept(&s->slots[i], own))
			return true;
	for (size_t i = 0; i < s->table.used; i++)
		if (shares[i].n_parked && (own->state != OVER || &shares[i] != own->share))
			return true;
	return false;
}

enum { WATCHED, UNWATCHED };

/*
 * fork(2) of the C library writes to pages that each child copies then. That is for handlers and other
 * threads, which this process lacks. _Fork is without that.
 */
static pid_t fork_single_thread(void)
{
#if HAVE__FORK
	return _Fork();
#else
	return fork();
#endif
}

/* An unwatched one sends no signal when it exits, so that only __WCLONE finds it. */
static pid_t clone_self(int kind)
{
	return kind == WATCHED ? fork_single_thread() : (pid_t)syscall(SYS_clone, 0L, 0L, 0L, 0L, 0L);
}

/* Returns when the child has closed them. */
static pid_t start_among_others(struct server *s, const struct slot *own, int kind)
{
	int done[2];
	pid_t child;
	char byte;

	if (pipe2(done, O_CLOEXEC) < 0)
		return -1;
	child = clone_self(kind);
	if (child == 0)
		close_others(s, own);
	close(done[1]);
	if (child > 0)
		while (read(done[0], &byte, 1) < 0 && errno == EINTR)
			;
	close(done[0]);
	return child;
}

/* As fork(2), but in the child only the connections that belong to `own` are open. */
static pid_t start_child(struct server *s, const struct slot *own, int kind)
{
	return has_others(s, own) ? start_among_others(s, own, kind) : clone_self(kind);
}

/* ---- the end of a connection ---- */

/*
 * Whether there is a message, or can be one: neither the client nor shutdown(2) has closed it. Each
 * message has credentials (SO_PASSCRED), also an empty one. The end has none. An error of the connection
 * comes before the messages.
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

/* The child has these, too. */
static void release_all_of_user(struct server *s, const struct share *share, const struct slot *except)
{
	for (size_t i = 0; i < s->used; i++)
		if (s->slots[i].state == OVER && s->slots[i].share == share && &s->slots[i] != except)
			release_worker_slot(&s->slots[i]);
}

static void close_parked(struct share *share)
{
	for (unsigned int i = 0; i < share->n_parked; i++)
		close(share->parked[i]);
	free(share->parked);
	share->parked = NULL;
	share->n_parked = 0;
}

/* The first slot keeps the child. */
static void close_all_of_user(struct server *s, struct slot *first)
{
	release_all_of_user(s, first->share, first);
	close_parked(first->share);
	close(first->fd);
	first->fd = -1;
	enter_state(first, CLOSING);
}

/*
 * This process keeps the connections without their slots. An unread message counts for its sender, also
 * in the kernel's limit of descriptors in messages. One slot is left, which closes all of them later.
 */
static bool park_connections(struct server *s, const struct slot *first)
{
	struct share *share = first->share;

	if (!share->parked)
		share->parked = calloc(s->most_parked, sizeof(*share->parked));
	for (size_t i = 0; i < s->used && share->parked && share->n_parked < s->most_parked; i++) {
		struct slot *slot = &s->slots[i];

		if (slot->state != OVER || slot->share != share || slot == first)
			continue;
		share->parked[share->n_parked++] = slot->fd;
		slot->fd = -1;
		release_worker_slot(slot);
	}
	return share->in_state[OVER] == 1;
}

/* The user has more than this process keeps. A child without a slot closes all. */
static void close_in_child(struct server *s, const struct slot *slot)
{
	struct share *share = slot->share;
	pid_t child = start_child(s, slot, UNWATCHED);

	if (child == 0)
		await_kill(s->pid);
	if (child < 0) {
		s->paused_until = get_milliseconds() + PAUSE_MS;
		return;
	}
	release_all_of_user(s, share, NULL);
	close_parked(share);
	kill(child, SIGKILL); /* a child that was not waited for */
	s->unwatched++;
}

static void reap_unwatched(struct server *s)
{
	while (s->unwatched > 0 && waitpid(-1, NULL, WNOHANG | __WCLONE) > 0)
		s->unwatched--;
}

/* The child closes all that its user has left after this process, by its exit. */
static void close_by_child(struct server *s, struct slot *slot)
{
	pid_t child = start_child(s, slot, WATCHED);
	int pidfd;

	if (child == 0)
		await_kill(s->pid);
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
	idm_close_fd(&slot->pidfd);
	shutdown(slot->fd, SHUT_RDWR);
	if (has_message(slot->fd))
		enter_state(slot, OVER);
	else
		release_worker_slot(slot);
}

static void send_refusal(const struct slot *slot, int code, const char *reason)
{
	struct idm_service_reply reply;

	refuse_request(&reply, code, "%s", reason);
	send_reply(slot->fd, &reply);
}

static void refuse_slot(struct slot *slot, int code, const char *reason)
{
	send_refusal(slot, code, reason);
	end_connection(slot);
}

/* ---- accepting ---- */

static int identify_client(struct server *s, struct slot *slot)
{
	socklen_t size = sizeof(slot->client);
	struct owner owner = { 0 };
	int r = getsockopt(slot->fd, SOL_SOCKET, SO_PEERCRED, &slot->client, &size) < 0 ? -errno : 0;

	if (r == 0)
		r = find_owner(slot->fd, &slot->client, &owner);
	slot->share = get_share(&s->table, &owner, get_milliseconds());
	return r;
}

static void admit(struct server *s, struct slot *slot, int connection)
{
	size_t index = (size_t)(slot - s->slots);
	int r;

	if (index >= s->used)
		s->used = index + 1;
	slot->fd = connection;
	slot->pidfd = -1;
	r = identify_client(s, slot);
	enter_state(slot, SILENT);
	if (r < 0)
		refuse_slot(slot, r, "the caller exited");
	else if (slot->share->connections > SLOTS_OF_USER)
		refuse_slot(slot, -EAGAIN, "too many connections of this user are open");
}

/* The client can have closed it already. To look for its user costs more than to connect. */
static void admit_or_close(struct server *s, struct slot *slot, int connection)
{
	if (has_message(connection))
		admit(s, slot, connection);
	else
		close(connection);
}

static bool accept_one(struct server *s)
{
	struct slot *slot = find_free_slot(s);
	int connection = slot ? accept4(s->listener, NULL, NULL, SOCK_CLOEXEC) : -1;

	if (connection >= 0) {
		admit_or_close(s, slot, connection);
		return true;
	}
	if (slot && idm_is_shortage(-errno))
		s->paused_until = get_milliseconds() + PAUSE_MS;
	return slot && errno == ECONNABORTED;
}

/* ---- room for another user ---- */

static unsigned int count_waiting(const struct share *share)
{
	return share->in_state[SILENT] + share->in_state[READY];
}

/* The user with most connections that wait; NULL: none has more than it keeps. */
static struct share *find_largest(struct server *s)
{
	struct share *shares = s->table.shares, *largest = NULL;

	for (size_t i = 0; i < s->table.used; i++)
		if (count_waiting(&shares[i]) > (largest ? count_waiting(largest) : WAITING_OF_USER))
			largest = &shares[i];
	return largest;
}

static struct slot *find_newest_waiting(struct server *s, const struct share *share)
{
	struct slot *newest = NULL;

	for (size_t i = 0; i < s->used; i++) {
		struct slot *slot = &s->slots[i];

		if ((slot->state == SILENT || slot->state == READY) && slot->share == share &&
		    (!newest || slot->since > newest->since))
			newest = slot;
	}
	return newest;
}

/* A few users together could have all slots, and no request of another one would be accepted. */
static void make_room(struct server *s)
{
	const struct share *largest = find_largest(s);
	struct slot *newest = NULL;

	while (largest && count_waiting(largest) > WAITING_OF_USER &&
	       (newest = find_newest_waiting(s, largest)))
		refuse_slot(newest, -EAGAIN,
			    "too many connections of this user are open, and no other user can connect");
}

static bool is_accepting(struct server *s)
{
	return !s->stopping && get_milliseconds() >= s->paused_until &&
	       (find_free_slot(s) || find_largest(s));
}

/* A connection that its client has closed frees its slot at once, so that slots set no limit. */
static void accept_some(struct server *s)
{
	if (!find_free_slot(s))
		make_room(s);
	for (int i = 0; i < ACCEPTED_AT_ONCE && is_accepting(s) && accept_one(s); i++)
		;
}

/* ---- workers ---- */

/* The exit status of a worker that was not killed. */
enum { MAPPED, REFUSED };

/* It exits with the service. */
static void run_worker(struct server *s, const struct slot *own)
{
	setpgid(0, 0);
	close(s->listener); /* a worker that cannot exit would keep it */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == s->pid)
		_exit(serve_client(own->fd, &own->client, s->any_directory, own->quiet) == 0 ? MAPPED
											     : REFUSED);
	_exit(REFUSED);
}

static void start_worker(struct server *s, struct slot *slot)
{
	pid_t worker;
	int pidfd;

	for (int kind = 0; kind < LOG_KINDS; kind++)
		slot->quiet[kind] = is_log_full(slot->share, kind, get_milliseconds());
	worker = start_child(s, slot, WATCHED);
	if (worker == 0)
		run_worker(s, slot);
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

	for (size_t i = 0; i < s->used; i++) {
		struct slot *slot = &s->slots[i];

		if (slot->state == READY && (!next || slot->since < next->since) &&
		    count_workers(slot->share) < WORKERS_OF_USER)
			next = slot;
	}
	return next;
}

static void start_workers(struct server *s)
{
	struct slot *slot;

	/* A killed one that cannot exit takes no time, and counts for its user only. */
	while (count_slots(s, WORKING) < WORKERS && (slot = find_next(s)))
		start_worker(s, slot);
}

static void log_time_out(struct slot *slot)
{
	bool full = is_log_full(slot->share, LOG_REFUSED, get_milliseconds());

	if (!full)
		log_problem("uid %u, pid %d: timed out", slot->client.uid, (int)slot->client.pid);
	count_line(slot->share, LOG_REFUSED, !full);
}

static void count_worker_line(const struct slot *slot, enum log_kind kind)
{
	count_line(slot->share, kind, !slot->quiet[kind]);
}

/* Its worker has exited, and has left a process. */
static bool is_left(const struct slot *slot)
{
	return slot->state == KILLED && slot->pidfd < 0;
}

/*
 * A worker's group has the process that joined the handed user namespace. Where the kernel lets the
 * client trace that, it does not leave before its tracer does, and counts for the service. The number of
 * the group is no other one's before.
 */
static bool has_left_process(const struct slot *slot)
{
	return slot->state == KILLED && kill(-slot->child, 0) == 0;
}

static void end_slot(struct slot *slot)
{
	if (slot->fd < 0)
		release_worker_slot(slot);
	else
		end_connection(slot);
}

static void end_slots_without_process(struct server *s)
{
	for (size_t i = 0; i < s->used; i++)
		if (is_left(&s->slots[i]) && !has_left_process(&s->slots[i]))
			end_slot(&s->slots[i]);
}

static void reap_worker(struct slot *slot)
{
	int status = 0;

	waitpid(slot->child, &status, 0);
	if (slot->state == KILLED && slot->fd >= 0)
		log_time_out(slot);
	else if (WIFEXITED(status) && slot->state == WORKING)
		count_worker_line(slot, WEXITSTATUS(status) == MAPPED ? LOG_MAPPED : LOG_REFUSED);
	if (has_left_process(slot))
		idm_close_fd(&slot->pidfd);
	else
		end_slot(slot);
}

static bool is_to_close(const struct server *s, const struct slot *slot)
{
	return slot->state == OVER && get_milliseconds() >= s->paused_until;
}

/* A killed one that cannot exit counts for its user only. */
static bool has_free_closer(const struct server *s, const struct share *share)
{
	return count_slots(s, CLOSING) < CLOSERS &&
	       share->in_state[CLOSING] + share->in_state[KILLED] < CLOSERS_OF_USER;
}

/* A process that stops would wait for what it has left. */
static bool is_too_much(struct server *s, const struct share *share)
{
	const struct slot *free_slot = find_free_slot(s);

	return s->stopping || share->in_state[OVER] >= (free_slot ? OVER_OF_USER : HURRY_OVER_OF_USER);
}

static void close_connections(struct server *s)
{
	for (size_t i = 0; i < s->used; i++) {
		struct slot *slot = &s->slots[i];

		if (!is_to_close(s, slot))
			continue;
		if (has_free_closer(s, slot->share))
			close_by_child(s, slot);
		else if (is_too_much(s, slot->share) && (s->stopping || !park_connections(s, slot)))
			close_in_child(s, slot);
	}
}

/* ---- time ---- */

/* What there is not enough of. */
struct pressure {
	bool no_slot;	/* for a further connection */
	bool no_worker; /* for a user that has none */
};

static bool is_starving(const struct slot *slot)
{
	return slot->state == READY && count_workers(slot->share) == 0;
}

static struct pressure find_pressure(struct server *s)
{
	struct pressure pressure = { .no_slot = !find_free_slot(s) };
	bool is_busy = count_slots(s, WORKING) >= WORKERS;

	for (size_t i = 0; i < s->used && is_busy; i++)
		pressure.no_worker |= is_starving(&s->slots[i]);
	return pressure;
}

/* When the slot's state is over; -1: never. */
static int64_t find_end(const struct slot *slot, const struct pressure *pressure)
{
	switch (slot->state) {
	case SILENT:
		return slot->since + (pressure->no_slot ? HURRY_SILENT_MS : SILENT_MS);
	case READY:
		return slot->since + READY_MS;
	case WORKING:
		return slot->since + (pressure->no_worker ? HURRY_WORK_MS : WORK_MS);
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
		send_refusal(slot, -ETIMEDOUT, "the request was not finished in time");
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
	const struct pressure pressure = find_pressure(s);
	int64_t now = get_milliseconds();

	for (size_t i = 0; i < s->used; i++) {
		int64_t end = find_end(&s->slots[i], &pressure);

		if (end >= 0 && end <= now)
			expire_slot(&s->slots[i]);
	}
}

static int64_t find_earlier(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int find_timeout(struct server *s)
{
	const struct pressure pressure = find_pressure(s);
	int64_t now = get_milliseconds(), first = log_left_out(&s->table, now);

	if (s->paused_until > now)
		first = find_earlier(first, s->paused_until);
	for (size_t i = 0; i < s->used; i++)
		first = find_earlier(first, is_left(&s->slots[i]) ? now + LEFT_MS
								  : find_end(&s->slots[i], &pressure));
	return first < 0 ? -1 : first <= now ? 0 : (int)(first - now);
}

/* ---- the loop ---- */

/* Workers finish their requests, and others close connections. They have WORK_MS for that. */
static void begin_to_stop(struct server *s)
{
	s->stopping = true;
	for (size_t i = 0; i < s->used; i++)
		if (s->slots[i].state == SILENT || s->slots[i].state == READY)
			end_connection(&s->slots[i]);
}

/* A killed worker that does not exit holds nothing of the service. */
static bool is_over(const struct server *s)
{
	for (size_t i = 0; i < s->used; i++)
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
	return slot->state == FREE || slot->state == READY || slot->state == OVER ? -1 : slot->pidfd;
}

static size_t fill_pollfds(struct server *s, struct pollfd *p)
{
	while (s->used > 0 && s->slots[s->used - 1].state == FREE)
		s->used--;
	p[LISTENER] = (struct pollfd){ .fd = is_accepting(s) ? s->listener : -1, .events = POLLIN };
	p[SIGNALS] = (struct pollfd){ .fd = s->stopping ? -1 : s->signals, .events = POLLIN };
	for (size_t i = 0; i < s->used; i++)
		p[FIRST_SLOT + i] = (struct pollfd){ .fd = find_awaited(&s->slots[i]),
						     .events = POLLIN };
	return FIRST_SLOT + s->used;
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
	for (size_t i = 0; i < s->used; i++) {
		if (!p[i].revents)
			continue;
		if (s->slots[i].state != SILENT)
			reap_worker(&s->slots[i]);
		else
			handle_client(&s->slots[i]);
	}
}

static int handle_events(struct server *s)
{
	static struct pollfd p[FIRST_SLOT + SLOTS];
	size_t n = fill_pollfds(s, p);

	if (poll(p, n, find_timeout(s)) < 0 && errno != EINTR)
		return log_problem("poll: %s", strerror(errno));
	handle_slots(s, p + FIRST_SLOT);
	end_slots_without_process(s);
	if (p[SIGNALS].revents)
		begin_to_stop(s);
	expire_slots(s);
	if (p[LISTENER].revents)
		accept_some(s);
	start_workers(s);
	close_connections(s);
	reap_unwatched(s);
	return 0;
}

/*
 * Connections in its queue can have messages with files that cannot be closed. So a child that exits closes
 * the socket last.
 */
static void close_listener(const struct server *s)
{
	pid_t child = clone_self(UNWATCHED);
	struct pollfd exit = { .events = POLLIN };

	if (child == 0)
		await_kill(s->pid);
	close(s->listener);
	if (child < 0)
		return;
	exit.fd = idm_sys_pidfd_open(child);
	kill(child, SIGKILL); /* a child that was not waited for */
	if (poll(&exit, 1, WORK_MS) > 0)
		waitpid(child, NULL, __WCLONE);
	idm_close_fd(&exit.fd);
}

/* A part of the descriptors, so that other users have some. */
static unsigned int get_most_parked(void)
{
	struct rlimit limit, more;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return OVER_OF_USER;
	more = (struct rlimit){ limit.rlim_max, limit.rlim_max };
	if (setrlimit(RLIMIT_NOFILE, &more) == 0)
		limit = more;
	return limit.rlim_cur / 4 < PARKED_OF_USER ? (unsigned int)limit.rlim_cur / 4 : PARKED_OF_USER;
}

int serve(int listener, bool any_directory)
{
	static struct server s;
	int r = 0;

	s.pid = getpid();
	s.listener = listener;
	s.any_directory = any_directory;
	s.most_parked = get_most_parked();
	s.signals = idm_sys_signalfd(1ULL << (SIGTERM - 1) | 1ULL << (SIGINT - 1));
	if (s.signals < 0)
		return log_problem("signalfd: %s", strerror(-s.signals));
	while (r == 0 && !is_over(&s))
		r = handle_events(&s);
	close_listener(&s);
	log_left_out(&s.table, INT64_MAX);
	return r;
}
