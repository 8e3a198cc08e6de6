// SPDX-License-Identifier: MIT
#include "neighbour.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "test.h"

static void stay(int ready, int hold)
{
	char byte;

	must(write(ready, "", 1));
	must(read(hold, &byte, 1)); /* 0: the other end was closed */
}

struct neighbour neighbour_start(void (*prepare)(void *), void *arg)
{
	struct neighbour n;
	int ready[2], hold[2];
	char byte;

	must(pipe2(ready, O_CLOEXEC));
	must(pipe2(hold, O_CLOEXEC));
	n.pid = (pid_t)must(fork());
	if (n.pid == 0) {
		close(ready[0]);
		close(hold[1]);
		prepare(arg);
		stay(ready[1], hold[0]);
		_exit(0);
	}
	close(ready[1]);
	close(hold[0]);
	n.hold = hold[1];
	if (must(read(ready[0], &byte, 1)) == 0) { /* an assertion in it has failed */
		neighbour_end(&n);
		fail_msg("the child exited early");
	}
	close(ready[0]);
	return n;
}

int neighbour_namespace(const struct neighbour *n, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)n->pid, name);
	return (int)must(open(path, O_RDONLY | O_CLOEXEC));
}

void neighbour_end(struct neighbour *n)
{
	close(n->hold);
	n->hold = -1;
	await_child(n->pid);
}

int orphan_namespace(const char *name, void (*prepare)(void *), void *arg)
{
	struct neighbour n = neighbour_start(prepare, arg);
	int fd = neighbour_namespace(&n, name);

	neighbour_end(&n);
	return fd;
}
