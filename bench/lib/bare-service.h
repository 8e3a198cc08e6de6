/* SPDX-License-Identifier: MIT */
/*
 * The least that a service for ID-mapped trees can do. The client sends a tree and a user namespace. The
 * service asks the kernel for a pidfd of the client, reads one file about it in /proc, maps the tree and
 * answers. Nothing is judged or checked, so it is no service to use.
 */
#ifndef IDM_LIB_BARE_SERVICE_H
#define IDM_LIB_BARE_SERVICE_H

#include <stdbool.h>
#include <sys/types.h>

/* Returns when it listens. With `forks` a child works for each request. */
pid_t start_bare_service(const char *socket_path, bool forks);

/* A request for that, by bare system calls, too. */
void map_by_bare_service(const char *socket_path, int tree, int userns);

#endif
