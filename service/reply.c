// SPDX-License-Identifier: MIT
#include "reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

int refuse_request(struct idm_service_reply *reply, int code, const char *reason, ...)
{
	va_list args;

	*reply = (struct idm_service_reply){ .version = IDM_SERVICE_VERSION,
					     .state = IDM_SERVICE_DONE,
					     .result = code };
	va_start(args, reason);
	vsnprintf(reply->reason, sizeof(reply->reason), reason, args);
	va_end(args);
	return code;
}

void add_advice(struct idm_service_reply *reply, const char *hint, ...)
{
	va_list args;

	va_start(args, hint);
	vsnprintf(reply->hint, sizeof(reply->hint), hint, args);
	va_end(args);
}

/* A client that does not read has space for a few messages, so this does not wait. */
void send_reply(int connection, const struct idm_service_reply *reply)
{
	(void)!send(connection, reply, sizeof(*reply), MSG_NOSIGNAL | MSG_DONTWAIT);
}
