// SPDX-License-Identifier: MIT
/* Time: how long each state may last. */
#include "expiry.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

#include "connection.h"
#include "lib/sys/syscall.h"
#include "working.h"

#define SILENT_MS 5000	    /* for a request */
#define HURRY_SILENT_MS 500 /* the same while no slot is free */
#define READY_MS 10000	    /* for a free worker */
#define HURRY_WORK_MS 2000  /* the same while another user has no worker, and none is free */
#define LEFT_MS 500	    /* between two looks for a process that a worker has left */

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

void expire_slots(struct server *s)
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

int find_timeout(struct server *s)
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
