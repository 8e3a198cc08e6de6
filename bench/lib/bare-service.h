/* SPDX-License-Identifier: MIT */
/*
 * The least that a service for ID-mapped trees can do. The client sends a tree and a user namespace. The
 * service asks the kernel for a pidfd of the client, reads one file about it in /proc, maps the tree and
 * answers. Nothing is judged or checked, so it is no service to use.
 *
 * Further kinds make the system calls for a part of the proof in docs/design.md, too.
 */
#ifndef IDM_LIB_BARE_SERVICE_H
#define IDM_LIB_BARE_SERVICE_H

#include <stdbool.h>
#include <sys/types.h>

struct bare_kind {
	bool challenges;   /* a second message each way, with credentials */
	bool looks;	   /* at the client before and after: its program, capabilities, groups, maps */
	bool reads_handed; /* the map of the user namespace, by a child that joins it */
	bool forks;	   /* a child works for each request */
};

/* Returns when it listens. */
pid_t start_bare_service(const char *socket_path, struct bare_kind kind);

/* A request for that, by bare system calls, too. */
void map_by_bare_service(const char *socket_path, int tree, int userns);

#endif
