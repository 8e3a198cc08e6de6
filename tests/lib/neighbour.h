/* SPDX-License-Identifier: MIT */
/* A child process that has something of its own, and stays until it is told to end. */
#ifndef IDM_LIB_NEIGHBOUR_H
#define IDM_LIB_NEIGHBOUR_H

#include <sys/types.h>

struct neighbour {
	pid_t pid;
	int hold; /* it stays as long as this is open */
};

/* Comes back when `prepare` has run in the child. Fails or skips with it. */
struct neighbour neighbour_start(void (*prepare)(void *), void *arg);

/* One of its namespaces, by the name in /proc/PID/ns. */
int neighbour_namespace(const struct neighbour *n, const char *name);

/* Waits until it has ended, which must be well. */
void neighbour_end(struct neighbour *n);

/* A namespace that only the descriptor holds: one that a neighbour had. */
int orphan_namespace(const char *name, void (*prepare)(void *), void *arg);

#endif
