/* SPDX-License-Identifier: MIT */
/* The client of idmountd, which maps a tree for a caller that the kernel does not let do it. */
#ifndef IDM_MOUNT_SERVICE_CLIENT_H
#define IDM_MOUNT_SERVICE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "idmount.h"

/*
 * How long each answer of the service may take, the connection to it, and all requests together that it
 * refuses since it has too much to do.
 */
#define IDM_SERVICE_TIMEOUT_MS 30000

/*
 * The path of the service's socket: $IDMOUNTD_SOCKET, unless that is empty or the program gained
 * privileges when it was executed.
 */
const char *idm_service_socket(void);

/* Whether a socket is there. No service has to listen on it. */
bool idm_service_has_socket(void);

/* Prints the commands that start the service with that socket. */
void idm_service_print_start(char *text, size_t size);

/*
 * Asks the service to ID-map the detached tree, which is one mount. `source` is what the caller calls
 * it. Returns 0 if the service says that it did. 1: no service runs, and *err is unchanged. -ETIMEDOUT:
 * no answer. -EPROTO: no valid reply. -EAGAIN: the service stays busy. Others: the service's own.
 */
int idm_service_map(int tree_fd, int userns_fd, const char *source, struct idm_error *err);

/* Connects, and asks for nothing. Returns 0 or -errno. -ENOENT and -ECONNREFUSED: no service runs. */
int idm_service_try(void);

#endif
