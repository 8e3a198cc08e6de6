/* SPDX-License-Identifier: MIT */
/* One message of a client. */
#ifndef IDM_SERVICE_REQUEST_H
#define IDM_SERVICE_REQUEST_H

#include <sys/socket.h>

#include "reply.h"

#define REQUEST_FDS 2

struct message {
	struct idm_service_request request;
	struct ucred sender; /* as the kernel checked it; pid 0: unknown */
	int fds[REQUEST_FDS];
	unsigned int n_fds;
};

/*
 * Waits for a message with this operation and this number of descriptors. -ECONNRESET: the client has
 * closed the connection. Anything else that is wrong is a refusal.
 */
int receive_message(int connection, enum idm_service_operation operation, unsigned int n_fds,
		    struct message *message, struct idm_service_reply *reply);

#endif
