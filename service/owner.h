/* SPDX-License-Identifier: MIT */
/*
 * The user that a connection counts for. A user with subordinate IDs can connect as each of them, so
 * their number says nothing.
 */
#ifndef IDM_SERVICE_OWNER_H
#define IDM_SERVICE_OWNER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

/* A uid of the host, or a user namespace of root's. Root creates these for other users. */
struct owner {
	uint64_t id;
	bool is_userns; /* `id` is the inode number of its file */
};

/*
 * Finds it. Returns 0, or -ESRCH: the client exited, so its request would be refused. All clients that
 * exited have one owner. The kernel does not tell any more whose processes they were, and a user can
 * have one with each of its subordinate IDs.
 */
int find_owner(int connection, const struct ucred *client, struct owner *owner);

/*
 * The user that has `id` as a subordinate ID by a line of `subuid`, in the format of subuid(5), and by
 * `passwd`. A user that is only in another database gets the first ID of the first line as number. An ID
 * in no line is its own user.
 */
uint32_t find_subordinate_owner(FILE *subuid, FILE *passwd, uint32_t id);

#endif
