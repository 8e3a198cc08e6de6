// SPDX-License-Identifier: MIT
/*
 * A message that is left unread has descriptors. The process that drops it waits for a socket with
 * SO_LINGER, or for the server of a FUSE filesystem, also when it is killed. So the first process drops
 * no message. A child does by its exit.
 */
#include "closing.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"

#define OVER_OF_USER 32	     /* further ones, and those that wait for a closer */
#define PARKED_OF_USER 4096  /* these without a slot */
#define HURRY_OVER_OF_USER 2 /* as OVER_OF_USER, while no slot is free */
#define PARKING_USERS 12     /* that leave a descriptor for each slot and child together */
#define OTHER_DESCRIPTORS (2 * SLOTS + 64)
#define DESCRIPTORS 65536 /* as in contrib/systemd/idmountd.service */
#define CLOSERS 8
#define CLOSERS_OF_USER 2

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

	if (!share->parked) /* analyzer: close_parked() frees it */
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

void reap_unwatched(struct server *s)
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

void close_connections(struct server *s)
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

void close_listener(const struct server *s)
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

/* Beyond the hard limit with CAP_SYS_RESOURCE only, which the unit lacks. */
static rlim_t raise_descriptor_limit(void)
{
	const struct rlimit most = { DESCRIPTORS, DESCRIPTORS };
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	if (limit.rlim_max < DESCRIPTORS && setrlimit(RLIMIT_NOFILE, &most) == 0)
		return DESCRIPTORS;
	if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){ limit.rlim_max, limit.rlim_max }) == 0)
		return limit.rlim_max;
	return limit.rlim_cur;
}

unsigned int get_most_parked(void)
{
	rlim_t limit = raise_descriptor_limit();
	rlim_t each = limit > OTHER_DESCRIPTORS ? (limit - OTHER_DESCRIPTORS) / PARKING_USERS : 0;

	return each < PARKED_OF_USER ? (unsigned int)each : PARKED_OF_USER;
}
