/* SPDX-License-Identifier: MIT */
/* The answer to a request, and how it is filled in. */
#ifndef IDM_SERVICE_REPLY_H
#define IDM_SERVICE_REPLY_H

#include "lib/base/service-wire.h"

/* Fills in a refusal. Returns `code`, a negative errno. */
int refuse_request(struct idm_service_reply *reply, int code, const char *reason, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds the hint to a refusal. */
void add_advice(struct idm_service_reply *reply, const char *hint, ...)
	__attribute__((format(printf, 2, 3)));

/* Sends it, if the client can receive it. */
void send_reply(int connection, const struct idm_service_reply *reply);

#endif
