// SPDX-License-Identifier: MIT
/*
 * New connections. There is a limit for everything. The kernel keeps further connections in the queue of
 * the listening socket.
 */
#include "accepting.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "owner.h"

#define SLOTS_OF_USER 128
#define WAITING_OF_USER 32  /* that a user keeps while no slot is free */
#define ACCEPTED_AT_ONCE 32 /* before other work */

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

bool is_accepting(struct server *s)
{
	return !s->stopping && get_milliseconds() >= s->paused_until &&
	       (find_free_slot(s) || find_largest(s));
}

void accept_some(struct server *s)
{
	if (!find_free_slot(s))
		make_room(s);
	for (int i = 0; i < ACCEPTED_AT_ONCE && is_accepting(s) && accept_one(s); i++)
		;
}
