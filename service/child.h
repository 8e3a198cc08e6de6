/* SPDX-License-Identifier: MIT */
/* Children of the service. None has connections of several users. */
#ifndef IDM_SERVICE_CHILD_H
#define IDM_SERVICE_CHILD_H

#include <sys/types.h>

#include "server.h"

/* An unwatched one sends no signal when it exits, so that only __WCLONE finds it. */
enum { WATCHED, UNWATCHED };

/* As fork(2), with all connections. */
pid_t clone_self(int kind);

/* As fork(2), but in the child only the connections that belong to `own` are open. */
pid_t start_child(struct server *s, const struct slot *own, int kind);

/* What a child does that is there to be killed. */
__attribute__((noreturn)) void await_kill(pid_t service);

#endif
