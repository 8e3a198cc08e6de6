// SPDX-License-Identifier: MIT
/* Children. A child has connections of one user only, so that its exit waits for no other one. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"

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

pid_t clone_self(int kind)
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

pid_t start_child(struct server *s, const struct slot *own, int kind)
{
	return has_others(s, own) ? start_among_others(s, own, kind) : clone_self(kind);
}

__attribute__((noreturn)) void await_kill(pid_t service)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == service)
		pause();
	_exit(0);
}
