/* SPDX-License-Identifier: MIT */
/* The client: which process it is, and what that may do. */
#ifndef IDM_SERVICE_PEER_H
#define IDM_SERVICE_PEER_H

#include <sys/socket.h>

#include "rule.h"

/* The auxiliary vector of a process has about 400 bytes. */
#define IMAGE_SIZE 2048

struct peer {
	struct ucred connected; /* SO_PEERCRED: made by the kernel when the client connected */
	int pidfd;
	int process;		/* its directory in /proc, from the look on */
	bool is_by_number;	/* the number is not proven to be the client's yet: before Linux 6.5 */
	char image[IMAGE_SIZE]; /* what the look found: the program that it executes; all zeros before */
	size_t image_size;
};

/* All that a process in its limits can have: its status is a text of at most 32 KiB. */
#define MAX_GROUPS 8192

/* What /proc shows of it. */
struct look {
	struct caller_facts facts;
	struct idm_map *map;	   /* that of the facts */
	uint32_t uids[3], gids[3]; /* real, effective, saved */
	unsigned int pid_namespaces;
	uint32_t groups[MAX_GROUPS];
};

/* The process that connected, as a pidfd. -ENOPROTOOPT: before Linux 6.5. Other errors: it exited. */
int get_peer_pidfd(int connection);

/* Opens the user namespace of a process. -ESRCH: it exited. */
int open_userns_of(int pidfd);

/*
 * Reads both sides of the map of a process's user namespace, as the service counts. `process` is its
 * directory in /proc. An unwritten side remains empty. Returns the number of lines that the longer side
 * has in the kernel, which does not join neighbours as `map` does, or -errno.
 */
int read_maps(int process, struct idm_map *map);

/*
 * Opens the procfs in which the service finds processes. Called once, before the other functions.
 * Returns 0 or -errno.
 */
int prepare_procfs(void);

/*
 * Opens the directory of a process there, as an O_PATH descriptor. It is that process's if the pidfd is
 * found alive afterwards. -ESRCH: it was reaped.
 */
int open_process(int pidfd);

/* Finds the process at the other end of a connection. `connected` is known already. */
int find_peer(int connection, struct peer *peer, struct idm_service_reply *reply);

/*
 * Looks at the process, once. `parent` is the inode number of a user namespace that the caller of this
 * function has open. *look is all zeros before. What it has is true if confirm_look() returns 0.
 */
int look_at_peer(struct peer *peer, uint64_t parent, struct look *look, struct idm_service_reply *reply);

/*
 * Looks again at what can change. Refuses a process that has exited, or is another program. Notes in
 * *look whether it was in the user namespace all the time.
 */
int confirm_look(struct peer *peer, uint64_t parent, struct look *look, struct idm_service_reply *reply);

#endif
