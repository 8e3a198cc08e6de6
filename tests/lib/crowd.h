/* SPDX-License-Identifier: MIT */
/* Threads that do the same at once, again and again. */
#ifndef IDM_LIB_CROWD_H
#define IDM_LIB_CROWD_H

#include <stdbool.h>

struct crowd;

/*
 * Runs `member` in `n` threads, each with its number from 0 on, for test_duration(seconds). Returns how
 * often crowd_goes_on() was called.
 */
unsigned int crowd_run(unsigned int n, int seconds,
		       void (*member)(struct crowd *crowd, unsigned int thread));

/* For a member that is ready: waits for all the others. */
void crowd_start(struct crowd *crowd);

/* For a member, after each piece of work. Returns whether there is time for another one. */
bool crowd_goes_on(struct crowd *crowd);

#endif
