/* SPDX-License-Identifier: MIT */
/* The listening socket. Each function returns a descriptor, or logs what is wrong and returns -1. */
#ifndef IDM_SERVICE_LISTEN_H
#define IDM_SERVICE_LISTEN_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether a service manager has passed a socket. */
bool has_passed_socket(void);

/* The socket that it has passed. */
int take_passed_socket(void);

/* A socket file that this process has made. */
struct socket_file {
	int directory;
	char name[108]; /* in the directory; empty: none */
	dev_t device;
	ino_t inode;
};

/* A new socket at a path, and the directory that holds it. Every user may connect. */
int listen_at(const char *path, struct socket_file *file);

/* Another file at its place stays. */
void unlink_socket_file(const struct socket_file *file);

#endif
