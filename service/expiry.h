/* SPDX-License-Identifier: MIT */
/* How long each state of a slot may last. */
#ifndef IDM_SERVICE_EXPIRY_H
#define IDM_SERVICE_EXPIRY_H

#include "server.h"

void expire_slots(struct server *s);

/* For poll(2): until the next state is over. */
int find_timeout(struct server *s);

#endif
