/* SPDX-License-Identifier: MIT */
/* Workers, from their start to their end. */
#ifndef IDM_SERVICE_WORKING_H
#define IDM_SERVICE_WORKING_H

#include <stdbool.h>

#include "server.h"

/* For the clients that have sent a request. */
void start_workers(struct server *s);

/* Its worker has exited, and has left a process. */
bool is_left(const struct slot *slot);

/* Those that is_left() was true for. */
void end_slots_without_process(struct server *s);

/* Its pidfd is readable. */
void reap_worker(struct slot *slot);

#endif
