/* SPDX-License-Identifier: MIT */
/* What the parts of the service have together: the connections and their states. */
#ifndef IDM_SERVICE_SERVER_H
#define IDM_SERVICE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "share.h"

#define WORKERS 64
#define WORK_MS 5000 /* for a worker */
#define PAUSE_MS 100 /* after accept4(2) lacked a descriptor or memory */

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

/* Of the monotonic clock. */
int64_t get_milliseconds(void);

/* Counts the slot in its new state, from now on. */
void enter_state(struct slot *slot, enum state state);

/* Closes what it has. */
void release_worker_slot(struct slot *slot);

unsigned int count_slots(const struct server *s, enum state state);

/* Also the child that closes a connection, if it could not exit in time. */
unsigned int count_workers(const struct share *share);

/* NULL: all are used. */
struct slot *find_free_slot(struct server *s);

#endif
