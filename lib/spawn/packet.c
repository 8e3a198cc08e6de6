// SPDX-License-Identifier: MIT
/*
 * Replaces the descriptors of a request by their places in a packet, and back. This changes numbers
 * only. vfork-child.c moves descriptors to the numbers that the program expects. Both visit the same
 * fields.
 */
#include <errno.h>

#include "internal.h"
#include "lib/spawn/executor/executor.h"

struct packet {
	int *fds;
	size_t n, most;
};

/* Sends a descriptor once, even if the request names it twice. */
static void pack_fd(int32_t *fd, long arg)
{
	struct packet *p = (struct packet *)arg;
	size_t i = 0;

	while (i < p->n && i < p->most && p->fds[i] != *fd)
		i++;
	if (i == p->n && p->n++ < p->most)
		p->fds[i] = *fd;
	*fd = (int32_t)i;
}

static void unpack_fd(int32_t *fd, long arg)
{
	struct packet *p = (struct packet *)arg;

	if ((size_t)*fd < p->n)
		*fd = p->fds[*fd];
	else
		p->most = 0;
}

static void visit_packed_fds(struct idm_request *request, void (*each)(int32_t *fd, long arg),
			     struct packet *p)
{
	idm_request_each_fd(request, each, (long)p);
	idm_request_each_source(request, 0, each, (long)p);
}

int idm_child_pack(struct idm_request *request, int *fds, size_t *n_fds, size_t most)
{
	struct packet p = { fds, *n_fds, most };

	visit_packed_fds(request, pack_fd, &p);
	*n_fds = p.n;
	return p.n > most ? -E2BIG : 0;
}

int idm_child_unpack(struct idm_request *request, const int *fds, size_t n_fds)
{
	struct packet p = { (int *)fds, n_fds, 1 };

	visit_packed_fds(request, unpack_fd, &p);
	return p.most ? 0 : -EMFILE;
}

bool idm_child_has_assembler(const struct idm_request *request)
{
	return request->flags & IDM_REQUEST_EXECUTOR && idm_request_locks_mounts(request);
}

bool idm_child_has_second(const struct idm_request *request)
{
	return request->flags & IDM_REQUEST_SECOND;
}
