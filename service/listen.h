/* SPDX-License-Identifier: MIT */
/* The listening socket. Each function returns a descriptor, or logs what is wrong and returns -1. */
#ifndef IDM_SERVICE_LISTEN_H
#define IDM_SERVICE_LISTEN_H

#include <stdbool.h>

/* Whether a service manager has passed a socket. */
bool has_passed_socket(void);

/* The socket that it has passed. */
int take_passed_socket(void);

/* A new socket at a path, and the directory that holds it. Every user may connect. */
int listen_at(const char *path);

#endif
