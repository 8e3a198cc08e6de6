// SPDX-License-Identifier: MIT
/*
 * The loop. One thread accepts connections, and waits for all of them in one poll(2). There is a fixed
 * array for them.
 */
#include "serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accepting.h"
#include "closing.h"
#include "connection.h"
#include "expiry.h"
#include "lib/sys/syscall.h"
#include "log.h"
#include "server.h"
#include "working.h"

enum { LISTENER, SIGNALS, FIRST_SLOT };

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
