// SPDX-License-Identifier: MIT
/* Slots: each connection has one. */
#include "server.h"

#include <sys/types.h>
#include <time.h>

#include "lib/base/macros.h"
#include "lib/sys/syscall.h"

int64_t get_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

void enter_state(struct slot *slot, enum state state)
{
	move_in_share(slot->share, slot->state, state);
	slot->state = state;
	slot->since = get_milliseconds();
}

void release_worker_slot(struct slot *slot)
{
	idm_close_fd(&slot->fd);
	idm_close_fd(&slot->pidfd);
	enter_state(slot, FREE);
	*slot = (struct slot){ .state = FREE, .fd = -1, .pidfd = -1 };
}

unsigned int count_slots(const struct server *s, enum state state)
{
	unsigned int n = 0;

	for (size_t i = 0; i < s->used; i++)
		n += s->slots[i].state == state;
	return n;
}

unsigned int count_workers(const struct share *share)
{
	return share->in_state[WORKING] + share->in_state[KILLED];
}

struct slot *find_free_slot(struct server *s)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (s->slots[i].state == FREE)
			return &s->slots[i];
	return NULL;
}
