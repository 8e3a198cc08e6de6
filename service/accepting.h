/* SPDX-License-Identifier: MIT */
/* New connections, and the room for them. */
#ifndef IDM_SERVICE_ACCEPTING_H
#define IDM_SERVICE_ACCEPTING_H

#include <stdbool.h>

#include "server.h"

bool is_accepting(struct server *s);

/* A connection that its client has closed frees its slot at once, so that slots set no limit. */
void accept_some(struct server *s);

#endif
