/* SPDX-License-Identifier: MIT */
/* The short-lived child that holds a new user namespace. */
#ifndef IDM_HOLDER_H
#define IDM_HOLDER_H

#include <stdbool.h>
#include <sys/types.h>

struct idm_holder {
	int pidfd;
	pid_t number; /* in the caller's PID namespace, as clone(2) says */
	bool live;    /* has to be killed before it can be reaped */
	pid_t parent; /* of a live child: what its getppid() says as long as we live */
	bool over;    /* tells a live child to end, should it not be possible to kill it */
	void *stack;  /* of a child that runs code; NULL for the others */
};

/*
 * Starts a child in a new user namespace of its own. Not `live`: it does nothing but exit, and stays a
 * zombie that keeps the namespace until idm_holder_end(). `live`: it waits to be killed.
 * Returns 0 or -errno as clone3(2).
 */
int idm_holder_start(struct idm_holder *holder, bool live);

/* Waits until the child that is not `live` is a zombie, or has been reaped by somebody else. */
void idm_holder_await_exit(struct idm_holder *holder);

/* Ends and reaps the child; fine if somebody else has reaped it. errno stays as it was. */
void idm_holder_end(struct idm_holder *holder);

#endif
