/* SPDX-License-Identifier: MIT */
/*
 * A thief of process numbers. A seccomp filter stops a thread, the victim, at each of its system calls.
 * It stops every process that the victim starts, too. At a chosen call another thread kills and reaps
 * the victim's child, and starts another process with its number, the decoy. Then the victim continues.
 * So a number is reused between any two chosen steps, as often as a test requires.
 */
#ifndef IDM_STRESS_THIEF_H
#define IDM_STRESS_THIEF_H

#include "tests/lib/test.h"

/*
 * A process that waits for ever, with all signals blocked. It has a process group and a user namespace
 * of its own, without maps.
 */
struct decoy {
	pid_t pid;
	int fd;	   /* its pidfd */
	bool dead; /* it was killed, and is a zombie */
};

#define THIEF_MOST 32

struct theft {
	unsigned int at;    /* kill the child at this call, counted from its start */
	unsigned int child; /* which of the victim's children in a round; 0 is the first */
	pid_t other;	    /* if not 0: this child of the process instead */
	bool all;	    /* also kill each later child at the same call */
	bool dead;	    /* the decoys are zombies */
	bool orphans;	    /* reap the children of a taken child, as init does */
	bool lie;	    /* answer the victim's check "does it still exist?" with yes */
	unsigned int taken; /* the number of taken children */
	unsigned int n;
	struct decoy decoys[THIEF_MOST];
};

/*
 * Limits this PID namespace to a few numbers. The thief then does not request a number (clone3() with
 * set_tid), but starts processes until one gets it. Requires Linux 6.14.
 */
void thief_with_few_numbers(void);

/* Starts the victim's thread. There can be only one. */
void thief_start(void (*victim)(void *), void *data);

/* Calls the victim once, and kills children as `theft` says. Writes the results to `theft`. */
void thief_round(struct theft *theft);

/* Waits for the thread to exit. */
void thief_stop(void);

/* Returns the harm that was done to a decoy; NULL: none. */
const char *decoy_touched(const struct decoy *decoy);

/* Return whether the descriptor is of the decoy's user namespace, or a pidfd of the decoy. */
bool decoy_has_namespace(const struct decoy *decoy, int userns);
bool decoy_is_behind(const struct decoy *decoy, int pidfd);

/* Returns the first harm that was done to any decoy; NULL: none. */
const char *thief_harm(const struct theft *theft);

/* Kills and reaps the decoys. */
void thief_end_decoys(struct theft *theft);

#endif
