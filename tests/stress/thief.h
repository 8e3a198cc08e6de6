/* SPDX-License-Identifier: MIT */
/*
 * A thief of process numbers. A thread, the victim, is stopped at every one of its system calls, and so
 * is every process that it starts; at a chosen one of them another thread kills and reaps its child, and
 * gives the number to another process, the decoy. Then the victim goes on. So "the number was reused
 * just between these two steps" happens as often as one likes, wherever one likes.
 */
#ifndef IDM_STRESS_THIEF_H
#define IDM_STRESS_THIEF_H

#include "tests/lib/test.h"

/*
 * A process in a user namespace of its own, without maps, in a process group of its own, with all
 * signals blocked. It waits for ever.
 */
struct decoy {
	pid_t pid;
	int fd;	   /* its pidfd */
	bool dead; /* it has been killed, and is a zombie that anybody may wait for */
};

#define THIEF_MOST 32

struct theft {
	unsigned int at;    /* takes a child at this call of those that are made while it is there */
	unsigned int child; /* which of the victim's children in this round: 0, the first, and so on */
	pid_t other;	    /* if not 0: not a child of the victim's, but this one of the process's */
	bool all;	    /* also the next one, at the same call, and so on */
	bool dead;	    /* the decoys are zombies */
	bool orphans;	    /* reaps what a taken child has started, as init does */
	bool lie;	    /* answers the victim's question "is it still there?": yes */
	unsigned int taken; /* how many children were */
	unsigned int n;
	struct decoy decoys[THIEF_MOST];
};

/*
 * From here on this PID namespace has a handful of numbers, and the thief does not ask for the one that
 * it wants (clone3 with set_tid), but starts processes until it gets it. Linux 6.14.
 */
void thief_with_few_numbers(void);

/* Starts the thread. One at a time. */
void thief_start(void (*victim)(void *), void *data);

/* Lets the victim be called once, and does as `theft` says. What becomes of it is in there, too. */
void thief_round(struct theft *theft);

/* Waits for the thread's end. */
void thief_stop(void);

/* What has been done to a decoy; NULL: nothing. */
const char *decoy_touched(const struct decoy *decoy);

/* Whether the descriptor is that of the decoy's user namespace; of its pidfd. */
bool decoy_has_namespace(const struct decoy *decoy, int userns);
bool decoy_is_behind(const struct decoy *decoy, int pidfd);

/* The first harm that was done to any of them; NULL: none. */
const char *thief_harm(const struct theft *theft);

/* Ends and reaps the decoys. */
void thief_end_decoys(struct theft *theft);

#endif
