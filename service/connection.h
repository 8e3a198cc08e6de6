/* SPDX-License-Identifier: MIT */
/* The end of a connection, with a refusal or without. */
#ifndef IDM_SERVICE_CONNECTION_H
#define IDM_SERVICE_CONNECTION_H

#include <stdbool.h>

#include "server.h"

/*
 * Whether there is a message, or can be one: neither the client nor shutdown(2) has closed it. Each
 * message has credentials (SO_PASSCRED), also an empty one. The end has none. An error of the connection
 * comes before the messages.
 */
bool has_message(int connection);

/* No message arrives after shutdown(2), and the client reads the end. */
void end_connection(struct slot *slot);

void send_refusal(const struct slot *slot, int code, const char *reason);

/* And ends the connection. */
void refuse_slot(struct slot *slot, int code, const char *reason);

#endif
