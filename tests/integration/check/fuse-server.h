/* SPDX-License-Identifier: MIT */
/* What servers of FUSE filesystems have in common. */
#ifndef IDM_INTEGRATION_CHECK_FUSE_SERVER_H
#define IDM_INTEGRATION_CHECK_FUSE_SERVER_H

#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>

union fuse_request {
	struct fuse_in_header in;
	char room[FUSE_MIN_READ_BUFFER + 65536];
};

/*
 * Mounts one at the new directory `place`, and returns the descriptor that its requests come through;
 * `words` are options, with a comma before each. Skips the test where there is no FUSE.
 */
int fuse_mount(const char *place, const char *words);

/* The next request; what follows its head is ended by NUL. False: it was unmounted. */
bool fuse_next(int dev, union fuse_request *request);

bool fuse_wants_answer(const struct fuse_in_header *in);

/* `error` is 0 or -errno. */
void fuse_answer(int dev, const struct fuse_in_header *in, int error, const void *body, size_t size);

#endif
