// SPDX-License-Identifier: MIT
/*
 * Workers. A client that has sent its request gets one, a forked process, for the rest. It alone
 * receives descriptors. Closing one can wait for the server of a FUSE filesystem, also when the process
 * is killed. So only the worker waits, and only its user.
 */
#include "working.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "connection.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "log.h"
#include "worker.h"

#define WORKERS_OF_USER 4

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

void start_workers(struct server *s)
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

bool is_left(const struct slot *slot)
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

void end_slots_without_process(struct server *s)
{
	for (size_t i = 0; i < s->used; i++)
		if (is_left(&s->slots[i]) && !has_left_process(&s->slots[i]))
			end_slot(&s->slots[i]);
}

void reap_worker(struct slot *slot)
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
