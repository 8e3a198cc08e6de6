/* SPDX-License-Identifier: MIT */
/* What each user has of the service: connections, processes, lines in the log. */
#ifndef IDM_SERVICE_SHARE_H
#define IDM_SERVICE_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "owner.h"

#define SLOTS 512 /* connections that are open */

enum state {
	FREE = 0,
	SILENT,	 /* connected */
	READY,	 /* has sent its request, or closed the connection */
	WORKING, /* has a worker */
	KILLED,	 /* its child was killed, and it or a process of its has not exited in time */
	OVER,	 /* shut down, and has unread messages */
	CLOSING, /* a child that exits closes it */
	STATES,
};

/* Lines of the log that are counted apart. */
enum log_kind { LOG_MAPPED, LOG_REFUSED, LOG_KINDS };

struct log_count {
	unsigned int logged, left_out;
};

struct share {
	struct owner owner;
	unsigned int connections;      /* in any state but FREE */
	unsigned int in_state[STATES]; /* how many of these are in which state */
	int *parked;		       /* connections that left their slots; one is in state OVER then */
	unsigned int n_parked;
	struct log_count lines[LOG_KINDS]; /* since then */
	int64_t since;
};

/* More than there are connections: a user without one can have a count that is not logged yet. */
struct share_table {
	struct share shares[2 * SLOTS];
	size_t used; /* of these, the first ones */
};

/* Finds the user's share, or begins it. */
struct share *get_share(struct share_table *table, const struct owner *owner, int64_t now);

/* Counts one of its connections in another state. */
void move_in_share(struct share *share, enum state from, enum state to);

/* Whether the user's part of the log is full. A client can ask as often as it likes. */
bool is_log_full(struct share *share, enum log_kind kind, int64_t now);

/* Counts a line that was logged, or was left out. */
void count_line(struct share *share, enum log_kind kind, bool logged);

/* Logs how many lines were left out, for each user whose time is over. Returns the next such time, or
 * -1. */
int64_t log_left_out(struct share_table *table, int64_t now);

#endif
