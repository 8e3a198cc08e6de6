/* SPDX-License-Identifier: MIT */
/* Closing what can wait for the server of a FUSE filesystem: a child does so by its exit. */
#ifndef IDM_SERVICE_CLOSING_H
#define IDM_SERVICE_CLOSING_H

#include "server.h"

/* A part of the descriptors, so that other users have some. */
unsigned int get_most_parked(void);

/* Those that are over and have unread messages. */
void close_connections(struct server *s);

/* What close_in_child() has started. */
void reap_unwatched(struct server *s);

/*
 * Connections in its queue can have messages with files that cannot be closed. So a child that exits
 * closes the socket last.
 */
void close_listener(const struct server *s);

#endif
