/* SPDX-License-Identifier: MIT */
/* One line on standard error for each request. */
#ifndef IDM_SERVICE_LOG_H
#define IDM_SERVICE_LOG_H

#include <sys/socket.h>

#include "idmount.h"
#include "rule.h"

/* `map` may be empty. */
void log_request(const struct ucred *client, const struct tree_facts *tree, const struct idm_map *map,
		 const struct idm_service_reply *reply);

/* A message of the service itself. Returns 1, an exit status. */
int log_problem(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
