/* SPDX-License-Identifier: MIT */
/* One request, from its first message to the reply. */
#ifndef IDM_SERVICE_WORKER_H
#define IDM_SERVICE_WORKER_H

#include <stdbool.h>
#include <sys/socket.h>

#include "share.h"

/*
 * Serves the client at the other end of a connection. It waits as long as that does. `client` is what
 * SO_PEERCRED returned. `quiet`: what it does not log. Returns 0, or the -errno of a refusal.
 */
int serve_client(int connection, const struct ucred *client, bool any_directory,
		 const bool quiet[LOG_KINDS]);

#endif
